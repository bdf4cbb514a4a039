"""What we know of each provider while we run: calls in flight, refusals, a circuit breaker. In memory, per process.

A breaker steers, it never refuses: calls go round an open endpoint while another can serve them; where none can,
the open one is tried all the same, once. So does a refusal for lack of room. Knows no HTTP; the clock is injected.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

from lanewise.journey import Candidate
from lanewise.upstream.hedge import Hedges

BreakerState = Literal["closed", "open", "half_open"]

REFUSED_S = 5.0
"""How long an endpoint counts as full after it refused a call and named no time: about one short answer."""

MAX_REFUSED_S = 60.0
"""Longest that it counts so, whatever time it named: a queue is another one after a minute."""


class Endpoint:
    """State of one provider."""

    __slots__ = ("_failures", "_full_until", "_open_s", "_opened_at", "_probing", "_sent", "_threshold", "last_sent_at")

    def __init__(self, *, threshold: int, open_s: float) -> None:
        self._sent: list[float] = []
        self._full_until: float | None = None
        self.last_sent_at: float | None = None
        self._threshold = threshold
        self._open_s = open_s
        self._failures = 0
        self._opened_at: float | None = None
        self._probing = False

    def state(self, now: float) -> BreakerState:
        """Closed, open, or half open (one probe may pass)."""
        if self._opened_at is None:
            return "closed"
        return "half_open" if now - self._opened_at >= self._open_s else "open"

    def admits(self, now: float) -> bool:
        """Whether a call should be sent; in the half-open state only while no probe is under way."""
        state = self.state(now)
        return state == "closed" or (state == "half_open" and not self._probing)

    @property
    def in_flight(self) -> int:
        """Calls of ours that are there now."""
        return len(self._sent)

    def ages_s(self, now: float) -> tuple[float, ...]:
        """How long each of them has been there, longest first."""
        return tuple(now - sent for sent in self._sent)

    def sent(self, now: float) -> None:
        """A call goes out; in the half-open state it is the probe."""
        self._sent.append(now)
        self.last_sent_at = now
        if self.state(now) == "half_open":
            self._probing = True

    def left(self, sent_at: float) -> None:
        """The call that went out at `sent_at` came back, in whatever way."""
        self._sent.remove(sent_at)

    def refused(self, now: float, retry_after_s: float | None) -> None:
        """It had no room for a call (429 or 503), and named the time until it may have, or none."""
        full_s = REFUSED_S if retry_after_s is None else min(retry_after_s, MAX_REFUSED_S)
        self._full_until = max(now + full_s, self._full_until or now)

    def refuses_for_s(self, now: float) -> float:
        """How long it still counts as full because of a refusal; 0 where it does not."""
        return 0.0 if self._full_until is None else max(0.0, self._full_until - now)

    def answered(self) -> None:
        """A good head came: close the breaker. Earlier failures count on, since the answer may still be cut."""
        self._opened_at = None
        self._probing = False

    def succeeded(self) -> None:
        """An answer came to its end: what failed before is forgotten."""
        self._failures = 0

    def failed(self, now: float) -> None:
        """The endpoint failed: count it, open the breaker at the threshold, or again after a failed probe."""
        self._failures += 1
        if self._probing or self._failures >= self._threshold:
            self._opened_at = now
        self._probing = False

    def abandoned(self) -> None:
        """The client left before the endpoint could show anything: a probe gives its turn back."""
        self._probing = False


class Health:
    """The endpoints by provider name, made on first use; survives a reload of the config."""

    def __init__(self, *, threshold: int, open_s: float, monotonic: Callable[[], float]) -> None:
        self._threshold = threshold
        self._open_s = open_s
        self._monotonic = monotonic
        self._endpoints: dict[str, Endpoint] = {}
        self.hedges = Hedges()

    def of(self, provider: str) -> Endpoint:
        """The endpoint of `provider`."""
        found = self._endpoints.get(provider)
        if found is None:
            found = self._endpoints[provider] = Endpoint(threshold=self._threshold, open_s=self._open_s)
        return found

    def admitted(self, plan: Sequence[Candidate]) -> tuple[Candidate, ...]:
        """`plan` without the endpoints whose breaker is open; its first alone if all are."""
        now = self._monotonic()
        return tuple(c for c in plan if self.of(c.provider).admits(now)) or tuple(plan[:1])

    def states(self) -> dict[str, BreakerState]:
        """Breaker state by provider, for metrics and the status page."""
        now = self._monotonic()
        return {name: endpoint.state(now) for name, endpoint in self._endpoints.items()}

    def in_flight(self) -> dict[str, int]:
        """Calls in flight by provider: the first signal of a queue."""
        return {name: endpoint.in_flight for name, endpoint in self._endpoints.items()}

    def refusing(self) -> frozenset[str]:
        """Providers that lately had no room for a call."""
        now = self._monotonic()
        return frozenset(name for name, endpoint in self._endpoints.items() if endpoint.refuses_for_s(now) > 0)
