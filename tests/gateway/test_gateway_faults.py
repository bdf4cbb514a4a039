"""Bad days of the upstream before its first byte: deadlines, tries, failover, the breaker. Over real sockets."""

from __future__ import annotations

import socket
import threading
from typing import Any

import msgspec
import pytest
from gateway_kit import (
    ANSWER,
    STREAMED,
    WAIT_S,
    Got,
    RunningGateway,
    ask,
    provider,
    reconfigured,
    settings_for,
    until,
)

from doubles import (
    Fault,
    Reply,
    ScriptedUpstream,
    error_reply,
    failing,
    faulty,
    json_reply,
    replies,
    says,
)
from lanewise.config import ModelSettings
from lanewise.journey import Dialect

EACH = pytest.mark.parametrize("dialect", STREAMED)


def error_type(dialect: Dialect, got: Got) -> str:
    """What a client of the dialect switches on."""
    return str(got.json["error"]["type"])


@EACH
def test_an_upstream_that_never_answers_times_out_in_the_dialect(
    dialect: Dialect, gateway: RunningGateway, upstream: ScriptedUpstream
) -> None:
    upstream.script = faulty(says(ANSWER), Fault(what="stall", after="nothing"))
    reconfigured(gateway, {"a": upstream.url}, first_byte_s=0.05)
    got = ask(gateway.port, dialect)
    assert got.status == 504
    assert "sent nothing within 0.05 s" in got.json["error"]["message"]
    assert error_type(dialect, got) == ("timeout_error" if dialect == "messages" else "server_error")
    record = gateway.record()
    assert (record.outcome.status, record.outcome.error) == (504, "first_byte_timeout")
    assert [(a.status, a.error) for a in record.attempts] == [(None, "first_byte_timeout")]
    upstream.wait_for_disconnect(timeout_s=1.0)


@EACH
@pytest.mark.parametrize(
    "fault",
    [Fault(what="reset", after="nothing"), Fault(what="close", after="nothing")],
    ids=["reset", "close"],
)
def test_a_connection_that_ends_before_the_head_is_an_error_of_the_upstream(
    dialect: Dialect, fault: Fault, gateway: RunningGateway, upstream: ScriptedUpstream
) -> None:
    upstream.script = faulty(says(ANSWER), fault)
    got = ask(gateway.port, dialect)
    assert got.status == 502
    assert "no answer from 127.0.0.1" in got.json["error"]["message"]
    assert gateway.record().outcome.error == "connect_failed"


def test_nobody_listening_is_a_connect_error(gateway: RunningGateway, upstream: ScriptedUpstream) -> None:
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    reconfigured(gateway, {"a": f"http://127.0.0.1:{port}"})
    got = ask(gateway.port, "chat")
    assert (got.status, got.json["error"]["code"]) == (502, "connect_failed")


class Torn:
    """An upstream that sends the given bytes of a head and resets, again and again."""

    def __init__(self, sent: bytes) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.listener.settimeout(WAIT_S)
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        self.sent = sent
        self.answered = 0

    def serve_once(self) -> None:
        peer, _ = self.listener.accept()
        with peer:
            until(peer, b"\r\n\r\n")
            peer.sendall(self.sent)
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
        self.answered += 1


def test_a_connection_that_ends_within_the_head_is_an_error_of_the_upstream(gateway: RunningGateway) -> None:
    torn = Torn(b"HTTP/1.1 200 OK\r\ncontent-ty")
    with torn.listener:
        reconfigured(gateway, {"a": torn.url})
        serving = threading.Thread(target=torn.serve_once, daemon=True)
        serving.start()
        got = ask(gateway.port, "messages")
        serving.join()
    assert (got.status, got.json["error"]["type"]) == (502, "api_error")
    assert gateway.record().outcome.error == "connect_failed"


def test_a_reset_before_the_head_is_tried_again(gateway: RunningGateway, upstream: ScriptedUpstream) -> None:
    upstream.script = faulty(says(ANSWER), Fault(what="reset", after="nothing"), on={1, 2})
    reconfigured(gateway, {"a": upstream.url}, retries=2)
    assert ask(gateway.port, "chat").status == 200
    assert [a.error for a in gateway.record().attempts] == ["connect_failed", "connect_failed", ""]


@EACH
def test_a_529_is_tried_again_and_its_answer_is_served(
    dialect: Dialect, gateway: RunningGateway, upstream: ScriptedUpstream
) -> None:
    upstream.script = failing("529:1", says(ANSWER), retry_after="")
    reconfigured(gateway, {"a": upstream.url}, retries=1)
    got = ask(gateway.port, dialect)
    assert (got.status, got.headers["x-lanewise-attempts"]) == (200, "2")
    assert [(a.number, a.status, a.error) for a in gateway.record().attempts] == [
        (1, 529, "upstream_status"),
        (2, 200, ""),
    ]


def test_a_short_retry_after_is_waited_out_once(gateway: RunningGateway, upstream: ScriptedUpstream) -> None:
    upstream.script = failing("429:1", says(ANSWER), retry_after="0.2")
    reconfigured(gateway, {"a": upstream.url}, retries=1)
    assert ask(gateway.port, "messages").status == 200
    record = gateway.record()
    assert [a.status for a in record.attempts] == [429, 200]
    waited_s = (record.attempts[1].started_at - record.attempts[0].started_at).total_seconds()
    assert waited_s >= 0.2


@pytest.mark.parametrize("status", [429, 503, 529])
@EACH
def test_a_retry_after_that_is_too_long_is_relayed_as_it_came(
    dialect: Dialect, status: int, gateway: RunningGateway, upstream: ScriptedUpstream
) -> None:
    upstream.script = failing(f"{status}:9", says(ANSWER), retry_after="3600")
    reconfigured(gateway, {"a": upstream.url}, retries=5, max_retry_after_s=10)
    got = ask(gateway.port, dialect)
    sent = error_reply(upstream.requests[0], status, retry_after="3600")
    assert (got.status, got.body) == (status, b"".join(sent.pieces))
    assert got.headers["retry-after"] == "3600"
    assert len(upstream.requests) == 1


def test_an_error_that_stays_is_relayed_after_the_last_try(gateway: RunningGateway, upstream: ScriptedUpstream) -> None:
    upstream.script = failing("503:9", says(ANSWER), retry_after="")
    reconfigured(gateway, {"a": upstream.url}, retries=2)
    got = ask(gateway.port, "chat")
    assert (got.status, got.json["error"]["message"]) == (503, "scripted 503")
    assert len(upstream.requests) == 3


@pytest.mark.parametrize("status", [400, 401, 402, 403, 404, 413, 422, 501])
@EACH
def test_an_error_status_is_relayed_byte_for_byte_and_never_tried_again(
    dialect: Dialect, status: int, gateway: RunningGateway, upstream: ScriptedUpstream
) -> None:
    body = b'{"error" : {"message":"thinking \xe2\x80\xa6 signature",  "n":1.0}}\n'
    headers = ((b"request-id", b"req_7"), (b"x-should-retry", b"false"), (b"anthropic-ratelimit-requests-reset", b"9"))
    upstream.script = replies(json_reply(body, status=status, headers=headers))
    reconfigured(gateway, {"a": upstream.url, "b": upstream.url}, retries=3)
    got = ask(gateway.port, dialect)
    assert (got.status, got.body, len(upstream.requests)) == (status, body, 1)
    assert {name: got.headers[name.decode()] for name, _ in headers} == {n: v.decode() for n, v in headers}
    assert gateway.record().attempts[0].upstream_request_id == "req_7"


def test_an_error_that_calls_itself_a_stream_is_relayed_as_it_came(
    gateway: RunningGateway, upstream: ScriptedUpstream
) -> None:
    body = b'{"error":{"message":"no"}}'
    upstream.script = replies(Reply(status=400, headers=((b"content-type", b"text/event-stream"),), pieces=(body,)))
    got = ask(gateway.port, "chat")
    assert (got.status, got.body) == (400, body)


def test_failover_asks_the_next_provider_in_the_order_of_the_config(gateway: RunningGateway) -> None:
    down = failing("503:9", says(ANSWER), retry_after="")
    with ScriptedUpstream(down) as first, ScriptedUpstream(down) as second, ScriptedUpstream(says(ANSWER)) as third:
        urls = {"first": first.url, "second": second.url, "third": third.url}
        keyed_failover(gateway, urls, {"FIRST": "1", "SECOND": "2", "THIRD": "3"})
        got = ask(gateway.port, "messages")
    assert got.status == 200
    record = gateway.record()
    assert [(a.candidate.provider, a.status) for a in record.attempts] == [
        ("first", 503),
        ("second", 503),
        ("third", 200),
    ]
    assert record.outcome.served is not None
    assert record.outcome.served.provider == "third"


def keyed_failover(gateway: RunningGateway, urls: dict[str, str], env: dict[str, str]) -> None:
    """Providers with keys of their own, so that each of them may be asked."""
    rows = {name: provider(url, api_key_env=name.upper()) for name, url in urls.items()}
    models = {"m": ModelSettings(provider=tuple(urls))}
    gateway.use(settings_for(gateway._settings.server.data, rows, models=models), env)  # type: ignore[arg-type]


def test_the_last_word_of_a_provider_is_relayed_where_the_next_one_cannot_be_reached(gateway: RunningGateway) -> None:
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    with ScriptedUpstream(failing("529:9", says(ANSWER), retry_after="7")) as first:
        keyed_failover(
            gateway, {"first": first.url, "second": f"http://127.0.0.1:{port}"}, {"FIRST": "1", "SECOND": "2"}
        )
        got = ask(gateway.port, "messages")
    assert (got.status, got.headers["retry-after"]) == (529, "7")
    assert got.json["error"]["type"] == "overloaded_error"
    assert [(a.status, a.error) for a in gateway.record().attempts] == [
        (529, "upstream_status"),
        (None, "connect_failed"),
    ]


def test_a_provider_that_may_not_be_sent_the_credential_is_no_failover(gateway: RunningGateway) -> None:
    with (
        ScriptedUpstream(failing("429:9", says(ANSWER), retry_after="")) as first,
        ScriptedUpstream(says(ANSWER)) as other,
    ):
        keyed_failover(gateway, {"first": first.url, "second": other.url}, {"FIRST": "1"})
        got = ask(gateway.port, "chat")
        assert (got.status, other.requests) == (429, [])


# -- the breaker ------------------------------------------------------------------------------------------


def test_an_open_breaker_steers_calls_away_until_a_probe_succeeds(tmp_path: Any) -> None:
    with (
        ScriptedUpstream(failing("500:2", says(ANSWER), retry_after="")) as first,
        ScriptedUpstream(says(ANSWER)) as second,
    ):
        rows = {"first": provider(first.url), "second": provider(second.url)}
        models = {"m": ModelSettings(provider=("first", "second"))}
        settings = settings_for(tmp_path, rows, models=models, upstream={"breaker_failures": 2, "breaker_open_s": 3600})
        env = {}
        rows = {name: msgspec.structs.replace(row, api_key_env="KEY") for name, row in rows.items()}
        settings, env = msgspec.structs.replace(settings, providers=rows), {"KEY": "k"}
        with RunningGateway(settings, env) as gateway:

            def served() -> tuple[str, ...]:
                assert ask(gateway.port, "chat").status == 200
                return tuple(a.candidate.provider for a in gateway.record().attempts)

            assert [served(), served()] == [("first", "second")] * 2
            assert gateway.app.health.states()["first"] == "open"
            assert served() == ("second",)
            gateway.app.health.of("first")._open_s = 0.0  # an hour passes
            assert gateway.app.health.states()["first"] == "half_open"
            assert served() == ("first",)
            assert gateway.app.health.states()["first"] == "closed"
            assert served() == ("first",)


def test_answers_that_are_cut_again_and_again_open_the_breaker(tmp_path: Any) -> None:
    with ScriptedUpstream(faulty(says(ANSWER), Fault(what="reset", after="pieces", count=1))) as upstream:
        settings = settings_for(tmp_path, {"a": provider(upstream.url)}, upstream={"breaker_failures": 3})
        with RunningGateway(settings) as gateway:
            for _ in range(3):
                ask(gateway.port, "chat")
                assert gateway.record().outcome.error == "stream_cut"
            assert gateway.app.health.states() == {"a": "open"}
