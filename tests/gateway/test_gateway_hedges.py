"""A title that is slow to begin is asked for once more elsewhere: on real sockets, with both in the bill."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from gateway_kit import ANSWER, WAIT_S, RunningGateway, ask, head_of, provider, raw, settings_for

from doubles import Fault, ScriptedUpstream, answer_reply, error_reply, faulty, says
from lanewise.config import FixedPrice, ModelSettings
from lanewise.journey import CallRecord, Candidate
from lanewise.upstream.hedge import SEEN_LEAST

DOLLARS = FixedPrice(input_usd_per_mtok=Decimal(3), output_usd_per_mtok=Decimal(15))
NOTHING_YET = Fault(what="stall", after="nothing")
FIRST = Candidate(lane="realtime", tier="frontier", model="m", upstream_model="m", provider="scripted")


def title(*, stream: bool = False, tools: bool = False) -> bytes:
    """A call of a harness for a title."""
    system = {"role": "system", "content": "Generate a short title for this conversation."}
    body: dict[str, Any] = {"model": "m", "stream": stream, "messages": [system, {"role": "user", "content": "hello"}]}
    if tools:
        body["tools"] = [{"type": "function", "function": {"name": "Write", "parameters": {}}}]
    return json.dumps(body).encode()


@pytest.fixture
def spare() -> Iterator[ScriptedUpstream]:
    with ScriptedUpstream(says(ANSWER)) as server:
        yield server


@pytest.fixture
def hedging(gateway: RunningGateway, upstream: ScriptedUpstream, spare: ScriptedUpstream) -> RunningGateway:
    """Two endpoints of one model, the first of which has always begun within a millisecond."""
    use(gateway, upstream, spare)
    hedges = gateway.app.health.hedges
    hedges.__init__()  # type: ignore[misc]  # the file's gateway has hedged before
    for _ in range(SEEN_LEAST):
        hedges.began()
        for stream in (True, False):
            hedges.seen(FIRST, 0.001, stream=stream)
    return gateway


def use(gateway: RunningGateway, upstream: ScriptedUpstream, spare: ScriptedUpstream, *, on: bool = True) -> None:
    rows = {"scripted": provider(upstream.url, api_key_env="K"), "spare": provider(spare.url, api_key_env="K")}
    models = {"m": ModelSettings(provider=tuple(rows), price=DOLLARS)}
    data = Path(gateway._settings.server.data)
    settings = settings_for(data, rows, models=models, upstream={"hedge_housekeeping": on})
    gateway.use(settings, {"K": "key"})


def outcomes(call: CallRecord) -> list[tuple[str, bool, str, int | None]]:
    """(provider, hedge, error, status) of each attempt."""
    return [(a.candidate.provider, a.hedge, a.error, a.status) for a in call.attempts]


@pytest.mark.parametrize("stream", [False, True])
def test_a_slow_first_is_overtaken_its_socket_is_closed_and_both_are_paid_for(
    hedging: RunningGateway, upstream: ScriptedUpstream, spare: ScriptedUpstream, stream: bool
):
    upstream.script = faulty(says(ANSWER), NOTHING_YET)
    got = ask(hedging.port, "chat", title(stream=stream))
    assert (got.status, got.headers["x-lanewise-attempts"]) == (200, "2")
    upstream.wait_for_disconnect()
    assert [request.body for request in spare.requests] == [request.body for request in upstream.requests]
    call = hedging.record()
    assert outcomes(call) == [("scripted", False, "hedge_lost", None), ("spare", True, "", 200)]
    assert call.outcome.served is not None
    assert call.outcome.served.provider == "spare"
    lost, won = call.attempts
    assert lost.cost_pusd == call.reading.features.input_tokens * 3_000_000  # $3 per million tokens
    assert won.cost_pusd is None
    assert call.outcome.cost is not None
    answered_pusd = 30 * 3_000_000 + 19 * 15_000_000
    if not stream:  # a stream was not asked for its usage
        assert call.outcome.cost.total_pusd == answered_pusd + lost.cost_pusd
    assert call.outcome.cost.discarded_pusd == lost.cost_pusd
    assert hedging.app.health.in_flight() == {"scripted": 0, "spare": 0}


def test_a_first_that_begins_after_all_wins_and_the_second_is_closed(
    hedging: RunningGateway, upstream: ScriptedUpstream, spare: ScriptedUpstream
):
    upstream.script = faulty(says(ANSWER), NOTHING_YET)
    spare.script = faulty(says(ANSWER), NOTHING_YET)
    with raw(hedging.port) as peer:
        peer.sendall(head_of("chat", title()))
        spare.wait_for_request()
        upstream.release()
        assert peer.recv(12) == b"HTTP/1.1 200"
    spare.wait_for_disconnect()
    call = hedging.record()
    assert outcomes(call)[1] == ("spare", True, "hedge_lost", None)
    assert call.outcome.served == FIRST


def test_a_client_that_leaves_ends_both(hedging: RunningGateway, upstream: ScriptedUpstream, spare: ScriptedUpstream):
    upstream.script = faulty(says(ANSWER), NOTHING_YET)
    spare.script = faulty(says(ANSWER), NOTHING_YET)
    with raw(hedging.port) as peer:
        peer.sendall(head_of("chat", title()))
        spare.wait_for_request()
    upstream.wait_for_disconnect()
    spare.wait_for_disconnect()
    call = hedging.record()
    assert outcomes(call) == [("scripted", False, "client_left", None), ("spare", True, "client_left", None)]
    assert (call.outcome.status, call.outcome.served) == (499, None)
    assert hedging.app.health.in_flight() == {"scripted": 0, "spare": 0}


def test_a_second_that_is_refused_leaves_the_first_its_time(
    hedging: RunningGateway, upstream: ScriptedUpstream, spare: ScriptedUpstream
):
    upstream.script = faulty(says(ANSWER), NOTHING_YET)
    spare.script = lambda request: error_reply(request, 429)
    with raw(hedging.port) as peer:
        peer.sendall(head_of("chat", title()))
        ends_at = time.monotonic() + WAIT_S
        while "spare" not in hedging.app.health.refusing():
            assert time.monotonic() < ends_at
        upstream.release()
        assert peer.recv(12) == b"HTTP/1.1 200"
    call = hedging.record()
    assert outcomes(call) == [("scripted", False, "", 200), ("spare", True, "upstream_status", 429)]
    assert hedging.app.health.in_flight() == {"scripted": 0, "spare": 0}


def test_where_both_fail_the_plan_goes_on(hedging: RunningGateway, upstream: ScriptedUpstream, spare: ScriptedUpstream):
    upstream.script = faulty(says(ANSWER), NOTHING_YET)

    def refusing_once(request: Any) -> Any:
        if request.number > 1:
            return answer_reply(request, ANSWER)
        upstream.script = faulty(says(ANSWER), Fault(what="close", after="nothing"))
        for transport in list(upstream.transports):
            upstream.loop.call_soon_threadsafe(transport.abort)
        return error_reply(request, 503)

    spare.script = refusing_once
    assert ask(hedging.port, "chat", title()).status == 200
    call = hedging.record()
    assert outcomes(call) == [
        ("scripted", False, "connect_failed", None),
        ("spare", True, "upstream_status", 503),
        ("spare", False, "", 200),
    ]


def test_the_cap_holds_though_every_first_is_slow(
    hedging: RunningGateway, upstream: ScriptedUpstream, spare: ScriptedUpstream
):
    upstream.script = faulty(says(ANSWER), NOTHING_YET)
    ask(hedging.port, "chat", title())
    upstream.wait_for_disconnect()
    with raw(hedging.port) as peer:  # 22 calls of the kind now: a second hedge would be more than one in twenty
        peer.sendall(head_of("chat", title()))
        upstream.wait_for_request(2)
        upstream.release()
        assert peer.recv(12) == b"HTTP/1.1 200"
    assert [outcomes(hedging.record()) for _ in range(2)] == [
        [("scripted", False, "hedge_lost", None), ("spare", True, "", 200)],
        [("scripted", False, "", 200)],
    ]
    assert len(spare.requests) == 1


@pytest.mark.parametrize("why", ["off", "tools", "no housekeeping"])
def test_what_may_not_be_sent_twice_is_waited_for(
    hedging: RunningGateway, upstream: ScriptedUpstream, spare: ScriptedUpstream, why: str
):
    if why == "off":
        use(hedging, upstream, spare, on=False)
    upstream.script = faulty(says(ANSWER), NOTHING_YET)
    question = json.dumps(
        {"model": "m", "messages": [{"role": "user", "content": "Why does the login crash?"}]}
    ).encode()
    body = {"off": title(), "tools": title(tools=True), "no housekeeping": question}[why]
    with raw(hedging.port) as peer:
        peer.sendall(head_of("chat", body))
        upstream.wait_for_request()
        upstream.release()
        assert peer.recv(12) == b"HTTP/1.1 200"
    assert outcomes(hedging.record()) == [("scripted", False, "", 200)]
    assert spare.requests == []
    assert len(hedging.app.health.hedges._hedged) == SEEN_LEAST  # it is none of those that the cap counts


def test_what_was_overtaken_counts_as_slow_in_what_is_learnt(hedging: RunningGateway, upstream: ScriptedUpstream):
    upstream.script = faulty(says(ANSWER), NOTHING_YET)
    ask(hedging.port, "chat", title())
    hedging.record()
    assert len(hedging.app.health.hedges._hedged) == SEEN_LEAST + 1
    times = hedging.app.health.hedges._first_bytes_s["scripted", "m", False]
    assert len(times) == SEEN_LEAST + 1
    assert times[-1] >= 0.001
