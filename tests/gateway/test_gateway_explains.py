"""`lanewise explain` decides any past call again, from the ledger alone: after restarts, under other configurations."""

from __future__ import annotations

import json
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from click.testing import CliRunner
from gateway_kit import CLIENT_KEY, RunningGateway, ask, provider, settings_for

from doubles import ScriptedUpstream, says
from lanewise.cli import lanewise
from lanewise.config import FixedPrice, ModelSettings, RuleSettings, Settings
from lanewise.demo.answers import Answer
from lanewise.journey import CallRecord, Usage
from lanewise.store import open_database

CANARY = "canary-of-the-user"
SECRET = "key-that-nobody-may-see"
ANSWER = Answer(model="m", text=f"Done, {CANARY}.", usage=Usage(input_tokens=2000, output_tokens=50))


@pytest.fixture
def upstream() -> Iterator[ScriptedUpstream]:
    with ScriptedUpstream(says(ANSWER)) as server:
        yield server


def settings_of(data: Path, url: str, **changes: Any) -> Settings:
    models = {
        "big": ModelSettings(provider="p", price=dollars(10, 50)),
        "small": ModelSettings(provider="p", tier="cheap", price=dollars(1, 5)),
    }
    routing = {"mode": "split", "split": 0.5, "explore": 0.5, "baseline": "big", "max_slowdown": 1e9}
    rows = {"p": provider(url, api_key_env="K")}
    return settings_for(data, rows, **{"models": models, "routing": routing, **changes})


def dollars(input_usd: int, output_usd: int) -> FixedPrice:
    return FixedPrice(input_usd_per_mtok=Decimal(input_usd), output_usd_per_mtok=Decimal(output_usd))


def loop(steps: int, *, model: str = "big") -> bytes:
    turns: list[dict[str, Any]] = [{"role": "user", "content": f"Write the documentation of {CANARY}."}]
    for number in range(steps):
        call = {"type": "tool_use", "id": f"t{number}", "name": "Edit", "input": {"path": "a.py", "n": number}}
        turns.append({"role": "assistant", "content": [call]})
        failed = "<tool_use_error>String to replace not found in file.</tool_use_error>"
        result = {"type": "tool_result", "tool_use_id": f"t{number}", "content": failed, "is_error": True}
        turns.append({"role": "user", "content": [result]})
    tools = [{"name": "Edit", "input_schema": {"type": "object"}}]
    return json.dumps({"model": model, "max_tokens": 100, "messages": turns, "tools": tools}).encode()


def serve(settings: Settings, sessions: range) -> list[CallRecord]:
    """A gateway from its start to its end, with a few failing loops in it."""
    with RunningGateway(settings, {"K": SECRET}) as gateway:
        for session in sessions:
            for steps in range(4):
                headers = [("x-lanewise-session", f"s{session}")]
                assert ask(gateway.port, "messages", loop(steps), headers=headers).status == 200
        ask(gateway.port, "messages", loop(0, model="auto"))
        ask(gateway.port, "messages", loop(0, model="new-model"))
        ask(gateway.port, "messages", loop(0), headers=[("x-lanewise-pin", "small")])
        return [gateway.record() for _ in range(4 * len(sessions) + 3)]


def explained(data: Path, call_id: str) -> Any:
    """What the command prints under a configuration that knows nothing but where the ledger is."""
    config = data / "elsewhere.toml"
    config.write_text(f"[server]\ndata = {json.dumps(str(data))}\n")
    result = CliRunner().invoke(lanewise, ["explain", call_id, "--json", "--config", str(config)])
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_every_call_is_decided_again_after_restarts_and_under_another_configuration(
    tmp_path: Path, upstream: ScriptedUpstream
):
    calls = serve(settings_of(tmp_path, upstream.url), range(4))
    ruled = settings_of(
        tmp_path,
        upstream.url,
        rules=(RuleSettings(when="session_depth == 0", model="small"),),
        models={
            "big": ModelSettings(provider="p", price=dollars(5, 5)),
            "small": ModelSettings(provider="p", tier="cheap", price=dollars(4, 5)),
            "third": ModelSettings(provider="p", tier="cheap", price=dollars(0, 0)),
        },
    )
    calls += serve(ruled, range(2, 6))
    assert len({call.policy_id for call in calls}) == 2
    assert {call.decision.reason for call in calls} >= {"task_pin", "caller_pin"}  # the rest is drawn
    again = {call.call_id: explained(tmp_path, call.call_id) for call in calls}
    assert {found["again"] for found in again.values()} == {"same"}
    for call in calls:
        assert again[call.call_id]["decision"]["reason"] == call.decision.reason


def test_a_call_of_before_situations_were_kept_says_so(tmp_path: Path, upstream: ScriptedUpstream):
    calls = serve(settings_of(tmp_path, upstream.url), range(1))
    database = open_database(tmp_path / "ledger.db")
    with database.write() as connection:
        connection.execute(sa.text("UPDATE calls SET situation = NULL WHERE call_id = :id"), {"id": calls[0].call_id})
        connection.execute(sa.text("UPDATE calls SET policy_id = NULL WHERE call_id = :id"), {"id": calls[1].call_id})
    database.close()
    assert [explained(tmp_path, call.call_id)["again"] for call in calls[:3]] == ["not_kept", "not_kept", "same"]


def test_a_decision_that_comes_out_differently_is_told(tmp_path: Path, upstream: ScriptedUpstream):
    calls = serve(settings_of(tmp_path, upstream.url), range(1))
    database = open_database(tmp_path / "ledger.db")
    with database.write() as connection:
        changed = """UPDATE calls SET decision = replace(decision, '"mode":"split"', '"mode":"active"')"""
        assert connection.execute(sa.text(changed)).rowcount == len(calls)
    database.close()
    assert explained(tmp_path, calls[0].call_id)["again"] == "different"


def test_the_ledgers_file_holds_no_word_of_a_prompt_an_answer_or_a_key(tmp_path: Path, upstream: ScriptedUpstream):
    serve(settings_of(tmp_path, upstream.url), range(2))
    for file in tmp_path.iterdir():
        content = file.read_bytes()
        for word in (CANARY, SECRET, CLIENT_KEY):
            assert word.encode() not in content, file.name
