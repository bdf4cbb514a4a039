"""What a scripted upstream says: the agents' little job, fixed answers, and failures that wrap either.

The job: the first call with tools gets one tool call that writes `hello.txt` with the client's own tool, the call
that brings the result back gets a closing sentence, calls without tools (titles, commit messages) get plain text.
The prompt names the file by its absolute path, which is where the script reads it from.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection
from typing import Any

import msgspec

from doubles.recorded import Recorded
from doubles.upstream import Fault, Reply, Script
from lanewise.demo.answers import Answer, ToolCall, error, error_event, events, whole
from lanewise.journey import Dialect, Usage

GREETING = "hello from lanewise\n"
CREATED_S = 1_790_000_000
MODELS = ("claude-opus-5-5", "claude-haiku-5-5", "gpt-5", "qwen3-coder")

# The clients' own write tools, in the order of preference where a client offers several.
_WRITE_TOOLS: dict[str, Callable[[str], dict[str, object]]] = {
    "Write": lambda path: {"file_path": path, "content": GREETING},
    "write": lambda path: {"content": GREETING, "filePath": path},
    "write_file": lambda path: {"file_path": path, "content": GREETING},
    "exec_command": lambda path: {"cmd": f"printf '{GREETING.strip()}\\n' > {path}"},
    "bash": lambda path: {"command": f"printf '{GREETING.strip()}\\n' > {path}", "description": "Write the greeting"},
}

_PATHS: dict[str, Dialect] = {
    "/v1/messages": "messages",
    "/v1/chat/completions": "chat",
    "/v1/responses": "responses",
}

_RATE_LIMITED: dict[Dialect, str] = {"gemini": "RESOURCE_EXHAUSTED", "messages": "rate_limit_error"}
_OVERLOADED: dict[Dialect, str] = {"gemini": "UNAVAILABLE", "messages": "overloaded_error"}


def dialect_of(request: Recorded) -> Dialect:
    """The wire language that the request's path belongs to; Chat where no path says it."""
    if request.path.startswith("/v1beta/"):
        return "gemini"
    return next((dialect for path, dialect in _PATHS.items() if request.path.startswith(path)), "chat")


def agents_job(request: Recorded) -> Reply:
    """The script for real agents and SDKs: see the module's first lines."""
    if request.header("upgrade") == "websocket":
        body = error("responses", 426, "upgrade_required", "WebSocket is not served here.")
        return json_reply(body, status=426)
    if request.method == "HEAD":
        return Reply(framing="none")
    if request.path == "/v1/models":
        return json_reply(_models())
    if request.path.endswith("/count_tokens"):
        return json_reply(json.dumps({"input_tokens": len(request.plain) // 4}).encode())
    if request.method == "POST" and (request.path in _PATHS or request.path.startswith("/v1beta/")):
        return answer_reply(request, _next_answer(request))
    return json_reply(error(dialect_of(request), 404, "not_found", f"No such path: {request.path}"), status=404)


def says(answer: Answer) -> Script:
    """Always this answer, streamed or whole, in the dialect of the request's path."""
    return lambda request: answer_reply(request, answer)


def replies(*given: Reply) -> Script:
    """The given replies, one per request in the order of arrival; the last one again after that."""
    return lambda request: given[min(request.number, len(given)) - 1]


def faulty(script: Script, fault: Fault, *, on: Collection[int] = ()) -> Script:
    """`script` with `fault` on the requests with these numbers, or on all where none is named."""

    def scripted(request: Recorded) -> Reply:
        reply = script(request)
        return msgspec.structs.replace(reply, fault=fault) if not on or request.number in on else reply

    return scripted


def giving_up(script: Script, after_pieces: int) -> Script:
    """`script` whose streams end after that many events with the dialect's own error event."""

    def scripted(request: Recorded) -> Reply:
        reply, dialect = script(request), dialect_of(request)
        kind = _OVERLOADED.get(dialect, "server_error")
        last = error_event(dialect, 529, kind, "scripted overload", sequence_number=after_pieces)
        return msgspec.structs.replace(reply, pieces=(*reply.pieces[:after_pieces], last))

    return scripted


def failing(spec: str, then: Script, *, retry_after: str = "1") -> Script:
    """Error statuses first, e.g. ``429:2,529:1`` for two of the one and one of the other, and `then` from there.

    Only POSTs count; each error carries `retry-after` where it is not empty.
    """
    statuses = [
        int(status) for status, _, times in (p.partition(":") for p in spec.split(",")) for _ in range(int(times))
    ]

    def scripted(request: Recorded) -> Reply:
        if request.method != "POST" or not statuses:
            return then(request)
        return error_reply(request, statuses.pop(0), retry_after=retry_after)

    return scripted


def error_reply(request: Recorded, status: int, *, retry_after: str = "") -> Reply:
    """An error of the provider in the dialect of the request's path."""
    dialect = dialect_of(request)
    if status == 429:
        kind = _RATE_LIMITED.get(dialect, "rate_limit_exceeded")
    elif status >= 500:
        kind = _OVERLOADED.get(dialect, "server_error")
    else:
        kind = "invalid_request_error"
    headers = ((b"retry-after", retry_after.encode()),) if retry_after else ()
    return json_reply(error(dialect, status, kind, f"scripted {status}"), status=status, headers=headers)


def json_reply(body: bytes, *, status: int = 200, headers: tuple[tuple[bytes, bytes], ...] = ()) -> Reply:
    """A JSON body with its length announced."""
    return Reply(status=status, headers=((b"content-type", b"application/json"), *headers), pieces=(body,))


def answer_reply(request: Recorded, answer: Answer, *, chunk_chars: int = 24) -> Reply:
    """The answer as the request asks for it: its dialect, streamed or whole, chat usage if wanted."""
    dialect, body = dialect_of(request), request.json
    number = b"%04d" % request.number
    headers: tuple[tuple[bytes, bytes], ...] = ((b"x-request-id", b"req_" + number), (b"openai-processing-ms", b"7"))
    if dialect == "messages":
        headers = ((b"request-id", b"req_" + number), (b"anthropic-ratelimit-requests-remaining", b"99"))
    if not (body.get("stream") or ":streamGenerateContent" in request.path):
        return json_reply(whole(dialect, answer), headers=headers)
    wants_usage = bool((body.get("stream_options") or {}).get("include_usage"))
    stream = events(dialect, answer, chunk_chars=chunk_chars, include_usage=wants_usage)
    kind = (b"content-type", b"text/event-stream; charset=utf-8")
    return Reply(headers=(kind, *headers), pieces=tuple(stream), framing="chunked")


def _models() -> bytes:
    """One list that both SDKs read."""
    both = [
        {
            "id": name,
            "object": "model",
            "created": CREATED_S,
            "owned_by": "scripted",
            "type": "model",
            "display_name": name,
            "created_at": "2026-09-21T14:13:20Z",
        }
        for name in MODELS
    ]
    page = {"has_more": False, "first_id": MODELS[0], "last_id": MODELS[-1]}
    return json.dumps({"object": "list", "data": both, **page}).encode()


def _next_answer(request: Recorded) -> Answer:
    body = request.json
    thinking, signature = _thinking(request, body)
    base = Answer(
        id=f"{request.number:04}",
        model=str(body.get("model") or "gemini"),
        usage=Usage(input_tokens=len(request.plain) // 4, cache_read_tokens=8, output_tokens=30, reasoning_tokens=5),
        created_s=CREATED_S,
        thinking=thinking,
        signature=signature,
    )
    path = re.search(rb"/[\w./-]+/hello\.txt", request.plain)
    tool = next((name for name in _WRITE_TOOLS if name in _tool_names(body)), "")
    if tool and path and not _has_tool_result(body):
        arguments = json.dumps(_WRITE_TOOLS[tool](path[0].decode()))
        call = ToolCall(id=f"call_{request.number:04}", name=tool, arguments=arguments)
        return msgspec.structs.replace(base, text="I will create the file.", tool_calls=(call,))
    return msgspec.structs.replace(base, text=_text(request, body))


def _thinking(request: Recorded, body: dict[str, Any]) -> tuple[str, str]:
    """Thinking and its seal. Messages clients say whether they want to see thinking; the others take it."""
    asked = body.get("thinking") or {}
    if dialect_of(request) == "messages" and asked.get("type") not in ("enabled", "adaptive"):
        return "", ""
    if asked.get("display") == "omitted":
        return "", "c2VhbGVk"
    return "The user wants a small file. One call will do.", ""


def _text(request: Recorded, body: dict[str, Any]) -> str:
    if b"*file listing*" in request.plain:  # aider's whole-file format
        return f"Here is the file.\n\nhello.txt\n```\n{GREETING}```\n"
    if (body.get("output_config") or {}).get("format"):
        return json.dumps({"title": "Create the greeting file"})
    if _has_tool_result(body):
        return "Done: hello.txt holds the greeting."
    return "Create the greeting file"


def _tool_names(body: dict[str, Any]) -> set[str]:
    declared = [each for tool in body.get("tools") or [] for each in tool.get("functionDeclarations", [tool])]
    return {str(tool.get("name") or tool.get("function", {}).get("name")) for tool in declared}


def _has_tool_result(body: dict[str, Any]) -> bool:
    turns = [*body.get("messages", []), *(body["input"] if isinstance(body.get("input"), list) else [])]
    blocks = [b for turn in turns if isinstance(turn.get("content"), list) for b in turn["content"]]
    parts = [part for content in body.get("contents", []) for part in content.get("parts", [])]
    return (
        any(turn.get("role") == "tool" or str(turn.get("type")).endswith("_call_output") for turn in turns)
        or any(block.get("type") == "tool_result" for block in blocks)
        or any("functionResponse" in part for part in parts)
    )
