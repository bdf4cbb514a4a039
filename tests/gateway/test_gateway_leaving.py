"""Clients that leave, read slowly or wait while the gateway stops: nothing goes on for nobody, nothing piles up."""

from __future__ import annotations

import os
import resource
import socket
import threading
from pathlib import Path
from typing import Any

import pytest
from gateway_kit import (
    ANSWER,
    STREAMED,
    WAIT_S,
    RunningGateway,
    ask,
    body_of,
    everything,
    head_of,
    provider,
    raw,
    settings_for,
    stream_reply,
    until,
)

from doubles import Fault, Reply, ScriptedUpstream, faulty, says
from lanewise.journey import Dialect

EACH = pytest.mark.parametrize("dialect", STREAMED)
NOTICED_S = 1.0
"""Within this time a provider has to learn that nobody waits any more."""


@EACH
@pytest.mark.parametrize("stream", [True, False], ids=["stream", "whole"])
def test_a_client_that_leaves_before_the_first_byte_ends_the_upstream_call(
    dialect: Dialect, stream: bool, gateway: RunningGateway, upstream: ScriptedUpstream
) -> None:
    upstream.script = faulty(says(ANSWER), Fault(what="stall", after="nothing"))
    with raw(gateway.port) as peer:
        peer.sendall(head_of(dialect, body_of(dialect, stream=stream)))
        upstream.wait_for_request()
    upstream.wait_for_disconnect(timeout_s=NOTICED_S)
    record = gateway.record()
    assert (record.outcome.status, record.outcome.error) == (499, "client_left")
    assert [(a.status, a.error) for a in record.attempts] == [(None, "client_left")]


@EACH
def test_a_client_that_leaves_in_the_stream_ends_the_upstream_call(
    dialect: Dialect, gateway: RunningGateway, upstream: ScriptedUpstream
) -> None:
    reply = stream_reply(dialect, fault=Fault(what="stall", after="pieces", count=2))
    upstream.script = lambda _: reply
    with raw(gateway.port) as peer:
        peer.sendall(head_of(dialect, body_of(dialect)))
        until(peer, reply.pieces[1])
    upstream.wait_for_disconnect(timeout_s=NOTICED_S)
    assert gateway.record().outcome.error == "client_left"


def test_a_client_that_leaves_while_a_whole_answer_arrives_ends_the_upstream_call(
    gateway: RunningGateway, upstream: ScriptedUpstream
) -> None:
    upstream.script = faulty(says(ANSWER), Fault(what="stall", after="bytes", count=20))
    with raw(gateway.port) as peer:
        peer.sendall(head_of("chat", body_of("chat", stream=False)))
        upstream.wait_for_request()
    upstream.wait_for_disconnect(timeout_s=NOTICED_S)
    assert gateway.record().outcome.status == 499


def test_a_client_that_leaves_between_two_tries_is_not_tried_for_again(
    gateway: RunningGateway, upstream: ScriptedUpstream
) -> None:
    upstream.script = lambda _: Reply(status=503, headers=((b"retry-after", b"9"),))
    rows = {"a": provider(upstream.url)}
    gateway.use(settings_for(Path(gateway._settings.server.data), rows, upstream={"retries": 3}))
    with raw(gateway.port) as peer:
        peer.sendall(head_of("chat", body_of("chat")))
        upstream.wait_for_request()
    assert gateway.record().outcome.error == "client_left"
    assert len(upstream.requests) == 1


def test_a_client_that_leaves_in_its_own_request_costs_nothing_upstream(
    gateway: RunningGateway, upstream: ScriptedUpstream
) -> None:
    with raw(gateway.port) as peer:
        peer.sendall(head_of("chat", body_of("chat"))[:-5])
    assert ask(gateway.port, "messages").status == 200
    assert [r.path for r in upstream.requests] == ["/v1/messages"]


def test_after_a_client_left_the_breaker_is_as_before(gateway: RunningGateway, upstream: ScriptedUpstream) -> None:
    upstream.script = faulty(says(ANSWER), Fault(what="stall", after="nothing"))
    health = gateway.app.health
    before = health.of("scripted")._failures
    with raw(gateway.port) as peer:
        peer.sendall(head_of("chat", body_of("chat")))
        upstream.wait_for_request()
    gateway.record()
    assert health.in_flight()["scripted"] == 0
    assert health.of("scripted")._failures == before


class Flood:
    """An upstream that streams for ever and notes how much its peer takes before it blocks."""

    PIECE = b"data: " + b"x" * 65_000 + b"\n\n"
    BLOCKED_S = 0.5

    def __init__(self, total: int) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.listener.settimeout(WAIT_S)
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        self.total = total
        self.blocked_at: list[int] = []
        self.blocked = threading.Event()
        self.go_on = threading.Event()
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()

    def _serve(self) -> None:
        peer, _ = self.listener.accept()
        with peer:
            until(peer, body_of("chat"))  # unread bytes would turn the close into a reset
            peer.sendall(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n")
            peer.settimeout(self.BLOCKED_S)
            sent = 0
            while sent < self.total:
                view = memoryview(self.PIECE)
                while view:
                    try:
                        taken = peer.send(view)
                    except TimeoutError:
                        self.blocked_at.append(sent)
                        self.blocked.set()
                        self.go_on.wait(WAIT_S)
                        continue
                    view = view[taken:]
                    sent += taken
            peer.sendall(b"data: [DONE]\n\n")


def test_a_client_that_reads_slowly_slows_the_upstream_and_fills_no_memory(gateway: RunningGateway) -> None:
    total = 96 << 20
    flood = Flood(total)
    with flood.listener, raw(gateway.port) as peer:
        gateway.use(settings_for(Path(gateway._settings.server.data), {"a": provider(flood.url)}))
        peer.sendall(head_of("chat", body_of("chat"), "connection: close"))
        before = resident_bytes()
        assert flood.blocked.wait(WAIT_S)
        # What was taken lies in the buffers of four sockets (a few MiB each) and in ours (well under one).
        assert flood.blocked_at[0] < 48 << 20
        assert resident_bytes() - before < 16 << 20
        flood.go_on.set()
        received = 0
        while data := peer.recv(1 << 20):
            received += len(data)
        flood.thread.join(WAIT_S)
    record = gateway.record()
    assert (record.outcome.error, record.outcome.status) == ("", 200)
    assert received > total


def resident_bytes() -> int:
    statm = Path("/proc/self/statm")
    if statm.exists():
        return int(statm.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


@EACH
def test_a_stream_that_is_open_when_the_gateway_stops_is_finished_and_recorded(dialect: Dialect, tmp_path: Any) -> None:
    reply = stream_reply(dialect, fault=Fault(what="stall", after="pieces", count=1))
    with ScriptedUpstream(lambda _: reply) as upstream:
        gateway = RunningGateway(settings_for(tmp_path, {"a": provider(upstream.url)}, server={"drain_s": 8.0}))
        with gateway, raw(gateway.port) as peer:
            peer.sendall(head_of(dialect, body_of(dialect)))
            got = until(peer, reply.pieces[0])
            gateway.stopping()
            upstream.release()
            got += everything(peer)
            assert all(piece in got for piece in reply.pieces)
            assert gateway.record().outcome.error == ""
