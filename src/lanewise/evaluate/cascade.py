"""What a verified cascade saves, as a function of how often its check errs.

A cascade asks a cheap model, checks the answer, and asks the next model where the check rejects. Every try is paid.
The last model's answer is served unchecked: there is nobody left to ask. Outcomes are one run per (model, task); the
check is a coin with two known biases, so cost and quality are exact expectations and nothing is drawn but the
splits.

The chain is chosen on one half of the tasks and scored on the other, both ways round, so that no figure comes from
the tasks that it was chosen on. What stays optimistic: with one run per model, "some model of the chain solved it"
holds luck that another run would not repeat, and a perfect check is one that runs the hidden tests.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from lanewise.evaluate.outcome_table import OutcomeTable
from lanewise.journey import Value

Floats: TypeAlias = npt.NDArray[np.float64]

ROUNDING = 1e-9
"""Shares that differ by less are the same share added up in another order."""


MARGIN_TASKS = 1
"""Tasks that a chain must solve beyond the baseline on the half where it is chosen.

The best of a million chains is there partly by luck. Measured on the OpenHands outcomes, 20 splits: without a margin a
check of .90 / .20 ended 0.5 points below the baseline on the other half, with one task 0.1 above; the saving of a
perfect check fell from .821 to .816.
"""


class Check(Value, frozen=True, kw_only=True):
    """A check by its two rates."""

    name: str
    true_accept: float
    """Share of right answers that it accepts, 0..1."""
    false_accept: float
    """Share of wrong answers that it accepts, 0..1."""


class Chain(Value, frozen=True, kw_only=True):
    """Models in the order in which they are asked, with what that costs and achieves on some tasks."""

    models: tuple[str, ...]
    cost_usd: float
    """Per task, all tries included."""
    quality: float
    """Share of tasks whose served answer is right."""


class Spread(Value, frozen=True, kw_only=True):
    """One figure over the scored halves."""

    mean: float
    deviation: float
    """Standard deviation over the halves. They overlap, so it is no standard error of the mean."""
    worst: float


class Cell(Value, frozen=True, kw_only=True):
    """What one check makes of a pool."""

    check: Check
    saving: Spread
    """1 - cost / cost of the baseline alone."""
    quality_difference: Spread
    """Share of tasks solved less the baseline's, on the same tasks."""
    chains: tuple[tuple[tuple[str, ...], int], ...]
    """Chains with the number of halves on which they were chosen, most frequent first."""


def score(table: OutcomeTable, models: Sequence[str], check: Check) -> Chain:
    """Expected cost and quality of asking `models` in this order for every task of `table`."""
    reach = np.ones(len(table.tasks))
    cost = quality = 0.0
    for number, model in enumerate(models, start=1):
        at = table.models.index(model)
        solved = table.solved[:, at]
        cost += float((reach * table.cost_usd[:, at]).mean())
        accepted = 1.0 if number == len(models) else check.true_accept
        quality += float((reach * accepted * solved).mean())
        reach = reach * _rejected(solved, check)
    return Chain(models=tuple(models), cost_usd=cost, quality=quality)


def cheapest_chain(table: OutcomeTable, check: Check, *, floor: float, ceiling_usd: float, stages: int) -> Chain | None:
    """The cheapest chain of at most `stages` different models whose quality on `table` is at least `floor`.

    None where that costs `ceiling_usd` a task or more. Every order of every choice of models is weighed, less those
    that cost more than a chain already found: a longer chain never costs less than its beginning. Between equals the
    one first in the table's order of models wins.
    """
    tasks, models = table.solved.shape
    rejected = _rejected(table.solved, check)
    reach = np.ones((1, tasks))
    begun: list[tuple[int, ...]] = [()]
    cost, right = np.zeros(1), np.zeros(1)
    found: Chain | None = None
    below = ceiling_usd
    for stage in range(1, stages + 1):
        asked = cost[:, None] + reach @ table.cost_usd / tasks
        solved = reach @ table.solved / tasks
        quality = right[:, None] + solved
        fresh = np.array([[at not in prefix for at in range(models)] for prefix in begun])
        good = fresh & (quality >= floor - ROUNDING)
        if good.any():
            row, at = np.unravel_index(np.where(good, asked, np.inf).argmin(), asked.shape)
            if asked[row, at] < below - ROUNDING:
                chain = tuple(table.models[each] for each in (*begun[row], int(at)))
                below = float(asked[row, at])
                found = Chain(models=chain, cost_usd=below, quality=float(quality[row, at]))
        rows, ats = np.nonzero(fresh & (asked < below))
        begun = [(*begun[row], int(at)) for row, at in zip(rows, ats, strict=True)]
        if not begun or stage == stages:
            break
        cost, right = asked[rows, ats], right[rows] + check.true_accept * solved[rows, ats]
        reach = reach[rows] * rejected.T[ats]
    return found


def study(
    table: OutcomeTable, baseline: str, checks: Sequence[Check], *, splits: int, stages: int, seed: int
) -> tuple[Cell, ...]:
    """One cell per check: chains chosen on halves of `table`, scored on the other halves.

    Args:
        table: Outcomes; `baseline` is one of its models.
        baseline: Asked alone, it is what is saved against, and its quality plus `MARGIN_TASKS` is the floor;
            where no chain is cheaper at that floor it is kept.
        checks: The checks to try.
        splits: Random halvings; each is used both ways round.
        stages: Longest chain.
        seed: Of the halvings; the same for every check, so that cells can be compared.
    """
    halves = []
    rng = np.random.default_rng(seed)
    for _ in range(splits):
        order = rng.permutation(len(table.tasks))
        one, other = np.sort(order[: len(order) // 2]), np.sort(order[len(order) // 2 :])
        halves += [(one, other), (other, one)]
    return tuple(_cell(table, baseline, check, halves, stages) for check in checks)


def _cell(
    table: OutcomeTable, baseline: str, check: Check, halves: Sequence[tuple[npt.NDArray[Any], ...]], stages: int
) -> Cell:
    savings, differences, chains = [], [], Counter[tuple[str, ...]]()
    for fit, test in halves:
        alone = score(table.of_tasks(fit), (baseline,), check)
        floor = alone.quality + MARGIN_TASKS / len(fit)
        found = cheapest_chain(table.of_tasks(fit), check, floor=floor, ceiling_usd=alone.cost_usd, stages=stages)
        chosen = found or alone
        here, there = (score(table.of_tasks(test), models, check) for models in (chosen.models, (baseline,)))
        savings.append(1 - here.cost_usd / there.cost_usd)
        differences.append(here.quality - there.quality)
        chains[chosen.models] += 1
    return Cell(
        check=check,
        saving=_spread(savings),
        quality_difference=_spread(differences),
        chains=tuple(sorted(chains.items(), key=lambda pair: (-pair[1], pair[0]))),
    )


def _rejected(solved: Floats, check: Check) -> Floats:
    """Probability that an answer is rejected, by whether it is right (1) or wrong (0)."""
    return np.where(solved > 0, 1 - check.true_accept, 1 - check.false_accept)


def _spread(values: list[float]) -> Spread:
    return Spread(
        mean=float(np.mean(values)),
        deviation=float(np.std(values, ddof=1)),
        worst=min(values),
    )
