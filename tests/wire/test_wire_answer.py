"""A held-back answer as checks read it: text, calls and end, the same from every dialect."""

from __future__ import annotations

import json
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lanewise.demo.answers import Answer, ToolCall, whole
from lanewise.journey import Dialect
from lanewise.wire.answer import LIMIT_BYTES, AnswerView, answer_of

EACH_DIALECT = pytest.mark.parametrize("dialect", get_args(Dialect))


@EACH_DIALECT
def test_text_and_calls_are_read_and_thoughts_are_not(dialect):
    said = Answer(
        model="m",
        text="I will write it.",
        thinking="Hm.",
        tool_calls=(ToolCall(id="call_1", name="write", arguments='{"path":"a"}'),),
    )
    found = answer_of(dialect, whole(dialect, said))
    assert found.text == "I will write it."
    assert [(call.name, json.loads(call.arguments), call.free) for call in found.tool_calls] == [
        ("write", {"path": "a"}, False)
    ]
    assert found.end == "tools"


@EACH_DIALECT
def test_an_answer_that_came_to_its_end_is_done(dialect):
    found = answer_of(dialect, whole(dialect, Answer(model="m", text="Yes.")))
    assert (found.text, found.tool_calls, found.end) == ("Yes.", (), "done")


BODIES = [
    ("messages", {"content": [{"type": "text", "text": "a"}], "stop_reason": "max_tokens"}, "cut"),
    ("messages", {"content": [], "stop_reason": "refusal"}, "refused"),
    ("chat", {"choices": [{"message": {"content": "a"}, "finish_reason": "length"}]}, "cut"),
    ("chat", {"choices": [{"message": {"content": None, "refusal": "No."}, "finish_reason": "stop"}]}, "refused"),
    ("responses", {"output": [], "status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}}, "cut"),
    (
        "responses",
        {"output": [{"type": "message", "content": [{"type": "refusal", "refusal": "No."}]}], "status": "completed"},
        "refused",
    ),
    ("responses", {"output": [], "status": "failed"}, "failed"),
    ("gemini", {"candidates": [{"finishReason": "MAX_TOKENS", "content": {"parts": [{"text": "a"}]}}]}, "cut"),
    ("gemini", {"candidates": [{"finishReason": "SAFETY"}]}, "refused"),
    ("chat", {"choices": [{"message": {"content": "a"}, "finish_reason": None}]}, "unknown"),
]


@pytest.mark.parametrize(("dialect", "body", "end"), BODIES)
def test_every_dialect_says_in_its_own_words_why_it_stopped(dialect, body, end):
    assert answer_of(dialect, json.dumps(body).encode()).end == end


def test_free_text_for_a_tool_is_marked_as_such():
    body = {
        "output": [{"type": "custom_tool_call", "name": "apply_patch", "input": "*** Begin Patch"}],
        "status": "completed",
    }
    call = answer_of("responses", json.dumps(body).encode()).tool_calls[0]
    assert (call.name, call.arguments, call.free) == ("apply_patch", "*** Begin Patch", True)


@EACH_DIALECT
def test_what_is_no_answer_is_none(dialect):
    assert answer_of(dialect, b"") is None
    assert answer_of(dialect, b'{"error": {"message": "overloaded"}}') is None
    assert answer_of(dialect, b"[" * 100_000) is None


def test_an_answer_above_the_limit_is_not_read():
    body = json.dumps({"content": [{"type": "text", "text": "x" * LIMIT_BYTES}], "stop_reason": "end_turn"}).encode()
    assert answer_of("messages", body) is None


@given(st.binary(), st.sampled_from(get_args(Dialect)))
def test_any_bytes_are_an_answer_or_none(body, dialect):
    assert isinstance(answer_of(dialect, body), AnswerView | None)
