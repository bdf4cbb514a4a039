"""The states of the moment that lanes depend on: queues and money. Unknown is None, never zero."""

from __future__ import annotations

from lanewise.journey import Value


class LaneQueue(Value, frozen=True, kw_only=True):
    """The queue of one lane as far as it is known."""

    in_flight: int = 0
    """Our own calls under way there."""
    slots: int | None = None
    """Calls it serves at once."""
    waiting: int | None = None
    """Calls that its engines say they have queued, ours and others'."""

    @property
    def full(self) -> bool:
        """A further call would wait behind others, by what is known."""
        return (self.slots is not None and self.in_flight >= self.slots) or bool(self.waiting)


class Queues(Value, frozen=True, kw_only=True):
    """The queues of the lanes that have any: only an engine of one's own can be full of one's own calls."""

    local: LaneQueue = LaneQueue()


class Spend(Value, frozen=True, kw_only=True):
    """What a key has spent since midnight UTC, and what it may."""

    spent_pusd: int = 0
    """Includes what is reserved for calls under way."""
    budget_pusd: int | None = None
    """Per day; None is no limit."""

    @property
    def used_up(self) -> bool:
        """Nothing is left of the budget."""
        return self.budget_pusd is not None and self.spent_pusd >= self.budget_pusd
