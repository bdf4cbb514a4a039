"""The printed result fits 100 columns, says what is simulated and hides no unknown price."""

from __future__ import annotations

import msgspec

from lanewise.demo.summary import Quality, Share, Summary
from lanewise.demo.tables import closing, headline, plain, tables

SHARE = Share(calls=300, share=0.75, cost_usd=1.25, unknown_cost_calls=0)
SUMMARY = Summary(
    seed=7,
    calls=400,
    failed_calls=0,
    sessions=57,
    baseline="claude-opus-5-5",
    baseline_cost_usd=5.0,
    cost_usd=1.25,
    saved_share=0.75,
    baseline_same_tokens_usd=6.0,
    unknown_cost_calls=0,
    lanes={"local": SHARE, "batch": msgspec.structs.replace(SHARE, calls=100, share=0.25)},
    skills={"code_explanation": SHARE},
    models={"claude-haiku-5-5": SHARE},
    quality=Quality(tasks=97, solved=90, baseline_solved=96),
    latency_scale=100,
    overhead_p50_us=900,
    elapsed_s=6.0,
    url="http://127.0.0.1:4311",
)


def printed(summary: Summary) -> str:
    parts = [headline(summary), *(f"{t.title}\n{plain(t)}" for t in tables(summary)), closing(summary)]
    return "\n".join(parts)


def test_columns_are_aligned():
    assert plain(tables(SUMMARY)[0]).splitlines() == [
        "lane   calls  share     cost",
        "local    300  75.0%  $1.2500",
        "batch    100  25.0%  $1.2500",
    ]


def test_the_closing_names_the_baseline_the_saving_and_both_qualities():
    assert closing(SUMMARY).splitlines() == [
        "spent                  $1.2500",
        "claude-opus-5-5 alone  $5.0000, the baseline: the same day never routed",
        "saved                  75.0% (simulated traffic at list prices)",
        "tasks solved           90 of 97 routed, 96 of 97 by the baseline (simulated)",
    ]


def test_failures_and_unknown_prices_are_shown_where_there_are_any():
    worse = msgspec.structs.replace(
        SUMMARY,
        failed_calls=2,
        unknown_cost_calls=3,
        lanes={"local": msgspec.structs.replace(SHARE, unknown_cost_calls=3, cost_usd=0.0)},
    )
    assert "failed calls           2" in closing(worse)
    assert "unknown price          3 calls, not in the sums above" in closing(worse)
    assert plain(tables(worse)[0]).splitlines()[1] == "local    300  75.0%  unknown for 3"


def test_every_part_says_simulated_and_no_line_exceeds_100_columns():
    for part in (headline(SUMMARY), *(t.title for t in tables(SUMMARY)), closing(SUMMARY)):
        assert "simulated" in part.lower()
    assert max(map(len, printed(SUMMARY).splitlines())) <= 100
