"""Forecasts of known tasks by a forecaster that has not seen their problems: what operating points are frozen on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np

from lanewise.evaluate.forecast import Expected, Forecast, Forecaster, Known, Likeness
from lanewise.evaluate.outcomes import Floats, Whole, problem_of

FOLDS: Final = 5

NOVEL_SHARE: Final = 0.01
"""Share of the known texts, each seen without its problem, that is nearer to the rest than a text may be that is
called unlike. Of the issues of SWE-bench Verified 98 % are farther away."""


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
    both = _blank(known.scores.shape), _blank(known.scores.shape)
    for learn, test in split(known.tasks, seed=seed):
        forecaster = Forecaster(known, likeness, learn)
        asked = likeness.ask_known(known, test)
        for whole, given in zip(both, (False, True), strict=True):
            part = forecaster.of(asked, given=given)
            for into, found in ((whole.by_words, part.by_words), (whole.by_label, part.by_label)):
                into.score[test], into.cost_usd[test], into.unlike[test] = found
            whole.closeness[test], whole.spoken_for[test] = part.closeness, part.spoken_for
    return both


def nearest_allowed(closeness: Floats) -> float:
    """The closeness that all but `NOVEL_SHARE` of the texts reach; 0 where there are none.

    Args:
        closeness: Of known tasks, see `Forecast`; those without a text, or whose text is not learnt from, do not count.
    """
    texts = closeness[np.isfinite(closeness) & (closeness > 0)]
    return float(np.quantile(texts, NOVEL_SHARE)) if len(texts) else 0.0


def _blank(shape: tuple[int, ...]) -> Forecast:
    def expected() -> Expected:
        return Expected(np.zeros(shape), np.zeros(shape), np.zeros(shape[0], np.bool_))

    return Forecast(expected(), expected(), np.zeros(shape[0]), np.zeros(shape[0], np.bool_))
