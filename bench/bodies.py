"""The traffic of the bench: Messages requests shaped like a coding agent's, and the answers of the mock upstream.

Every request carries what makes agents' bodies expensive to read: a system prompt, two dozen tools with their
schemas, and a history of tool results full of quotes and line breaks. The source code in it is the standard
library's own, so that nothing has to be shipped. Knows no sockets.
"""

from __future__ import annotations

import argparse
import inspect
import json
from typing import Any

KIB = 1024
VARIANTS = 8
"""Sessions per size. Their histories differ, so that a cache by whole body would gain nothing; their tools do not,
since an agent offers the same ones on every step."""

BASELINE = "bench-frontier"
CHEAP = "bench-cheap"
PATH = "/v1/messages?beta=true"
EVENTS = 50
TOOLS = 24

_SOURCE = inspect.getsource(argparse)
_PIECE = 2600
"""Characters of one tool result: a screenful of code."""


def requests(size: int, *, stream: bool) -> list[bytes]:
    """Whole HTTP requests of `size` bytes of body, one per session."""
    return [_http(_body(size, session, stream=stream), session) for session in range(VARIANTS)]


def _http(body: bytes, session: int) -> bytes:
    head = (
        f"POST {PATH} HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: application/json\r\nContent-Type: application/json\r\n"
        f"User-Agent: claude-cli/2.1.197 (external, cli)\r\nX-Claude-Code-Session-Id: {_uuid(session)}\r\n"
        "X-Stainless-Lang: js\r\nX-Stainless-Retry-Count: 0\r\nX-Stainless-Runtime: node\r\n"
        "anthropic-beta: claude-code-20250219,interleaved-thinking-2025-05-14,context-management-2025-06-27\r\n"
        "anthropic-version: 2023-06-01\r\nx-api-key: sk-ant-bench\r\nx-app: cli\r\n"
        f"Accept-Encoding: gzip, deflate, br, zstd\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def _uuid(session: int) -> str:
    return f"01d585de-7a19-4226-a279-{session:012d}"


def _body(size: int, session: int, *, stream: bool) -> bytes:
    """A JSON body of exactly `size` bytes: a short question below 16 KiB, else a step of a long tool loop."""
    question = {"role": "user", "content": "Explain what this parser does with an option that stands twice."}
    fields: dict[str, Any] = {
        "model": BASELINE,
        "messages": [question],
        "system": [{"type": "text", "text": "You are a coding agent that helps with software engineering tasks."}],
        "metadata": {"user_id": json.dumps({"session_id": _uuid(session)})},
        "max_tokens": 32000,
        "stream": stream,
    }
    if size >= 16 * KIB:
        fields["system"].append({"type": "text", "text": _SOURCE[:6000], "cache_control": {"type": "ephemeral"}})
        fields["tools"] = [_tool(number) for number in range(TOOLS)]
        step = 0
        while len(_encoded(fields)) + 2 * _PIECE < size:
            fields["messages"] += _step(session, step)
            step += 1
    room = size - len(_encoded(fields))
    question["content"] += " argument group" * (room // 15) + "." * (room % 15)
    return _encoded(fields)


def _encoded(fields: dict[str, Any]) -> bytes:
    """As an agent's HTTP client writes it, `stream` last: the mock reads the body's end."""
    last = {"stream": fields["stream"]}
    ordered = {key: value for key, value in fields.items() if key != "stream"} | last
    return json.dumps(ordered, separators=(",", ":"), ensure_ascii=False).encode()


def _tool(number: int) -> dict[str, Any]:
    properties = {
        name: {"type": "string", "description": f"The {name} this tool works on, as an absolute value."}
        for name in ("file_path", "pattern", "old_string", "new_string")
    }
    return {
        "name": f"Tool{number}",
        "description": _SOURCE[number * 700 : number * 700 + 600],
        "input_schema": {"type": "object", "properties": properties, "required": ["file_path"]},
    }


def _step(session: int, step: int) -> list[dict[str, Any]]:
    """A tool call of the assistant and its result."""
    call = f"toolu_{session:04d}{step:06d}"
    start = (session * 9173 + step * _PIECE) % (len(_SOURCE) - _PIECE)
    use = {"type": "tool_use", "id": call, "name": f"Tool{step % TOOLS}", "input": {"file_path": "/src/parser.py"}}
    result = {"type": "tool_result", "tool_use_id": call, "content": _SOURCE[start : start + _PIECE]}
    return [
        {"role": "assistant", "content": [{"type": "text", "text": "I will look at the next part."}, use]},
        {"role": "user", "content": [result]},
    ]


# -- answers ----------------------------------------------------------------------------------------------

_USAGE = {
    "input_tokens": 12,
    "cache_creation_input_tokens": 840,
    "cache_read_input_tokens": 15230,
    "output_tokens": 210,
    "service_tier": "standard",
}
_MESSAGE = {
    "id": "msg_bench",
    "type": "message",
    "role": "assistant",
    "model": CHEAP,
    "content": [{"type": "text", "text": _SOURCE[1000:1800]}],
    "stop_reason": "end_turn",
    "stop_sequence": None,
    "usage": _USAGE,
}


def whole_answer() -> bytes:
    """The answer to a request that does not stream: a JSON body of about 1 KB."""
    return json.dumps(_MESSAGE).encode()


def events() -> list[bytes]:
    """The `EVENTS` server-sent events that answer a streaming request."""
    start = _MESSAGE | {"content": [], "stop_reason": None}
    block = {"type": "text", "text": ""}
    found = [
        _event({"type": "message_start", "message": start}),
        _event({"type": "content_block_start", "index": 0, "content_block": block}),
    ]
    for number in range(EVENTS - 5):
        delta = {"type": "text_delta", "text": _SOURCE[number * 20 : number * 20 + 20]}
        found.append(_event({"type": "content_block_delta", "index": 0, "delta": delta}))
    stop = {"stop_reason": "end_turn", "stop_sequence": None}
    return [
        *found,
        _event({"type": "content_block_stop", "index": 0}),
        _event({"type": "message_delta", "delta": stop, "usage": {"output_tokens": 210}}),
        _event({"type": "message_stop"}),
    ]


def _event(data: dict[str, Any]) -> bytes:
    return f"event: {data['type']}\ndata: {json.dumps(data)}\n\n".encode()
