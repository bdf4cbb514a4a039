"""What a provider says, rendered in the wire languages of four providers: bodies, event streams and errors.

The demo's providers and the tests' scripted upstream answer with these bytes, so they have to be what the real
providers send: the official SDKs' own types check them in the tests. The code shares nothing with `wire` on
purpose: a reader and a writer that shared their understanding would share their mistakes.

This package does not know requests, sockets, clocks, statuses beyond the error body, or why an answer is what it is.
"""

from __future__ import annotations

from lanewise.demo.answers.answer import Answer, Json, Stop, ToolCall, data_line, encode, event_of
from lanewise.demo.answers.chat import completion, completion_chunks
from lanewise.demo.answers.gemini import content_chunks, content_whole
from lanewise.demo.answers.messages import message, message_events
from lanewise.demo.answers.responses import response_events, response_whole
from lanewise.journey import Dialect

__all__ = ["Answer", "Stop", "ToolCall", "error", "error_event", "events", "whole"]


def whole(dialect: Dialect, answer: Answer) -> bytes:
    """The JSON body of a response that is not streamed."""
    match dialect:
        case "messages":
            return encode(message(answer))
        case "chat":
            return encode(completion(answer))
        case "responses":
            return encode(response_whole(answer))
        case "gemini":
            return encode(content_whole(answer))


def events(dialect: Dialect, answer: Answer, *, chunk_chars: int = 24, include_usage: bool = True) -> list[bytes]:
    """The event stream of a response, each event complete with its terminator.

    Args:
        dialect: The provider's wire language.
        answer: What is said.
        chunk_chars: Text, thinking and tool arguments are sent in deltas of this many characters.
        include_usage: Chat only: what the client asked for in `stream_options.include_usage`.
    """
    match dialect:
        case "messages":
            return [event_of(fields) for fields in message_events(answer, chunk_chars)]
        case "chat":
            return [*map(data_line, completion_chunks(answer, chunk_chars, include_usage)), b"data: [DONE]\n\n"]
        case "responses":
            numbered = enumerate(response_events(answer, chunk_chars))
            return [event_of({**fields, "sequence_number": number}) for number, fields in numbered]
        case "gemini":
            # Google ends its lines with CR LF, unlike the other three.
            return [b"data: " + encode(chunk) + b"\r\n\r\n" for chunk in content_chunks(answer, chunk_chars)]


def error(dialect: Dialect, status: int, kind: str, message: str) -> bytes:
    """The JSON body of an error response.

    Args:
        dialect: The provider's wire language.
        status: The HTTP status; only Gemini repeats it in the body.
        kind: The dialect's own name of the error, e.g. ``overloaded_error`` or ``rate_limit_exceeded``.
        message: A sentence for the user.
    """
    match dialect:
        case "messages":
            return encode({"type": "error", "error": {"type": kind, "message": message}, "request_id": None})
        case "chat" | "responses":
            return encode({"error": {"message": message, "type": kind, "param": None, "code": kind}})
        case "gemini":
            return encode({"error": {"code": status, "message": message, "status": kind}})


def error_event(dialect: Dialect, status: int, kind: str, message: str, *, sequence_number: int = 0) -> bytes:
    """The event with which a provider gives up in the middle of a stream; arguments as in `error`.

    `sequence_number` is used by Responses alone: how many events came before.
    """
    if dialect == "messages":
        return b"event: error\ndata: " + error(dialect, status, kind, message) + b"\n\n"
    if dialect == "responses":
        fields: Json = {"type": "error", "code": kind, "message": message, "param": None}
        return event_of({**fields, "sequence_number": sequence_number})
    return b"data: " + error(dialect, status, kind, message) + (b"\r\n\r\n" if dialect == "gemini" else b"\n\n")
