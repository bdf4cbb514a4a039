"""Forecasts of known tasks by a forecaster that has not seen their problems: what operating points are frozen on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np

from lanewise.evaluate.forecast import Forecast, Forecaster, Known, Likeness, clusters_of
from lanewise.evaluate.outcomes import Floats, Whole, problem_of

FOLDS: Final = 5

NOVEL_SHARE: Final = 0.02
"""Share of known texts, each seen without its problem, that would be taken for unlike. Texts of whole issues (SWE-bench
Verified) fall below that closeness in all but 1 of 100 cases."""


def split(tasks: Sequence[str], *, seed: int) -> Iterator[tuple[Whole, Whole]]:
    """(learn, test) positions, `FOLDS` times; tasks of one problem stay together.

    Args:
        tasks: Their ids.
        seed: Of the shuffle.
    """
    _, group = np.unique([problem_of(task) for task in tasks], return_inverse=True)
    fold = np.random.default_rng(seed).permutation(int(group.max()) + 1)[group] % FOLDS
    for number in range(FOLDS):
        yield np.flatnonzero(fold != number), np.flatnonzero(fold == number)


def unseen(known: Known, likeness: Likeness, *, seed: int) -> tuple[Forecast, Forecast]:
    """Each task of `known`, forecast from the other folds: with the skill read from the words, and with it given.

    Args:
        known: The tasks.
        likeness: Of their texts.
        seed: Of the folds.
    """
    clusters = clusters_of(known)
    shape = known.scores.shape
    both = tuple(Forecast(np.zeros(shape), np.zeros(shape), np.zeros(shape[0])) for _ in range(2))
    for learn, test in split(known.tasks, seed=seed):
        forecaster = Forecaster(known, likeness, clusters, learn)
        for found, given in zip(both, (False, True), strict=True):
            for whole, part in zip(found, ask_known(forecaster, known, likeness, test, given=given), strict=True):
                whole[test] = part
    return both[0], both[1]


def ask_known(forecaster: Forecaster, known: Known, likeness: Likeness, rows: Whole, *, given: bool) -> Forecast:
    """The forecast of tasks of `known` itself; a text from a source with too few of them is like nothing."""
    place = np.full(len(known.tasks), -1)
    place[likeness.texts] = np.arange(len(likeness.texts))
    at = np.flatnonzero([known.texts[row] is not None for row in rows])
    positions = place[rows[at]]
    near = np.where(positions[:, None] >= 0, likeness.known[positions][:, forecaster.columns], 0.0)
    lengths = np.asarray([len(known.texts[row] or "") for row in rows[at]], np.int64)
    return forecaster.of([known.labels[row] for row in rows], at, lengths, near, given=given)


def nearest_allowed(closeness: Floats) -> float:
    """The closeness that all but `NOVEL_SHARE` of the texts reach; nothing is refused where there are none."""
    texts = closeness[np.isfinite(closeness) & (closeness > 0)]
    return float(np.quantile(texts, NOVEL_SHARE)) if len(texts) else 0.0
