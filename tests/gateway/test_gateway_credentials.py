"""Whose secret goes where: to the provider that the client addressed, to its own vendor, to nobody else."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest
from gateway_kit import ANSWER, PATHS, RunningGateway, ask, body_of, provider, request, settings_for, stream_reply

from doubles import Recorded, ScriptedUpstream, failing, says
from lanewise.config import KeySettings, ModelSettings
from lanewise.journey import Dialect

SECRET = "sk-ant-client-secret"
OWN = "own-provider-key"
LANEWISE = "lw-team-key"


def configured(
    gateway: RunningGateway, providers: dict[str, Any], env: dict[str, str] | None = None, **more: Any
) -> None:
    gateway.use(settings_for(Path(gateway._settings.server.data), providers, **more), env)


def secrets_in(arrived: Recorded, *secrets: str) -> list[str]:
    """Those of `secrets` that stand anywhere in a request."""
    text = arrived.target + str(arrived.headers) + arrived.body.decode()
    return [secret for secret in secrets if secret in text]


def test_the_clients_own_key_reaches_the_provider_it_addressed(
    gateway: RunningGateway, upstream: ScriptedUpstream
) -> None:
    ask(gateway.port, "messages", headers=[("x-api-key", SECRET), ("authorization", "Bearer other")])
    arrived = upstream.wait_for_request()
    assert arrived.header("x-api-key") == SECRET
    assert arrived.header("authorization") == "Bearer other"
    assert arrived.header("anthropic-version") == "2023-06-01"


def test_the_clients_key_and_account_stay_behind_where_a_key_of_ours_goes(
    gateway: RunningGateway, upstream: ScriptedUpstream
) -> None:
    configured(gateway, {"a": provider(upstream.url, api_key_env="A")}, {"A": OWN})
    account = [
        ("cookie", "s=1"),
        ("openai-organization", "org-7"),
        ("openai-project", "p"),
        ("chatgpt-account-id", "acc-7"),
    ]
    for number, dialect in enumerate(("messages", "chat", "responses", "gemini"), start=1):
        ask(gateway.port, dialect, headers=[("x-api-key", SECRET), ("authorization", f"Bearer {SECRET}"), *account])
        arrived = upstream.wait_for_request(number)
        assert secrets_in(arrived, SECRET, "org-7", "acc-7", "s=1") == []
        sent = arrived.header("x-goog-api-key") if dialect == "gemini" else arrived.header("authorization")
        assert sent == (OWN if dialect == "gemini" else f"Bearer {OWN}")


def test_a_failover_provider_never_sees_the_clients_key(gateway: RunningGateway) -> None:
    down = failing("503:9", says(ANSWER), retry_after="")
    with ScriptedUpstream(down) as named, ScriptedUpstream(down) as keyless, ScriptedUpstream(says(ANSWER)) as keyed:
        rows = {
            "named": provider(named.url),
            "keyless": provider(keyless.url),
            "keyed": provider(keyed.url, api_key_env="K"),
        }
        models = {"m": ModelSettings(provider=("named", "keyless", "keyed"))}
        configured(gateway, rows, {"K": OWN}, models=models)
        assert ask(gateway.port, "chat", headers=[("authorization", f"Bearer {SECRET}")]).status == 200
        assert secrets_in(named.requests[0], SECRET) == [SECRET]
        assert keyless.requests == []
        assert secrets_in(keyed.requests[0], SECRET, OWN) == [OWN]


def test_a_local_engine_gets_no_credential_at_all(gateway: RunningGateway, upstream: ScriptedUpstream) -> None:
    configured(gateway, {"gpu": provider(upstream.url, lane="local")})
    for number, dialect in enumerate(("messages", "chat", "gemini"), start=1):
        headers = [("x-api-key", SECRET), ("authorization", SECRET), ("x-goog-api-key", SECRET), ("api-key", SECRET)]
        assert ask(gateway.port, dialect, headers=headers).status == 200
        assert secrets_in(upstream.wait_for_request(number), SECRET) == []


@pytest.mark.parametrize(
    ("key", "name"),
    [
        (SECRET, "openai"),
        (SECRET, "openrouter"),
        ("sk-or-x", "anthropic"),
        ("sk-proj-x", "anthropic"),
        ("AIzaX", "openai"),
    ],
)
def test_a_key_whose_prefix_names_one_vendor_is_never_sent_to_another(
    key: str, name: str, gateway: RunningGateway, upstream: ScriptedUpstream
) -> None:
    configured(gateway, {name: provider(upstream.url)})
    got = ask(gateway.port, "chat", headers=[("authorization", f"Bearer {key}")])
    assert (got.status, upstream.requests) == (401, [])
    assert f"no credential for provider '{name}'" in got.json["error"]["message"]


def test_a_missing_key_names_the_variable_to_set(gateway: RunningGateway, upstream: ScriptedUpstream) -> None:
    configured(gateway, {"anthropic": provider(upstream.url, api_key_env="ANTHROPIC_API_KEY")})
    got = request(gateway.port, "POST", "/v1/messages", body_of("messages"))
    assert (got.status, got.json["error"]["type"]) == (401, "authentication_error")
    assert "set ANTHROPIC_API_KEY" in got.json["error"]["message"]


@pytest.mark.parametrize("dialect", ["messages", "chat", "responses", "gemini"])
def test_our_own_headers_and_hop_by_hop_ones_stay_here(
    dialect: Dialect, gateway: RunningGateway, upstream: ScriptedUpstream
) -> None:
    ours = [
        ("x-lanewise-session", "s"),
        ("x-lanewise-tags", "a,b"),
        ("x-lanewise-key", "k"),
        ("X-Lanewise-Anything", "x"),
    ]
    hops = [("te", "trailers"), ("keep-alive", "9"), ("proxy-authorization", "Basic x"), ("expect", "100-continue")]
    assert ask(gateway.port, dialect, headers=[*ours, *hops, ("x-kept", "1")]).status == 200
    names = [name.lower() for name, _ in upstream.wait_for_request().headers]
    assert [name for name in names if name.startswith("x-lanewise")] == []
    assert {"te", "keep-alive", "proxy-authorization", "expect", "connection"} & set(names) == set()
    assert "x-kept" in names


KEYS = {"team": KeySettings(hash="sha256:" + hashlib.sha256(LANEWISE.encode()).hexdigest())}


@pytest.mark.parametrize(
    "header", [("authorization", f"Bearer {LANEWISE}"), ("x-api-key", LANEWISE), ("x-goog-api-key", LANEWISE)]
)
def test_a_lanewise_key_opens_the_gateway_and_never_goes_upstream(
    header: tuple[str, str], gateway: RunningGateway, upstream: ScriptedUpstream
) -> None:
    configured(gateway, {"a": provider(upstream.url, api_key_env="A")}, {"A": OWN}, keys=KEYS)
    body, kind = body_of("chat"), ("content-type", "application/json")
    assert request(gateway.port, "POST", PATHS["chat"], body, [kind, header]).status == 200
    assert secrets_in(upstream.wait_for_request(), LANEWISE, OWN) == [OWN]
    assert gateway.record().caller.key_id == "team"


def test_a_lanewise_key_in_its_own_header_lets_the_clients_key_through(
    gateway: RunningGateway, upstream: ScriptedUpstream
) -> None:
    configured(gateway, {"a": provider(upstream.url)}, keys=KEYS)
    got = ask(gateway.port, "chat", headers=[("x-lanewise-key", LANEWISE), ("authorization", "Bearer theirs")])
    assert got.status == 200
    arrived = upstream.wait_for_request()
    assert arrived.header("authorization") == "Bearer theirs"
    assert secrets_in(arrived, LANEWISE) == []


@pytest.mark.parametrize("headers", [[], [("authorization", "Bearer wrong")], [("x-lanewise-key", "wrong")]])
@pytest.mark.parametrize("target", ["/v1/chat/completions", "/v1/models"])
def test_without_a_known_key_nothing_is_served(
    headers: list[tuple[str, str]], target: str, gateway: RunningGateway, upstream: ScriptedUpstream
) -> None:
    configured(gateway, {"a": provider(upstream.url)}, keys=KEYS)
    post = target.endswith("completions")
    got = request(gateway.port, "POST" if post else "GET", target, body_of("chat") if post else None, headers)
    assert (got.status, got.json["error"]["code"], upstream.requests) == (401, "unauthorized", [])
    assert "wrong" not in got.body.decode()


def test_a_key_in_geminis_query_goes_where_its_header_would(gateway: RunningGateway) -> None:
    target = "/v1beta/models/m:streamGenerateContent?alt=sse&key=AIzaClient&x=%20"
    kind = [("content-type", "application/json")]
    reply = lambda _: stream_reply("gemini")  # noqa: E731
    with ScriptedUpstream(reply) as theirs, ScriptedUpstream(reply) as ours, ScriptedUpstream(reply) as local:
        configured(gateway, {"gemini": provider(theirs.url)})
        assert request(gateway.port, "POST", target, body_of("gemini"), kind).status == 200
        assert theirs.requests[0].target == target
        configured(gateway, {"gemini": provider(ours.url, api_key_env="A")}, {"A": OWN})
        assert request(gateway.port, "POST", target, body_of("gemini"), kind).status == 200
        assert ours.requests[0].target == "/v1beta/models/m:streamGenerateContent?alt=sse&x=%20"
        configured(gateway, {"gpu": provider(local.url, lane="local")})
        assert request(gateway.port, "POST", target, body_of("gemini"), kind).status == 200
        assert secrets_in(local.requests[0], "AIzaClient") == []


def test_a_header_value_passes_byte_by_byte_whatever_its_encoding(
    gateway: RunningGateway, upstream: ScriptedUpstream
) -> None:
    values = ["caf\xc3\xa9", "caf\xe9", "tab\tand  spaces"]
    ask(gateway.port, "chat", headers=[(f"x-title-{n}", value) for n, value in enumerate(values)])
    arrived = upstream.wait_for_request()
    assert [arrived.header(f"x-title-{n}") for n in range(3)] == values
