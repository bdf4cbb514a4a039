"""Serves calls: decide, carry out, record. Holds what outlives a call: sessions, pins, breakers, the current world."""

from __future__ import annotations

import asyncio
import datetime as dt
import random
from collections.abc import Callable
from typing import Literal, Protocol

import msgspec

from lanewise.classify import Classifier
from lanewise.errors import LanewiseError
from lanewise.journey import Caller, CallRecord, Features, Identity, Reading, Request, SkillLabel, Turn, Usage
from lanewise.money import cost
from lanewise.router.bugs import tell
from lanewise.router.decide import Decided, decide, unrouted
from lanewise.router.experience import Experience
from lanewise.router.opinions import ask
from lanewise.router.queues import LocalQueues
from lanewise.router.run import BYTES_PER_TOKEN, Run
from lanewise.router.spending import Spending
from lanewise.router.world import Conditions, World
from lanewise.select import EXPECTED_OUTPUT_TOKENS, Pin, Pins, WarmPrefixes, path_of
from lanewise.upstream import Dispatcher, Health, QueueWatch, Sink, Transport

_NOT_ROUTED = frozenset({"not_routed", "caller_pin", "routing_error"})
"""Reasons of decisions in which the skill had no say."""


_ESCALATIONS: dict[str, Literal["moved", "held_out"]] = {"escalated": "moved", "held_out": "held_out"}
"""Reasons of decisions after which a task is not moved up again."""

_OWN = frozenset({"student", "default"})
"""Labels that are our own reading of the words, so that somebody else may know better."""


class Recorder(Protocol):
    """Where finished calls go: the ledger, metrics, the log."""

    def record(self, call: CallRecord) -> None:
        """Take one call; must not block or raise."""

    def policy(self, policy_id: str, document: str) -> None:
        """A configuration decides from now on; its calls name it."""

    def routing_failed(self) -> None:
        """A bug of ours sent a call to the baseline."""

    def asked(self, source: str, outcome: str) -> None:
        """A second opinion was asked for; both words are of closed sets."""


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
        experience: Experience,
        watch: QueueWatch,
        spending: Spending,
        monotonic: Callable[[], float],
        utcnow: Callable[[], dt.datetime],
        rng: random.Random,
    ) -> None:
        self.health = health
        self._classifier = classifier
        self._transport = transport
        self._recorder = recorder
        self._experience = experience
        self._queues = LocalQueues(health=health, watch=watch, monotonic=monotonic)
        self._monotonic = monotonic
        self._utcnow = utcnow
        self._rng = rng
        self._spending = spending
        self._pins = Pins()
        self._prefixes = WarmPrefixes()
        self.use(world)

    def use(self, world: World) -> None:
        """Serve the next calls under `world`; calls under way finish under theirs."""
        self.world = world
        self._recorder.policy(world.rulebook.policy_id, world.rulebook.document)
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

    def decide(self, request: Request, caller: Caller) -> Decided:
        """Layers 1 to 3 for a live call. A bug in them costs the saving, never the answer.

        Raises:
            NoCandidate: The named model resolves to nothing.
        """
        now = self._utcnow()
        try:
            reading = self._classifier.read(request, caller, now)
            return self._decided(request, caller, reading, self.world, now)
        except LanewiseError:
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, the answer comes first
            tell("routing failed with %s; the baseline serves", error)
            self._recorder.routing_failed()
            baselines = tuple(entry.candidate for entry in self.world.baselines(request, caller))
            limits = self.world.limits(caller, self._spent_pusd(caller))
            decision = unrouted(caller, request.model, baselines, reason="routing_error", limits=limits)
            return Decided(_blank_reading(request), decision, None)

    def _decided(self, request: Request, caller: Caller, reading: Reading, world: World, now: dt.datetime) -> Decided:
        """Layers 2 and 3, with the task's pin kept."""
        conditions = Conditions(
            now=now,
            spent_pusd=self._spent_pusd(caller),
            queues=self._queues.states(world.providers.values()),
            unhealthy=frozenset(name for name, state in self.health.states().items() if state == "open"),
            pin=self._pins.of(reading.identity.task_id),
        )
        situation = world.situation(request, caller, reading, conditions, self._experience)
        decision = decide(world.rulebook, caller, reading, situation)
        self._queues.looked(dict(decision.spilled))
        if decision.reason not in _NOT_ROUTED and reading.turn.kind != "housekeeping":
            before = conditions.pin.escalation if conditions.pin else ""
            escalation = _ESCALATIONS.get(decision.reason, before)
            self._pins.put(reading.identity.task_id, Pin(candidate=decision.preferred, escalation=escalation))
        return Decided(reading, decision, situation)

    def _spent_pusd(self, caller: Caller) -> int:
        return self._spending.today(caller.key_id, self._utcnow())

    async def _reconsidered(self, request: Request, caller: Caller, first: Decided, world: World) -> Decided:
        """The same after a second opinion, where the student is unsure and `world` names somebody to ask.

        Asked after a first decision, so that nothing is paid for a call that nobody can serve or that is not routed.
        A bug here costs the opinion, never the answer.
        """
        reading = first.reading
        unsure = reading.label.source in _OWN and reading.label.abstained
        if not world.opinions or not unsure or first.decision.reason in _NOT_ROUTED:
            return first
        try:
            words = self._classifier.words_of(request)
            if not words:
                return first
            label = await ask(
                words,
                reading.label,
                world.opinions,
                sure_from=self._classifier.sure_from,
                told=self._recorder.asked,
            )
            if label.source in _OWN:
                return first._replace(reading=msgspec.structs.replace(reading, label=label))
            reading = self._classifier.correct(request, caller, reading, label)
            return self._decided(request, caller, reading, world, self._utcnow())
        except LanewiseError:
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, the answer comes first
            tell("a second opinion failed with %s; the first decision stands", error)
            return first

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
        world, dispatcher, started_at = self.world, self._dispatcher, self._utcnow()
        decided = self.decide(request, caller)
        reserved = self._spending.reserve(caller.key_id, _expected_pusd(decided, world, started_at), started_at)
        left: asyncio.CancelledError | None = None
        try:
            decided = await self._reconsidered(request, caller, decided, world)
        except asyncio.CancelledError as error:
            left = error  # before anybody was asked for an answer, but the ledger hears of the call
        run = Run(
            world=world,
            dispatcher=dispatcher,
            request=request,
            caller=caller,
            decided=decided,
            call_id=call_id,
            received_at=received_at,
            started_at=started_at,
            monotonic=self._monotonic,
            prefixes=self._prefixes,
        )
        try:
            if left is not None:
                raise left
            await run.serve(sink)
        except (asyncio.CancelledError, ConnectionError):
            run.left()
            raise
        finally:
            call = run.record()
            self._spending.settle(reserved, call.outcome.cost.total_pusd if call.outcome.cost else 0)
            self._keep(call, decided)

    def _keep(self, call: CallRecord, decided: Decided) -> None:
        """Record a finished call and learn from it. What it teaches is worth no answer: a bug there is only told."""
        self._recorder.record(call)
        served, decision = call.outcome.served, decided.decision
        moved = served is not None and served != decision.chosen and decision.mode != "observe"
        if moved and served is not None and decided.reading.turn.kind != "housekeeping":
            task_id = decided.reading.identity.task_id
            pin = self._pins.of(task_id)
            self._pins.put(task_id, Pin(candidate=served, escalation=pin.escalation if pin else ""))
        try:
            server = path_of(call)
            entry = self.world.catalog.entry_of(server) if server else None
            self._experience.learn(call, vendor=entry.vendor if entry else "")
        except Exception as error:  # noqa: BLE001 - see above
            tell("learning from a call failed with %s; nothing else did", error)


def _expected_pusd(decided: Decided, world: World, at: dt.datetime) -> int:
    """What the call is expected to cost, until its bill is known: its share of what its task still costs.

    Where nothing was compared, as for a pinned call: its prompt without any cache, and a usual answer.
    """
    decision, situation = decided.decision, decided.situation
    quoted = {quote.candidate: quote.total_pusd for quote in decision.quotes}.get(decision.chosen)
    if quoted is not None and situation is not None:
        return int(quoted / max(1.0, situation.turns))
    entry = world.catalog.entry_of(decision.chosen)
    if entry is None or entry.price is None:
        return 0
    usage = Usage(input_tokens=decided.reading.features.input_tokens, output_tokens=EXPECTED_OUTPUT_TOKENS)
    return cost(usage, entry.price, at=at, lane_batch=decision.chosen.lane == "batch").total_pusd


def uuid7(now: dt.datetime, rng: random.Random) -> str:
    """A UUIDv7 (RFC 9562 section 5.7): 48 bits of Unix milliseconds, version, 74 random bits."""
    milliseconds = int(now.timestamp() * 1000)
    value = milliseconds << 80 | 0x7 << 76 | rng.getrandbits(12) << 64 | 0b10 << 62 | rng.getrandbits(62)
    text = f"{value:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


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
