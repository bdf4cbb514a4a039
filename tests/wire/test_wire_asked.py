"""What a call asked for, as checks need it, from every dialect."""

from __future__ import annotations

import json

import pytest

from lanewise.wire import peek
from lanewise.wire.asked import AskedView, asked_of

SCHEMA = {"type": "object", "properties": {"path": {"type": "string"}}, "required": ["path"]}


def asked(dialect, body):
    return asked_of(
        peek(
            dialect=dialect,
            operation="generate",
            method="POST",
            target="/x",
            headers=[],
            body=json.dumps(body).encode(),
            max_body_bytes=1 << 24,
        )
    )


TOOLS = [
    ("messages", [{"name": "read", "input_schema": SCHEMA}]),
    ("chat", [{"type": "function", "function": {"name": "read", "parameters": SCHEMA}}]),
    ("responses", [{"type": "function", "name": "read", "parameters": SCHEMA}]),
    ("gemini", [{"functionDeclarations": [{"name": "read", "parameters": SCHEMA}]}]),
]


@pytest.mark.parametrize(("dialect", "tools"), TOOLS)
def test_offered_tools_come_with_their_schema(dialect, tools):
    found = asked(dialect, {"model": "m", "tools": tools})
    assert [(tool.name, tool.schema) for tool in found.tools] == [("read", SCHEMA)]


FORMATS = [
    ("messages", {"output_config": {"format": {"type": "json_schema", "schema": SCHEMA}}}, SCHEMA),
    ("chat", {"response_format": {"type": "json_schema", "json_schema": {"schema": SCHEMA}}}, SCHEMA),
    ("chat", {"response_format": {"type": "json_object"}}, None),
    ("responses", {"text": {"format": {"type": "json_schema", "schema": SCHEMA}}}, SCHEMA),
    ("gemini", {"generationConfig": {"responseMimeType": "application/json", "responseJsonSchema": SCHEMA}}, SCHEMA),
]


@pytest.mark.parametrize(("dialect", "fields", "schema"), FORMATS)
def test_a_wanted_format_is_found(dialect, fields, schema):
    found = asked(dialect, {"model": "m", **fields})
    assert (found.json_wanted, found.schema) == (True, schema)


def test_text_is_the_default_and_wants_no_json():
    assert asked("chat", {"model": "m", "response_format": {"type": "text"}}).json_wanted is False
    assert asked("responses", {"model": "m", "text": {"format": {"type": "text"}}}).json_wanted is False


TALKS = [
    (
        "messages",
        "messages",
        [
            {"role": "user", "content": "fix it"},
            {"role": "assistant", "content": [{"type": "tool_use", "id": "1", "name": "read", "input": {}}]},
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "1", "content": "x = 1"}]},
        ],
    ),
    (
        "chat",
        "messages",
        [
            {"role": "system", "content": "be good"},
            {"role": "user", "content": "fix it"},
            {"role": "assistant", "content": "I will"},
            {"role": "tool", "tool_call_id": "1", "content": "x = 1"},
        ],
    ),
    (
        "responses",
        "input",
        [
            {"role": "user", "content": [{"type": "input_text", "text": "fix it"}]},
            {"type": "reasoning", "summary": [{"type": "summary_text", "text": "hm"}]},
            {"type": "function_call_output", "call_id": "1", "output": "x = 1"},
        ],
    ),
    (
        "gemini",
        "contents",
        [
            {"role": "user", "parts": [{"text": "fix it"}]},
            {"role": "model", "parts": [{"text": "I will"}]},
            {"role": "user", "parts": [{"functionResponse": {"name": "read", "response": {"output": "x = 1"}}}]},
        ],
    ),
]


@pytest.mark.parametrize(("dialect", "key", "talk"), TALKS)
def test_words_are_the_users_last_and_given_is_all_but_the_models_own(dialect, key, talk):
    found = asked(dialect, {"model": "m", key: talk})
    assert (found.words, found.given) == ("fix it", "fix it\nx = 1")


def test_a_responses_input_may_be_a_bare_text():
    assert asked("responses", {"model": "m", "input": "fix it"}).words == "fix it"


@pytest.mark.parametrize(
    "body", [{"messages": 3, "tools": "x"}, {"tools": [3]}, {"response_format": [], "messages": [[]]}]
)
def test_what_has_another_shape_was_not_asked(body):
    assert asked("chat", {"model": "m", **body}) == AskedView()
