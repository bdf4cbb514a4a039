"""Fit the student's weights: multinomial logistic regression solved in its dual, where rows are fewer than features.

With n rows of features X the best weights are X'A for some n x 16 matrix A, and only the n x n products of rows are
needed to find it. They are computed once and serve every fold. Nesterov's accelerated gradient in that space
converges at the rate of the penalty and needs no step to be tuned
(https://doi.org/10.1007/978-3-319-91578-4, section 2.2). Knows features and targets; knows no file.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from lanewise.classify.student import BUCKETS, OUTPUTS, SKILLS, Floats, Marks, softmax
from lanewise.journey import Value
from lanewise.learn.corpus import Example

PENALTY = 2e-3
"""Of 1e-3, 2e-3 and 4e-3 the best on repositories left out."""

ITERATIONS = 150
"""The loss changes in its fourth digit from here on."""

_COLUMNS = 8_192
"""Columns made dense at a time: 3,500 rows of them take 115 MB."""

_DOUBT = {1: 0.5, 2: 0.3, 3: 0.0}
"""What a label gives to its second choice, by how sure the reader was."""


class Matrix:
    """The features of all examples, with the products of their rows."""

    def __init__(self, marks: list[Marks]) -> None:
        rows = np.concatenate([np.full(len(one.buckets), row) for row, one in enumerate(marks)])
        columns = np.concatenate([one.buckets for one in marks])
        order = np.argsort(columns, kind="stable")
        self._rows, self._columns = rows[order], columns[order]
        self._values = np.concatenate([one.values for one in marks])[order]
        self.dense = np.stack([one.dense for one in marks])
        self.offset = np.stack([one.offset for one in marks])
        self.size = len(marks)
        self.products: Floats = self.dense @ self.dense.T + 1.0
        for start in range(0, BUCKETS, _COLUMNS):
            chunk = self._chunk(start)
            self.products += chunk @ chunk.T

    def _chunk(self, start: int) -> Floats:
        low, high = np.searchsorted(self._columns, (start, start + _COLUMNS))
        chunk = np.zeros((self.size, _COLUMNS), np.float32)
        np.add.at(chunk, (self._rows[low:high], self._columns[low:high] - start), self._values[low:high])
        return chunk

    def table(self, duals: Floats) -> Floats:
        """The weight of every bucket, from the dual solution."""
        parts = [self._chunk(start).T @ duals for start in range(0, BUCKETS, _COLUMNS)]
        return np.concatenate(parts)[:BUCKETS]


class Targets(Value, frozen=True, kw_only=True):
    """What the scores should say of each example."""

    skills: Floats
    gate: Floats
    gate_weights: Floats
    """0 for benchmark prompts, which have no turn before them."""

    @classmethod
    def of(cls, examples: tuple[Example, ...]) -> Targets:
        """Soft targets: a reader's second choice gets a share where the reader was not sure."""
        skills = np.zeros((len(examples), len(SKILLS)), np.float32)
        for row, one in enumerate(examples):
            doubt = _DOUBT[one.sure] if one.second else 0.0
            skills[row, SKILLS.index(one.skill)] = 1 - doubt
            if one.second:
                skills[row, SKILLS.index(one.second)] += doubt
        return cls(
            skills=skills,
            gate=np.array([one.followup for one in examples], np.float32),
            gate_weights=np.array([one.real for one in examples], np.float32),
        )


def duals(matrix: Matrix, targets: Targets, weights: Floats) -> Floats:
    """The dual solution; rows of weight 0 take no part in it and stay 0."""
    used = np.flatnonzero(weights)
    products = matrix.products[np.ix_(used, used)]
    row_weights = np.repeat((weights[used] / weights[used].sum())[:, None], OUTPUTS, axis=1).astype(np.float32)
    row_weights[:, -1] *= targets.gate_weights[used]
    row_weights[:, -1] /= max(float(row_weights[:, -1].sum()), 1e-9)
    offset, skills, gate = matrix.offset[used], targets.skills[used], targets.gate[used]
    step = 1 / (_curvature(products, row_weights.max(axis=1)) / 2 + PENALTY)
    root = np.sqrt(PENALTY * step)
    momentum = np.float32((1 - root) / (1 + root))
    here = np.zeros((len(used), OUTPUTS), np.float32)
    ahead = here
    for _ in range(ITERATIONS):
        scores = products @ ahead + offset
        error = np.empty_like(scores)
        error[:, :-1] = softmax(scores[:, :-1]) - skills
        error[:, -1] = 1 / (1 + np.exp(-scores[:, -1])) - gate
        after = (ahead - np.float32(step) * (row_weights * error + np.float32(PENALTY) * ahead)).astype(np.float32)
        ahead = after + momentum * (after - here)
        here = after
    found = np.zeros((matrix.size, OUTPUTS), np.float32)
    found[used] = here
    return found


def _curvature(products: Floats, weights: npt.NDArray[np.float32]) -> float:
    """The largest eigenvalue of the weighted products, by power iteration with a margin of a tenth."""
    roots = np.sqrt(weights)
    vector = np.random.default_rng(0).normal(size=len(roots)).astype(np.float32)
    length = 1.0
    for _ in range(20):
        vector = roots * (products @ (roots * vector))
        length = float(np.linalg.norm(vector))
        vector /= length
    return 1.1 * length
