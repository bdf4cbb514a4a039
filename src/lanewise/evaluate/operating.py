"""The price of a dollar at which a router chooses, frozen on tasks that its forecasts had not seen.

`argmax P - lambda C`, and between two neighbouring lambdas a share of the tasks at each, told by the hash of the
task's id: the vertices of the linear programme that spends a budget best, and the mixtures between them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np

from lanewise.evaluate.forecast import Expected
from lanewise.evaluate.outcomes import Floats, Whole
from lanewise.evaluate.statistics import standard_error
from lanewise.select.shrink import Z_95

LAMBDAS: Final = np.concatenate(([0.0], np.geomspace(0.3, 30_000, 100)))
"""Success that a dollar must buy, per USD of a task; neighbours are 12 % apart."""

SHARES: Final = np.linspace(0, 1, 21)

IN_HAND: Final = 0.0175
"""Lower bound that the saving end keeps on the tasks it is frozen on. The bound of a test of 3,000 tasks is 0.45 points
wider than that of 7,000, and the draw of the tasks moves it by 0.8 (standard deviation): with 0.45 + 1.645 x 0.8 in
hand it should be above nothing 19 times of 20. In random splits of the probing rows it was so in 18 of 20."""

QUALITY_BUDGET: Final = 0.32
"""Of the baseline's cost: what the quality end may spend. From there on the score of the probing rows no longer rises
by what can be measured: a tenth of a point more costs half as much again."""


class Point(NamedTuple):
    """An operating point."""

    price: float
    """Lambda, per USD."""
    next_price: float
    """Lambda of the other tasks."""
    share: float
    """Of the tasks that are decided at `next_price`, 0..1."""


class Seen(NamedTuple):
    """Forecasts of tasks that they had not seen, beside what came of these tasks."""

    expected: Expected
    score: Floats
    """(tasks, models)"""
    cost_usd: Floats
    """(tasks, models)"""
    group: Whole
    """Number of each task's problem."""
    lots: Floats
    """(tasks,), see `lots_of`."""
    baseline: int
    """Column of the model that unlike tasks go to."""


def lots_of(tasks: Sequence[str]) -> Floats:
    """A number in 0..1 for each task id, always the same."""
    digests = b"".join(hashlib.blake2b(task.encode(), digest_size=4).digest() for task in tasks)
    return np.frombuffer(digests, ">u4") / 2**32


def choices(expected: Expected, point: Point, lots: Floats, *, baseline: int) -> Whole:
    """The model of each task, (tasks,): the baseline where the task is unlike what is known.

    Args:
        expected: Of the tasks.
        point: The operating point.
        lots: See `lots_of`.
        baseline: Its column.
    """
    price = np.where(lots < point.share, point.next_price, point.price)
    found: Whole = (expected.score - price[:, None] * expected.cost_usd).argmax(1)
    found[expected.unlike] = baseline
    return found


def saving_end(seen: Seen) -> Point:
    """The cheapest point whose lower bound of the quality difference is `IN_HAND` or more, or the best there is."""
    results = []
    for point in _points():
        score, cost = _result(seen, point)
        difference = score - seen.score[:, seen.baseline]
        results.append((float(difference.mean()) - Z_95 * standard_error(difference, seen.group), cost, point))
    needed = min(IN_HAND, max(bound for bound, _, _ in results))
    return min((result for result in results if result[0] >= needed), key=lambda result: result[1])[2]


def quality_end(seen: Seen) -> Point:
    """The point that spends most within `QUALITY_BUDGET`; the cheapest one where none does."""
    budget = QUALITY_BUDGET * float(seen.cost_usd[:, seen.baseline].mean())
    for point in _points():
        if _result(seen, point)[1] <= budget:
            return point
    return Point(float(LAMBDAS[-1]), float(LAMBDAS[-1]), 0.0)


def _points() -> list[Point]:
    """From the dearest to the cheapest."""
    pairs = zip(LAMBDAS[:-1].tolist(), LAMBDAS[1:].tolist(), strict=True)
    return [Point(low, high, share) for low, high in pairs for share in SHARES[:-1].tolist()]


def _result(seen: Seen, point: Point) -> tuple[Floats, float]:
    """Each task's score, and the mean cost."""
    chosen = choices(seen.expected, point, seen.lots, baseline=seen.baseline)
    every = np.arange(len(chosen))
    return seen.score[every, chosen], float(seen.cost_usd[every, chosen].mean())
