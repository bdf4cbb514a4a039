"""Spans as OpenTelemetry's own SDK sees them, in both sets of names."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode, Tracer
from telemetry_kit import CLOUD, GPU, STARTED_AT, made_call

from lanewise.telemetry import export_span, span_attributes, tracer_for

BOTH = pytest.mark.parametrize("latest_names", [False, True], ids=["v1.41", "latest"])

SHARED: dict[str, Any] = {
    "gen_ai.operation.name": "chat",
    "gen_ai.request.model": "big",
    "gen_ai.response.model": "small",
    "gen_ai.conversation.id": "s-1",
    "gen_ai.usage.input_tokens": 407,  # 100 + 300 read + 7 written
    "gen_ai.usage.output_tokens": 50,
    "lanewise.skill": "debugging",
    "lanewise.turn": "main",
    "lanewise.lane": "local",
    "lanewise.decision.reason": "cheapest_allowed",
    "lanewise.decision.propensity": 0.9,
    "lanewise.overhead": 0.0002,
    "lanewise.cost.usd": 0.02,
    "lanewise.saved.usd": 0.08,
}
NAMES: dict[bool, dict[str, Any]] = {
    False: {"gen_ai.system": "gpu"},
    True: {
        "gen_ai.provider.name": "gpu",
        "gen_ai.request.stream": True,
        "gen_ai.usage.cache_read.input_tokens": 300,
        "gen_ai.usage.cache_write.input_tokens": 7,
        "gen_ai.usage.reasoning.output_tokens": 20,
    },
}


@pytest.fixture
def exporter() -> InMemorySpanExporter:
    return InMemorySpanExporter()


@pytest.fixture
def tracer(exporter: InMemorySpanExporter) -> Iterator[Tracer]:
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    yield provider.get_tracer("lanewise")
    provider.shutdown()


def exported(tracer: Tracer, exporter: InMemorySpanExporter, *, latest_names: bool, **changes: Any) -> ReadableSpan:
    export_span(tracer, made_call(**changes), latest_names=latest_names)
    (span,) = exporter.get_finished_spans()
    return span


@BOTH
def test_a_span_carries_exactly_the_names_of_its_set(latest_names: bool, tracer, exporter):
    span = exported(tracer, exporter, latest_names=latest_names, served=GPU)
    assert dict(span.attributes or {}) == {**SHARED, **NAMES[latest_names]}


@BOTH
def test_a_span_lasts_as_long_as_the_call_did(latest_names: bool, tracer, exporter):
    span = exported(tracer, exporter, latest_names=latest_names, duration_us=1_500_000)
    assert span.start_time == int(STARTED_AT.timestamp()) * 10**9
    assert span.end_time == span.start_time + 1_500_000_000
    assert (span.kind, span.name, span.status.status_code) == (SpanKind.CLIENT, "chat big", StatusCode.UNSET)


@BOTH
@pytest.mark.parametrize(
    ("status", "error", "kind"),
    [(502, "connect_failed", "connect_failed"), (404, "", "404"), (200, "stream_cut", "stream_cut")],
)
def test_a_failed_call_is_a_failed_span_with_its_kind(latest_names, status, error, kind, tracer, exporter):
    span = exported(tracer, exporter, latest_names=latest_names, status=status, error=error)
    assert span.status.status_code is StatusCode.ERROR
    assert (span.attributes or {})["error.type"] == kind


def test_embeddings_are_named_as_such(tracer, exporter):
    span = exported(tracer, exporter, latest_names=True, operation="embeddings", requested_model="e")
    assert (span.name, (span.attributes or {})["gen_ai.operation.name"]) == ("embeddings e", "embeddings")


@BOTH
def test_what_is_unknown_is_absent_rather_than_zero(latest_names: bool):
    found = span_attributes(made_call(usage=None, cost_pusd=None, baseline_pusd=None), latest_names=latest_names)
    assert not [name for name in found if "usage" in name or "usd" in name or name == "error.type"]
    found = span_attributes(made_call(baseline_pusd=None), latest_names=latest_names)
    assert "lanewise.cost.usd" in found
    assert "lanewise.saved.usd" not in found


def test_a_call_that_nobody_served_names_who_was_chosen():
    found = span_attributes(made_call(served=None, chosen=CLOUD, status=502), latest_names=True)
    assert (found["gen_ai.provider.name"], found["gen_ai.response.model"]) == ("cloud", "big")


def test_without_an_endpoint_there_is_no_tracer():
    assert tracer_for({}) is None
    assert tracer_for({"OTEL_EXPORTER_OTLP_ENDPOINT": ""}) is None


@pytest.mark.parametrize("name", ["OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"])
def test_an_endpoint_makes_a_tracer_with_the_service_named(name: str, monkeypatch):
    monkeypatch.setenv(name, "http://127.0.0.1:9")
    found = tracer_for({name: "http://127.0.0.1:9"})
    assert found is not None
    resource = found.resource.attributes  # type: ignore[attr-defined]
    assert resource["service.name"] == "lanewise"
