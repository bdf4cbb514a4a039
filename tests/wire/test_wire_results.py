"""What the peek keeps of tool calls and their results, the same from every dialect."""

from __future__ import annotations

import json

import pytest

from lanewise.wire import peek


def recent(dialect, key, messages):
    body = json.dumps({"model": "m", key: messages}).encode()
    return peek(
        dialect=dialect, operation="generate", method="POST", target="/x", headers=[], body=body, max_body_bytes=1 << 24
    ).recent


STEPS = [
    (
        "messages",
        "messages",
        lambda argument, output: [
            {"role": "assistant", "content": [{"type": "tool_use", "id": "1", "name": "ls", "input": {"p": argument}}]},
            {
                "role": "user",
                "content": [{"type": "tool_result", "tool_use_id": "1", "is_error": True, "content": output}],
            },
        ],
        1,
    ),
    (
        "chat",
        "messages",
        lambda argument, output: [
            {
                "role": "assistant",
                "tool_calls": [{"id": "1", "function": {"name": "ls", "arguments": json.dumps({"p": argument})}}],
            },
            {"role": "tool", "tool_call_id": "1", "content": output},
        ],
        0,  # the dialect marks no errors
    ),
    (
        "responses",
        "input",
        lambda argument, output: [
            {"type": "function_call", "call_id": "1", "name": "ls", "arguments": json.dumps({"p": argument})},
            {"type": "function_call_output", "call_id": "1", "output": output},
        ],
        0,
    ),
    (
        "gemini",
        "contents",
        lambda argument, output: [
            {"role": "model", "parts": [{"functionCall": {"name": "ls", "args": {"p": argument}}}]},
            {"role": "user", "parts": [{"functionResponse": {"name": "ls", "response": {"error": output}}}]},
        ],
        1,
    ),
]
EACH = pytest.mark.parametrize(("dialect", "key", "step", "errors"), STEPS, ids=[row[0] for row in STEPS])


@EACH
def test_what_a_tool_returned_is_kept_with_its_errors(dialect, key, step, errors):
    call, result = recent(dialect, key, step("a", "no such file"))
    assert (result.tool_output or result.text, result.tool_errors) == ("no such file", errors)
    assert (call.tool_names, call.tool_output) == (("ls",), "")


@EACH
def test_the_same_call_has_the_same_mark_and_another_argument_another(dialect, key, step, errors):
    del errors
    first, _, second, _, third, _ = recent(dialect, key, [*step("a", ""), *step("a", ""), *step("b", "")])
    assert first.call_marks == second.call_marks != third.call_marks
    assert [len(each.call_marks) for each in (first, second, third)] == [1, 1, 1]


@EACH
def test_a_long_result_keeps_its_head_and_its_tail(dialect, key, step, errors):
    del errors
    _, result = recent(dialect, key, step("a", "HEAD" + "x" * 100_000 + "TAIL"))
    kept = result.tool_output or result.text
    assert (kept[:4], kept[-4:], len(kept) < 9_000) == ("HEAD", "TAIL", True)


@pytest.mark.parametrize("content", [None, 3, [{"type": "image"}], [["x"]]])
def test_a_result_of_another_shape_has_no_text(content):
    blocks = [{"type": "tool_result", "tool_use_id": "1", "content": content}]
    (message,) = recent("messages", "messages", [{"role": "user", "content": blocks}])
    assert (message.block_kinds, message.tool_output) == (("tool_result",), "")
