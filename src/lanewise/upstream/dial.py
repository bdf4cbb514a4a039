"""Reaching a provider: TCP, TLS, and a tunnel through the proxy that HTTPS_PROXY names.

Providers on plain http are engines nearby and are reached directly. Knows no HTTP beyond CONNECT.
"""

from __future__ import annotations

import asyncio
import base64
import ssl
import urllib.request
from urllib.parse import SplitResult, unquote, urlsplit

from lanewise.errors import ConnectFailed
from lanewise.journey import Value
from lanewise.upstream.connection import Connection

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


class Origin(Value, frozen=True, kw_only=True):
    """Whom to connect to."""

    scheme: str
    host: str
    port: int

    @property
    def authority(self) -> str:
        """For the `host` header and CONNECT: the port only where it is not the scheme's own."""
        name = f"[{self.host}]" if ":" in self.host else self.host
        return name if self.port == {"http": 80, "https": 443}[self.scheme] else f"{name}:{self.port}"


def split(url: str) -> tuple[Origin, str]:
    """The origin of `url` and the request target, which stays byte by byte as it is.

    Raises:
        ValueError: It is no http or https URL.
    """
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError(f"{url!r} is no http or https URL")
    port = parts.port or (443 if parts.scheme == "https" else 80)
    _, slash, path = url.partition("://")[2].partition("/")
    return Origin(scheme=parts.scheme, host=parts.hostname, port=port), slash + path or "/"


def default_tls() -> ssl.SSLContext:
    """The system's trusted authorities (SSL_CERT_FILE and SSL_CERT_DIR override them), HTTP/1.1 only."""
    context = ssl.create_default_context()
    context.set_alpn_protocols(["http/1.1"])
    return context


async def dial(origin: Origin, tls: ssl.SSLContext | None) -> Connection:
    """A fresh connection to `origin`; `tls` is None only where its scheme is http.

    Raises:
        OSError: It cannot be had; TLS failures are among them.
        ConnectFailed: The proxy refused.
    """
    loop = asyncio.get_running_loop()
    if tls is None:
        _, plain = await loop.create_connection(Connection, origin.host, origin.port)
        return plain
    if proxy := _proxy_of(origin):
        return await _through(proxy, origin, tls)
    _, secured = await loop.create_connection(
        Connection, origin.host, origin.port, ssl=tls, server_hostname=origin.host
    )
    return secured


def _proxy_of(origin: Origin) -> SplitResult | None:
    """The proxy of the environment for `origin`; never for this machine itself."""
    proxies = urllib.request.getproxies_environment()
    named = proxies.get("https") or proxies.get("all")
    if not named or origin.host in LOOPBACK or urllib.request.proxy_bypass(origin.host):
        return None
    return urlsplit(named if "://" in named else f"http://{named}")


class _Tunnel(asyncio.Protocol):
    """Waits for the proxy's answer to CONNECT."""

    def __init__(self) -> None:
        self._got = b""
        self.answered: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    def data_received(self, data: bytes) -> None:
        self._got += data
        if b"\r\n\r\n" in self._got and not self.answered.done():
            self.answered.set_result(self._got.partition(b"\r\n")[0])

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.answered.done():
            self.answered.set_exception(exc or ConnectionResetError("the proxy closed the connection"))


async def _through(proxy: SplitResult, origin: Origin, tls: ssl.SSLContext) -> Connection:
    loop = asyncio.get_running_loop()
    secured = tls if proxy.scheme == "https" else None
    port = proxy.port or (443 if secured else 8080)
    transport, tunnel = await loop.create_connection(_Tunnel, proxy.hostname or "", port, ssl=secured)
    try:
        await _asked(proxy, origin, transport, tunnel)
        connection = Connection()
        inner = await loop.start_tls(transport, connection, tls, server_hostname=origin.host)
    except BaseException:
        transport.abort()
        raise
    assert inner is not None
    connection.connection_made(inner)
    return connection


async def _asked(proxy: SplitResult, origin: Origin, transport: asyncio.Transport, tunnel: _Tunnel) -> None:
    """Send CONNECT and read the answer.

    Raises:
        ConnectFailed: It is a refusal.
    """
    where = f"{origin.host}:{origin.port}"
    lines = [f"CONNECT {where} HTTP/1.1", f"host: {where}"]
    if proxy.username is not None:
        secret = base64.b64encode(f"{unquote(proxy.username)}:{unquote(proxy.password or '')}".encode())
        lines.append(f"proxy-authorization: Basic {secret.decode()}")
    transport.write("\r\n".join([*lines, "", ""]).encode())
    status = await tunnel.answered
    if status.split(b" ")[1:2] != [b"200"]:
        raise ConnectFailed(f"the proxy {proxy.hostname} refused: {status.decode('latin-1')}")
