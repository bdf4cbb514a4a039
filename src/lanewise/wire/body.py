"""Reads the top level of a JSON body without decoding it, and changes it by splicing bytes.

An agent resends its whole conversation on every step, so a body is looked at once and never re-serialised: the
walk below finds where each top-level value lies, and a change replaces just those bytes. It knows no dialect.
"""

from __future__ import annotations

import json
import re
from typing import TypeVar

import msgspec

from lanewise.errors import DuplicateKey, MalformedBody

ROUTING_KEYS = frozenset({"model", "stream", "messages", "input", "tools", "max_tokens", "stream_options"})
"""Keys that must not stand twice: the reader upstream could pick the other one. Others pass as they are."""

T = TypeVar("T", str, bool)
_SPACE = re.compile(rb"[ \t\r\n]*")
_KEY = re.compile(rb'[ \t\r\n]*,?[ \t\r\n]*"([^"\\]*)"[ \t\r\n]*:[ \t\r\n]*')
"""A key without escapes, up to its value. The body is known to be JSON where this is used."""
_SHAPE = msgspec.json.Decoder(dict[str, msgspec.Raw])
_STRING = msgspec.json.Decoder(str | None)
_BOOLEAN = msgspec.json.Decoder(bool | None)
_INTEGER = msgspec.json.Decoder(int)


class TopLevel:
    """The top-level values of a JSON object, undecoded, with their byte spans in the body."""

    __slots__ = ("body", "raw", "spans")

    def __init__(self, body: bytes) -> None:
        """Find the values of `body`.

        Raises:
            MalformedBody: It is not one JSON object.
            DuplicateKey: A routing key stands twice.
        """
        try:
            self.raw: dict[str, msgspec.Raw] = _SHAPE.decode(body)
            self.spans = _walk(body, self.raw)
        except msgspec.ValidationError:
            raise MalformedBody("the body is JSON but not an object", hint="send a JSON object") from None
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise MalformedBody(f"the body is not JSON: {error}", hint="send a JSON object in UTF-8") from None
        except RecursionError:
            raise MalformedBody("the body is nested too deeply", hint="send fewer than 500 levels") from None
        self.body = body

    def value(self, key: str) -> msgspec.Raw | None:
        """The undecoded value of `key`, None where it is absent."""
        return self.raw.get(key)

    def string(self, key: str) -> str:
        """The string at `key`, empty where it is absent or null.

        Raises:
            MalformedBody: It is something else.
        """
        return self._typed(key, _STRING, "a string") or ""

    def boolean(self, key: str) -> bool:
        """The boolean at `key`, False where it is absent or null.

        Raises:
            MalformedBody: It is something else.
        """
        return self._typed(key, _BOOLEAN, "true or false") or False

    def integer(self, key: str) -> int | None:
        """The integer at `key`; None where there is none, since no routing depends on it."""
        raw = self.raw.get(key)
        if raw is None:
            return None
        try:
            return _INTEGER.decode(raw)
        except msgspec.MsgspecError:
            return None

    def _typed(self, key: str, decoder: msgspec.json.Decoder[T | None], name: str) -> T | None:
        raw = self.raw.get(key)
        if raw is None:
            return None
        try:
            return decoder.decode(raw)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            raise MalformedBody(f"`{key}` in the body must be {name}", hint="see the provider's reference") from None


def _walk(body: bytes, raw: dict[str, msgspec.Raw]) -> dict[str, tuple[int, int]]:
    """Byte spans of the values: keys are read one by one, each value is skipped by its known length.

    A key that stands twice is known by its last value only. Either the bytes at its first place differ, or the key
    is met again; both lead to the slow reader, which tells exactly what is doubled. Comparing every value (a memcmp)
    keeps the walk aligned, whatever a hostile body makes of the lengths. An escaped key goes the slow way too.
    """
    spans: dict[str, tuple[int, int]] = {}
    position = body.index(b"{") + 1
    while found := _KEY.match(body, position):
        key, start = found[1].decode(), found.end()
        value = raw.get(key)
        if key in spans or value is None or not body.startswith(memoryview(value), start):
            return _walk_slowly(body)
        position = start + memoryview(value).nbytes
        spans[key] = (start, position)
    return spans if body[_after_space(body, position)] == 0x7D else _walk_slowly(body)


def _walk_slowly(body: bytes) -> dict[str, tuple[int, int]]:
    """The same spans by decoding every value; in Latin-1, where a character is a byte, offsets stay byte offsets."""
    text = body.decode("latin-1")
    decoder = json.JSONDecoder(parse_int=str, parse_float=str)  # a long number is no reason to fail
    spans: dict[str, tuple[int, int]] = {}
    position = body.index(b"{") + 1
    while True:
        position = _after_space(body, position)
        if body[position] == 0x2C:
            position = _after_space(body, position + 1)
        if body[position] == 0x7D:
            return spans
        end = _string_end(body, position)
        key = msgspec.json.decode(body[position:end], type=str)
        position = _after_space(body, _after_space(body, end) + 1)
        _, stop = decoder.raw_decode(text, position)
        if key in spans and key in ROUTING_KEYS:
            raise DuplicateKey(f"`{key}` stands twice in the body", hint="send each key once")
        spans[key] = (position, stop)
        position = stop


def _after_space(body: bytes, position: int) -> int:
    if body[position] > 0x20:
        return position
    match = _SPACE.match(body, position)
    return match.end() if match else position


def _string_end(body: bytes, start: int) -> int:
    """Offset after the closing quote of the string that opens at `start`."""
    position = start + 1
    while True:
        position = body.index(b'"', position)
        backslashes = 0
        while body[position - 1 - backslashes] == 0x5C:
            backslashes += 1
        position += 1
        if backslashes % 2 == 0:
            return position


def replaced(body: bytes, span: tuple[int, int], value: object) -> bytes:
    """`body` with the bytes of `span` replaced by the JSON of `value`; every other byte stays."""
    start, stop = span
    view = memoryview(body)  # slices of it are not copies
    return b"".join((view[:start], msgspec.json.encode(value), view[stop:]))


def with_key(body: bytes, key: str, value: object) -> bytes:
    """`body`, which lacks `key`, with it added as the first of its object."""
    start = body.index(b"{") + 1
    comma = b"" if body[_after_space(body, start)] == 0x7D else b","
    return b"".join((body[:start], msgspec.json.encode(key), b":", msgspec.json.encode(value), comma, body[start:]))
