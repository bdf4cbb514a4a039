"""State that only one provider can read is found in the bytes of a request."""

from __future__ import annotations

import json

import pytest

from lanewise.wire.bound import Bound, bound

NOTHING, SEALED, STORED = Bound(), Bound(sealed=True), Bound(previous_response=True)


@pytest.mark.parametrize(
    ("dialect", "body", "expected"),
    [
        ("messages", {"content": [{"type": "thinking", "thinking": "", "signature": "Eq"}]}, SEALED),
        ("messages", {"content": [{"type": "redacted_thinking", "data": "x"}]}, SEALED),
        ("messages", {"thinking": {"type": "adaptive"}, "content": "hello"}, NOTHING),
        ("messages", {"content": 'the "signature": "x" of a function'}, NOTHING),  # quotes in a text are escaped
        ("messages", {"content": [{"signature": ""}, {"signature": None}]}, NOTHING),
        ("messages", {"content": [{"signature": ""}, {"signature": "Eq"}]}, SEALED),
        ("responses", {"include": ["reasoning.encrypted_content"], "input": "hello"}, NOTHING),
        ("responses", {"input": [{"type": "reasoning", "encrypted_content": "gA"}]}, SEALED),
        ("responses", {"input": [{"type": "reasoning", "encrypted_content": None}]}, NOTHING),
        ("responses", {"previous_response_id": "resp_1"}, STORED),
        ("responses", {"previous_response_id": None}, NOTHING),
        ("gemini", {"contents": [{"parts": [{"text": "", "thoughtSignature": "a"}]}]}, SEALED),
        ("chat", {"messages": [{"role": "assistant", "reasoning_content": "I see"}]}, NOTHING),
    ],
)
@pytest.mark.parametrize("separators", [(",", ":"), (", ", ": ")])
def test_what_ties_a_request_to_its_provider(dialect, body, expected, separators):
    assert bound(dialect, json.dumps(body, separators=separators).encode()) == expected
