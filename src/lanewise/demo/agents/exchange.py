"""What an agent of the demo sends and what it gets: one request, one answer, tool results. No sockets here."""

from __future__ import annotations

from typing import Any, Protocol, TypeAlias

import msgspec

from lanewise.demo.answers import ToolCall
from lanewise.demo.script import HEADER, Label
from lanewise.journey import Dialect, Value

Json: TypeAlias = dict[str, Any]
"""A JSON object on its way into a body; the clients' own shapes, so its values are theirs."""

PATHS: dict[Dialect, str] = {
    "messages": "/v1/messages?beta=true",
    "chat": "/v1/chat/completions",
    "responses": "/v1/responses",
}


class Exchange(Value, frozen=True, kw_only=True):
    """One request that an agent wants sent."""

    dialect: Dialect
    path: str
    headers: tuple[tuple[str, str], ...]
    body: bytes
    stream: bool
    label: Label


class Reply(Value, frozen=True, kw_only=True):
    """An answer as the agent's client library hands it over."""

    id: str = ""
    text: str = ""
    thinking: str = ""
    signature: str = ""
    """Seal of the thinking: a signature in Messages, encrypted content in Responses."""
    tool_calls: tuple[ToolCall, ...] = ()


class ToolResult(Value, frozen=True, kw_only=True):
    """What a tool answered."""

    call_id: str
    text: str
    failed: bool = False


class Agent(Protocol):
    """A conversation in one client's shape."""

    client: str
    """Name of the client's tool list in `harness.toml`."""

    def say(self, text: str) -> None:
        """Add what the user types."""

    def hear(self, reply: Reply) -> None:
        """Add what the model answered."""

    def report(self, results: list[ToolResult]) -> None:
        """Add what the tools answered."""

    def call(self, label: Label) -> Exchange:
        """The request that carries the conversation so far."""

    def title(self, ask: str, label: Label) -> Exchange | None:
        """The request for a title of the session; None where this client makes none."""

    def compaction(self, label: Label) -> Exchange | None:
        """The request for a summary of the conversation; None where this client makes none."""

    def resume(self, summary: str) -> None:
        """Start over from a summary."""


def exchange(dialect: Dialect, headers: Json, body: Json, label: Label) -> Exchange:
    """Close a request: encode the body, add the demo's label and the length-independent headers."""
    named = {**headers, "content-type": "application/json", HEADER: label.header()}
    return Exchange(
        dialect=dialect,
        path=PATHS[dialect],
        headers=tuple((name, str(value)) for name, value in named.items()),
        body=msgspec.json.encode(body),
        stream=bool(body.get("stream")),
        label=label,
    )


def schema(arguments: dict[str, str]) -> Json:
    """A JSON Schema object from `harness.toml`'s short form, ``name?`` = ``type: description``."""
    properties: Json = {}
    required = []
    for name, text in arguments.items():
        kind, _, description = text.partition(": ")
        properties[name.rstrip("?")] = {
            "type": kind,
            "description": description,
            **({"items": {"type": "object"}} if kind == "array" else {}),
        }
        if not name.endswith("?"):
            required.append(name)
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}
