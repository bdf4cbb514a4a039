"""OpenAI Responses: an answer as the response resource or as its numbered events."""

from __future__ import annotations

from collections.abc import Iterator

from lanewise.demo.answers.answer import TIER_OPENAI, Answer, Json, Stop, cost, openai_cache, pieces
from lanewise.journey import Usage

_STOP_RESPONSES: dict[Stop, str] = {"length": "max_output_tokens", "refusal": "content_filter"}


def _status(answer: Answer) -> str:
    return "incomplete" if answer.why_stopped in _STOP_RESPONSES else "completed"


def response_whole(answer: Answer) -> Json:
    """The finished response resource."""
    return _resource(answer, _status(answer), _items(answer))


def _resource(answer: Answer, status: str, output: list[Json]) -> Json:
    """The response resource with every field that the Open Responses schema requires, null or default."""
    usage = None if answer.usage is None or status == "in_progress" else _responses_usage(answer.usage)
    reason = _STOP_RESPONSES.get(answer.why_stopped) if status == "incomplete" else None
    return {
        "id": f"resp_{answer.id}",
        "object": "response",
        "created_at": answer.created_s,
        "completed_at": answer.created_s if status == "completed" else None,
        "status": status,
        "error": None,
        "incomplete_details": reason and {"reason": reason},
        "model": answer.model,
        "output": output,
        "usage": usage,
        "service_tier": "default" if answer.usage is None else TIER_OPENAI[answer.usage.service_tier],
        **_RESPONSE_DEFAULTS,
    }


_RESPONSE_DEFAULTS: Json = {
    "background": False,
    "frequency_penalty": 0.0,
    "instructions": None,
    "max_output_tokens": None,
    "max_tool_calls": None,
    "metadata": {},
    "parallel_tool_calls": True,
    "presence_penalty": 0.0,
    "previous_response_id": None,
    "prompt_cache_key": None,
    "reasoning": {"effort": None, "summary": None},
    "safety_identifier": None,
    "store": False,
    "temperature": 1.0,
    "text": {"format": {"type": "text"}},
    "tool_choice": "auto",
    "tools": [],
    "top_logprobs": 0,
    "top_p": 1.0,
    "truncation": "disabled",
}


def _responses_usage(usage: Usage) -> Json:
    return {
        "input_tokens": usage.prompt_tokens,
        "input_tokens_details": openai_cache(usage),
        "output_tokens": usage.output_tokens,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning_tokens},
        "total_tokens": usage.prompt_tokens + usage.output_tokens,
        **cost(usage),
    }


def _text_part(text: str) -> Json:
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}


def _items(answer: Answer) -> list[Json]:
    items: list[Json] = []
    if answer.seal:
        summary = [{"type": "summary_text", "text": answer.thinking}] if answer.thinking else []
        sealed = {"id": f"rs_{answer.id}", "summary": summary, "encrypted_content": answer.seal}
        items.append({"type": "reasoning", **sealed})
    if answer.text:
        items.append(_message_item(answer, "completed", [_text_part(answer.text)]))
    items += (_call_item(answer, index, "completed", call.arguments) for index, call in enumerate(answer.tool_calls))
    return items


def _message_item(answer: Answer, status: str, content: list[Json]) -> Json:
    return {"type": "message", "id": f"msg_{answer.id}", "role": "assistant", "status": status, "content": content}


def _call_item(answer: Answer, index: int, status: str, arguments: str) -> Json:
    call = answer.tool_calls[index]
    item: Json = {"type": "function_call", "id": f"fc_{answer.id}_{index}", "status": status}
    return {**item, "call_id": call.id, "name": call.name, "arguments": arguments}


def response_events(answer: Answer, chars: int) -> Iterator[Json]:
    """The events of the stream, before they are numbered."""
    for kind in ("created", "in_progress"):
        yield {"type": f"response.{kind}", "response": _resource(answer, "in_progress", [])}
    for index, item in enumerate(_items(answer)):
        at: Json = {"item_id": item["id"], "output_index": index}
        match item["type"]:
            case "reasoning":
                empty: Json = {**item, "summary": [], "encrypted_content": ""}
                steps = _summary_events(answer.thinking, chars, at) if answer.thinking else iter(())
            case "message":
                empty = _message_item(answer, "in_progress", [])
                steps = _text_events(answer.text, chars, at)
            case _:
                empty = {**item, "status": "in_progress", "arguments": ""}
                steps = _argument_events(str(item["arguments"]), chars, at)
        yield {"type": "response.output_item.added", "output_index": index, "item": empty}
        yield from steps
        yield {"type": "response.output_item.done", "output_index": index, "item": item}
    status = _status(answer)
    yield {"type": f"response.{status}", "response": _resource(answer, status, _items(answer))}


def _summary_events(text: str, chars: int, at: Json) -> Iterator[Json]:
    at = {**at, "summary_index": 0}
    name = "response.reasoning_summary"
    yield {"type": f"{name}_part.added", **at, "part": {"type": "summary_text", "text": ""}}
    yield from ({"type": f"{name}_text.delta", **at, "delta": piece} for piece in pieces(text, chars))
    yield {"type": f"{name}_text.done", **at, "text": text}
    yield {"type": f"{name}_part.done", **at, "part": {"type": "summary_text", "text": text}}


def _text_events(text: str, chars: int, at: Json) -> Iterator[Json]:
    at = {**at, "content_index": 0}
    yield {"type": "response.content_part.added", **at, "part": _text_part("")}
    for piece in pieces(text, chars):
        yield {"type": "response.output_text.delta", **at, "delta": piece, "logprobs": []}
    yield {"type": "response.output_text.done", **at, "text": text, "logprobs": []}
    yield {"type": "response.content_part.done", **at, "part": _text_part(text)}


def _argument_events(arguments: str, chars: int, at: Json) -> Iterator[Json]:
    name = "response.function_call_arguments"
    yield from ({"type": f"{name}.delta", **at, "delta": piece} for piece in pieces(arguments, chars))
    yield {"type": f"{name}.done", **at, "arguments": arguments}
