"""The proof that routing saves without loss: learn from outcomes, freeze two operating points, score what is held back.

Forecasts and operating points come from the known tasks alone; of a test only labels and texts are read before the
choices stand. Without a test file the known tasks are cut into folds, and each fold is the test of the others.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from lanewise.errors import InputError
from lanewise.evaluate.costs import costs_of
from lanewise.evaluate.findings import SEED, Findings, Part, PartSide, together
from lanewise.evaluate.folds import nearest_allowed, split, unseen
from lanewise.evaluate.forecast import Expected, Forecaster, Known, Likeness
from lanewise.evaluate.operating import LAMBDAS, Point, Seen, choices, lots_of, quality_end, saving_end
from lanewise.evaluate.outcomes import Floats, Outcomes, Spent, Whole, problem_of
from lanewise.evaluate.yardsticks import Served, served, yardsticks


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
        max_loss: Points / 100 by which a lower bound may be below nothing.

    Raises:
        InputError: the baseline is no model of the outcomes, they hold too few problems to cross-validate, or nothing
            says what a model costs.
    """
    if baseline not in outcomes.models:
        raise InputError(
            f"no model {baseline!r} in the outcomes", hint=f"--baseline is one of: {', '.join(outcomes.models)}"
        )
    if len({problem_of(task) for task in outcomes.tasks}) < 10:
        raise InputError("fewer than 10 problems to learn from", hint="give outcomes of more tasks")
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
    return together(
        parts, outcomes.models, baseline, max_loss=max_loss, estimated=estimated, held_back=test is not None
    )


def _texts(outcomes: Outcomes, prompts: Mapping[str, str]) -> tuple[str | None, ...]:
    return tuple(prompts.get(task) for task in outcomes.tasks)


def _scored(known: Known, test: Outcomes, paid: Floats, prompts: Mapping[str, str], baseline: int) -> Part:
    """Learn from `known`, decide and score `test`."""
    likeness = Likeness.of(known)
    forecaster = Forecaster(known, likeness, np.arange(len(known.tasks)))
    asked = likeness.ask(test.labels, _texts(test, prompts))
    before = unseen(known, likeness, seed=SEED)
    nearest = nearest_allowed(before[0].closeness)
    now = forecaster.of(asked, given=False), forecaster.of(asked, given=True)
    sides = [
        _side(_seen(known, past.settled(nearest), baseline), coming.settled(nearest), test, paid)
        for past, coming in zip(before, now, strict=True)
    ]
    table = _side(_seen(known, before[0].by_label, baseline), now[0].by_label, test, paid)
    simple = yardsticks(known, likeness, test, paid, asked, baseline=baseline)
    said = zip(forecaster.labels_of(asked), asked.at, strict=False)
    return Part(
        tasks=test.tasks,
        static=(paid.sum(0), test.scores.sum(0)),
        sides=(sides[0], sides[1]),
        yardsticks={**simple, "skill_table_saving_end": table.served[0]},
        fell_back=int(now[0].settled(nearest).unlike.sum()),
        texts=len(asked.at),
        agreed=sum(label == test.labels[at] for label, at in said),
    )


def _seen(known: Known, expected: Expected, baseline: int) -> Seen:
    return Seen(expected, known.scores, known.cost_usd, _numbered(known.tasks), lots_of(known.tasks), baseline)


def _numbered(tasks: Sequence[str]) -> Whole:
    """Number of each task's problem."""
    return np.unique([problem_of(task) for task in tasks], return_inverse=True)[1]


def _side(seen: Seen, expected: Expected, test: Outcomes, paid: Floats) -> PartSide:
    """Both ends, frozen on `seen`."""
    lots = lots_of(test.tasks)

    def decided(point: Point) -> Whole:
        return choices(expected, point, lots, baseline=seen.baseline)

    points = saving_end(seen), quality_end(seen)
    chosen = decided(points[0]), decided(points[1])
    swept = [served(test.scores, paid, decided(Point(price, price, 0.0))) for price in LAMBDAS.tolist()]
    return PartSide(
        points=points,
        chosen=chosen,
        served=(served(test.scores, paid, chosen[0]), served(test.scores, paid, chosen[1])),
        sweep=Served(np.asarray([one.score.sum() for one in swept]), np.asarray([one.cost_usd.sum() for one in swept])),
    )
