"""`lanewise doctor`: each finding with the command that mends it, and nothing that costs money."""

import datetime as dt
import email.utils
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest


class _Handler(BaseHTTPRequestHandler):
    def do_HEAD(self):
        self.server.seen.append(("HEAD", self.path, dict(self.headers)))
        self.send_response_only(404)
        self.send_header("date", self.server.date)
        self.end_headers()

    def do_GET(self):
        self.send_response_only(200)
        self.end_headers()
        self.wfile.write(self.server.hello)

    def log_message(self, *_):
        pass


@pytest.fixture
def provider():
    """A server that answers HEAD with 404, as providers do at their base URL."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _Handler) as server:
        server.seen, server.hello = [], b"<html>"
        server.date = email.utils.format_datetime(dt.datetime.now(dt.UTC), usegmt=True)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def diagnose(run, home, monkeypatch, provider):
    """Run doctor under a config with one provider; findings by name."""
    monkeypatch.setenv("PATH", str(home / "bin"))
    monkeypatch.setenv("SOME_KEY", "secret")

    def command(*, port=1, provider_port=None, key="SOME_KEY"):
        at = provider_port or provider.server_port
        (home / "lanewise.toml").write_text(
            f'[server]\nport = {port}\ndata = "data"\n[providers.p]\nbase_url = "http://127.0.0.1:{at}"\n'
            f'dialects = ["chat"]\napi_key_env = "{key}"\n'
        )
        result = run("doctor", "--json")
        found = json.loads(result.stdout)
        assert result.exit_code == (0 if found["ok"] else 1)
        assert all(check["run"] for check in found["checks"] if check["state"] == "failed")
        return {check["name"]: (check["state"], check["what"], check["run"]) for check in found["checks"]}

    return command


def test_all_is_well_with_a_provider_that_answers_and_a_free_port(diagnose, provider):
    found = diagnose()
    assert {name: row[0] for name, row in found.items()} == {
        "config": "ok",
        "data folder": "ok",
        "ledger": "ok",
        "prices": found["prices"][0],
        "gateway": "note",
        "provider p": "ok",
        "clock": "ok",
    }
    assert found["gateway"][2] == "lanewise serve"


def test_a_provider_is_asked_for_a_head_only_and_without_a_credential(diagnose, provider):
    diagnose()
    assert [(method, path) for method, path, _ in provider.seen] == [("HEAD", "/")]
    assert "secret" not in str(provider.seen)


def test_nothing_is_made_on_disk(diagnose, home):
    diagnose()
    assert sorted(path.name for path in home.iterdir()) == ["lanewise.toml"]


@pytest.mark.parametrize(
    ("changes", "name", "mended_by"),
    [
        ({"key": "ABSENT_KEY"}, "provider p", "export ABSENT_KEY=..."),
        ({"provider_port": 1}, "provider p", "curl -I http://127.0.0.1:1"),
    ],
)
def test_a_provider_without_key_or_answer_fails_with_what_to_run(diagnose, changes, name, mended_by):
    assert diagnose(**changes)[name][::2] == ("failed", mended_by)


def test_a_port_that_something_else_holds_fails_and_a_gateway_is_recognised(diagnose, provider):
    assert diagnose(port=provider.server_port)["gateway"][0] == "failed"
    provider.hello = b'{"service": "lanewise", "version": "9.9"}'
    state, what, _ = diagnose(port=provider.server_port)["gateway"]
    assert (state, "9.9" in what) == ("ok", True)


def test_a_clock_that_differs_from_the_providers_fails(diagnose, provider):
    provider.date = email.utils.format_datetime(dt.datetime.now(dt.UTC) - dt.timedelta(hours=2), usegmt=True)
    assert diagnose()["clock"][::2] == ("failed", "timedatectl status")


def test_a_damaged_ledger_fails_and_is_left_alone(diagnose, home):
    (home / "data").mkdir()
    (home / "data" / "ledger.db").write_bytes(b"not a database" * 100)
    assert diagnose()["ledger"][0] == "failed"
    assert (home / "data" / "ledger.db").read_bytes() == b"not a database" * 100


def test_agents_are_found_and_their_settings_compared_with_the_gateway(diagnose, home, run):
    assert "agent claude" not in diagnose()
    (home / "bin").mkdir()
    program = home / "bin" / "claude"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    assert diagnose()["agent claude"][::2] == ("note", "lanewise connect claude")
    run("connect", "claude")
    assert diagnose()["agent claude"][0] == "ok"
    assert diagnose(port=2)["agent claude"][::2] == ("failed", "lanewise connect claude")
    (home / ".claude" / "settings.json").write_text("{")
    assert diagnose()["agent claude"][0] == "failed"


def test_an_agent_that_holds_our_rows_and_uses_another_provider_is_not_connected(diagnose, home, run):
    run("connect", "codex", "--url", "http://127.0.0.1:1")
    assert diagnose()["agent codex"][0] == "ok"
    path = home / ".codex" / "config.toml"
    path.write_text(path.read_text().replace('model_provider = "lanewise"', 'model_provider = "openai"'))
    assert "agent codex" not in diagnose()


def test_a_mistake_in_the_config_is_told_by_line(run, home):
    (home / "lanewise.toml").write_text("[server]\nprot = 1\n")
    result = run("doctor")
    assert result.exit_code == 1
    assert "lanewise.toml:2" in result.stdout
    assert "run: lanewise config check" in result.stdout
