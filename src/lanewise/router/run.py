"""One call under way: reach an answer, pass it on, and say what came of it however it ends. No HTTP, no SQL."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence

import msgspec

from lanewise.errors import LanewiseError, UpstreamStatus
from lanewise.journey import Caller, CallRecord, Candidate, Cost, Outcome, Request, Usage
from lanewise.money import cost
from lanewise.router.bugs import tell
from lanewise.router.cascade import Cascade
from lanewise.router.decide import Decided
from lanewise.router.world import World
from lanewise.select import WarmPrefixes, served_elsewhere
from lanewise.upstream import LOST, Dispatcher, Held, Reached, Relay, Sink, hedgeable
from lanewise.wire import refusal

CLIENT_LEFT = 499
"""nginx's status for a client that closed the connection first; never sent, only recorded."""

BYTES_PER_TOKEN = 3.7
"""Where an answer reports no usage: characters per o200k token over code and prose (BATCH.md section 8)."""


class Run:
    """One call under way; its fields become the outcome however it ends."""

    def __init__(
        self,
        *,
        world: World,
        dispatcher: Dispatcher,
        request: Request,
        caller: Caller,
        decided: Decided,
        call_id: str,
        received_at: float,
        started_at: dt.datetime,
        monotonic: Callable[[], float],
        prefixes: WarmPrefixes,
    ) -> None:
        self._world = world
        self._request = request
        self._caller = caller
        self._reading = decided.reading
        self._decision = decided.decision
        self._situation = decided.situation
        self._call_id = call_id
        self._received_at = received_at
        self._started_at = started_at
        self._now = monotonic
        self._prefixes = prefixes
        self._warm_tokens: int | None = None
        self._costs: dict[Candidate, Cost | None] = {}
        self._dispatcher = dispatcher
        self._trail = dispatcher.trail()
        self._relay = Relay(dialect=request.dialect, call_id=call_id, monotonic=self._now)
        self._cascade = Cascade(request, self._reading, self._decision, enabled=world.settings.routing.verify)
        self._error = ""
        self._status = 0
        self.served: Candidate | None = None

    async def serve(self, sink: Sink) -> None:
        """Reach an answer and relay it; our own errors end in the client's dialect."""
        try:
            held = await self._attempt(self._decision.plan, sink)
            if held is not None:
                await self._step_up(held, sink)
        except LanewiseError as error:
            self._error = error.code
            if not self._relay.started:
                self._status = error.status
                await self._refuse(error, sink)

    async def _attempt(self, plan: Sequence[Candidate], sink: Sink, *, last: bool = False) -> Held | None:
        """Reach an answer along `plan` and pass it on; one that a check refused comes back.

        Args:
            plan: Whom to ask, in order.
            sink: The client's.
            last: Nothing is checked, and an error status is no answer: something else is held.
        """
        reached = await self._dispatcher.reach(
            self._request,
            plan,
            addressed=self._decision.baseline.provider,
            trail=self._trail,
            hedge=self._may_hedge(),
        )
        try:
            if last and reached.answer.status >= 400:
                raise UpstreamStatus(f"{reached.candidate.model!r} answered with status {reached.answer.status}")
            self.served = reached.candidate
            self._price_lost()
            held = await self._pass_on(reached, sink, check=not last)
            reached.ended()
        finally:
            reached.close()
            self._trail.end(reached.number)
        if held is not None:
            paid = self._cost_at(reached.candidate, held.usage)
            self._trail.refused(reached.number, held.refused_by, paid.total_pusd if paid else None)
        return held

    async def _step_up(self, held: Held, sink: Sink) -> None:
        """Ask the frontier after a refusal; where that fails, an answer that a check refused is better than none."""
        cheap, number = self.served, len(self._trail.attempts)
        self.served = None  # a client that leaves now was served by nobody
        try:
            await self._attempt(self._cascade.above, sink, last=True)
        except LanewiseError:
            if self._relay.started:
                raise
            self.served = cheap
            self._trail.refused(number, held.refused_by, None)
            await self._relay.deliver(held, sink, self._whole_headers)

    def _may_hedge(self) -> bool:
        """The config allows a second request beside a slow one, and the call is of the kind that is safe."""
        reading = self._reading
        return self._world.settings.upstream.hedge_housekeeping and hedgeable(
            self._request, reading.turn, reading.features
        )

    def _price_lost(self) -> None:
        """An overtaken request is billed too, so far as its prompt: providers charge what they read."""
        for attempt in self._trail.attempts:
            entry = self._world.catalog.entry_of(attempt.candidate) if attempt.error == LOST else None
            if entry is None or entry.price is None:
                continue
            prompt = Usage(input_tokens=self._reading.features.input_tokens, estimated=True)
            lost = cost(prompt, entry.price, at=self._started_at, lane_batch=attempt.candidate.lane == "batch")
            self._trail.price(attempt.number, lost.total_pusd)

    async def _pass_on(self, reached: Reached, sink: Sink, *, check: bool) -> Held | None:
        answer, upstream = reached.answer, self._world.settings.upstream
        idle_s = self._world.providers[reached.candidate.provider].idle_s
        try:
            if answer.status < 400 and any(k == "content-type" and "event-stream" in v for k, v in answer.headers):
                await self._relay.stream(
                    answer,
                    sink,
                    self._headers(reached.candidate),
                    idle_s=idle_s,
                    ping_s=upstream.ping_s,
                    hide_usage=reached.sent.hides_usage,
                    count_text=not (self._request.include_usage or reached.sent.hides_usage),
                )
                return None
            refuses = self._cascade.refusal if check and self._cascade.checks(reached.candidate) else None
            return await self._relay.whole(answer, sink, self._whole_headers, idle_s, refuses=refuses)
        except LanewiseError as error:
            reached.broke(self._now())
            self._trail.end(reached.number, error=error.code)
            raise

    async def _refuse(self, error: LanewiseError, sink: Sink) -> None:
        body = refusal(self._request.dialect, error, self._call_id)
        headers = [("content-type", "application/json"), ("content-length", str(len(body)))]
        await sink.start(error.status, [*headers, *self._headers(self._decision.chosen)])
        await sink.end(body)

    def left(self) -> None:
        """The client closed the connection."""
        self._status, self._error = CLIENT_LEFT, "client_left"

    def _headers(self, served: Candidate) -> list[tuple[str, str]]:
        """Our response headers, as far as they are known before the body."""
        reading, decision = self._reading, self._decision
        found = [
            ("x-lanewise-call-id", self._call_id),
            ("x-lanewise-turn", reading.turn.housekeeping or reading.turn.kind),
            ("x-lanewise-skill", reading.label.skill),
            ("x-lanewise-lane", served.lane),
            ("x-lanewise-model", served.model),
            ("x-lanewise-reason", decision.reason),
            ("x-lanewise-attempts", str(len(self._trail.attempts))),
            ("x-lanewise-overhead-us", str(self._overhead_us())),
        ]
        return [(name, value.encode("unicode_escape").decode()) for name, value in found]  # no line may end in a name

    def _whole_headers(self, usage: Usage | None) -> list[tuple[str, str]]:
        """The same with cost and saving, which a held answer knows before its head is sent."""
        assert self.served is not None
        headers = self._headers(self.served)
        paid = self._paid(usage)
        baseline = self._cost_at(self._decision.baseline, usage)
        if paid is not None:
            headers.append(("x-lanewise-cost-usd", _usd(paid.total_pusd)))
            if baseline is not None:
                headers.append(("x-lanewise-saved-usd", _usd(baseline.total_pusd - paid.total_pusd)))
        return headers

    def _overhead_us(self) -> int:
        sent_at = self._trail.first_sent_at
        return int(((self._now() if sent_at is None else sent_at) - self._received_at) * 1e6)

    def _cost_at(self, candidate: Candidate, usage: Usage | None) -> Cost | None:
        """What the answer cost, or would have cost, at `candidate`; None where its price or the usage is unknown."""
        if usage is None:
            return None
        if candidate not in self._costs:
            entry = self._world.catalog.entry_of(candidate)
            price = entry.price if entry else None
            billed = self._billed_at(candidate, usage)
            known = price is not None and cost(billed, price, at=self._started_at, lane_batch=candidate.lane == "batch")
            self._costs[candidate] = known or None
        return self._costs[candidate]

    def _paid(self, usage: Usage | None) -> Cost | None:
        """What the call cost, its label and discarded answers included; None where its own price is unknown."""
        own = self._cost_at(self.served, usage) if self.served else None
        asked_pusd = self._reading.label.asked_pusd
        discarded_pusd = sum(attempt.cost_pusd or 0 for attempt in self._trail.attempts)
        if not asked_pusd + discarded_pusd:
            return own
        status = self._status or self._relay.status
        if own is None and usage is None and (self.served is None or 400 <= status != CLIENT_LEFT):
            own = Cost(total_pusd=0, snapshot="config")  # nothing was billed but what came beside
        if own is None:
            return None
        return msgspec.structs.replace(
            own,
            total_pusd=own.total_pusd + asked_pusd + discarded_pusd,
            classify_pusd=asked_pusd,
            discarded_pusd=discarded_pusd,
        )

    def _billed_at(self, candidate: Candidate, usage: Usage) -> Usage:
        """What `candidate` would have billed: where another one answered, its warm cache is modelled."""
        if self._warm_tokens is None:
            session_id = self._reading.identity.session_id
            converses = self._reading.turn.kind != "housekeeping" and self._request.operation == "generate"
            seen = self._prefixes.seen(session_id, usage.prompt_tokens, self._now()) if converses else 0
            self._warm_tokens = seen
        if self.served is None or self.served == candidate:
            return usage
        elsewhere = served_elsewhere(
            usage,
            cached_tokens=max(self._warm_tokens, usage.cache_read_tokens),
            writes=self._reading.features.marks_cache,
        )
        return msgspec.structs.replace(elsewhere, service_tier=candidate.service)

    def _preferred_cost_pusd(self, usage: Usage | None) -> int | None:
        """What routing would have cost where it did not happen."""
        preferred = self._decision.preferred
        if self.served is None or self.served == preferred:
            return None
        would_be = self._cost_at(preferred, usage)
        return None if would_be is None else would_be.total_pusd + self._reading.label.asked_pusd

    def _usage(self) -> Usage | None:
        """As reported; estimated from bytes and marked so where a good answer reports none."""
        answered = self.served is not None and 0 < self._relay.status < 400 and self._relay.text_bytes > 0
        if self._relay.usage is not None or not answered or self._request.operation != "generate":
            return self._relay.usage
        return Usage(
            input_tokens=self._reading.features.input_tokens,
            output_tokens=max(1, round(self._relay.text_bytes / BYTES_PER_TOKEN)),
            estimated=True,
        )

    def record(self) -> CallRecord:
        """The call as the ledger keeps it."""
        relay, usage = self._relay, self._usage()
        first = relay.first_byte_at
        outcome = Outcome(
            status=self._status or relay.status,
            error=self._error or relay.error,
            served=self.served,
            usage=usage,
            cost=self._paid(usage),
            baseline_cost=self._cost_at(self._decision.baseline, usage),
            preferred_cost_pusd=self._preferred_cost_pusd(usage),
            stop_reason=relay.stop_reason,
            response_bytes=relay.sent_bytes,
            first_byte_us=None if first is None else int((first - self._received_at) * 1e6),
            duration_us=int((self._now() - self._received_at) * 1e6),
            overhead_us=self._overhead_us(),
        )
        return CallRecord(
            call_id=self._call_id,
            started_at=self._started_at,
            dialect=self._request.dialect,
            operation=self._request.operation,
            stream=self._request.stream,
            requested_model=self._request.model,
            caller=self._caller,
            reading=self._reading,
            decision=self._decision,
            attempts=self._trail.attempts,
            outcome=outcome,
            policy_id=self._world.rulebook.policy_id if self._situation else "",
            situation=self._kept_situation(),
        )

    def _kept_situation(self) -> str:
        """What was decided on, for the ledger; empty where a bug of ours cannot write it down: the record must be."""
        try:
            return self._situation.document() if self._situation else ""
        except Exception as error:  # noqa: BLE001 - see above
            tell("writing down what was decided on failed with %s; the rest is kept", error)
            return ""


def _usd(pusd: int) -> str:
    """Dollars with all twelve decimals that matter: exact, and never in exponent form."""
    sign = "-" if pusd < 0 else ""
    whole, part = divmod(abs(pusd), 10**12)
    return f"{sign}{whole}.{part:012d}".rstrip("0").rstrip(".") if part else f"{sign}{whole}"
