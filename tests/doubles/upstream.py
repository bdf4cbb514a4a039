"""A scripted provider on a real loopback port: it records what it is sent and answers by script, faults included.

The script decides what is said (`doubles.script` has the usual ones); this file decides how the bytes go out, one
write per piece, and where they stop. Faults are data (`Fault`), so that a table of tests can hold them. It knows
nothing of Lanewise and nothing of what a request means.
"""

from __future__ import annotations

import asyncio
import socket
import struct
import threading
import zlib
from collections.abc import Callable
from typing import Literal, TypeAlias

import msgspec

from doubles.recorded import Recorded, RequestParser
from doubles.threaded import ThreadedServer

WAIT_S = 10.0
"""How long a test waits for something that happens at once when all is well."""


class Fault(msgspec.Struct, frozen=True, kw_only=True):
    """What goes wrong while a reply is delivered, and after how much of it."""

    what: Literal["stall", "reset", "close"]
    """`stall`: nothing more is sent until `ScriptedUpstream.release()` or until the client leaves.
    `reset`: the connection ends with a TCP RST. `close`: it ends with a FIN, as if all had been said."""
    after: Literal["nothing", "head", "pieces", "bytes"]
    """`nothing`: before the status line. `pieces` and `bytes` count those of the body."""
    count: int = 0


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """What is sent back for one request."""

    status: int = 200
    headers: tuple[tuple[bytes, bytes], ...] = ()
    """Sent as they are; framing headers are added from `framing`, the content coding from `gzip`."""
    pieces: tuple[bytes, ...] = ()
    """The body. Each piece is a write of its own, and a chunk of its own where the body is chunked."""
    framing: Literal["length", "chunked", "close", "none"] = "length"
    """`close`: the end of the connection ends the body. `none`: no body and nothing about it."""
    announced_bytes: int | None = None
    """The content-length to claim where it is not the true one."""
    gzip: bool = False
    """Each piece is compressed and flushed, as a streaming provider does it."""
    slice_bytes: int | None = None
    """The whole response, head included, leaves in writes of this many bytes."""
    pause_s: float = 0.0
    """Between two writes."""
    fault: Fault | None = None


Script: TypeAlias = Callable[[Recorded], Reply]


class ScriptedUpstream(ThreadedServer):
    """The provider. Use it as a context manager; `script` may be replaced between requests."""

    def __init__(self, script: Script) -> None:
        super().__init__()
        self.script = script
        self.requests: list[Recorded] = []
        self.abandoned: list[Recorded] = []
        """Requests whose client left before the reply was complete, in the order they left."""
        self.failures: list[Exception] = []
        """What the script raised; `stop` raises the first of them."""
        self._changed = threading.Condition()
        self._released = asyncio.Event()

    def connection(self) -> asyncio.Protocol:
        return _Connection(self)

    def stop(self) -> None:
        super().stop()
        if self.failures:
            raise AssertionError("the script of the upstream failed") from self.failures[0]

    def wait_for_request(self, number: int = 1, *, timeout_s: float = WAIT_S) -> Recorded:
        """The request with this number, 1 for the first, once it has arrived whole."""
        self._wait(self.requests, number, timeout_s, "requests arrived")
        return self.requests[number - 1]

    def wait_for_disconnect(self, number: int = 1, *, timeout_s: float = WAIT_S) -> Recorded:
        """The request of the client that left as the `number`-th before its reply was complete."""
        self._wait(self.abandoned, number, timeout_s, "clients left early")
        return self.abandoned[number - 1]

    def release(self) -> None:
        """Let the stalled replies go on; from here no reply stalls."""
        self.loop.call_soon_threadsafe(self._released.set)

    def heard(self, request: Recorded) -> Recorded:
        """Note the request under its number among all of this server."""
        with self._changed:
            numbered = msgspec.structs.replace(request, number=len(self.requests) + 1)
            self.requests.append(numbered)
            self._changed.notify_all()
        return numbered

    def lost(self, request: Recorded) -> None:
        """Note that the client left before the reply to `request` was complete."""
        with self._changed:
            self.abandoned.append(request)
            self._changed.notify_all()

    async def stalled(self) -> None:
        """Return when the test releases the stalled replies."""
        await self._released.wait()

    def _wait(self, seen: list[Recorded], number: int, timeout_s: float, what: str) -> None:
        with self._changed:
            if not self._changed.wait_for(lambda: len(seen) >= number, timeout_s):
                lines = [f"{request.method} {request.target}" for request in self.requests]
                raise AssertionError(f"{len(seen)} of {number} {what} within {timeout_s} s; requests: {lines}")


class _Connection(asyncio.Protocol):
    def __init__(self, server: ScriptedUpstream) -> None:
        self._server = server
        self._parser = RequestParser()
        self._waiting: list[Recorded] = []
        self._serving: asyncio.Task[None] | None = None
        self._replying: Recorded | None = None
        self._writable = asyncio.Event()
        self._writable.set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._transport = transport
        self._server.transports.add(transport)

    def data_received(self, data: bytes) -> None:
        self._waiting += [self._server.heard(request) for request in self._parser.feed(data)]
        if self._waiting and self._serving is None:
            self._serving = self._server.loop.create_task(self._serve())

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    def connection_lost(self, error: Exception | None) -> None:
        self._server.transports.discard(self._transport)
        if self._replying is not None:
            self._server.lost(self._replying)
            self._replying = None
        if self._serving is not None:
            self._serving.cancel()

    async def _serve(self) -> None:
        while self._waiting:
            self._replying = request = self._waiting.pop(0)
            try:
                reply = self._server.script(request)
                steps = _steps(reply, head_only=request.method == "HEAD")
            except Exception as error:
                self._server.failures.append(error)
                self._transport.abort()
                return
            for step in steps:
                if isinstance(step, bytes):
                    await self._write(step, reply)
                elif step == "stall":
                    await self._server.stalled()
                else:
                    await self._end(reset=step == "reset")
                    return
            self._replying = None
        self._serving = None

    async def _write(self, data: bytes, reply: Reply) -> None:
        size = reply.slice_bytes or max(1, len(data))
        for start in range(0, len(data), size):
            await asyncio.sleep(reply.pause_s)  # even of zero: lets the bytes before leave in a packet of their own
            await self._writable.wait()
            self._transport.write(data[start : start + size])

    async def _end(self, *, reset: bool) -> None:
        """Close once everything written has left; the client did not leave, so nothing is abandoned."""
        while self._transport.get_write_buffer_size():
            await asyncio.sleep(0.001)
        self._replying = None
        if reset:
            lingering = struct.pack("ii", 1, 0)  # on, for zero seconds: close() sends RST
            self._transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, lingering)
            self._transport.abort()
        else:
            self._transport.close()


_Step: TypeAlias = bytes | Literal["stall", "reset", "close"]


def _steps(reply: Reply, *, head_only: bool) -> list[_Step]:
    pieces = _gzipped(reply.pieces) if reply.gzip else list(reply.pieces)
    body: list[_Step] = [] if head_only else [*pieces]
    fault = reply.fault
    if fault is not None and fault.after in ("pieces", "bytes"):
        at = fault.count if fault.after == "pieces" else _split(body, fault.count)
        body.insert(at, fault.what)
    steps: list[_Step] = [_head(reply, sum(map(len, pieces)))]
    if fault is not None and fault.after in ("nothing", "head"):
        steps.insert(0 if fault.after == "nothing" else 1, fault.what)
    if reply.framing == "chunked":
        body = [b"%x\r\n%b\r\n" % (len(step), step) if isinstance(step, bytes) else step for step in body]
        body += [] if head_only else [b"0\r\n\r\n"]
    if reply.framing == "close":
        body.append("close")
    return [*steps, *body]


def _split(body: list[_Step], count: int) -> int:
    """Cut the piece that holds byte `count` in two and say where the cut is."""
    for index, piece in enumerate(body):
        assert isinstance(piece, bytes)
        if count <= len(piece):
            parts = [part for part in (piece[:count], piece[count:]) if part]
            body[index : index + 1] = parts
            return index + (count > 0)
        count -= len(piece)
    raise AssertionError("the fault lies beyond the end of the body")


def _gzipped(pieces: tuple[bytes, ...]) -> list[bytes]:
    packer = zlib.compressobj(wbits=31)
    packed = [packer.compress(piece) + packer.flush(zlib.Z_SYNC_FLUSH) for piece in pieces]
    return [*packed, packer.flush()]


def _head(reply: Reply, body_bytes: int) -> bytes:
    lines = [b"HTTP/1.1 %d Scripted" % reply.status, *(b"%b: %b" % pair for pair in reply.headers)]
    if reply.gzip:
        lines.append(b"content-encoding: gzip")
    match reply.framing:
        case "length":
            lines.append(
                b"content-length: %d" % (body_bytes if reply.announced_bytes is None else reply.announced_bytes)
            )
        case "chunked":
            lines.append(b"transfer-encoding: chunked")
        case "close":
            lines.append(b"connection: close")
        case "none":
            pass
    return b"\r\n".join([*lines, b"", b""])
