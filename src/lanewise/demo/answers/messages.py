"""Anthropic Messages: an answer as a message or as its stream of events."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from lanewise.demo.answers.answer import Answer, Json, Stop, arguments, cost, pieces
from lanewise.journey import Usage

_STOP_MESSAGES: dict[Stop, str] = {"end": "end_turn", "tools": "tool_use", "length": "max_tokens", "refusal": "refusal"}
# Messages has no flex tier.
_TIER_MESSAGES = {"standard": "standard", "batch": "batch", "flex": "standard", "priority": "priority"}


def message(answer: Answer) -> Json:
    """The response that is not streamed."""
    head = _message_head(answer, list(_message_blocks(answer)), _STOP_MESSAGES[answer.why_stopped])
    return head if answer.usage is None else {**head, "usage": _messages_usage(answer.usage)}


def _message_head(answer: Answer, content: list[Json], stop_reason: str | None) -> Json:
    return {
        "id": f"msg_{answer.id}",
        "type": "message",
        "role": "assistant",
        "model": answer.model,
        "content": content,
        "stop_reason": stop_reason,
        "stop_sequence": None,
    }


def _message_blocks(answer: Answer) -> Iterator[Json]:
    if answer.seal:
        yield {"type": "thinking", "thinking": answer.thinking, "signature": answer.seal}
    if answer.text:
        yield {"type": "text", "text": answer.text}
    for call in answer.tool_calls:
        yield {"type": "tool_use", "id": call.id, "name": call.name, "input": arguments(call)}


def _messages_usage(usage: Usage) -> Json:
    return {
        **_messages_counts(usage),
        "cache_creation": {
            "ephemeral_5m_input_tokens": usage.cache_write_5m_tokens,
            "ephemeral_1h_input_tokens": usage.cache_write_1h_tokens,
        },
        "service_tier": _TIER_MESSAGES[usage.service_tier],
    }


def _messages_counts(usage: Usage) -> Json:
    details = {"output_tokens_details": {"thinking_tokens": usage.reasoning_tokens}} if usage.reasoning_tokens else {}
    return {
        "input_tokens": usage.input_tokens,
        "cache_creation_input_tokens": usage.cache_write_5m_tokens + usage.cache_write_1h_tokens,
        "cache_read_input_tokens": usage.cache_read_tokens,
        "output_tokens": usage.output_tokens,
        **details,
        **cost(usage),
    }


def message_events(answer: Answer, chars: int) -> Iterator[Json]:
    """The events of the stream, a ping after the first block began."""
    start = _message_head(answer, [], None)
    end: Json = {
        "type": "message_delta",
        "delta": {"stop_reason": _STOP_MESSAGES[answer.why_stopped], "stop_sequence": None},
    }
    if answer.usage is not None:
        # The stream opens with the prompt's tokens and a token count that has hardly begun; the end is cumulative.
        begun = msgspec.structs.replace(
            answer.usage,
            output_tokens=min(1, answer.usage.output_tokens),
            reasoning_tokens=0,
            reported_cost_pusd=None,
        )
        start["usage"] = _messages_usage(begun)
        end["usage"] = _messages_counts(answer.usage)
    yield {"type": "message_start", "message": start}
    for index, block in enumerate(_message_blocks(answer)):
        yield {"type": "content_block_start", "index": index, "content_block": _emptied(block)}
        if index == 0:
            yield {"type": "ping"}
        for delta in _message_deltas(answer, block, index, chars):
            yield {"type": "content_block_delta", "index": index, "delta": delta}
        yield {"type": "content_block_stop", "index": index}
    yield end
    yield {"type": "message_stop"}


def _emptied(block: Json) -> Json:
    empty: Json = {"thinking": "", "signature": "", "text": "", "input": {}}
    return {key: empty.get(key, value) for key, value in block.items()}


def _message_deltas(answer: Answer, block: Json, index: int, chars: int) -> list[Json]:
    match block["type"]:
        case "thinking":
            thoughts: list[Json] = [{"type": "thinking_delta", "thinking": p} for p in pieces(answer.thinking, chars)]
            return [*thoughts, {"type": "signature_delta", "signature": answer.seal}]
        case "text":
            return [{"type": "text_delta", "text": p} for p in pieces(answer.text, chars)]
        case _:
            call = answer.tool_calls[index - bool(answer.seal) - bool(answer.text)]
            return [{"type": "input_json_delta", "partial_json": p} for p in pieces(call.arguments, chars)]
