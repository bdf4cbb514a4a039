"""Decodes request bodies that clients compress, within a limit, so that a bomb costs no more than the limit.

Codex sends zstd under ChatGPT sign-in; gzip, deflate and br occur in SDK middlewares. Knows nothing of JSON.
"""

from __future__ import annotations

import io
import zlib
from collections.abc import Callable, Iterator

import brotli
import zstandard

from lanewise.errors import BodyTooLarge, MalformedBody, UnsupportedEncoding

CHUNK = 1 << 16


def decoded(body: bytes, content_encoding: str, *, limit: int) -> bytes:
    """`body` after undoing all its content-encodings (comma list, last applied first).

    Args:
        body: As received.
        content_encoding: The header's value; empty or ``identity`` returns `body` itself.
        limit: Largest size of the result in bytes.

    Raises:
        UnsupportedEncoding: An encoding that is not gzip, deflate, br or zstd.
        BodyTooLarge: The result would exceed `limit`; at most one chunk more than it was decoded.
        MalformedBody: The bytes are not what the header says.
    """
    names = [name.strip().lower() for name in content_encoding.split(",") if name.strip()]
    for name in reversed(names):
        if name == "identity":
            continue
        decode = _DECODERS.get(name)
        if decode is None:
            raise UnsupportedEncoding(
                f"content-encoding {name!r} is not supported", hint="use gzip, deflate, br, zstd or none"
            )
        body = _bounded(decode(body), name, limit)
    return body


def _bounded(chunks: Iterator[bytes], name: str, limit: int) -> bytes:
    parts: list[bytes] = []
    size = 0
    try:
        for chunk in chunks:
            size += len(chunk)
            if size > limit:
                raise BodyTooLarge(
                    f"the body is larger than {limit >> 20} MiB once its {name} encoding is undone",
                    hint="raise server.max_body_mb if this is meant",
                )
            parts.append(chunk)
    except (zlib.error, brotli.error, zstandard.ZstdError, EOFError) as error:
        what = f"the body is not valid {name}: {error}"
        raise MalformedBody(what, hint="check the content-encoding header") from None
    return b"".join(parts)


def _zlib(body: bytes, wbits: int) -> Iterator[bytes]:
    decoder = zlib.decompressobj(wbits)
    pending = body
    while pending and not decoder.eof:
        yield decoder.decompress(pending, CHUNK)
        pending = decoder.unconsumed_tail
    if not decoder.eof:
        raise EOFError("it ends too early")


def _gzip(body: bytes) -> Iterator[bytes]:
    return _zlib(body, 16 + zlib.MAX_WBITS)


def _deflate(body: bytes) -> Iterator[bytes]:
    """Both readings of `deflate` are in the wild: zlib-wrapped (the standard) and raw."""
    wrapped = len(body) >= 2 and body[0] & 0x0F == 8 and int.from_bytes(body[:2]) % 31 == 0
    return _zlib(body, zlib.MAX_WBITS if wrapped else -zlib.MAX_WBITS)


def _brotli(body: bytes) -> Iterator[bytes]:
    decoder = brotli.Decompressor()
    yield decoder.process(body, output_buffer_limit=CHUNK)
    while not decoder.can_accept_more_data():
        yield decoder.process(b"", output_buffer_limit=CHUNK)
    if not decoder.is_finished():
        raise EOFError("it ends too early")


def _zstd(body: bytes) -> Iterator[bytes]:
    with zstandard.ZstdDecompressor(max_window_size=1 << 27).stream_reader(
        io.BytesIO(body), read_across_frames=True
    ) as reader:
        while chunk := reader.read(CHUNK):
            yield chunk


_DECODERS: dict[str, Callable[[bytes], Iterator[bytes]]] = {
    "gzip": _gzip,
    "x-gzip": _gzip,
    "deflate": _deflate,
    "br": _brotli,
    "zstd": _zstd,
}
