"""The demo's agents: each writes the requests that its namesake writes, from a conversation that goes on.

They know shapes (measured on real clients) and texts (written for this project), not models, prices or sockets.
"""

from lanewise.demo.agents.chat import Aider, OpenCode, QwenCode
from lanewise.demo.agents.claude_code import ClaudeCode
from lanewise.demo.agents.codex import Codex
from lanewise.demo.agents.exchange import Agent, Exchange, Reply, ToolResult
from lanewise.demo.agents.jobs import job

__all__ = ["Agent", "Aider", "ClaudeCode", "Codex", "Exchange", "OpenCode", "QwenCode", "Reply", "ToolResult", "job"]
