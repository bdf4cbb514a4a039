"""OpenAI Responses: what routing reads of a request, and usage and end of its answers."""

from __future__ import annotations

import re

import msgspec

from lanewise.journey import Message, Usage
from lanewise.wire.body import TopLevel
from lanewise.wire.meter import Facts, Meter, count
from lanewise.wire.parts import SYSTEM_HEAD, Parts, call_mark, ends, schema_keys, tolerant, trimmed
from lanewise.wire.sse import data_of, events, name_of


class _Part(msgspec.Struct):
    type: str = ""
    text: str = ""


class _Item(msgspec.Struct):
    type: str = ""
    role: str = ""
    name: str = ""
    content: str | list[_Part] | None = None
    arguments: msgspec.Raw = msgspec.Raw(b"")
    input: msgspec.Raw = msgspec.Raw(b"")
    output: msgspec.Raw = msgspec.Raw(b"")


class _Tool(msgspec.Struct):
    type: str = ""
    name: str | None = None


class _Format(msgspec.Struct):
    schema: object = None


class _Text(msgspec.Struct):
    format: _Format | None = None


_INPUT = msgspec.json.Decoder(str | list[msgspec.Raw])
_ITEM = msgspec.json.Decoder(_Item)
_OUTPUT = msgspec.json.Decoder(str | list[_Part])
_TOOLS = msgspec.json.Decoder(list[_Tool])
_TEXT = msgspec.json.Decoder(_Text)
_STRING = msgspec.json.Decoder(str)


def parts(top: TopLevel) -> Parts:
    """Read the parts of a Responses request."""
    found = _input(top.value("input"))
    raws = [] if isinstance(found, str) else found
    leading, first_user, recent = ends(raws, _message)
    if isinstance(found, str) and found:
        first_user = Message(role="user", text=trimmed(found), block_kinds=("input_text",))
        recent = (first_user,)
    instructions = tolerant(top.value("instructions"), _STRING, "")
    form = tolerant(top.value("text"), _TEXT, _Text()).format
    return Parts(
        max_tokens=top.integer("max_output_tokens"),
        tool_names=tuple(tool.name or tool.type for tool in tolerant(top.value("tools"), _TOOLS, [])),
        system=((instructions[:SYSTEM_HEAD],) if instructions else ()) + leading,
        first_user=first_user,
        recent=recent,
        message_count=len(raws) or len(recent),
        output_schema_keys=schema_keys(form.schema) if form else (),
        session_hint=tolerant(top.value("prompt_cache_key"), _STRING, ""),
    )


def _input(raw: msgspec.Raw | None) -> str | list[msgspec.Raw]:
    found: str | list[msgspec.Raw] = tolerant(raw, _INPUT, "")
    return found


def _message(raw: msgspec.Raw) -> Message:
    """An item as a message: calls and reasoning are the assistant's, outputs of calls the tool's."""
    item = tolerant(raw, _ITEM, _Item(type="unreadable"))
    kind = item.type or "message"
    kinds: tuple[str, ...] = ("input_text",)
    if isinstance(item.content, str):
        text = item.content
    else:
        blocks = item.content or []
        text = "\n".join(block.text for block in blocks if block.text)
        kinds = tuple(block.type for block in blocks)
    output: str | list[_Part] = tolerant(item.output, _OUTPUT, "")
    called = kind.endswith("_call") and bool(item.name)
    role = item.role or ("tool" if kind.endswith("_output") else "assistant")
    return Message(
        role=role,
        text=trimmed(text),
        block_kinds=kinds if kind == "message" else (kind,),
        tool_names=(item.name,) if called else (),
        tool_output=trimmed(output if isinstance(output, str) else "\n".join(part.text for part in output)),
        call_marks=(call_mark(item.name, memoryview(item.arguments or item.input)),) if called else (),
    )


# -- answers ----------------------------------------------------------------------------------------------


class _InputDetails(msgspec.Struct):
    cached_tokens: int | None = None
    cache_write_tokens: int | None = None


class _OutputDetails(msgspec.Struct):
    reasoning_tokens: int | None = None


class _Usage(msgspec.Struct):
    input_tokens: int | None = None
    output_tokens: int | None = None
    input_tokens_details: _InputDetails | None = None
    output_tokens_details: _OutputDetails | None = None


class _Incomplete(msgspec.Struct):
    reason: str | None = None


class _Answer(msgspec.Struct):
    status: str | None = None
    usage: _Usage | None = None
    service_tier: str | None = None
    incomplete_details: _Incomplete | None = None


class _Event(msgspec.Struct):
    type: str = ""
    response: _Answer | None = None


class _Delta(msgspec.Struct):
    delta: str = ""


class _Created(msgspec.Struct):
    response: msgspec.Raw = msgspec.Raw(b"")


_ANSWER = msgspec.json.Decoder(_Answer)
_EVENT = msgspec.json.Decoder(_Event)
_CREATED = msgspec.json.Decoder(_Created)
_DELTA = msgspec.json.Decoder(_Delta)
_SEQUENCE = re.compile(rb'"sequence_number"\s*:\s*(\d+)')
_TERMINAL = frozenset({b"response.completed", b"response.failed", b"response.incomplete", b"error"})


def facts(body: bytes) -> Facts:
    """Usage and status of a whole Responses answer."""
    answer = tolerant(msgspec.Raw(body), _ANSWER, _Answer())
    usage = _usage(answer) if answer.usage else None
    return Facts(usage=usage, stop_reason=_stop(answer))


def _stop(answer: _Answer) -> str:
    """The status, made precise where the answer is incomplete."""
    reason = answer.incomplete_details.reason if answer.incomplete_details else None
    return reason or answer.status or ""


def _usage(answer: _Answer) -> Usage:
    """`input_tokens` INCLUDES cached and cache-written tokens."""
    found = answer.usage or _Usage()
    details = found.input_tokens_details or _InputDetails()
    read, written = count(details.cached_tokens), count(details.cache_write_tokens)
    tier = answer.service_tier
    return Usage(
        input_tokens=max(0, count(found.input_tokens) - read - written),
        cache_read_tokens=read,
        cache_write_5m_tokens=written,
        output_tokens=count(found.output_tokens),
        reasoning_tokens=count(found.output_tokens_details.reasoning_tokens) if found.output_tokens_details else 0,
        service_tier=tier if tier in {"flex", "priority", "batch"} else "standard",  # type: ignore[arg-type]
    )


class ResponsesMeter(Meter):
    """Reads usage off the terminal event; remembers what an error event of ours would have to continue."""

    def __init__(self) -> None:
        super().__init__()
        self._created = b""
        self._last = b""

    def feed(self, block: bytes) -> bytes:
        """See `Meter.feed`."""
        for event in events(block):
            name = name_of(event)
            if not name and b"data:" in event:
                name = tolerant(msgspec.Raw(data_of(event)), _EVENT, _Event()).type.encode()
            if b'"sequence_number"' in event:
                self._last = event
            if name == b"response.created":
                self._created = bytes(tolerant(msgspec.Raw(data_of(event)), _CREATED, _Created()).response)
            elif name in _TERMINAL:
                self._end(name, data_of(event))
            elif name.endswith(b".delta"):  # the events that end a part repeat its text
                self.text_bytes += len(tolerant(msgspec.Raw(data_of(event)), _DELTA, _Delta()).delta)
        return block

    def _end(self, name: bytes, data: bytes) -> None:
        self.ended = True
        if name in {b"error", b"response.failed"}:
            self.error = "upstream_error_event"
        answer = tolerant(msgspec.Raw(data), _EVENT, _Event()).response
        if answer:
            self.stop_reason = _stop(answer)
            if answer.usage:
                self.usage = _usage(answer)

    def last_words(self) -> tuple[int, bytes]:
        """The highest sequence number sent, and the response object of `response.created`."""
        numbers = _SEQUENCE.findall(self._last)
        return (int(numbers[-1]) if numbers else 0), self._created
