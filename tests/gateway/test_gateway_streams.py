"""Answers on their way: cut, silent, sliced or compressed, and what an upstream may say. Over real sockets."""

from __future__ import annotations

import gzip
import json
from typing import Any

import anthropic
import msgspec
import openai
import pytest
from gateway_kit import (
    ANSWER,
    CLIENT_KEY,
    PATHS,
    STREAMED,
    RunningGateway,
    ask,
    body_of,
    everything,
    head_of,
    raw,
    reconfigured,
    request,
    stream_reply,
    until,
)

from doubles import (
    Fault,
    Recorded,
    Reply,
    ScriptedUpstream,
    faulty,
    json_reply,
    replies,
    says,
)
from lanewise.demo.answers import whole
from lanewise.journey import Dialect
from lanewise.telemetry import Telemetry

EACH = pytest.mark.parametrize("dialect", STREAMED)


CUTS = {
    "reset": Fault(what="reset", after="pieces", count=3),
    "clean close": Fault(what="close", after="pieces", count=3),
    "reset within an event": Fault(what="reset", after="bytes", count=700),
    "close within an event": Fault(what="close", after="bytes", count=700),
    "reset after the head": Fault(what="reset", after="head"),
}


@EACH
@pytest.mark.parametrize("fault", CUTS.values(), ids=CUTS.keys())
@pytest.mark.parametrize("framing", ["chunked", "close"])
def test_a_cut_stream_ends_as_an_error_of_the_dialect_and_is_not_tried_again(
    dialect: Dialect, fault: Fault, framing: Any, gateway: RunningGateway, upstream: ScriptedUpstream
) -> None:
    upstream.script = lambda _: stream_reply(dialect, fault=fault, framing=framing)
    reconfigured(gateway, {"a": upstream.url, "b": upstream.url}, retries=3)
    got = ask(gateway.port, dialect)
    assert got.status == 200
    last = got.body.rstrip(b"\n").rpartition(b"\n\n")[2]
    data = json.loads(last.partition(b"data: ")[2])
    match dialect:
        case "messages":
            assert (data["type"], data["error"]["type"]) == ("error", "api_error")
            assert last.startswith(b"event: error\n")
        case "chat":
            assert data["error"]["code"] == "stream_cut"
        case "responses":
            assert (data["type"], data["response"]["status"]) == ("response.failed", "failed")
            assert last.startswith(b"event: response.failed\n")
    assert b"[DONE]" not in got.body
    assert b"message_stop" not in got.body
    sent = b"".join(stream_reply(dialect).pieces)
    assert sent.startswith(got.body[: -len(last) - 2])
    assert len(upstream.requests) == 1
    record = gateway.record()
    assert (record.outcome.status, record.outcome.error) == (200, "stream_cut")
    assert record.outcome.usage is None or record.outcome.usage.output_tokens < 19


@EACH
def test_an_upstream_that_falls_silent_in_its_stream_ends_as_an_error_of_the_dialect(
    dialect: Dialect, gateway: RunningGateway, upstream: ScriptedUpstream
) -> None:
    upstream.script = lambda _: stream_reply(dialect, fault=Fault(what="stall", after="pieces", count=2))
    reconfigured(gateway, {"a": upstream.url}, idle_s=0.1)
    got = ask(gateway.port, dialect)
    assert b"sent nothing for 0.1 s" in got.body.rpartition(b"data: ")[2]
    upstream.wait_for_disconnect(timeout_s=1.0)
    assert gateway.record().outcome.error == "idle_timeout"


@pytest.mark.parametrize("stream", [True, False], ids=["stream", "whole"])
@pytest.mark.parametrize(
    "fault",
    [Fault(what="reset", after="pieces", count=4), Fault(what="close", after="pieces", count=4)],
    ids=["reset", "close"],
)
def test_the_openai_sdk_raises_an_error_on_a_cut_answer(
    stream: bool, fault: Fault, gateway: RunningGateway, upstream: ScriptedUpstream
) -> None:
    def cut(request: Recorded) -> Reply:
        dialect: Dialect = "responses" if request.path.endswith("responses") else "chat"
        if request.json.get("stream"):
            return stream_reply(dialect, fault=fault)
        body = whole(dialect, ANSWER)
        halves = (body[:9], body[9:20], body[20:30], body[30:50])
        return Reply(
            headers=((b"content-type", b"application/json"),), pieces=halves, fault=fault, announced_bytes=len(body)
        )

    upstream.script = cut
    client = openai.OpenAI(base_url=f"{gateway.url}/v1", api_key="x", max_retries=0)
    with client, pytest.raises(openai.APIError):
        if stream:
            list(client.chat.completions.create(model="m", messages=[{"role": "user", "content": "x"}], stream=True))
        else:
            client.chat.completions.create(model="m", messages=[{"role": "user", "content": "x"}])
    if stream:
        client = openai.OpenAI(base_url=f"{gateway.url}/v1", api_key="x", max_retries=0)
        with client:
            seen = [event.type for event in client.responses.create(model="m", input="x", stream=True)]
        assert seen[-1] == "response.failed"
        assert "response.completed" not in seen


@pytest.mark.parametrize("what", ["reset", "close"])
def test_the_anthropic_sdk_raises_an_error_on_a_cut_stream(
    what: Any, gateway: RunningGateway, upstream: ScriptedUpstream
) -> None:
    upstream.script = lambda _: stream_reply("messages", fault=Fault(what=what, after="pieces", count=4))
    client = anthropic.Anthropic(base_url=gateway.url, api_key="x", max_retries=0)
    with client, pytest.raises(anthropic.APIError, match="ended before its last event|broke off"):
        with client.messages.stream(model="m", max_tokens=9, messages=[{"role": "user", "content": "x"}]) as stream:
            stream.get_final_message()


@EACH
@pytest.mark.parametrize("what", ["reset", "close"])
def test_a_whole_answer_that_is_cut_becomes_an_error_and_no_half_json(
    dialect: Dialect, what: Any, gateway: RunningGateway, upstream: ScriptedUpstream
) -> None:
    upstream.script = faulty(says(ANSWER), Fault(what=what, after="bytes", count=40))
    got = ask(gateway.port, dialect, body_of(dialect, stream=False))
    assert (got.status, "broke off" in got.json["error"]["message"]) == (502, True)
    assert gateway.record().outcome.error == "stream_cut"


def test_a_whole_answer_that_falls_silent_becomes_an_error(gateway: RunningGateway, upstream: ScriptedUpstream) -> None:
    upstream.script = faulty(says(ANSWER), Fault(what="stall", after="bytes", count=40))
    reconfigured(gateway, {"a": upstream.url}, idle_s=0.05)
    got = ask(gateway.port, "chat", body_of("chat", stream=False))
    assert (got.status, got.json["error"]["code"]) == (504, "idle_timeout")


def test_a_large_answer_that_is_cut_late_is_never_ended_cleanly(
    gateway: RunningGateway, upstream: ScriptedUpstream
) -> None:
    piece = b"x" * (1 << 20)
    fault = Fault(what="close", after="pieces", count=7)
    kind = ((b"content-type", b"application/json"),)
    upstream.script = replies(Reply(headers=kind, pieces=(piece,) * 9, fault=fault))
    with raw(gateway.port) as peer:
        peer.sendall(head_of("chat", body_of("chat", stream=False)))
        got = everything(peer)
    assert got.count(b"x") > 4 << 20
    assert not got.endswith(b"0\r\n\r\n")


# -- bytes and pings --------------------------------------------------------------------------------------


@EACH
@pytest.mark.parametrize("slice_bytes", [1, 7])
def test_a_stream_cut_into_packets_anywhere_arrives_identical(
    dialect: Dialect, slice_bytes: int, gateway: RunningGateway, upstream: ScriptedUpstream
) -> None:
    reply = stream_reply(dialect, slice_bytes=slice_bytes)
    upstream.script = lambda _: reply
    got = ask(gateway.port, dialect)
    assert got.body == b"".join(reply.pieces)
    assert gateway.record().outcome.error == ""


@pytest.mark.parametrize("dialect", [*STREAMED, "gemini"])
def test_an_answer_compressed_against_our_wish_is_still_understood(
    dialect: Dialect, gateway: RunningGateway, upstream: ScriptedUpstream
) -> None:
    reply = stream_reply(dialect, gzip=True)
    upstream.script = lambda _: reply
    got = ask(gateway.port, dialect)
    assert (got.body, got.headers["content-encoding"]) == (b"".join(reply.pieces), None)
    usage = gateway.record().outcome.usage
    assert usage is not None
    assert usage.output_tokens > 0


def test_a_whole_answer_compressed_against_our_wish_is_relayed_as_it_came_and_priced(
    gateway: RunningGateway, upstream: ScriptedUpstream
) -> None:
    body = whole("chat", ANSWER)
    upstream.script = replies(Reply(headers=((b"content-type", b"application/json"),), pieces=(body,), gzip=True))
    got = ask(gateway.port, "chat", body_of("chat", stream=False))
    assert (got.headers["content-encoding"], gzip.decompress(got.body)) == ("gzip", body)
    assert gateway.record().outcome.usage == ANSWER.usage


@pytest.mark.parametrize(
    ("dialect", "ping"), [("messages", b'event: ping\ndata: {"type": "ping"}\n\n'), ("chat", b": keep-alive\n\n")]
)
def test_a_silent_stream_is_kept_alive_between_events_only(
    dialect: Dialect, ping: bytes, gateway: RunningGateway, upstream: ScriptedUpstream
) -> None:
    reply = stream_reply(dialect)
    torn = len(reply.pieces[0]) + 5  # the upstream falls silent within its second event
    upstream.script = lambda _: msgspec.structs.replace(reply, fault=Fault(what="stall", after="bytes", count=torn))
    reconfigured(gateway, {"a": upstream.url}, ping_s=0.02)
    with raw(gateway.port) as peer:
        peer.sendall(head_of(dialect, body_of(dialect)))
        got = until(peer, ping)
        while got.count(ping) < 3:
            got += peer.recv(65536)
        upstream.release()
        end = b"0\r\n\r\n"
        got += until(peer, end)
    sent = b"".join(reply.pieces)
    received = dechunked(got)
    assert received.replace(ping, b"") == sent
    assert received.startswith(reply.pieces[0] + ping)


def test_no_ping_is_sent_before_the_upstream_has_answered(gateway: RunningGateway, upstream: ScriptedUpstream) -> None:
    upstream.script = faulty(says(ANSWER), Fault(what="stall", after="nothing"))
    reconfigured(gateway, {"a": upstream.url}, ping_s=0.01, first_byte_s=0.1)
    got = ask(gateway.port, "messages")
    assert got.status == 504
    assert b"ping" not in got.body


def dechunked(response: bytes) -> bytes:
    """The body of a chunked response."""
    rest = response.partition(b"\r\n\r\n")[2]
    body = b""
    while rest:
        size, _, rest = rest.partition(b"\r\n")
        body += rest[: int(size, 16)]
        rest = rest[int(size, 16) + 2 :]
    return body


# -- what an upstream may say ------------------------------------------------------------------------------


def test_a_redirect_is_relayed_and_never_followed(gateway: RunningGateway, upstream: ScriptedUpstream) -> None:
    with ScriptedUpstream(says(ANSWER)) as elsewhere:
        location = ((b"location", f"{elsewhere.url}/v1/messages".encode()),)
        for status in (301, 302, 303, 307, 308):
            upstream.script = lambda _, status=status: Reply(status=status, headers=location)  # type: ignore[misc]
            got = ask(gateway.port, "messages")
            assert (got.status, got.headers["location"]) == (status, location[0][1].decode())
        assert elsewhere.requests == []


def test_headers_beyond_ascii_cost_only_themselves(gateway: RunningGateway, upstream: ScriptedUpstream) -> None:
    odd = (
        (b"x-before", b"1"),
        (b"x-name", "café".encode()),
        (b"x-after", b"2"),
        (b"set-cookie", b"a=1"),
        (b"set-cookie", b"b=2"),
    )
    upstream.script = lambda _: stream_reply("chat", headers=((b"content-type", b"text/event-stream"), *odd))
    got = ask(gateway.port, "chat")
    assert got.status == 200
    assert (got.headers["x-before"], got.headers["x-after"]) == ("1", "2")
    assert got.headers.get_all("set-cookie") == ["a=1", "b=2"]


def test_hop_by_hop_headers_of_the_upstream_stay_there(gateway: RunningGateway, upstream: ScriptedUpstream) -> None:
    hops = ((b"keep-alive", b"timeout=5"), (b"proxy-authenticate", b"Basic"), (b"trailer", b"x"), (b"x-kept", b"1"))
    upstream.script = lambda _: json_reply(b"{}", headers=hops)
    got = ask(gateway.port, "chat")
    assert [got.headers[name.decode()] for name, _ in hops] == [None, None, None, "1"]


def test_metrics_tell_the_faults_apart(gateway: RunningGateway, upstream: ScriptedUpstream) -> None:
    upstream.script = faulty(says(ANSWER), Fault(what="reset", after="pieces", count=1))
    ask(gateway.port, "responses")
    gateway.record()
    text = request(gateway.port, "GET", "/metrics").body.decode()
    assert 'outcome="cut"' in text
    assert isinstance(gateway.app._telemetry, Telemetry)
    assert CLIENT_KEY not in text
    assert PATHS["responses"] not in text
