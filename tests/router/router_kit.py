"""A small world to decide in, readings without text, and an upstream in memory for whole calls."""

from __future__ import annotations

import asyncio
import datetime as dt
import functools
import random
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from lanewise.classify import Classifier
from lanewise.config import FixedPrice, ModelSettings, ProviderSettings, RoutingSettings, Settings, UpstreamSettings
from lanewise.errors import ConnectFailed
from lanewise.journey import (
    Caller,
    CallRecord,
    Candidate,
    Decision,
    Features,
    Identity,
    Reading,
    Request,
    SkillLabel,
    Turn,
)
from lanewise.money import PriceBook
from lanewise.route import QueueState
from lanewise.router import Conditions, Experience, Router, Situation, Spending, World, decide
from lanewise.select import Pin, Priors
from lanewise.upstream import Health, QueueWatch
from lanewise.upstream.transport import Sending
from lanewise.wire import peek

NOW = dt.datetime(2026, 11, 24, 9, 0, tzinfo=dt.UTC)
ENV = {"CLOUD_KEY": "k1", "TALKER_KEY": "k2", "NIGHT_KEY": "k3"}


def usd(input_per_mtok: float, output_per_mtok: float, **cache: float) -> FixedPrice:
    """Dollars per million tokens; a thousandth of that in pico-dollars is what a token costs."""
    return FixedPrice(
        input_usd_per_mtok=Decimal(str(input_per_mtok)),
        output_usd_per_mtok=Decimal(str(output_per_mtok)),
        **{f"cache_{name}_usd_per_mtok": Decimal(str(value)) for name, value in cache.items()},
    )


def provider(*dialects: str, **changes: Any) -> ProviderSettings:
    fields: dict[str, Any] = {"base_url": "http://127.0.0.1:9", "dialects": dialects or ("chat", "messages"), **changes}
    return ProviderSettings(**fields)


PROVIDERS = {
    "cloud": provider(api_key_env="CLOUD_KEY"),
    "spare": provider(api_key_env="CLOUD_KEY"),
    "talker": provider("chat", api_key_env="TALKER_KEY"),
    "night": provider(lane="batch", api_key_env="NIGHT_KEY"),
    "gpu": provider(lane="local", slots=2),
    "strangers": provider(),  # only with a client's own credential
}
MODELS = {
    "big": ModelSettings(provider=("cloud", "spare"), price=usd(10, 50, read=1, write=12.5), context_tokens=200_000),
    "small": ModelSettings(provider="cloud", tier="cheap", price=usd(1, 5, read=0.1), context_tokens=100_000),
    "own": ModelSettings(provider="gpu", tier="cheap", price=usd(0.1, 0.1), context_tokens=32_000, vision=False),
}


def settings_of(
    *,
    mode: Any = "active",
    split: float = 0.1,
    baseline: str = "",
    explore: float = 0.0,
    verify: bool = False,
    **changes: Any,
) -> Settings:
    fields: dict[str, Any] = {
        "providers": PROVIDERS,
        "models": MODELS,
        "routing": RoutingSettings(mode=mode, split=split, baseline=baseline, explore=explore, verify=verify),
        "upstream": UpstreamSettings(retries=0, backoff_s=0.001),
        **changes,
    }
    return Settings(**fields)


@functools.cache
def prices() -> PriceBook:
    return PriceBook.load()


def world_of(env: dict[str, str] | None = None, **changes: Any) -> World:
    return World(settings_of(**changes), ENV if env is None else env, prices())


def request_of(**changes: Any) -> Request:
    fields: dict[str, Any] = {
        "dialect": "messages",
        "operation": "generate",
        "method": "POST",
        "target": "/v1/messages",
        "headers": (),
        "body": b"{}",
        "plain": b"{}",
        "model": "big",
        **changes,
    }
    return Request(**fields)


def reading_of(
    *,
    kind: Any = "main",
    skill: Any = "documentation",
    complexity: float = 0.1,
    tokens: int = 1000,
    waiting: bool = True,
    tools: int = 0,
    abstained: bool = False,
    tool_errors: int = 0,
    session: str = "s",
    new_session: bool = False,
    new_task: bool = True,
) -> Reading:
    """An easy task of documentation that someone waits for, by default."""
    return Reading(
        turn=Turn(kind=kind),
        label=SkillLabel(skill=skill, confidence=0.9, abstained=abstained),
        features=Features(
            input_tokens=tokens,
            body_bytes=4 * tokens,
            message_count=1,
            tools_offered=tools,
            code_share=0.0,
            files_named=0,
            has_images=False,
            tool_errors=tool_errors,
            complexity=complexity,
            waiting=waiting,
        ),
        identity=Identity(session_id=session, task_id="t", new_session=new_session, new_task=new_task),
    )


def conditions_of(**changes: Any) -> Conditions:
    if isinstance(changes.get("pin"), Candidate):
        changes["pin"] = Pin(candidate=changes["pin"])
    busy = changes.pop("in_flight", {})
    queues = {"gpu": QueueState(ages_s=(1.0,) * busy.get("gpu", 0), slots=2)}
    return Conditions(**{"now": NOW, "queues": queues, **changes})


def decided(
    request: Request | None = None,
    *,
    caller: Caller | None = None,
    reading: Reading | None = None,
    world: World | None = None,
    conditions: Conditions | None = None,
) -> Decision:
    world, caller, reading = world or world_of(), caller or Caller(), reading or reading_of()
    situation = situation_of(request, caller=caller, reading=reading, world=world, conditions=conditions)
    return decide(world.rulebook, caller, reading, situation)


def situation_of(
    request: Request | None = None,
    *,
    caller: Caller | None = None,
    reading: Reading | None = None,
    world: World | None = None,
    conditions: Conditions | None = None,
    experience: Experience | None = None,
) -> Situation:
    return (world or world_of()).situation(
        request or request_of(),
        caller or Caller(),
        reading or reading_of(),
        conditions or conditions_of(),
        experience or Experience(Priors.none()),
    )


def reasons(decision: Decision) -> dict[str, str]:
    """Rejected model@provider -> reason."""
    return {f"{row.candidate.model}@{row.candidate.provider}": row.reason for row in decision.rejected}


def candidate(model: str, provider_name: str, world: World | None = None) -> Candidate:
    """That of the catalog."""
    entries = (world or world_of()).catalog.entries
    return next(e.candidate for e in entries if (e.candidate.model, e.candidate.provider) == (model, provider_name))


# -- whole calls in memory --------------------------------------------------------------------------------


class Clock:
    """Wound by the test: seconds since its start, and the time of day."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def monotonic(self) -> float:
        return self.seconds

    def utcnow(self) -> dt.datetime:
        return NOW + dt.timedelta(seconds=self.seconds)


class Said:
    """What the upstream answers to one call."""

    def __init__(self, body: bytes, *, status: int = 200, kind: str = "application/json", takes_s: float = 0.0) -> None:
        self.status = status
        self.headers = [("content-type", kind)]
        self.takes_s = takes_s
        self.closed = False
        self._chunks: list[bytes | None] = [body, None]

    async def chunk(self) -> bytes | None:
        return self._chunks.pop(0)

    def close(self) -> None:
        assert not self.closed, "closed twice"
        self.closed = True


class Upstream:
    """A transport that answers from a list and notes what it was sent; the first `down` sendings fail."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.sent: list[Sending] = []
        self.answers: list[Said] = []
        self.down = 0
        self.hangs = False

    async def send(self, sending: Sending) -> Said:
        self.sent.append(sending)
        if self.down:
            self.down -= 1
            raise ConnectFailed("no connection")
        if self.hangs:
            await asyncio.Event().wait()
        said = self.answers.pop(0)
        self.clock.seconds += said.takes_s
        return said

    async def close(self) -> None: ...


class Client:
    """A sink that keeps what it is sent."""

    def __init__(self) -> None:
        self.status = 0
        self.headers: dict[str, str] = {}
        self.body = b""
        self.ended = False

    async def start(self, status: int, headers: Sequence[tuple[str, str]]) -> None:
        self.status, self.headers = status, dict(headers)

    async def write(self, data: bytes) -> None:
        self.body += data

    async def end(self, data: bytes = b"") -> None:
        self.body += data
        self.ended = True


class Books:
    """Keeps the records."""

    def __init__(self) -> None:
        self.calls: list[CallRecord] = []
        self.policies: dict[str, str] = {}
        self.routing_failures = 0
        self.questions: list[tuple[str, str]] = []

    def record(self, call: CallRecord) -> None:
        self.calls.append(call)

    def policy(self, policy_id: str, document: str) -> None:
        self.policies[policy_id] = document

    def routing_failed(self) -> None:
        self.routing_failures += 1

    def asked(self, source: str, outcome: str) -> None:
        self.questions.append((source, outcome))


class House:
    """A router with everything around it scripted."""

    def __init__(self, world: World | None = None, *, classifier: Classifier | None = None) -> None:
        self.clock = Clock()
        self.upstream = Upstream(self.clock)
        self.books = Books()
        self.classifier = classifier or Classifier.load()
        health = Health(threshold=5, open_s=30.0, monotonic=self.clock.monotonic)
        self.router = Router(
            world=world or world_of(),
            classifier=self.classifier,
            transport=self.upstream,
            health=health,
            watch=QueueWatch(transport=self.upstream, health=health, monotonic=self.clock.monotonic),
            recorder=self.books,
            experience=Experience(Priors.none()),
            spending=Spending(),
            monotonic=self.clock.monotonic,
            utcnow=self.clock.utcnow,
            rng=random.Random(7),
        )

    def ask(self, body: bytes, said: Said | None = None, *, caller: Caller | None = None, **wire: Any) -> Client:
        """One call from its body to its end."""
        if said is not None:
            self.upstream.answers.append(said)
        client = Client()
        asyncio.run(self.serve(body, client, caller=caller, **wire))
        assert client.ended
        assert said is None or said.closed
        assert not any(self.router.health.in_flight().values())
        return client

    async def serve(self, body: bytes, client: Client, *, caller: Caller | None = None, **wire: Any) -> None:
        fields: dict[str, Any] = {
            "dialect": "messages",
            "operation": "generate",
            "method": "POST",
            "target": "/v1/messages",
            "headers": (),
            "max_body_bytes": 1 << 20,
            **wire,
        }
        await self.router.carry_out(
            peek(body=body, **fields),
            caller or Caller(session="one"),
            client,
            call_id=self.router.new_call_id(),
            received_at=self.clock.monotonic(),
        )

    @property
    def last(self) -> CallRecord:
        return self.books.calls[-1]
