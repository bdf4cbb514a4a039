"""`lanewise explain`: calls of the ledger by id, requests by what would be decided now."""

import hashlib
import json
import sys
from pathlib import Path

import msgspec
import pytest

from lanewise.cli import reasons
from lanewise.ledger.save import save
from lanewise.store import open_database

sys.path.insert(0, str(Path(__file__).parents[1] / "ledger"))
from made_calls import made_call

CONFIG = """
[server]
data = "data"
[routing]
mode = "active"
[providers.cloud]
base_url = "https://api.anthropic.com"
dialects = ["messages"]
api_key_env = "CLOUD_KEY"
[providers.gpu]
base_url = "http://127.0.0.1:9"
dialects = ["messages"]
lane = "local"
[models."claude-opus-5-5"]
provider = "cloud"
[models."claude-haiku-5-5"]
provider = "cloud"
tier = "cheap"
[models.qwen]
provider = "gpu"
tier = "cheap"
context_tokens = 100000
[models.tiny]
provider = "gpu"
tier = "cheap"
context_tokens = 10
"""
BODY = {
    "model": "claude-opus-5-5",
    "max_tokens": 100,
    "messages": [{"role": "user", "content": "Summarize this text for the changelog"}],
}


@pytest.fixture
def configured(home, monkeypatch):
    (home / "lanewise.toml").write_text(CONFIG)
    (home / "request.json").write_text(json.dumps(BODY))
    monkeypatch.setenv("CLOUD_KEY", "secret-value")
    return home


def test_a_request_is_decided_under_the_current_configuration(run, configured):
    found = json.loads(run("explain", "request.json", "--json").stdout)
    decision = found["decision"]
    assert found["call_id"] is None
    assert decision["baseline"]["model"] == "claude-opus-5-5"
    assert (decision["chosen"]["model"], decision["reason"]) == ("qwen", "cheapest_allowed")
    why = {row["candidate"]["model"]: row["reason"] for row in decision["rejected"]}
    assert why["tiny"] == "context_window"
    assert why.keys() == {"tiny", "claude-haiku-5-5", "claude-opus-5-5"}


def test_people_get_the_reasons_in_words(run, configured):
    shown = run("explain", "-", stdin=json.dumps(BODY)).stdout
    assert "not batch: nobody said that the answer can wait" in shown
    assert "tiny at gpu (local, cheap): prompt and largest answer together do not fit its context window" in shown
    assert "chosen      qwen at gpu (local, cheap)" in shown


def test_the_headers_of_a_recorded_request_count(run, configured):
    recorded = {"path": "/v1/messages", "headers": [["X-Lanewise-Pin", "claude-haiku-5-5"]], "body": BODY}
    found = json.loads(run("explain", "-", "--json", stdin=json.dumps(recorded)).stdout)
    assert (found["decision"]["reason"], found["decision"]["chosen"]["model"]) == ("caller_pin", "claude-haiku-5-5")
    assert found["reasons"]["caller_pin"] == reasons.DECISION["caller_pin"]


def test_what_was_paid_for_the_skill_is_told(run, configured):
    paid = made_call(9)
    cost = msgspec.structs.replace(paid.outcome.cost, classify_pusd=5_000_000_000)
    database = open_database(configured / "data" / "ledger.db")
    with database.write() as connection:
        save(connection, [msgspec.structs.replace(paid, outcome=msgspec.structs.replace(paid.outcome, cost=cost))])
    database.close()
    shown = run("explain", paid.call_id).stdout
    assert "cost        $0.0200 (prices test-2026-11-22)\n            of it for the skill $0.0050\n" in shown


@pytest.fixture
def kept(configured):
    database = open_database(configured / "data" / "ledger.db")
    calls = [made_call(1), made_call(2)]
    with database.write() as connection:
        save(connection, calls)
    database.close()
    return calls


def test_a_call_of_the_ledger_is_explained_by_its_id_or_the_start_of_it(run, kept):
    call = kept[0]
    found = json.loads(run("explain", call.call_id, "--json").stdout)
    assert found["call_id"] == call.call_id
    assert found["outcome"]["cost"]["total_pusd"] == call.outcome.cost.total_pusd
    shown = run("explain", call.call_id).stdout
    for word in ("attempt 1", "answered", "tokens", "cost", "at baseline"):
        assert f"\n{word}" in shown


def test_several_calls_none_and_no_ledger_are_told_apart(run, kept, configured):
    common = next(n for n in range(36, 0, -1) if kept[0].call_id[:n] == kept[1].call_id[:n])
    several = run("explain", kept[0].call_id[:common])
    none = run("explain", "ffff")
    assert (several.exit_code, none.exit_code) == (1, 1)
    assert "several calls begin with" in several.stderr
    assert "no call begins with 'ffff'" in none.stderr
    no_ledger = run("explain", "ffff", "--config", configured / "other.toml")
    assert no_ledger.exit_code == 1
    (configured / "other.toml").write_text('[server]\ndata = "elsewhere"\n')
    assert "no ledger yet" in run("explain", "ffff", "--config", configured / "other.toml").stderr
    assert not (configured / "elsewhere").exists()


@pytest.mark.parametrize(
    ("argument", "content", "told"),
    [
        ("nothing.json", None, "neither a file nor the id of a call"),
        ("bad.json", '{\n "model": }', "bad.json:2: not JSON"),
        ("list.json", "[]", "not a JSON object"),
        ("other.json", '{"foo": 1}', "no request body"),
        ("empty.json", "", "empty"),
    ],
)
def test_what_cannot_be_read_is_refused_with_what_to_do(run, configured, argument, content, told):
    if content is not None:
        (configured / argument).write_text(content)
    result = run("explain", argument)
    assert (result.exit_code, result.stdout) == (1, "")
    assert told in result.stderr
    assert "hint: " in result.stderr


def test_a_model_that_nobody_can_serve_is_an_error_with_a_hint(run, configured):
    result = run("explain", "-", stdin=json.dumps({**BODY, "model": "auto"}))
    assert result.exit_code == 1
    assert "routing.baseline" in result.stderr


def test_the_key_of_a_recorded_request_brings_its_policy(run, configured):
    digest = hashlib.sha256(b"lw-team").hexdigest()
    with (configured / "lanewise.toml").open("a") as file:
        file.write(f'\n[keys.team]\nhash = "sha256:{digest}"\nlanes = ["realtime"]\n')
    headers = [["x-lanewise-key", "lw-team"]]
    recorded = {"path": "/v1/messages", "headers": headers, "body": BODY}
    found = json.loads(run("explain", "-", "--json", stdin=json.dumps(recorded)).stdout)
    assert found["caller"]["key_id"] == "team"
    assert ["local", "key_policy"] in found["decision"]["ruling"]["refused"]
    nobodys = json.loads(run("explain", "-", "--json", stdin=json.dumps(BODY)).stdout)
    assert nobodys["caller"]["key_id"] == ""
