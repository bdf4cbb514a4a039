"""Give a sentence encoder of the user's a head that names our skills, and say how good it is.

A multinomial logistic regression over the encoder's vectors: convex, so that the same rows give the same head on any
day. Its accuracy and its temperature come from repositories left out, as the student's do; context of a turn is not
read, since an encoder sees one text.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import numpy as np

from lanewise.classify.encoder import Head
from lanewise.classify.student import COUNT, SKILLS, Floats, softmax
from lanewise.errors import InputError
from lanewise.journey import Value
from lanewise.learn.student.build import LeftOut, facts_of, folds_of
from lanewise.learn.student.fit import targets_of
from lanewise.learn.student.rows import Row, weights_of

STEPS: Final = 500
"""Of accelerated gradient descent; vectors have length 1, so that it is near its end by then."""

SHRINKAGE: Final = 1e-4
"""Penalty on the squared weights, beside a mean loss of about 1."""


class Learnt(Value, frozen=True, kw_only=True):
    """A head and what is known of it."""

    head: Head
    """Its confidences are calibrated on repositories left out."""
    accuracy: float
    """Share of right answers on real turns of repositories left out."""
    tested: int
    """Turns that this share is of."""
    rows: int
    """Rows that the head was fitted to."""


def learn(rows: Sequence[Row], embed: Callable[[str], Floats], *, say: Callable[[str], None]) -> Learnt:
    """Embed, score on repositories left out, calibrate there, fit to all.

    Args:
        rows: What to learn from.
        embed: A text to its vector of length 1.
        say: Told what is under way.

    Raises:
        InputError: `rows` hold too few repositories to leave one out.
    """
    folds = folds_of(rows)
    if len(folds) < 2:
        raise InputError(
            "the real turns come from one repository, so none can be left out",
            hint="give turns of at least two repositories, one of them with 500 turns or more",
        )
    say(f"embedding {len(rows):,} texts")
    vectors = np.asarray([embed(row.text) for row in rows], np.float64)
    out = _left_out(rows, vectors, folds, say)
    temperature = facts_of("", rows, out).temperature
    say("all rows")
    whole = fit(vectors, rows)
    right = np.asarray(out.logits).argmax(1) == np.asarray([SKILLS.index(row.skill) for row in out.rows])
    head = Head(
        weights=(whole.weights / temperature).astype(np.float32), bias=(whole.bias / temperature).astype(np.float32)
    )
    return Learnt(head=head, accuracy=float(right.mean()), tested=len(out.rows), rows=len(rows))


def _left_out(rows: Sequence[Row], vectors: Floats, folds: dict[str, set[str]], say: Callable[[str], None]) -> LeftOut:
    """The real turns of each fold as read by a head that saw none of its repositories."""
    read: list[Row] = []
    names: list[str] = []
    logits: list[Floats] = []
    for name, groups in folds.items():
        say(f"left out: {name}")
        held = np.asarray([row.group in groups for row in rows])
        tested = held & np.asarray([row.kind == "real" for row in rows])
        head = fit(vectors[~held], [row for row, out in zip(rows, held, strict=True) if not out])
        logits.append(vectors[tested] @ head.weights + head.bias)
        read += [row for row, out in zip(rows, tested, strict=True) if out]
        names += [name] * int(tested.sum())
    return LeftOut(rows=tuple(read), logits=np.concatenate(logits), folds=tuple(names))


def fit(vectors: Floats, rows: Sequence[Row]) -> Head:
    """The head that explains `rows` best, in 64 bits.

    Nesterov's method with the step that no data can make diverge: a vector of length 1 and the bias have a squared
    length of 2, the curvature of the loss is at most half of it times the mean weight, which is 1.
    """
    targets = targets_of(rows, weights_of(list(rows)))
    share = np.asarray(targets.weight, np.float64)[:, None] / len(rows)
    x = np.concatenate((vectors, np.ones((len(rows), 1))), axis=1)
    now = before = np.zeros((x.shape[1], COUNT))
    step = 1.0 / (1.0 + SHRINKAGE)
    for turn in range(1, STEPS + 1):
        ahead = now + (turn - 1) / (turn + 2) * (now - before)
        slope = x.T @ (share * (softmax(x @ ahead) - targets.skills)) + SHRINKAGE * ahead
        before, now = now, ahead - step * slope
    return Head(weights=now[:-1], bias=now[-1])
