"""Codex's calls: OpenAI Responses, stateless, with encrypted reasoning played back and everything done by a shell."""

from __future__ import annotations

import uuid

import msgspec

from lanewise.demo.agents.exchange import Exchange, Json, Reply, ToolResult, exchange, schema
from lanewise.demo.script import Label, table

VERSION = "0.169.0"


class Codex:
    """One thread of Codex."""

    client = "codex"

    def __init__(self, thread_id: uuid.UUID, model: str, date: str) -> None:
        harness = table("harness.toml")
        texts: dict[str, str] = harness["texts"]
        self._own: dict[str, str] = harness["codex"]
        self._tools: list[Json] = [
            {
                "type": "function",
                "name": name,
                "description": text,
                "strict": False,
                "parameters": schema(arguments),
            }
            for name, (text, arguments) in harness["tools"]["codex"].items()
        ]
        self._tools.append({"type": "web_search", "external_web_access": False})
        self._thread_id = str(thread_id)
        self._model = model
        base = self._own["main"] + texts["conduct"] + texts["tools_policy"] + texts["safety"]
        self._opening: list[Json] = [
            _message("developer", base),
            _message("developer", self._own["permissions"]),
            _message("user", texts["project_notes"] + self._own["environment"].format(date=date)),
        ]
        self._items: list[Json] = []

    def say(self, text: str) -> None:
        """Add what the user types."""
        self._items.append(_message("user", text))

    def hear(self, reply: Reply) -> None:
        """Add the answer's items: sealed reasoning, text, function calls."""
        if reply.signature:
            self._items.append(
                {
                    "type": "reasoning",
                    "id": f"rs_{reply.id}",
                    "summary": [{"type": "summary_text", "text": reply.thinking}],
                    "content": None,
                    "encrypted_content": reply.signature,
                }
            )
        if reply.text:
            self._items.append(_message("assistant", reply.text))
        self._items += [
            {
                "type": "function_call",
                "status": "completed",
                "id": f"fc_{call.id}",
                "name": call.name,
                "arguments": call.arguments,
                "call_id": call.id,
            }
            for call in reply.tool_calls
        ]

    def report(self, results: list[ToolResult]) -> None:
        """Add the shell's output in Codex's frame."""
        for result in results:
            frame = f"Wall time: 0.1200 seconds\nProcess exited with code {int(result.failed)}\nOutput:\n{result.text}"
            self._items.append({"type": "function_call_output", "call_id": result.call_id, "output": frame})

    def call(self, label: Label) -> Exchange:
        """The main request."""
        body: Json = {
            "model": self._model,
            "stream": True,
            "input": [*self._opening, *self._items],
            "tools": self._tools,
            "tool_choice": "auto",
            "parallel_tool_calls": True,
            "reasoning": {"summary": "auto"},
            "store": False,
            "include": ["reasoning.encrypted_content"],
            "prompt_cache_key": self._thread_id,
            "client_metadata": {"session_id": self._thread_id, "thread_id": self._thread_id},
        }
        return exchange("responses", self._headers(), body, label)

    def title(self, ask: str, label: Label) -> Exchange | None:
        """Codex asks for no title."""

    def compaction(self, label: Label) -> Exchange | None:
        """The hand-over request: the thread and one more user message."""
        self.say(self._own["compaction"])
        return self.call(label)

    def resume(self, summary: str) -> None:
        """Go on from the hand-over."""
        self._items = [_message("user", summary)]

    def _headers(self) -> Json:
        turn = {"session_id": self._thread_id, "thread_id": self._thread_id, "request_kind": "turn"}
        return {
            "accept": "text/event-stream",
            "user-agent": f"codex_cli_rs/{VERSION} (Debian 12.0.0; x86_64) xterm",
            "originator": "codex_cli_rs",
            "session-id": self._thread_id,
            "thread-id": self._thread_id,
            "x-client-request-id": self._thread_id,
            "x-codex-window-id": f"{self._thread_id}:0",
            "x-codex-turn-metadata": msgspec.json.encode(turn).decode(),
            "authorization": "Bearer simulated",
        }


def _message(role: str, text: str) -> Json:
    kind = "output_text" if role == "assistant" else "input_text"
    return {"type": "message", "role": role, "content": [{"type": kind, "text": text}]}
