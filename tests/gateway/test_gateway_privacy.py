"""What a user wrote is nowhere but in the request that goes to the provider: not in logs, ledger, metrics or spans."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from gateway_kit import (
    ANSWER,
    RunningGateway,
    ask,
    body_of,
    head_of,
    provider,
    raw,
    request,
    settings_for,
    stream_reply,
)
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from doubles import Fault, ScriptedUpstream, error_reply, faulty, giving_up, says
from lanewise.demo.answers import Answer
from lanewise.journey import Dialect, Usage

CANARY = "Zebra-Quartz-7741"
REPLY = Answer(model="m", text=f"You said {CANARY}.", usage=Usage(input_tokens=3, output_tokens=4))
DIALECTS: tuple[Dialect, ...] = ("messages", "chat", "responses", "gemini")


@pytest.fixture
def spans() -> InMemorySpanExporter:
    return InMemorySpanExporter()


@pytest.fixture
def private(
    tmp_path: Path, upstream: ScriptedUpstream, spans: InMemorySpanExporter, caplog: Any
) -> Iterator[RunningGateway]:
    caplog.set_level(logging.DEBUG)
    rows = {"a": provider(upstream.url)}
    tracing = TracerProvider()
    tracing.add_span_processor(SimpleSpanProcessor(spans))
    with RunningGateway(settings_for(tmp_path, rows, upstream={"first_byte_s": 0.2, "idle_s": 0.2})) as gateway:
        books = gateway.app.router._recorder._books
        books._tracer = tracing.get_tracer("test")
        yield gateway
    tracing.shutdown()


def everything_kept(
    gateway: RunningGateway, spans: InMemorySpanExporter, caplog: Any, folder: Path
) -> dict[str, bytes]:
    """All that outlives a call, by where it is."""
    metrics = request(gateway.port, "GET", "/metrics").body
    page = request(gateway.port, "GET", "/").body
    gateway.stop()
    files = {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    assert any(name.endswith("ledger.db") for name in files)
    told = "\n".join(record.getMessage() + (record.exc_text or "") for record in caplog.records)
    written = "".join(span.to_json() for span in spans.get_finished_spans())
    assert "lanewise.lane" in written
    assert "event=call" in told
    return {**files, "log": told.encode(), "spans": written.encode(), "metrics": metrics, "page": page}


def test_no_text_of_a_prompt_or_an_answer_is_kept_anywhere(
    private: RunningGateway, upstream: ScriptedUpstream, spans: InMemorySpanExporter, caplog: Any, tmp_path: Path
) -> None:
    scripts = [
        says(REPLY),
        lambda r: error_reply(r, 400),
        lambda r: error_reply(r, 529),
        faulty(says(REPLY), Fault(what="reset", after="nothing")),
        faulty(says(REPLY), Fault(what="stall", after="nothing")),
        faulty(says(REPLY), Fault(what="reset", after="pieces", count=1)),
        faulty(says(REPLY), Fault(what="stall", after="pieces", count=1)),
        giving_up(says(REPLY), 1),
    ]
    calls = 0
    for script in scripts:
        upstream.script = script
        for dialect in DIALECTS:
            for stream in (True, False):
                ask(private.port, dialect, body_of(dialect, stream=stream, text=f"My secret is {CANARY}"))
                calls += 1
    for dialect in DIALECTS:
        ask(private.port, dialect, b'{"model": "m", "messages": "' + CANARY.encode())
        ask(private.port, dialect, b'{"model":"m","model":"' + CANARY.encode() + b'"}')
        with raw(private.port) as peer:
            peer.sendall(head_of(dialect, body_of(dialect, text=CANARY)))
            peer.recv(1)
        calls += 1
    for _ in range(calls):
        private.record()
    assert any(CANARY.encode() in arrived.body for arrived in upstream.requests)
    kept = everything_kept(private, spans, caplog, tmp_path)
    assert [where for where, text in kept.items() if CANARY.encode() in text] == []


def test_a_bug_in_routing_serves_the_baseline_counts_it_and_quotes_nothing(
    private: RunningGateway,
    upstream: ScriptedUpstream,
    spans: InMemorySpanExporter,
    caplog: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def broken(*_: object) -> None:
        raise ValueError(f"cannot read {CANARY!r}")

    monkeypatch.setattr(private.app.router, "_classifier", type("Broken", (), {"read": broken})())
    for dialect in DIALECTS:
        upstream.script = lambda _, d=dialect: stream_reply(d)  # type: ignore[misc]
        got = ask(private.port, dialect, body_of(dialect, text=CANARY))
        assert (got.status, got.headers["x-lanewise-reason"]) == (200, "routing_error")
        assert got.body == b"".join(stream_reply(dialect).pieces)
        private.record()
    metrics = request(private.port, "GET", "/metrics").body.decode()
    assert 'lanewise_fallbacks_total{reason="routing_error"} 4.0' in metrics
    kept = everything_kept(private, spans, caplog, tmp_path)
    assert [where for where, text in kept.items() if CANARY.encode() in text] == []
    assert b"routing failed with ValueError; the baseline serves" in kept["log"]
    assert ANSWER.text.encode() not in kept["log"]


@pytest.mark.parametrize(("module", "part"), [("case", "allowed_lanes"), ("prefer", "choose")])
def test_a_bug_in_any_layer_serves_the_baseline(
    module: str, part: str, gateway: RunningGateway, upstream: ScriptedUpstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise KeyError("a bug")

    monkeypatch.setattr(sys.modules[f"lanewise.router.{module}"], part, broken)
    assert ask(gateway.port, "chat").status == 200
    record = gateway.record()
    assert (record.decision.reason, record.decision.chosen.model) == ("routing_error", "m")


def test_a_model_name_cannot_write_lines_into_the_log(
    private: RunningGateway, upstream: ScriptedUpstream, caplog: Any
) -> None:
    upstream.script = says(REPLY)
    ask(private.port, "chat", body_of("chat", model="m\nevent=call status=200 \x1b[31m"))
    private.record()
    [line] = [r.getMessage() for r in caplog.records if r.name == "lanewise.calls"]
    assert "\n" not in line
    assert "\x1b" not in line
