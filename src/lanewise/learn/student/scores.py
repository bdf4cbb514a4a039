"""How good a student is: the figures of the model card and of `bench/skills.py`, from probabilities and labels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from lanewise.classify.student import COUNT, SKILLS, Floats
from lanewise.journey import Skill, Value
from lanewise.learn.student.rows import Row

CONFIDENT_SHARE: Final = 0.6
BINS: Final = 10
FEW: Final = 100
"""A skill with fewer real turns than this is scored apart."""


class Scores(Value, frozen=True, kw_only=True):
    """Figures over one set of turns; shares of 1."""

    turns: int
    accuracy: float
    main_accuracy: float
    """Without follow-ups."""
    followup_accuracy: float
    either_accuracy: float
    """The label or the reader's second choice."""
    sure_accuracy: float
    """Where the reader was sure."""
    macro_f1: float
    """Over the skills that occur."""
    frequent_f1: float
    """Over the skills with at least `FEW` turns."""
    rare_f1: float
    """Over the others."""
    calibration_error: float
    """Expected calibration error over `BINS` equal bins of confidence."""
    confident_accuracy: float
    """On the most confident `CONFIDENT_SHARE`."""


def scores_of(rows: Sequence[Row], probabilities: Floats) -> Scores:
    """The figures of `probabilities`, (rows, COUNT)."""
    truth = np.asarray([SKILLS.index(row.skill) for row in rows])
    said, confidence = probabilities.argmax(1), probabilities.max(1)
    right = said == truth
    followup = np.asarray([bool(row.followup) for row in rows])
    either = np.asarray([SKILLS[one] in {row.skill, row.second} for one, row in zip(said, rows, strict=True)])
    sure = np.asarray([row.sure == 3 for row in rows])
    best = np.argsort(-confidence, kind="stable")[: round(len(rows) * CONFIDENT_SHARE)]
    f1 = {
        skill: 2 * np.sum((said == skill) & (truth == skill)) / (np.sum(said == skill) + np.sum(truth == skill))
        for skill in range(COUNT)
        if np.any(truth == skill)
    }
    frequent = {skill for skill in f1 if np.sum(truth == skill) >= FEW}
    return Scores(
        turns=len(rows),
        accuracy=_mean(right),
        main_accuracy=_mean(right[~followup]),
        followup_accuracy=_mean(right[followup]),
        either_accuracy=_mean(either),
        sure_accuracy=_mean(right[sure]),
        macro_f1=_mean(list(f1.values())),
        frequent_f1=_mean([f1[skill] for skill in f1 if skill in frequent]),
        rare_f1=_mean([f1[skill] for skill in f1 if skill not in frequent]),
        calibration_error=calibration_error(confidence, right),
        confident_accuracy=_mean(right[best]),
    )


def calibration_error(confidence: Floats, right: Any) -> float:
    """Mean distance of confidence and accuracy over equal bins (Naeini et al. 2015). Any: an array of booleans."""
    bins = np.minimum((confidence * BINS).astype(int), BINS - 1)
    return float(
        sum(
            np.mean(bins == at) * abs(right[bins == at].mean() - confidence[bins == at].mean())
            for at in range(BINS)
            if np.any(bins == at)
        )
    )


def confusion_of(rows: Sequence[Row], probabilities: Floats) -> dict[Skill, dict[Skill, int]]:
    """Turns by label and by what the student said, zeros left out."""
    table: dict[Skill, dict[Skill, int]] = {skill: {} for skill in SKILLS}
    for row, said in zip(rows, probabilities.argmax(1), strict=True):
        counts = table[row.skill]
        counts[SKILLS[said]] = counts.get(SKILLS[said], 0) + 1
    return table


def _mean(values: Any) -> float:  # Any: a list or an array
    return float(np.mean(values)) if len(values) else 0.0
