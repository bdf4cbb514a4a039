"""How right a classifier is on repositories it has not seen: one table of figures for every method.

A fold is what is held out together: each large repository is one, all small ones are one. Figures pool the folds'
predictions. Knows probabilities and labels; knows neither features nor files.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from lanewise.classify.student import SKILLS, Floats
from lanewise.journey import Skill, Value
from lanewise.learn.corpus import Example

COVERAGE = 0.6
RARE_BELOW = 100
"""Real turns under which a skill is called rare and scored apart."""

_LARGE_TURNS = 500
_BINS = 10

SMALL = "small repositories"


class FoldScore(Value, frozen=True, kw_only=True):
    """Accuracy on what one fold held out."""

    name: str
    turns: int
    accuracy: float


class SkillScore(Value, frozen=True, kw_only=True):
    """How one skill was recognised."""

    skill: Skill
    turns: int
    precision: float
    recall: float
    f1: float


class Score(Value, frozen=True, kw_only=True):
    """The figures of one method, pooled over the folds."""

    method: str
    turns: int
    accuracy: float
    macro_f1: float
    """Unweighted over the skills that occur."""
    ece: float
    """Expected calibration error in ten bins of equal width."""
    confident_accuracy: float
    """On the most confident 60 %."""
    rare_macro_f1: float
    """Over skills with fewer than 100 real turns."""
    main_accuracy: float
    followup_accuracy: float
    folds: tuple[FoldScore, ...]
    skills: tuple[SkillScore, ...]
    confusion: tuple[tuple[int, ...], ...]
    """Rows: the label. Columns: what was said. Order of `SKILLS`."""


def folds(examples: Sequence[Example]) -> list[str]:
    """The fold of each example; empty for benchmark prompts, which are never held out."""
    turns = Counter(one.source for one in examples)
    return [(one.source if turns[one.source] >= _LARGE_TURNS else SMALL) if one.real else "" for one in examples]


def score(method: str, examples: Sequence[Example], probabilities: Floats) -> Score:
    """Figures of `probabilities`, a row for each of `examples`, all of them real turns."""
    labels = np.array([SKILLS.index(one.skill) for one in examples])
    said = probabilities.argmax(axis=1)
    right, sure = said == labels, probabilities.max(axis=1)
    confusion = np.zeros((len(SKILLS), len(SKILLS)), int)
    np.add.at(confusion, (labels, said), 1)
    skills = tuple(one for one in map(lambda at: _skill(at, confusion), range(len(SKILLS))) if one.turns)
    surest = np.argsort(-sure, kind="stable")[: max(1, int(COVERAGE * len(sure)))]
    followup = np.array([one.followup for one in examples])
    names = np.array(folds(examples))
    return Score(
        method=method,
        turns=len(examples),
        accuracy=_share(right),
        macro_f1=_mean([one.f1 for one in skills]),
        ece=calibration_error(sure, right),
        confident_accuracy=_share(right[surest]),
        rare_macro_f1=_mean([one.f1 for one in skills if one.turns < RARE_BELOW]),
        main_accuracy=_share(right[~followup]),
        followup_accuracy=_share(right[followup]),
        folds=tuple(
            FoldScore(name=name, turns=int((names == name).sum()), accuracy=_share(right[names == name]))
            for name in sorted(set(names.tolist()))
        ),
        skills=skills,
        confusion=tuple(tuple(row) for row in confusion.tolist()),
    )


def calibration_error(sure: npt.NDArray[np.floating], right: npt.NDArray[np.bool_]) -> float:
    """The mean distance of confidence and accuracy over ten bins, weighted by what is in them."""
    bins = np.minimum((sure * _BINS).astype(int), _BINS - 1)
    gaps = [
        (bins == at).mean() * abs(right[bins == at].mean() - sure[bins == at].mean()) for at in np.unique(bins).tolist()
    ]
    return round(float(sum(gaps)), 4)


def _skill(at: int, confusion: npt.NDArray[np.int_]) -> SkillScore:
    hits, labelled, said = confusion[at, at], confusion[at].sum(), confusion[:, at].sum()
    return SkillScore(
        skill=SKILLS[at],
        turns=int(labelled),
        precision=round(float(hits / said), 4) if said else 0.0,
        recall=round(float(hits / labelled), 4) if labelled else 0.0,
        f1=round(float(2 * hits / (labelled + said)), 4) if labelled + said else 0.0,
    )


def _share(right: npt.NDArray[np.bool_]) -> float:
    return round(float(right.mean()), 4) if right.size else 0.0


def _mean(values: list[float]) -> float:
    return round(sum(values) / len(values), 4) if values else 0.0
