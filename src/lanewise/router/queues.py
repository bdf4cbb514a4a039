"""The queues of local engines as the router sees them: what `upstream` counts and reads, as values of `route`.

Keeps one thing: since when waiting callers are sent past which engines, so that the next look can hold on to it
(hysteresis).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from lanewise.route import QueueState
from lanewise.upstream import Health, Observed, Provider, QueueWatch


class LocalQueues:
    """What is known of each local engine's queue, from one process's point of view."""

    def __init__(self, *, health: Health, watch: QueueWatch, monotonic: Callable[[], float]) -> None:
        self._health = health
        self._watch = watch
        self._now = monotonic
        self._spilled_at: dict[str, float] = {}

    def states(self, providers: Iterable[Provider]) -> dict[str, QueueState]:
        """The queue of each local one of `providers`, by name, for a decision that is about to be made."""
        observed = self._watch.observed()
        return {row.name: self._state(row, observed.get(row.name)) for row in providers if row.lane == "local"}

    def looked(self, spilled: Mapping[str, bool]) -> None:
        """Keep what a decision for a waiting caller found of the engines that it looked at (`route.now_spilled`)."""
        for name, past in spilled.items():
            if past:
                self._spilled_at.setdefault(name, self._now())
            else:
                self._spilled_at.pop(name, None)

    def _state(self, provider: Provider, seen: Observed | None) -> QueueState:
        now = self._now()
        endpoint = self._health.of(provider.name)
        reading = seen.reading if seen else None
        spilled_at = self._spilled_at.get(provider.name)
        return QueueState(
            ages_s=endpoint.ages_s(now),
            others=seen.others if seen else None,
            slots=provider.slots or (reading.slots if reading else None),
            running=reading.running if reading else None,
            waiting=reading.waiting if reading else None,
            kv_used_share=reading.kv_used_share if reading else None,
            loaded=reading.loaded if reading else None,
            refuses_for_s=endpoint.refuses_for_s(now),
            spilled_for_s=None if spilled_at is None else now - spilled_at,
        )
