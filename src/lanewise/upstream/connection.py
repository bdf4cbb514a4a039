"""One HTTP/1.1 connection to a provider: a request out, its answer in, again while both sides keep it.

Written on asyncio because a call must end the moment its client leaves, also while the provider still thinks, and
because headers must pass byte by byte: the client libraries measured either lack the first, the second, or cost ten
times as much. Knows no addresses, no pools, no deadlines.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import cast

import httptools

from lanewise.errors import StreamCut

BUFFERED_BYTES = 256 << 10
"""More than this of an answer is not read ahead of whoever consumes it: a slow client slows its provider down."""

HEAD_LIMIT_BYTES = 256 << 10

Headers = list[tuple[str, str]]


class Connection(asyncio.Protocol):
    """Its protocol and its state; one exchange at a time."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._parser: httptools.HttpResponseParser | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._parts: list[bytes] = []
        self._buffered = 0
        self._paused = False
        self._head_only = self._in_body = self._until_close = self._complete = False
        self._head_bytes = 0
        self._failure = ""
        self.status = 0
        self.headers: Headers = []
        self.closed = False
        self.heard = False
        """A byte of the answer has come."""
        self.reusable = False
        """The peer keeps the connection."""

    # -- what the loop tells ------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Connected."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is no subclass

    def data_received(self, data: bytes) -> None:
        """Bytes came."""
        self.heard = True
        if self._parser is None or self._complete:
            self.abort()  # nobody asked: what follows on this connection could be anything
            return
        self._head_bytes += 0 if self._in_body else len(data)
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            self._fail(f"it is not HTTP: {error}")
        if self._head_bytes > HEAD_LIMIT_BYTES:
            self._fail("its head is larger than 256 KiB")
        self._wake()

    def connection_lost(self, exc: Exception | None) -> None:
        """It is over."""
        self.closed = True
        if self._parser is not None and not self._complete:
            if self._in_body and self._until_close and exc is None:
                self._complete = True
            else:
                self._failure = self._failure or (str(exc) if exc else "the connection was closed")
        self._wake()

    # -- what the parser tells ----------------------------------------------------------------------------

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header; one character per byte, so that any value can be written out again as it was."""
        if not self._in_body:  # a trailer is of no interest
            self.headers.append((name.decode("latin-1").lower(), value.decode("latin-1")))

    def on_headers_complete(self) -> None:
        """The head is complete."""
        assert self._parser is not None
        status = self._parser.get_status_code()
        if self._complete or 100 <= status < 200:  # 100 and 103 announce the answer; more than one was not asked for
            self.headers.clear()
            return
        self.status = status
        framing = {name: value for name, value in self.headers if name in {"content-length", "transfer-encoding"}}
        chunked = framing.get("transfer-encoding", "").lower().endswith("chunked")
        bodiless = self._head_only or status in {204, 304}
        self._until_close = not (bodiless or chunked or "content-length" in framing)
        self._in_body = True
        if self._head_only:
            self._complete = True

    def on_body(self, body: bytes) -> None:
        """Bytes of the body; those of an answer that nobody asked for are none of its."""
        if self._complete:
            return
        self._parts.append(body)
        self._buffered += len(body)
        if self._buffered > BUFFERED_BYTES and not self._paused and self._transport is not None:
            self._paused = True
            self._transport.pause_reading()

    def on_message_complete(self) -> None:
        """The answer is complete, or an announcement of it."""
        if self._in_body and not self._complete:
            assert self._parser is not None
            self._complete = True
            self.reusable = self._parser.should_keep_alive()

    def on_message_begin(self) -> None:
        """An answer begins: after the end of the first one, one that nobody asked for."""
        if self._complete:
            self.reusable = False

    # -- what the transport asks --------------------------------------------------------------------------

    async def exchange(self, head: bytes, body: bytes, *, head_only: bool) -> None:
        """Send a request and wait for the head of its answer, which `status` and `headers` then tell.

        Raises:
            StreamCut: The connection ended first, or what came is no HTTP.
        """
        assert self._transport is not None
        self._parser = httptools.HttpResponseParser(self)
        self._head_only = head_only
        self._head_bytes = 0
        self._in_body = self._until_close = self._complete = self.reusable = self.heard = False
        self._failure = "" if not self.closed else "the connection was closed"
        self.status = 0
        self.headers = []
        self._transport.writelines((head, body))  # one system call, and one packet where it fits
        while not self._in_body:
            if self._failure:
                raise StreamCut(self._failure)
            await self._news()

    async def chunk(self) -> bytes | None:
        """The bytes of the body that have come, None at its end.

        Raises:
            StreamCut: The connection ended first.
        """
        while not self._parts:
            if self._complete:
                return None
            if self._failure:
                raise StreamCut(f"the answer broke off: {self._failure}")
            await self._news()
        chunk = self._parts[0] if len(self._parts) == 1 else b"".join(self._parts)
        self._parts.clear()
        self._buffered = 0
        if self._paused and self._transport is not None and not self.closed:
            self._paused = False
            self._transport.resume_reading()
        return chunk

    def reuse(self) -> bool:
        """Whether another request may follow; ends the exchange."""
        again = self._complete and self.reusable and not self.closed and not self._parts and not self._paused
        self._parser = None
        return again

    def abort(self) -> None:
        """Close at once."""
        self.closed = True
        if self._transport is not None:
            self._transport.abort()

    async def _news(self) -> None:
        self._waiter = asyncio.get_running_loop().create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _fail(self, what: str) -> None:
        self._failure = self._failure or what
        self.abort()


def request_head(method: str, target: str, host: str, headers: Sequence[tuple[str, str]], body: bytes) -> bytes:
    """Request line and headers as bytes, each as given; the length is added where there may be a body.

    Raises:
        ValueError: A line would end within a value, or a character is no byte.
    """
    lines = [f"{method} {target} HTTP/1.1", f"host: {host}", *(f"{name}: {value}" for name, value in headers)]
    if body or method in {"POST", "PUT", "PATCH"}:
        lines.append(f"content-length: {len(body)}")
    if any("\r" in line or "\n" in line or "\0" in line for line in lines):
        raise ValueError("a header holds a line end")
    return "\r\n".join([*lines, "", ""]).encode("latin-1")
