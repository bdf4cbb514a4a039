"""How many more calls a task will make, learnt from finished tasks of the same client.

Mean residual life by age: of tasks that got as far as this one, how many calls came after. Ages in powers of two, each
shrunk to the client's prior, old tasks forgotten. Numbers only; bounded.
"""

from __future__ import annotations

from collections import OrderedDict

from lanewise.journey import TurnKind, Value

AGES = (0, 1, 2, 4, 8, 16, 32, 64)
"""Calls made so far at which a task's remaining calls are noted; 0 is the task's start."""

PRIOR_CALLS: dict[str, float] = {
    "claude-code": 15.0,
    "codex": 15.0,
    "opencode": 12.0,
    "qwen-code": 12.0,
    "gemini-cli": 12.0,
    "aider": 1.5,
}
"""Calls per task before any was seen. Assumed, 2026-11-25, no public count by client being known to us: long enough
for a tool loop, well under the 40 turns of a whole worked session; a few dozen tasks replace it."""

OTHER_CALLS = 4.0
"""For clients that are not listed."""

PRIOR_WEIGHT = 10.0
"""Tasks that the prior counts as."""

DECAY = 0.99
"""Weight of a task against the one after it: about the last hundred count."""


class TurnBelief(Value, frozen=True, kw_only=True):
    """What finished tasks of one client and kind say; both tuples one entry per age of `AGES`."""

    weights: tuple[float, ...] = (0.0,) * len(AGES)
    """Tasks that got as far, decayed."""
    after: tuple[float, ...] = (0.0,) * len(AGES)
    """Calls that they made after it, decayed sum."""

    def finished(self, calls: int) -> TurnBelief:
        """After a task that made `calls` calls."""
        rows = [
            (weight * DECAY + 1, after * DECAY + calls - age) if calls > age else (weight, after)
            for age, weight, after in zip(AGES, self.weights, self.after, strict=True)
        ]
        return TurnBelief(weights=tuple(row[0] for row in rows), after=tuple(row[1] for row in rows))

    def remaining(self, made: int, prior_calls: float) -> float:
        """Calls still to come, the present one included, of a task that has made `made`; at least 1.

        The prior has no memory: a task that got this far has as many calls before it as at its start.
        """
        index = max(place for place, age in enumerate(AGES) if age <= max(0, made))
        weight = self.weights[index]
        mean = (self.after[index] + PRIOR_WEIGHT * prior_calls) / (weight + PRIOR_WEIGHT)
        return max(1.0, mean)


class Turns:
    """(client, kind of turn that opened the task) -> belief, least recently used out first."""

    def __init__(self, capacity: int = 1000) -> None:
        self._capacity = capacity
        self._beliefs: OrderedDict[tuple[str, TurnKind], TurnBelief] = OrderedDict()

    def __len__(self) -> int:
        return len(self._beliefs)

    def finished(self, client: str, kind: TurnKind, calls: int) -> None:
        """Note a task that is over."""
        key = (client, kind)
        belief = self._beliefs.pop(key, TurnBelief())
        self._beliefs[key] = belief.finished(calls)
        if len(self._beliefs) > self._capacity:
            self._beliefs.popitem(last=False)

    def remaining(self, client: str, kind: TurnKind, made: int) -> float:
        """Calls still to come of such a task that has made `made`, the present one included."""
        belief = self._beliefs.get((client, kind), TurnBelief())
        return belief.remaining(made, PRIOR_CALLS.get(client, OTHER_CALLS))
