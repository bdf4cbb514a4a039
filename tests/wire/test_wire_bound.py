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


@pytest.mark.parametrize(
    ("mark", "marks", "hour"),
    [
        ("", False, False),
        (', "cache_control": {"type": "ephemeral"}', True, False),
        (', "cache_control": {"type": "ephemeral", "ttl": "1h"}', True, True),
        (', "cache_control":{"ttl":"1h","type":"ephemeral"}', True, True),
        (', "cache_control": {"type": "ephemeral", "ttl": "5m"}', True, False),
    ],
)
def test_a_mark_for_the_cache_is_seen_with_its_time_to_live(mark: str, marks: bool, hour: bool):
    said = '"type": "text", "text": "\\"cache_control\\" 1h"'
    body = ('{"system": [{' + said + mark + '}], "messages": []}').encode()
    found = bound("messages", body)
    assert (found.marks_cache, found.marks_hour) == (marks, hour)
    assert not bound("chat", body).marks_cache  # only Messages has such marks
