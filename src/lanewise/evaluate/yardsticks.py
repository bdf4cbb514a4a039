"""What simpler policies make of the same tasks: learnt from the same rows, scored beside the router's."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np

from lanewise.evaluate.forecast import Known
from lanewise.evaluate.outcomes import Floats, Outcomes, Whole

NEIGHBOURS: Final = 50


class Served(NamedTuple):
    """What a policy got and paid, task by task."""

    score: Floats
    cost_usd: Floats


def yardsticks(
    known: Known, test: Outcomes, paid: Floats, *, baseline: int, at: Whole, near: Floats, learnt: Whole
) -> dict[str, Served]:
    """Name -> what it got on `test`.

    Args:
        known: What they may learn from.
        test: The tasks, their labels and scores.
        paid: USD, (tasks, models).
        baseline: Its column.
        at: Positions of the tests' tasks that have a text.
        near: Likeness of these to known texts, (texts, learnt).
        learnt: Positions of these known texts in `known`.
    """
    table = {label: int(known.scores[rows].mean(0).argmax()) for label, rows in _by_label(known).items()}
    by_label = np.asarray([table.get(label, baseline) for label in test.labels], np.int64)
    neighbours = by_label.copy()
    if len(at) and len(learnt):
        nearest = np.argsort(-near, axis=1, kind="stable")[:, :NEIGHBOURS]
        neighbours[at] = known.scores[learnt[nearest]].mean(1).argmax(1)
    cheapest = int(known.cost_usd.mean(0).argmin())
    best = int(known.scores.mean(0).argmax())
    count = len(test.tasks)
    found = {
        "random": Served(test.scores.mean(1), paid.mean(1)),
        "cheapest": served(test.scores, paid, np.full(count, cheapest)),
        "best_single": served(test.scores, paid, np.full(count, best)),
        "always_baseline": served(test.scores, paid, np.full(count, baseline)),
        "skill_table": served(test.scores, paid, by_label),
        "knn": served(test.scores, paid, neighbours),
        "oracle": served(test.scores, paid, (test.scores - 1e-9 * paid / max(paid.max(), 1e-12)).argmax(1)),
    }
    return found


def served(score: Floats, paid: Floats, chosen: Whole) -> Served:
    """What the chosen models got and cost."""
    every = np.arange(len(chosen))
    return Served(score[every, chosen], paid[every, chosen])


def _by_label(known: Known) -> dict[str, Whole]:
    labels = np.asarray(known.labels)
    return {str(label): np.flatnonzero(labels == label) for label in np.unique(labels)}
