"""Three simulated providers behind real sockets on loopback: a slow local engine, a batch service, a cloud.

What is real: HTTP, the dialects, the bytes, the model names and their list prices. What is simulated: the words, the
tokens' meaning, success, and time, which runs `TIME_SCALE` times faster than the latencies named below.

- `local`   a few slots and a queue before them; shows both as vLLM's metrics do
- `batch`   holds every request until its next window closes, as flex and batch tiers do
- `cloud`   answers at once, keeps a prompt cache
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec

from lanewise.demo.answers import Answer, error, events, whole
from lanewise.demo.billing import Caching, Meter, ServiceTier
from lanewise.demo.http import HttpRequest, Server, response, stream
from lanewise.demo.minds import Minds, Utterance
from lanewise.demo.script import HEADER, Label
from lanewise.demo.toolbox import client_of
from lanewise.journey import Dialect, Lane, Usage, Value

TIME_SCALE = 100
"""Simulated seconds per real second."""

CHUNK_CHARS = 240
"""Text per stream event; real providers send less at a time, which would only cost the demo CPU."""

DIALECTS: dict[str, Dialect] = {
    "/v1/messages": "messages",
    "/v1/chat/completions": "chat",
    "/v1/responses": "responses",
}

THINKING_FROM = "claude-"
"""Models that think before they speak, where the dialect can carry it."""


class Model(Value, frozen=True, kw_only=True):
    """A model that a provider serves, with its simulated pace."""

    name: str
    first_token_s: float
    tokens_per_s: float


class Profile(Value, frozen=True, kw_only=True):
    """How a provider behaves; seconds are simulated ones."""

    name: str
    lane: Lane
    models: tuple[Model, ...]
    slots: int | None = None
    """Requests served at once; the rest queues. None = any number."""
    window_s: float = 0.0
    """Requests wait for the next multiple of this; 0 = they do not."""
    caching: Caching = "none"


PROFILES = (
    Profile(
        name="local",
        lane="local",
        models=(Model(name="qwen3-coder", first_token_s=1.5, tokens_per_s=45.0),),
        slots=4,
    ),
    Profile(
        name="batch",
        lane="batch",
        models=(
            Model(name="gpt-6-luna", first_token_s=1.0, tokens_per_s=90.0),
            Model(name="claude-sonnet-5-5", first_token_s=1.5, tokens_per_s=70.0),
        ),
        window_s=60.0,
    ),
    Profile(
        name="cloud",
        lane="realtime",
        models=(
            Model(name="claude-opus-5-5", first_token_s=2.0, tokens_per_s=65.0),
            Model(name="claude-haiku-5-5", first_token_s=0.7, tokens_per_s=150.0),
        ),
        caching="automatic",
    ),
)


class Provider:
    """One simulated provider; listens between `start` and `close`."""

    def __init__(
        self, profile: Profile, minds: Minds, *, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    ) -> None:
        self.profile = profile
        self._sleep = sleep
        self._minds = minds
        self._meter = Meter(profile.caching)
        self._models = {model.name: model for model in profile.models}
        self.usages: list[Usage] = []
        """What it answered for, in order."""
        self._slots = asyncio.Semaphore(profile.slots) if profile.slots else None
        self._running = self._waiting = 0
        self._numbers = itertools.count(1)
        self._server = Server(self._handle)

    async def start(self) -> str:
        """Listen on a free loopback port; returns the base URL."""
        return await self._server.start()

    async def close(self) -> None:
        """Stop listening and drop open connections."""
        await self._server.close()

    async def _handle(self, request: HttpRequest) -> None:
        path = request.target.partition("?")[0]
        if path == "/metrics":
            await request.send(response(200, self._metrics().encode(), "text/plain; version=0.0.4"))
            return
        dialect = DIALECTS.get(path)
        if request.method != "POST" or dialect is None:
            await request.send(response(404, error("chat", 404, "not_found", f"no such endpoint: {path}")))
            return
        body: dict[str, Any] = msgspec.json.decode(request.body)  # a client's own shape
        model = self._models.get(str(body.get("model")))
        if model is None:
            said = f"{self.profile.name} serves no model {body.get('model')!r}"
            await request.send(response(404, error(dialect, 404, "not_found_error", said)))
            return
        await self._answer(request, dialect, body, model)

    async def _answer(self, request: HttpRequest, dialect: Dialect, body: dict[str, Any], model: Model) -> None:
        answer, usage = self._compose(request, dialect, body, model)
        async with self._admitted():
            await self._wait(model.first_token_s)
            if not body.get("stream"):
                await self._wait(usage.output_tokens / model.tokens_per_s)
                await request.send(response(200, whole(dialect, answer)))
                return
            include_usage = bool((body.get("stream_options") or {}).get("include_usage"))
            sent = events(dialect, answer, chunk_chars=CHUNK_CHARS, include_usage=include_usage)
            half = len(sent) // 2
            await request.send(stream())
            await request.send_piece(b"".join(sent[:half]))
            await self._wait(usage.output_tokens / model.tokens_per_s)
            await request.send_piece(b"".join(sent[half:]))
            await request.end()

    def _compose(
        self, request: HttpRequest, dialect: Dialect, body: dict[str, Any], model: Model
    ) -> tuple[Answer, Usage]:
        number = f"{self.profile.name}{next(self._numbers):06d}"
        said = self._minds.say(
            Label.parse(request.headers.get(HEADER, "")),
            model.name,
            client_of(_tool_names(body)),
            f"call_{number}",
            wants_json="json_schema" in str(body.get("output_config")),
        )
        thinking = said.thinking if _thinks(dialect, body, model.name) else ""
        usage = self._meter.usage(dialect, body, model.name, _spoken_chars(said), len(thinking), self._tier(dialect))
        self.usages.append(usage)
        answer = Answer(
            id=number,
            model=model.name,
            text=said.text,
            thinking=thinking,
            tool_calls=said.tool_calls,
            usage=usage,
        )
        return answer, usage

    def _tier(self, dialect: Dialect) -> ServiceTier:
        if self.profile.lane != "batch":
            return "standard"
        return "batch" if dialect == "messages" else "flex"

    @contextlib.asynccontextmanager
    async def _admitted(self) -> Any:
        """Wait for the window and for a slot; counts who waits and who runs."""
        self._waiting += 1
        try:
            if self.profile.window_s:
                now_s = asyncio.get_running_loop().time()
                await self._sleep(until_window(now_s, self.profile.window_s / TIME_SCALE))
            if self._slots:
                await self._slots.acquire()
        finally:
            self._waiting -= 1
        self._running += 1
        try:
            yield
        finally:
            self._running -= 1
            if self._slots:
                self._slots.release()

    async def _wait(self, simulated_s: float) -> None:
        await self._sleep(simulated_s / TIME_SCALE)

    def _metrics(self) -> str:
        name = self.profile.models[0].name
        return (
            f'vllm:num_requests_running{{model_name="{name}"}} {self._running}\n'
            f'vllm:num_requests_waiting{{model_name="{name}"}} {self._waiting}\n'
        )


def until_window(now_s: float, window_s: float) -> float:
    """Seconds until the window that is open at `now_s` closes; windows begin at multiples of `window_s`."""
    return window_s - now_s % window_s


def _tool_names(body: dict[str, Any]) -> set[str]:
    return {str(tool.get("name") or (tool.get("function") or {}).get("name")) for tool in body.get("tools") or ()}


def _thinks(dialect: Dialect, body: dict[str, Any], model: str) -> bool:
    """Whether this answer carries thinking: the model can, the dialect can, the request allows it."""
    if not model.startswith(THINKING_FROM) or dialect == "chat":
        return False
    if dialect == "responses":
        return "reasoning" in body
    return (body.get("thinking") or {}).get("type") in {"adaptive", "enabled"}


def _spoken_chars(said: Utterance) -> int:
    return len(said.text) + sum(len(call.name) + len(call.arguments) for call in said.tool_calls)
