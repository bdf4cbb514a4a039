"""Compressed bodies: every coding undone exactly, and no body, however made, costs more than its limit."""

from __future__ import annotations

import gzip
import tracemalloc
import zlib
from collections.abc import Callable

import brotli
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from lanewise.errors import BodyTooLarge, LanewiseError, MalformedBody, UnsupportedEncoding
from lanewise.wire.encoding import CODINGS, GZIP_MEMBERS, decoded

MIB = 1 << 20


def raw_deflate(data: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(data) + packer.flush()


def streamed_zstd(data: bytes) -> bytes:
    """No size in its header, and a checksum: what streaming writers send."""
    packer = zstandard.ZstdCompressor(write_checksum=True, write_content_size=False).compressobj()
    return packer.compress(data) + packer.flush()


PACKERS: dict[str, tuple[str, Callable[[bytes], bytes]]] = {
    "gzip": ("gzip", gzip.compress),
    "x-gzip": ("x-gzip", gzip.compress),
    "deflate with its wrapper": ("deflate", zlib.compress),
    "deflate without it": ("deflate", raw_deflate),
    "br": ("br", lambda data: brotli.compress(data, quality=5)),
    "zstd": ("zstd", zstandard.ZstdCompressor().compress),
    "zstd as streamed": ("zstd", streamed_zstd),
}
CODED = pytest.mark.parametrize(("name", "pack"), PACKERS.values(), ids=PACKERS.keys())
# Around the decoder's own chunk size, where an end that was already read is easily taken for none.
SIZES = [0, 1, 65535, 65536, 65537, 131072, 131073, 400_000]


@CODED
@pytest.mark.parametrize("size", SIZES)
def test_a_body_comes_back_as_it_was_before_its_coding(name: str, pack: Callable[[bytes], bytes], size: int) -> None:
    for filling in (b"a", b"ab", b'{"model":"m"}'):
        data = (filling * size)[:size]
        assert decoded(pack(data), name, limit=MIB) == data


@CODED
@given(data=st.binary(max_size=2000))
def test_any_bytes_come_back(name: str, pack: Callable[[bytes], bytes], data: bytes) -> None:
    assert decoded(pack(data), name.upper(), limit=MIB) == data


def test_without_a_coding_the_body_is_the_same_object() -> None:
    body = b"{}"
    assert decoded(body, "", limit=10) is body
    assert decoded(body, "identity", limit=10) is body


@pytest.mark.parametrize(
    ("name", "pack"),
    [("gzip", gzip.compress), ("zstd", zstandard.ZstdCompressor().compress), ("zstd", streamed_zstd)],
    ids=["gzip", "zstd", "zstd streamed"],
)
def test_members_that_follow_each_other_are_one_body(name: str, pack: Callable[[bytes], bytes]) -> None:
    assert decoded(pack(b"one ") + pack(b"") + pack(b"two"), name, limit=100) == b"one two"


def test_a_skippable_zstd_frame_is_skipped() -> None:
    skippable = b"\x50\x2a\x4d\x18" + (5).to_bytes(4, "little") + b"hello"
    pack = zstandard.ZstdCompressor().compress
    assert decoded(pack(b"one ") + skippable + pack(b"two"), "zstd", limit=100) == b"one two"


def test_codings_on_top_of_each_other_are_undone_last_one_first() -> None:
    data = b"some text " * 50
    packed = zstandard.ZstdCompressor().compress(brotli.compress(gzip.compress(data)))
    assert decoded(packed, "gzip, br ,identity,ZSTD", limit=MIB) == data


def test_more_codings_than_anybody_needs_are_refused() -> None:
    with pytest.raises(UnsupportedEncoding, match="5 content-encodings"):
        decoded(b"", ",".join(["gzip"] * (CODINGS + 1)), limit=10)


@pytest.mark.parametrize("name", ["compress", "gzipp", "dcb", "aes128gcm"])
def test_a_coding_nobody_here_knows_is_refused_by_its_name(name: str) -> None:
    with pytest.raises(UnsupportedEncoding, match=f"'{name}'"):
        decoded(b"", name, limit=10)


@CODED
def test_the_limit_is_exact(name: str, pack: Callable[[bytes], bytes]) -> None:
    data = b"x" * 3 * MIB
    assert decoded(pack(data), name, limit=3 * MIB) == data
    with pytest.raises(BodyTooLarge, match="larger than 3 MiB once"):
        decoded(pack(data + b"x"), name, limit=3 * MIB)


BOMBS: dict[str, tuple[str, Callable[[bytes], bytes]]] = {
    **PACKERS,
    "gzip in members": ("gzip", lambda data: gzip.compress(data[: len(data) // 64]) * 64),
    "gzip twice": ("gzip, gzip", lambda data: gzip.compress(gzip.compress(data))),
    "br in zstd": ("br, zstd", lambda data: zstandard.ZstdCompressor().compress(brotli.compress(data, quality=1))),
}


@pytest.mark.parametrize(("name", "pack"), BOMBS.values(), ids=BOMBS.keys())
def test_a_bomb_costs_little_more_memory_than_the_limit(name: str, pack: Callable[[bytes], bytes]) -> None:
    bomb = pack(bytes(64 * MIB))
    tracemalloc.start()
    try:
        with pytest.raises(BodyTooLarge):
            decoded(bomb, name, limit=4 * MIB)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 4 * MIB + len(bomb) + 2 * MIB


@CODED
@pytest.mark.parametrize("cut", [1, 3, 9])
def test_a_torn_body_is_refused(name: str, pack: Callable[[bytes], bytes], cut: int) -> None:
    packed = pack(bytes(range(256)) * 40)
    with pytest.raises(MalformedBody, match="is not valid"):
        decoded(packed[:-cut], name, limit=MIB)


@pytest.mark.parametrize("name", ["gzip", "br", "zstd", "deflate"])
@pytest.mark.parametrize(
    "body", [b"", b'{"model":"m"}', b"\x1f\x8b\x08", b"(\xb5/\xfd"], ids=["none", "json", "gz", "zs"]
)
def test_bytes_that_are_not_what_the_header_says_are_refused(name: str, body: bytes) -> None:
    with pytest.raises(MalformedBody, match=f"not valid {name}"):
        decoded(body, name, limit=MIB)


@CODED
def test_bytes_after_the_end_are_refused(name: str, pack: Callable[[bytes], bytes]) -> None:
    with pytest.raises(MalformedBody):
        decoded(pack(b"hello") + b"more", name, limit=MIB)


def test_gzip_of_very_many_members_is_refused_before_it_costs_much() -> None:
    with pytest.raises(MalformedBody, match="bytes follow its end"):
        decoded(gzip.compress(b"") * (GZIP_MEMBERS + 1), "gzip", limit=MIB)


@given(st.sampled_from(["gzip", "deflate", "br", "zstd"]), st.binary(max_size=300), st.integers(0, 40))
def test_broken_bytes_raise_only_our_own_errors(name: str, data: bytes, place: int) -> None:
    packed = bytearray(dict(PACKERS.values())[name](data))
    packed[place % len(packed)] ^= 0x55
    try:
        decoded(bytes(packed), name, limit=MIB)
    except LanewiseError as error:
        assert error.code in {"malformed_body", "body_too_large"}
