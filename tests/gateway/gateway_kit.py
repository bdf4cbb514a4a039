"""A real gateway on a real socket, in a thread of the test's process, and clients that see bytes rather than answers."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import json
import queue
import socket
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Self

import msgspec

from doubles import Reply
from lanewise.app import App, new_event_loop, running
from lanewise.config import ModelSettings, ProviderSettings, RoutingSettings, ServerSettings, Settings, UpstreamSettings
from lanewise.demo.answers import Answer, events
from lanewise.journey import CallRecord, Dialect, Usage

WAIT_S = 10.0
"""How long a test waits for something that happens at once when all is well."""

PATHS: dict[Dialect, str] = {
    "messages": "/v1/messages",
    "chat": "/v1/chat/completions",
    "responses": "/v1/responses",
    "gemini": "/v1beta/models/m:streamGenerateContent?alt=sse",
}
STREAMED: tuple[Dialect, ...] = ("messages", "chat", "responses")
CLIENT_KEY = "client-secret"

ANSWER = Answer(
    model="m",
    text="Words of an answer that is long enough to be cut in many places before it is complete.",
    usage=Usage(input_tokens=30, output_tokens=19),
)


def body_of(dialect: Dialect, *, stream: bool = True, model: str = "m", text: str = "hello") -> bytes:
    """A request that its dialect's provider would accept."""
    turn = {"role": "user", "content": text}
    match dialect:
        case "messages":
            fields = {"model": model, "max_tokens": 64, "messages": [turn], "stream": stream}
        case "chat":
            fields = {"model": model, "messages": [turn], "stream": stream}
        case "responses":
            fields = {"model": model, "input": [turn], "stream": stream}
        case "gemini":
            fields = {"contents": [{"role": "user", "parts": [{"text": text}]}]}
    return json.dumps(fields).encode()


def stream_reply(dialect: Dialect, answer: Answer = ANSWER, **changes: Any) -> Reply:
    """The answer as a provider streams it, one event a write."""
    kind = ((b"content-type", b"text/event-stream"),)
    reply = Reply(headers=kind, pieces=tuple(events(dialect, answer, include_usage=False)), framing="chunked")
    return msgspec.structs.replace(reply, **changes)


def provider(url: str, **changes: Any) -> ProviderSettings:
    return ProviderSettings(base_url=url, dialects=("messages", "chat", "responses", "gemini"), **changes)


def settings_for(
    data: Path,
    providers: Mapping[str, ProviderSettings],
    *,
    models: Mapping[str, ModelSettings] | None = None,
    server: Mapping[str, Any] | None = None,
    upstream: Mapping[str, Any] | None = None,
    routing: Mapping[str, Any] | None = None,
    **sections: Any,
) -> Settings:
    """Deadlines that end a test at once where they matter and are out of the way where they do not."""
    return Settings(
        server=ServerSettings(**{"port": 0, "data": str(data), "log": "text", "drain_s": 2.0, **(server or {})}),
        upstream=UpstreamSettings(
            **{
                "connect_s": 5.0,
                "first_byte_s": WAIT_S,
                "idle_s": WAIT_S,
                "retries": 0,
                "backoff_s": 0.001,
                "breaker_failures": 1000,
                **(upstream or {}),
            }
        ),
        routing=RoutingSettings(**(routing or {})),
        providers=dict(providers),
        models=dict(models or {}),
        **sections,
    )


class _Tap:
    """Hands every finished call to the test on its way to the books."""

    def __init__(self, books: Any, records: queue.SimpleQueue[CallRecord]) -> None:
        self._books = books
        self._records = records

    def record(self, call: CallRecord) -> None:
        self._books.record(call)
        self._records.put(call)

    def policy(self, policy_id: str, document: str) -> None:
        self._books.policy(policy_id, document)

    def routing_failed(self) -> None:
        self._books.routing_failed()

    def asked(self, source: str, outcome: str) -> None:
        self._books.asked(source, outcome)


class RunningGateway:
    """`lanewise.app.running` in a thread."""

    def __init__(self, settings: Settings, env: Mapping[str, str] | None = None) -> None:
        self._settings = settings
        self._env = env or {}
        self._records: queue.SimpleQueue[CallRecord] = queue.SimpleQueue()
        self._ready = threading.Event()
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)

    app: App
    url: str
    port: int

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._ready.wait(WAIT_S), "the gateway did not come up"
        if self._failure is not None:
            raise self._failure
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Drain and end; again does nothing."""
        if not self._thread.is_alive():
            return
        self.loop.call_soon_threadsafe(self._stopping.set)
        self._thread.join(WAIT_S)
        assert not self._thread.is_alive(), "the gateway did not stop"

    def stopping(self) -> None:
        """Begin to drain; `stop` waits for the end."""
        self.loop.call_soon_threadsafe(self._stopping.set)

    def use(self, settings: Settings, env: Mapping[str, str] | None = None) -> None:
        """Serve under other settings, as after a reload; and under another environment."""
        done = threading.Event()

        def swap() -> None:
            self.app._env = env or {}
            self.app.use(settings)
            done.set()

        self.loop.call_soon_threadsafe(swap)
        assert done.wait(WAIT_S)

    def record(self) -> CallRecord:
        """The next call that came to its end."""
        return self._records.get(timeout=WAIT_S)

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=new_event_loop) as runner:
            runner.run(self._serve())

    async def _serve(self) -> None:
        self.loop = asyncio.get_running_loop()
        self._stopping = asyncio.Event()
        try:
            async with running(self._settings, env=self._env) as (self.app, self.url):
                self.port = int(self.url.rpartition(":")[2])
                self.app.router._recorder = _Tap(self.app.router._recorder, self._records)
                self._ready.set()
                await self._stopping.wait()
        except BaseException as failure:
            self._failure = failure
            raise
        finally:
            self._ready.set()


def reconfigured(gateway: RunningGateway, urls: dict[str, str], **upstream: Any) -> None:
    """The file's gateway with these providers, in failover order for model `m`."""
    models = {"m": ModelSettings(provider=tuple(urls))} if len(urls) > 1 else {}
    rows = {name: provider(url) for name, url in urls.items()}
    settings = settings_for(Path(gateway._settings.server.data), rows, models=models, upstream=upstream)
    gateway.use(settings)


class Got(NamedTuple):
    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


def request(
    port: int, method: str, target: str, body: bytes | None = None, headers: Sequence[tuple[str, str]] = ()
) -> Got:
    """One request on a connection of its own, its headers exactly as given but for host and length."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=WAIT_S)
    try:
        connection.putrequest(method, target, skip_accept_encoding=True)
        for name, value in headers:
            connection.putheader(name, value.encode("latin-1"))
        if body is not None and not any(name.lower() == "content-length" for name, _ in headers):
            connection.putheader("content-length", str(len(body)))
        connection.endheaders(body)
        response = connection.getresponse()
        try:
            return Got(response.status, response.headers, response.read())
        except http.client.IncompleteRead as cut:
            return Got(response.status, response.headers, cut.partial)
    finally:
        connection.close()


def ask(port: int, dialect: Dialect, body: bytes | None = None, *, headers: Sequence[tuple[str, str]] = ()) -> Got:
    """POST to the dialect's endpoint with a client's own credential."""
    sent = body_of(dialect) if body is None else body
    named = {name for name, _ in headers}
    given = [*headers, *((n, v) for n, v in credential(dialect) if n not in named)]
    return request(port, "POST", PATHS[dialect], sent, [("content-type", "application/json"), *given])


def credential(dialect: Dialect) -> list[tuple[str, str]]:
    if dialect == "messages":
        return [("x-api-key", CLIENT_KEY), ("anthropic-version", "2023-06-01")]
    if dialect == "gemini":
        return [("x-goog-api-key", CLIENT_KEY)]
    return [("authorization", f"Bearer {CLIENT_KEY}")]


def head_of(dialect: Dialect, body: bytes, *extra: str) -> bytes:
    """A request as raw bytes."""
    lines = [f"POST {PATHS[dialect]} HTTP/1.1", "host: gateway", f"content-length: {len(body)}", *extra]
    lines += [f"{name}: {value}" for name, value in credential(dialect)]
    return "\r\n".join([*lines, "", ""]).encode() + body


@contextlib.contextmanager
def raw(port: int) -> Iterator[socket.socket]:
    """A bare connection."""
    with socket.create_connection(("127.0.0.1", port), WAIT_S) as peer:
        yield peer


def until(peer: socket.socket, mark: bytes) -> bytes:
    """All bytes up to and with the first `mark`, or to the end of the connection."""
    got = b""
    while mark not in got:
        data = peer.recv(1 << 16)
        if not data:
            return got
        got += data
    return got


def everything(peer: socket.socket) -> bytes:
    """All bytes to the end of the connection, however it ends."""
    got = b""
    while True:
        try:
            data = peer.recv(1 << 16)
        except ConnectionResetError:
            return got
        if not data:
            return got
        got += data
