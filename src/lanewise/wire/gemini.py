"""Gemini generateContent: enough to pass Gemini CLI through, priced and recorded. Its model stands in the path."""

from __future__ import annotations

import msgspec

from lanewise.journey import Message, Usage
from lanewise.wire.body import TopLevel
from lanewise.wire.meter import Facts, Meter, count
from lanewise.wire.parts import SYSTEM_HEAD, Parts, call_mark, ends, schema_keys, tolerant, trimmed
from lanewise.wire.sse import data_of, events


class _Named(msgspec.Struct):
    name: str = ""


class _Called(msgspec.Struct):
    name: str = ""
    args: msgspec.Raw = msgspec.Raw(b"")


class _Returned(msgspec.Struct):
    output: str = ""
    error: str = ""


class _Response(msgspec.Struct):
    name: str = ""
    response: msgspec.Raw = msgspec.Raw(b"")


class _Part(msgspec.Struct, rename="camel"):
    text: str = ""
    function_call: _Called | None = None
    function_response: _Response | None = None


class _Content(msgspec.Struct):
    role: str = "user"
    parts: list[_Part] = []


class _Tool(msgspec.Struct, rename="camel"):
    function_declarations: list[_Named] = []


class _Generation(msgspec.Struct, rename="camel"):
    max_output_tokens: int | None = None
    response_schema: object = None
    response_json_schema: object = None


_RAWS = msgspec.json.Decoder(list[msgspec.Raw])
_CONTENT = msgspec.json.Decoder(_Content)
_RETURNED = msgspec.json.Decoder(_Returned)
_TOOLS = msgspec.json.Decoder(list[_Tool])
_GENERATION = msgspec.json.Decoder(_Generation)


def parts(top: TopLevel) -> Parts:
    """Read the parts of a generateContent or countTokens request."""
    raws = tolerant(top.value("contents"), _RAWS, [])
    _, first_user, recent = ends(raws, _message)
    system = tolerant(top.value("systemInstruction"), _CONTENT, _Content())
    generation = tolerant(top.value("generationConfig"), _GENERATION, _Generation())
    tools = tolerant(top.value("tools"), _TOOLS, [])
    return Parts(
        max_tokens=generation.max_output_tokens,
        tool_names=tuple(named.name for tool in tools for named in tool.function_declarations),
        system=tuple(part.text[:SYSTEM_HEAD] for part in system.parts if part.text),
        first_user=first_user,
        recent=recent,
        message_count=len(raws),
        output_schema_keys=schema_keys(generation.response_schema or generation.response_json_schema),
    )


def _message(raw: msgspec.Raw) -> Message:
    content = tolerant(raw, _CONTENT, _Content(role="unreadable"))
    found = content.parts
    calls = [part.function_call for part in found if part.function_call]
    results = [_returned(part.function_response) for part in found if part.function_response]
    return Message(
        role="assistant" if content.role == "model" else content.role,
        text=trimmed("\n".join(part.text for part in found if part.text)),
        block_kinds=tuple(
            "functionCall" if part.function_call else "functionResponse" if part.function_response else "text"
            for part in found
        ),
        tool_names=tuple(call.name for call in calls),
        tool_errors=sum(1 for result in results if result.error),
        tool_output=trimmed("\n".join(result.error or result.output for result in results)),
        call_marks=tuple(call_mark(call.name, memoryview(call.args)) for call in calls),
    )


def _returned(found: _Response) -> _Returned:
    return tolerant(found.response, _RETURNED, _Returned())


# -- answers ----------------------------------------------------------------------------------------------


class _Usage(msgspec.Struct, rename="camel"):
    prompt_token_count: int | None = None
    cached_content_token_count: int | None = None
    candidates_token_count: int | None = None
    thoughts_token_count: int | None = None


class _Candidate(msgspec.Struct, rename="camel"):
    finish_reason: str | None = None


class _Answer(msgspec.Struct, rename="camel"):
    usage_metadata: _Usage | None = None
    candidates: list[_Candidate] = []


_ANSWER = msgspec.json.Decoder(_Answer)


def facts(body: bytes) -> Facts:
    """Usage and finish reason of a whole Gemini answer."""
    answer = tolerant(msgspec.Raw(body), _ANSWER, _Answer())
    return Facts(usage=_usage(answer.usage_metadata) if answer.usage_metadata else None, stop_reason=_finish(answer))


def _finish(answer: _Answer) -> str:
    return next((found.finish_reason for found in answer.candidates if found.finish_reason), "")


def _usage(found: _Usage) -> Usage:
    """`promptTokenCount` INCLUDES cached tokens; `candidatesTokenCount` EXCLUDES thoughts."""
    read, thoughts = count(found.cached_content_token_count), count(found.thoughts_token_count)
    return Usage(
        input_tokens=max(0, count(found.prompt_token_count) - read),
        cache_read_tokens=read,
        output_tokens=count(found.candidates_token_count) + thoughts,
        reasoning_tokens=thoughts,
    )


class GeminiMeter(Meter):
    """Every chunk carries cumulative usage; the stream has ended once a finish reason was seen."""

    def feed(self, block: bytes) -> bytes:
        """See `Meter.feed`."""
        for event in events(block):
            self.text_bytes += len(event)
            if b'"usageMetadata"' in event or b'"finishReason"' in event:
                answer = tolerant(msgspec.Raw(data_of(event)), _ANSWER, _Answer())
                if answer.usage_metadata:
                    self.usage = _usage(answer.usage_metadata)
                if finish := _finish(answer):
                    self.stop_reason, self.ended = finish, True
            elif b'"error"' in event and data_of(event).startswith(b'{"error"'):
                self.ended, self.error = True, "upstream_error_event"
        return block
