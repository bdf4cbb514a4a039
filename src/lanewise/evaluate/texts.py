"""How alike texts are by their words, and regression on that: one matrix of likeness serves every question.

Words and pairs of words as the student reads them, the rare ones counting more; ridge regression in its dual form
(Saunders, Gammerman and Vovk 1998), which for a few thousand texts is one small linear system. It knows neither
skills nor models.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lanewise.classify import words
from lanewise.evaluate.outcomes import Floats, Whole

HEAD_TOKENS: Final = 400
TAIL_TOKENS: Final = 100
"""What is read of a long text: the prompts of CodeRouterBench end before it."""

NEIGHBOURS: Final = 20
_COLUMNS: Final = 4096
"""Of the dense table at a time: 4,096 x 3,000 texts are 50 MB."""


class Texts(NamedTuple):
    """Texts as unit vectors over buckets of words and pairs of words, by their entries."""

    row: Whole
    bucket: Whole
    value: Floats
    texts: int

    def dense(self, buckets: Whole) -> NDArray[np.float32]:
        """The columns of these buckets, (texts, buckets)."""
        place = np.full(words.PHRASES, -1)
        place[buckets] = np.arange(len(buckets))
        column = place[self.bucket]
        found = np.zeros((self.texts, len(buckets)), np.float32)
        kept = column >= 0
        found[self.row[kept], column[kept]] = self.value[kept]
        return found


class Space:
    """The weights of words, by how few of the known texts have them; unknown words weigh most."""

    def __init__(self, texts: Sequence[str]) -> None:
        phrases = [_phrases(text) for text in texts]
        seen = np.bincount(np.concatenate([*phrases, np.zeros(0, np.int64)]), minlength=words.PHRASES)
        self._weight = np.log((len(texts) + 1) / (seen + 1))
        self._shared = np.flatnonzero(seen > 1)
        self.known = self._placed(phrases)

    def place(self, texts: Sequence[str]) -> Texts:
        """The vectors of `texts`."""
        return self._placed([_phrases(text) for text in texts])

    def likeness(self, left: Texts, right: Texts) -> Floats:
        """Cosines, (left, right); what only one of the known texts has does not count as shared."""
        found = np.zeros((left.texts, right.texts))
        for start in range(0, len(self._shared), _COLUMNS):
            buckets = self._shared[start : start + _COLUMNS]
            found += left.dense(buckets) @ right.dense(buckets).T
        return found

    def _placed(self, phrases: list[Whole]) -> Texts:
        sizes = [len(one) for one in phrases]
        row, bucket = np.repeat(np.arange(len(phrases)), sizes), np.concatenate([*phrases, np.zeros(0, np.int64)])
        value = self._weight[bucket]
        norm = np.sqrt(np.bincount(row, value * value, minlength=len(phrases)))
        return Texts(row, bucket, value / np.maximum(norm, 1e-9)[row], len(phrases))


class Ridge(NamedTuple):
    """What was learnt of targets from likeness to known texts."""

    weights: Floats
    """(known texts, targets)"""
    mean: Floats
    """(targets,)"""

    @classmethod
    def fit(cls, likeness: Floats, targets: Floats, *, penalty: float) -> Ridge:
        """Least squares with `penalty` on the squared weights.

        Args:
            likeness: (known, known)
            targets: (known, targets)
            penalty: Above 0; the larger, the closer to the mean.
        """
        mean = targets.mean(0)
        system = likeness + penalty * np.eye(len(likeness))
        return cls(weights=np.linalg.solve(system, targets - mean), mean=mean)

    def predict(self, likeness: Floats) -> Floats:
        """(texts, targets), from (texts, known)."""
        found: Floats = likeness @ self.weights + self.mean
        return found


def closeness(likeness: Floats) -> Floats:
    """How near each text is to the known ones: mean likeness of the nearest `NEIGHBOURS`; (texts, known) -> (texts,).

    The nearest one alone says less: a single known text of the same words can be of another kind.
    """
    count = min(NEIGHBOURS, likeness.shape[1])
    if not count:
        return np.zeros(len(likeness))
    nearest = np.partition(likeness, likeness.shape[1] - count, axis=1)[:, -count:]
    found: Floats = nearest.mean(1)
    return found


def _phrases(text: str) -> Whole:
    return np.asarray(words.phrases(words.tokens(text, head=HEAD_TOKENS, tail=TAIL_TOKENS)), np.int64)
