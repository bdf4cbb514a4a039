"""Signals out: the only file that spells a Prometheus or OpenTelemetry name, and the one log line per call.

Label sets are closed: every label's values come from our own enums or from the config, never from a client, so the
number of series is bounded by the config. Questions per user, session or key go to the ledger. Nothing here holds
a prompt: the values it receives have no field for one.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Collection, Mapping
from typing import TYPE_CHECKING, Any

import msgspec
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from lanewise import __version__
from lanewise.errors import LanewiseError
from lanewise.journey import Attempt, CallRecord, Dialect, Outcome

if TYPE_CHECKING:
    from opentelemetry.trace import Tracer

log = logging.getLogger("lanewise.calls")

_OVERHEAD_S = (0.0001, 0.0002, 0.0004, 0.0006, 0.001, 0.002, 0.004, 0.01, 0.02, 0.05, 0.1, 0.5)
_SECONDS = tuple(0.01 * 2**n for n in range(17))
"""0.01 * 2^n up to 655.36: the GenAI conventions end at 81.92, but agent turns run longer."""

OTHER = "other"
"""Label value of a model that the config does not name."""


class Telemetry:
    """Counters and histograms of one process."""

    def __init__(self, *, models: Callable[[], Collection[str]], providers: Callable[[], Collection[str]]) -> None:
        self._models = models
        self._providers = providers
        self._children: dict[tuple[object, ...], Counter] = {}
        self.registry = registry = CollectorRegistry()
        self._requests = Counter(
            "lanewise_requests",
            "Calls by what came of them.",
            ["dialect", "lane", "skill", "outcome"],
            registry=registry,
        )
        self._attempts = Counter(
            "lanewise_attempts", "Tries at providers.", ["provider", "model", "outcome"], registry=registry
        )
        self._overhead = Histogram(
            "lanewise_overhead_seconds",
            "Our own share: from the request's last byte to handing it to the transport.",
            buckets=_OVERHEAD_S,
            registry=registry,
        )
        self._first_byte = Histogram(
            "lanewise_time_to_first_byte_seconds",
            "From the request's last byte to the first byte of the answer's body.",
            buckets=_SECONDS,
            registry=registry,
        )
        self._tokens = Counter("lanewise_tokens", "Tokens as billed.", ["model", "kind"], registry=registry)
        self._cost = Counter(
            "lanewise_cost_usd", "Cost where the price is known.", ["model", "lane"], registry=registry
        )
        self._saved = Counter(
            "lanewise_saved_usd",
            "Baseline cost minus cost, where both are known and the difference is positive.",
            ["baseline"],
            registry=registry,
        )
        self._unknown_cost = Counter(
            "lanewise_unknown_cost_calls", "Answered calls without a known price.", ["model"], registry=registry
        )
        self._fallbacks = Counter(
            "lanewise_fallbacks", "Calls another candidate served than the one chosen.", ["reason"], registry=registry
        )
        self._refused = Counter(
            "lanewise_refused", "Calls refused before routing, by error code.", ["dialect", "code"], registry=registry
        )
        self._opinions = Counter(
            "lanewise_second_opinions",
            "Questions for a skill that the student was unsure of, by who was asked and what came of it.",
            ["source", "outcome"],
            registry=registry,
        )
        self._hedges = Counter(
            "lanewise_hedges",
            "Second requests beside a slow first one, by who answered.",
            ["outcome"],
            registry=registry,
        )
        self._engine_calls = Gauge(
            "lanewise_engine_calls",
            "Calls at a local engine as it says itself, everybody's; absent while unknown.",
            ["provider", "state"],
            registry=registry,
        )
        self._refusing = Gauge(
            "lanewise_refusing",
            "1 while a provider counts as full after a 429 or 503.",
            ["provider"],
            registry=registry,
        )
        self._in_flight = Gauge("lanewise_in_flight", "Calls under way.", ["provider"], registry=registry)
        self._breaker = Gauge(
            "lanewise_breaker_state", "0 closed, 1 half open, 2 open.", ["provider"], registry=registry
        )
        self._dropped = Gauge(
            "lanewise_ledger_dropped",
            "Calls the ledger lost since start: buffer full, or content refused.",
            registry=registry,
        )
        Gauge("lanewise_build_info", "Version.", ["version"], registry=registry).labels(__version__).set(1)

    def call_finished(self, record: CallRecord) -> None:
        """Count one call."""
        outcome = record.outcome
        served = outcome.served or record.decision.chosen
        model = self._known(served.model)
        self._of(self._requests, record.dialect, served.lane, record.reading.label.skill, _word(outcome)).inc()
        self._overhead.observe(outcome.overhead_us / 1e6)
        if outcome.first_byte_us is not None:
            self._first_byte.observe(outcome.first_byte_us / 1e6)
        for attempt in record.attempts:
            provider = attempt.candidate.provider
            self._of(self._attempts, provider, self._known(attempt.candidate.model), _attempt_word(attempt)).inc()
            if attempt.hedge:
                self._of(self._hedges, "lost" if attempt.error else "won").inc()
        if usage := outcome.usage:
            written = usage.cache_write_5m_tokens + usage.cache_write_1h_tokens
            self._of(self._tokens, model, "input").inc(usage.input_tokens)
            self._of(self._tokens, model, "cache_read").inc(usage.cache_read_tokens)
            self._of(self._tokens, model, "cache_write").inc(written)
            self._of(self._tokens, model, "output").inc(usage.output_tokens)
            self._count_money(outcome, model, served.lane, self._known(record.decision.baseline.model))
        elif outcome.cost is not None:  # nobody answered, but a second opinion was paid for
            self._of(self._cost, model, served.lane).inc(outcome.cost.total_pusd / 1e12)
        if outcome.served and outcome.served != record.decision.chosen:
            self._fallbacks.labels("upstream_failed").inc()

    def routing_failed(self) -> None:
        """A bug of ours in classify, route or select sent the call to the baseline."""
        self._fallbacks.labels("routing_error").inc()

    def asked(self, source: str, outcome: str) -> None:
        """A second opinion was asked for; both words are of closed sets."""
        self._of(self._opinions, source, outcome).inc()

    def refused(self, dialect: Dialect | None, code: str) -> None:
        """A call was refused before it was routed; `code` is one of `errors`."""
        self._of(self._refused, dialect or "unknown", code).inc()

    def _of(self, counter: Counter, *labels: str) -> Counter:
        """The counter's child for `labels`, looked up once: the library's own look-up locks and checks each time."""
        key = (counter, *labels)
        found = self._children.get(key)
        if found is None:
            found = self._children[key] = counter.labels(*labels)
        return found

    def _count_money(self, outcome: Outcome, model: str, lane: str, baseline: str) -> None:
        if outcome.cost is None:
            self._of(self._unknown_cost, model).inc()
            return
        self._of(self._cost, model, lane).inc(outcome.cost.total_pusd / 1e12)
        if outcome.baseline_cost is not None:
            self._of(self._saved, baseline).inc(
                max(0, outcome.baseline_cost.total_pusd - outcome.cost.total_pusd) / 1e12
            )

    def _known(self, model: str) -> str:
        return model if model in self._models() else OTHER

    def scrape(
        self,
        *,
        breakers: Mapping[str, str],
        in_flight: Mapping[str, int],
        engines: Mapping[str, tuple[int | None, int | None]],
        refusing: Collection[str],
        dropped: int,
    ) -> bytes:
        """The text of /metrics; gauges are read at this moment.

        Args:
            breakers: State by provider.
            in_flight: Calls of ours by provider.
            engines: (running, waiting) by provider, as far as the engine says.
            refusing: Providers that count as full.
            dropped: Calls the ledger lost.
        """
        self._engine_calls.clear()
        for provider in self._providers():
            state = breakers.get(provider, "closed")
            self._breaker.labels(provider).set({"closed": 0, "half_open": 1, "open": 2}[state])
            self._in_flight.labels(provider).set(in_flight.get(provider, 0))
            self._refusing.labels(provider).set(provider in refusing)
            for word, calls in zip(("running", "waiting"), engines.get(provider, (None, None)), strict=True):
                if calls is not None:
                    self._engine_calls.labels(provider, word).set(calls)
        self._dropped.set(dropped)
        return generate_latest(self.registry)


def _word(outcome: Outcome) -> str:
    """ok, client_error, upstream_error, client_left or cut."""
    if outcome.status == 499:
        return "client_left"
    if outcome.error and outcome.status < 400:
        return "cut"
    if outcome.status >= 500 or outcome.status == 429:
        return "upstream_error"
    return "client_error" if outcome.status >= 400 else "ok"


def _attempt_word(attempt: Attempt) -> str:
    if attempt.status is None:
        return attempt.error or "no_answer"
    return (
        "ok" if attempt.status < 400 else "rate_limited" if attempt.status == 429 else f"http_{attempt.status // 100}xx"
    )


# -- the log line -----------------------------------------------------------------------------------------


def log_call(record: CallRecord, *, style: str) -> None:
    """One line per call on the `lanewise.calls` logger: labels and numbers only.

    Args:
        record: What happened.
        style: ``text``, ``json`` or ``off``.
    """
    if style != "off":
        log.info(_rendered(line_of(record), style))


def _rendered(facts: Mapping[str, str | float | None], style: str) -> str:
    if style == "json":
        return msgspec.json.encode(facts).decode()
    return " ".join(f"{key}={_field(value)}" for key, value in facts.items() if value not in ("", None))


def _field(value: str | float | None) -> str:
    """The value as it stands; quoted where a caller's model name could end the line or forge a field."""
    text = str(value)
    return text if text.isprintable() and not {" ", '"', "="} & set(text) else json.dumps(text)


def log_refusal(call_id: str, dialect: Dialect | None, error: LanewiseError, *, style: str) -> None:
    """One line for a call that was refused before it was routed; the message may quote the caller, so only the code."""
    if style != "off":
        facts = {"event": "refused", "call_id": call_id, "dialect": dialect or "unknown"}
        log.info(_rendered({**facts, "status": error.status, "error": error.code}, style))


def line_of(record: CallRecord) -> dict[str, str | int | float | None]:
    """The fields of the log line."""
    outcome, reading = record.outcome, record.reading
    served = outcome.served or record.decision.chosen
    cost, baseline = outcome.cost, outcome.baseline_cost
    return {
        "event": "call",
        "call_id": record.call_id,
        "status": outcome.status,
        "error": outcome.error,
        "client": reading.turn.client,
        "turn": reading.turn.housekeeping or reading.turn.kind,
        "skill": reading.label.skill,
        "lane": served.lane,
        "model": served.model,
        "provider": served.provider,
        "reason": record.decision.reason,
        "attempts": len(record.attempts),
        "duration_ms": outcome.duration_us // 1000,
        "overhead_us": outcome.overhead_us,
        "cost_usd": None if cost is None else cost.total_pusd / 1e12,
        "baseline_usd": None if baseline is None else baseline.total_pusd / 1e12,
    }


# -- spans ------------------------------------------------------------------------------------------------


def tracer_for(env: Mapping[str, str]) -> Tracer | None:
    """A tracer that exports over OTLP, or None where no endpoint is configured.

    Raises:
        ImportError: An endpoint is configured and the `otel` extra is not installed.
    """
    if not (env.get("OTEL_EXPORTER_OTLP_ENDPOINT") or env.get("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")):
        return None
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415 - an extra
    from opentelemetry.sdk.resources import Resource  # noqa: PLC0415 - an extra
    from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415 - an extra
    from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415 - an extra

    provider = TracerProvider(resource=Resource.create({"service.name": "lanewise", "service.version": __version__}))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    return provider.get_tracer("lanewise", __version__)


def export_span(tracer: Tracer, record: CallRecord, *, latest_names: bool) -> None:
    """One client span for a finished call, times as measured.

    Args:
        tracer: See `tracer_for`.
        record: What happened.
        latest_names: Use the names of the GenAI conventions' own repository instead of v1.41
            (``OTEL_SEMCONV_STABILITY_OPT_IN=gen_ai_latest_experimental``).
    """
    from opentelemetry.trace import SpanKind, StatusCode  # noqa: PLC0415 - only where spans are exported

    start_ns = int(record.started_at.timestamp() * 1e9)
    operation = "embeddings" if record.operation == "embeddings" else "chat"
    span = tracer.start_span(f"{operation} {record.requested_model}", kind=SpanKind.CLIENT, start_time=start_ns)
    for key, value in span_attributes(record, latest_names=latest_names).items():
        span.set_attribute(key, value)
    if record.outcome.error or record.outcome.status >= 400:
        span.set_status(StatusCode.ERROR)
    span.end(start_ns + record.outcome.duration_us * 1000)


def span_attributes(record: CallRecord, *, latest_names: bool) -> dict[str, Any]:
    """Attribute name -> value (strings, numbers, booleans)."""
    outcome, reading, decision = record.outcome, record.reading, record.decision
    served = outcome.served or decision.chosen
    attributes: dict[str, Any] = {
        "gen_ai.operation.name": "embeddings" if record.operation == "embeddings" else "chat",
        "gen_ai.provider.name" if latest_names else "gen_ai.system": served.provider,
        "gen_ai.request.model": record.requested_model,
        "gen_ai.response.model": served.model,
        "gen_ai.conversation.id": reading.identity.session_id,
        "lanewise.skill": reading.label.skill,
        "lanewise.turn": reading.turn.kind,
        "lanewise.lane": served.lane,
        "lanewise.decision.reason": decision.reason,
        "lanewise.decision.propensity": decision.propensity,
        "lanewise.overhead": outcome.overhead_us / 1e6,
    }
    if latest_names:
        attributes["gen_ai.request.stream"] = record.stream
    if outcome.error or outcome.status >= 400:
        attributes["error.type"] = outcome.error or str(outcome.status)
    if outcome.cost is not None:
        attributes["lanewise.cost.usd"] = outcome.cost.total_pusd / 1e12
        if outcome.baseline_cost is not None:
            saved_pusd = outcome.baseline_cost.total_pusd - outcome.cost.total_pusd
            attributes["lanewise.saved.usd"] = saved_pusd / 1e12
    if usage := outcome.usage:
        attributes["gen_ai.usage.input_tokens"] = usage.prompt_tokens
        attributes["gen_ai.usage.output_tokens"] = usage.output_tokens
        if latest_names:
            attributes["gen_ai.usage.cache_read.input_tokens"] = usage.cache_read_tokens
            attributes["gen_ai.usage.cache_write.input_tokens"] = (
                usage.cache_write_5m_tokens + usage.cache_write_1h_tokens
            )
            attributes["gen_ai.usage.reasoning.output_tokens"] = usage.reasoning_tokens
    return attributes
