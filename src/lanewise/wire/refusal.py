"""Our own errors in the client's dialect: as a whole answer, or as the last event of a stream.

Used only for errors that are ours to tell; an upstream's error body is relayed as it came.
"""

from __future__ import annotations

import contextlib
import json
from typing import Any

from lanewise.errors import LanewiseError
from lanewise.journey import Dialect
from lanewise.wire.sse import event

_ANTHROPIC_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    405: "invalid_request_error",
    408: "timeout_error",
    413: "request_too_large",
    415: "invalid_request_error",
    426: "invalid_request_error",
    429: "rate_limit_error",
    503: "overloaded_error",
    504: "timeout_error",
}
_GEMINI_STATUS = {400: "INVALID_ARGUMENT", 401: "UNAUTHENTICATED", 404: "NOT_FOUND", 413: "INVALID_ARGUMENT"}


def refusal(dialect: Dialect | None, error: LanewiseError, call_id: str) -> bytes:
    """The JSON body that tells `error`; `dialect` None (unknown path) reads in all of them."""
    return json.dumps(_shape(dialect, error, call_id)).encode()


def last_event(dialect: Dialect, error: LanewiseError, call_id: str, sequence: int, created: bytes) -> bytes:
    """The event that ends a stream after its head was sent.

    Args:
        dialect: The client's.
        error: What happened.
        call_id: The call's id, told to the client.
        sequence: Responses only: the last sequence number that was sent.
        created: Responses only: the response object of `response.created`, empty if none was seen.
    """
    if dialect == "responses":
        body = json.dumps(_failed_response(error, call_id, sequence + 1, created))
        return event("response.failed", body.encode())
    name = "error" if dialect == "messages" else ""
    return event(name, refusal(dialect, error, call_id))


def _shape(dialect: Dialect | None, error: LanewiseError, call_id: str) -> dict[str, Any]:
    """A JSON object whose keys differ by dialect, hence untyped."""
    message = error.sentence
    if dialect == "gemini":
        status = _GEMINI_STATUS.get(error.status, "INTERNAL")
        return {"error": {"code": error.status, "message": message, "status": status}}
    anthropic_type = _ANTHROPIC_TYPES.get(error.status, "api_error")
    if dialect == "messages":
        return {"type": "error", "error": {"type": anthropic_type, "message": message}, "request_id": call_id}
    kind = "invalid_request_error" if error.status < 500 else "server_error"
    body: dict[str, Any] = {"error": {"message": message, "type": kind, "param": None, "code": error.code}}
    if dialect is None:
        body["type"] = "error"
    return body


def _failed_response(error: LanewiseError, call_id: str, sequence: int, created: bytes) -> dict[str, Any]:
    """`response.failed` with the resource that `response.created` opened, so that SDK accumulators accept it."""
    response: dict[str, Any] = {}
    with contextlib.suppress(ValueError, RecursionError):
        found = json.loads(created)
        response = found if isinstance(found, dict) else {}
    response = {"id": f"resp_{call_id}", "object": "response", "output": []} | response
    response |= {"status": "failed", "error": {"code": "server_error", "message": error.sentence}}
    return {"type": "response.failed", "sequence_number": sequence, "response": response}


def keep_alive(dialect: Dialect) -> bytes:
    """What a streaming client is sent while the upstream thinks: the dialect's own ping, else a comment."""
    if dialect == "messages":
        return b'event: ping\ndata: {"type": "ping"}\n\n'
    return b": keep-alive\n\n"
