"""What a call asked for, as checks of its answer need it: tools with schemas, a wanted format, words, given texts.

Decoded only for calls whose answer is checked, after the decision; `peek` leaves all of this alone. Pure, bounded by
the body's own limit, and tolerant: what is not of the known shape was not asked.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from lanewise.errors import ClientError
from lanewise.journey import Dialect, Request, Value
from lanewise.wire.body import TopLevel
from lanewise.wire.parts import tolerant


class OfferedTool(Value, frozen=True, kw_only=True):
    """A tool that the model may call."""

    name: str
    schema: dict[str, Any] | None = None
    """JSON schema of its arguments, any values; None where the tool takes free text or says nothing."""


class AskedView(Value, frozen=True, kw_only=True):
    """What checks see of a request."""

    tools: tuple[OfferedTool, ...] = ()
    schema: dict[str, Any] | None = None
    """JSON schema that the answer's text must follow."""
    json_wanted: bool = False
    """The answer's text must be JSON, with or without a schema."""
    words: str = ""
    """What the user or the harness wrote last in the user's name, whole."""
    given: str = ""
    """Texts that a patch could apply to: the user's and the tools' last ones, joined by newlines."""


GIVEN_CHARS: Final = 1 << 19
GIVEN_MESSAGES: Final = 24
"""How much of the conversation's end is kept as `given`; a patch mostly applies to what was read last."""


class _Tool(msgspec.Struct):
    name: str = ""
    input_schema: object = None
    parameters: object = None
    function: object = None
    function_declarations: object = msgspec.field(name="functionDeclarations", default=None)


_ANY = msgspec.json.Decoder()
_STRING = msgspec.json.Decoder(str)
_RAWS = msgspec.json.Decoder(list[msgspec.Raw])
_TOOLS = msgspec.json.Decoder(list[_Tool])
_HISTORY: Final = {"messages": "messages", "chat": "messages", "responses": "input", "gemini": "contents"}


def asked_of(request: Request) -> AskedView:
    """What `request`, of operation `generate`, asked for; an empty view where its body cannot be read."""
    try:
        top = TopLevel(request.plain)
    except ClientError:
        return AskedView()
    schema, json_wanted = _format(request.dialect, top)
    words, given = _texts(top.value(_HISTORY[request.dialect]))
    return AskedView(tools=_tools(top), schema=schema, json_wanted=json_wanted, words=words, given=given)


def _tools(top: TopLevel) -> tuple[OfferedTool, ...]:
    found = []
    for tool in tolerant(top.value("tools"), _TOOLS, []):
        inner = tool.function if isinstance(tool.function, dict) else None
        if inner is not None:
            found.append(_offered(inner.get("name"), inner.get("parameters")))
        elif isinstance(tool.function_declarations, list):
            declared = [each for each in tool.function_declarations if isinstance(each, dict)]
            found += [
                _offered(each.get("name"), each.get("parametersJsonSchema") or each.get("parameters"))
                for each in declared
            ]
        else:
            found.append(_offered(tool.name, tool.input_schema or tool.parameters))
    return tuple(tool for tool in found if tool.name)


def _offered(name: object, schema: object) -> OfferedTool:
    return OfferedTool(name=name if isinstance(name, str) else "", schema=schema if isinstance(schema, dict) else None)


def _format(dialect: Dialect, top: TopLevel) -> tuple[dict[str, Any] | None, bool]:
    """The schema that the text must follow, and whether it must be JSON at all."""
    if dialect == "messages":
        wanted = _object(_object(_any(top, "output_config")).get("format"))
        schema = wanted.get("schema")
    elif dialect == "chat":
        wanted = _object(_any(top, "response_format"))
        schema = _object(wanted.get("json_schema")).get("schema")
    elif dialect == "responses":
        wanted = _object(_object(_any(top, "text")).get("format"))
        schema = wanted.get("schema")
    else:
        wanted = _object(_any(top, "generationConfig"))
        schema = wanted.get("responseJsonSchema")
        is_json = wanted.get("responseMimeType") == "application/json"
        return (schema if isinstance(schema, dict) else None), is_json or isinstance(schema, dict)
    is_json = wanted.get("type") in {"json_object", "json_schema"}
    return (schema if isinstance(schema, dict) else None), is_json


def _any(top: TopLevel, key: str) -> object:
    return tolerant(top.value(key), _ANY, None)


def _object(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _texts(raw: msgspec.Raw | None) -> tuple[str, str]:
    """The last words in the user's name, and the texts of the conversation's end but for the model's own."""
    whole = tolerant(raw, _STRING, "")
    if whole:
        return whole, whole[-GIVEN_CHARS:]
    words, given = "", []
    for each in tolerant(raw, _RAWS, [])[-GIVEN_MESSAGES:]:
        message = _object(tolerant(each, _ANY, None))
        role = message.get("role")
        if role in {"assistant", "model", "system", "developer"} or message.get("type") == "reasoning":
            continue
        said: list[str] = []
        _collect(message, said, depth=0)
        text = "\n".join(said)
        given.append(text)
        if role == "user" and not _is_result(message):
            words = text
    return words, "\n".join(given)[-GIVEN_CHARS:]


_TEXT_KEYS: Final = ("text", "content", "output", "parts", "response", "functionResponse", "error")
_DEPTH: Final = 6


def _collect(value: object, said: list[str], *, depth: int) -> None:
    """The texts of a message of any dialect, in order."""
    if isinstance(value, str):
        said.append(value)
    elif isinstance(value, list) and depth < _DEPTH:
        for each in value:
            _collect(each, said, depth=depth + 1)
    elif isinstance(value, dict) and depth < _DEPTH:
        for key in _TEXT_KEYS:
            if key in value:
                _collect(value[key], said, depth=depth + 1)


def _is_result(message: dict[str, Any]) -> bool:
    """A message of tool results alone says nothing in the user's name."""
    content = message.get("content") or message.get("parts")
    if not isinstance(content, list) or not content:
        return False
    return all(
        isinstance(each, dict) and (each.get("type") == "tool_result" or "functionResponse" in each) for each in content
    )
