"""How each agent is run without a screen: its command, its environment, its config files.

A recipe is given a fresh home, a fresh git project and the URL to talk to. It knows nothing of what answers there.
"""

from __future__ import annotations

import base64
import datetime as dt
import json
from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec

from agents.install import agents_dir
from doubles import GREETING
from lanewise.journey import Dialect


class Site(msgspec.Struct, frozen=True, kw_only=True):
    """Where an agent is run."""

    url: str
    """Base URL without `/v1`."""
    home: Path
    project: Path

    @property
    def prompt(self) -> str:
        """The job: the absolute path is what the scripted upstream looks for."""
        return f"Create the file {self.project}/hello.txt containing: {GREETING.strip()}"


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """One command and what it finds on disk and in its environment."""

    argv: tuple[str, ...]
    env: Mapping[str, str]
    files: Mapping[Path, str] = {}


class Recipe(msgspec.Struct, frozen=True, kw_only=True):
    """One agent in one set-up."""

    name: str
    dialect: Dialect
    """The wire language it is expected to speak."""
    program: Path
    run: Callable[[Site], Run]
    posts: int
    """How many POSTs the job takes: titles, tool call, result, commit messages."""
    websockets: int = 0
    """How many WebSocket handshakes it tries, each of them refused with 426. One: it did not try again."""
    compressed: bool = False
    """It compresses its bodies."""
    carries: tuple[str, ...]
    """Headers, lower case, that have to be on one of its calls and to reach the provider."""


def _npm(prefix: str, command: str) -> Path:
    return agents_dir() / "npm" / prefix / "node_modules" / ".bin" / command


def _claude(program: Path) -> Callable[[Site], Run]:
    def run(site: Site) -> Run:
        options = ("--output-format", "stream-json", "--verbose", "--permission-mode", "acceptEdits")
        return Run(
            argv=(str(program), "-p", site.prompt, *options),
            env={"ANTHROPIC_BASE_URL": site.url, "ANTHROPIC_API_KEY": "sk-ant-dummy"},
        )

    return run


_CODEX = _npm("codex", "codex")


def _codex(site: Site, config: str, files: Mapping[Path, str]) -> Run:
    options = ("--skip-git-repo-check", "--dangerously-bypass-approvals-and-sandbox", "--json")
    home = site.home / ".codex"
    return Run(
        argv=(str(_CODEX), "exec", *options, site.prompt),
        env={"CODEX_HOME": str(home), "OPENAI_API_KEY": "sk-dummy"},
        files={home / "config.toml": config, **files},
    )


def _codex_custom(site: Site) -> Run:
    config = f"""
model = "gpt-5"
model_provider = "gw"
[model_providers.gw]
name = "gw"
base_url = "{site.url}/v1"
env_key = "OPENAI_API_KEY"
wire_api = "responses"
"""
    return _codex(site, config, {})


def _codex_builtin(site: Site) -> Run:
    config = f'model = "gpt-5"\nopenai_base_url = "{site.url}/v1"\n'
    return _codex(site, config, {site.home / ".codex" / "auth.json": json.dumps({"OPENAI_API_KEY": "sk-dummy"})})


def _codex_signed_in(site: Site) -> Run:
    """ChatGPT sign-in; everything it asks of ChatGPT itself goes to the same place and finds nothing there."""
    config = f'model = "gpt-5"\nopenai_base_url = "{site.url}/v1"\nchatgpt_base_url = "{site.url}/backend-api/"\n'
    account = {"chatgpt_plan_type": "pro", "chatgpt_account_id": "acc-dummy", "chatgpt_user_id": "user-dummy"}
    expires_s = 4_102_444_800  # the year 2100: nothing to renew
    claims = {"email": "dev@example.invalid", "exp": expires_s, "https://api.openai.com/auth": account}
    parts = (json.dumps(part).encode() for part in ({"alg": "none", "typ": "JWT"}, claims, "unsigned"))
    token = ".".join(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in parts)
    tokens = {"id_token": token, "access_token": token, "refresh_token": "dummy", "account_id": "acc-dummy"}
    # An old refresh would be renewed over the network.
    refreshed = dt.datetime.now(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    auth = {"auth_mode": "chatgpt", "OPENAI_API_KEY": None, "tokens": tokens, "last_refresh": refreshed}
    run = _codex(site, config, {site.home / ".codex" / "auth.json": json.dumps(auth)})
    return msgspec.structs.replace(run, env={"CODEX_HOME": run.env["CODEX_HOME"]})


def _opencode(provider: dict[str, object], model: str) -> Callable[[Site], Run]:
    def run(site: Site) -> Run:
        name = model.partition("/")[0]
        options = {"baseURL": f"{site.url}/v1", "apiKey": "sk-dummy"}
        config = {"provider": {name: {**provider, "options": options}}, "model": model, "small_model": model}
        return Run(
            argv=(str(_npm("opencode", "opencode")), "run", site.prompt),
            env={"OPENCODE_DISABLE_AUTOUPDATE": "1", "OPENCODE_DISABLE_MODELS_FETCH": "1"},
            files={site.project / "opencode.json": json.dumps(config)},
        )

    return run


def _qwen(kind: str, env: Callable[[Site], dict[str, str]]) -> Callable[[Site], Run]:
    def run(site: Site) -> Run:
        options = ("--auth-type", kind, "-y", "-p", site.prompt, "--output-format", "json")
        return Run(argv=(str(_npm("qwen", "qwen")), *options), env=env(site))

    return run


def _aider(model: str, env: Callable[[Site], dict[str, str]]) -> Callable[[Site], Run]:
    def run(site: Site) -> Run:
        options = [
            *("--model", model, "--edit-format", "whole", "--yes-always", "--no-show-model-warnings"),
            *("--no-check-update", "--analytics-disable", "--no-gitignore"),
            *("--message", site.prompt, "hello.txt"),
        ]
        program = str(agents_dir() / "aider" / "bin" / "aider")
        # Without the map on disk litellm, which aider uses, fetches prices from the network at start.
        return Run(argv=(program, *options), env={"LITELLM_LOCAL_MODEL_COST_MAP": "True", **env(site)})

    return run


_CLAUDE_HEADERS = (
    "anthropic-beta",
    "anthropic-version",
    "x-app",
    "x-claude-code-session-id",
    "x-stainless-lang",
    "x-api-key",
)
_CODEX_HEADERS = ("session-id", "thread-id", "originator", "x-codex-turn-metadata", "authorization")

RECIPES = (
    Recipe(
        name="claude-code 2.1.197",
        dialect="messages",
        program=_npm("claude-197", "claude"),
        run=_claude(_npm("claude-197", "claude")),
        posts=3,  # title, tool call, result
        carries=_CLAUDE_HEADERS,
    ),
    Recipe(
        name="claude-code 2.1.330",
        dialect="messages",
        program=_npm("claude-330", "claude"),
        run=_claude(_npm("claude-330", "claude")),
        posts=2,
        carries=_CLAUDE_HEADERS,
    ),
    Recipe(
        name="codex, custom provider",
        dialect="responses",
        program=_CODEX,
        run=_codex_custom,
        posts=2,
        carries=_CODEX_HEADERS,
    ),
    Recipe(
        name="codex, built-in provider: WebSocket refused, then HTTP",
        dialect="responses",
        program=_CODEX,
        run=_codex_builtin,
        posts=2,
        websockets=1,
        carries=_CODEX_HEADERS,
    ),
    Recipe(
        name="codex, ChatGPT sign-in: zstd bodies",
        dialect="responses",
        program=_CODEX,
        run=_codex_signed_in,
        posts=2,
        websockets=1,
        compressed=True,
        carries=(*_CODEX_HEADERS, "chatgpt-account-id"),
    ),
    Recipe(
        name="opencode, chat",
        dialect="chat",
        program=_npm("opencode", "opencode"),
        run=_opencode({"npm": "@ai-sdk/openai-compatible", "models": {"mock-model": {}}}, "gw/mock-model"),
        posts=3,  # title, tool call, result
        carries=("x-session-id", "x-session-affinity", "authorization"),
    ),
    Recipe(
        name="opencode, messages",
        dialect="messages",
        program=_npm("opencode", "opencode"),
        run=_opencode({}, "anthropic/claude-sonnet-4-5"),
        posts=3,
        carries=("anthropic-version", "x-api-key"),
    ),
    Recipe(
        name="opencode, responses",
        dialect="responses",
        program=_npm("opencode", "opencode"),
        run=_opencode({}, "openai/gpt-5"),
        posts=3,
        carries=("originator", "session-id", "authorization"),
    ),
    Recipe(
        name="qwen-code, chat",
        dialect="chat",
        program=_npm("qwen", "qwen"),
        run=_qwen(
            "openai",
            lambda site: {
                "OPENAI_API_KEY": "sk-dummy",
                "OPENAI_BASE_URL": f"{site.url}/v1",
                "OPENAI_MODEL": "mock-model",
            },
        ),
        posts=2,
        carries=("user-agent", "x-stainless-lang", "authorization"),
    ),
    Recipe(
        name="qwen-code, messages",
        dialect="messages",
        program=_npm("qwen", "qwen"),
        run=_qwen(
            "anthropic",
            lambda site: {
                "ANTHROPIC_API_KEY": "sk-ant-dummy",
                "ANTHROPIC_BASE_URL": site.url,
                "ANTHROPIC_MODEL": "claude-sonnet-4-5",
            },
        ),
        posts=2,
        carries=("anthropic-version", "anthropic-beta", "x-api-key"),
    ),
    Recipe(
        name="aider, chat",
        dialect="chat",
        program=agents_dir() / "aider" / "bin" / "aider",
        run=_aider(
            "openai/mock-model", lambda site: {"OPENAI_API_BASE": f"{site.url}/v1", "OPENAI_API_KEY": "sk-dummy"}
        ),
        posts=3,  # the file, two commit messages
        carries=("user-agent", "x-stainless-lang", "authorization"),
    ),
    Recipe(
        name="aider, messages",
        dialect="messages",
        program=agents_dir() / "aider" / "bin" / "aider",
        run=_aider(
            "anthropic/claude-sonnet-4-5",
            lambda site: {"ANTHROPIC_API_BASE": site.url, "ANTHROPIC_API_KEY": "sk-ant-dummy"},
        ),
        posts=3,
        carries=("anthropic-version", "x-api-key"),
    ),
)
