"""Event streams: whole events come out as they went in, wherever the network cut them."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lanewise.wire.sse import HELD_LIMIT, Framer, data_of, event, events, name_of

LF = (
    b": a comment\n\n",
    b'event: first\ndata: {"a":1}\n\n',
    b"data: one\ndata: two\n\n",
    b"id: 7\nevent:second\nretry: 10\ndata:no space\n\n",
    b"data\n\n",
    b'data: {"text":"data: not a line"}\n\n',
    b"data: [DONE]\n\n",
)
STREAMS = {
    "LF": LF,
    "CRLF": tuple(e.replace(b"\n", b"\r\n") for e in LF),
    "CR": tuple(e.replace(b"\n", b"\r") for e in LF),
}
ENDINGS = pytest.mark.parametrize("sent", STREAMS.values(), ids=STREAMS.keys())


def framed(chunks: list[bytes]) -> tuple[list[bytes], bytes]:
    framer = Framer()
    blocks = [framer.feed(chunk) for chunk in chunks]
    return [block for block in blocks if block], framer.rest()


@ENDINGS
def test_a_cut_at_any_byte_changes_no_event(sent: tuple[bytes, ...]) -> None:
    stream = b"".join(sent)
    for cut in range(len(stream) + 1):
        blocks, rest = framed([stream[:cut], stream[cut:]])
        assert [e for block in blocks for e in events(block)] == list(sent), cut
        assert rest == b""


@ENDINGS
def test_byte_by_byte_each_event_comes_out_when_its_last_byte_is_in(sent: tuple[bytes, ...]) -> None:
    stream = b"".join(sent)
    blocks, rest = framed([stream[i : i + 1] for i in range(len(stream))])
    assert (blocks, rest) == (list(sent), b"")


@ENDINGS
@given(cuts=st.lists(st.integers(0, 400), max_size=10))
def test_any_cuts_keep_every_byte_in_order(sent: tuple[bytes, ...], cuts: list[int]) -> None:
    stream = b"".join(sent)
    places = [0, *sorted(min(cut, len(stream)) for cut in cuts), len(stream)]
    blocks, rest = framed([stream[a:b] for a, b in itertools.pairwise(places)])
    assert b"".join(blocks) == stream
    assert [e for block in blocks for e in events(block)] == list(sent)
    assert rest == b""


@ENDINGS
def test_fields_are_read_whatever_ends_the_lines(sent: tuple[bytes, ...]) -> None:
    assert [name_of(e) for e in sent] == [b"", b"first", b"", b"second", b"", b"", b""]
    assert [data_of(e) for e in sent] == [
        b"",
        b'{"a":1}',
        b"one\ntwo",
        b"no space",
        b"",
        b'{"text":"data: not a line"}',
        b"[DONE]",
    ]


def test_a_field_after_the_data_is_no_part_of_it() -> None:
    assert data_of(b"data: {}\nid: 3\n\n") == b"{}"
    assert data_of(b"data: {}\r\nid: 3\r\n\r\n") == b"{}"
    assert data_of(b": data: none\nid: 3\n\n") == b""


def test_half_an_event_is_held_back_and_told_as_the_rest() -> None:
    assert framed([b"data: 1\n\ndata: 2"]) == ([b"data: 1\n\n"], b"data: 2")


def test_a_giant_event_passes_in_pieces_and_says_so() -> None:
    framer = Framer()
    piece = b"x" * (1 << 20)
    out = [framer.feed(b"data: " + piece)]
    while not out[-1]:
        out.append(framer.feed(piece))
    assert len(out) << 20 <= HELD_LIMIT
    assert framer.torn
    assert framer.feed(b"y") == b""
    assert framer.torn
    assert framer.feed(b"\n\n") == b"y\n\n"
    assert not framer.torn
    assert framer.rest() == b""


def test_a_written_event_reads_back() -> None:
    assert events_of(event("error", b"{}") + event("", b"1") + b": still here\n\n") == [
        (b"error", b"{}"),
        (b"", b"1"),
        (b"", b""),
    ]


def events_of(block: bytes) -> list[tuple[bytes, bytes]]:
    return [(name_of(e), data_of(e)) for e in events(block)]
