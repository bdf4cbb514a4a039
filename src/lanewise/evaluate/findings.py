"""What a run of the proof found, and how it is put together from its parts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np

from lanewise.evaluate.operating import Point
from lanewise.evaluate.outcomes import Floats, Whole, problem_of, source_of
from lanewise.evaluate.statistics import area_over, lower_bound
from lanewise.evaluate.yardsticks import NOTES, Served, joined
from lanewise.journey import Value

SEED: Final = 4
"""Of the bootstrap and the folds: one seed, so that a run can be repeated to the digit."""


LEAST_PROBLEMS: Final = 30
"""Problems from which a bound proves anything: of fewer the bootstrap sees too little of their spread."""


class End(Value, frozen=True, kw_only=True):
    """What one operating point came to on the test."""

    saving: float
    """Share of the baseline's cost."""
    quality_difference: float
    """Mean score minus the baseline's, in points / 100."""
    quality_lower_bound: float
    """Its one-sided 95 % lower bound: paired bootstrap, all tasks of one source problem together."""
    lower_bound_new_sources: float
    """The same with whole sources drawn: what would hold on a mix of other data sets."""
    score: float
    """0..100"""
    cost_usd: float
    """Of all tasks of the test."""
    models: dict[str, float]
    """Share of the tasks that each model served."""
    lambda_per_usd: tuple[float, ...]
    """The frozen price of a dollar; one for each fold."""
    valid: bool
    """The lower bound is not below the loss allowed, and rests on `LEAST_PROBLEMS` at least, or nothing changed."""


class Side(Value, frozen=True, kw_only=True):
    """Both ends, with the skill read from the words or with it given."""

    saving_end: End
    quality_end: End
    area: float
    """Mean height over the hull of static mixtures, points / 100; 0 is no skill in routing."""


class Yardstick(Value, frozen=True, kw_only=True):
    """A simpler policy on the same test."""

    saving: float
    quality_difference: float
    score: float
    cost_usd: float
    meaning: str


class Findings(Value, frozen=True, kw_only=True):
    """All that a run found."""

    baseline: str
    tasks: int
    texts: int
    """Tasks of the test with a text."""
    fell_back: float
    """Share of the tasks that went to the baseline as unlike what was learnt from."""
    skill_agreement: float | None
    """Share of the texts whose words speak for the label given; None without texts."""
    costs_estimated: bool
    """The test's costs are its tokens times list prices."""
    held_back: bool
    """Scored on a test file, rather than on folds of what was learnt from."""
    predicted: Side
    given: Side
    yardsticks: dict[str, Yardstick]

    @property
    def valid(self) -> bool:
        """Neither end loses more than is allowed, with the skill read from the words."""
        return self.predicted.saving_end.valid and self.predicted.quality_end.valid


class PartSide(NamedTuple):
    """Both ends of one test."""

    points: tuple[Point, Point]
    chosen: tuple[Whole, Whole]
    served: tuple[Served, Served]
    sweep: Served
    """Sums over the tasks at each lambda."""


class Part(NamedTuple):
    """One test, or one fold of it."""

    tasks: tuple[str, ...]
    static: tuple[Floats, Floats]
    """Cost and score of each model alone: sums over the tasks, (models,)."""
    sides: tuple[PartSide, PartSide]
    yardsticks: dict[str, Served]
    fell_back: int
    texts: int
    agreed: int


def together(
    parts: Sequence[Part], models: Sequence[str], baseline: str, *, max_loss: float, estimated: bool, held_back: bool
) -> Findings:
    """The findings of all parts as one test."""
    count = sum(len(part.tasks) for part in parts)
    texts = sum(part.texts for part in parts)
    policies = {name: joined([part.yardsticks[name] for part in parts]) for name in NOTES}
    base = policies["always_baseline"]
    return Findings(
        baseline=baseline,
        tasks=count,
        texts=texts,
        fell_back=sum(part.fell_back for part in parts) / count,
        skill_agreement=sum(part.agreed for part in parts) / texts if texts else None,
        costs_estimated=estimated,
        held_back=held_back,
        predicted=_side(parts, 0, models, base, max_loss),
        given=_side(parts, 1, models, base, max_loss),
        yardsticks={name: _yardstick(got, base, NOTES[name]) for name, got in policies.items()},
    )


def _yardstick(got: Served, base: Served, meaning: str) -> Yardstick:
    return Yardstick(
        saving=1 - float(got.cost_usd.sum() / base.cost_usd.sum()),
        quality_difference=float((got.score - base.score).mean()),
        score=100 * float(got.score.mean()),
        cost_usd=float(got.cost_usd.sum()),
        meaning=meaning,
    )


def _side(parts: Sequence[Part], number: int, models: Sequence[str], base: Served, max_loss: float) -> Side:
    sides = [part.sides[number] for part in parts]
    tasks = [task for part in parts for task in part.tasks]
    count = len(tasks)
    ends = []
    for which in range(2):
        chosen = np.concatenate([side.chosen[which] for side in sides])
        served = joined([side.served[which] for side in sides])
        shares = {model: float((chosen == at).mean()) for at, model in enumerate(models)}
        ends.append(_end(served, base, tasks, shares, [side.points[which] for side in sides], max_loss))
    static = [np.sum([part.static[axis] for part in parts], axis=0) / count for axis in range(2)]
    sweep = [np.sum([side.sweep[axis] for side in sides], axis=0) / count for axis in range(2)]
    area = area_over((sweep[1], sweep[0]), (static[0], static[1]))
    return Side(saving_end=ends[0], quality_end=ends[1], area=area)


def _end(
    got: Served,
    base: Served,
    tasks: Sequence[str],
    shares: dict[str, float],
    points: Sequence[Point],
    max_loss: float,
) -> End:
    difference = got.score - base.score
    problems = [problem_of(task) for task in tasks]
    bound = lower_bound(difference, problems, seed=SEED)
    return End(
        saving=1 - float(got.cost_usd.sum() / base.cost_usd.sum()),
        quality_difference=float(difference.mean()),
        quality_lower_bound=bound,
        lower_bound_new_sources=lower_bound(difference, [source_of(task) for task in tasks], seed=SEED),
        score=100 * float(got.score.mean()),
        cost_usd=float(got.cost_usd.sum()),
        models=shares,
        lambda_per_usd=tuple((1 - point.share) * point.price + point.share * point.next_price for point in points),
        valid=bound >= -max_loss and (len(set(problems)) >= LEAST_PROBLEMS or not difference.any()),
    )
