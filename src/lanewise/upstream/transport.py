"""One request over one connection: the only file that knows the HTTP client.

`Transport` has one method, so that a test double or another client is a class of twenty lines. Its errors are
those of `errors`; nothing of the client library's own escapes. Knows no dialect, no retries, no policy.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import timedelta
from typing import Protocol
from urllib.parse import urlsplit

from pyreqwest.client import Client, ClientBuilder
from pyreqwest.exceptions import PyreqwestError
from pyreqwest.http import HeaderMap
from pyreqwest.response import Response

from lanewise.errors import ConnectFailed, FirstByteTimeout, StreamCut
from lanewise.journey import Value

_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


class Sending(Value, frozen=True, kw_only=True):
    """A request as it goes out."""

    method: str
    url: str
    headers: list[tuple[str, str]]
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


class Transport(Protocol):
    """Sends a request; leaving the context closes the connection if the body was not read to its end."""

    def send(self, sending: Sending) -> AbstractAsyncContextManager[Answer]:
        """Open the response.

        Raises:
            ConnectFailed: No connection, or it broke before the head.
            FirstByteTimeout: No head within `first_byte_s`.
        """
        ...


class PyreqwestAnswer:
    """A pyreqwest response as an `Answer`."""

    __slots__ = ("_reader", "headers", "status")

    def __init__(self, response: Response) -> None:
        self.status = response.status
        self.headers = _readable(response.headers)
        self._reader = response.body_reader

    async def chunk(self) -> bytes | None:
        """See `Answer.chunk`."""
        try:
            chunk = await self._reader.read_chunk()
        except PyreqwestError as error:
            raise StreamCut(f"the answer broke off: {_cause(error)}") from None
        return None if chunk is None else bytes(chunk)


class PyreqwestTransport:
    """Two connection pools: one that never uses a proxy for loopback, one that honours HTTPS_PROXY and NO_PROXY."""

    def __init__(self, *, connect_s: float) -> None:
        self._direct = _builder(connect_s).no_proxy().build()
        self._public = _builder(connect_s).build()

    @asynccontextmanager
    async def send(self, sending: Sending) -> AsyncIterator[Answer]:
        """See `Transport.send`."""
        request = (
            self._client(sending.url)
            .request(sending.method, sending.url)
            .headers(sending.headers)
            .body_bytes(sending.body)
            .streamed_read_buffer_limit(0)  # the default holds the head back until 64 KiB of body have come
            .build_streamed()
        )
        opened = False
        try:
            async with asyncio.timeout(sending.first_byte_s):
                response = await request.__aenter__()
            opened = True
        except TimeoutError:
            await request.__aexit__(None, None, None)
            raise FirstByteTimeout(f"{_host(sending.url)} sent nothing within {sending.first_byte_s:g} s") from None
        except PyreqwestError as error:
            raise ConnectFailed(f"no answer from {_host(sending.url)}: {_cause(error)}") from None
        try:
            yield PyreqwestAnswer(response)
        finally:
            if opened:
                await request.__aexit__(None, None, None)

    async def close(self) -> None:
        """Close both pools."""
        await self._direct.close()
        await self._public.close()

    def _client(self, url: str) -> Client:
        return self._direct if urlsplit(url).hostname in _LOOPBACK else self._public


def _builder(connect_s: float) -> ClientBuilder:
    """Bytes as they come: no decompression, no redirects (a credential must not follow one), no added headers."""
    return (
        ClientBuilder()
        .gzip(False)
        .brotli(False)
        .zstd(False)
        .deflate(False)
        .follow_redirects(False)
        .referer(False)
        .http1_lower_case_headers()
        .user_agent("lanewise")
        .connect_timeout(timedelta(seconds=connect_s))
        .pool_idle_timeout(timedelta(seconds=55))  # below the 60 s at which common load balancers drop idle peers
    )


def _readable(headers: HeaderMap) -> list[tuple[str, str]]:
    """All headers but those whose value is not ASCII, which the client library cannot hand out."""
    try:
        return list(headers.items())
    except ValueError:
        found: list[tuple[str, str]] = []
        for name in headers:
            try:
                found.extend((name, value) for value in headers.getall(name))
            except ValueError:
                continue
        return list(dict.fromkeys(found))


def _host(url: str) -> str:
    return urlsplit(url).netloc


def _cause(error: PyreqwestError) -> str:
    """The innermost cause that the client library names; its outer messages repeat the URL."""
    details = error.args[1] if len(error.args) > 1 else None
    causes = details.get("causes") if isinstance(details, dict) else None
    return str(causes[-1]["message"]) if causes else str(error.args[0] if error.args else error)
