"""The value that all dialects render, and the few lines their renderers share.

Knows nothing of any one dialect.
"""

from __future__ import annotations

import base64
import hashlib
from typing import Literal, TypeAlias

import msgspec

from lanewise.journey import Usage, Value

Stop: TypeAlias = Literal["end", "tools", "length", "refusal"]
"""Why the model stopped: it was done, it calls tools, it ran into the output limit, it was not allowed to go on."""

Json: TypeAlias = dict[str, object]

# OpenAI calls the standard tier "default" and does not mark batched answers.
TIER_OPENAI = {"standard": "default", "batch": "default", "flex": "flex", "priority": "priority"}


class ToolCall(Value, frozen=True, kw_only=True):
    """One tool that the model asks the client to run."""

    id: str
    name: str
    arguments: str
    """JSON text of an object."""


class Answer(Value, frozen=True, kw_only=True):
    """One answer of a model, before it has a dialect."""

    id: str = "1"
    """Unique part of the ids that the answer and its items carry."""
    model: str
    text: str = ""
    thinking: str = ""
    signature: str = ""
    """Seals the thinking (Responses: the encrypted reasoning). Empty with `thinking`: derived from the thinking.
    Set without `thinking`: a block that has a signature only."""
    tool_calls: tuple[ToolCall, ...] = ()
    usage: Usage | None = None
    """None = the provider reports none. Messages requires one: clients there may choke on an answer without."""
    stop: Stop | None = None
    """None = ``tools`` where the answer calls any, else ``end``."""
    created_s: int = 0
    """Unix time in seconds."""

    @property
    def why_stopped(self) -> Stop:
        """`stop`, or what follows from the content where it is None."""
        return self.stop or ("tools" if self.tool_calls else "end")

    @property
    def seal(self) -> str:
        """The signature the thinking travels with; empty where there is no thinking."""
        if self.signature or not self.thinking:
            return self.signature
        return base64.b64encode(hashlib.sha256(self.thinking.encode()).digest()).decode()


def encode(value: object) -> bytes:
    """Compact JSON in UTF-8, as providers send it."""
    return msgspec.json.encode(value)


def data_line(fields: Json) -> bytes:
    """A server-sent event without a name."""
    return b"data: " + encode(fields) + b"\n\n"


def event_of(fields: Json) -> bytes:
    """A server-sent event named after its `type`."""
    return f"event: {fields['type']}\n".encode() + data_line(fields)


def pieces(text: str, chars: int) -> list[str]:
    """The text in deltas of `chars` characters, none for an empty text."""
    return [text[start : start + chars] for start in range(0, len(text), chars)]


def cost(usage: Usage) -> Json:
    """Aggregators such as OpenRouter add what the call cost, in USD, beside the token counts."""
    return {} if usage.reported_cost_pusd is None else {"cost": usage.reported_cost_pusd / 10**12}


def arguments(call: ToolCall) -> object:
    """The arguments as an object in the body, in the order and spacing they came in."""
    return msgspec.Raw(call.arguments.encode())


def openai_cache(usage: Usage) -> Json:
    """The parts of the prompt that came from or went to the cache, under the names OpenAI gives them."""
    written = usage.cache_write_5m_tokens + usage.cache_write_1h_tokens
    return {"cached_tokens": usage.cache_read_tokens, "cache_write_tokens": written}
