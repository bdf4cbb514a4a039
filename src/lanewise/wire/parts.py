"""What every dialect's reader finds in a body, and the tolerant pieces they share. Knows no dialect."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from typing import TypeVar

import msgspec

from lanewise.journey import Message, Value

RECENT = 6
"""Messages kept from the end: the last task's request and its latest tool results, without the history."""

TEXT_HEAD = 4096
TEXT_TAIL = 4096
"""Characters kept of a long text. Classification reads 600; the rest is room for harness text around it."""

SYSTEM_HEAD = 600
"""Characters kept of each system text: sentinels are openings."""

SYSTEM_TEXTS = 6

T = TypeVar("T")


class Parts(Value, frozen=True, kw_only=True):
    """What a dialect's body holds, in the terms of `Request`."""

    max_tokens: int | None = None
    include_usage: bool | None = None
    tool_names: tuple[str, ...] = ()
    system: tuple[str, ...] = ()
    first_user: Message | None = None
    recent: tuple[Message, ...] = ()
    message_count: int = 0
    output_schema_keys: tuple[str, ...] = ()
    session_hint: str = ""


def tolerant(raw: msgspec.Raw | None, decoder: msgspec.json.Decoder[T], default: T) -> T:
    """`raw` decoded, or `default` where it is absent or of another shape."""
    if raw is None:
        return default
    try:
        return decoder.decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return default


def trimmed(text: str) -> str:
    """Head and tail of a long text; a short one as it is."""
    if len(text) <= TEXT_HEAD + TEXT_TAIL:
        return text
    return f"{text[:TEXT_HEAD]}\n[...]\n{text[-TEXT_TAIL:]}"


def call_mark(name: str, arguments: bytes | memoryview) -> int:
    """A number for a call, the same for the same bytes; two different calls of six share one once in a billion."""
    return zlib.crc32(arguments, zlib.crc32(name.encode("utf-8", "replace")))


def ends(
    raws: Sequence[msgspec.Raw], read: Callable[[msgspec.Raw], Message]
) -> tuple[tuple[str, ...], Message | None, tuple[Message, ...]]:
    """System texts that open the list, the first user message, and the last messages, reading no more than these."""
    system: list[str] = []
    first_user = None
    for raw in raws[:SYSTEM_TEXTS]:
        message = read(raw)
        if message.role in {"system", "developer"}:
            system.append(message.text[:SYSTEM_HEAD])
        elif message.role == "user":
            first_user = message
            break
    return tuple(system), first_user, tuple(read(raw) for raw in raws[-RECENT:])


def schema_keys(schema: object) -> tuple[str, ...]:
    """Property names of a JSON schema; empty for anything else."""
    properties = schema.get("properties") if isinstance(schema, dict) else None
    return tuple(str(key) for key in properties) if isinstance(properties, dict) else ()
