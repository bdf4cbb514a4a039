"""Reaching an answer: tries, pauses, failover. All of it before the first byte; none after.

An error status is the provider's word: the last one that came is handed on unchanged, never replaced by ours.
Knows no dialect beyond the headers that carry a credential.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import email.utils
import functools
import random
import re
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import msgspec

from lanewise.config import UpstreamSettings
from lanewise.errors import UpstreamError, UpstreamStatus
from lanewise.journey import Attempt, Candidate, Request
from lanewise.upstream.health import Endpoint, Health
from lanewise.upstream.hedge import LOST, Try, race, second_of
from lanewise.upstream.providers import Provider, can_authorise, credential_of, upstream_headers, upstream_target
from lanewise.upstream.transport import Answer, Sending, Transport
from lanewise.wire import Outgoing, outgoing

RETRIED = frozenset({408, 429, 500, 502, 503, 504, 529})
"""Statuses that a later try, here or elsewhere, may turn into an answer. 529 is Anthropic's `overloaded`."""

FAULTS = frozenset({500, 502, 503, 504, 529})
"""Statuses that count towards the breaker; 429 is a healthy endpoint saying no."""

NO_ROOM = frozenset({429, 503})
"""Statuses by which an endpoint says that it takes no further call now."""

MAX_BACKOFF_S = 8.0

_NUMBER = re.compile(r"[0-9]+(?:\.[0-9]+)?")


class Left(NamedTuple):
    """What remains if this try fails."""

    here: bool
    """Another try at the same endpoint."""
    elsewhere: bool
    """Another candidate."""


class _Tried(NamedTuple):
    """What came of one try."""

    reached: Reached | None = None
    final: bool = False
    """The answer is the one to pass on; otherwise it is only held in case that nothing better comes."""
    pause_s: float | None = None
    """Before the next try here; None to go on elsewhere."""


class Reached:
    """An answer whose head has come, and how it was reached. Whoever has it closes it."""

    def __init__(
        self, answer: Answer, candidate: Candidate, sent: Outgoing, endpoint: Endpoint, *, number: int, sent_at: float
    ) -> None:
        self.answer = answer
        self.candidate = candidate
        self.sent = sent
        self.number = number
        """Of its attempt in the trail."""
        self._endpoint = endpoint
        self._sent_at = sent_at

    def broke(self, now: float) -> None:
        """The answer was cut after its head: the breaker hears of it."""
        self._endpoint.failed(now)

    def ended(self) -> None:
        """The answer came to its end: only now the endpoint is known to be well."""
        if self.answer.status not in FAULTS:
            self._endpoint.succeeded()

    def close(self) -> None:
        """Be done with the answer, read to its end or not."""
        self.answer.close()
        self._endpoint.left(self._sent_at)


class Trail:
    """The attempts of one call, kept outside so that they survive a failure or a cancellation.

    Two may be under way at once (`hedge`), so each is named by its number.
    """

    def __init__(self, *, utcnow: Callable[[], dt.datetime], monotonic: Callable[[], float]) -> None:
        self._utcnow = utcnow
        self._monotonic = monotonic
        self._attempts: list[Attempt] = []
        self._started: list[float] = []
        self.failure: UpstreamError | None = None
        """The last failure that left no answer to relay."""
        self.first_sent_at: float | None = None
        """Monotonic time of the first hand-over to the transport: where our own overhead ends."""

    def begin(self, candidate: Candidate, *, hedge: bool = False) -> int:
        """An attempt starts now; its number."""
        now = self._monotonic()
        if self.first_sent_at is None:
            self.first_sent_at = now
        self._started.append(now)
        number = len(self._started)
        self._attempts.append(Attempt(number=number, candidate=candidate, started_at=self._utcnow(), hedge=hedge))
        return number

    def head(self, number: int, answer: Answer) -> None:
        """Its response head has come."""
        request_id = next((v for k, v in answer.headers if k in {"request-id", "x-request-id"}), "")
        first_byte_us = int(self.elapsed_s(number) * 1e6)
        self._change(number, status=answer.status, first_byte_us=first_byte_us, upstream_request_id=request_id)

    def failed(self, number: int, error: UpstreamError) -> None:
        """It came to nothing."""
        self.failure = error
        self.end(number, error=error.code)

    def end(self, number: int, error: str = "") -> None:
        """It is over; the first error that was set stays."""
        duration_us = int(self.elapsed_s(number) * 1e6)
        self._change(number, duration_us=duration_us, error=self._attempts[number - 1].error or error)

    def lost(self, number: int) -> None:
        """Another one overtook it."""
        if not self._attempts[number - 1].error:
            self.end(number, error=LOST)

    def price(self, number: int, cost_pusd: int) -> None:
        """What it cost although the client got another's answer."""
        self._change(number, cost_pusd=cost_pusd)

    def refused(self, number: int, check: str, cost_pusd: int | None) -> None:
        """A check refused its answer; what that cost, None where the client gets it all the same or nobody knows."""
        self._change(number, refused_by=check, cost_pusd=cost_pusd)

    def elapsed_s(self, number: int) -> float:
        """Since it started."""
        return self._monotonic() - self._started[number - 1]

    def _change(self, number: int, **changes: object) -> None:
        self._attempts[number - 1] = msgspec.structs.replace(self._attempts[number - 1], **changes)

    @property
    def attempts(self) -> tuple[Attempt, ...]:
        """All attempts so far."""
        return tuple(self._attempts)


class Dispatcher:
    """Sends a call along its plan until something answers."""

    def __init__(
        self,
        *,
        providers: Mapping[str, Provider],
        settings: UpstreamSettings,
        transport: Transport,
        health: Health,
        env: Mapping[str, str],
        monotonic: Callable[[], float],
        utcnow: Callable[[], dt.datetime],
        rng: random.Random,
    ) -> None:
        self._providers = providers
        self._settings = settings
        self._transport = transport
        self._health = health
        self._env = env
        self._monotonic = monotonic
        self._utcnow = utcnow
        self._rng = rng

    def trail(self) -> Trail:
        """A fresh record of attempts for one call."""
        return Trail(utcnow=self._utcnow, monotonic=self._monotonic)

    async def reach(
        self, request: Request, plan: Sequence[Candidate], *, addressed: str, trail: Trail, hedge: bool = False
    ) -> Reached:
        """Open the first answer that the plan yields.

        Args:
            request: The client's call.
            plan: Candidates in order; not empty.
            addressed: Name of the provider that the client itself addressed: the only one its credential may reach.
            trail: Filled with every attempt.
            hedge: The call may be sent twice where its first try is slow to begin, see `hedge`.

        Raises:
            NoCredential: No candidate may be sent a credential it accepts.
            UpstreamError: Nothing answered; the last candidate's failure.
        """
        candidates = self._authorised(request, self._health.admitted(plan), addressed)
        tries = 1 + self._settings.retries
        held: Reached | None = None
        try:
            for candidate in candidates:
                sending, sent = self._sending(request, candidate, addressed)
                for number in range(1, tries + 1):
                    left = Left(here=number < tries, elsewhere=candidate is not candidates[-1])
                    trying = functools.partial(self._try, sending, sent, candidate, number, left, trail)
                    if hedge and not trail.attempts:
                        second = self._second(request, candidate, candidates, addressed, trail)
                        tried = await self._race(trying, second, candidate, trail, stream=request.stream)
                    else:
                        tried = await trying()
                    held = _newest(held, tried.reached)
                    if tried.final and held is not None:
                        return held
                    if tried.pause_s is None:
                        break
                    await asyncio.sleep(tried.pause_s)
        except BaseException:
            if held is not None:
                held.close()
            raise
        if held is None:
            raise trail.failure or UpstreamError("no candidate could be asked")
        return held

    def _second(
        self, request: Request, first: Candidate, plan: Sequence[Candidate], addressed: str, trail: Trail
    ) -> Try[_Tried] | None:
        """The request that may go out beside the one to `first`; None where the plan names nobody else."""
        candidate = second_of(first, plan)
        if candidate is None:
            return None
        sending, sent = self._sending(request, candidate, addressed)
        left = Left(here=False, elsewhere=True)
        return functools.partial(self._try, sending, sent, candidate, 1, left, trail, hedge=True)

    async def _race(
        self, first: Try[_Tried], second: Try[_Tried] | None, candidate: Candidate, trail: Trail, *, stream: bool
    ) -> _Tried:
        """The first try of a hedgeable call, with a second beside it where it is slower to begin than 95 % were."""
        hedges = self._health.hedges
        hedges.began()
        patience_s = hedges.patience_s(candidate, stream=stream)
        if second is None or patience_s is None:
            tried = await first()
        else:
            tried = await race(
                first,
                second,
                patience_s=patience_s,
                may=hedges.take,
                good=_good,
                lost=lambda index: trail.lost(index + 1),
                discard=_discard,
            )
        for attempt in trail.attempts:
            if attempt.error == LOST:
                hedges.seen(attempt.candidate, max(trail.elapsed_s(attempt.number), patience_s or 0.0), stream=stream)
            elif attempt.first_byte_us is not None and not attempt.error:
                hedges.seen(attempt.candidate, attempt.first_byte_us / 1e6, stream=stream)
        return tried

    def _authorised(self, request: Request, plan: Sequence[Candidate], addressed: str) -> Sequence[Candidate]:
        """Those of `plan` that a credential may be sent to; all if there is none, so that the first one says so."""
        credential = credential_of(request.headers, request.target)
        may = [
            candidate
            for candidate in plan
            if can_authorise(
                self._providers[candidate.provider],
                self._env,
                credential,
                addressed=candidate.provider == addressed,
            )
        ]
        return may or plan

    async def _try(
        self,
        sending: Sending,
        sent: Outgoing,
        candidate: Candidate,
        number: int,
        left: Left,
        trail: Trail,
        *,
        hedge: bool = False,
    ) -> _Tried:
        """One attempt."""
        endpoint = self._health.of(candidate.provider)
        sent_at = self._monotonic()
        endpoint.sent(sent_at)
        attempt = trail.begin(candidate, hedge=hedge)
        try:
            answer = await self._transport.send(sending)
        except UpstreamError as error:
            endpoint.left(sent_at)
            endpoint.failed(self._monotonic())
            trail.failed(attempt, error)
            again = left.here and error.retryable
            return _Tried(pause_s=self._backoff_s(number) if again else None)
        except BaseException:
            endpoint.left(sent_at)
            endpoint.abandoned()
            trail.end(attempt, error="client_left")
            raise
        trail.head(attempt, answer)
        if answer.status in NO_ROOM:
            endpoint.refused(self._monotonic(), retry_after_s(answer.headers, self._utcnow()))
        if answer.status in FAULTS:
            endpoint.failed(self._monotonic())
        else:
            endpoint.answered()
        pause_s = self._pause_s(answer, number) if left.here else None
        goes_on = answer.status in RETRIED and (pause_s is not None or left.elsewhere)
        if goes_on:
            trail.end(attempt, error=UpstreamStatus.code)
        reached = Reached(answer, candidate, sent, endpoint, number=attempt, sent_at=sent_at)
        return _Tried(reached, final=not goes_on, pause_s=pause_s)

    def _sending(self, request: Request, candidate: Candidate, addressed: str) -> tuple[Sending, Outgoing]:
        provider = self._providers[candidate.provider]
        sent = outgoing(
            request,
            candidate.upstream_model,
            ask_usage=provider.ask_stream_usage,
            flex=candidate.service == "flex",
        )
        headers = upstream_headers(
            request.headers,
            provider,
            request.dialect,
            self._env,
            credential=credential_of(request.headers, request.target),
            addressed=candidate.provider == addressed,
            rewritten=sent.rewritten,
        )
        sending = Sending(
            method=request.method,
            url=provider.url(upstream_target(sent.target, provider, self._env)),
            headers=headers,
            body=sent.body,
            first_byte_s=provider.first_byte_s,
        )
        return sending, sent

    def _pause_s(self, answer: Answer, number: int) -> float | None:
        """How long to wait before the next try here; None if the provider asks for longer than we wait."""
        asked = retry_after_s(answer.headers, self._utcnow())
        if asked is None:
            return self._backoff_s(number)
        return asked if asked <= self._settings.max_retry_after_s else None

    def _backoff_s(self, number: int) -> float:
        """Doubling pause with full jitter, so that clients of one outage do not return together."""
        ceiling: float = min(MAX_BACKOFF_S, self._settings.backoff_s * 2 ** (number - 1))
        return self._rng.uniform(ceiling / 2, ceiling)


def _newest(held: Reached | None, come: Reached | None) -> Reached | None:
    """The answer to hold on to; the one before it is closed."""
    if come is None or held is None:
        return come or held
    held.close()
    return come


def _good(tried: _Tried) -> bool:
    """An answer that the client may have."""
    return tried.final and tried.reached is not None and tried.reached.answer.status < 400


def _discard(tried: _Tried) -> None:
    """Nobody will read its answer: its connection is closed."""
    if tried.reached is not None:
        tried.reached.close()


def retry_after_s(headers: Sequence[tuple[str, str]], now: dt.datetime) -> float | None:
    """Seconds asked for by `retry-after-ms` or `retry-after` (seconds or HTTP date); None if neither can be read."""
    for name, value in headers:
        if name == "retry-after-ms" and _NUMBER.fullmatch(value):
            return float(value) / 1000
    for name, value in headers:
        if name != "retry-after":
            continue
        if _NUMBER.fullmatch(value):
            return float(value)
        try:
            return max(0.0, (email.utils.parsedate_to_datetime(value) - now).total_seconds())
        except (ValueError, TypeError):
            return None
    return None
