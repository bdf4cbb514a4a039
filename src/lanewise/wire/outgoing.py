"""The body that goes upstream: the client's bytes, or the same with one value spliced.

Three things may change: the model, when another one was chosen, the provider's queue, when the slower one was, and
(Chat only) the request for usage at the end of a stream. A body that changes nothing is passed on as it came,
compressed or not.
"""

from __future__ import annotations

from urllib.parse import quote

import msgspec

from lanewise.journey import Request, Value
from lanewise.wire.body import TopLevel, replaced, with_key


class Outgoing(Value, frozen=True, kw_only=True):
    """What to send."""

    target: str
    """Path and query."""
    body: bytes
    rewritten: bool
    """The body is no longer the client's bytes: its content-encoding is gone and its length has changed."""
    hides_usage: bool = False
    """Usage was asked for on our own account; the extra chunk must not reach the client."""


def outgoing(request: Request, model: str, *, ask_usage: bool, flex: bool = False) -> Outgoing:
    """The request towards a provider that knows the model as `model`.

    Args:
        request: The client's.
        model: The provider's name for the model.
        ask_usage: Ask for usage even where nothing else changes.
        flex: Ask for the slower queue, unless the client names one itself (Chat and Responses).
    """
    target = request.target
    if request.dialect == "gemini":
        if request.model and model != request.model:
            target = target.replace(f"/models/{request.model}", f"/models/{quote(model, safe='')}", 1)
        return Outgoing(target=target, body=request.body, rewritten=False)
    changes = bool(model) and model != request.model and request.operation != "other"
    body = request.plain
    if changes:
        span = request.model_span
        body = with_key(body, "model", model) if span is None else replaced(body, span, model)
    if flex and request.dialect in {"chat", "responses"} and TopLevel(body).value("service_tier") is None:
        body, changes = with_key(body, "service_tier", "flex"), True
    hides = (
        request.dialect == "chat"
        and request.operation == "generate"
        and request.stream
        and not request.include_usage
        and (changes or ask_usage)
    )
    if hides:
        body = _asking_usage(body)
    if not changes and not hides:
        return Outgoing(target=target, body=request.body, rewritten=False)
    return Outgoing(target=target, body=body, rewritten=True, hides_usage=hides)


def _asking_usage(body: bytes) -> bytes:
    top = TopLevel(body)
    raw = top.value("stream_options")
    if raw is None:
        return with_key(body, "stream_options", {"include_usage": True})
    try:
        options = msgspec.json.decode(raw, type=dict[str, msgspec.Raw] | None) or {}
    except msgspec.MsgspecError:
        return body
    return replaced(body, top.spans["stream_options"], options | {"include_usage": True})
