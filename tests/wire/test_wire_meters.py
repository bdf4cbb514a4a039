"""What is read off answers, whole and streamed: usage in disjoint buckets, the stop reason, and an honest end."""

from __future__ import annotations

import json
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lanewise.demo.answers import Answer, ToolCall, error_event, events, whole
from lanewise.journey import Dialect, Usage
from lanewise.wire import facts, meter

DIALECTS: tuple[Dialect, ...] = get_args(Dialect)
EACH_DIALECT = pytest.mark.parametrize("dialect", DIALECTS)

ANSWER = Answer(
    model="m",
    text="A short answer in some words.",
    thinking="Some thought.",
    tool_calls=(ToolCall(id="call_1", name="write", arguments='{"path":"a"}'),),
    usage=Usage(input_tokens=100, cache_read_tokens=40, output_tokens=30, reasoning_tokens=5),
)


def lines(*found: Any) -> bytes:
    return b"".join(b"data: " + json.dumps(each).encode() + b"\n\n" for each in found)


@EACH_DIALECT
def test_a_stream_and_a_whole_answer_tell_the_same_usage(dialect: Dialect) -> None:
    gauge = meter(dialect)
    stream = b"".join(events(dialect, ANSWER))
    assert gauge.feed(stream) == stream
    assert gauge.usage == facts(dialect, whole(dialect, ANSWER)).usage == ANSWER.usage
    assert gauge.stop_reason == facts(dialect, whole(dialect, ANSWER)).stop_reason != ""
    assert gauge.ended
    assert gauge.error == ""


@EACH_DIALECT
def test_a_stream_has_not_ended_before_its_terminal_event(dialect: Dialect) -> None:
    sent = events(dialect, ANSWER)
    ended = []
    gauge = meter(dialect)
    for each in sent:
        gauge.feed(each)
        ended.append(gauge.ended)
    # Chat ends with its finish reason already: not all servers send the usage chunk or [DONE] after it.
    assert ended.index(True) == len(sent) - (3 if dialect == "chat" else 1)


@EACH_DIALECT
def test_an_error_event_of_the_upstream_is_an_end_and_an_error(dialect: Dialect) -> None:
    gauge = meter(dialect)
    gauge.feed(events(dialect, ANSWER)[0] + error_event(dialect, 529, "overloaded_error", "no"))
    assert (gauge.ended, gauge.error) == (True, "upstream_error_event")


def test_an_error_chunk_is_one_however_it_is_spaced_or_placed() -> None:
    for body in (b'{ "error" : {"message": "no"} }', b'{"id":"1","choices":[],"error":{"code":502}}'):
        gauge = meter("chat")
        gauge.feed(b"data: " + body + b"\n\n")
        assert (gauge.ended, gauge.error) == (True, "upstream_error_event")
    gauge = meter("chat")
    gauge.feed(b'data: {"choices":[{"delta":{}}],"error":null}\n\n')
    assert (gauge.ended, gauge.error) == (False, "")


WHOLE: dict[str, tuple[Dialect, dict[str, Any], Usage]] = {
    "messages, cache writes split by their life": (
        "messages",
        {
            "input_tokens": 10,
            "cache_read_input_tokens": 200,
            "cache_creation_input_tokens": 70,
            "cache_creation": {"ephemeral_5m_input_tokens": 50, "ephemeral_1h_input_tokens": 20},
            "output_tokens": 9,
            "output_tokens_details": {"thinking_tokens": 4},
            "service_tier": "priority",
        },
        Usage(
            input_tokens=10,
            cache_read_tokens=200,
            cache_write_5m_tokens=50,
            cache_write_1h_tokens=20,
            output_tokens=9,
            reasoning_tokens=4,
            service_tier="priority",
        ),
    ),
    "messages, cache writes of unknown life are of the short one": (
        "messages",
        {"input_tokens": 1, "cache_creation_input_tokens": 7, "output_tokens": 2},
        Usage(input_tokens=1, cache_write_5m_tokens=7, output_tokens=2),
    ),
    "messages, nulls": (
        "messages",
        {
            "input_tokens": 3,
            "cache_read_input_tokens": None,
            "cache_creation_input_tokens": None,
            "cache_creation": None,
            "output_tokens": None,
            "output_tokens_details": None,
            "service_tier": None,
        },
        Usage(input_tokens=3),
    ),
    "chat, cached and written tokens stand inside prompt_tokens": (
        "chat",
        {
            "prompt_tokens": 100,  # = 60 + 30 + 10
            "completion_tokens": 8,
            "prompt_tokens_details": {"cached_tokens": 30, "cache_write_tokens": 10},
            "completion_tokens_details": {"reasoning_tokens": 5},
            "cost": 0.00012345,
        },
        Usage(
            input_tokens=60,
            cache_read_tokens=30,
            cache_write_5m_tokens=10,
            output_tokens=8,
            reasoning_tokens=5,
            reported_cost_pusd=123_450_000,
        ),
    ),
    "chat, DeepSeek's name for cache hits": (
        "chat",
        {"prompt_tokens": 100, "prompt_cache_hit_tokens": 64, "prompt_cache_miss_tokens": 36, "completion_tokens": 1},
        Usage(input_tokens=36, cache_read_tokens=64, output_tokens=1),
    ),
    "chat, nulls": (
        "chat",
        {"prompt_tokens": 5, "completion_tokens": None, "prompt_tokens_details": None, "cost": None},
        Usage(input_tokens=5),
    ),
    "chat, more cached than there is": (
        "chat",
        {"prompt_tokens": 5, "prompt_tokens_details": {"cached_tokens": 9}, "completion_tokens": -1},
        Usage(cache_read_tokens=9),
    ),
    "responses": (
        "responses",
        {
            "input_tokens": 50,
            "input_tokens_details": {"cached_tokens": 20},
            "output_tokens": 6,
            "output_tokens_details": {"reasoning_tokens": 2},
        },
        Usage(input_tokens=30, cache_read_tokens=20, output_tokens=6, reasoning_tokens=2),
    ),
    "responses, nulls": (
        "responses",
        {"input_tokens": 50, "input_tokens_details": None, "output_tokens": 6, "output_tokens_details": None},
        Usage(input_tokens=50, output_tokens=6),
    ),
    "gemini, thoughts stand outside of candidates": (
        "gemini",
        {
            "promptTokenCount": 40,
            "cachedContentTokenCount": 15,
            "candidatesTokenCount": 7,
            "thoughtsTokenCount": 3,
        },
        Usage(input_tokens=25, cache_read_tokens=15, output_tokens=10, reasoning_tokens=3),
    ),
}


@pytest.mark.parametrize(("dialect", "reported", "expected"), WHOLE.values(), ids=WHOLE.keys())
def test_usage_is_read_into_disjoint_buckets(dialect: Dialect, reported: dict[str, Any], expected: Usage) -> None:
    key = "usageMetadata" if dialect == "gemini" else "usage"
    assert facts(dialect, json.dumps({key: reported}).encode()).usage == expected


@pytest.mark.parametrize("cost", ["1e999999999", "-1", '"NaN"', '"Infinity"', "1e6", '"much"', "[]"])
def test_a_reported_cost_that_cannot_be_one_is_none(cost: str) -> None:
    found = facts("chat", f'{{"usage":{{"prompt_tokens":5,"cost":{cost}}}}}'.encode()).usage
    assert found is None or found.reported_cost_pusd is None


def test_an_absurd_token_count_is_none() -> None:
    body = b'{"usage":{"prompt_tokens":123456789012345678901234567890,"completion_tokens":2}}'
    found = facts("chat", body).usage
    assert found is None or found.prompt_tokens == 0


@EACH_DIALECT
@pytest.mark.parametrize(
    "body", [b"", b"oops", b"[]", b"null", b"{}", b'{"usage":7}', b'{"usage":null}', b"\xff", b"[" * 99_999]
)
def test_an_answer_that_tells_no_usage_has_none(dialect: Dialect, body: bytes) -> None:
    assert facts(dialect, body).usage is None


@EACH_DIALECT
@given(st.binary(max_size=120))
def test_no_event_whatsoever_makes_a_meter_fail_or_lose_a_byte(dialect: Dialect, noise: bytes) -> None:
    for event in (
        b"data: " + noise + b"\n\n",
        b"event: message_start\nevent: response.created\ndata: " + noise + b"\n\n",
    ):
        assert meter(dialect).feed(event) == event


def test_messages_counts_are_cumulative_and_the_last_ones_win() -> None:
    gauge = meter("messages")
    first = {"input_tokens": 10, "cache_read_input_tokens": 5, "cache_creation_input_tokens": 8, "output_tokens": 1}
    first |= {"cache_creation": {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 8}}
    gauge.feed(lines({"type": "message_start", "message": {"usage": first}}))
    assert gauge.usage is not None
    assert gauge.usage.output_tokens == 1
    for output in (7, 25):
        gauge.feed(
            lines({"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": output}})
        )
    assert gauge.usage == Usage(input_tokens=10, cache_read_tokens=5, cache_write_1h_tokens=8, output_tokens=25)
    assert gauge.stop_reason == "end_turn"


def test_events_without_a_name_are_known_by_their_type() -> None:
    for dialect in ("messages", "responses"):
        gauge = meter(dialect)  # type: ignore[arg-type]
        for each in events(dialect, ANSWER):  # type: ignore[arg-type]
            gauge.feed(each[each.index(b"data:") :])
        assert gauge.ended
        assert gauge.usage == ANSWER.usage


def test_the_usage_chunk_is_hidden_only_where_we_asked_for_it() -> None:
    sent = events("chat", ANSWER, include_usage=True)
    hiding, plain = meter("chat", hide_usage=True), meter("chat")
    assert hiding.feed(b"".join(sent)) == b"".join(sent[:-2] + sent[-1:])
    assert plain.feed(b"".join(sent)) == b"".join(sent)
    assert hiding.usage == plain.usage == ANSWER.usage


def test_a_chunk_with_usage_and_choices_is_not_hidden() -> None:
    chunk = lines({"choices": [{"delta": {"content": "x"}}], "usage": {"prompt_tokens": 1, "completion_tokens": 1}})
    gauge = meter("chat", hide_usage=True)
    assert gauge.feed(chunk) == chunk


def test_text_is_counted_where_no_usage_is_expected() -> None:
    gauge = meter("chat", count_text=True)
    gauge.feed(b"".join(events("chat", ANSWER, include_usage=False)))
    assert gauge.usage is None
    assert gauge.text_bytes == len(ANSWER.text) + len(ANSWER.thinking) + len(ANSWER.tool_calls[0].arguments)


def test_an_incomplete_response_says_why() -> None:
    gauge = meter("responses")
    response = {"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}, "usage": None}
    gauge.feed(lines({"type": "response.incomplete", "response": response}))
    assert (gauge.ended, gauge.stop_reason, gauge.usage) == (True, "max_output_tokens", None)


def test_a_comment_does_not_make_the_sequence_start_again() -> None:
    gauge = meter("responses")
    sent = events("responses", ANSWER)[:4]
    gauge.feed(b"".join(sent) + b": keep-alive\n\n")
    sequence, created = gauge.last_words()
    assert sequence == 3
    assert json.loads(created)["status"] == "in_progress"
