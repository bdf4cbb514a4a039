"""Real agents obey the setting that `connect` writes: with no address in their environment, they call the gateway's."""

import os
import subprocess

import pytest

from agents.install import agents_dir
from doubles import ScriptedUpstream, agents_job

NPM = agents_dir() / "npm"
AIDER = agents_dir() / "aider" / "bin" / "aider"
AIDER_OPTIONS = ("--edit-format", "whole", "--yes-always", "--no-show-model-warnings", "--no-check-update")
QUIET_AIDER = {"LITELLM_LOCAL_MODEL_COST_MAP": "True"}

# agent, where it is installed, its arguments before the prompt and after it, its environment, the endpoint it asks
RUNS = [
    ("claude", NPM / "claude-330", "claude", ("-p",), (), {"ANTHROPIC_API_KEY": "sk-ant-x"}, "/v1/messages"),
    (
        "codex",
        NPM / "codex",
        "codex",
        ("exec", "--skip-git-repo-check", "--dangerously-bypass-approvals-and-sandbox"),
        (),
        {"OPENAI_API_KEY": "sk-x"},
        "/v1/responses",
    ),
    (
        "opencode",
        NPM / "opencode",
        "opencode",
        ("run", "--model", "anthropic/claude-sonnet-4-5"),
        (),
        {"ANTHROPIC_API_KEY": "sk-ant-x", "OPENCODE_DISABLE_AUTOUPDATE": "1", "OPENCODE_DISABLE_MODELS_FETCH": "1"},
        "/v1/messages",
    ),
    (
        "opencode",
        NPM / "opencode",
        "opencode",
        ("run", "--model", "openai/gpt-5"),
        (),
        {"OPENAI_API_KEY": "sk-x", "OPENCODE_DISABLE_AUTOUPDATE": "1", "OPENCODE_DISABLE_MODELS_FETCH": "1"},
        "/v1/responses",
    ),
    (
        "qwen",
        NPM / "qwen",
        "qwen",
        ("--auth-type", "openai", "-y", "-p"),
        (),
        {"OPENAI_API_KEY": "sk-x", "OPENAI_MODEL": "mock-model"},
        "/v1/chat/completions",
    ),
    (
        "qwen",
        NPM / "qwen",
        "qwen",
        ("--auth-type", "anthropic", "-y", "-p"),
        (),
        {"ANTHROPIC_API_KEY": "sk-ant-x", "ANTHROPIC_MODEL": "claude-sonnet-4-5"},
        "/v1/messages",
    ),
    (
        "aider",
        AIDER,
        "",
        ("--model", "openai/mock-model", *AIDER_OPTIONS, "--message"),
        ("hello.txt",),
        {"OPENAI_API_KEY": "sk-x", **QUIET_AIDER},
        "/v1/chat/completions",
    ),
    (
        "aider",
        AIDER,
        "",
        ("--model", "anthropic/claude-sonnet-4-5", *AIDER_OPTIONS, "--message"),
        ("hello.txt",),
        {"ANTHROPIC_API_KEY": "sk-ant-x", **QUIET_AIDER},
        "/v1/messages",
    ),
]
PATIENCE_S = 90.0


@pytest.mark.agents
@pytest.mark.parametrize(
    ("agent", "place", "program", "before", "after", "env", "endpoint"),
    [pytest.param(*row, id=f"{row[0]} {row[-1]}") for row in RUNS],
)
def test_a_connected_agent_calls_the_gateway(run, home, agent, place, program, before, after, env, endpoint):
    executable = place / "node_modules" / ".bin" / program if program else place
    assert executable.exists(), "install the agents with `python tests/agents/install.py`"
    project = home / "project"
    project.mkdir()
    everything = {"PATH": os.environ["PATH"], "HOME": str(home), "TERM": "dumb", **env}
    subprocess.run(["git", "init", "-q", "."], cwd=project, env=everything, check=True)
    with ScriptedUpstream(agents_job) as gateway:
        assert run("connect", agent, "--url", gateway.url).exit_code == 0
        prompt = f"Create the file {project}/hello.txt containing: hello"
        subprocess.run(
            [executable, *before, prompt, *after],
            cwd=project,
            env=everything,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=PATIENCE_S,
            check=False,
        )
        assert endpoint in {request.path for request in gateway.requests}
