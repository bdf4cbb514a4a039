"""The doubles do what they claim: record exactly, answer as scripted, break where told, leave nothing behind."""

from __future__ import annotations

import gzip
import itertools
import json
import socket
from collections.abc import Iterator
from http.client import HTTPConnection, HTTPMessage, IncompleteRead
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from doubles import (
    GREETING,
    Fault,
    Recorded,
    Reply,
    RequestParser,
    ScriptedUpstream,
    Tee,
    agents_job,
    failing,
    faulty,
    giving_up,
    json_reply,
    replies,
    says,
)
from lanewise.demo.answers import Answer, events, whole
from lanewise.journey import Usage

ANSWER = Answer(model="m", text="Fine.", usage=Usage(input_tokens=3, output_tokens=2))
CHAT = json.dumps({"model": "m", "stream": True, "messages": []}).encode()
STREAM = events("chat", ANSWER, include_usage=False)


@pytest.fixture
def upstream() -> Iterator[ScriptedUpstream]:
    with ScriptedUpstream(says(ANSWER)) as server:
        yield server


def connected(server: ScriptedUpstream | Tee) -> HTTPConnection:
    return HTTPConnection("127.0.0.1", server.port, timeout=10)


class Got(NamedTuple):
    status: int
    headers: HTTPMessage
    body: bytes


def posted(server: ScriptedUpstream | Tee, body: bytes = CHAT, path: str = "/v1/chat/completions") -> Got:
    connection = connected(server)
    try:
        connection.request("POST", path, body)
        response = connection.getresponse()
        return Got(response.status, response.headers, response.read())
    finally:
        connection.close()


def raw(server: ScriptedUpstream | Tee, sent: bytes) -> tuple[bytes, bool]:
    """All that comes back until the end, and whether the end was a reset."""
    with socket.create_connection(("127.0.0.1", server.port), 10) as peer:
        peer.sendall(sent)
        got = b""
        while True:
            try:
                data = peer.recv(65536)
            except ConnectionResetError:
                return got, True
            if not data:
                return got, False
            got += data


REQUEST = b"POST /v1/chat/completions?x=1 HTTP/1.1\r\nX-B: 2\r\nx-a:1\r\nX-B: 3\r\nContent-Length: %d\r\n\r\n%b" % (
    len(CHAT),
    CHAT,
)


def test_a_request_is_recorded_as_it_stood_on_the_wire(upstream: ScriptedUpstream) -> None:
    with socket.create_connection(("127.0.0.1", upstream.port), 10) as peer:
        peer.sendall(REQUEST)
        request = upstream.wait_for_request()
    assert (request.method, request.target, request.path) == (
        "POST",
        "/v1/chat/completions?x=1",
        "/v1/chat/completions",
    )
    assert request.headers == (("X-B", "2"), ("x-a", "1"), ("X-B", "3"), ("Content-Length", str(len(CHAT))))
    assert request.header("x-b") == "2, 3"
    assert request.body == CHAT


@given(cuts=st.lists(st.integers(1, 400), max_size=12), chunked=st.booleans())
def test_the_parser_finds_the_same_requests_however_the_bytes_arrive(cuts: list[int], chunked: bool) -> None:
    body = b"4\r\nwxyz\r\n2;x=y\r\n\r\n\r\n0\r\n\r\n" if chunked else b"wxyz\r\n"
    framing = b"transfer-encoding: chunked" if chunked else b"content-length: 6"
    stream = (b"POST /a HTTP/1.1\r\n%b\r\n\r\n%b" % (framing, body)) + b"GET /b HTTP/1.1\r\nhost: x\r\n\r\n" + REQUEST
    places = sorted({0, len(stream), *(cut for cut in cuts if cut < len(stream))})
    parser = RequestParser()
    found = [r for start, end in itertools.pairwise(places) for r in parser.feed(stream[start:end])]
    assert [(r.number, r.target, r.body) for r in found] == [
        (1, "/a", b"wxyz\r\n"),
        (2, "/b", b""),
        (3, "/v1/chat/completions?x=1", CHAT),
    ]


def test_a_compressed_body_is_kept_as_sent_and_readable_plain(upstream: ScriptedUpstream) -> None:
    packed = gzip.compress(CHAT)
    connection = connected(upstream)
    connection.request("POST", "/v1/chat/completions", packed, {"content-encoding": "gzip"})
    connection.getresponse().read()
    connection.close()
    request = upstream.requests[0]
    assert (request.body, request.plain, request.json["model"]) == (packed, CHAT, "m")


def test_one_connection_serves_many_requests_in_order(upstream: ScriptedUpstream) -> None:
    connection = connected(upstream)
    for _ in range(3):
        connection.request("POST", "/v1/chat/completions", CHAT)
        assert connection.getresponse().read() == b"".join(STREAM)
    connection.close()
    assert [request.number for request in upstream.requests] == [1, 2, 3]


@pytest.mark.parametrize("reply", [
    Reply(pieces=(b"one", b"two")),
    Reply(pieces=(b"one", b"two"), framing="chunked"),
    Reply(pieces=(b"one", b"two"), framing="close"),
    Reply(pieces=(b"one", b"two"), framing="chunked", slice_bytes=1),
    Reply(pieces=(b"one", b"two"), slice_bytes=1, pause_s=0.0001),
], ids=["length", "chunked", "close", "every byte", "trickle"])  # fmt: skip
def test_a_body_arrives_whole_in_every_framing(upstream: ScriptedUpstream, reply: Reply) -> None:
    upstream.script = replies(reply)
    assert posted(upstream).body == b"onetwo"
    assert upstream.abandoned == []


def test_a_compressed_stream_is_flushed_per_piece_and_decodes_to_the_pieces(upstream: ScriptedUpstream) -> None:
    upstream.script = replies(Reply(pieces=(b"one", b"two"), framing="chunked", gzip=True))
    response = posted(upstream)
    assert response.headers["content-encoding"] == "gzip"
    assert gzip.decompress(response.body) == b"onetwo"


def test_headers_may_hold_any_byte(upstream: ScriptedUpstream) -> None:
    upstream.script = replies(Reply(headers=((b"X-Name", "Zürich 世".encode()),), framing="close"))
    answer, _ = raw(upstream, REQUEST)
    assert b"\r\nX-Name: Z\xc3\xbcrich \xe4\xb8\x96\r\n" in answer


def test_a_false_length_is_announced_and_the_reader_notices(upstream: ScriptedUpstream) -> None:
    upstream.script = replies(
        Reply(pieces=(b"12345",), announced_bytes=9, fault=Fault(what="close", after="bytes", count=5))
    )
    with pytest.raises(IncompleteRead):
        posted(upstream)


HEAD = b"HTTP/1.1 200 Scripted\r\ntransfer-encoding: chunked\r\n\r\n"


@pytest.mark.parametrize("what", ["reset", "close"])
@pytest.mark.parametrize(
    ("after", "count", "seen"),
    [
        ("nothing", 0, b""),
        ("head", 0, HEAD),
        ("pieces", 1, HEAD + b"3\r\none\r\n"),
        ("bytes", 4, HEAD + b"3\r\none\r\n1\r\nt\r\n"),
        ("bytes", 6, HEAD + b"3\r\none\r\n3\r\ntwo\r\n"),
    ],
)
def test_a_connection_ends_exactly_where_the_fault_says(
    upstream: ScriptedUpstream, what: Any, after: Any, count: int, seen: bytes
) -> None:
    fault = Fault(what=what, after=after, count=count)
    upstream.script = faulty(replies(Reply(pieces=(b"one", b"two"), framing="chunked")), fault)
    assert raw(upstream, REQUEST) == (seen, what == "reset")
    assert upstream.abandoned == []  # the client did not leave, it was left


def test_a_stalled_reply_goes_on_when_released(upstream: ScriptedUpstream) -> None:
    upstream.script = faulty(says(ANSWER), Fault(what="stall", after="pieces", count=2))
    connection = connected(upstream)
    connection.request("POST", "/v1/chat/completions", CHAT)
    response = connection.getresponse()
    beginning = b"".join(STREAM[:2])
    assert response.read(len(beginning)) == beginning
    upstream.release()
    assert response.read() == b"".join(STREAM[2:])
    connection.close()


@pytest.mark.parametrize("after", ["nothing", "head", "pieces"])
def test_a_client_that_leaves_a_stalled_reply_is_noticed(upstream: ScriptedUpstream, after: Any) -> None:
    upstream.script = faulty(says(ANSWER), Fault(what="stall", after=after, count=1))
    with socket.create_connection(("127.0.0.1", upstream.port), 10) as peer:
        peer.sendall(REQUEST)
        upstream.wait_for_request()
    assert upstream.wait_for_disconnect().target == "/v1/chat/completions?x=1"


def test_a_fault_can_name_the_requests_it_befalls(upstream: ScriptedUpstream) -> None:
    upstream.script = faulty(says(ANSWER), Fault(what="reset", after="nothing"), on={1})
    assert raw(upstream, REQUEST) == (b"", True)
    assert posted(upstream).body == b"".join(STREAM)


def test_waiting_for_what_does_not_come_says_what_did_come(upstream: ScriptedUpstream) -> None:
    posted(upstream)
    with pytest.raises(AssertionError, match=r"1 of 2 requests arrived .*'POST /v1/chat/completions'"):
        upstream.wait_for_request(2, timeout_s=0.01)


def test_a_script_that_raises_fails_the_test_and_not_only_the_client() -> None:
    def broken(request: Recorded) -> Reply:
        raise KeyError(request.target)

    server = ScriptedUpstream(broken).start()
    assert raw(server, REQUEST)[0] == b""
    with pytest.raises(AssertionError, match="script of the upstream failed"):
        server.stop()


def test_a_stopped_server_frees_its_port_even_with_a_stalled_client() -> None:
    server = ScriptedUpstream(faulty(says(ANSWER), Fault(what="stall", after="head"))).start()
    with socket.create_connection(("127.0.0.1", server.port), 10) as peer:
        peer.sendall(REQUEST)
        server.wait_for_request()
        server.stop()
        with socket.socket() as again:
            again.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            again.bind(("127.0.0.1", server.port))


def test_error_statuses_come_first_and_in_the_given_number(upstream: ScriptedUpstream) -> None:
    upstream.script = failing("429:2,529:1", says(ANSWER))
    seen = [posted(upstream, path="/v1/messages") for _ in range(4)]
    assert [(r.status, r.headers["retry-after"]) for r in seen] == [(429, "1"), (429, "1"), (529, "1"), (200, None)]
    assert [json.loads(r.body)["error"]["type"] for r in seen[:3]] == ["rate_limit_error"] * 2 + ["overloaded_error"]


def test_a_stream_that_gives_up_ends_with_the_dialects_error(upstream: ScriptedUpstream) -> None:
    upstream.script = giving_up(says(ANSWER), 2)
    body = posted(upstream, path="/v1/messages").body
    assert body.startswith(b"".join(events("messages", ANSWER)[:2]) + b"event: error\n")
    assert b"message_stop" not in body


@pytest.mark.parametrize(
    ("path", "dialect"),
    [
        ("/v1/messages?beta=true", "messages"),
        ("/v1/chat/completions", "chat"),
        ("/v1/responses", "responses"),
        ("/v1beta/models/m:generateContent", "gemini"),
    ],
)
def test_an_answer_comes_in_the_dialect_of_the_path(upstream: ScriptedUpstream, path: str, dialect: Any) -> None:
    assert posted(upstream, b'{"model":"m"}', path).body == whole(dialect, ANSWER)


def chat_tools(*messages: Any) -> bytes:
    tools = [{"type": "function", "function": {"name": "write_file"}}]
    return json.dumps({"model": "m", "messages": list(messages), "tools": tools}).encode()


def test_the_agents_job_writes_the_file_and_then_says_so(upstream: ScriptedUpstream) -> None:
    upstream.script = agents_job
    asked = {"role": "user", "content": "Create /home/dev/project/hello.txt"}
    first = json.loads(posted(upstream, chat_tools(asked)).body)["choices"][0]
    [call] = first["message"]["tool_calls"]
    assert first["finish_reason"] == "tool_calls"
    assert call["function"]["name"] == "write_file"
    assert json.loads(call["function"]["arguments"]) == {
        "file_path": "/home/dev/project/hello.txt",
        "content": GREETING,
    }
    result = {"role": "tool", "tool_call_id": call["id"], "content": "ok"}
    second = json.loads(posted(upstream, chat_tools(asked, first["message"], result)).body)["choices"][0]
    assert (second["finish_reason"], second["message"].get("tool_calls")) == ("stop", None)


def test_the_agents_job_refuses_a_websocket_and_answers_a_probe(upstream: ScriptedUpstream) -> None:
    upstream.script = agents_job
    connection = connected(upstream)
    connection.request("GET", "/v1/responses", headers={"connection": "upgrade", "upgrade": "websocket"})
    assert connection.getresponse().status == 426
    connection.close()
    probe = connected(upstream)
    probe.request("HEAD", "/api/hello")
    assert probe.getresponse().status == 200
    probe.close()


def test_the_tee_passes_bytes_on_and_shows_what_the_client_sent(upstream: ScriptedUpstream) -> None:
    with Tee(upstream.url) as tee:
        assert posted(tee).body == b"".join(STREAM)
        assert [r.body for r in tee.requests] == [r.body for r in upstream.requests] == [CHAT]
        assert tee.requests[0].headers == upstream.requests[0].headers


def test_the_tee_passes_a_clients_leaving_on(upstream: ScriptedUpstream) -> None:
    upstream.script = faulty(says(ANSWER), Fault(what="stall", after="head"))
    with Tee(upstream.url) as tee, socket.create_connection(("127.0.0.1", tee.port), 10) as peer:
        peer.sendall(REQUEST)
        upstream.wait_for_request()
        peer.close()
        upstream.wait_for_disconnect()


def test_a_huge_reply_arrives_whole(upstream: ScriptedUpstream) -> None:
    megabyte = b"x" * 2**20
    upstream.script = replies(Reply(pieces=(megabyte,) * 64))
    assert len(posted(upstream).body) == 64 * 2**20


def test_a_json_reply_says_what_it_is(upstream: ScriptedUpstream) -> None:
    upstream.script = replies(json_reply(b"{}", status=418, headers=((b"x-a", b"b"),)))
    response = posted(upstream)
    assert (response.status, response.headers["content-type"], response.headers["x-a"]) == (
        418,
        "application/json",
        "b",
    )
