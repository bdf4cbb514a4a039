"""As much of an HTTP/1.1 server as three simulated providers need: keep-alive, sized requests, chunked answers.

A hundred lines instead of a framework, since the demo starts three of them in the event loop that also runs the
gateway under test, and a second server of the gateway's own kind would share its mistakes.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

MAX_HEAD_BYTES = 64 * 1024

REASONS = {200: "OK", 404: "Not Found"}


class HttpRequest:
    """One request, and the way to answer it."""

    def __init__(
        self, method: str, target: str, headers: dict[str, str], body: bytes, out: asyncio.StreamWriter
    ) -> None:
        self.method = method
        self.target = target
        self.headers = headers
        """Names in lower case; the last value of a repeated one."""
        self.body = body
        self._out = out

    async def send(self, data: bytes) -> None:
        """Write bytes as they are and wait until the client takes them."""
        self._out.write(data)
        await self._out.drain()

    async def send_piece(self, data: bytes) -> None:
        """Write one chunk of a streamed answer."""
        await self.send(b"%x\r\n%b\r\n" % (len(data), data))

    async def end(self) -> None:
        """End a streamed answer."""
        await self.send(b"0\r\n\r\n")


def response(status: int, body: bytes, content_type: str = "application/json") -> bytes:
    """A whole answer of known length."""
    return (
        f"HTTP/1.1 {status} {REASONS[status]}\r\ncontent-type: {content_type}\r\ncontent-length: {len(body)}\r\n\r\n"
    ).encode() + body


def stream() -> bytes:
    """The head of an answer that comes in events."""
    return (
        b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n"
        b"cache-control: no-cache\r\ntransfer-encoding: chunked\r\n\r\n"
    )


class Server:
    """Listens on a free loopback port and hands every request to `handle`."""

    def __init__(self, handle: Callable[[HttpRequest], Awaitable[None]]) -> None:
        self._handle = handle
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.Task[None]] = set()

    async def start(self) -> str:
        """Start listening; returns the base URL."""
        self._server = await asyncio.start_server(self._connection, "127.0.0.1", 0, limit=MAX_HEAD_BYTES)
        port: int = self._server.sockets[0].getsockname()[1]
        return f"http://127.0.0.1:{port}"

    async def close(self) -> None:
        """Stop listening and drop every connection."""
        if self._server is None:
            return
        self._server.close()
        for task in self._connections:
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)
        await self._server.wait_closed()

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        try:
            while request := await _read(reader, writer):
                await self._handle(request)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # the client left, which is its right
        except asyncio.CancelledError:
            pass  # the server closes; a stream's protocol would log a cancelled handler as an error
        finally:
            self._connections.discard(task)
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()


async def _read(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> HttpRequest | None:
    """The connection's next request; None where the client closed it in between."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError as error:
        if error.partial:
            raise
        return None
    first, *lines = head.decode("latin-1").split("\r\n")
    method, target, _ = first.split(" ", 2)
    headers = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if colon:
            headers[name.strip().lower()] = value.strip()
    if headers.get("transfer-encoding", "").lower() == "chunked":
        body = await _chunks(reader)
    else:
        body = await reader.readexactly(int(headers.get("content-length", "0")))
    return HttpRequest(method, target, headers, body, writer)


async def _chunks(reader: asyncio.StreamReader) -> bytes:
    parts = []
    while size := int((await reader.readline()).split(b";")[0], 16):
        parts.append(await reader.readexactly(size))
        await reader.readline()
    await reader.readline()
    return b"".join(parts)
