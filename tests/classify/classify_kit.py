"""Builds requests for the tests of this room: from recorded calls through `wire`, and by hand."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path

from hypothesis import strategies as st

from lanewise.journey import Message, Request
from lanewise.wire.peek import peek

NOW = dt.datetime(2026, 11, 23, 12, 0, tzinfo=dt.UTC)
HERE = Path(__file__).parent
SHARED = HERE.parents[1].parent / "shared" / "data"
CLAUDE_CODE = (("user-agent", "claude-cli/2.1.197 (external, cli)"), ("anthropic-beta", "claude-code-20250219"))


def recorded(path: Path) -> Request:
    """The recorded call in `path` as `wire` understands it."""
    call = json.loads(path.read_bytes())
    where = call["path"].partition("?")[0]
    if where.endswith("/responses"):
        dialect = "responses"
    elif where.endswith("/chat/completions"):
        dialect = "chat"
    else:
        dialect = "gemini" if where.startswith("/v1beta") else "messages"
    operation = "generate" if call["method"] in {"POST", "WS-MSG"} else "other"
    if where.endswith("/count_tokens"):
        operation = "count_tokens"
    return peek(
        dialect=dialect,
        operation=operation,
        method=call["method"],
        target=call["path"],
        # The recordings hold bodies decoded.
        headers=[(name.lower(), value) for name, value in call["headers"] if name.lower() != "content-encoding"],
        body=json.dumps(call["body"]).encode() if call["body"] is not None else b"",
        max_body_bytes=1 << 26,
    )


def user(text: str, *kinds: str) -> Message:
    return Message(role="user", text=text, block_kinds=kinds or ("text",))


def answer(text: str = "Done.") -> Message:
    return Message(role="assistant", text=text, block_kinds=("text",))


def results(*, errors: int = 0, text: str = "") -> Message:
    kinds = ("tool_result", "text") if text else ("tool_result",)
    return Message(role="user", text=text, block_kinds=kinds, tool_errors=errors)


def request(*messages: Message, **fields) -> Request:
    """A Messages request whose last messages are `messages`, with the given fields of `Request` set."""
    first = next((message for message in messages if message.role == "user"), None)
    defaults = {
        "dialect": "messages",
        "operation": "generate",
        "method": "POST",
        "target": "/v1/messages",
        "headers": (),
        "body": b"{}",
        "plain": b"{}",
        "model": "claude-opus-4-8",
        "tool_names": ("Read", "Edit", "Bash"),
        "first_user": first,
        "recent": messages[-6:],
        "message_count": len(messages),
    }
    return Request(**{**defaults, **fields})


ROLES = st.sampled_from(["user", "assistant", "system", "tool", "developer", "model", "", "unreadable"])
KINDS = st.sampled_from(["text", "tool_result", "image", "tool_use", "functionResponse", "reasoning", "x"])
TEXTS = st.one_of(
    st.text(max_size=80),
    st.lists(
        st.sampled_from(["<system-reminder>", "</system-reminder>", "yes", "\n", "<task>", "ok ", "1, ", '"', "# "]),
        max_size=12,
    ).map("".join),
)
MESSAGES = st.builds(
    Message, role=ROLES, text=TEXTS, block_kinds=st.lists(KINDS, max_size=3).map(tuple), tool_errors=st.integers(0, 3)
)
REQUESTS = st.builds(
    Request,
    dialect=st.sampled_from(["messages", "chat", "responses", "gemini"]),
    operation=st.sampled_from(["generate", "count_tokens", "embeddings", "other"]),
    method=st.sampled_from(["POST", "GET", "HEAD"]),
    target=st.just("/"),
    headers=st.lists(
        st.tuples(st.sampled_from(["user-agent", "originator", "x-openai-subagent", "x"]), TEXTS), max_size=4
    ).map(tuple),
    body=st.just(b""),
    plain=st.binary(max_size=60),
    model=st.sampled_from(["", "claude-opus-5-5", "gpt-5", "claude-"]),
    max_tokens=st.one_of(st.none(), st.integers(-5, 10**6)),
    tool_names=st.lists(TEXTS, max_size=2).map(tuple),
    system=st.lists(TEXTS, max_size=3).map(tuple),
    first_user=st.one_of(st.none(), MESSAGES),
    recent=st.lists(MESSAGES, max_size=6).map(tuple),
    message_count=st.integers(0, 200),
    output_schema_keys=st.lists(st.sampled_from(["title", "next_speaker", "x"]), max_size=2).map(tuple),
    has_images=st.booleans(),
    session_hint=TEXTS,
    agent_id=TEXTS,
)
