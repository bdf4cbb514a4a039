"""Requests that are wrong, hostile or strange: a clear error in the dialect, bounded memory, and the next one served."""

from __future__ import annotations

import gzip
import json
import threading
import tracemalloc
from pathlib import Path
from typing import Any, get_args

import msgspec
import pytest
import zstandard
from gateway_kit import (
    PATHS,
    STREAMED,
    Got,
    RunningGateway,
    ask,
    body_of,
    credential,
    everything,
    head_of,
    provider,
    raw,
    request,
    settings_for,
    stream_reply,
    until,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from doubles import ScriptedUpstream, agents_job
from lanewise.gateway.listen import MAX_HEAD_BYTES
from lanewise.journey import Dialect

DIALECTS: tuple[Dialect, ...] = get_args(Dialect)
EACH = pytest.mark.parametrize("dialect", DIALECTS)


def assert_refused(got: Got, dialect: Dialect, status: int, words: str) -> None:
    """An error object as the dialect's SDKs read it, which says `words`."""
    assert got.status == status
    assert got.headers["content-type"] == "application/json"
    error = got.json["error"]
    assert words in error["message"]
    match dialect:
        case "messages":
            assert set(got.json) == {"type", "error", "request_id"}
            assert got.json["request_id"] == got.headers["x-lanewise-call-id"]
            assert set(error) == {"type", "message"}
        case "gemini":
            assert (error["code"], set(error)) == (status, {"code", "message", "status"})
        case _:
            assert set(error) == {"message", "type", "param", "code"}


BODIES = {
    "no JSON": (b'{"model": ', "the body is not JSON"),
    "nothing": (b"", "the body is not JSON"),
    "an array": (b"[]", "not an object"),
    "a doubled key": (b'{"model":"a","messages":[],"model":"b"}', "`model` stands twice"),
    "a doubled escaped key": (b'{"stream":true,"\\u0073tream":false}', "`stream` stands twice"),
    "too deep": (b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}", "nested too deeply"),
    "a model that is a number": (b'{"model":7}', "`model` in the body must be a string"),
    "UTF-16": ("{}".encode("utf-16"), "the body is not JSON"),
}


@EACH
@pytest.mark.parametrize(("body", "words"), BODIES.values(), ids=BODIES.keys())
def test_a_body_that_cannot_be_read_is_refused_in_the_dialect(
    dialect: Dialect, body: bytes, words: str, gateway: RunningGateway, upstream: ScriptedUpstream
) -> None:
    assert_refused(ask(gateway.port, dialect, body), dialect, 400, words)
    assert upstream.requests == []


@EACH
def test_a_bomb_is_refused_in_the_dialect(
    dialect: Dialect, gateway: RunningGateway, upstream: ScriptedUpstream
) -> None:
    bomb = zstandard.ZstdCompressor().compress(bytes(80 << 20))
    got = ask(gateway.port, dialect, bomb, headers=[("content-encoding", "zstd")])
    assert_refused(got, dialect, 413, "larger than 64 MiB once its zstd encoding is undone")
    assert upstream.requests == []


@pytest.mark.parametrize(
    ("coding", "body", "status", "words"),
    [
        ("gzip", b"{}", 400, "not valid gzip"),
        ("br", gzip.compress(b"{}"), 400, "not valid br"),
        ("compress", b"{}", 415, "'compress' is not supported"),
        ("gzip,gzip,gzip,gzip,gzip", b"{}", 415, "5 content-encodings"),
    ],
)
def test_a_coding_that_cannot_be_undone_is_refused(
    coding: str, body: bytes, status: int, words: str, gateway: RunningGateway
) -> None:
    got = ask(gateway.port, "messages", body, headers=[("content-encoding", coding)])
    assert_refused(got, "messages", status, words)


@EACH
def test_a_body_announced_as_too_large_is_refused_before_it_is_sent(dialect: Dialect, gateway: RunningGateway) -> None:
    head = f"POST {PATHS[dialect]} HTTP/1.1\r\nhost: x\r\ncontent-length: {200 << 20}\r\nexpect: 100-continue\r\n\r\n"
    with raw(gateway.port) as peer:
        peer.sendall(head.encode())
        got = until(peer, b"}}") if dialect != "messages" else until(peer, b'"}')
    assert got.startswith(b"HTTP/1.1 413 ")
    assert b"larger than 64 MiB" in got


@pytest.mark.parametrize("chunked", [True, False], ids=["chunked", "declared"])
def test_200_megabytes_are_refused_and_never_held(chunked: bool, gateway: RunningGateway) -> None:
    piece = b"x" * (1 << 20)
    framing = "transfer-encoding: chunked" if chunked else f"content-length: {200 << 20}"
    tracemalloc.start()
    try:
        with raw(gateway.port) as peer:
            peer.sendall(f"POST /v1/messages HTTP/1.1\r\nhost: x\r\n{framing}\r\n\r\n".encode())
            for _ in range(200):
                peer.sendall(b"100000\r\n" + piece + b"\r\n" if chunked else piece)
            if chunked:
                peer.sendall(b"0\r\n\r\n")
            got = until(peer, b"request_id")
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert got.startswith(b"HTTP/1.1 413 ")
    assert peak < (64 << 20) + (16 << 20)
    assert ask(gateway.port, "messages").status == 200


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH", "OPTIONS"])
@EACH
def test_the_wrong_method_says_which_one_is_right(dialect: Dialect, method: str, gateway: RunningGateway) -> None:
    got = request(gateway.port, method, PATHS[dialect], None, credential(dialect))
    assert_refused(got, dialect, 405, f"takes POST, not {method}")
    assert got.headers["allow"] == "POST"


@pytest.mark.parametrize("target", ["/livez", "/readyz", "/metrics", "/v1/models", "/"])
def test_our_own_pages_say_it_too(target: str, gateway: RunningGateway) -> None:
    got = request(gateway.port, "DELETE", target)
    assert (got.status, got.json["error"]["code"]) == (405, "wrong_method")
    assert "GET" in got.headers["allow"]


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("/messages", "did you mean /v1/messages?"),
        ("/chat/completions", "did you mean /v1/chat/completions?"),
        ("/v2/messages", "there is no endpoint /v2/messages"),
        ("/v1", "there is no endpoint /v1"),
        ("/wp-login.php", "there is no endpoint /wp-login.php"),
    ],
)
def test_an_unknown_path_is_told_with_a_hint_that_every_sdk_can_read(
    target: str, words: str, gateway: RunningGateway
) -> None:
    got = request(gateway.port, "POST", target, b"{}")
    assert (got.status, got.json["error"]["code"], got.json["type"]) == (404, "unknown_path", "error")
    assert words in got.json["error"]["message"]


@EACH
def test_a_dialect_that_no_provider_speaks_is_told_with_what_to_add(
    dialect: Dialect, gateway: RunningGateway, upstream: ScriptedUpstream
) -> None:
    others = tuple(d for d in DIALECTS if d != dialect)
    rows = {"a": msgspec.structs.replace(provider(upstream.url), dialects=others)}
    gateway.use(settings_for(Path(gateway._settings.server.data), rows))
    assert_refused(ask(gateway.port, dialect), dialect, 404, f'add one with dialects = ["{dialect}"]')


def test_a_routed_name_without_a_baseline_says_what_to_set(gateway: RunningGateway) -> None:
    for name in ("auto", "auto:cheap", "lane:local", ""):
        got = ask(gateway.port, "chat", body_of("chat", model=name))
        assert_refused(got, "chat", 404, "set routing.baseline, or name a model")


@EACH
@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("x-lanewise-deadline", "soon", "x-lanewise-deadline is 'soon' (use a duration such as 8h"),
        ("x-lanewise-deadline", "2026-11-24T06:00:00", "an ISO time with its zone"),
        ("x-lanewise-lane", "fast", "x-lanewise-lane is 'fast' (use one of local, batch, realtime)"),
    ],
)
def test_a_wish_that_cannot_be_read_is_told(
    dialect: Dialect, name: str, value: str, words: str, gateway: RunningGateway
) -> None:
    assert_refused(ask(gateway.port, dialect, headers=[(name, value)]), dialect, 400, words)


@pytest.mark.parametrize("value", ["90s", "15m", "2026-11-24T06:00:00Z", "2020-01-01T00:00:00+01:00"])
def test_a_wish_that_can_be_read_is_served(value: str, gateway: RunningGateway) -> None:
    assert ask(gateway.port, "chat", headers=[("x-lanewise-deadline", value)]).status == 200


MODELS = ["m\r\nset-cookie: a=1", "m\n", "ä😀", "\x00\x7f\t", "x" * 20_000, "../../etc", '"; drop table', "m\u2028"]


@pytest.mark.parametrize("dialect", STREAMED)  # Gemini's model stands in the path, where HTTP forbids such names
@pytest.mark.parametrize("model", MODELS, ids=range(len(MODELS)))
def test_a_hostile_model_name_is_passed_on_and_breaks_no_header(
    dialect: Dialect, model: str, gateway: RunningGateway, upstream: ScriptedUpstream
) -> None:
    body = body_of(dialect, model=model, stream=False)
    upstream.script = agents_job
    got = ask(gateway.port, dialect, body)
    assert (got.status, got.headers["set-cookie"]) == (200, None)
    assert upstream.wait_for_request().body == body
    assert len(got.headers.get_all("x-lanewise-model")) == 1
    assert gateway.record().requested_model == model


# -- the protocol itself ----------------------------------------------------------------------------------


SMUGGLED = {
    "both lengths": "content-length: 4\r\ntransfer-encoding: chunked",
    "both lengths, other order": "transfer-encoding: chunked\r\ncontent-length: 4",
    "two lengths": "content-length: 4\r\ncontent-length: 5",
    "a list of lengths": "content-length: 4, 5",
    "a signed length": "content-length: +4",
    "a negative length": "content-length: -4",
    "a hexadecimal length": "content-length: 0x4",
    "a length beyond all bounds": "content-length: 99999999999999999999",
    "chunked is not the last coding": "transfer-encoding: chunked, identity",
    "a coding nobody knows": "transfer-encoding: xchunked",
    "a space before the colon": "transfer-encoding : chunked",
    "a folded header": "x-a: b\r\n\ttransfer-encoding: chunked\r\ncontent-length : 4",
}


@pytest.mark.parametrize("framing", SMUGGLED.values(), ids=SMUGGLED.keys())
def test_a_request_whose_end_could_be_read_in_two_ways_is_refused(
    framing: str, gateway: RunningGateway, upstream: ScriptedUpstream
) -> None:
    smuggled = b"0\r\n\r\nGET /v1/files HTTP/1.1\r\nhost: x\r\nauthorization: Bearer x\r\n\r\n"
    with raw(gateway.port) as peer:
        peer.sendall(
            f"POST /v1/files HTTP/1.1\r\nhost: x\r\nauthorization: Bearer x\r\n{framing}\r\n\r\n".encode() + smuggled
        )
        got = everything(peer)
    assert got.startswith(b"HTTP/1.1 400 ")
    assert got.count(b"HTTP/1.1") == 1
    assert upstream.requests == []


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"GET",
        b"\x16\x03\x01\x02\x00\x01\x00",
        b"GET / HTTP/9.9",
        b"get / http/1.1",
        b"POST /v1/\xff HTTP/1.1",
        b"GET http:// HTTP/1.1",
    ],
)
def test_what_is_no_http_is_refused_and_the_connection_closed(line: bytes, gateway: RunningGateway) -> None:
    with raw(gateway.port) as peer:
        peer.sendall(line + b"\r\nhost: x\r\n\r\n")
        got = everything(peer)
    assert got[:12] in {b"HTTP/1.1 400", b""}


@pytest.mark.parametrize(
    "extra", [["x: " + "a" * MAX_HEAD_BYTES], [f"x-{n}: {'a' * 1000}" for n in range(70)]], ids=["one", "many"]
)
def test_a_giant_head_is_refused_and_its_request_not_served(
    extra: list[str], gateway: RunningGateway, upstream: ScriptedUpstream
) -> None:
    with raw(gateway.port) as peer:
        peer.sendall(head_of("chat", body_of("chat"), *extra))
        assert everything(peer).startswith(b"HTTP/1.1 431 ")
    assert upstream.requests == []


def test_a_header_that_never_ends_is_cut_off(gateway: RunningGateway) -> None:
    with raw(gateway.port) as peer, pytest.raises(ConnectionError):
        peer.sendall(b"GET /livez HTTP/1.1\r\nhost: x\r\nx: ")
        for _ in range(1000):
            peer.sendall(b"a" * 65536)


def test_a_giant_target_is_refused(gateway: RunningGateway) -> None:
    with raw(gateway.port) as peer:
        peer.sendall(b"GET /livez?" + b"a" * MAX_HEAD_BYTES + b" HTTP/1.1\r\nhost: x\r\n\r\n")
        assert everything(peer).startswith(b"HTTP/1.1 431 ")


def test_requests_that_follow_without_waiting_are_answered_in_order(
    gateway: RunningGateway, upstream: ScriptedUpstream
) -> None:
    upstream.script = agents_job
    with raw(gateway.port) as peer:
        wanted = [body_of("chat", stream=False, model=f"m-{n}") for n in range(3)]
        last = head_of("chat", wanted[2], "connection: close")
        peer.sendall(head_of("chat", wanted[0]) + head_of("chat", wanted[1]) + last)
        got = everything(peer)
    assert [r.body for r in upstream.requests] == wanted
    assert got.count(b"HTTP/1.1 200") == 3
    assert got.index(b'"model":"m-0"') < got.index(b'"model":"m-1"') < got.index(b'"model":"m-2"')


def test_http_1_0_is_answered_and_the_connection_closed(gateway: RunningGateway, upstream: ScriptedUpstream) -> None:
    upstream.script = agents_job
    body = body_of("chat", stream=False)
    head = f"POST /v1/chat/completions HTTP/1.0\r\ncontent-length: {len(body)}\r\nauthorization: Bearer x\r\n\r\n"
    with raw(gateway.port) as peer:
        peer.sendall(head.encode() + body)
        got = everything(peer)
    head_bytes, _, answer = got.partition(b"\r\n\r\n")
    assert b"transfer-encoding" not in head_bytes
    assert json.loads(answer)["object"] == "chat.completion"


def test_an_offer_to_upgrade_to_http_2_is_ignored(gateway: RunningGateway, upstream: ScriptedUpstream) -> None:
    offer = [("connection", "Upgrade, HTTP2-Settings"), ("upgrade", "h2c"), ("http2-settings", "AAMAAABkAAQ")]
    upstream.script = lambda _: stream_reply("chat")
    assert ask(gateway.port, "chat", headers=offer).status == 200
    assert upstream.wait_for_request().body == body_of("chat")


@pytest.fixture
def impatient(tmp_path: Path, upstream: ScriptedUpstream) -> Any:
    server = {"body_timeout_s": 0.2}
    with RunningGateway(settings_for(tmp_path, {"a": provider(upstream.url)}, server=server)) as gateway:
        yield gateway


def test_a_head_that_dribbles_is_cut_off(impatient: RunningGateway, upstream: ScriptedUpstream) -> None:
    with raw(impatient.port) as peer:
        stop = threading.Event()

        def dribble() -> None:
            peer.sendall(b"POST /v1/messages HTTP/1.1\r\nhost: x\r\n")
            while not stop.wait(0.02):
                try:
                    peer.sendall(b"a")
                except OSError:
                    return

        thread = threading.Thread(target=dribble, daemon=True)
        thread.start()
        got = everything(peer)
        stop.set()
        thread.join()
    assert got[:12] in {b"HTTP/1.1 408", b""}
    assert upstream.requests == []


def test_a_connection_that_sends_nothing_is_cut_off(impatient: RunningGateway) -> None:
    with raw(impatient.port) as peer:
        assert everything(peer).startswith(b"HTTP/1.1 408")


@EACH
def test_a_body_that_stops_is_told_in_the_dialect(dialect: Dialect, impatient: RunningGateway) -> None:
    body = body_of(dialect)
    with raw(impatient.port) as peer:
        peer.sendall(head_of(dialect, body)[:-5])
        got = until(peer, b"send it again")
    assert got.startswith(b"HTTP/1.1 408 ")
    assert f"after {len(body) - 5} bytes".encode() in got


_HEADER = st.tuples(
    st.sampled_from(
        ["x-a", "anthropic-version", "accept", "user-agent", "x-lanewise-tags", "session-id", "content-type"]
    ),
    st.text(st.characters(min_codepoint=32, max_codepoint=255, exclude_characters="\x7f"), max_size=30),
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.sampled_from(["GET", "POST", "DELETE"]),
    st.text("/v1betamsgchoplin.%3A:?&=+", max_size=30),
    st.lists(_HEADER, max_size=4),
    st.binary(max_size=60) | st.sampled_from([b"{}", b'{"model":"x","messages":7,"tools":{},"stream":true}']),
)
def test_no_request_is_answered_with_a_crash(
    gateway: RunningGateway, method: str, target: str, headers: list[tuple[str, str]], body: bytes
) -> None:
    if target.startswith("/metrics"):
        return
    got = request(gateway.port, method, "/" + target.lstrip("/"), body, [("authorization", "Bearer x"), *headers])
    assert got.status != 500
