"""Checked answers over real sockets: what a client never sees, what it gets all the same, and who is hung up on."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest
from gateway_kit import RunningGateway, ask, head_of, provider, raw, settings_for

from doubles import Fault, Reply, ScriptedUpstream, error_reply, faulty, json_reply, replies, says
from lanewise.config import FixedPrice, ModelSettings
from lanewise.demo.answers import Answer, whole
from lanewise.journey import Dialect, Usage
from lanewise.ledger import call as call_of
from lanewise.router import Experience
from lanewise.select import Priors
from lanewise.store import open_database

USAGE = Usage(input_tokens=100, output_tokens=10)
GOOD = Answer(model="big", text="It adds two numbers.", usage=USAGE)
CUT = Answer(model="small", text="It ad", usage=USAGE)
PUSD = 1_000_000
CHEAP_PUSD = (100 * 1 + 10 * 5) * PUSD
FRONTIER_PUSD = (100 * 10 + 10 * 50) * PUSD
ROUTED = {"mode": "active", "explore": 0.0, "max_slowdown": 1e9}  # how fast a loopback was by chance decides nothing
STOPS: dict[Dialect, tuple[bytes, bytes]] = {
    "messages": (b'"end_turn"', b'"max_tokens"'),
    "chat": (b'"finish_reason":"stop"', b'"finish_reason":"length"'),
    "responses": (b'"status":"completed"', b'"status":"incomplete"'),
}


def cut(dialect: Dialect) -> bytes:
    """A whole answer that its model's limit cut off."""
    body = whole(dialect, CUT)
    compact = msgspec.json.encode(json.loads(body))
    before, after = STOPS[dialect]
    assert before in compact
    return compact.replace(before, after, 1)


def sent(dialect: Dialect, **more: Any) -> bytes:
    turn = {"role": "user", "content": "Write the documentation of this function."}
    fields: dict[str, Any] = {"model": "big", **more}
    if dialect == "responses":
        return json.dumps({**fields, "input": [turn]}).encode()
    return json.dumps({**fields, "max_tokens": 500, "messages": [turn]}).encode()


@pytest.fixture
def frontier() -> Iterator[ScriptedUpstream]:
    with ScriptedUpstream(says(GOOD)) as server:
        yield server


@pytest.fixture
def checking(gateway: RunningGateway, upstream: ScriptedUpstream, frontier: ScriptedUpstream) -> RunningGateway:
    """A cheap model at the first upstream, the one that callers name at the second."""
    rows = {
        "cheap": provider(upstream.url, api_key_env="K"),
        "frontier": provider(frontier.url, api_key_env="K"),
    }
    models = {
        "big": ModelSettings(provider="frontier", price=dollars(10, 50)),
        "small": ModelSettings(provider="cheap", tier="cheap", price=dollars(1, 5)),
    }
    data = Path(gateway._settings.server.data)
    gateway.use(settings_for(data, rows, models=models, routing=ROUTED), {"K": "key"})
    gateway.app.router._experience = Experience(Priors.none())  # what other tests had refused bars no cheap model here
    return gateway


def without_frontier(gateway: RunningGateway) -> None:
    """Nobody listens where the frontier's model is configured."""
    settings = gateway.app.router.world.settings
    nowhere = {**settings.providers, "frontier": provider("http://127.0.0.1:9", api_key_env="K")}
    gateway.use(msgspec.structs.replace(settings, providers=nowhere), {"K": "key"})


def dollars(input_usd: int, output_usd: int) -> FixedPrice:
    return FixedPrice(input_usd_per_mtok=Decimal(input_usd), output_usd_per_mtok=Decimal(output_usd))


@pytest.mark.parametrize("dialect", ["messages", "chat", "responses"])
def test_a_cut_answer_is_not_seen_and_the_frontiers_is_with_both_in_the_bill(
    checking: RunningGateway, upstream: ScriptedUpstream, frontier: ScriptedUpstream, dialect: Dialect
):
    upstream.script = replies(json_reply(cut(dialect)))
    got = ask(checking.port, dialect, sent(dialect))
    assert (got.status, got.body) == (200, whole(dialect, GOOD))
    assert (got.headers["x-lanewise-model"], got.headers["x-lanewise-attempts"]) == ("big", "2")
    assert (got.headers["x-lanewise-cost-usd"], got.headers["x-lanewise-saved-usd"]) == ("0.00165", "-0.00015")
    assert frontier.requests[0].json["model"] == "big"
    call = checking.record()
    assert [(a.candidate.model, a.refused_by, a.cost_pusd) for a in call.attempts] == [
        ("small", "not_truncated", CHEAP_PUSD),
        ("big", "", None),
    ]
    assert call.outcome.cost is not None
    assert (call.outcome.cost.total_pusd, call.outcome.cost.discarded_pusd) == (CHEAP_PUSD + FRONTIER_PUSD, CHEAP_PUSD)


@pytest.mark.parametrize("how", ["refuses connections", "500", "reset in its body", "cut in its body"])
def test_where_the_frontier_fails_the_client_gets_the_answer_that_was_held(
    checking: RunningGateway, upstream: ScriptedUpstream, frontier: ScriptedUpstream, how: str
):
    upstream.script = replies(json_reply(cut("messages")))
    if how == "refuses connections":
        without_frontier(checking)
    elif how == "500":
        frontier.script = lambda request: error_reply(request, 500)
    else:
        what = "reset" if how.startswith("reset") else "close"
        frontier.script = faulty(says(GOOD), Fault(what=what, after="bytes", count=20))  # type: ignore[arg-type]
    got = ask(checking.port, "messages", sent("messages"))
    assert (got.status, got.body) == (200, cut("messages"))
    assert (got.headers["x-lanewise-model"], got.headers["content-length"]) == ("small", str(len(got.body)))
    call = checking.record()
    assert call.outcome.cost is not None
    assert (call.outcome.cost.total_pusd, call.outcome.error) == (CHEAP_PUSD, "")
    assert [(a.refused_by, a.cost_pusd) for a in call.attempts] == [("not_truncated", None), ("", None)]


def test_a_client_that_leaves_while_the_frontier_is_asked_hangs_up_on_it_and_stands_in_the_ledger(
    checking: RunningGateway, upstream: ScriptedUpstream, frontier: ScriptedUpstream
):
    upstream.script = replies(json_reply(cut("messages")))
    frontier.script = faulty(says(GOOD), Fault(what="stall", after="nothing"))
    with raw(checking.port) as peer:
        peer.sendall(head_of("messages", sent("messages")))
        frontier.wait_for_request()
    frontier.wait_for_disconnect()
    call = checking.record()
    assert (call.outcome.status, call.outcome.served) == (499, None)
    assert [(a.refused_by, a.error) for a in call.attempts] == [("not_truncated", ""), ("", "client_left")]
    assert call.outcome.cost is not None
    assert call.outcome.cost.total_pusd == CHEAP_PUSD
    assert not any(checking.app.health.in_flight().values())


@pytest.mark.parametrize("gzip", [False, True])
def test_an_answer_that_passes_the_checks_arrives_byte_for_byte(
    checking: RunningGateway, upstream: ScriptedUpstream, frontier: ScriptedUpstream, gzip: bool
):
    answer = whole("messages", GOOD)
    upstream.script = replies(msgspec.structs.replace(json_reply(answer), gzip=gzip, framing="chunked"))
    got = ask(checking.port, "messages", sent("messages"))
    assert got.status == 200
    assert (zlib.decompress(got.body, wbits=31) if gzip else got.body) == answer
    assert frontier.requests == []


def test_a_compressed_answer_is_checked_too(
    checking: RunningGateway, upstream: ScriptedUpstream, frontier: ScriptedUpstream
):
    reply = Reply(headers=((b"content-type", b"application/json"),), pieces=(cut("messages"),), gzip=True)
    upstream.script = replies(msgspec.structs.replace(reply, framing="chunked"))
    got = ask(checking.port, "messages", sent("messages"))
    assert got.body == whole("messages", GOOD)
    assert "content-encoding" not in got.headers


def test_a_giant_answer_is_passed_on_though_it_is_cut(
    checking: RunningGateway, upstream: ScriptedUpstream, frontier: ScriptedUpstream
):
    giant = cut("messages").replace(b"It ad", b"x" * (5 << 20))
    upstream.script = replies(json_reply(giant))
    got = ask(checking.port, "messages", sent("messages"))
    assert got.body == giant
    assert frontier.requests == []


def test_a_stream_is_passed_on_whatever_its_end_is(
    checking: RunningGateway, upstream: ScriptedUpstream, frontier: ScriptedUpstream
):
    upstream.script = says(CUT)
    got = ask(checking.port, "messages", sent("messages", stream=True))
    assert got.body.endswith(b'data: {"type":"message_stop"}\n\n')
    assert (got.headers["x-lanewise-model"], frontier.requests) == ("small", [])


def test_the_ledger_keeps_what_was_refused(tmp_path: Path, upstream: ScriptedUpstream, frontier: ScriptedUpstream):
    rows = {"cheap": provider(upstream.url, api_key_env="K"), "frontier": provider(frontier.url, api_key_env="K")}
    models = {
        "big": ModelSettings(provider="frontier", price=dollars(10, 50)),
        "small": ModelSettings(provider="cheap", tier="cheap", price=dollars(1, 5)),
    }
    upstream.script = replies(json_reply(cut("messages")))
    settings = settings_for(tmp_path, rows, models=models, routing=ROUTED)
    with RunningGateway(settings, {"K": "key"}) as running:
        ask(running.port, "messages", sent("messages"))
        call = running.record()
    database = open_database(tmp_path / "ledger.db")
    kept = call_of(database, call.call_id)
    database.close()
    assert kept == call
