"""Anthropic Messages: what routing reads of a request, and usage and end of its answers."""

from __future__ import annotations

import msgspec

from lanewise.journey import Message, Usage
from lanewise.wire.body import TopLevel
from lanewise.wire.meter import Facts, Meter, count
from lanewise.wire.parts import SYSTEM_HEAD, SYSTEM_TEXTS, Parts, call_mark, ends, schema_keys, tolerant, trimmed
from lanewise.wire.sse import data_of, events, name_of


class _Block(msgspec.Struct):
    type: str = ""
    text: str = ""
    name: str = ""
    is_error: bool | None = None
    input: msgspec.Raw = msgspec.Raw(b"")
    content: msgspec.Raw = msgspec.Raw(b"")


class _Message(msgspec.Struct):
    role: str = ""
    content: str | list[_Block] = ""


class _Tool(msgspec.Struct):
    name: str = ""
    type: str | None = None


class _Metadata(msgspec.Struct):
    user_id: str | None = None


class _Ids(msgspec.Struct):
    session_id: str = ""


class _Format(msgspec.Struct):
    schema: object = None


class _OutputConfig(msgspec.Struct):
    format: _Format | None = None


DELTA_FRAME_BYTES = 114
"""Names and braces around the text of a `content_block_delta`, as Anthropic writes it."""

_RAWS = msgspec.json.Decoder(list[msgspec.Raw])
_MESSAGE = msgspec.json.Decoder(_Message)
_RESULT = msgspec.json.Decoder(str | list[_Block])
_SYSTEM = msgspec.json.Decoder(str | list[_Block])
_TOOLS = msgspec.json.Decoder(list[_Tool])
_METADATA = msgspec.json.Decoder(_Metadata)
_IDS = msgspec.json.Decoder(_Ids)
_OUTPUT = msgspec.json.Decoder(_OutputConfig)


def parts(top: TopLevel) -> Parts:
    """Read the parts of a Messages (or count_tokens) request."""
    raws = tolerant(top.value("messages"), _RAWS, [])
    leading, first_user, recent = ends(raws, _message)
    system = tolerant(top.value("system"), _SYSTEM, "")
    texts = [system] if isinstance(system, str) else [block.text for block in system[:SYSTEM_TEXTS]]
    output = tolerant(top.value("output_config"), _OUTPUT, _OutputConfig())
    return Parts(
        max_tokens=top.integer("max_tokens"),
        tool_names=tuple(tool.name for tool in tolerant(top.value("tools"), _TOOLS, [])),
        system=tuple(text[:SYSTEM_HEAD] for text in texts if text) + leading,
        first_user=first_user,
        recent=recent,
        message_count=len(raws),
        output_schema_keys=schema_keys(output.format.schema) if output.format else (),
        session_hint=_session(tolerant(top.value("metadata"), _METADATA, _Metadata()).user_id or ""),
    )


def _session(user_id: str) -> str:
    """Claude Code's session in `metadata.user_id`: a JSON string since 2.1, before `user_…_session_<uuid>`."""
    if user_id.startswith("{"):
        return tolerant(msgspec.Raw(user_id.encode()), _IDS, _Ids()).session_id
    return user_id.rpartition("_session_")[2] if "_session_" in user_id else ""


def _message(raw: msgspec.Raw) -> Message:
    found = tolerant(raw, _MESSAGE, _Message(role="unreadable"))
    if isinstance(found.content, str):
        return Message(role=found.role, text=trimmed(found.content), block_kinds=("text",))
    texts: list[str] = []
    outputs: list[str] = []
    names: list[str] = []
    marks: list[int] = []
    errors = 0
    for block in found.content:  # one pass: this runs for six messages of every request
        if block.text:
            texts.append(block.text)
        if block.type == "tool_use":
            names.append(block.name)
            marks.append(call_mark(block.name, memoryview(block.input)))
        elif block.type == "tool_result":
            outputs.append(_result(block))
            errors += bool(block.is_error)
    return Message(
        role=found.role,
        text=trimmed("\n".join(texts)) if texts else "",
        block_kinds=tuple([block.type for block in found.content]),
        tool_names=tuple(names),
        tool_errors=errors,
        tool_output=trimmed("\n".join(outputs)) if outputs else "",
        call_marks=tuple(marks),
    )


def _result(block: _Block) -> str:
    found: str | list[_Block] = tolerant(block.content, _RESULT, "")
    return found if isinstance(found, str) else "\n".join(part.text for part in found if part.text)


# -- answers ----------------------------------------------------------------------------------------------


class _CacheCreation(msgspec.Struct):
    ephemeral_5m_input_tokens: int | None = None
    ephemeral_1h_input_tokens: int | None = None


class _OutputDetails(msgspec.Struct):
    thinking_tokens: int | None = None


class _Usage(msgspec.Struct):
    input_tokens: int | None = None
    cache_creation_input_tokens: int | None = None
    cache_read_input_tokens: int | None = None
    cache_creation: _CacheCreation | None = None
    output_tokens: int | None = None
    output_tokens_details: _OutputDetails | None = None
    service_tier: str | None = None


class _Answer(msgspec.Struct):
    usage: _Usage | None = None
    stop_reason: str | None = None
    input_tokens: int | None = None


class _Start(msgspec.Struct):
    message: _Answer


class _Delta(msgspec.Struct):
    usage: _Usage | None = None
    delta: _Answer | None = None


class _Typed(msgspec.Struct):
    type: str = ""


_ANSWER = msgspec.json.Decoder(_Answer)
_START = msgspec.json.Decoder(_Start)
_DELTA = msgspec.json.Decoder(_Delta)
_TYPED = msgspec.json.Decoder(_Typed)
_TEXT_EVENT = b"event: content_block_delta\n"
"""How nearly every event of a stream begins. One that comes alone is known by this, without cutting it up."""


def facts(body: bytes) -> Facts:
    """Usage and stop reason of a whole Messages answer; a token count is the answer of count_tokens itself."""
    answer = tolerant(msgspec.Raw(body), _ANSWER, _Answer())
    return Facts(usage=_usage(answer.usage) if answer.usage else None, stop_reason=answer.stop_reason or "")


def _usage(found: _Usage) -> Usage:
    """Anthropic's `input_tokens` EXCLUDES both cache reads and cache writes."""
    written = count(found.cache_creation_input_tokens)
    split = found.cache_creation
    long = count(split.ephemeral_1h_input_tokens) if split else 0
    tier = found.service_tier
    return Usage(
        input_tokens=count(found.input_tokens),
        cache_read_tokens=count(found.cache_read_input_tokens),
        cache_write_5m_tokens=max(written - long, count(split.ephemeral_5m_input_tokens) if split else 0),
        cache_write_1h_tokens=long,
        output_tokens=count(found.output_tokens),
        reasoning_tokens=count(found.output_tokens_details.thinking_tokens) if found.output_tokens_details else 0,
        service_tier=tier if tier in {"batch", "priority"} else "standard",  # type: ignore[arg-type]
    )


class MessagesMeter(Meter):
    """Reads usage off `message_start` and `message_delta`; the latter's counts are cumulative and win."""

    def __init__(self) -> None:
        super().__init__()
        self._seen = _Usage()

    def feed(self, block: bytes) -> bytes:
        """See `Meter.feed`."""
        if block.startswith(_TEXT_EVENT) and block.find(b"\n\n") == len(block) - 2 and b"\r" not in block:
            self.text_bytes += len(block)
            return block
        for event in events(block):
            name = name_of(event)
            if name == b"content_block_delta":
                self.text_bytes += max(1, len(event) - DELTA_FRAME_BYTES)
                continue
            if not name and b"data:" in event:
                name = tolerant(msgspec.Raw(data_of(event)), _TYPED, _Typed()).type.encode()
            if name == b"message_start":
                self._start(data_of(event))
            elif name == b"message_delta":
                self._delta(data_of(event))
            elif name == b"message_stop":
                self.ended = True
            elif name == b"error":
                self.ended, self.error = True, "upstream_error_event"
        return block

    def _start(self, data: bytes) -> None:
        start = tolerant(msgspec.Raw(data), _START, _Start(message=_Answer()))
        if start.message.usage:
            self._absorb(start.message.usage)

    def _delta(self, data: bytes) -> None:
        found = tolerant(msgspec.Raw(data), _DELTA, _Delta())
        if found.usage:
            self._absorb(found.usage)
        if found.delta and found.delta.stop_reason:
            self.stop_reason = found.delta.stop_reason

    def _absorb(self, usage: _Usage) -> None:
        for name in _Usage.__struct_fields__:
            value = getattr(usage, name)
            if value is not None:
                setattr(self._seen, name, value)
        self.usage = _usage(self._seen)
