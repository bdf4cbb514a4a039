"""Paired lower bounds, and the area that a router gains over mixing models at random. Numbers in, numbers out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from lanewise.evaluate.outcomes import Floats, Whole

DRAWS: Final = 4000
CONFIDENCE: Final = 0.95
_BLOCK: Final = 200
"""Draws at a time: 200 x 5,000 clusters are 8 MB."""


def lower_bound(differences: Floats, clusters: Sequence[str], *, seed: int) -> float:
    """One-sided 95 % lower bound of the mean paired difference: bootstrap over whole clusters (Efron's percentile).

    Args:
        differences: Router minus baseline, one a task.
        clusters: What each task belongs to; tasks of one cluster are drawn together.
        seed: Of the draws.
    """
    _, group = np.unique(np.asarray(clusters), return_inverse=True)
    sums, sizes = np.bincount(group, differences), np.bincount(group).astype(np.float64)
    rng = np.random.default_rng(seed)
    means = []
    for _ in range(0, DRAWS, _BLOCK):
        drawn = rng.integers(0, len(sums), (_BLOCK, len(sums)))
        means.append(sums[drawn].sum(1) / sizes[drawn].sum(1))
    return float(np.quantile(np.concatenate(means), 1 - CONFIDENCE))


def standard_error(differences: Floats, group: Whole) -> float:
    """Of the mean, whole clusters taken as the units (the linearised ratio estimator).

    Args:
        differences: One a task.
        group: Number of each task's cluster.
    """
    count = len(differences)
    sums = np.bincount(group, differences - differences.mean())
    return float(np.sqrt((sums**2).sum()) / count)


def hull(costs: Floats, scores: Floats) -> tuple[Floats, Floats]:
    """The points that no mixture of the others beats, cheapest first: the concave, rising upper hull.

    Args:
        costs: Mean cost of each policy.
        scores: Mean score of each.
    """
    found: list[tuple[float, float]] = []
    for cost, score in sorted(zip(costs.tolist(), scores.tolist(), strict=True), key=lambda one: (one[0], -one[1])):
        if found and score <= found[-1][1]:
            continue
        while len(found) > 1 and _under(found[-1], found[-2], (cost, score)):
            found.pop()
        found.append((cost, score))
    corners = np.asarray(found)
    return corners[:, 0], corners[:, 1]


def area_over(router: tuple[Floats, Floats], static: tuple[Floats, Floats]) -> float:
    """Mean height of the router's hull over that of the static mixture, between the static one's ends.

    Costs are taken evenly; 0 is what mixing models at random gains. A router whose cheapest policy is dearer than
    the cheapest model counts as that model below its own.

    Args:
        router: Costs and scores of the router's policies.
        static: Costs and scores of the models alone.
    """
    low_costs, low_scores = hull(*static)
    every = hull(np.concatenate((router[0], static[0])), np.concatenate((router[1], static[1])))
    if low_costs[-1] <= low_costs[0]:
        return 0.0
    at = np.linspace(low_costs[0], low_costs[-1], 2001)
    return float((np.interp(at, *every) - np.interp(at, low_costs, low_scores)).mean())


def _under(point: tuple[float, float], start: tuple[float, float], end: tuple[float, float]) -> bool:
    """Whether `point` lies on or under the line from `start` to `end`."""
    return (point[1] - start[1]) * (end[0] - start[0]) <= (end[1] - start[1]) * (point[0] - start[0])
