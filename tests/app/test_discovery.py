"""Zero config: which providers there are when no file names one, in which order, and what is found on this machine."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator

import pytest

from doubles import Fault, Reply, ScriptedUpstream, json_reply
from lanewise.config import ModelSettings, ServerSettings, Settings
from lanewise.upstream import discovery
from lanewise.upstream.discovery import HOSTED, Local, found_providers, is_ourselves


def found(env: dict[str, str] | None = None, settings: Settings | None = None) -> Settings:
    return found_providers(settings or Settings(), env or {}, look=False)


@pytest.mark.parametrize(
    ("keys", "order"),
    [
        ([], ["anthropic", "openai", "gemini"]),
        (["OPENAI_API_KEY"], ["anthropic", "openai", "gemini"]),
        (["GEMINI_API_KEY"], ["anthropic", "gemini", "openai"]),
        (["OPENROUTER_API_KEY"], ["anthropic", "openrouter", "openai", "gemini"]),
        (["DEEPSEEK_API_KEY", "ANTHROPIC_API_KEY"], ["anthropic", "deepseek", "openai", "gemini"]),
        (
            ["DEEPSEEK_API_KEY", "OPENROUTER_API_KEY", "OPENAI_API_KEY"],
            ["anthropic", "openai", "openrouter", "deepseek", "gemini"],
        ),
    ],
)
def test_providers_with_a_key_come_first_but_none_before_anthropic(keys: list[str], order: list[str]):
    assert list(found(dict.fromkeys(keys, "secret")).providers) == order


def test_a_key_is_held_by_the_name_of_its_variable():
    rows = found({"OPENAI_API_KEY": "sk-proj-secret"}).providers
    assert (rows["openai"].api_key_env, rows["anthropic"].api_key_env) == ("OPENAI_API_KEY", "")
    assert "sk-proj-secret" not in repr(rows)


def test_an_empty_key_is_no_key():
    assert "openrouter" not in found({"OPENROUTER_API_KEY": ""}).providers


@pytest.mark.parametrize("name", HOSTED)
def test_a_vendors_own_address_is_the_default_and_the_environment_may_move_it(name: str):
    row = HOSTED[name]
    key = {row.key_env: "k"}
    assert found(key).providers[name].base_url == row.base_url
    moved = found({**key, row.url_env: "http://proxy.example/x"}).providers[name]
    assert (moved.base_url, moved.dialects) == ("http://proxy.example/x", row.dialects)


@pytest.mark.parametrize(
    "address",
    ["http://127.0.0.1:4311", "http://localhost:4311/v1", "http://[::1]:4311", "nonsense", "unix:/run/x"],
)
def test_an_agents_own_setting_in_our_environment_does_not_make_us_call_ourselves(address: str):
    assert found({"ANTHROPIC_BASE_URL": address}).providers["anthropic"].base_url == "https://api.anthropic.com"


def test_another_port_of_this_machine_is_somebody_else():
    url = "http://127.0.0.1:4312"
    assert found({"ANTHROPIC_BASE_URL": url}).providers["anthropic"].base_url == url


@pytest.mark.parametrize(
    ("url", "host", "ours"),
    [
        ("http://127.0.0.1:4311", "127.0.0.1", True),
        ("http://localhost:4311/v1", "127.0.0.1", True),
        ("http://[::1]:4311", "127.0.0.1", True),
        ("http://10.0.0.7:4311", "10.0.0.7", True),
        ("http://10.0.0.8:4311", "10.0.0.7", False),
        ("http://127.0.0.1:4312", "127.0.0.1", False),
        ("https://api.anthropic.com", "127.0.0.1", False),
    ],
)
def test_an_address_is_ours_by_port_and_host(url: str, host: str, ours: bool):
    assert is_ourselves(url, host, 4311) is ours


# -- model servers on this machine ------------------------------------------------------------------------


def listing(*models: str) -> Reply:
    return json_reply(json.dumps({"object": "list", "data": [{"id": model} for model in models]}).encode())


@pytest.fixture
def engine() -> Iterator[ScriptedUpstream]:
    with ScriptedUpstream(lambda _: listing("qwen3-coder", "gpt-oss")) as server:
        yield server


@pytest.fixture
def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as unused:
        return int(unused.getsockname()[1])


@pytest.fixture
def places(engine: ScriptedUpstream, free_port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """One usual place where a server answers, one where nothing listens."""
    monkeypatch.setattr(
        discovery,
        "LOCAL",
        {
            "vllm": Local(port=engine.port, dialects=("chat", "messages"), metrics="vllm"),
            "ollama": Local(port=free_port, dialects=("chat",), metrics="ollama"),
        },
    )


@pytest.mark.usefixtures("places")
def test_a_server_on_loopback_becomes_a_local_provider_with_its_models(engine: ScriptedUpstream):
    settings = found_providers(Settings(), {}, look=True)
    assert list(settings.providers) == ["anthropic", "openai", "gemini", "vllm"]
    row = settings.providers["vllm"]
    assert (row.base_url, row.lane, row.dialects, row.metrics) == (engine.url, "local", ("chat", "messages"), "vllm")
    assert settings.models == {
        "qwen3-coder": ModelSettings(provider="vllm", tier="cheap"),
        "gpt-oss": ModelSettings(provider="vllm", tier="cheap"),
    }
    asked = engine.wait_for_request()
    assert (asked.method, asked.path, asked.header("authorization")) == ("GET", "/v1/models", "")


@pytest.mark.usefixtures("places")
def test_a_model_that_the_user_configured_keeps_their_row():
    mine = ModelSettings(provider="elsewhere")
    settings = found_providers(Settings(models={"qwen3-coder": mine}), {}, look=True)
    assert settings.models["qwen3-coder"] == mine


@pytest.mark.usefixtures("places")
def test_nothing_is_asked_where_nobody_looks(engine: ScriptedUpstream):
    assert "vllm" not in found_providers(Settings(), {}, look=False).providers
    assert engine.requests == []


@pytest.mark.usefixtures("places")
def test_our_own_port_is_not_taken_for_a_model_server(engine: ScriptedUpstream):
    own = Settings(server=ServerSettings(port=engine.port))
    assert "vllm" not in found_providers(own, {}, look=True).providers
    assert engine.requests == []


@pytest.mark.usefixtures("places")
@pytest.mark.parametrize(
    "reply",
    [
        Reply(status=404, pieces=(b"no",)),
        json_reply(b'{"models": []}'),
        json_reply(b'{"data": [{"name": "x"}]}'),
        json_reply(b'{"data": 3}'),
        json_reply(b"[1]"),
        json_reply(b"\xff\xfe"),
        Reply(pieces=(b"<html>",)),
        Reply(fault=Fault(what="reset", after="nothing")),
        Reply(pieces=(b"{",), announced_bytes=99, fault=Fault(what="close", after="pieces", count=1)),
    ],
    ids=["404", "other shape", "no id", "no list", "no object", "no text", "no JSON", "reset", "torn"],
)
def test_whatever_else_answers_there_is_left_alone(reply: Reply, engine: ScriptedUpstream):
    engine.script = lambda _: reply
    assert "vllm" not in found_providers(Settings(), {}, look=True).providers


@pytest.mark.usefixtures("places")
def test_a_server_that_is_silent_is_not_waited_for(engine: ScriptedUpstream, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(discovery, "PROBE_TIMEOUT_S", 0.05)
    engine.script = lambda _: Reply(fault=Fault(what="stall", after="nothing"))
    assert "vllm" not in found_providers(Settings(), {}, look=True).providers
    engine.wait_for_disconnect()


@pytest.mark.usefixtures("places")
def test_a_server_without_models_is_a_provider_all_the_same(engine: ScriptedUpstream):
    engine.script = lambda _: listing()
    settings = found_providers(Settings(), {}, look=True)
    assert "vllm" in settings.providers
    assert settings.models == {}
