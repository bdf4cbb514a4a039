"""OpenAI Chat Completions: an answer as a completion or as its chunks."""

from __future__ import annotations

from collections.abc import Iterator

from lanewise.demo.answers.answer import TIER_OPENAI, Answer, Json, Stop, cost, openai_cache, pieces
from lanewise.journey import Usage

_STOP_CHAT: dict[Stop, str] = {"end": "stop", "tools": "tool_calls", "length": "length", "refusal": "content_filter"}


def completion(answer: Answer) -> Json:
    """The response that is not streamed."""
    message: Json = {"role": "assistant", "content": answer.text or None, "refusal": None}
    if answer.thinking:
        message["reasoning_content"] = answer.thinking
    if answer.tool_calls:
        message["tool_calls"] = [
            {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
            for call in answer.tool_calls
        ]
    choice: Json = {"index": 0, "message": message, "logprobs": None, "finish_reason": _STOP_CHAT[answer.why_stopped]}
    body = {**_completion_head(answer, "chat.completion"), "choices": [choice]}
    return body if answer.usage is None else {**body, "usage": _chat_usage(answer.usage)}


def _completion_head(answer: Answer, kind: str) -> Json:
    head: Json = {"id": f"chatcmpl-{answer.id}", "object": kind, "created": answer.created_s, "model": answer.model}
    tier = {} if answer.usage is None else {"service_tier": TIER_OPENAI[answer.usage.service_tier]}
    return {**head, **tier, "system_fingerprint": None}


def _chat_usage(usage: Usage) -> Json:
    return {
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.output_tokens,
        "total_tokens": usage.prompt_tokens + usage.output_tokens,
        "prompt_tokens_details": openai_cache(usage),
        "completion_tokens_details": {"reasoning_tokens": usage.reasoning_tokens},
        **cost(usage),
    }


def completion_chunks(answer: Answer, chars: int, include_usage: bool) -> Iterator[Json]:
    """The chunks of the stream, without the `[DONE]` that ends it."""
    head = _completion_head(answer, "chat.completion.chunk")
    if include_usage and answer.usage is not None:
        head["usage"] = None

    def chunk(delta: Json, finish_reason: str | None = None) -> Json:
        choice: Json = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish_reason}
        return {**head, "choices": [choice]}

    yield chunk({"role": "assistant", "content": "", "refusal": None})
    yield from (chunk({"reasoning_content": piece}) for piece in pieces(answer.thinking, chars))
    yield from (chunk({"content": piece}) for piece in pieces(answer.text, chars))
    for index, call in enumerate(answer.tool_calls):
        opening = {"name": call.name, "arguments": ""}
        yield chunk({"tool_calls": [{"index": index, "id": call.id, "type": "function", "function": opening}]})
        for piece in pieces(call.arguments, chars):
            yield chunk({"tool_calls": [{"index": index, "function": {"arguments": piece}}]})
    yield chunk({}, _STOP_CHAT[answer.why_stopped])
    if include_usage and answer.usage is not None:
        yield {**head, "choices": [], "usage": _chat_usage(answer.usage)}
