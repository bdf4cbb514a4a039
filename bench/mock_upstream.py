"""The provider of the bench as a process: `python mock_upstream.py PORT`.

It reads a request's length from its head, counts the body without keeping it, and answers from memory: one JSON
body, or `EVENTS` events, each written in a loop turn of its own so that they leave as separate packets, at full
speed. It does as little as a server can, since its CPU is the floor that every target is measured against.
"""

from __future__ import annotations

import asyncio
import re
import sys

import uvloop

import bodies

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_STREAMS = b'"stream":true}'
_TAIL = len(_STREAMS)


def _whole() -> bytes:
    body = bodies.whole_answer()
    return b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(body) + body


def _pieces() -> list[bytes]:
    head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
    return [head, *(b"%x\r\n%b\r\n" % (len(event), event) for event in bodies.events()), b"0\r\n\r\n"]


WHOLE = _whole()
PIECES = _pieces()


class Upstream(asyncio.Protocol):
    """One connection."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A client connected."""
        self._transport = transport
        self._loop = asyncio.get_running_loop()
        self._head = b""
        self._left = -1
        self._tail = b""

    def data_received(self, data: bytes) -> None:
        """Count what came; answer when the body is complete. Clients of the bench do not pipeline."""
        if self._left < 0:
            self._head += data
            end = self._head.find(b"\r\n\r\n")
            if end < 0:
                return
            found = _LENGTH.search(self._head[:end])
            data = self._head[end + 4 :]
            self._head, self._left = b"", int(found[1]) if found else 0
        self._left -= len(data)
        self._tail = (self._tail + data[-_TAIL:])[-_TAIL:]
        if self._left > 0:
            return
        self._left = -1
        if self._tail == _STREAMS:
            self._send(0)
        else:
            self._transport.write(WHOLE)

    def _send(self, number: int) -> None:
        if self._transport.is_closing():
            return
        self._transport.write(PIECES[number])
        if number + 1 < len(PIECES):
            self._loop.call_soon(self._send, number + 1)


async def main(port: int) -> None:
    server = await asyncio.get_running_loop().create_server(Upstream, "127.0.0.1", port, backlog=512)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1])))
