"""The gateway as an ASGI application: the dialects' endpoints by hand, everything else through Starlette.

Raw ASGI for what is hot: a request object, a router and a response class cost more than relaying the body.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from typing import Any

from lanewise.errors import BodyTimeout, BodyTooLarge
from lanewise.gateway.handle import Handler, Incoming

log = logging.getLogger("lanewise")

Message = MutableMapping[str, Any]  # ASGI's own shape: a dict whose keys depend on its type
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]

STALLED_S = 300.0
"""How long a client may take none of what it is sent before it counts as gone."""

_OWN_PATHS = frozenset({"/v1/models"})


class ClientGone(ConnectionError):
    """The client closed the connection, or has stopped reading."""


class Gateway:
    """ASGI entry point."""

    def __init__(self, handler: Handler, rest: Application, *, body_timeout_s: Callable[[], float]) -> None:
        self._handler = handler
        self._rest = rest
        self._body_timeout_s = body_timeout_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        path: str = scope.get("path", "")
        hot = path.startswith(("/v1/", "/v1beta/")) and path not in _OWN_PATHS and not path.startswith("/v1/models/")
        bare = f"/v1{path}" in {"/v1/messages", "/v1/responses", "/v1/chat/completions", "/v1/embeddings"}
        if scope["type"] != "http" or not (hot or bare):
            await self._rest(scope, receive, send)
            return
        body = BodyReader(receive, self._body_timeout_s())
        sink = AsgiSink(send, before_end=body.close)
        task = asyncio.current_task()
        assert task is not None
        stall = sink.watched(task)
        try:
            await self._handler.handle(_incoming(scope), body.read, sink)
        except ClientGone:
            log.debug("client.gone")
        except asyncio.CancelledError:
            if not (body.client_left or sink.stalled):
                raise
            task.uncancel()
        finally:
            stall.cancel()
            body.close()


class BodyReader:
    """Reads the request's body, then watches for the client's leaving."""

    def __init__(self, receive: Receive, timeout_s: float) -> None:
        self._receive = receive
        self._timeout_s = timeout_s
        self._watcher: asyncio.Task[None] | None = None
        self.client_left = False

    async def read(self, limit: int) -> bytes:
        """The whole body, at most `limit` bytes, with no pause longer than the timeout."""
        parts: list[bytes] = []
        size = 0
        more = True
        while more:
            try:
                async with asyncio.timeout(self._timeout_s):
                    message = await self._receive()
            except TimeoutError:
                raise BodyTimeout(
                    f"the body paused for more than {self._timeout_s:g} s after {size} bytes", hint="send it again"
                ) from None
            if message["type"] == "http.disconnect":
                raise ClientGone
            part = message.get("body", b"")
            size += len(part)
            if size > limit:
                raise BodyTooLarge(
                    f"the body is larger than {limit >> 20} MiB", hint="raise server.max_body_mb if this is meant"
                )
            parts.append(part)
            more = message.get("more_body", False)
        self._watch()
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def _watch(self) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._watcher = asyncio.create_task(self._until_left(task))

    async def _until_left(self, task: asyncio.Task[Any]) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self.client_left = True
        task.cancel()

    def close(self) -> None:
        """Stop watching."""
        if self._watcher is not None:
            self._watcher.cancel()


class AsgiSink:
    """An answer's way out. A client that takes nothing for too long has its call cancelled."""

    def __init__(self, send: Send, *, before_end: Callable[[], None]) -> None:
        self._send = send
        self._before_end = before_end
        self._loop = asyncio.get_running_loop()
        self._writing_since = math.inf
        self.stalled = False

    def watched(self, task: asyncio.Task[Any]) -> Stall:
        """Cancel `task` when a write stalls. One timer per call: one per write costs more than relaying an event."""
        return Stall(self, task)

    def stalled_s(self) -> float:
        """For how long the write under way, if any, has been waiting for the client."""
        return self._loop.time() - self._writing_since

    async def start(self, status: int, headers: Sequence[tuple[str, str]]) -> None:
        """Send the head."""
        raw = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers]
        await self._send({"type": "http.response.start", "status": status, "headers": raw})

    async def write(self, data: bytes) -> None:
        """Send body bytes; waits while the client does not read."""
        self._writing_since = self._loop.time()
        await self._send({"type": "http.response.body", "body": data, "more_body": True})
        self._writing_since = math.inf

    async def end(self, data: bytes = b"") -> None:
        """Send the last bytes; from here on the client's leaving is of no interest."""
        self._before_end()
        self._writing_since = self._loop.time()
        await self._send({"type": "http.response.body", "body": data, "more_body": False})
        self._writing_since = math.inf


class Stall:
    """The timer behind `AsgiSink.watched`."""

    def __init__(self, sink: AsgiSink, task: asyncio.Task[Any]) -> None:
        self._sink = sink
        self._task = task
        self._loop = asyncio.get_running_loop()
        self._timer = self._loop.call_later(STALLED_S, self._check)

    def _check(self) -> None:
        if self._sink.stalled_s() >= STALLED_S:
            self._sink.stalled = True
            self._task.cancel()
        else:
            self._timer = self._loop.call_later(STALLED_S / 4, self._check)

    def cancel(self) -> None:
        """The call is over."""
        self._timer.cancel()


def _incoming(scope: Scope) -> Incoming:
    query: bytes = scope.get("query_string", b"")
    raw_path: bytes = scope.get("raw_path") or scope["path"].encode()
    target = raw_path.decode("latin-1") + (f"?{query.decode('latin-1')}" if query else "")
    return Incoming(
        method=scope["method"],
        path=scope["path"],
        target=target,
        headers=tuple((name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"]),
    )
