"""What is read off an answer while it passes: usage, stop reason, and whether it came to its proper end.

The relay feeds whole events and sends on what `feed` returns, which is the same bytes unless the dialect's meter
hides a chunk that only we had asked for. Knows no dialect; one subclass lives in each dialect's file.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

from lanewise.journey import Usage, Value


class Facts(Value, frozen=True, kw_only=True):
    """What a whole (not streamed) answer says of itself."""

    usage: Usage | None = None
    stop_reason: str = ""


class Meter(ABC):
    """Base of the dialects' stream meters."""

    def __init__(self) -> None:
        self.usage: Usage | None = None
        """As reported so far; None until something was."""
        self.stop_reason = ""
        self.ended = False
        """The dialect's terminal event was seen (or an error event, which is an honest end too)."""
        self.error = ""
        """Code of an error that the upstream itself sent inside the stream."""
        self.text_bytes = 0
        """Bytes of the events that carry generated content: the base of an estimate where no usage comes."""

    @abstractmethod
    def feed(self, block: bytes) -> bytes:
        """Read a block of whole events; return the bytes to send on."""

    def last_words(self) -> tuple[int, bytes]:
        """(last sequence number, first response object) for dialects whose error events must continue both."""
        return 0, b""


COUNT_LIMIT = 1 << 40
"""A trillion tokens in one call are a mistake of the upstream's; sums of them must fit 64 bits."""


def count(value: int | None) -> int:
    """A token count; providers send null for none, and some local servers negative or absurd ones."""
    return value if value is not None and 0 < value < COUNT_LIMIT else 0
