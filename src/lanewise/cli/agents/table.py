"""Coding agents as data rows: the one file and the few values that make each of them speak to the gateway.

Files and names as their current releases read them (checked 2026-11). An agent whose settings hold secrets or live in
an editor's storage has instructions instead of a file. Knows no policy and writes nothing.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import msgspec

from lanewise.cli.agents.json_text import JsonText
from lanewise.cli.agents.lines_text import DotenvText, YamlText
from lanewise.cli.agents.text import Format, Path_
from lanewise.cli.agents.toml_text import TomlText

Place = Callable[[Mapping[str, str], Path], Path]
"""Environment and home folder -> the settings file."""


class Agent(msgspec.Struct, frozen=True, kw_only=True):
    """One coding agent."""

    name: str
    title: str
    program: str
    """Its command on PATH."""
    place: Place | None = None
    """Where its settings are; None for an agent that can only be told how."""
    format: Any = None
    """How that file is edited: a `Format` (msgspec cannot check a protocol)."""
    settings: tuple[tuple[Path_, str], ...] = ()
    """Path and value of each setting; ``{url}`` is the gateway's base URL without `/v1`."""
    address: Path_ = ()
    """Which of the settings is the base URL."""
    steps: tuple[str, ...] = ()
    """What to do by hand, instead of or after the file's change."""
    undo_steps: tuple[str, ...] = ()

    def values(self, url: str) -> tuple[tuple[Path_, str], ...]:
        """The settings for a gateway at `url`."""
        return tuple((path, value.replace("{url}", url)) for path, value in self.settings)

    def file(self, env: Mapping[str, str], home: Path) -> Path | None:
        """The settings file with symbolic links followed, None where there is none to write."""
        return None if self.place is None else Path(os.path.realpath(self.place(env, home)))

    @property
    def editor(self) -> Format:
        """`format`, typed."""
        editor: Format = self.format
        return editor


def _under(variable: str, default: str, *parts: str) -> Place:
    """The file `parts` in the folder that `variable` names, or in `default` under the home folder."""

    def place(env: Mapping[str, str], home: Path) -> Path:
        folder = Path(env[variable]).expanduser() if env.get(variable) else home / default
        return folder.joinpath(*parts)

    return place


_ROWS: Final = (
    Agent(
        name="claude",
        title="Claude Code",
        program="claude",
        place=_under("CLAUDE_CONFIG_DIR", ".claude", "settings.json"),
        format=JsonText(comments=False),
        settings=((("env", "ANTHROPIC_BASE_URL"), "{url}"),),
        address=("env", "ANTHROPIC_BASE_URL"),
    ),
    Agent(
        name="codex",
        title="Codex",
        program="codex",
        place=_under("CODEX_HOME", ".codex", "config.toml"),
        format=TomlText(),
        settings=(
            (("model_provider",), "lanewise"),
            (("model_providers", "lanewise", "name"), "Lanewise"),
            (("model_providers", "lanewise", "base_url"), "{url}/v1"),
            (("model_providers", "lanewise", "env_key"), "OPENAI_API_KEY"),
            (("model_providers", "lanewise", "wire_api"), "responses"),
        ),
        address=("model_providers", "lanewise", "base_url"),
        steps=("Codex sends the key in OPENAI_API_KEY: `export OPENAI_API_KEY=...` if it is not set",),
    ),
    Agent(
        name="opencode",
        title="OpenCode",
        program="opencode",
        place=_under("XDG_CONFIG_HOME", ".config", "opencode", "opencode.json"),
        format=JsonText(comments=True),
        settings=(
            (("provider", "anthropic", "options", "baseURL"), "{url}/v1"),
            (("provider", "openai", "options", "baseURL"), "{url}/v1"),
        ),
        address=("provider", "anthropic", "options", "baseURL"),
    ),
    Agent(
        name="aider",
        title="aider",
        program="aider",
        place=lambda _env, home: home / ".aider.conf.yml",
        format=YamlText(),
        settings=(
            (("openai-api-base",), "{url}/v1"),
            (("set-env", "ANTHROPIC_API_BASE"), "{url}"),
        ),
        address=("openai-api-base",),
    ),
    Agent(
        name="cline",
        title="Cline",
        program="cline",
        steps=(
            "cline auth --provider openai-compatible --apikey KEY --modelid MODEL --baseurl {url}/v1",
            "in the editor: Settings > API Provider `OpenAI Compatible` > Base URL {url}/v1",
        ),
        undo_steps=("cline auth, with the provider that was used before",),
    ),
    Agent(
        name="continue",
        title="Continue",
        program="cn",
        steps=(
            "in ~/.continue/config.yaml give each model with `provider: openai` the line `apiBase: {url}/v1`",
            "and each model with `provider: anthropic` the line `apiBase: {url}/v1/`",
        ),
        undo_steps=("take the `apiBase` lines out of ~/.continue/config.yaml",),
    ),
    Agent(
        name="qwen",
        title="Qwen Code",
        program="qwen",
        place=lambda _env, home: home / ".qwen" / "settings.json",
        format=JsonText(comments=True),
        settings=(
            (("env", "OPENAI_BASE_URL"), "{url}/v1"),
            (("env", "ANTHROPIC_BASE_URL"), "{url}"),
        ),
        address=("env", "OPENAI_BASE_URL"),
        steps=("a variable of the same name in your shell or in a .env file wins over this file",),
    ),
    Agent(
        name="gemini",
        title="Gemini CLI",
        program="gemini",
        place=lambda env, home: Path(env.get("GEMINI_CLI_HOME") or home) / ".gemini" / ".env",
        format=DotenvText(),
        settings=((("GOOGLE_GEMINI_BASE_URL",), "{url}"),),
        address=("GOOGLE_GEMINI_BASE_URL",),
        steps=("sign in with an API key (GEMINI_API_KEY); a .env file in a project wins over this file",),
    ),
)

AGENTS: Final[dict[str, Agent]] = {agent.name: agent for agent in _ROWS}
"""Agent by the name that `connect` takes."""
