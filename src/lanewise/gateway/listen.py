"""The HTTP server: uvicorn with the limits it lacks on a request's head, on a socket of our own.

A client that dribbles its head is dropped after a while, one that sends a giant head is refused; uvicorn bounds
neither. Signals are the application's business, so that it can flush the ledger after the last stream.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import ipaddress
import re
import socket
from collections.abc import Iterator
from typing import Any

from uvicorn import Config, Server
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from lanewise.errors import StartError

MAX_HEAD_BYTES = 64 << 10
"""Codex sends 1 KB of metadata in one header; ten times nginx's default total leaves room and bounds memory."""

KEEP_ALIVE_S = 120
"""Longer than the pause between an agent's steps: a connection saved is a handshake saved."""

BACKLOG = 2048

_H2C_OFFER = re.compile(rb"\r\nupgrade:(?=[ \t]*h2c)", re.IGNORECASE)


class LimitedProtocol(HttpToolsProtocol):
    """uvicorn's protocol with a deadline and a size limit for the head."""

    head_timeout_s = 30.0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A client connected: it has so long to send a whole head."""
        super().connection_made(transport)
        self._head_bytes = 0
        self._torn_bytes = 0
        self._in_head = True
        self._refused = False
        self._head_timer = self.loop.call_later(self.head_timeout_s, self._head_too_slow)

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is gone."""
        self._head_timer.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Bytes came. The parser keeps a torn header to itself, of any size, so its bytes are counted here."""
        if self._refused:
            return
        before = self._head_bytes
        super().data_received(_without_h2c(data) if self._in_head else data)
        self._torn_bytes = self._torn_bytes + len(data) if self._in_head and self._head_bytes == before else 0
        if self._head_bytes + self._torn_bytes > MAX_HEAD_BYTES and not self._refused:
            self._refuse(b"431 Request Header Fields Too Large")

    def on_message_begin(self) -> None:
        """A request begins."""
        self._head_bytes = 0
        self._in_head = True
        self._head_timer.cancel()
        self._head_timer = self.loop.call_later(self.head_timeout_s, self._head_too_slow)
        super().on_message_begin()

    def on_url(self, url: bytes) -> None:
        """A piece of the target."""
        self._count(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header."""
        self._count(len(name) + len(value))
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """The head is complete; the body has a deadline of its own."""
        self._head_timer.cancel()
        self._in_head = False
        super().on_headers_complete()

    def send_400_response(self, msg: str) -> None:
        """The parser gave up; a refusal of ours makes it do so and was told already."""
        if not self._refused:
            super().send_400_response(msg)

    def _count(self, size: int) -> None:
        self._head_bytes += size
        if self._head_bytes > MAX_HEAD_BYTES:
            self._refuse(b"431 Request Header Fields Too Large")
            raise ValueError("the head is too large")  # ends the parser's run, so that the request is not served

    def _head_too_slow(self) -> None:
        if not self.transport.is_closing():
            self._refuse(b"408 Request Timeout")

    def _refuse(self, status: bytes) -> None:
        self._refused = True
        self.transport.write(b"HTTP/1.1 " + status + b"\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
        self.transport.close()


def _without_h2c(data: bytes) -> bytes:
    """`data` without the offer of HTTP/2 that Java's client makes on every request: the parser would drop its body.

    The name is replaced by another hop-by-hop one of the same length, which goes no further.
    """
    head_end = data.find(b"\r\n\r\n")
    offer = _H2C_OFFER.search(data, 0, head_end if head_end >= 0 else len(data))
    return data if offer is None else data[: offer.start()] + b"\r\ntrailer:" + data[offer.end() :]


class QuietServer(Server):
    """uvicorn's server without its signal handlers."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals alone."""
        yield


def bound_socket(host: str, port: int, *, has_keys: bool) -> socket.socket:
    """A listening address of our own.

    Raises:
        StartError: The address is taken, is not ours, or is public while no keys are configured.
    """
    if not has_keys and not is_loopback(host):
        raise StartError(
            f"{host!r} can be reached from other machines and no keys are configured",
            hint="listen on 127.0.0.1, or add [keys.NAME] (see `lanewise keys create`)",
        )
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(BACKLOG)
    except (OSError, OverflowError) as error:
        listener.close()
        if isinstance(error, OSError) and error.errno == errno.EADDRINUSE:
            raise StartError(
                f"port {port} on {host} is taken",
                hint=f"stop what listens there, or use --port {port + 1 if port < 65535 else 0}",
            ) from None
        raise StartError(f"cannot listen on {host}:{port}: {error}", hint="check --host and --port") from None
    listener.setblocking(False)
    return listener


def is_loopback(host: str) -> bool:
    """Whether `host` is reachable from this machine only."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def server(application: Any, *, drain_s: float, body_timeout_s: float) -> QuietServer:  # an ASGI application
    """A server for `application`; hand it the socket with `serve(sockets=[...])`."""
    protocol = type("Protocol", (LimitedProtocol,), {"head_timeout_s": body_timeout_s})
    return QuietServer(
        Config(
            application,
            http=protocol,
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            date_header=False,
            proxy_headers=False,
            backlog=BACKLOG,
            timeout_keep_alive=KEEP_ALIVE_S,
            timeout_graceful_shutdown=max(1, round(drain_s)),
        )
    )
