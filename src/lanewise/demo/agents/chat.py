"""The calls of OpenCode, Qwen Code and Aider: OpenAI Chat in three habits."""

from __future__ import annotations

from lanewise.demo.agents.exchange import Exchange, Json, Reply, ToolResult, exchange, schema
from lanewise.demo.script import Label, table
from lanewise.demo.workspace import source, tree


class ChatAgent:
    """What the three have in common: a list of messages in which tool results have a role of their own."""

    client = ""

    def __init__(self, session_id: str, model: str) -> None:
        harness = table("harness.toml")
        self._texts: dict[str, str] = harness["texts"]
        self._own: dict[str, str] = harness[self.client]
        self._tools: list[Json] = [
            {"type": "function", "function": {"name": name, "description": text, "parameters": schema(arguments)}}
            for name, (text, arguments) in harness["tools"].get(self.client, {}).items()
        ]
        self._session_id = session_id
        self._model = model
        self._messages: list[Json] = []

    def say(self, text: str) -> None:
        """Add what the user types."""
        self._messages.append({"role": "user", "content": text})

    def hear(self, reply: Reply) -> None:
        """Add the answer."""
        message: Json = {"role": "assistant", "content": reply.text}
        if reply.thinking:
            message["reasoning_content"] = reply.thinking
        if reply.tool_calls:
            message["tool_calls"] = [
                {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
                for call in reply.tool_calls
            ]
        self._messages.append(message)

    def report(self, results: list[ToolResult]) -> None:
        """Add one message of role `tool` per result."""
        self._messages += [
            {"role": "tool", "tool_call_id": result.call_id, "content": result.text} for result in results
        ]

    def title(self, ask: str, label: Label) -> Exchange | None:
        """No title by default."""

    def compaction(self, label: Label) -> Exchange | None:
        """No compaction by default."""

    def resume(self, summary: str) -> None:
        """Start over from a summary."""
        self._messages = [{"role": "user", "content": summary}]

    def _system(self) -> str:
        return self._own["main"] + self._texts["conduct"] + self._texts["tools_policy"]


class OpenCode(ChatAgent):
    """OpenCode: a title first, its session in two headers."""

    client = "opencode"

    def call(self, label: Label) -> Exchange:
        """The main request."""
        body: Json = {
            "model": self._model,
            "max_tokens": 32_000,
            "messages": [
                {"role": "system", "content": self._system() + self._texts["environment"]},
                *self._messages,
            ],
            "tools": self._tools,
            "tool_choice": "auto",
            "stream": True,
            "stream_options": {"include_usage": True},
        }
        return exchange("chat", self._headers(), body, label)

    def title(self, ask: str, label: Label) -> Exchange | None:
        """The title call that opens every session."""
        body: Json = {
            "model": self._model,
            "max_tokens": 32_000,
            "messages": [
                {"role": "system", "content": self._own["title"]},
                {"role": "user", "content": self._own["title_ask"]},
                {"role": "user", "content": f'"{ask}"'},
            ],
            "stream": True,
            "stream_options": {"include_usage": True},
        }
        return exchange("chat", self._headers(), body, label)

    def _headers(self) -> Json:
        return {
            "authorization": "Bearer simulated",
            "user-agent": "opencode/1.18.33 ai-sdk/provider-utils/4.0.23 runtime/bun/1.3.14",
            "x-session-affinity": self._session_id,
            "x-session-id": self._session_id,
        }


class QwenCode(ChatAgent):
    """Qwen Code: a set-up exchange before the first words, user content in blocks, no session id."""

    client = "qwen-code"

    def __init__(self, session_id: str, model: str, date: str) -> None:
        super().__init__(session_id, model)
        setup = self._own["setup"].format(date=date, tree=tree())
        self._opening: list[Json] = [
            {"role": "system", "content": self._system() + self._texts["safety"]},
            {"role": "user", "content": [{"type": "text", "text": setup}]},
            {"role": "assistant", "content": self._own["ready"]},
        ]

    def say(self, text: str) -> None:
        """Add what the user types, as a block."""
        self._messages.append({"role": "user", "content": [{"type": "text", "text": text}]})

    def call(self, label: Label) -> Exchange:
        """The main request."""
        body: Json = {
            "model": self._model,
            "messages": [*self._opening, *self._messages],
            "tools": self._tools,
            "stream": True,
            "stream_options": {"include_usage": True},
            "max_tokens": 8000,
        }
        headers = {
            "accept": "application/json",
            "authorization": "Bearer simulated",
            "user-agent": "QwenCode/0.15.10 (linux; x64)",
            "x-stainless-lang": "js",
            "x-stainless-retry-count": "0",
        }
        return exchange("chat", headers, body, label)


class Aider(ChatAgent):
    """Aider: no tools, whole files in the conversation, a commit message after each change."""

    client = "aider"

    def __init__(self, session_id: str, model: str, path: str) -> None:
        super().__init__(session_id, model)
        own = self._own
        self._opening: list[Json] = [
            {"role": "system", "content": own["main"] + self._texts["conduct"]},
            {"role": "user", "content": own["example_ask"]},
            {"role": "assistant", "content": own["example_answer"]},
            {"role": "user", "content": own["new_base"]},
            {"role": "assistant", "content": "Ok."},
            {"role": "user", "content": own["map"].format(tree=tree())},
            {"role": "assistant", "content": own["map_ok"]},
        ]
        self._files: list[Json] = [
            {"role": "user", "content": own["files"].format(path=path, content=source(path, 7))},
            {"role": "assistant", "content": own["files_ok"]},
        ]

    def call(self, label: Label) -> Exchange:
        """The main request; the last user message carries the reply format."""
        *earlier, last = self._messages
        ask = {"role": "user", "content": self._own["ask"].format(ask=last["content"])}
        body: Json = {
            "model": self._model,
            "messages": [*self._opening, *earlier, *self._files, ask],
            "stream": True,
            "temperature": 0,
        }
        return exchange("chat", self._headers(), body, label)

    def commit(self, diff: str, label: Label) -> Exchange:
        """The commit message call, not streamed."""
        body: Json = {
            "model": self._model,
            "messages": [
                {"role": "system", "content": self._own["commit"]},
                {"role": "user", "content": self._own["commit_ask"].format(diff=diff)},
            ],
            "temperature": 0,
        }
        return exchange("chat", self._headers(), body, label)

    def _headers(self) -> Json:
        return {
            "accept": "application/json",
            "authorization": "Bearer simulated",
            "user-agent": "OpenAI/Python 2.20.0",
            "x-stainless-lang": "python",
            "x-stainless-async": "false",
            "x-stainless-retry-count": "0",
            "x-stainless-read-timeout": "600.0",
        }
