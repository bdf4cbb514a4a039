"""Server-sent events at the granularity of whole events, whatever the sizes in which their bytes arrive.

A relay that forwards whole events can add a keep-alive or an error between any two of them, and a stream that is
cut in the middle of an event never shows its torn half to the client. Half an event is of no use to a client, so
nothing is delayed by waiting for the rest. Knows no dialect.
"""

from __future__ import annotations

from collections.abc import Iterator

HELD_LIMIT = 8 << 20
"""An event larger than this (8 MiB) is passed on in pieces rather than held: memory stays bounded."""


class Framer:
    """Cuts a byte stream after the last complete event it holds."""

    __slots__ = ("_held", "_searched", "torn")

    def __init__(self) -> None:
        self._held = bytearray()
        self._searched = 0
        self.torn = False
        """What was returned last ends in the middle of an event: nothing of ours may follow it."""

    def feed(self, chunk: bytes) -> bytes:
        """Add `chunk`; return all complete events not returned before, exactly as received."""
        if not self._held and chunk.endswith(b"\n\n"):
            self.torn = False
            return chunk
        held = self._held
        held += chunk
        end = _last_boundary(held, self._searched)
        if end < 0:
            self._searched = max(0, len(held) - 3)
            if len(held) < HELD_LIMIT:
                return b""
        self.torn = end < 0
        if self.torn:
            end = len(held)
        events = bytes(held[:end])
        del held[:end]
        self._searched = max(0, len(held) - 3)
        return events

    def rest(self) -> bytes:
        """What follows the last complete event: empty at a clean end."""
        return bytes(self._held)


def _last_boundary(held: bytearray, start: int) -> int:
    """Offset after the last blank line at or after `start`, -1 if there is none. Lines may end LF, CRLF or CR."""
    end = -1
    for mark in (b"\n\n", b"\n\r\n", b"\r\r"):
        found = held.rfind(mark, start)
        if found >= 0:
            end = max(end, found + len(mark))
    return end


def events(block: bytes) -> Iterator[bytes]:
    """The events of a block of complete events, each with its terminating blank line."""
    if b"\r" not in block:
        start = 0
        while (end := block.find(b"\n\n", start)) >= 0:
            yield block[start : end + 2]
            start = end + 2
        if start < len(block):
            yield block[start:]
        return
    current = bytearray()
    for line in block.splitlines(keepends=True):
        current += line
        if not line.strip(b"\r\n"):
            yield bytes(current)
            current = bytearray()
    if current:
        yield bytes(current)


def name_of(event: bytes) -> bytes:
    """The value of the event's `event:` field, empty where it has none."""
    if event.startswith(b"event:"):
        return event[6:].partition(b"\n")[0].partition(b"\r")[0].strip()
    for line in event.splitlines():
        if line.startswith(b"event:"):
            return line[6:].strip()
    return b""


def data_of(event: bytes) -> bytes:
    """The event's data: its `data:` lines joined by newlines."""
    start = event.find(b"data:")
    if event.count(b"data:") == 1 and (start == 0 or event[start - 1] in b"\r\n"):
        return event[start + 5 :].partition(b"\n")[0].partition(b"\r")[0].strip()
    return b"\n".join(line[5:].removeprefix(b" ") for line in event.splitlines() if line.startswith(b"data:"))


def event(name: str, data: bytes) -> bytes:
    """One event; an empty `name` writes no `event:` line."""
    head = f"event: {name}\n".encode() if name else b""
    return head + b"data: " + data + b"\n\n"
