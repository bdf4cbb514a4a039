"""OpenAI Chat Completions (and embeddings): what routing reads of a request, usage and end of its answers."""

from __future__ import annotations

from decimal import Decimal

import msgspec

from lanewise.journey import Message, Usage
from lanewise.wire.body import TopLevel
from lanewise.wire.meter import Facts, Meter, count
from lanewise.wire.parts import Parts, call_mark, ends, schema_keys, tolerant, trimmed
from lanewise.wire.sse import data_of, events


class _Part(msgspec.Struct):
    type: str = ""
    text: str = ""


class _Named(msgspec.Struct):
    name: str = ""


class _Called(msgspec.Struct):
    name: str = ""
    arguments: msgspec.Raw = msgspec.Raw(b"")
    input: msgspec.Raw = msgspec.Raw(b"")


class _ToolCall(msgspec.Struct):
    function: _Called | None = None
    custom: _Called | None = None


class _Message(msgspec.Struct):
    role: str = ""
    content: str | list[_Part] | None = None
    tool_calls: list[_ToolCall] | None = None


class _Tool(msgspec.Struct):
    type: str | None = None
    function: _Named | None = None
    custom: _Named | None = None


class _StreamOptions(msgspec.Struct):
    include_usage: bool | None = None


class _Schema(msgspec.Struct):
    schema: object = None


class _ResponseFormat(msgspec.Struct):
    json_schema: _Schema | None = None


COST_LIMIT_USD = 1_000_000
"""A reported cost of one call from here on is a mistake of the upstream's."""

_RAWS = msgspec.json.Decoder(list[msgspec.Raw])
_MESSAGE = msgspec.json.Decoder(_Message)
_TOOLS = msgspec.json.Decoder(list[_Tool])
_STREAM_OPTIONS = msgspec.json.Decoder(_StreamOptions)
_RESPONSE_FORMAT = msgspec.json.Decoder(_ResponseFormat)
_STRING = msgspec.json.Decoder(str)


def parts(top: TopLevel) -> Parts:
    """Read the parts of a Chat request; an embeddings request has none of them."""
    raws = tolerant(top.value("messages"), _RAWS, [])
    system, first_user, recent = ends(raws, _message)
    form = tolerant(top.value("response_format"), _RESPONSE_FORMAT, _ResponseFormat()).json_schema
    tools = tolerant(top.value("tools"), _TOOLS, [])
    limit = top.integer("max_completion_tokens")
    return Parts(
        max_tokens=limit if limit is not None else top.integer("max_tokens"),
        include_usage=tolerant(top.value("stream_options"), _STREAM_OPTIONS, _StreamOptions()).include_usage,
        tool_names=tuple(_name(tool.function or tool.custom) or tool.type or "" for tool in tools),
        system=system,
        first_user=first_user,
        recent=recent,
        message_count=len(raws),
        output_schema_keys=schema_keys(form.schema) if form else (),
        session_hint=tolerant(top.value("prompt_cache_key"), _STRING, ""),
    )


def _name(named: _Named | None) -> str:
    return named.name if named else ""


def _message(raw: msgspec.Raw) -> Message:
    found = tolerant(raw, _MESSAGE, _Message(role="unreadable"))
    content = found.content
    kinds: tuple[str, ...] = ()
    text = ""
    if isinstance(content, str):
        kinds, text = (("text",) if content else ()), content
    elif content:
        kinds = tuple(part.type for part in content)
        text = "\n".join(part.text for part in content if part.text)
    calls = [call.function or call.custom or _Called() for call in found.tool_calls or []]
    return Message(
        role=found.role,
        text=trimmed(text),
        block_kinds=("tool_result",) if found.role in {"tool", "function"} else kinds + ("tool_call",) * len(calls),
        tool_names=tuple(call.name for call in calls),
        call_marks=tuple(call_mark(call.name, memoryview(call.arguments or call.input)) for call in calls),
    )


# -- answers ----------------------------------------------------------------------------------------------


class _PromptDetails(msgspec.Struct):
    cached_tokens: int | None = None
    cache_write_tokens: int | None = None


class _CompletionDetails(msgspec.Struct):
    reasoning_tokens: int | None = None


class _Usage(msgspec.Struct):
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    prompt_tokens_details: _PromptDetails | None = None
    completion_tokens_details: _CompletionDetails | None = None
    prompt_cache_hit_tokens: int | None = None
    cost: Decimal | None = None


class _Function(msgspec.Struct):
    arguments: str | None = None


class _CallDelta(msgspec.Struct):
    function: _Function | None = None


class _Delta(msgspec.Struct):
    content: str | None = None
    reasoning_content: str | None = None
    tool_calls: list[_CallDelta] | None = None


class _Choice(msgspec.Struct):
    finish_reason: str | None = None
    delta: _Delta | None = None


class _Answer(msgspec.Struct):
    usage: _Usage | None = None
    choices: list[_Choice] | None = None
    service_tier: str | None = None
    error: object = None


_ANSWER = msgspec.json.Decoder(_Answer, strict=False)


def facts(body: bytes) -> Facts:
    """Usage and finish reason of a whole Chat or embeddings answer."""
    answer = tolerant(msgspec.Raw(body), _ANSWER, _Answer())
    usage = _usage(answer.usage, answer.service_tier) if answer.usage else None
    return Facts(usage=usage, stop_reason=_finish(answer))


def _finish(answer: _Answer) -> str:
    return next((choice.finish_reason for choice in answer.choices or [] if choice.finish_reason), "")


def _usage(found: _Usage, service_tier: str | None) -> Usage:
    """OpenAI's `prompt_tokens` INCLUDES cached and cache-written tokens; DeepSeek names its hits on the top level."""
    details = found.prompt_tokens_details or _PromptDetails()
    read = count(details.cached_tokens) or count(found.prompt_cache_hit_tokens)
    written = count(details.cache_write_tokens)
    reasoning = found.completion_tokens_details.reasoning_tokens if found.completion_tokens_details else 0
    return Usage(
        input_tokens=max(0, count(found.prompt_tokens) - read - written),
        cache_read_tokens=read,
        cache_write_5m_tokens=written,
        output_tokens=count(found.completion_tokens),
        reasoning_tokens=count(reasoning),
        service_tier=service_tier if service_tier in {"flex", "priority", "batch"} else "standard",  # type: ignore[arg-type]
        reported_cost_pusd=_cost_pusd(found.cost),
    )


def _cost_pusd(cost_usd: Decimal | None) -> int | None:
    """OpenRouter's `usage.cost`; None where it is absent or no price of one call."""
    if cost_usd is None or not cost_usd.is_finite() or not 0 <= cost_usd < COST_LIMIT_USD:
        return None
    return int(cost_usd.scaleb(12))


class ChatMeter(Meter):
    """Reads the usage chunk; hides it where the client had not asked for one.

    A stream has ended at `[DONE]`, or, for servers that send none, once a finish reason was seen.
    """

    def __init__(self, *, hide_usage: bool, count_text: bool) -> None:
        super().__init__()
        self._hide_usage = hide_usage
        self._count_text = count_text

    def feed(self, block: bytes) -> bytes:
        """See `Meter.feed`."""
        kept: list[bytes] | None = [] if self._hide_usage else None
        for event in events(block):
            hidden = self._read(event)
            if kept is not None and not hidden:
                kept.append(event)
        return block if kept is None else b"".join(kept)

    def _read(self, event: bytes) -> bool:
        """Read one event; True if it is the usage chunk, which carries no choices."""
        if b'"usage"' in event or b'"finish_reason"' in event or b'"error"' in event or b"[DONE]" in event:
            data = data_of(event)
            if data == b"[DONE]":
                self.ended = True
                return False
            answer = tolerant(msgspec.Raw(data), _ANSWER, _Answer())
            if answer.error:
                self.ended, self.error = True, "upstream_error_event"
            if answer.usage:
                self.usage = _usage(answer.usage, answer.service_tier)
            if finish := _finish(answer):
                self.stop_reason, self.ended = finish, True
            if answer.usage and not answer.choices:
                return True
        if self._count_text:
            self._count(data_of(event))
        return False

    def _count(self, data: bytes) -> None:
        """Add the generated text of a chunk; done only where no usage is expected to come."""
        for choice in tolerant(msgspec.Raw(data), _ANSWER, _Answer()).choices or []:
            delta = choice.delta or _Delta()
            self.text_bytes += len(delta.content or "") + len(delta.reasoning_content or "")
            for call in delta.tool_calls or []:
                self.text_bytes += len(call.function.arguments or "") if call.function else 0
