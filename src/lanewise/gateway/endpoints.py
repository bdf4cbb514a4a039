"""Path -> dialect and operation: the table of what is served. Knows no bodies."""

from __future__ import annotations

import re

from lanewise.errors import UnknownPath, WrongMethod
from lanewise.journey import Dialect, Operation, Value


class Endpoint(Value, frozen=True, kw_only=True):
    """What a path asks for."""

    dialect: Dialect
    operation: Operation


_EXACT: dict[str, tuple[Dialect, Operation]] = {
    "/v1/messages": ("messages", "generate"),
    "/v1/messages/count_tokens": ("messages", "count_tokens"),
    "/v1/chat/completions": ("chat", "generate"),
    "/v1/responses": ("responses", "generate"),
    "/v1/embeddings": ("chat", "embeddings"),
}
_UNDER: tuple[tuple[str, Dialect], ...] = (
    ("/v1/messages/", "messages"),
    ("/v1/responses/", "responses"),
    ("/v1/conversations", "responses"),
    ("/v1beta/", "gemini"),
)
_SHARED = ("/v1/files", "/v1/batches")
"""Paths that both vendors have; `anthropic-version` tells whose client asks."""

_DOTS = re.compile(r"[/\\]\.\.?(?:[/\\]|$)")
"""Segments with which a path would leave the base URL of its provider."""

_GEMINI_VERB = re.compile(r"^/v1beta/models/[^/:]+:(\w+)$")
_GEMINI_OPERATION: dict[str, Operation] = {
    "generateContent": "generate",
    "streamGenerateContent": "generate",
    "countTokens": "count_tokens",
    "embedContent": "embeddings",
}


def endpoint_of(method: str, path: str, *, anthropic: bool) -> Endpoint:
    """What `path` asks for; anything else under `/v1/` is passed on unread to the dialect's first provider.

    Args:
        method: HTTP method.
        path: Without the query.
        anthropic: The request carries `anthropic-version`.

    Raises:
        UnknownPath: Not an endpoint of any dialect.
        WrongMethod: It takes POST only.
    """
    if _DOTS.search(path):
        raise UnknownPath(f"there is no endpoint {path}", hint="send the path without dot segments")
    if path in _EXACT:
        dialect, operation = _EXACT[path]
        if method != "POST":
            raise WrongMethod(f"{path} takes POST, not {method}", hint="send the request as POST")
        return Endpoint(dialect=dialect, operation=operation)
    if verb := _GEMINI_VERB.match(path):
        if method != "POST":
            raise WrongMethod(f"{path} takes POST, not {method}", hint="send the request as POST")
        return Endpoint(dialect="gemini", operation=_GEMINI_OPERATION.get(verb[1], "other"))
    for prefix, dialect in _UNDER:
        if path.startswith(prefix):
            return Endpoint(dialect=dialect, operation="other")
    if path.startswith(_SHARED) and anthropic:
        return Endpoint(dialect="messages", operation="other")
    if path.startswith("/v1/") and len(path) > len("/v1/"):
        return Endpoint(dialect="chat", operation="other")
    hint = f"did you mean /v1{path}? the base URL of this client ends in /v1" if f"/v1{path}" in _EXACT else ""
    raise UnknownPath(f"there is no endpoint {path}", hint=hint or "see docs/reference/http.md")
