"""How good a model probably is where little has been seen of it: shrinkage from wide evidence to narrow, and a bound.

Beta-binomial means in a chain (model, then model and skill, then model, skill and band), each level standing on the
one above it. Numbers only: it knows neither models nor skills, and remembers nothing. The live beliefs and the bench
of routing share it, so that what is proved is what serves.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, TypeVar

import numpy as np
import numpy.typing as npt

from lanewise.journey import Value

Number = TypeVar("Number", float, npt.NDArray[np.float64])

STRENGTH: Final = 20.0
"""Tasks that the level above counts for: `(s + 20 p) / (n + 20)`, as in IRT-Router and UCCI (arXiv 2605.18796)."""

_ALMOST_NOTHING: Final = 1e-9

Z_95: Final = 1.6449
"""Standard normal quantile of a one-sided 95 % bound."""


class Tally(Value, frozen=True, kw_only=True):
    """What has been seen at one level."""

    successes: float
    """Sum of scores in 0..1; the number of successes where a task succeeds or fails."""
    tasks: float
    """How many tasks that was; less than the count where old ones have faded."""


class Estimate(Value, frozen=True, kw_only=True):
    """What is believed of a success rate."""

    mean: float
    """0..1"""
    weight: float
    """As many tasks as would have to be seen to know it this well without any other level."""


IGNORANCE: Final = Estimate(mean=0.5, weight=2.0)
"""The uniform prior Beta(1, 1): what is believed of a model that nobody has measured."""


def shrunk(seen: Tally, above: Estimate, *, strength: float = STRENGTH) -> Estimate:
    """What `seen` says, drawn toward `above` as far as little was seen.

    The mean is that of the beta posterior with prior `Beta(k p, k (1 - p))`: `(s + k p) / (n + k)`. The variance has
    two parts (law of total variance): `1 / (n + k)` of what the level does not tell, and the prior's own `1 / W`, of
    which the share `k / (n + k)` comes through; their sum is the inverse of the weight. An infinitely well known
    prior gives `n + k`, and one about which nothing is known gives little, however large `k` is.

    Args:
        seen: Scores at this level.
        above: What is believed at the wider level.
        strength: `k`, the tasks that the wider level counts for; above 0.
    """
    total = seen.tasks + strength
    carried = strength / total
    mean = (seen.successes + strength * above.mean) / total
    return Estimate(mean=min(1.0, max(0.0, mean)), weight=1.0 / (1.0 / total + carried * carried / above.weight))


def along(
    levels: Iterable[Tally], *, start: Estimate = IGNORANCE, strength: float = STRENGTH, start_strength: float = 2.0
) -> Estimate:
    """The estimate at the narrowest of `levels`, widest first, each shrunk to the one before it.

    A wide level may hold the narrow one's tasks as well: these then count a little twice, which moves the mean of a
    level with `n` tasks by less than `k / (n + k)` times its share in the wider one.

    Args:
        levels: From wide to narrow; an empty level passes on what stands above it, less sure by `strength`.
        start: What is believed before the first level.
        strength: See `shrunk`; between the levels.
        start_strength: What `start` counts for at the first level: little, since it is seldom more than a guess.
    """
    found, k = start, start_strength
    for seen in levels:
        found, k = shrunk(seen, found, strength=k), strength
    return found


def bound(mean: Number, weight: Number, *, z: float = Z_95) -> Number:
    """The one-sided lower bound of success rates: Wilson's (1927), with the weight as number of tasks; 0 without any.

    Within 0.02 of the quantile of Jeffreys' beta posterior from 10 tasks on, at a fraction of its cost. Scores between
    0 and 1 vary less than successes and failures of the same mean do, so that for them it errs on the low side.

    Args:
        mean: Success rates, 0..1; a number or an array.
        weight: Tasks behind each.
        z: Standard normal quantile of the confidence.
    """
    n = np.maximum(weight, _ALMOST_NOTHING)
    square = z * z / n
    spread = z * np.sqrt(mean * (1 - mean) / n + square / (4 * n))
    least: Number = np.maximum(0.0, (mean + square / 2 - spread) / (1 + square)) * (weight > 0)
    return least


def lower_bound(estimate: Estimate, *, z: float = Z_95) -> float:
    """`bound` of one estimate."""
    return float(bound(estimate.mean, estimate.weight, z=z))
