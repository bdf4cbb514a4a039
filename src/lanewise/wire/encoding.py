"""Decodes bodies: what clients compress, within a limit, so that a bomb costs no more than it; and streamed answers.

Codex sends zstd under ChatGPT sign-in; gzip, deflate and br occur in SDK middlewares. Knows nothing of JSON.
"""

from __future__ import annotations

import io
import zlib
from collections.abc import Callable, Iterator

import brotli
import zstandard

from lanewise.errors import BodyTooLarge, MalformedBody, StreamCut, UnsupportedEncoding

CHUNK = 1 << 16

CODINGS = 4
"""Codings that a body may have on top of each other; real clients use one."""

GZIP_MEMBERS = 4096
"""Members of one gzip body: block-wise writers make one per 64 KiB, and each costs its reader a new decoder."""


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
    if len(names) > CODINGS:
        raise UnsupportedEncoding(f"{len(names)} content-encodings stand on top of each other", hint="use one or none")
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


def stream_decoder(content_encoding: str) -> Callable[[bytes], bytes] | None:
    """Undoes the coding of a streamed answer piece by piece; None where it has none.

    Raises:
        StreamCut: A coding nobody here knows; the function it returns raises it where the bytes are not valid.
    """
    name = content_encoding.strip().lower()
    if name in {"", "identity"}:
        return None
    if name not in _STREAM_DECODERS:
        raise StreamCut(f"the answer has the content-encoding {name!r}, which was not asked for")
    decode = _STREAM_DECODERS[name]()

    def readable(piece: bytes) -> bytes:
        try:
            return decode(piece)
        except (zlib.error, brotli.error, zstandard.ZstdError) as error:
            raise StreamCut(f"the answer is not valid {name}: {error}") from None

    return readable


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


def _zlib(body: bytes, wbits: int, *, members: int) -> Iterator[bytes]:
    """Up to `members` streams on end, fed in slices: the decoder copies what it has not consumed."""
    decoder = zlib.decompressobj(wbits)
    fed, pending = 0, b""
    while True:
        if not pending:
            pending = body[fed : fed + CHUNK]
            fed += len(pending)
        chunk = decoder.decompress(pending, CHUNK)
        yield chunk
        if not decoder.eof:
            pending = decoder.unconsumed_tail
            if not (pending or chunk or fed < len(body)):
                raise EOFError("it ends too early")
            continue
        pending = decoder.unused_data
        if not pending and fed >= len(body):
            return
        members -= 1
        if not members:
            raise EOFError("bytes follow its end")
        decoder = zlib.decompressobj(wbits)


def _gzip(body: bytes) -> Iterator[bytes]:
    return _zlib(body, 16 + zlib.MAX_WBITS, members=GZIP_MEMBERS)


def _deflate(body: bytes) -> Iterator[bytes]:
    """Both readings of `deflate` are in the wild: zlib-wrapped (the standard) and raw."""
    wrapped = len(body) >= 2 and body[0] & 0x0F == 8 and int.from_bytes(body[:2]) % 31 == 0
    return _zlib(body, zlib.MAX_WBITS if wrapped else -zlib.MAX_WBITS, members=1)


def _brotli(body: bytes) -> Iterator[bytes]:
    decoder = brotli.Decompressor()
    chunk = decoder.process(body, output_buffer_limit=CHUNK)
    yield chunk
    while not decoder.is_finished():  # all input may be consumed while output is still held back
        chunk = decoder.process(b"", output_buffer_limit=CHUNK)
        if not chunk and not decoder.is_finished():
            raise EOFError("it ends too early")
        yield chunk


def _zstd(body: bytes) -> Iterator[bytes]:
    _check_frames(body)
    with zstandard.ZstdDecompressor(max_window_size=1 << 27).stream_reader(
        io.BytesIO(body), read_across_frames=True
    ) as reader:
        while chunk := reader.read(CHUNK):
            yield chunk


def _check_frames(body: bytes) -> None:
    """Walk over the blocks of all frames (RFC 8878 section 3.1.1): the reader takes a torn frame for its end."""
    at = 0
    while at < len(body) or not body:
        head = body[at : at + 18]  # the longest frame header
        if head[1:4] == b"\x2a\x4d\x18" and head[0] >> 4 == 5:  # a skippable frame: magic, length, that many bytes
            at += 8 + int.from_bytes(head[4:8], "little")
            continue
        at += zstandard.frame_header_size(head)
        last = False
        while not last:
            block = int.from_bytes(body[at : at + 3], "little")
            last, run_length = bool(block & 1), block >> 1 & 3 == 1
            at += 3 + (1 if run_length else block >> 3)
            if at > len(body):
                raise EOFError("it ends too early")
        at += 4 if zstandard.get_frame_parameters(head).has_checksum else 0
    if at > len(body):
        raise EOFError("it ends too early")


_DECODERS: dict[str, Callable[[bytes], Iterator[bytes]]] = {
    "gzip": _gzip,
    "x-gzip": _gzip,
    "deflate": _deflate,
    "br": _brotli,
    "zstd": _zstd,
}

_STREAM_DECODERS: dict[str, Callable[[], Callable[[bytes], bytes]]] = {
    "gzip": lambda: zlib.decompressobj(16 + zlib.MAX_WBITS).decompress,
    "deflate": lambda: zlib.decompressobj().decompress,
    "br": lambda: brotli.Decompressor().process,
    "zstd": lambda: zstandard.ZstdDecompressor().decompressobj().decompress,
}
