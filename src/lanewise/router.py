"""READ SECOND: `decide()` then `carry_out()`, the journey as one function. No HTTP, no SQL.

`decide` is pure: the gateway, `explain` and the evals call the same one. `Router` holds what outlives a call (the
session book, the pins, the breakers) and the `World` of the current config, which a reload replaces as a whole.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import hashlib
import logging
import random
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

import msgspec

from lanewise.classify import Classifier
from lanewise.config import Settings, SkillSettings, duration_s
from lanewise.errors import LanewiseError
from lanewise.journey import (
    Caller,
    CallRecord,
    Candidate,
    Cost,
    Decision,
    Features,
    Identity,
    LaneRuling,
    Mode,
    Outcome,
    Reading,
    Rejection,
    Request,
    SkillLabel,
    Turn,
    Usage,
    Value,
)
from lanewise.money import PriceBook, cost
from lanewise.route import LanePolicy, Load, rule
from lanewise.select import Catalog, Entry, Need, Pins, choose
from lanewise.upstream import (
    Dispatcher,
    Health,
    Provider,
    Reached,
    Relay,
    Sink,
    Trail,
    Transport,
    can_authorise,
    credential_of,
    providers,
)
from lanewise.wire import refusal

log = logging.getLogger("lanewise")

CLIENT_LEFT = 499
"""nginx's status for a client that closed the connection first; never sent, only recorded."""

BYTES_PER_TOKEN = 3.7
"""Where an answer reports no usage: characters per o200k token over code and prose (BATCH.md section 8)."""

_ALL_LANES = LaneRuling(allowed=("local", "batch", "realtime"))


class World:
    """What one configuration says: who can answer, at what price."""

    def __init__(self, settings: Settings, env: Mapping[str, str], prices: PriceBook) -> None:
        self.settings = settings
        self.env = env
        self.providers: dict[str, Provider] = providers(settings)
        self.catalog = Catalog(settings, self.providers, prices)

    def authorised(self, credential: str, addressed: str) -> frozenset[str]:
        """Providers that a call with this client credential may be sent to."""
        return frozenset(
            name
            for name, provider in self.providers.items()
            if can_authorise(provider, self.env, credential, addressed=name == addressed)
        )

    def local_load(self, in_flight: Mapping[str, int]) -> Load:
        """The queue of the local lane as a whole; slots are unknown as soon as one engine's are."""
        local = [provider for provider in self.providers.values() if provider.lane == "local"]
        slots = [provider.slots for provider in local]
        known = sum(count for count in slots if count is not None)
        return Load(
            in_flight=sum(in_flight.get(provider.name, 0) for provider in local),
            slots=known if local and None not in slots else None,
        )


class Conditions(Value, frozen=True, kw_only=True):
    """What `decide` needs of the moment."""

    now: dt.datetime
    in_flight: dict[str, int]
    unhealthy: frozenset[str] = frozenset()
    pin: Candidate | None = None
    """Who serves the task so far."""


def decide(request: Request, caller: Caller, reading: Reading, world: World, conditions: Conditions) -> Decision:
    """Which candidate answers, which one the policy would prefer, and why not the others. Pure.

    Raises:
        NoCandidate: The named model resolves to nothing.
    """
    named = caller.pin or request.model
    baselines = world.catalog.baseline(named, request.dialect)
    baseline = baselines[0]
    if request.operation != "generate" or caller.pin:
        reason = "caller_pin" if caller.pin else "not_routed"
        return _unrouted(baselines, reason)
    skill = world.settings.skills.get(reading.label.skill, SkillSettings())
    if caller.deadline_s is None and skill.deadline:
        caller = msgspec.structs.replace(caller, deadline_s=duration_s(skill.deadline))
    if request.model.startswith("lane:"):
        caller = msgspec.structs.replace(caller, lane=request.model.removeprefix("lane:"))
    tier = "cheap" if request.model == "auto:cheap" else skill.tier
    ruling = rule(
        reading.turn,
        reading.label,
        reading.features,
        caller,
        LanePolicy(lanes=skill.lanes, tier=tier),
        world.local_load(conditions.in_flight),
    )
    preferred, rejected, reason = _prefer(request, reading, world, conditions, ruling, baseline)
    explicit = caller.lane is not None or request.model in {"auto", "auto:cheap"}
    mode: Mode = "active" if explicit else skill.mode or world.settings.routing.mode
    routed, propensity = _arm(mode, world.settings.routing.split, reading.identity.session_id)
    chosen = preferred if routed else baseline.candidate
    return Decision(
        mode=mode,
        baseline=baseline.candidate,
        chosen=chosen,
        preferred=preferred,
        plan=_plan(chosen, baselines, world.catalog, request),
        rejected=rejected,
        ruling=ruling,
        reason=reason,
        propensity=propensity,
        switch_point=_switch_point(reading),
    )


def _prefer(
    request: Request, reading: Reading, world: World, conditions: Conditions, ruling: LaneRuling, baseline: Entry
) -> tuple[Candidate, tuple[Rejection, ...], str]:
    """The policy's candidate with the others' reasons and its own."""
    pinned = conditions.pin and world.catalog.entry_of(conditions.pin)
    if pinned and not _switch_point(reading) and request.dialect in pinned.dialects:
        return pinned.candidate, (), "task_pin"
    choice = choose(
        world.catalog.entries,
        baseline,
        ruling,
        Need(
            dialect=request.dialect,
            input_tokens=reading.features.input_tokens,
            max_tokens=request.max_tokens,
            has_images=request.has_images,
            has_tools=bool(request.tool_names),
            at=conditions.now,
        ),
        authorised=world.authorised(credential_of(request.headers), baseline.candidate.provider),
        unhealthy=conditions.unhealthy,
    )
    if choice.preferred is None:
        return baseline.candidate, choice.rejected, "no_cheaper_candidate"
    reason = "baseline_is_cheapest" if choice.preferred == baseline.candidate else "cheapest_allowed"
    return choice.preferred, choice.rejected, reason


def _switch_point(reading: Reading) -> str:
    """Why the model may change here; empty inside a task."""
    if reading.turn.kind == "housekeeping":
        return "independent_call"
    if reading.turn.kind == "subagent" and reading.identity.new_session:
        return "subagent_start"
    if reading.identity.new_session:
        return "new_session"
    return "new_task" if reading.identity.new_task else ""


def _arm(mode: Mode, split: float, session_id: str) -> tuple[bool, float]:
    """Whether this session is routed, and with which probability it was: sticky, hashed, reproducible."""
    if mode != "split":
        return mode == "active", 1.0
    digest = hashlib.sha256(session_id.encode()).digest()
    routed = int.from_bytes(digest[:8]) / 2**64 < split
    return routed, split if routed else 1 - split


def _plan(chosen: Candidate, baselines: Sequence[Entry], catalog: Catalog, request: Request) -> tuple[Candidate, ...]:
    """The chosen one, its model's other endpoints, then the baseline: in doubt the user gets what they named."""
    same = [
        entry.candidate
        for entry in catalog.entries
        if entry.candidate.model == chosen.model and request.dialect in entry.dialects
    ]
    return tuple(dict.fromkeys([chosen, *same, *(entry.candidate for entry in baselines)]))


def _unrouted(baselines: Sequence[Entry], reason: str) -> Decision:
    candidate = baselines[0].candidate
    return Decision(
        mode="observe",
        baseline=candidate,
        chosen=candidate,
        preferred=candidate,
        plan=tuple(entry.candidate for entry in baselines),
        ruling=_ALL_LANES,
        reason=reason,
    )


class Recorder(Protocol):
    """Where finished calls go: the ledger, metrics, the log."""

    def record(self, call: CallRecord) -> None:
        """Take one call; must not block or raise."""

    def routing_failed(self) -> None:
        """A bug of ours sent a call to the baseline."""


class Router:
    """Serves calls under the current world."""

    def __init__(
        self,
        *,
        world: World,
        classifier: Classifier,
        transport: Transport,
        health: Health,
        recorder: Recorder,
        monotonic: Callable[[], float],
        utcnow: Callable[[], dt.datetime],
        rng: random.Random,
    ) -> None:
        self.health = health
        self._classifier = classifier
        self._transport = transport
        self._recorder = recorder
        self._monotonic = monotonic
        self._utcnow = utcnow
        self._rng = rng
        self._pins = Pins()
        self.use(world)

    def use(self, world: World) -> None:
        """Serve the next calls under `world`; calls under way finish under theirs."""
        self.world = world
        self._dispatcher = Dispatcher(
            providers=world.providers,
            settings=world.settings.upstream,
            transport=self._transport,
            health=self.health,
            env=world.env,
            monotonic=self._monotonic,
            utcnow=self._utcnow,
            rng=self._rng,
        )

    def new_call_id(self) -> str:
        """A UUIDv7: sortable by time."""
        return uuid7(self._utcnow(), self._rng)

    def decide(self, request: Request, caller: Caller) -> tuple[Reading, Decision]:
        """Layers 1 to 3 for a live call. A bug in them costs the saving, never the answer.

        Raises:
            NoCandidate: The named model resolves to nothing.
        """
        now = self._utcnow()
        try:
            reading = self._classifier.read(request, caller, now)
            states = self.health.states()
            conditions = Conditions(
                now=now,
                in_flight=self.health.in_flight(),
                unhealthy=frozenset(name for name, state in states.items() if state == "open"),
                pin=self._pins.of(reading.identity.task_id),
            )
            decision = decide(request, caller, reading, self.world, conditions)
        except LanewiseError:
            raise
        except Exception:
            log.exception("routing failed; the baseline serves")
            self._recorder.routing_failed()
            baselines = self.world.catalog.baseline(caller.pin or request.model, request.dialect)
            return _blank_reading(request), _unrouted(baselines, "routing_error")
        if decision.reason not in {"not_routed", "caller_pin"}:
            self._pins.put(reading.identity.task_id, decision.preferred)
        return reading, decision

    async def carry_out(
        self, request: Request, caller: Caller, sink: Sink, *, call_id: str, received_at: float
    ) -> None:
        """Decide, send, pass the answer on, record. The client sees every error in its own dialect.

        Args:
            request: The call.
            caller: Who asks.
            sink: Where the answer goes.
            call_id: See `new_call_id`.
            received_at: Monotonic time of the request's last byte.

        Raises:
            NoCandidate: Before anything was sent or recorded; the gateway tells it.
        """
        reading, decision = self.decide(request, caller)
        run = _Run(self, request, caller, reading, decision, call_id, received_at)
        try:
            await run.serve(sink)
        except (asyncio.CancelledError, ConnectionError):
            run.left()
            raise
        finally:
            self._recorder.record(run.record())
            served = run.served
            if served is not None and served != decision.chosen and decision.mode != "observe":
                self._pins.put(reading.identity.task_id, served)


class _Run:
    """One call under way; its fields become the outcome however it ends."""

    def __init__(
        self,
        router: Router,
        request: Request,
        caller: Caller,
        reading: Reading,
        decision: Decision,
        call_id: str,
        received_at: float,
    ) -> None:
        self._router = router
        self._world = router.world
        self._request = request
        self._caller = caller
        self._reading = reading
        self._decision = decision
        self._call_id = call_id
        self._received_at = received_at
        self._started_at = router._utcnow()  # noqa: SLF001 - a part of Router in its own class
        self._now = router._monotonic  # noqa: SLF001 - likewise
        self._dispatcher = router._dispatcher  # noqa: SLF001 - likewise
        self._trail: Trail = self._dispatcher.trail()
        self._relay = Relay(dialect=request.dialect, call_id=call_id, monotonic=self._now)
        self._error = ""
        self._status = 0
        self.served: Candidate | None = None

    async def serve(self, sink: Sink) -> None:
        """Reach an answer and relay it; our own errors end in the client's dialect."""
        try:
            async with self._dispatcher.reach(
                self._request, self._decision.plan, addressed=self._decision.baseline.provider, trail=self._trail
            ) as reached:
                self.served = reached.candidate
                await self._pass_on(reached, sink)
        except LanewiseError as error:
            self._error = error.code
            if not self._relay.started:
                self._status = error.status
                await self._refuse(error, sink)

    async def _pass_on(self, reached: Reached, sink: Sink) -> None:
        answer, upstream = reached.answer, self._world.settings.upstream
        idle_s = self._world.providers[reached.candidate.provider].idle_s
        try:
            if any(name == "content-type" and "event-stream" in value for name, value in answer.headers):
                await self._relay.stream(
                    answer,
                    sink,
                    self._headers(reached.candidate),
                    idle_s=idle_s,
                    ping_s=upstream.ping_s,
                    hide_usage=reached.sent.hides_usage,
                    count_text=not (self._request.include_usage or reached.sent.hides_usage),
                )
            else:
                await self._relay.whole(answer, sink, self._whole_headers, idle_s)
        except LanewiseError:
            reached.broke(self._now())
            raise

    async def _refuse(self, error: LanewiseError, sink: Sink) -> None:
        body = refusal(self._request.dialect, error, self._call_id)
        headers = [("content-type", "application/json"), ("content-length", str(len(body)))]
        await sink.start(error.status, [*headers, *self._headers(self._decision.chosen)])
        await sink.write(body)
        await sink.end()

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
        return [(name, value.encode("ascii", "backslashreplace").decode()) for name, value in found]

    def _whole_headers(self, usage: Usage | None) -> list[tuple[str, str]]:
        """The same with cost and saving, which a held answer knows before its head is sent."""
        assert self.served is not None
        headers = self._headers(self.served)
        paid = self._price(self.served, usage)
        baseline = self._price(self._decision.baseline, usage)
        if paid is not None:
            headers.append(("x-lanewise-cost-usd", _usd(paid.total_pusd)))
            if baseline is not None:
                headers.append(("x-lanewise-saved-usd", _usd(baseline.total_pusd - paid.total_pusd)))
        return headers

    def _overhead_us(self) -> int:
        sent_at = self._trail.first_sent_at
        return int(((self._now() if sent_at is None else sent_at) - self._received_at) * 1e6)

    def _price(self, candidate: Candidate, usage: Usage | None) -> Cost | None:
        entry = self._world.catalog.entry_of(candidate)
        if usage is None or entry is None or entry.price is None:
            return None
        return cost(usage, entry.price, at=self._started_at, lane_batch=candidate.lane == "batch")

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
            cost=self._price(self.served, usage) if self.served else None,
            baseline_cost=self._price(self._decision.baseline, usage),
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
        )


def uuid7(now: dt.datetime, rng: random.Random) -> str:
    """A UUIDv7 (RFC 9562 section 5.7): 48 bits of Unix milliseconds, version, 74 random bits."""
    milliseconds = int(now.timestamp() * 1000)
    value = milliseconds << 80 | 0x7 << 76 | rng.getrandbits(12) << 64 | 0b10 << 62 | rng.getrandbits(62)
    text = f"{value:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def _usd(pusd: int) -> str:
    """Dollars with all twelve decimals that matter: exact, and never in exponent form."""
    sign = "-" if pusd < 0 else ""
    whole, part = divmod(abs(pusd), 10**12)
    return f"{sign}{whole}.{part:012d}".rstrip("0").rstrip(".") if part else f"{sign}{whole}"


def _blank_reading(request: Request) -> Reading:
    """What is said of a call that could not be read."""
    return Reading(
        turn=Turn(kind="main", reason="routing_error"),
        label=SkillLabel(skill="general_chat", confidence=0.0, abstained=True, source="default"),
        features=Features(
            input_tokens=round(len(request.plain) / BYTES_PER_TOKEN),
            body_bytes=len(request.plain),
            message_count=request.message_count,
            tools_offered=len(request.tool_names),
            code_share=0.0,
            files_named=0,
            has_images=request.has_images,
            tool_errors=0,
            complexity=1.0,
            waiting=True,
            waiting_reason="routing_error",
        ),
        identity=Identity(session_id=request.session_hint or "unknown", task_id="unknown"),
    )


__all__ = ["Conditions", "Recorder", "Router", "World", "decide", "uuid7"]
