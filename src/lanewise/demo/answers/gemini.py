"""Gemini: an answer as a GenerateContentResponse or as its chunks; no more than the demo and tests need."""

from __future__ import annotations

from collections.abc import Iterator

from lanewise.demo.answers.answer import Answer, Json, Stop, arguments, pieces
from lanewise.journey import Usage

_STOP_GEMINI: dict[Stop, str] = {"end": "STOP", "tools": "STOP", "length": "MAX_TOKENS", "refusal": "SAFETY"}


def content_whole(answer: Answer) -> Json:
    """The response that is not streamed."""
    parts = [_gemini_thought(answer)] if answer.thinking else []
    parts += [{"text": answer.text}] if answer.text else []
    return _chunk(answer, [*parts, *_gemini_calls(answer)], last=True)


def _chunk(answer: Answer, parts: list[Json], *, last: bool) -> Json:
    candidate: Json = {"content": {"role": "model", "parts": parts}, "index": 0}
    body: Json = {"candidates": [candidate], "modelVersion": answer.model, "responseId": answer.id}
    if last:
        candidate["finishReason"] = _STOP_GEMINI[answer.why_stopped]
        if answer.usage is not None:
            body["usageMetadata"] = _gemini_usage(answer.usage)
    return body


def _gemini_usage(usage: Usage) -> Json:
    return {
        "promptTokenCount": usage.prompt_tokens,
        "cachedContentTokenCount": usage.cache_read_tokens,
        "candidatesTokenCount": usage.output_tokens - usage.reasoning_tokens,
        "thoughtsTokenCount": usage.reasoning_tokens,
        "totalTokenCount": usage.prompt_tokens + usage.output_tokens,
    }


def _gemini_thought(answer: Answer) -> Json:
    return {"text": answer.thinking, "thought": True}


def _gemini_calls(answer: Answer) -> list[Json]:
    parts: list[Json] = [
        {"functionCall": {"id": call.id, "name": call.name, "args": arguments(call)}} for call in answer.tool_calls
    ]
    if parts and answer.seal:
        parts[0]["thoughtSignature"] = answer.seal
    return parts


def content_chunks(answer: Answer, chars: int) -> Iterator[Json]:
    """The chunks of the stream; tool calls come whole in the last one."""
    if answer.thinking:
        yield _chunk(answer, [_gemini_thought(answer)], last=False)
    yield from (_chunk(answer, [{"text": piece}], last=False) for piece in pieces(answer.text, chars))
    yield _chunk(answer, _gemini_calls(answer) or [{"text": ""}], last=True)
