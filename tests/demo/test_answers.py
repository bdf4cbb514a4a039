"""The rendered answers are what the official SDKs accept, and say the same streamed and whole."""

from __future__ import annotations

import json
from typing import Any, get_args

import pytest
from anthropic import types as anthropic_types
from anthropic.types import beta as anthropic_beta
from openai.types import chat as chat_types
from openai.types import responses as responses_types
from openai.types.responses import Response
from pydantic import TypeAdapter

from lanewise.demo.answers import Answer, ToolCall, error, error_event, events, whole
from lanewise.journey import Dialect, Usage

DIALECTS: tuple[Dialect, ...] = ("messages", "chat", "responses", "gemini")

USAGE = Usage(
    input_tokens=100,
    cache_read_tokens=2000,
    cache_write_5m_tokens=30,
    cache_write_1h_tokens=4,
    output_tokens=50,
    reasoning_tokens=20,
)
CALL = ToolCall(id="call_1", name="Write", arguments='{"file_path": "hello.txt", "content": "grüße, 世界\\n"}')
OTHER = ToolCall(id="call_2", name="Bash", arguments='{"command":"ls"}')

PLAIN = Answer(model="m", text="It is done, and nothing else was touched.", usage=USAGE, created_s=1_700_000_000)
TOOLS = Answer(
    id="abc",
    model="m",
    text="I will create the file.",
    thinking="Let me think about it for a while.",
    tool_calls=(CALL, OTHER),
    usage=USAGE,
)
CASES = {
    "plain text": PLAIN,
    "thinking, text and two tools": TOOLS,
    "a tool and no text": Answer(model="m", tool_calls=(CALL,), usage=USAGE),
    "thinking that is a signature only": Answer(model="m", signature="c2ln", text="Yes.", usage=USAGE),
    "cut at the output limit": Answer(model="m", text="It is", stop="length", usage=USAGE),
    "refused": Answer(model="m", text="No.", stop="refusal", usage=USAGE),
    "nothing at all": Answer(model="m", usage=USAGE),
}
cases = pytest.mark.parametrize("answer", CASES.values(), ids=CASES.keys())


def payloads(stream: list[bytes]) -> list[dict[str, Any]]:
    """The JSON of each event's data line; `[DONE]` is left out."""
    data = [line[6:] for event in stream for line in event.splitlines() if line.startswith(b"data: ")]
    return [json.loads(line) for line in data if line != b"[DONE]"]


def strictly(kind: Any, value: object) -> Any:
    """The value as the SDK's own type; JSON mode reads lists and numbers as JSON has them, and converts nothing."""
    return TypeAdapter(kind).validate_json(json.dumps(value), strict=True)


def joined(stream: list[dict[str, Any]], event_type: str, *path: str) -> str:
    """The deltas at `path` of all events of one type, put together."""
    found = []
    for event in stream:
        if event.get("type") == event_type:
            value: Any = event
            for key in path:
                value = value.get(key, "")
            found.append(value)
    return "".join(found)


@cases
@pytest.mark.parametrize("beta", [False, True], ids=["stable types", "beta types"])
def test_anthropics_types_accept_a_message_and_each_of_its_events(answer: Answer, beta: bool) -> None:
    message = anthropic_beta.BetaMessage if beta else anthropic_types.Message
    event = anthropic_beta.BetaRawMessageStreamEvent if beta else anthropic_types.RawMessageStreamEvent
    strictly(message, json.loads(whole("messages", answer)))
    for payload in payloads(events("messages", answer)):
        if payload["type"] != "ping":  # pings are no member of the SDK's union: it drops them by name
            strictly(event, payload)


@cases
def test_openais_types_accept_a_completion_and_each_of_its_chunks(answer: Answer) -> None:
    strictly(chat_types.ChatCompletion, json.loads(whole("chat", answer)))
    for payload in payloads(events("chat", answer)):
        strictly(chat_types.ChatCompletionChunk, payload)


@cases
def test_openais_types_accept_a_response_and_each_of_its_events(answer: Answer) -> None:
    strictly(Response, json.loads(whole("responses", answer)))
    by_name = {get_args(kind.model_fields["type"].annotation)[0]: kind for kind in event_kinds()}
    for payload in payloads(events("responses", answer)):
        strictly(by_name[payload["type"]], payload)


def event_kinds() -> list[Any]:
    union = responses_types.ResponseStreamEvent
    return list(get_args(get_args(union)[0]))


def test_an_anthropic_stream_opens_pings_carries_each_block_and_ends() -> None:
    stream = events("messages", TOOLS, chunk_chars=1000)
    names = [event.split(b"\n", 1)[0].removeprefix(b"event: ").decode() for event in stream]
    block = ["content_block_start", "content_block_delta", "content_block_stop"]
    thinking = ["content_block_start", "ping", "content_block_delta", "content_block_delta", "content_block_stop"]
    assert names == ["message_start", *thinking, *block, *block, *block, "message_delta", "message_stop"]
    assert [payload["type"] for payload in payloads(stream)] == names
    assert [p["index"] for p in payloads(stream) if p["type"] == "content_block_start"] == [0, 1, 2, 3]


@pytest.mark.parametrize("chunk_chars", [1, 7, 1000])
def test_deltas_of_a_message_add_up_to_its_blocks(chunk_chars: int) -> None:
    stream = payloads(events("messages", TOOLS, chunk_chars=chunk_chars))
    content = json.loads(whole("messages", TOOLS))["content"]
    delta = "content_block_delta"
    assert joined(stream, delta, "delta", "thinking") == content[0]["thinking"] == TOOLS.thinking
    assert joined(stream, delta, "delta", "signature") == content[0]["signature"] == TOOLS.seal
    assert joined(stream, delta, "delta", "text") == content[1]["text"] == TOOLS.text
    assert joined(stream, delta, "delta", "partial_json") == CALL.arguments + OTHER.arguments
    assert [block["input"] for block in content[2:]] == [json.loads(CALL.arguments), json.loads(OTHER.arguments)]


@pytest.mark.parametrize("chunk_chars", [1, 7, 1000])
def test_deltas_of_a_completion_add_up_to_its_message(chunk_chars: int) -> None:
    deltas = [
        c["choices"][0]["delta"] for c in payloads(events("chat", TOOLS, chunk_chars=chunk_chars)) if c["choices"]
    ]
    message = json.loads(whole("chat", TOOLS))["choices"][0]["message"]
    assert "".join(d.get("content") or "" for d in deltas) == message["content"] == TOOLS.text
    assert "".join(d.get("reasoning_content", "") for d in deltas) == message["reasoning_content"] == TOOLS.thinking
    arguments = ["", ""]
    for call in (call for d in deltas for call in d.get("tool_calls", [])):
        arguments[call["index"]] += call["function"]["arguments"]
    assert arguments == [call["function"]["arguments"] for call in message["tool_calls"]]
    assert arguments == [CALL.arguments, OTHER.arguments]


@pytest.mark.parametrize("chunk_chars", [1, 7, 1000])
def test_deltas_of_a_response_add_up_to_its_items(chunk_chars: int) -> None:
    stream = payloads(events("responses", TOOLS, chunk_chars=chunk_chars))
    items = json.loads(whole("responses", TOOLS))["output"]
    assert joined(stream, "response.reasoning_summary_text.delta", "delta") == TOOLS.thinking
    assert joined(stream, "response.output_text.delta", "delta") == TOOLS.text
    assert joined(stream, "response.function_call_arguments.delta", "delta") == CALL.arguments + OTHER.arguments
    assert [e["item"] for e in stream if e["type"] == "response.output_item.done"] == items
    assert stream[-1]["response"] == json.loads(whole("responses", TOOLS))
    assert [item["type"] for item in items] == ["reasoning", "message", "function_call", "function_call"]


def test_the_events_of_a_response_are_numbered_without_a_gap() -> None:
    numbers = [payload["sequence_number"] for payload in payloads(events("responses", TOOLS))]
    assert numbers == list(range(len(numbers)))


def test_a_response_has_every_field_that_the_open_responses_schema_requires() -> None:
    required = {
        *("id", "object", "created_at", "completed_at", "status", "incomplete_details", "model", "output", "error"),
        *("previous_response_id", "instructions", "tools", "tool_choice", "truncation", "parallel_tool_calls", "text"),
        *("top_p", "presence_penalty", "frequency_penalty", "top_logprobs", "temperature", "reasoning", "usage"),
        *("max_output_tokens", "max_tool_calls", "store", "background", "service_tier", "metadata"),
        *("safety_identifier", "prompt_cache_key"),
    }
    assert len(required) == 31
    for answer in CASES.values():
        assert set(json.loads(whole("responses", answer))) == required


@pytest.mark.parametrize(
    ("case", "messages", "chat", "responses", "gemini"),
    [
        ("plain text", "end_turn", "stop", "completed", "STOP"),
        ("thinking, text and two tools", "tool_use", "tool_calls", "completed", "STOP"),
        ("cut at the output limit", "max_tokens", "length", "incomplete", "MAX_TOKENS"),
        ("refused", "refusal", "content_filter", "incomplete", "SAFETY"),
    ],
)
def test_the_stop_reason_is_said_in_each_dialect_whole_and_streamed(
    case: str, messages: str, chat: str, responses: str, gemini: str
) -> None:
    answer = CASES[case]
    assert json.loads(whole("messages", answer))["stop_reason"] == messages
    assert payloads(events("messages", answer))[-2]["delta"]["stop_reason"] == messages
    assert json.loads(whole("chat", answer))["choices"][0]["finish_reason"] == chat
    assert payloads(events("chat", answer))[-2]["choices"][0]["finish_reason"] == chat
    assert json.loads(whole("responses", answer))["status"] == responses
    assert payloads(events("responses", answer))[-1]["type"] == f"response.{responses}"
    assert json.loads(whole("gemini", answer))["candidates"][0]["finishReason"] == gemini
    assert payloads(events("gemini", answer))[-1]["candidates"][0]["finishReason"] == gemini


def test_messages_counts_exclude_the_cache_and_the_stream_opens_with_the_prompt() -> None:
    usage = json.loads(whole("messages", PLAIN))["usage"]
    assert usage["input_tokens"] == 100
    assert usage["cache_read_input_tokens"] == 2000
    assert usage["cache_creation_input_tokens"] == 34  # 30 for five minutes and 4 for an hour
    assert usage["cache_creation"] == {"ephemeral_5m_input_tokens": 30, "ephemeral_1h_input_tokens": 4}
    assert usage["output_tokens"] == 50
    assert usage["output_tokens_details"] == {"thinking_tokens": 20}
    stream = payloads(events("messages", PLAIN))
    opening = stream[0]["message"]["usage"]
    assert (opening["input_tokens"], opening["cache_read_input_tokens"], opening["output_tokens"]) == (100, 2000, 1)
    assert stream[-2]["usage"]["output_tokens"] == 50


def test_openai_counts_include_the_cache() -> None:
    chat = json.loads(whole("chat", PLAIN))["usage"]
    assert (chat["prompt_tokens"], chat["completion_tokens"], chat["total_tokens"]) == (2134, 50, 2184)
    assert chat["prompt_tokens_details"] == {"cached_tokens": 2000, "cache_write_tokens": 34}
    assert chat["completion_tokens_details"] == {"reasoning_tokens": 20}
    assert payloads(events("chat", PLAIN))[-1] == {**payloads(events("chat", PLAIN))[0], "choices": [], "usage": chat}
    responses = json.loads(whole("responses", PLAIN))["usage"]
    assert (responses["input_tokens"], responses["output_tokens"], responses["total_tokens"]) == (2134, 50, 2184)
    assert responses["input_tokens_details"] == {"cached_tokens": 2000, "cache_write_tokens": 34}


def test_gemini_counts_hold_the_cache_in_the_prompt_and_thoughts_beside_the_candidates() -> None:
    expected = {
        "promptTokenCount": 2134,
        "cachedContentTokenCount": 2000,
        "candidatesTokenCount": 30,
        "thoughtsTokenCount": 20,
        "totalTokenCount": 2184,
    }
    assert json.loads(whole("gemini", PLAIN))["usageMetadata"] == expected
    assert payloads(events("gemini", PLAIN))[-1]["usageMetadata"] == expected


def test_a_gemini_stream_ends_its_lines_with_cr_lf_and_carries_the_signed_call_last() -> None:
    stream = events("gemini", TOOLS)
    assert all(event.startswith(b"data: ") and event.endswith(b"\r\n\r\n") for event in stream)
    first, *_, last = [payload["candidates"][0]["content"]["parts"] for payload in payloads(stream)]
    assert first == [{"text": TOOLS.thinking, "thought": True}]
    assert last[0]["functionCall"] == {"id": "call_1", "name": "Write", "args": json.loads(CALL.arguments)}
    assert last[0]["thoughtSignature"] == TOOLS.seal


def test_a_chat_stream_ends_with_done_and_has_usage_only_if_asked() -> None:
    assert events("chat", PLAIN)[-1] == b"data: [DONE]\n\n"
    unasked = events("chat", PLAIN, include_usage=False)
    assert unasked[-1] == b"data: [DONE]\n\n"
    assert not [payload for payload in payloads(unasked) if "usage" in payload]


@pytest.mark.parametrize("dialect", DIALECTS)
def test_an_answer_without_usage_reports_none(dialect: Dialect) -> None:
    silent = Answer(model="m", text="Done.")
    bodies = [json.loads(whole(dialect, silent)), *payloads(events(dialect, silent))]
    inner = [body[key] for body in bodies for key in ("message", "response") if key in body]
    for body in [*bodies, *inner]:
        assert body.get("usage") is None
        assert "usageMetadata" not in body


@pytest.mark.parametrize("dialect", ["messages", "chat", "responses"])
def test_a_reported_cost_is_usd_beside_the_counts_and_only_at_the_end(dialect: Dialect) -> None:
    priced = Answer(model="m", text="Done.", usage=Usage(output_tokens=5, reported_cost_pusd=1_234_000_000))
    assert json.loads(whole(dialect, priced))["usage"]["cost"] == 0.001234
    stream = payloads(events(dialect, priced))
    costs = [
        u["cost"] for e in stream for u in (e.get("usage"), e.get("response", {}).get("usage")) if u and "cost" in u
    ]
    assert costs == [0.001234]


@pytest.mark.parametrize("tier", ["standard", "batch", "flex", "priority"])
def test_every_service_tier_has_a_name_that_the_sdks_know(tier: Any) -> None:
    answer = Answer(model="m", text="Done.", usage=Usage(service_tier=tier))
    strictly(anthropic_types.Message, json.loads(whole("messages", answer)))
    strictly(chat_types.ChatCompletion, json.loads(whole("chat", answer)))
    strictly(Response, json.loads(whole("responses", answer)))


def test_an_error_body_has_the_dialects_shape() -> None:
    said = ("overloaded_error", "Try later.")
    assert json.loads(error("messages", 529, *said)) == {
        "type": "error",
        "error": {"type": "overloaded_error", "message": "Try later."},
        "request_id": None,
    }
    openai = {"error": {"message": "Try later.", "type": "overloaded_error", "param": None, "code": "overloaded_error"}}
    assert json.loads(error("chat", 503, *said)) == openai
    assert json.loads(error("responses", 503, *said)) == openai
    google = {"error": {"code": 503, "message": "Try later.", "status": "UNAVAILABLE"}}
    assert json.loads(error("gemini", 503, "UNAVAILABLE", "Try later.")) == google


def test_an_error_in_a_stream_is_an_event_of_the_dialect() -> None:
    said = (529, "overloaded_error", "Try later.")
    assert error_event("messages", *said) == b"event: error\ndata: " + error("messages", *said) + b"\n\n"
    assert error_event("chat", *said) == b"data: " + error("chat", *said) + b"\n\n"
    assert error_event("gemini", *said) == b"data: " + error("gemini", *said) + b"\r\n\r\n"
    [responses] = payloads([error_event("responses", *said, sequence_number=7)])
    assert strictly(responses_types.ResponseErrorEvent, responses).sequence_number == 7


def test_the_same_answer_renders_to_the_same_bytes() -> None:
    for dialect in DIALECTS:
        assert events(dialect, TOOLS) == events(dialect, TOOLS)
        assert whole(dialect, TOOLS) == whole(dialect, TOOLS)
