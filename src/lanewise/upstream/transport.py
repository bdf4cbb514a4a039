"""Sending one request: a pooled or fresh connection, its deadlines, and its end whoever ends it.

`Transport` has one method, so that a test double or another client is a class of twenty lines. Its errors are
those of `errors`; nothing of sockets or TLS escapes. Knows no dialect, no retries, no policy.
"""

from __future__ import annotations

import asyncio
import functools
import ssl
import time
from collections import defaultdict
from collections.abc import Callable
from typing import Protocol

from lanewise.errors import ConnectFailed, FirstByteTimeout, StreamCut
from lanewise.journey import Value
from lanewise.upstream.connection import Connection, request_head
from lanewise.upstream.dial import Origin, default_tls, dial, split

POOL_IDLE_S = 55.0
"""Below the 60 s at which common load balancers drop idle peers."""


class Sending(Value, frozen=True, kw_only=True):
    """A request as it goes out."""

    method: str
    url: str
    headers: list[tuple[str, str]]
    """Values with one character per byte, as they came in."""
    body: bytes
    first_byte_s: float


class Answer(Protocol):
    """A response whose head has arrived."""

    status: int
    headers: list[tuple[str, str]]

    async def chunk(self) -> bytes | None:
        """The next bytes as they arrive, None at a clean end.

        Raises:
            StreamCut: The connection broke, or fewer bytes came than announced.
        """
        ...

    def close(self) -> None:
        """Be done with it: the connection is kept where the body was read to its end, else closed at once."""
        ...


class Transport(Protocol):
    """Sends a request."""

    async def send(self, sending: Sending) -> Answer:
        """Open the response; whoever gets it closes it.

        Raises:
            ConnectFailed: No connection, or it broke before the head.
            FirstByteTimeout: No head within `first_byte_s`.
        """
        ...

    async def close(self) -> None:
        """Close the connections that wait for another request."""


class HttpAnswer:
    """An answer on a pooled connection."""

    __slots__ = ("_connection", "_keep", "chunk", "headers", "status")

    def __init__(self, connection: Connection, keep: Callable[[Connection], None]) -> None:
        self._connection = connection
        self._keep = keep
        self.status = connection.status
        self.headers = connection.headers
        self.chunk = connection.chunk

    def close(self) -> None:
        """See `Answer.close`."""
        if self._connection.reuse():
            self._keep(self._connection)
        else:
            self._connection.abort()


class HttpTransport:
    """HTTP/1.1 over TCP or TLS. No redirects: a credential must not follow one."""

    def __init__(self, *, connect_s: float, tls: ssl.SSLContext | None = None) -> None:
        self._connect_s = connect_s
        self._tls = tls
        self._idle: defaultdict[Origin, list[tuple[float, Connection]]] = defaultdict(list)

    async def send(self, sending: Sending) -> Answer:
        """See `Transport.send`."""
        try:
            origin, target = split(sending.url)
            head = request_head(sending.method, target, origin.authority, sending.headers, sending.body)
        except ValueError as error:
            raise ConnectFailed(f"the request cannot be sent: {error}", hint="check the provider's row") from None
        try:
            async with asyncio.timeout(sending.first_byte_s):
                connection = await self._open(origin, head, sending)
        except TimeoutError:
            raise FirstByteTimeout(f"{origin.authority} sent nothing within {sending.first_byte_s:g} s") from None
        return HttpAnswer(connection, functools.partial(self._keep, origin))

    def _keep(self, origin: Origin, connection: Connection) -> None:
        self._idle[origin].append((time.monotonic(), connection))

    async def close(self) -> None:
        """See `Transport.close`."""
        for waiting in self._idle.values():
            for _, connection in waiting:
                connection.abort()
        self._idle.clear()

    async def _open(self, origin: Origin, head: bytes, sending: Sending) -> Connection:
        """A connection on which the head of the answer has come.

        A pooled one that ends before its first byte was given up by the peer while it waited: a fresh one is tried.
        """
        while True:
            pooled = self._pooled(origin)
            connection = pooled or await self._dialled(origin)
            try:
                await connection.exchange(head, sending.body, head_only=sending.method == "HEAD")
            except StreamCut as error:
                connection.abort()
                if pooled is None or connection.heard:
                    raise ConnectFailed(f"no answer from {origin.authority}: {error.message}") from None
            except BaseException:
                connection.abort()
                raise
            else:
                return connection

    def _pooled(self, origin: Origin) -> Connection | None:
        """The connection used last, if any waits that is neither closed nor too old."""
        waiting = self._idle[origin]
        while waiting:
            since, connection = waiting.pop()
            if not connection.closed and time.monotonic() - since < POOL_IDLE_S:
                return connection
            connection.abort()
        return None

    async def _dialled(self, origin: Origin) -> Connection:
        if self._tls is None and origin.scheme == "https":
            self._tls = default_tls()  # reading the authorities takes 20 ms: not for a gateway of local engines
        try:
            async with asyncio.timeout(self._connect_s):
                return await dial(origin, self._tls if origin.scheme == "https" else None)
        except TimeoutError:
            raise ConnectFailed(f"no connection to {origin.authority} within {self._connect_s:g} s") from None
        except OSError as error:
            raise ConnectFailed(f"no answer from {origin.authority}: {error}") from None
