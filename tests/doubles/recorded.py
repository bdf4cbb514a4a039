"""An HTTP/1.1 request as it stood on the wire, and the parser that cuts a byte stream into such requests.

Written by hand because a library would tidy up what the tests are about: the order and spelling of headers, the
exact bytes of a body. It reads what clients send and knows no responses.
"""

from __future__ import annotations

import gzip
import json
import zlib
from typing import Any

import brotli
import msgspec
import zstandard


class Recorded(msgspec.Struct, frozen=True, kw_only=True):
    """One request that arrived whole."""

    number: int
    """1 for the first of its server."""
    method: str
    target: str
    headers: tuple[tuple[str, str], ...]
    """As spelled and ordered by the sender."""
    body: bytes
    """After the transfer coding, before the content coding."""

    @property
    def path(self) -> str:
        return self.target.partition("?")[0]

    def header(self, name: str) -> str:
        """The values of `name` in any case, joined by a comma; empty where it is absent."""
        return ", ".join(value for key, value in self.headers if key.lower() == name.lower())

    @property
    def plain(self) -> bytes:
        """The body without its content coding."""
        match self.header("content-encoding"):
            case "":
                return self.body
            case "gzip":
                return gzip.decompress(self.body)
            case "deflate":
                return zlib.decompress(self.body)
            case "br":
                return bytes(brotli.decompress(self.body))
            case "zstd":
                return zstandard.ZstdDecompressor().decompressobj().decompress(self.body)
            case other:
                raise AssertionError(f"request {self.number} has content-encoding {other!r}")

    @property
    def json(self) -> Any:
        """The body as an object of a stranger's making; an empty object where there is none."""
        return json.loads(self.plain) if self.body else {}


class RequestParser:
    """Bytes in, whole requests out. An upgrade to another protocol is a request like any other: nobody grants it."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._count = 0

    def feed(self, data: bytes) -> list[Recorded]:
        self._buffer += data
        found = []
        while (request := self._next()) is not None:
            found.append(request)
        return found

    def _next(self) -> Recorded | None:
        head_end = self._buffer.find(b"\r\n\r\n")
        if head_end < 0:
            return None
        request_line, *lines = bytes(self._buffer[:head_end]).decode("latin-1").split("\r\n")
        method, target, _ = request_line.split(" ")
        pairs = (line.partition(":") for line in lines)
        headers = tuple((name, value.strip(" \t")) for name, _, value in pairs)
        fields = {name.lower(): value for name, value in headers}
        start = head_end + 4
        if fields.get("transfer-encoding", "").lower() == "chunked":
            body, end = _chunked(self._buffer, start)
        else:
            end = start + int(fields.get("content-length", "0"))
            body = bytes(self._buffer[start:end])
        if end is None or len(self._buffer) < end:
            return None
        del self._buffer[:end]
        self._count += 1
        return Recorded(number=self._count, method=method, target=target, headers=headers, body=body)


def _chunked(buffer: bytearray, at: int) -> tuple[bytes, int | None]:
    """The body that begins at `at` and where it ends, None while it is incomplete. Trailers are not expected."""
    body = bytearray()
    while (line_end := buffer.find(b"\r\n", at)) >= 0:
        size = int(bytes(buffer[at:line_end]).partition(b";")[0], 16)
        at = line_end + 2 + size + 2
        if len(buffer) < at:
            break
        if size == 0:
            return bytes(body), at
        body += buffer[line_end + 2 : at - 2]
    return b"", None
