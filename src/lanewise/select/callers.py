"""Whose tasks keep needing the frontier: such callers start there for a while, and then are tried again.

A task needed the frontier if a cheap model began it and it had to be moved up, or showed failures to its end. Counts by
caller and skill fade by the hour, so that nobody is barred for ever. Bounded, in memory, the time is given.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Final, NamedTuple

from lanewise.journey import Skill

HALF_LIFE_S: Final = 86_400.0
"""After a day a task counts half: people change repositories and habits faster than models change."""

DOUBT: Final = 2.0
"""Tasks that went well, added to each caller's count: two failures in a row are not yet a habit."""

BARRED_ABOVE: Final = 0.5
"""Share of cheap tasks that needed the frontier above which a caller starts there: three of three, not two of two."""

CAPACITY: Final = 20_000


class _Count(NamedTuple):
    needed: float
    tasks: float
    at_s: float


class Callers:
    """(caller, skill) -> how often cheap was not enough; whose last task is the longest ago goes first."""

    def __init__(self, capacity: int = CAPACITY) -> None:
        self._capacity = capacity
        self._counts: OrderedDict[tuple[str, Skill], _Count] = OrderedDict()

    def task_ended(self, caller: str, skill: Skill, *, needed: bool, at_s: float) -> None:
        """A task that a cheap model began is over."""
        before = self._faded((caller, skill), at_s)
        self._counts.pop((caller, skill), None)
        self._counts[caller, skill] = _Count(before.needed + needed, before.tasks + 1, before.at_s)
        if len(self._counts) > self._capacity:
            self._counts.popitem(last=False)

    def need(self, caller: str, skill: Skill, at_s: float) -> float:
        """Share of the caller's cheap tasks of this skill that needed the frontier, 0..1, doubt included."""
        count = self._faded((caller, skill), at_s)
        return count.needed / (count.tasks + DOUBT)

    def _faded(self, key: tuple[str, Skill], at_s: float) -> _Count:
        count = self._counts.get(key, _Count(0.0, 0.0, at_s))
        share = 0.5 ** (max(0.0, at_s - count.at_s) / HALF_LIFE_S)
        return _Count(count.needed * share, count.tasks * share, max(at_s, count.at_s))
