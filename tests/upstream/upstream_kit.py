"""A peer that answers each connection with given bytes, and the transport's exchanges with it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import NamedTuple

from lanewise.upstream.transport import HttpTransport, Sending

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Peer:
    """A server whose connections are served by a function; notes what it reads."""

    def __init__(self, *answers: bytes, ends: bool = False) -> None:
        self.answers = list(answers)
        self.ends = ends
        self.requests: list[bytes] = []
        self.connections = 0
        self.lost = asyncio.Event()
        self.writers: list[asyncio.StreamWriter] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.writers.append(writer)
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            while self.answers:
                head = await reader.readuntil(b"\r\n\r\n")
                length = head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]
                self.requests.append(head + await reader.readexactly(int(length or 0)))
                writer.write(self.answers.pop(0))
                await writer.drain()
                if self.ends:
                    break
            else:
                await reader.read(1)
        writer.close()
        self.lost.set()

    @contextlib.asynccontextmanager
    async def listening(self, **options: object) -> AsyncIterator[int]:
        server = await asyncio.start_server(self.serve, "127.0.0.1", 0, **options)  # type: ignore[arg-type]
        try:
            yield server.sockets[0].getsockname()[1]
        finally:
            server.close()
            for writer in self.writers:
                writer.transport.abort()


@contextlib.asynccontextmanager
async def connected(**options: object) -> AsyncIterator[HttpTransport]:
    """A transport that is closed on the way out, which takes its sockets a few turns of the loop."""
    transport = HttpTransport(connect_s=5, **options)  # type: ignore[arg-type]
    try:
        yield transport
    finally:
        await transport.close()
        for _ in range(10):
            await asyncio.sleep(0)


class Read(NamedTuple):
    status: int
    headers: list[tuple[str, str]]
    body: bytes


async def read(
    transport: HttpTransport, url: str, *, method: str = "POST", body: bytes = b"{}", **more: object
) -> Read:
    """One exchange, read to its end."""
    fields = {"headers": [], "first_byte_s": 5.0, **more}
    answer = await transport.send(Sending(method=method, url=url, body=body, **fields))  # type: ignore[arg-type]
    try:
        parts = []
        while (chunk := await answer.chunk()) is not None:
            parts.append(chunk)
    finally:
        answer.close()
    return Read(answer.status, answer.headers, b"".join(parts))
