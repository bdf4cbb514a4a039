"""A client's bytes -> `Request`: looks once, decodes only what routing needs, keeps the bytes as they came.

What is read: the top-level keys, the names of the tools, the heads of the system texts, the first user message and
the last six. One file per dialect says where these lie (`messages`, `chat`, `responses`, `gemini`). Anything of
the wrong shape below the top level is left for the provider to judge: the peek then simply knows less.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from lanewise.errors import BodyTooLarge, MalformedBody
from lanewise.journey import Dialect, Operation, Request
from lanewise.wire import chat, gemini, messages, responses
from lanewise.wire.body import TopLevel
from lanewise.wire.encoding import decoded

_IMAGE_MARK: Final = {
    "messages": b'"image"',
    "chat": b'"image_url"',
    "responses": b'"input_image"',
    "gemini": b'"inlineData"',
}
"""Block types of images as JSON tokens; inside a text their quotes would be escaped."""

_SESSION_HEADERS: Final = (
    "x-lanewise-session",
    "x-claude-code-session-id",
    "session-id",
    "thread-id",
    "x-session-id",
    "x-session-affinity",
    "session_id",
    "conversation_id",
)

_READERS: Final = {"messages": messages.parts, "chat": chat.parts, "responses": responses.parts, "gemini": gemini.parts}

_GEMINI_MODEL: Final = re.compile(r"/models/([^/:?]+)(?::(\w+))?")


def peek(
    *,
    dialect: Dialect,
    operation: Operation,
    method: str,
    target: str,
    headers: Sequence[tuple[str, str]],
    body: bytes,
    max_body_bytes: int,
) -> Request:
    """Understand one call.

    Args:
        dialect: The language of the endpoint.
        operation: What the endpoint does.
        method: HTTP method.
        target: Path and query as sent.
        headers: Name (lower case) and value in the client's order.
        body: The body as received, compressed or not.
        max_body_bytes: Limit of the body, also after decompression.

    Raises:
        ClientError: The body is too large, not decodable, not a JSON object, or a routing key has the wrong type.
    """
    if len(body) > max_body_bytes:
        raise BodyTooLarge(
            f"the body is larger than {max_body_bytes >> 20} MiB", hint="raise server.max_body_mb if this is meant"
        )
    pairs = tuple(headers)
    encoding = ",".join(value for name, value in pairs if name == "content-encoding")
    unread = operation == "other" and bool(encoding)
    plain = decoded(body, encoding, limit=max_body_bytes) if encoding and not unread else body
    top = None if unread else _top(plain, operation)
    if top is None:
        return Request(
            dialect=dialect, operation=operation, method=method, target=target, headers=pairs, body=body, plain=plain
        )
    parts = _READERS[dialect](top)
    by_name = dict(reversed(pairs))  # of a name that stands twice, the first counts
    session = next((by_name[name] for name in _SESSION_HEADERS if by_name.get(name)), "")
    model, span, stream = top.string("model"), top.spans.get("model"), top.boolean("stream")
    if dialect == "gemini" and (named := _GEMINI_MODEL.search(target)):
        model, span, stream = named[1], None, named[2] == "streamGenerateContent"
    return Request(
        dialect=dialect,
        operation=operation,
        method=method,
        target=target,
        headers=pairs,
        body=body,
        plain=plain,
        model=model,
        model_span=span if model else None,
        stream=stream,
        include_usage=parts.include_usage,
        max_tokens=parts.max_tokens,
        tool_names=parts.tool_names,
        system=parts.system,
        first_user=parts.first_user,
        recent=parts.recent,
        message_count=parts.message_count,
        output_schema_keys=parts.output_schema_keys,
        has_images=_IMAGE_MARK[dialect] in plain,
        session_hint=session or parts.session_hint,
        agent_id=by_name.get("x-claude-code-agent-id") or by_name.get("x-openai-subagent", ""),
        parent_agent_id=by_name.get("x-claude-code-parent-agent-id") or by_name.get("x-codex-parent-thread-id", ""),
    )


def _top(plain: bytes, operation: Operation) -> TopLevel | None:
    """The body's top level; None for a call that is passed on unread and whose body is not a JSON object."""
    if operation != "other":
        return TopLevel(plain)
    try:
        return TopLevel(plain) if plain else None
    except MalformedBody:
        return None
