"""The official SDKs, two majors of Anthropic's, understand what comes through the gateway and are passed on untouched."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from agents.install import agents_dir
from agents.passing import assert_untouched, calls
from doubles import GREETING, ScriptedUpstream, Tee

pytestmark = pytest.mark.agents

ARGUMENTS = {"file_path": "/home/dev/hello.txt", "content": GREETING}
LAST_WORDS = "Done: hello.txt holds the greeting."
SDK_S = 60.0


def understood(python: Path, script: str, url: str) -> Any:
    """What the SDK printed; its complaint is in the failure where it ended badly."""
    argv = [str(python), str(Path(__file__).parent / script), url]
    done = subprocess.run(
        argv, capture_output=True, text=True, timeout=SDK_S, env={"PATH": os.environ["PATH"]}, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize(
    ("python", "major", "api_version", "credential"),
    [
        (agents_dir() / "anthropic1" / "bin" / "python", 1, "2023-06-01", ("x-api-key", "sk-ant-dummy")),
        (Path(sys.executable), 2, "2026-10-21", ("authorization", "Bearer sk-ant-dummy")),
    ],
    ids=["anthropic 1", "anthropic 2"],
)
def test_the_anthropic_sdk_streams_waits_counts_and_lists(
    python: Path, major: int, api_version: str, credential: tuple[str, str], tee: Tee, upstream: ScriptedUpstream
) -> None:
    if not python.exists():
        pytest.skip("anthropic<2 is not installed; `python tests/agents/install.py` brings it")
    said = understood(python, "sdk_anthropic.py", tee.url)
    assert int(said["version"].split(".")[0]) == major
    assert said["streamed"] == {
        "blocks": ["thinking", "text", "tool_use"],
        "arguments": ARGUMENTS,
        "stop": "tool_use",
        "output_tokens": 30,
    }
    assert said["whole"] == {"text": LAST_WORDS, "stop": "end_turn"}
    assert "claude-opus-5-5" in said["models"]
    assert_untouched(tee, upstream)
    [counting] = [r for r in upstream.requests if r.path == "/v1/messages/count_tokens"]
    assert said["counted"] == len(counting.body) // 4
    for request in calls(upstream.requests):
        assert request.header("anthropic-version") == api_version
        assert request.header(credential[0]) == credential[1]


def test_the_openai_sdk_streams_waits_and_lists_in_both_dialects(tee: Tee, upstream: ScriptedUpstream) -> None:
    said = understood(Path(sys.executable), "sdk_openai.py", tee.url)
    common = {"arguments": ARGUMENTS, "output_tokens": 30, "text": LAST_WORDS}
    assert said["chat"] == {**common, "stop": "tool_calls"}
    assert said["responses"] == {**common, "stop": "completed"}
    assert "claude-opus-5-5" in said["models"]
    assert_untouched(tee, upstream)
