"""A whole (not streamed) answer as checks read it: its text, its tool calls, and how it came to an end.

Read only where an answer is held back to be checked; what passes through is never decoded. Pure, and bounded: a body
above `LIMIT_BYTES` is not read at all.
"""

from __future__ import annotations

from typing import Final, Literal, TypeAlias

import msgspec

from lanewise.journey import Dialect, Value

LIMIT_BYTES: Final = 4 << 20
"""Above this an answer is not read: the largest output limits of today's models give about 0.5 MB of text."""

End: TypeAlias = Literal["done", "tools", "cut", "refused", "failed", "unknown"]
"""Why the model stopped: it was done, it calls tools, a limit cut it, it (or a filter) refused, the provider failed."""


class ToolCall(Value, frozen=True, kw_only=True):
    """A call that the model asks for."""

    name: str
    arguments: str
    """JSON as the model wrote it, not yet known to be valid; free text where the tool takes that."""
    free: bool = False
    """The tool takes free text, not JSON."""


class AnswerView(Value, frozen=True, kw_only=True):
    """What checks see of an answer."""

    text: str = ""
    """Without reasoning."""
    tool_calls: tuple[ToolCall, ...] = ()
    end: End = "unknown"
    stop_reason: str = ""
    """As the dialect spells it."""


def answer_of(dialect: Dialect, body: bytes) -> AnswerView | None:
    """The answer in `body`; None where it is too large, or no answer of this dialect."""
    if len(body) > LIMIT_BYTES:
        return None
    try:
        return _READERS[dialect](body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None


_ENDS: Final[dict[str, End]] = {
    # Messages
    "end_turn": "done",
    "stop_sequence": "done",
    "tool_use": "tools",
    "pause_turn": "cut",
    "max_tokens": "cut",
    "model_context_window_exceeded": "cut",
    "refusal": "refused",
    # Chat
    "stop": "done",
    "tool_calls": "tools",
    "function_call": "tools",
    "length": "cut",
    "content_filter": "refused",
    # Responses
    "completed": "done",
    "max_output_tokens": "cut",
    "incomplete": "cut",
    "failed": "failed",
    "cancelled": "failed",
    # Gemini
    "STOP": "done",
    "MAX_TOKENS": "cut",
    "SAFETY": "refused",
    "PROHIBITED_CONTENT": "refused",
    "RECITATION": "refused",
    "BLOCKLIST": "refused",
    "MALFORMED_FUNCTION_CALL": "failed",
}


def _view(texts: list[str], calls: list[ToolCall], stop: str | None, *, refused: bool = False) -> AnswerView:
    end: End = "refused" if refused else _ENDS.get(stop or "", "unknown")
    return AnswerView(
        text="\n".join(text for text in texts if text),
        tool_calls=tuple(calls),
        end="tools" if calls and end == "done" else end,
        stop_reason=stop or "",
    )


# -- Messages ---------------------------------------------------------------------------------------------


class _Block(msgspec.Struct):
    type: str = ""
    text: str = ""
    name: str = ""
    input: msgspec.Raw = msgspec.Raw(b"{}")


class _MessagesAnswer(msgspec.Struct):
    content: list[_Block]
    stop_reason: str | None = None


def _messages(body: bytes) -> AnswerView:
    found = msgspec.json.decode(body, type=_MessagesAnswer)
    calls = [
        ToolCall(name=block.name, arguments=bytes(block.input).decode())
        for block in found.content
        if block.type == "tool_use"
    ]
    return _view([block.text for block in found.content if block.type == "text"], calls, found.stop_reason)


# -- Chat -------------------------------------------------------------------------------------------------


class _Function(msgspec.Struct):
    name: str = ""
    arguments: str = ""
    input: str = ""


class _ChatCall(msgspec.Struct):
    function: _Function | None = None
    custom: _Function | None = None


class _Said(msgspec.Struct):
    content: str | None = None
    refusal: str | None = None
    tool_calls: list[_ChatCall] | None = None


class _Choice(msgspec.Struct):
    message: _Said
    finish_reason: str | None = None


class _ChatAnswer(msgspec.Struct):
    choices: list[_Choice]


def _chat(body: bytes) -> AnswerView:
    found = msgspec.json.decode(body, type=_ChatAnswer)
    if not found.choices:
        return AnswerView()
    said = found.choices[0].message
    calls = []
    for call in said.tool_calls or []:
        if call.function:
            calls.append(ToolCall(name=call.function.name, arguments=call.function.arguments))
        elif call.custom:
            calls.append(ToolCall(name=call.custom.name, arguments=call.custom.input, free=True))
    texts = [said.content or "", said.refusal or ""]
    return _view(texts, calls, found.choices[0].finish_reason, refused=bool(said.refusal))


# -- Responses --------------------------------------------------------------------------------------------


class _Part(msgspec.Struct):
    type: str = ""
    text: str = ""
    refusal: str = ""


class _Item(msgspec.Struct):
    type: str = ""
    content: list[_Part] | None = None
    name: str = ""
    arguments: str = ""
    input: str = ""


class _Incomplete(msgspec.Struct):
    reason: str | None = None


class _ResponsesAnswer(msgspec.Struct):
    output: list[_Item]
    status: str | None = None
    incomplete_details: _Incomplete | None = None


def _responses(body: bytes) -> AnswerView:
    found = msgspec.json.decode(body, type=_ResponsesAnswer)
    texts: list[str] = []
    calls: list[ToolCall] = []
    refused = False
    for item in found.output:
        if item.type == "message":
            for part in item.content or []:
                texts.append(part.text or part.refusal)
                refused = refused or bool(part.refusal)
        elif item.type == "function_call":
            calls.append(ToolCall(name=item.name, arguments=item.arguments))
        elif item.type == "custom_tool_call":
            calls.append(ToolCall(name=item.name, arguments=item.input, free=True))
    reason = found.incomplete_details.reason if found.incomplete_details else None
    return _view(texts, calls, reason or found.status, refused=refused)


# -- Gemini -----------------------------------------------------------------------------------------------


class _Called(msgspec.Struct):
    name: str = ""
    args: msgspec.Raw = msgspec.Raw(b"{}")


class _GeminiPart(msgspec.Struct, rename="camel"):
    text: str = ""
    thought: bool = False
    function_call: _Called | None = None


class _Content(msgspec.Struct):
    parts: list[_GeminiPart] = []


class _Candidate(msgspec.Struct, rename="camel"):
    content: _Content = msgspec.field(default_factory=_Content)
    finish_reason: str | None = None


class _GeminiAnswer(msgspec.Struct):
    candidates: list[_Candidate]


def _gemini(body: bytes) -> AnswerView:
    found = msgspec.json.decode(body, type=_GeminiAnswer)
    if not found.candidates:
        return AnswerView()
    parts = found.candidates[0].content.parts
    calls = [
        ToolCall(name=part.function_call.name, arguments=bytes(part.function_call.args).decode())
        for part in parts
        if part.function_call
    ]
    return _view([part.text for part in parts if not part.thought], calls, found.candidates[0].finish_reason)


_READERS: Final = {"messages": _messages, "chat": _chat, "responses": _responses, "gemini": _gemini}
