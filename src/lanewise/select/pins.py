"""Which model serves a task. Continuations ride it: a change in the middle of a tool loop costs the cache and more.

In memory and bounded; a forgotten pin means one decision more, never an error.
"""

from __future__ import annotations

from collections import OrderedDict

from lanewise.journey import Candidate


class Pins:
    """Task id -> the candidate that serves it, least recently used out first."""

    def __init__(self, capacity: int = 50_000) -> None:
        self._capacity = capacity
        self._pins: OrderedDict[str, Candidate] = OrderedDict()

    def of(self, task_id: str) -> Candidate | None:
        """The pin of a task."""
        found = self._pins.get(task_id)
        if found is not None:
            self._pins.move_to_end(task_id)
        return found

    def put(self, task_id: str, candidate: Candidate) -> None:
        """The task is served by `candidate` from now on."""
        self._pins[task_id] = candidate
        self._pins.move_to_end(task_id)
        if len(self._pins) > self._capacity:
            self._pins.popitem(last=False)
