"""Fit the part of the student that votes: a plain logistic model over phrases and measures.

Few rows and many words favour it: on repositories left out it is as good as the network, and better together with it
(see the model card). It is convex, so it needs no seed; L-BFGS (Nocedal and Wright 2006, algorithm 7.4) finds its
one minimum.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

import numpy as np

from lanewise.classify import words
from lanewise.classify.student import COUNT, Floats
from lanewise.learn.student.network import Targets, Whole

PENALTY: Final = 1.0
"""Of half the squared weights, against the sum of the rows' losses."""

STEPS: Final = 80
_KEPT_STEPS: Final = 10
_SUFFICIENT: Final = 1e-4
_HALVINGS: Final = 20


class Votes(NamedTuple):
    """What phrases and measures speak for."""

    phrases: Floats
    """(PHRASES, COUNT)"""
    measures: Floats
    """(MEASURES, COUNT)"""
    bias: Floats
    """(COUNT,)"""

    def logits(self, phrases: Sequence[Whole], measures: Floats) -> Floats:
        """What is voted for, (rows, COUNT)."""
        sums = np.stack([self.phrases[one].sum(0) / np.sqrt(len(one)) for one in phrases])
        found: Floats = sums + measures @ self.measures + self.bias
        return found


def fit_votes(phrases: Sequence[Whole], measures: Floats, targets: Targets, *, at_least: int) -> Votes:
    """The votes that explain `targets` best under the penalty.

    Args:
        phrases: Buckets of each row, at least one.
        measures: (rows, MEASURES)
        targets: What the rows should be.
        at_least: Rows in which a bucket must stand to get votes.
    """
    counts = np.bincount(np.concatenate(phrases), minlength=words.PHRASES)
    known = np.flatnonzero(counts >= at_least)
    column = np.full(words.PHRASES, -1)
    column[known] = np.arange(len(known))
    sizes = np.asarray([len(one) for one in phrases])
    row_of = np.repeat(np.arange(len(phrases)), sizes)
    column_of = column[np.concatenate(phrases)]
    value = np.repeat(1 / np.sqrt(sizes), sizes)
    kept = column_of >= 0
    table = _Sparse(row_of[kept], column_of[kept], value[kept], rows=len(phrases), columns=len(known))
    measures = measures.astype(np.float64)
    dense = len(known) + measures.shape[1]

    def loss(flat: Floats) -> tuple[float, Floats]:
        w = flat.reshape(-1, COUNT)
        logits = table.times(w[: len(known)]) + measures @ w[len(known) : dense] + w[dense]
        logits -= logits.max(1, keepdims=True)
        log_shares = logits - np.log(np.exp(logits).sum(1, keepdims=True))
        weight = targets.weight[:, None].astype(np.float64)
        g = (np.exp(log_shares) - targets.skills) * weight
        penalty = PENALTY * w
        penalty[dense] = 0
        value = -float((targets.skills * log_shares * weight).sum()) + 0.5 * float((w * penalty).sum())
        return value, (np.concatenate((table.turned_times(g), measures.T @ g, g.sum(0)[None])) + penalty).ravel()

    w = _minimum(loss, np.zeros((dense + 1) * COUNT)).reshape(-1, COUNT)
    found = np.zeros((words.PHRASES, COUNT))
    found[known] = w[: len(known)]
    return Votes(phrases=found, measures=w[len(known) : dense], bias=w[dense])


class _Sparse:
    """A matrix by its entries, sorted both ways, each row and column with one entry or more or none."""

    def __init__(self, row: Whole, column: Whole, value: Floats, *, rows: int, columns: int) -> None:
        self._shape = (rows, columns)
        self._by_row = self._sorted(row, column, value)
        self._by_column = self._sorted(column, row, value)

    @staticmethod
    def _sorted(major: Whole, minor: Whole, value: Floats) -> tuple[Whole, Whole, Whole, Floats]:
        order = np.argsort(major, kind="stable")
        present, starts = np.unique(major[order], return_index=True)
        return present, starts, minor[order], value[order][:, None]

    def times(self, w: Floats) -> Floats:
        return self._product(self._by_row, w, self._shape[0])

    def turned_times(self, g: Floats) -> Floats:
        return self._product(self._by_column, g, self._shape[1])

    @staticmethod
    def _product(entries: tuple[Whole, Whole, Whole, Floats], dense: Floats, size: int) -> Floats:
        present, starts, minor, value = entries
        out = np.zeros((size, dense.shape[1]))
        if len(present):
            out[present] = np.add.reduceat(dense[minor] * value, starts, axis=0)
        return out


def _minimum(loss: Callable[[Floats], tuple[float, Floats]], x: Floats) -> Floats:
    """Where `loss`, convex, is least; stops after `STEPS` or where no step helps."""
    value, g = loss(x)
    past: deque[tuple[Floats, Floats, float]] = deque(maxlen=_KEPT_STEPS)
    for _ in range(STEPS):
        direction = _direction(g, past)
        slope = float(direction @ g)
        pace = 1.0 if past else 1.0 / max(1.0, float(np.abs(g).sum()))
        for _ in range(_HALVINGS):
            moved = x + pace * direction
            new_value, new_g = loss(moved)
            if new_value <= value + _SUFFICIENT * pace * slope:
                break
            pace /= 2
        else:
            return x
        s, y = moved - x, new_g - g
        if (curvature := float(s @ y)) > 0:
            past.append((s, y, 1 / curvature))
        x, value, g = moved, new_value, new_g
    return x


def _direction(g: Floats, past: deque[tuple[Floats, Floats, float]]) -> Floats:
    """Downhill, bent by what the last steps have shown of the curvature."""
    q = g.copy()
    shares = []
    for s, y, rho in reversed(past):
        shares.append(rho * float(s @ q))
        q -= shares[-1] * y
    if past:
        s, y, rho = past[-1]
        q *= 1 / (rho * float(y @ y))
    for (s, y, rho), share in zip(past, reversed(shares), strict=True):
        q += (share - rho * float(y @ q)) * s
    return -q
