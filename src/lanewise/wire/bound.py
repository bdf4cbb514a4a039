"""State in a request that only the provider that made it can read: thinking signatures, encrypted reasoning, ids.

Found as JSON tokens in the bytes, without parsing: inside a text their quotes would be escaped. A tool's argument of
the same name counts too; that keeps a conversation where it is, which breaks nothing.
"""

from __future__ import annotations

import re

from lanewise.journey import Dialect, Value

_FILLED = re.compile(rb'\s*:\s*"[^"]')
"""After a key: a string that is not empty."""

_HOUR = re.compile(rb'"ttl"\s*:\s*"1h"')
_MARK_BYTES = 80
"""In which a mark states its time to live. The first mark stands for all: clients use one time, and bodies are long."""

_SEALED: dict[Dialect, tuple[bytes, ...]] = {
    "messages": (b'"signature"', b'"redacted_thinking"'),
    "chat": (b'"encrypted_content"', b'"thoughtSignature"', b'"thought_signature"', b'"signature"'),
    "responses": (b'"encrypted_content"',),
    "gemini": (b'"thoughtSignature"', b'"thought_signature"'),
}


class Bound(Value, frozen=True, kw_only=True):
    """What ties a request to who answered before."""

    sealed: bool = False
    """Thinking or reasoning that only its maker can read is replayed: another vendor would refuse or ignore it."""
    previous_response: bool = False
    """The conversation so far lies at the provider."""
    marks_cache: bool = False
    """The client marks its prompt for the provider's cache."""
    marks_hour: bool = False
    """It asks for the long time to live."""


def bound(dialect: Dialect, plain: bytes) -> Bound:
    """What ties a request with this readable body."""
    mark = plain.find(b'"cache_control"') if dialect == "messages" else -1
    return Bound(
        marks_cache=mark >= 0,
        marks_hour=mark >= 0 and _HOUR.search(plain, mark, mark + _MARK_BYTES) is not None,
        sealed=any(_holds(plain, key) for key in _SEALED[dialect]),
        previous_response=dialect == "responses" and _holds(plain, b'"previous_response_id"'),
    )


def _holds(plain: bytes, key: bytes) -> bool:
    at = plain.find(key)
    if key == b'"redacted_thinking"':
        return at >= 0  # the value of a `type`, not a key
    while at >= 0:
        if _FILLED.match(plain, at + len(key)):
            return True
        at = plain.find(key, at + len(key))
    return False
