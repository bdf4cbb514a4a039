"""Claude Code's calls: Anthropic Messages with its headers, system blocks, cache marks and thinking.

Two versions with their measured differences: 2.1.197 asks for a title first, 2.1.330 does not and sends its
environment as a message of role `system`.
"""

from __future__ import annotations

import copy
import uuid

import msgspec

from lanewise.demo.agents.exchange import Exchange, Json, Reply, ToolResult, exchange, schema
from lanewise.demo.script import Label, table

CACHED: Json = {"cache_control": {"type": "ephemeral"}}

BETAS = {
    "2.1.197": "claude-code-20250219,context-1m-2025-08-07,interleaved-thinking-2025-05-14,"
    "context-management-2025-06-27,prompt-caching-scope-2026-01-05,mid-conversation-system-2026-04-07,"
    "effort-2025-11-24",
    "2.1.330": "claude-code-20250219,interleaved-thinking-2025-05-14,context-management-2025-06-27,"
    "per-turn-control-2026-07-01,mid-conversation-tool-changes-2026-07-01,advanced-tool-use-2025-11-20,"
    "effort-2025-11-24",
}


class ClaudeCode:
    """One conversation of Claude Code, or of a sub-agent that it started."""

    client = "claude-code"

    def __init__(self, session_id: uuid.UUID, model: str, version: str, *, agent_id: str = "") -> None:
        harness = table("harness.toml")
        self._texts: dict[str, str] = harness["texts"]
        self._own: dict[str, str] = harness["claude-code"]
        self._tools = [
            {"name": name, "description": text, "input_schema": schema(arguments)}
            for name, (text, arguments) in harness["tools"]["claude-code"].items()
            if not (agent_id and name == "Agent")
        ]
        self._session_id = session_id
        self._model = model
        self._version = version
        self._agent_id = agent_id
        self._messages: list[Json] = []

    def say(self, text: str) -> None:
        """Add what the user types; the first words come with the client's reminders."""
        blocks = [{"type": "text", "text": text}]
        first = not self._messages
        if first:
            notes = self._own["reminder"].format(notes=self._texts["project_notes"])
            blocks.insert(0, {"type": "text", "text": notes})
        self._messages.append({"role": "user", "content": blocks})
        if first:
            environment: Json = {"role": "system", "content": f"# Environment\n{self._texts['environment']}"}
            self._messages.append(environment)

    def hear(self, reply: Reply) -> None:
        """Add the answer, its thinking unchanged with its signature."""
        blocks: list[Json] = []
        if reply.signature:
            blocks.append({"type": "thinking", "thinking": reply.thinking, "signature": reply.signature})
        if reply.text:
            blocks.append({"type": "text", "text": reply.text})
        blocks += [
            {"type": "tool_use", "id": call.id, "name": call.name, "input": msgspec.json.decode(call.arguments)}
            for call in reply.tool_calls
        ]
        self._messages.append({"role": "assistant", "content": blocks})

    def report(self, results: list[ToolResult]) -> None:
        """Add tool results as one user message."""
        blocks = [
            {
                "tool_use_id": result.call_id,
                "type": "tool_result",
                "content": result.text,
                **({"is_error": True} if result.failed else {}),
            }
            for result in results
        ]
        self._messages.append({"role": "user", "content": blocks})

    def call(self, label: Label) -> Exchange:
        """The main request: tools, thinking, cache marks on the system text and the last block."""
        body: Json = {
            "model": self._model,
            "messages": self._marked(),
            "system": self._system(),
            "tools": self._tools,
            "metadata": self._metadata(),
            "max_tokens": 64_000,
            "thinking": {"type": "adaptive"},
            "context_management": {"edits": [{"type": "clear_thinking_20251015", "keep": "all"}]},
            "output_config": {"effort": "high"},
            "stream": True,
        }
        return exchange("messages", self._headers(), body, label)

    def title(self, ask: str, label: Label) -> Exchange | None:
        """The title call of 2.1.197: no tools, no thinking, a JSON schema with one key."""
        if self._version != "2.1.197":
            return None
        answer = {"type": "object", "properties": {"title": {"type": "string"}}, "required": ["title"]}
        body: Json = {
            "model": self._model,
            "messages": [{"role": "user", "content": [{"type": "text", "text": f"<session>\n{ask}\n</session>"}]}],
            "system": [self._text("billing"), self._text("identity"), self._text("title")],
            "metadata": self._metadata(),
            "max_tokens": 64_000,
            "thinking": {"type": "disabled"},
            "output_config": {"effort": "high", "format": {"type": "json_schema", "schema": answer}},
            "stream": True,
        }
        return exchange("messages", self._headers(), body, label)

    def compaction(self, label: Label) -> Exchange | None:
        """The summary request: the whole conversation and one more user message."""
        self._messages.append({"role": "user", "content": [self._text("compaction")]})
        return self.call(label)

    def resume(self, summary: str) -> None:
        """Go on from the summary instead of the messages."""
        self._messages.clear()
        self.say(self._own["resumed"].format(summary=summary))

    def _text(self, name: str) -> Json:
        return {"type": "text", "text": self._own[name]}

    def _system(self) -> list[Json]:
        texts = self._texts
        long = self._own["subagent"] if self._agent_id else self._own["main"] + texts["conduct"] + texts["safety"]
        return [
            self._text("billing"),
            {**self._text("identity"), **CACHED},
            {"type": "text", "text": long + texts["tools_policy"], **CACHED},
        ]

    def _marked(self) -> list[Json]:
        """The messages with the cache mark on the last block of the last one."""
        last = copy.deepcopy(self._messages[-1])
        if isinstance(last["content"], str):
            last["content"] = [{"type": "text", "text": last["content"]}]
        last["content"][-1] |= CACHED
        return [*self._messages[:-1], last]

    def _metadata(self) -> Json:
        device = self._session_id.hex * 2
        identity = {"device_id": device, "account_uuid": "", "session_id": str(self._session_id)}
        return {"user_id": msgspec.json.encode(identity).decode()}

    def _headers(self) -> Json:
        return {
            "accept": "application/json",
            "user-agent": f"claude-cli/{self._version} (external, cli)",
            "x-claude-code-session-id": self._session_id,
            **({"x-claude-code-agent-id": self._agent_id} if self._agent_id else {}),
            "x-stainless-lang": "js",
            "x-stainless-retry-count": "0",
            "x-stainless-timeout": "600",
            "anthropic-beta": BETAS[self._version],
            "anthropic-version": "2023-06-01",
            "x-api-key": "simulated",
            "x-app": "cli",
        }
