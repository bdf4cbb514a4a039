"""What a user hands to `classify` and `explain`, as the requests that the gateway would have read.

A plain text, a request body of any dialect, a recorded request ``{method, path, headers, body}``, or a row of
``{text, history, answer_head, system, tools, client}``. Everything ends in `wire.peek`, so that the answer is the
gateway's. It sends nothing.
"""

from __future__ import annotations

import functools
import json
import sys
from pathlib import Path
from typing import Any, Final, TypeAlias, get_args

import click
import msgspec

from lanewise.classify import sentinels
from lanewise.cli.refused import Refused
from lanewise.errors import LanewiseError
from lanewise.gateway.endpoints import endpoint_of
from lanewise.journey import Dialect, Operation, Request
from lanewise.wire import peek

MAX_BYTES: Final = 1 << 30
"""The largest limit that `server.max_body_mb` may have: what the gateway would take, this takes."""

_PATHS: Final[dict[Dialect, str]] = {
    "messages": "/v1/messages",
    "chat": "/v1/chat/completions",
    "responses": "/v1/responses",
    "gemini": "/v1beta/models/{model}:generateContent",
}

Document: TypeAlias = dict[str, Any]
"""A JSON object of the user's: any keys, any values."""


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """A line of `classify --jsonl` that is not a whole request. Other keys are ignored."""

    text: str
    history: tuple[str | dict[str, Any], ...] | None = None
    """Earlier prompts of the user, or earlier messages ``{role, content}``, oldest first."""
    answer_head: str | None = None
    """How the last answer began."""
    system: str | None = None
    tools: tuple[str | dict[str, Any], ...] | int | None = None
    """Tools offered: their names, their definitions, or how many."""
    client: str | None = None
    """A client family that the classifier knows, such as ``claude-code``."""


ASSUMED = (("x-api-key", "assumed"),)
"""A bare body comes without headers: its sender is taken to have a credential for the provider that it addresses."""


def content_of(argument: str | None, *, what: str) -> bytes:
    """The bytes behind an argument: `-` or none at all is standard input, a file's name its content, else the text.

    Raises:
        Refused: it is empty, or a file that cannot be read.
    """
    if argument is None and sys.stdin.isatty():
        raise click.UsageError(f"give {what}, or `-` for standard input")
    if argument in {None, "-"}:
        content = sys.stdin.buffer.read()
    elif (path := _file(argument or "")) is not None:
        try:
            content = path.read_bytes()
        except OSError as error:
            raise Refused(f"cannot read {path}: {error.strerror}", hint=f"`ls -l {path}` shows who may") from error
    else:
        content = (argument or "").encode("utf-8", "replace")
    if not content.strip():
        raise Refused("the input is empty", hint=f"give {what}")
    return content


def _file(argument: str) -> Path | None:
    """The path, if `argument` names a file; a long text does not."""
    try:
        path = Path(argument)
        return path if path.is_file() else None
    except (OSError, ValueError):
        return None


def document_of(content: bytes, where: str) -> Document:
    """The JSON object in `content`.

    Raises:
        Refused: it is no JSON, or no object; `where` says which input.
    """
    try:
        document = json.loads(content)
    except json.JSONDecodeError as error:
        raise Refused(f"{where}:{error.lineno}: not JSON: {error.msg}", hint="give one JSON object") from None
    except UnicodeDecodeError:
        raise Refused(f"{where}: not UTF-8", hint="give one JSON object in UTF-8") from None
    if not isinstance(document, dict):
        raise Refused(f"{where}: not a JSON object", hint="give a request body, or {method, path, headers, body}")
    return document


def is_request(document: Document) -> bool:
    """Whether `document` is a request body or a recorded request."""
    return bool(document.keys() & {"messages", "input", "contents"}) or document.keys() >= {"path", "body"}


def request_of(document: Document, content: bytes | None = None, *, dialect: Dialect | None = None) -> Request:
    """The request that `document` is.

    Args:
        document: A body or a recorded request.
        content: Its bytes where they are a body as sent; re-encoded otherwise.
        dialect: Read a body in this dialect instead of guessing.

    Raises:
        Refused: it cannot be read.
    """
    try:
        if document.keys() >= {"path", "body"}:
            return _recorded(document)
        spoken = dialect or dialect_of(document)
        model = document.get("model", "")
        target = _PATHS[spoken].replace("{model}", model if isinstance(model, str) and model else "unknown")
        return _peeked(spoken, "generate", "POST", target, ASSUMED, content or _encoded(document))
    except LanewiseError as error:
        raise Refused(error.message, hint=error.hint or "see docs/reference/commands.md") from None


def _recorded(document: Document) -> Request:
    method, target = str(document.get("method", "POST")), str(document["path"])
    sent = document.get("headers") or ()
    pairs = sent.items() if isinstance(sent, dict) else [pair for pair in sent if len(pair) == 2]
    # A recording holds the body decoded.
    headers = [(str(k).lower(), str(v)) for k, v in pairs if str(k).lower() != "content-encoding"]
    anthropic = any(name == "anthropic-version" for name, _ in headers)
    endpoint = endpoint_of(method, target.partition("?")[0], anthropic=anthropic)
    body = document["body"]
    content = body.encode() if isinstance(body, str) else b"" if body is None else _encoded(body)
    return _peeked(endpoint.dialect, endpoint.operation, method, target, headers, content)


def _peeked(
    dialect: Dialect, operation: Operation, method: str, target: str, headers: Any, content: bytes
) -> Request:  # Any: pairs from a table or a recording
    return peek(
        dialect=dialect,
        operation=operation,
        method=method,
        target=target,
        headers=headers,
        body=content,
        max_body_bytes=MAX_BYTES,
    )


def _encoded(document: Any) -> bytes:
    """As clients encode: compact, so that sizes are theirs. Any: JSON."""
    try:
        return msgspec.json.encode(document)
    except UnicodeEncodeError:  # a lone surrogate, which some agents cut emoji into
        return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass")


def dialect_of(body: Document) -> Dialect:
    """The dialect of a body by its keys; a Claude model without any other sign is asked in Anthropic's.

    Raises:
        Refused: it has the keys of none.
    """
    if "contents" in body:
        return "gemini"
    if "input" in body:
        return "responses"
    if "messages" not in body:
        raise Refused(
            "this is no request body: it has none of `messages`, `input`, `contents`",
            hint=f"give a body in one of the dialects {', '.join(get_args(Dialect))}",
        )
    tools = body.get("tools")
    anthropic_tools = isinstance(tools, list) and any(isinstance(t, dict) and "input_schema" in t for t in tools)
    if body.keys() & {"system", "thinking", "stop_sequences", "anthropic_version"} or anthropic_tools:
        return "messages"
    return "messages" if str(body.get("model", "")).startswith("claude") else "chat"


def conversation_of(row: Row) -> Request:
    """The call by which an agent would send the row's text: the earlier prompts, the answer, the text."""
    messages: list[Document] = [{"role": "system", "content": row.system}] if row.system else []
    for earlier in row.history or ():
        if isinstance(earlier, dict):
            messages.append(earlier)
        else:
            messages += [{"role": "user", "content": earlier}, {"role": "assistant", "content": ""}]
    if row.answer_head:
        if messages and messages[-1]["role"] == "assistant":
            messages.pop()
        messages.append({"role": "assistant", "content": row.answer_head})
    messages.append({"role": "user", "content": row.text})
    body: Document = {"model": "", "messages": messages}
    if row.tools:
        offered = [f"tool_{n}" for n in range(row.tools)] if isinstance(row.tools, int) else row.tools
        body["tools"] = [{"type": "function", "function": {"name": t}} if isinstance(t, str) else t for t in offered]
    return _peeked("chat", "generate", "POST", _PATHS["chat"], _headers_of(row.client or ""), _encoded(body))


@functools.cache
def _headers_of(client: str) -> tuple[tuple[str, str], ...]:
    """A header by which the classifier recognises `client`; none for a client it does not know."""
    for known in sentinels.load().clients:
        for sign in known.signs if known.name == client else ():
            if sign.where == "header":
                return ((sign.header, sign.exact or sign.opening or sign.contains),)
    return ()
