"""A loopback proxy that passes every byte on unchanged and keeps the requests that went through.

Between an agent and the gateway it shows what the agent really sent, without a word in the conversation.
"""

from __future__ import annotations

import asyncio
import threading
from urllib.parse import urlsplit

import msgspec

from doubles.recorded import Recorded, RequestParser
from doubles.threaded import ThreadedServer


class Tee(ThreadedServer):
    """Connects each client to the server at `target_url`. Use it as a context manager."""

    def __init__(self, target_url: str) -> None:
        super().__init__()
        target = urlsplit(target_url)
        assert target.hostname is not None
        assert target.port is not None
        self.target = (target.hostname, target.port)
        self.requests: list[Recorded] = []
        self._lock = threading.Lock()

    def connection(self) -> asyncio.Protocol:
        return _Client(self)

    def heard(self, request: Recorded) -> None:
        """Note the request under its number among all of this proxy."""
        with self._lock:
            self.requests.append(msgspec.structs.replace(request, number=len(self.requests) + 1))


class _Client(asyncio.Protocol):
    """The client's side of a connection. What arrives before the server's side stands is kept."""

    def __init__(self, tee: Tee) -> None:
        self._tee = tee
        self._parser = RequestParser()
        self._early: list[bytes] = []
        self._server: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self._tee.transports.add(transport)
        self._connecting = self._tee.loop.create_task(self._connect())

    async def _connect(self) -> None:
        try:
            await self._tee.loop.create_connection(lambda: _Server(self._tee, self), *self._tee.target)
        except OSError:
            self.transport.abort()

    def joined(self, server: asyncio.Transport) -> None:
        """The server's side stands."""
        self._server = server
        server.writelines(self._early)
        if self.transport.is_closing():
            server.close()

    def data_received(self, data: bytes) -> None:
        for request in self._parser.feed(data):
            self._tee.heard(request)
        if self._server is None:
            self._early.append(data)
        else:
            self._server.write(data)

    def connection_lost(self, error: Exception | None) -> None:
        self._tee.transports.discard(self.transport)
        if self._server is not None:
            self._server.close()


class _Server(asyncio.Protocol):
    def __init__(self, tee: Tee, client: _Client) -> None:
        self._tee = tee
        self._client = client

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._tee.transports.add(transport)
        self._client.joined(transport)

    def data_received(self, data: bytes) -> None:
        self._client.transport.write(data)

    def connection_lost(self, error: Exception | None) -> None:
        self._tee.transports.discard(self._transport)
        self._client.transport.close()
