"""Which model serves a task. Continuations ride it: a change in the middle of a tool loop costs the cache and more.

In memory and bounded; a forgotten pin means one decision more, never an error.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Literal

from lanewise.journey import Candidate, Value


class Pin(Value, frozen=True, kw_only=True):
    """Who serves a task, and whether it was moved up."""

    candidate: Candidate
    escalation: Literal["", "moved", "held_out"] = ""
    """`moved`: a failure took it up one step, once. `held_out`: it should have been, and stayed to be compared."""


class Pins:
    """Task id -> its pin, least recently used out first."""

    def __init__(self, capacity: int = 50_000) -> None:
        self._capacity = capacity
        self._pins: OrderedDict[str, Pin] = OrderedDict()

    def of(self, task_id: str) -> Pin | None:
        """The pin of a task."""
        found = self._pins.get(task_id)
        if found is not None:
            self._pins.move_to_end(task_id)
        return found

    def put(self, task_id: str, pin: Pin) -> None:
        """The task is served so from now on."""
        self._pins[task_id] = pin
        self._pins.move_to_end(task_id)
        if len(self._pins) > self._capacity:
            self._pins.popitem(last=False)
