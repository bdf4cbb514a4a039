"""A client's bytes <-> journey values. Pure: no sockets, no clock, no config."""

from lanewise.journey import Dialect
from lanewise.wire import chat, gemini, messages, responses
from lanewise.wire.bound import Bound, bound
from lanewise.wire.encoding import decoded, stream_decoder
from lanewise.wire.meter import Facts, Meter
from lanewise.wire.outgoing import Outgoing, outgoing
from lanewise.wire.peek import peek
from lanewise.wire.refusal import keep_alive, last_event, refusal
from lanewise.wire.sse import Framer

__all__ = [
    "Bound",
    "Facts",
    "Framer",
    "Meter",
    "Outgoing",
    "bound",
    "decoded",
    "facts",
    "keep_alive",
    "last_event",
    "meter",
    "outgoing",
    "peek",
    "refusal",
    "stream_decoder",
]

_FACTS = {"messages": messages.facts, "chat": chat.facts, "responses": responses.facts, "gemini": gemini.facts}


def facts(dialect: Dialect, body: bytes) -> Facts:
    """What a whole answer in `dialect` says of its usage and end; nothing of both where it is not such an answer."""
    return _FACTS[dialect](body)


def meter(dialect: Dialect, *, hide_usage: bool = False, count_text: bool = False) -> Meter:
    """A fresh meter for one streamed answer.

    Args:
        dialect: Of the answer.
        hide_usage: Chat only: keep the usage chunk, which only we asked for, from the client.
        count_text: Chat only: measure the generated text, since no usage is expected.
    """
    if dialect == "chat":
        return chat.ChatMeter(hide_usage=hide_usage, count_text=count_text)
    if dialect == "messages":
        return messages.MessagesMeter()
    return responses.ResponsesMeter() if dialect == "responses" else gemini.GeminiMeter()
