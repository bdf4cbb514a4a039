"""Real agents do a small job through a real gateway, and the provider gets what the agents sent, byte for byte.

agent -> tee (keeps what the agent sent) -> `lanewise serve` -> scripted upstream (keeps what arrived). Run with
``pytest -m agents``; `install.py` brings the agents. LANEWISE_AGENTS_DIRECT=1 leaves the gateway out, which tells a
broken recipe from a broken gateway.
"""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

import pytest

from agents.passing import assert_untouched, calls
from agents.recipes import RECIPES, Recipe, Run, Site
from doubles import GREETING, ScriptedUpstream, Tee, dialect_of

pytestmark = pytest.mark.agents

AGENT_S = 90.0


@pytest.fixture
def site(tee: Tee, tmp_path: Path) -> Site:
    home, project = tmp_path / "home", tmp_path / "project"
    home.mkdir()
    project.mkdir()
    identity = ["-c", "user.name=dev", "-c", "user.email=dev@example.invalid"]
    subprocess.run(["git", "init", "--quiet", str(project)], check=True)
    subprocess.run(["git", *identity, "commit", "--quiet", "--allow-empty", "-m", "start"], cwd=project, check=True)
    return Site(url=tee.url, home=home, project=project)


def finished(run: Run, site: Site) -> str:
    """The agent's output once it has ended well; the output is in the failure where it has not."""
    for path, content in run.files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")
    env = {
        "PATH": os.environ["PATH"],
        "HOME": str(site.home),
        "LANG": "C.UTF-8",
        "TERM": "dumb",
        "NO_COLOR": "1",
        "CI": "1",
        "TMPDIR": str(site.home),
        **run.env,
    }
    started = time.monotonic()
    try:
        done = subprocess.run(
            run.argv,
            cwd=site.project,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=AGENT_S,
            check=False,
        )
    except subprocess.TimeoutExpired as late:
        pytest.fail(f"not done after {AGENT_S} s; it said: {(late.stdout or b'').decode(errors='replace')}")
    print(f"{Path(run.argv[0]).name}: {time.monotonic() - started:.1f} s")
    output = done.stdout.decode(errors="replace")
    assert done.returncode == 0, f"exit {done.returncode}; it said: {output}"
    return output


@pytest.mark.parametrize("recipe", RECIPES, ids=[recipe.name for recipe in RECIPES])
def test_the_agent_does_its_job_and_nothing_it_sends_is_changed(
    recipe: Recipe, site: Site, tee: Tee, upstream: ScriptedUpstream
) -> None:
    if not recipe.program.exists():
        pytest.skip(f"{recipe.program.name} is not installed; `python tests/agents/install.py` brings it")
    output = finished(recipe.run(site), site)
    greeting = site.project / "hello.txt"
    assert greeting.is_file(), f"no hello.txt; the agent said: {output}"
    assert greeting.read_text(encoding="utf-8") == GREETING
    arrived = assert_untouched(tee, upstream)
    assert len(arrived) == recipe.posts, [f"{r.method} {r.target}" for r in upstream.requests]
    assert {dialect_of(r) for r in arrived} == {recipe.dialect}
    assert {r.header("content-encoding") != "" for r in calls(tee.requests)} == {recipe.compressed}
    assert len([r for r in tee.requests if r.header("upgrade") == "websocket"]) == recipe.websockets
    for name in recipe.carries:
        assert any(r.header(name) for r in arrived), f"no call carried {name}"
