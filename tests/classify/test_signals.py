"""What the traffic says of a task that goes badly: only news counts, and only what stands there."""

from __future__ import annotations

import json

import pytest
from classify_kit import request
from hypothesis import given
from hypothesis import strategies as st

from lanewise.classify.signals import SIGNAL_CODES, Signals, of_stop
from lanewise.journey import Message, Turn
from lanewise.wire import peek

SIGNALS = Signals.load()
MAIN = Turn(kind="main")
STEP = Turn(kind="continuation")


def call(*names, marks=(1,), text=""):
    return Message(
        role="assistant", text=text, block_kinds=("tool_use",) * len(names), tool_names=names, call_marks=marks
    )


def result(output, *, errors=0):
    return Message(role="user", block_kinds=("tool_result",), tool_output=output, tool_errors=errors)


def user(text):
    return Message(role="user", text=text, block_kinds=("text",))


def said(text):
    return Message(role="assistant", text=text, block_kinds=("text",))


ASK = user("Add a retry to the client")


def codes(*messages, turn=STEP, **more):
    return [signal.code for signal in SIGNALS.read(request(*messages), turn, **more)]


@pytest.mark.parametrize(
    "output",
    [
        "<tool_use_error>String to replace not found in file.\nString: x = 1</tool_use_error>",
        "<tool_use_error>File has not been read yet. Read it first before writing to it.</tool_use_error>",
        "<tool_use_error>Found 3 matches of the string to replace, but replace_all is false.</tool_use_error>",
        "apply_patch verification failed: Failed to find expected lines in /src/a.py:\n    x = 1",
        "Error: oldString not found in content",
        "Failed to edit, 0 occurrences found for old_string in /src/a.py.",
        "ERROR:\nNo replacement was performed, old_str `x` did not appear verbatim in /src/a.py.",
        "error: patch failed: src/a.py:3\nerror: src/a.py: patch does not apply",
    ],
)
def test_an_edit_that_its_tool_refused_is_seen(output):
    assert codes(ASK, call("Edit"), result(output)) == ["edit_failed"]


def test_aiders_report_in_the_users_name_of_a_block_that_does_not_match_is_seen():
    report = "# 1 SEARCH/REPLACE block failed to match!\n\n## SearchReplaceNoExactMatch: ..."
    assert codes(ASK, said("<<<<<<< SEARCH\n"), user(report), turn=MAIN) == ["edit_failed"]


TESTS = [
    "=========== 1 failed, 12 passed in 0.31s ===========",
    "2 failed, 12 passed in 0.31s",
    "Ran 3 tests in 0.001s\n\nFAILED (failures=1)",
    "Tests:       1 failed, 12 passed, 13 total",
    " Test Files  1 failed | 3 passed (4)",
    "  2 failing",
    "--- FAIL: TestRetry (0.00s)\nFAIL\texample.com/x\t0.1s",
    "test result: FAILED. 3 passed; 1 failed; 0 ignored",
    "[ERROR] Tests run: 9, Failures: 1, Errors: 0, Skipped: 0",
    "> There were failing tests. See the report at: file:///x",
    "92% tests passed, 1 tests failed out of 13",
    "14 examples, 2 failures",
]
BUILDS = [
    "src/a.ts(3,5): error TS2322: Type 'string' is not assignable to type 'number'.",
    "error[E0382]: borrow of moved value: `x`",
    "error: could not compile `tally` (lib) due to 1 previous error",
    "./main.go:7:2: undefined: foo",
    "main.c:3:5: error: expected ';' before 'return'",
    "make: *** [Makefile:4: all] Error 2",
    "[INFO] BUILD FAILURE",
    "FAILURE: Build failed with an exception.",
]


@pytest.mark.parametrize(
    ("output", "code"), [(each, "tests_failed") for each in TESTS] + [(each, "build_failed") for each in BUILDS]
)
def test_a_red_run_counts_after_an_edit_and_not_before_one(output, code):
    ran = (call("Bash", marks=(2,)), result(output))
    assert codes(ASK, call("Edit"), result("ok"), *ran) == [code]
    assert codes(ASK, call("Read"), result("ok"), *ran) == []
    assert codes(ASK, *ran, edited_before=True) == [code]


@pytest.mark.parametrize(
    "output",
    [
        "===== 12 passed in 0.31s =====",
        "Tests:       12 passed, 12 total",
        "test result: ok. 3 passed; 0 failed; 0 ignored",
        "Tests run: 9, Failures: 0, Errors: 0, Skipped: 0",
        "14 examples, 0 failures",
        "pkg/x.go:96:4: QF1012: Use fmt.Fprintf",
        "a.c:3:5: warning: unused variable",
        'print("1 failed in 3s")',
    ],
)
def test_a_green_run_or_a_lint_says_nothing(output):
    assert codes(ASK, call("Edit"), result("ok"), call("Bash"), result(output)) == []


@pytest.mark.parametrize("ask", ["Write a failing test for the bug", "reproduce the crash first", "do it TDD style"])
def test_a_red_test_that_was_asked_for_is_no_failure(ask):
    ran = (call("Write"), result("ok"), call("Bash", marks=(2,)), result(TESTS[0]))
    assert codes(user(ask), *ran) == []


def test_errors_are_looked_for_where_results_begin_or_where_one_is_marked_as_an_error():
    late = "x = 1\n" * 500 + "oldString not found in content"
    assert codes(ASK, call("edit"), result(late)) == []
    assert codes(ASK, call("edit"), result(late, errors=1)) == ["edit_failed"]
    red = "x = 1\n" * 500 + TESTS[0]
    assert codes(ASK, call("Edit"), result("ok"), call("Bash"), result(red)) == ["tests_failed"]


def test_what_stood_there_before_the_last_answer_was_counted_when_it_was_new():
    old = (call("Edit"), result("<tool_use_error>String to replace not found in file.</tool_use_error>"))
    assert codes(ASK, *old, call("Read", marks=(2,)), result("x = 1")) == []


@pytest.mark.parametrize(
    "output",
    [
        "<tool_use_error>InputValidationError: Edit failed due to the following issue:</tool_use_error>",
        "failed to parse function arguments: missing field `cmd`",
        "The edit tool was called with invalid arguments: [",
        "params must have required property 'file_path'",
    ],
)
def test_arguments_that_the_client_could_not_take_are_seen(output):
    assert codes(ASK, call("Edit"), result(output)) == ["tool_json_invalid"]


def test_the_same_call_thrice_is_a_loop_and_twice_is_a_retry():
    def steps(*marks):
        return [message for mark in marks for message in (call("Bash", marks=(mark,)), result("no such file"))]

    found = SIGNALS.read(request(*steps(7, 7, 7)), STEP)
    assert [(signal.code, signal.count) for signal in found] == [("repeated_call", 3)]
    assert codes(*steps(7, 8, 7)) == []


@pytest.mark.parametrize(
    "text",
    [
        "still not working",
        "that didn't work, same error",
        "no, it still crashes",
        "you removed the header again",
        "geht immer noch nicht",
        "todavía no funciona",
        "ça ne marche toujours pas",
        "ainda não funciona",
        "всё ещё не работает",
        "还是不行",
        "まだ動かない",
        "여전히 안 돼요",
    ],
)
def test_a_complaint_is_understood_in_eight_languages_and_english(text):
    assert codes(ASK, said("Done."), user(text), turn=MAIN) == ["re_ask"]
    assert codes(user(text), turn=MAIN) == []  # with no answer before it there is nothing to complain of


@pytest.mark.parametrize("text", ["yes, go on", "now run it again with -v", "no problem, thanks"])
def test_going_on_is_no_complaint(text):
    assert codes(ASK, said("Done."), user(text), turn=MAIN) == []


def test_asking_the_same_in_other_words_is_a_re_ask_and_sending_it_twice_is_not():
    first = "the login page shows a blank screen on safari"
    assert codes(user(first), said("Fixed."), user("login page shows a blank screen on safari 17"), turn=MAIN) == [
        "re_ask"
    ]
    assert codes(user(first), said("Fixed."), user(first), turn=MAIN) == []


@pytest.mark.parametrize(
    "text", ["[Request interrupted by user for tool use]", "<turn_aborted>\nThe user interrupted\n</turn_aborted>"]
)
def test_an_interruption_is_seen(text):
    assert codes(ASK, said("I will now"), user(text), turn=MAIN) == ["interrupted"]


def test_a_refusal_is_seen_when_the_user_comes_back():
    assert codes(ASK, said("I'm sorry, but I can't help with that."), user("why?"), turn=MAIN) == ["refusal"]


@pytest.mark.parametrize(
    ("stop", "code"),
    [
        ("max_tokens", "truncated"),
        ("length", "truncated"),
        ("max_output_tokens", "truncated"),
        ("MAX_TOKENS", "truncated"),
        ("refusal", "refusal"),
        ("content_filter", "refusal"),
        ("end_turn", None),
        ("", None),
    ],
)
def test_a_cut_or_refused_answer_is_known_by_its_stop_reason(stop, code):
    assert of_stop(stop) == code


def test_housekeeping_says_nothing_of_the_task():
    assert codes(ASK, said("Done."), user("still broken"), turn=Turn(kind="housekeeping", housekeeping="title")) == []


def test_the_result_holds_codes_and_numbers_only():
    found = SIGNALS.read(request(ASK, call("Edit"), result("String to replace not found in file")), STEP)
    assert [type(getattr(found[0], name)) for name in found[0].__struct_fields__] == [str, int]
    assert set(SIGNALS.trust) == set(SIGNAL_CODES)


@pytest.mark.parametrize("dialect", ["messages", "chat", "responses", "gemini"])
def test_results_and_repeated_calls_are_seen_in_every_dialect(dialect):
    text = "oldString not found in content"
    argument = {"path": "a.py"}
    steps = {
        "messages": [
            {"role": "assistant", "content": [{"type": "tool_use", "id": "1", "name": "edit", "input": argument}]},
            {
                "role": "user",
                "content": [{"type": "tool_result", "tool_use_id": "1", "content": [{"type": "text", "text": text}]}],
            },
        ],
        "chat": [
            {
                "role": "assistant",
                "content": None,
                "tool_calls": [{"id": "1", "function": {"name": "edit", "arguments": json.dumps(argument)}}],
            },
            {"role": "tool", "tool_call_id": "1", "content": text},
        ],
        "responses": [
            {"type": "function_call", "call_id": "1", "name": "edit", "arguments": json.dumps(argument)},
            {"type": "function_call_output", "call_id": "1", "output": text},
        ],
        "gemini": [
            {"role": "model", "parts": [{"functionCall": {"name": "edit", "args": argument}}]},
            {"role": "user", "parts": [{"functionResponse": {"name": "edit", "response": {"error": text}}}]},
        ],
    }[dialect]
    key = {"responses": "input", "gemini": "contents"}.get(dialect, "messages")
    seen = peek(
        dialect=dialect,
        operation="generate",
        method="POST",
        target="/x",
        headers=[],
        body=json.dumps({"model": "m", key: steps * 3}).encode(),
        max_body_bytes=1 << 20,
    )
    assert [(each.code, each.count) for each in SIGNALS.read(seen, STEP)] == [("edit_failed", 1), ("repeated_call", 3)]


@given(
    st.lists(
        st.builds(Message, role=st.sampled_from(["user", "assistant", "tool"]), text=st.text(), tool_output=st.text())
    )
)
def test_any_conversation_can_be_read(messages):
    assert set(codes(*messages, turn=MAIN)) <= set(SIGNAL_CODES)
