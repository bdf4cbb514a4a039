"""The proof that routing saves without loss: learn from outcomes, freeze two operating points, score what is held back.

One run: forecasts and points come from the known tasks alone; of the test file only labels and texts are read before
the choices stand. Without a test file the known tasks are cut into folds, and each fold is the test of the others.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

import numpy as np

from lanewise.errors import InputError
from lanewise.evaluate.costs import costs_of
from lanewise.evaluate.folds import ask_known, nearest_allowed, split, unseen
from lanewise.evaluate.forecast import Forecast, Forecaster, Known, Likeness, clusters_of
from lanewise.evaluate.operating import LAMBDAS, Point, Seen, choices, lots_of, quality_end, saving_end
from lanewise.evaluate.outcomes import Floats, Outcomes, Spent, Whole, problem_of, source_of
from lanewise.evaluate.statistics import area_over, lower_bound
from lanewise.evaluate.yardsticks import Served, served, yardsticks
from lanewise.journey import Value

SEED: Final = 4


class End(Value, frozen=True, kw_only=True):
    """What one operating point came to on the test."""

    saving: float
    """Share of the baseline's cost."""
    quality_difference: float
    """Mean score minus the baseline's, in points / 100."""
    quality_lower_bound: float
    """Its one-sided 95 % lower bound: paired bootstrap over problems."""
    lower_bound_new_sources: float
    """The same over whole sources: what would hold on a mix of other sources."""
    score: float
    """0..100"""
    cost_usd: float
    """Of the whole test."""
    models: dict[str, float]
    """Share of the tasks that each model served."""
    lambda_per_usd: tuple[float, ...]
    """The frozen price of a dollar, one a fold."""
    valid: bool
    """The lower bound is not below the loss allowed."""


class Yardstick(Value, frozen=True, kw_only=True):
    """A simpler policy on the same test."""

    score: float
    cost_usd: float
    note: str = ""


class Side(Value, frozen=True, kw_only=True):
    """Both ends, with the skill read from the words or given."""

    saving_end: End
    quality_end: End
    area: float


class Findings(Value, frozen=True, kw_only=True):
    """All that a run found."""

    tasks: int
    texts: int
    """Tasks of the test with a text."""
    fell_back: float
    """Share of the tasks that went to the baseline as unlike the known ones."""
    skill_agreement: float | None
    """Share of texts whose words speak for the label given; None without texts."""
    cost_estimated: bool
    """The test's costs are tokens times prices."""
    held_back: bool
    """Scored on a test file rather than by cross-validation."""
    baseline: str
    predicted: Side
    given: Side
    yardsticks: dict[str, Yardstick]


class _Part(NamedTuple):
    """One test, or one fold of it."""

    tasks: tuple[str, ...]
    baseline: Served
    sides: tuple[_PartSide, _PartSide]
    yardsticks: dict[str, Served]
    static: tuple[Floats, Floats]
    """Cost and score of each model alone: sums over the tasks."""
    fell_back: int
    texts: int
    agreed: int


class _PartSide(NamedTuple):
    points: tuple[Point, Point]
    chosen: tuple[Whole, Whole]
    served: tuple[Served, Served]
    sweep: tuple[Floats, Floats]
    """Cost and score at each of `LAMBDAS`: sums over the tasks."""


def run(
    outcomes: Outcomes,
    *,
    spent: Sequence[Spent],
    prompts: Mapping[str, str],
    test: Outcomes | None,
    test_prompts: Mapping[str, str],
    baseline: str,
    max_loss: float,
) -> Findings:
    """Learn from `outcomes`, freeze, and score.

    Args:
        outcomes: What is learnt from.
        spent: Rows that tell prompt tokens from answer tokens.
        prompts: Texts of tasks in `outcomes`.
        test: What is scored; None for cross-validation on `outcomes`.
        test_prompts: Texts of tasks in `test`.
        baseline: The model whose cost is saved and whose quality is to hold.
        max_loss: Points / 100 by which the lower bound may be below nothing.

    Raises:
        InputError: the baseline is no model of the outcomes, or nothing says what a model costs.
    """
    if baseline not in outcomes.models:
        raise InputError(
            f"no model {baseline!r} in the outcomes", hint=f"--baseline is one of: {', '.join(outcomes.models)}"
        )
    column = outcomes.models.index(baseline)
    paid, estimated = costs_of(outcomes, spent)
    known = Known(outcomes.tasks, outcomes.labels, _texts(outcomes, prompts), outcomes.scores, paid)
    if test is None:
        parts = [
            _scored(known.rows(learn), outcomes.rows(rows), paid[rows], prompts, column)
            for learn, rows in split(known.tasks, seed=SEED + 1)
        ]
    else:
        test_paid, estimated = costs_of(test, spent)
        parts = [_scored(known, test, test_paid, test_prompts, column)]
    return _findings(parts, outcomes.models, baseline, max_loss, estimated=estimated, held_back=test is not None)


def _texts(outcomes: Outcomes, prompts: Mapping[str, str]) -> tuple[str | None, ...]:
    return tuple(prompts.get(task) for task in outcomes.tasks)


def _scored(known: Known, test: Outcomes, paid: Floats, prompts: Mapping[str, str], baseline: int) -> _Part:
    """Everything of one test: what is chosen stands before its scores are looked at."""
    likeness = Likeness.of(known)
    forecaster = Forecaster(known, likeness, clusters_of(known), np.arange(len(known.tasks)))
    texts = _texts(test, prompts)
    at = np.flatnonzero([text is not None for text in texts])
    words = [texts[one] or "" for one in at]
    near = likeness.space.likeness(likeness.space.place(words), likeness.space.known)
    lengths = np.asarray([len(text) for text in words], np.int64)
    before = unseen(known, likeness, seed=SEED)
    nearest = nearest_allowed(before[0].closeness)
    _, group = np.unique([problem_of(task) for task in known.tasks], return_inverse=True)
    sides = []
    for given, forecast_before in zip((False, True), before, strict=True):
        seen = Seen(
            forecast_before, known.scores, known.cost_usd, group, lots_of(known.tasks), baseline, nearest
        )
        forecast = forecaster.of(test.labels, at, lengths, near, given=given)
        sides.append(_side(seen, forecast, test, paid))
    forecast = forecaster.of(test.labels, at, lengths, near, given=False)
    agreed = sum(
        skill == test.labels[one] for skill, one in zip(forecaster.skills(near), at, strict=True)
    ) if len(likeness.texts) else 0
    return _Part(
        tasks=test.tasks,
        baseline=served(test.scores, paid, np.full(len(test.tasks), baseline)),
        sides=(sides[0], sides[1]),
        yardsticks=yardsticks(known, test, paid, baseline=baseline, at=at, near=near, learnt=likeness.texts),
        static=(paid.sum(0), test.scores.sum(0)),
        fell_back=int((forecast.closeness < nearest).sum()),
        texts=len(at),
        agreed=agreed,
    )


def _side(seen: Seen, forecast: Forecast, test: Outcomes, paid: Floats) -> _PartSide:
    points = saving_end(seen), quality_end(seen)
    lots = lots_of(test.tasks)
    chosen = [choices(forecast, point, lots, baseline=seen.baseline, nearest=seen.nearest) for point in points]
    sweep = []
    for price in LAMBDAS.tolist():
        at_price = choices(forecast, Point(price, price, 0.0), lots, baseline=seen.baseline, nearest=seen.nearest)
        got = served(test.scores, paid, at_price)
        sweep.append((got.cost_usd.sum(), got.score.sum()))
    sums = np.asarray(sweep)
    return _PartSide(
        points=points,
        chosen=(chosen[0], chosen[1]),
        served=(served(test.scores, paid, chosen[0]), served(test.scores, paid, chosen[1])),
        sweep=(sums[:, 0], sums[:, 1]),
    )


def _findings(
    parts: Sequence[_Part], models: Sequence[str], baseline: str, max_loss: float, *, estimated: bool, held_back: bool
) -> Findings:
    count = sum(len(part.tasks) for part in parts)
    texts = sum(part.texts for part in parts)
    names = parts[0].yardsticks
    return Findings(
        tasks=count,
        texts=texts,
        fell_back=sum(part.fell_back for part in parts) / count,
        skill_agreement=sum(part.agreed for part in parts) / texts if texts else None,
        cost_estimated=estimated,
        held_back=held_back,
        baseline=baseline,
        predicted=_whole_side(parts, 0, models, max_loss),
        given=_whole_side(parts, 1, models, max_loss),
        yardsticks={
            name: _yardstick(_joined([part.yardsticks[name] for part in parts]), note=_NOTES.get(name, ""))
            for name in names
        },
    )


_NOTES: Final = {
    "oracle": "the best model of each task after the fact: mostly luck on single runs, no goal",
}


def _whole_side(parts: Sequence[_Part], side: int, models: Sequence[str], max_loss: float) -> Side:
    count = sum(len(part.tasks) for part in parts)
    sweep = [sum(part.sides[side].sweep[axis] for part in parts) / count for axis in range(2)]
    static = [sum(part.static[axis] for part in parts) / count for axis in range(2)]
    ends = []
    for number in range(2):
        chosen = np.concatenate([part.sides[side].chosen[number] for part in parts])
        ends.append(
            _end(
                _joined([part.sides[side].served[number] for part in parts]),
                _joined([part.baseline for part in parts]),
                [task for part in parts for task in part.tasks],
                {model: float((chosen == at).mean()) for at, model in enumerate(models)},
                [part.sides[side].points[number] for part in parts],
                max_loss,
            )
        )
    return Side(
        saving_end=ends[0],
        quality_end=ends[1],
        area=area_over((sweep[0], sweep[1]), (static[0], static[1])),
    )


def _end(
    got: Served,
    baseline: Served,
    tasks: Sequence[str],
    models: dict[str, float],
    points: Sequence[Point],
    max_loss: float,
) -> End:
    difference = got.score - baseline.score
    bound = lower_bound(difference, [problem_of(task) for task in tasks], seed=SEED)
    return End(
        saving=1 - float(got.cost_usd.sum() / baseline.cost_usd.sum()),
        quality_difference=float(difference.mean()),
        quality_lower_bound=bound,
        lower_bound_new_sources=lower_bound(difference, [source_of(task) for task in tasks], seed=SEED),
        score=100 * float(got.score.mean()),
        cost_usd=float(got.cost_usd.sum()),
        models=models,
        lambda_per_usd=tuple(
            float((1 - point.share) * point.price + point.share * point.next_price) for point in points
        ),
        valid=bound >= -max_loss,
    )


def _joined(parts: Sequence[Served]) -> Served:
    return Served(np.concatenate([part.score for part in parts]), np.concatenate([part.cost_usd for part in parts]))


def _yardstick(got: Served, *, note: str) -> Yardstick:
    return Yardstick(score=100 * float(got.score.mean()), cost_usd=float(got.cost_usd.sum()), note=note)
