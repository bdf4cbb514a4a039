"""What simpler policies make of the same tasks: learnt from the same rows, scored beside the router's."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np

from lanewise.evaluate.forecast import Asked, Known, Likeness
from lanewise.evaluate.outcomes import Floats, Outcomes, Whole

NEIGHBOURS: Final = 50

NOTES: Final = {
    "random": "mean over the models",
    "cheapest": "the model that is cheapest on the tasks learnt from",
    "best_single": "the best one on the tasks learnt from",
    "always_baseline": "what would have been paid, and the quality to hold",
    "skill_table": "best model of each given label",
    "skill_table_saving_end": "the same table, lambda frozen as ours is",
    "knn": f"best model on the {NEIGHBOURS} known texts with the likest words, by label without a text",
    "oracle": "best model of each task after the fact: mostly luck on single runs, no goal",
}
"""Yardstick -> what it is."""


class Served(NamedTuple):
    """What a policy got and paid, task by task."""

    score: Floats
    cost_usd: Floats


def served(score: Floats, paid: Floats, chosen: Whole) -> Served:
    """What the chosen models got and cost.

    Args:
        score: (tasks, models)
        paid: USD, (tasks, models).
        chosen: Model of each task.
    """
    every = np.arange(len(chosen))
    return Served(score[every, chosen], paid[every, chosen])


def joined(parts: list[Served]) -> Served:
    """Several tests as one."""
    return Served(np.concatenate([part.score for part in parts]), np.concatenate([part.cost_usd for part in parts]))


def yardsticks(
    known: Known, likeness: Likeness, test: Outcomes, paid: Floats, asked: Asked, *, baseline: int
) -> dict[str, Served]:
    """Name -> what it got on `test`; all of `NOTES` but the table whose lambda is frozen.

    Args:
        known: What they may learn from.
        likeness: Of its texts.
        test: The tasks, their labels and scores.
        paid: USD, (tasks, models).
        asked: The same tasks, as a forecaster reads them.
        baseline: Its column; serves labels that a table does not have.
    """
    labels = np.asarray(known.labels)
    table = {str(label): int(known.scores[labels == label].mean(0).argmax()) for label in np.unique(labels)}
    by_label = np.asarray([table.get(label, baseline) for label in test.labels], np.int64)
    neighbours = by_label.copy()
    if len(asked.at) and len(likeness.texts):
        nearest = np.argsort(-asked.near, axis=1, kind="stable")[:, :NEIGHBOURS]
        neighbours[asked.at] = known.scores[likeness.texts[nearest]].mean(1).argmax(1)
    single = {
        "cheapest": int(known.cost_usd.mean(0).argmin()),
        "best_single": int(known.scores.mean(0).argmax()),
        "always_baseline": baseline,
    }
    cheaper_first = 1e-9 * paid / max(float(paid.max()), 1e-12)  # between equal scores
    return {
        "random": Served(test.scores.mean(1), paid.mean(1)),
        **{name: served(test.scores, paid, np.full(len(test.tasks), model)) for name, model in single.items()},
        "skill_table": served(test.scores, paid, by_label),
        "knn": served(test.scores, paid, neighbours),
        "oracle": served(test.scores, paid, (test.scores - cheaper_first).argmax(1)),
    }
