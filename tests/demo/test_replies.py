"""What the demo's agents read is what its providers said, streamed or whole, and half an answer is refused."""

from __future__ import annotations

import msgspec
import pytest

from lanewise.demo.answers import Answer, ToolCall, error, events, whole
from lanewise.demo.replies import UnusableAnswerError, read_reply
from lanewise.journey import Usage

DIALECTS = ("messages", "chat", "responses")
ANSWER = Answer(
    id="7",
    model="m",
    text="Straße und 世界",
    thinking="Let me see.",
    signature="c2ln",
    tool_calls=(
        ToolCall(id="call_1", name="Read", arguments='{"file_path":"a.py"}'),
        ToolCall(id="call_2", name="Bash", arguments='{"command":"ls \\"x\\""}'),
    ),
    usage=Usage(input_tokens=1, output_tokens=1),
)


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("streamed", [True, False])
def test_text_thinking_and_tool_calls_arrive_whole(dialect, streamed):
    body = b"".join(events(dialect, ANSWER, chunk_chars=3)) if streamed else whole(dialect, ANSWER)
    reply = read_reply(dialect, body, streamed=streamed)
    assert (reply.text, reply.thinking) == (ANSWER.text, ANSWER.thinking)
    assert [(call.id, call.name) for call in reply.tool_calls] == [("call_1", "Read"), ("call_2", "Bash")]
    decoded = [msgspec.json.decode(call.arguments) for call in reply.tool_calls]
    assert decoded == [{"file_path": "a.py"}, {"command": 'ls "x"'}]
    assert reply.signature == ("" if dialect == "chat" else "c2ln")


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_stream_without_its_last_event_is_refused(dialect):
    cut = b"".join(events(dialect, ANSWER)[:-1])
    with pytest.raises(UnusableAnswerError, match="ended without"):
        read_reply(dialect, cut, streamed=True)


@pytest.mark.parametrize("dialect", DIALECTS)
def test_an_error_body_is_refused(dialect):
    with pytest.raises(UnusableAnswerError, match="overloaded"):
        read_reply(dialect, error(dialect, 529, "overloaded_error", "overloaded"), streamed=False)
