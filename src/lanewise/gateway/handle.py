"""One call from its head to its end, whatever server brought it: a body to read, a sink to write to.

Independent of ASGI, so that the hot endpoints can move to another server. HTTP and nothing but HTTP: who may call,
which endpoint, how large; the rest is the router's.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Awaitable, Callable, Sequence

from lanewise.errors import BodyTooLarge, LanewiseError, UpgradeRequired
from lanewise.gateway.endpoints import Endpoint, endpoint_of
from lanewise.gateway.keys import caller_of
from lanewise.journey import Dialect, Value
from lanewise.router import Router
from lanewise.upstream import Sink
from lanewise.wire import peek, refusal


class Incoming(Value, frozen=True, kw_only=True):
    """The head of a request."""

    method: str
    path: str
    target: str
    """Path and query as sent."""
    headers: tuple[tuple[str, str], ...]
    """Names in lower case, in the client's order."""

    def header(self, name: str) -> str:
        """The first value of a header, empty where it is absent."""
        return next((value for key, value in self.headers if key == name), "")


ReadBody = Callable[[int], Awaitable[bytes]]
"""Reads the whole body, given the most bytes it may have; raises BodyTooLarge or BodyTimeout."""


Refused = Callable[[str, Dialect | None, LanewiseError], None]
"""Told of a call that was refused before it was routed: its id, its dialect where known, and why."""


class Handler:
    """Serves the dialects' endpoints."""

    def __init__(
        self, router: Router, *, monotonic: Callable[[], float], utcnow: Callable[[], dt.datetime], refused: Refused
    ) -> None:
        self._router = router
        self._refused = refused
        self._monotonic = monotonic
        self._utcnow = utcnow

    async def handle(self, incoming: Incoming, read_body: ReadBody, sink: Sink) -> None:
        """Serve one call. Errors that are ours are told in the dialect of its endpoint."""
        call_id = self._router.new_call_id()
        dialect: Dialect | None = None
        try:
            if incoming.path == "/v1/responses" and incoming.header("upgrade").lower() == "websocket":
                dialect = "responses"
                raise UpgradeRequired("WebSocket is not served on /v1/responses", hint="send POST /v1/responses")
            anthropic = bool(incoming.header("anthropic-version"))
            dialect = _dialect_by_path(incoming.path, anthropic=anthropic)
            endpoint = endpoint_of(incoming.method, incoming.path, anthropic=anthropic)
            await self._serve(endpoint, incoming, read_body, sink, call_id)
        except LanewiseError as error:
            self._refused(call_id, dialect, error)
            await tell(error, dialect, sink, call_id)

    async def _serve(
        self, endpoint: Endpoint, incoming: Incoming, read_body: ReadBody, sink: Sink, call_id: str
    ) -> None:
        settings = self._router.world.settings
        caller, headers = caller_of(incoming.headers, settings.keys, self._utcnow())
        limit = settings.server.max_body_mb << 20
        length = incoming.header("content-length")
        if length.isdigit() and int(length) > limit:
            raise BodyTooLarge(
                f"the body is larger than {settings.server.max_body_mb} MiB",
                hint="raise server.max_body_mb if this is meant",
            )
        body = await read_body(limit)
        received_at = self._monotonic()
        request = peek(
            dialect=endpoint.dialect,
            operation=endpoint.operation,
            method=incoming.method,
            target=incoming.target,
            headers=headers,
            body=body,
            max_body_bytes=limit,
        )
        await self._router.carry_out(request, caller, sink, call_id=call_id, received_at=received_at)


async def tell(error: LanewiseError, dialect: Dialect | None, sink: Sink, call_id: str) -> None:
    """Answer with an error of ours."""
    body = refusal(dialect, error, call_id)
    headers: list[tuple[str, str]] = [
        ("content-type", "application/json"),
        ("content-length", str(len(body))),
        ("x-lanewise-call-id", call_id),
    ]
    if error.status == 426:
        headers += [("upgrade", "websocket"), ("connection", "upgrade")]
    if error.status == 405:
        headers.append(("allow", "POST"))
    await sink.start(error.status, headers)
    await sink.end(body)


def _dialect_by_path(path: str, *, anthropic: bool) -> Dialect | None:
    """The dialect to tell an error in, also for paths that are no endpoint."""
    if path.startswith("/v1/messages") or anthropic:
        return "messages"
    if path.startswith("/v1beta/"):
        return "gemini"
    if path.startswith("/v1/responses"):
        return "responses"
    return "chat" if path.startswith("/v1/") else None


__all__: Sequence[str] = ("Handler", "Incoming", "ReadBody", "tell")
