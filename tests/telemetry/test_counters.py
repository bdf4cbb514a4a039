"""What /metrics shows: counters per outcome, in label sets that no caller can widen."""

from __future__ import annotations

import datetime as dt
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families
from telemetry_kit import CLOUD, GPU, RETRIED, STARTED_AT, USAGE, made_call

from lanewise.journey import Attempt, Usage
from lanewise.telemetry import Telemetry

MODELS = ("big", "small")
PROVIDERS = ("cloud", "gpu")


def telemetry() -> Telemetry:
    return Telemetry(models=lambda: MODELS, providers=lambda: PROVIDERS)


def scraped(metrics: Telemetry, **state: Any) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    """Sample name and labels -> value, as a Prometheus server would read them."""
    text = metrics.scrape(
        **{"breakers": {}, "in_flight": {}, "engines": {}, "refusing": (), "dropped": 0, **state}
    ).decode()
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if not sample.name.endswith("_created")
    }


def counted(metrics: Telemetry, name: str, **state: Any) -> dict[tuple[str, ...], float]:
    """Label values in alphabetical order of their names -> value."""
    return {
        tuple(value for _, value in sorted(labels)): value
        for (sample, labels), value in scraped(metrics, **state).items()
        if sample == name
    }


@pytest.mark.parametrize(
    ("status", "error", "word"),
    [
        (200, "", "ok"),
        (302, "", "ok"),
        (400, "malformed_body", "client_error"),
        (404, "", "client_error"),
        (429, "", "upstream_error"),
        (499, "client_left", "client_left"),
        (500, "", "upstream_error"),
        (502, "connect_failed", "upstream_error"),
        (529, "", "upstream_error"),
        (200, "stream_cut", "cut"),
        (200, "idle_timeout", "cut"),
        (200, "overloaded_error", "cut"),  # an error event of the upstream's own in a good stream
    ],
)
def test_a_call_is_counted_once_by_what_came_of_it(status: int, error: str, word: str):
    metrics = telemetry()
    metrics.call_finished(made_call(status=status, error=error))
    assert counted(metrics, "lanewise_requests_total") == {("messages", "realtime", word, "debugging"): 1.0}


@pytest.mark.parametrize(
    ("status", "error", "word"),
    [
        (200, "", "ok"),
        (200, "stream_cut", "ok"),  # its head came; the cut is counted by the call
        (429, "upstream_status", "rate_limited"),
        (404, "", "http_4xx"),
        (503, "upstream_status", "http_5xx"),
        (None, "connect_failed", "connect_failed"),
        (None, "", "no_answer"),
    ],
)
def test_an_attempt_is_counted_by_its_status_or_its_failure(status: int | None, error: str, word: str):
    metrics = telemetry()
    attempt = Attempt(number=1, candidate=CLOUD, started_at=dt.datetime(2026, 11, 24, tzinfo=dt.UTC))
    attempt = msgspec.structs.replace(attempt, status=status, error=error)
    metrics.call_finished(made_call(attempts=(attempt,)))
    assert counted(metrics, "lanewise_attempts_total") == {("big", word, "cloud"): 1.0}


def test_each_attempt_of_a_call_counts():
    metrics = telemetry()
    metrics.call_finished(made_call(attempts=RETRIED))
    assert counted(metrics, "lanewise_attempts_total") == {
        ("big", "rate_limited", "cloud"): 1.0,
        ("small", "ok", "gpu"): 1.0,
    }


def test_tokens_are_counted_in_four_buckets():
    metrics = telemetry()
    usage = Usage(
        input_tokens=1, cache_read_tokens=20, cache_write_5m_tokens=300, cache_write_1h_tokens=4000, output_tokens=50000
    )
    metrics.call_finished(made_call(usage=usage))
    assert counted(metrics, "lanewise_tokens_total") == {
        ("input", "big"): 1.0,
        ("cache_read", "big"): 20.0,
        ("cache_write", "big"): 4300.0,
        ("output", "big"): 50000.0,
    }


def test_cost_is_counted_where_it_was_paid_and_savings_at_the_baseline():
    metrics = telemetry()
    metrics.call_finished(made_call(served=GPU, cost_pusd=2 * 10**12, baseline_pusd=10 * 10**12))
    assert counted(metrics, "lanewise_cost_usd_total") == {("local", "small"): 2.0}
    assert counted(metrics, "lanewise_saved_usd_total") == {("big",): 8.0}


def test_a_dearer_answer_counts_no_negative_saving():
    metrics = telemetry()
    metrics.call_finished(made_call(cost_pusd=3 * 10**12, baseline_pusd=10**12))
    assert counted(metrics, "lanewise_saved_usd_total") == {("big",): 0.0}


def test_an_unknown_price_is_counted_as_such_and_not_as_zero():
    metrics = telemetry()
    metrics.call_finished(made_call(served=GPU, cost_pusd=None, baseline_pusd=10**12))
    assert counted(metrics, "lanewise_unknown_cost_calls_total") == {("small",): 1.0}
    assert counted(metrics, "lanewise_cost_usd_total") == {}
    assert counted(metrics, "lanewise_saved_usd_total") == {}


def test_a_call_without_usage_says_nothing_of_money_or_tokens():
    metrics = telemetry()
    metrics.call_finished(made_call(status=502, error="connect_failed", usage=None, cost_pusd=None))
    for name in ("lanewise_tokens_total", "lanewise_cost_usd_total", "lanewise_unknown_cost_calls_total"):
        assert counted(metrics, name) == {}


def test_a_second_opinion_on_a_call_that_nobody_answered_is_in_the_cost():
    metrics = telemetry()
    metrics.call_finished(made_call(status=502, error="connect_failed", usage=None, served=None, cost_pusd=10**9))
    assert counted(metrics, "lanewise_cost_usd_total") == {("realtime", "big"): 0.001}
    assert counted(metrics, "lanewise_tokens_total") == {}


def test_fallbacks_are_counted_by_their_reason():
    metrics = telemetry()
    metrics.call_finished(made_call())
    assert counted(metrics, "lanewise_fallbacks_total") == {}
    metrics.call_finished(made_call(chosen=CLOUD, served=GPU))
    metrics.routing_failed()
    metrics.routing_failed()
    assert counted(metrics, "lanewise_fallbacks_total") == {("upstream_failed",): 1.0, ("routing_error",): 2.0}


def test_second_opinions_are_counted_by_who_was_asked_and_what_came_of_it():
    metrics = telemetry()
    for outcome in ("labelled", "timeout", "timeout"):
        metrics.asked("hosted", outcome)
    counts = counted(metrics, "lanewise_second_opinions_total")
    assert counts == {("labelled", "hosted"): 1.0, ("timeout", "hosted"): 2.0}


def test_times_are_observed_in_seconds_and_an_absent_first_byte_is_not():
    metrics = telemetry()
    metrics.call_finished(made_call(overhead_us=150, first_byte_us=250_000))
    metrics.call_finished(made_call(overhead_us=250, first_byte_us=None))
    found = scraped(metrics)
    assert found["lanewise_overhead_seconds_sum", frozenset()] == pytest.approx(0.0004)
    assert found["lanewise_overhead_seconds_bucket", frozenset({("le", "0.0002")})] == 1.0
    assert found["lanewise_time_to_first_byte_seconds_count", frozenset()] == 1.0
    assert found["lanewise_time_to_first_byte_seconds_sum", frozenset()] == 0.25


def test_gauges_show_every_provider_of_the_config_and_no_other():
    metrics = telemetry()
    state = {"breakers": {"cloud": "open", "gone": "open"}, "in_flight": {"gpu": 3, "gone": 9}, "dropped": 5}
    assert counted(metrics, "lanewise_breaker_state", **state) == {("cloud",): 2.0, ("gpu",): 0.0}
    assert counted(metrics, "lanewise_in_flight", **state) == {("cloud",): 0.0, ("gpu",): 3.0}
    assert counted(metrics, "lanewise_ledger_dropped", **state) == {(): 5.0}


def test_the_engines_own_counts_are_shown_while_they_are_known():
    metrics = telemetry()
    state = {"engines": {"gpu": (2, None), "gone": (1, 1)}, "refusing": {"cloud", "gone"}}
    assert counted(metrics, "lanewise_engine_calls", **state) == {("gpu", "running"): 2.0}
    assert counted(metrics, "lanewise_refusing", **state) == {("cloud",): 1.0, ("gpu",): 0.0}
    assert counted(metrics, "lanewise_engine_calls", engines={"gpu": (None, 0)}) == {("gpu", "waiting"): 0.0}
    assert counted(metrics, "lanewise_engine_calls", engines={}) == {}


def test_second_requests_are_counted_by_who_answered():
    metrics = telemetry()
    hedge = {"candidate": GPU, "started_at": STARTED_AT, "hedge": True}
    for error in ("", "hedge_lost", "client_left"):
        metrics.call_finished(made_call(attempts=(*RETRIED, Attempt(number=3, error=error, **hedge))))
    assert counted(metrics, "lanewise_hedges_total") == {("won",): 1.0, ("lost",): 2.0}


@pytest.mark.parametrize(("state", "value"), [("closed", 0.0), ("half_open", 1.0), ("open", 2.0)])
def test_each_state_of_a_breaker_has_its_number(state: str, value: float):
    assert counted(telemetry(), "lanewise_breaker_state", breakers={"gpu": state})["gpu",] == value


_HOSTILE = st.text(max_size=30) | st.sampled_from(
    ["big", 'x"} evil 1\n', "auto", "__proto__", "big\n", "\x00", "{", "🦊"]
)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(_HOSTILE, _HOSTILE), min_size=1, max_size=20))
def test_no_callers_name_becomes_a_label(names):
    metrics = telemetry()
    for requested, session in names:
        hostile = msgspec.structs.replace(CLOUD, model=requested, upstream_model=requested)
        metrics.call_finished(
            made_call(requested_model=requested, chosen=hostile, served=hostile, session=session, usage=USAGE)
        )
    for sample, labels in scraped(metrics):
        for name, value in labels:
            if name in {"model", "baseline"}:
                assert value in {*MODELS, "other"}, sample
            assert name in {
                "dialect", "lane", "skill", "outcome", "provider", "model", "kind", "baseline", "reason", "version", "le",
            }  # fmt: skip


def test_a_thousand_invented_models_make_one_series():
    metrics = telemetry()
    for number in range(1000):
        invented = msgspec.structs.replace(CLOUD, model=f"invented-{number}")
        metrics.call_finished(made_call(chosen=invented, served=invented))
    assert counted(metrics, "lanewise_cost_usd_total") == {("realtime", "other"): pytest.approx(20.0)}


def test_a_model_that_a_reload_adds_gets_its_own_label():
    known = ["big"]
    metrics = Telemetry(models=lambda: known, providers=lambda: ())
    metrics.call_finished(made_call(served=GPU))
    known.append("small")
    metrics.call_finished(made_call(served=GPU))
    assert counted(metrics, "lanewise_cost_usd_total") == {
        ("local", "other"): pytest.approx(0.02),
        ("local", "small"): pytest.approx(0.02),
    }


def test_the_cost_counter_of_many_small_calls_does_not_lose_them():
    metrics = telemetry()
    for _ in range(1000):
        metrics.call_finished(made_call(cost_pusd=1_000_000))  # a millionth of a dollar each
    assert counted(metrics, "lanewise_cost_usd_total")["realtime", "big"] == pytest.approx(0.001)


def test_refusals_before_routing_are_counted_by_dialect_and_code():
    metrics = telemetry()
    metrics.refused("chat", "malformed_body")
    metrics.refused(None, "unknown_path")
    assert counted(metrics, "lanewise_refused_total") == {
        ("malformed_body", "chat"): 1,
        ("unknown_path", "unknown"): 1,
    }
