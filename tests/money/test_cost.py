"""What a call costs: each bucket at its own rate, at the level, tier, hour and date it was made."""

import datetime as dt

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lanewise.journey import Cost, Usage
from lanewise.money import Level, ModelPrice, OffPeak, PriceBook, Rates, Rise, Window, cost

NOON = dt.datetime(2026, 11, 25, 12, 0, tzinfo=dt.UTC)  # a Wednesday
BOOK = PriceBook.load()


def rates(scale=1):
    return Rates(
        input_pusd=100 * scale,
        cache_read_pusd=10 * scale,
        cache_write_5m_pusd=125 * scale,
        cache_write_1h_pusd=200 * scale,
        output_pusd=500 * scale,
    )


def priced(**changes):
    fields = {"model": "m", "vendor": "v", "levels": (Level(standard=rates()),), "snapshot": "s1"}
    return ModelPrice(**{**fields, **changes})


def test_each_bucket_is_charged_at_its_own_rate_and_the_total_is_their_sum():
    usage = Usage(
        input_tokens=1_000,
        cache_read_tokens=200_000,
        cache_write_5m_tokens=3_000,
        cache_write_1h_tokens=40_000,
        output_tokens=2_000,
        reasoning_tokens=1_500,  # inside output, not charged again
    )
    # claude-opus-5-5: $4 in, $0.20 read, $5 write, $8 write for an hour, $20 out per million tokens
    # 1,000 * 4e6 = 4.0e9; 200,000 * 0.2e6 = 40.0e9; 3,000 * 5e6 + 40,000 * 8e6 = 335.0e9; 2,000 * 20e6 = 40.0e9
    assert cost(usage, BOOK.find("claude-opus-5-5"), at=NOON) == Cost(
        total_pusd=419_000_000_000,  # $0.419
        input_pusd=4_000_000_000,
        cache_read_pusd=40_000_000_000,
        cache_write_pusd=335_000_000_000,
        output_pusd=40_000_000_000,
        snapshot=BOOK.snapshot,
    )


@pytest.mark.parametrize(
    ("prompt_tokens", "total"),
    [
        (100_000, 10_000_000_000),  # 100,000 * $0.10/M = $0.01
        (100_001, 50_000_500_000),  # 100,001 * $0.50/M: the whole prompt at the dearer rate, not only the excess
    ],
)
def test_a_size_tier_starts_above_its_threshold_and_charges_the_whole_prompt(prompt_tokens, total):
    price = BOOK.find("claude-haiku-5-5")
    assert cost(Usage(input_tokens=prompt_tokens), price, at=NOON).total_pusd == total


def test_cached_tokens_count_towards_the_size_tier():
    usage = Usage(input_tokens=1, cache_read_tokens=100_000)
    # above 100k: 1 * $0.50/M + 100,000 * $0.05/M
    assert cost(usage, BOOK.find("claude-haiku-5-5"), at=NOON).total_pusd == 500_000 + 5_000_000_000


def test_the_highest_tier_passed_is_the_one_charged():
    price = BOOK.find("qwen3-coder-plus", "dashscope")
    figures = [price.level(size).standard.input_pusd for size in (32_000, 32_001, 128_001, 256_001)]
    assert figures == [1_000_000, 1_800_000, 3_000_000, 6_000_000]


@pytest.mark.parametrize(
    ("service_tier", "scale"),
    [("standard", 1), ("batch", 2), ("flex", 3), ("priority", 4)],
)
def test_the_tier_that_served_the_call_picks_the_rates(service_tier, scale):
    level = Level(standard=rates(1), batch=rates(2), flex=rates(3), priority=rates(4))
    usage = Usage(input_tokens=1, service_tier=service_tier)
    assert cost(usage, priced(levels=(level,)), at=NOON).total_pusd == 100 * scale


@pytest.mark.parametrize("service_tier", ["batch", "flex", "priority"])
def test_a_tier_without_a_published_price_is_charged_as_standard(service_tier):
    assert cost(Usage(input_tokens=1, service_tier=service_tier), priced(), at=NOON).total_pusd == 100


def test_a_call_in_a_providers_batch_is_charged_at_batch_rates_whatever_tier_it_names():
    usage = Usage(input_tokens=10_000, cache_read_tokens=10_000, output_tokens=1_000)
    # claude-opus-5-5 in batch: 10,000 * $2/M + 10,000 * $0.10/M + 1,000 * $10/M = 0.02 + 0.001 + 0.01
    assert cost(usage, BOOK.find("claude-opus-5-5"), at=NOON, lane_batch=True).total_pusd == 31_000_000_000


def test_a_batch_without_a_published_discount_saves_nothing():
    usage = Usage(input_tokens=10_000, output_tokens=1_000)
    codex = BOOK.find("gpt-5.3-codex")
    assert codex.batch is None
    assert cost(usage, codex, at=NOON, lane_batch=True) == cost(usage, codex, at=NOON)


def test_a_size_tier_without_a_discount_of_its_own_is_charged_as_standard():
    levels = (Level(standard=rates(4), batch=rates(2)), Level(above_prompt_tokens=10, standard=rates(8)))
    assert cost(Usage(input_tokens=11), priced(levels=levels), at=NOON, lane_batch=True).total_pusd == 11 * 800


@pytest.mark.parametrize(
    ("moment", "in_peak"),
    [
        ("2026-11-23T00:59:59+00:00", False),  # Monday
        ("2026-11-23T01:00:00+00:00", True),
        ("2026-11-23T03:59:59+00:00", True),
        ("2026-11-23T04:00:00+00:00", False),
        ("2026-11-23T06:00:00+00:00", True),
        ("2026-11-23T09:59:59+00:00", True),
        ("2026-11-23T10:00:00+00:00", False),
        ("2026-11-23T23:59:59+00:00", False),
        ("2026-11-27T02:00:00+00:00", True),  # Friday
        ("2026-11-28T02:00:00+00:00", False),  # Saturday: no peak
        ("2026-11-29T07:00:00+00:00", False),  # Sunday
        ("2026-11-27T20:30:00-05:00", False),  # Friday evening in New York is Saturday 01:30 UTC
        ("2026-11-22T21:30:00-05:00", True),  # Sunday evening in New York is Monday 02:30 UTC
    ],
)
def test_deepseek_costs_half_outside_the_weekday_peaks(moment, in_peak):
    usage = Usage(input_tokens=1_000, cache_read_tokens=1_000, output_tokens=1_000)
    # peak: 1,000 * ($0.30 + $0.006 + $1.20)/M = 1,506e6 pico-dollars; off-peak half
    expected = 1_506_000_000 if in_peak else 753_000_000
    at = dt.datetime.fromisoformat(moment)
    assert cost(usage, BOOK.find("deepseek-flash"), at=at).total_pusd == expected


def test_the_clock_touches_neither_other_tiers_nor_longer_prompts():
    always = OffPeak(rates=rates(1), windows=(Window(weekdays=(3,), start_minute=0, end_minute=1440),))
    levels = (Level(standard=rates(8), priority=rates(16)), Level(above_prompt_tokens=10, standard=rates(32)))
    price = priced(levels=levels, off_peak=always)
    assert cost(Usage(input_tokens=1), price, at=NOON).total_pusd == 100
    assert cost(Usage(input_tokens=1, service_tier="priority"), price, at=NOON).total_pusd == 1_600
    assert cost(Usage(input_tokens=11), price, at=NOON).total_pusd == 11 * 3_200


@pytest.mark.parametrize(
    ("moment", "factor"),
    [("2026-11-30T23:59:59+00:00", 1), ("2026-12-01T00:00:00+00:00", 2), ("2026-11-30T20:00:00-05:00", 2)],
)
def test_an_announced_rise_holds_from_midnight_utc(moment, factor):
    price = priced(rises=(Rise(since=dt.date(2026, 12, 1), factor=2),))
    at = dt.datetime.fromisoformat(moment)
    assert cost(Usage(input_tokens=3), price, at=at).total_pusd == 300 * factor


def test_a_time_without_a_zone_is_refused():
    with pytest.raises(ValueError, match="timezone-aware"):
        cost(Usage(), priced(), at=dt.datetime(2026, 11, 25))


tokens = st.integers(min_value=0, max_value=10_000_000)
usages = st.builds(
    Usage,
    input_tokens=tokens,
    cache_read_tokens=tokens,
    cache_write_5m_tokens=tokens,
    cache_write_1h_tokens=tokens,
    output_tokens=tokens,
    service_tier=st.sampled_from(["standard", "batch", "flex", "priority"]),
)
BUCKETS = ("input_tokens", "cache_read_tokens", "cache_write_5m_tokens", "cache_write_1h_tokens", "output_tokens")


@settings(deadline=None)
@given(usages)
def test_the_cost_of_a_call_is_the_sum_of_the_costs_of_its_buckets(usage):
    alone = [Usage(**{bucket: getattr(usage, bucket)}, service_tier=usage.service_tier) for bucket in BUCKETS]
    whole = cost(usage, priced(), at=NOON)
    assert whole.total_pusd == sum(cost(part, priced(), at=NOON).total_pusd for part in alone)
    assert whole.total_pusd == whole.input_pusd + whole.cache_read_pusd + whole.cache_write_pusd + whole.output_pusd
    assert all(type(getattr(whole, field)) is int for field in Cost.__struct_fields__ if field.endswith("_pusd"))


@settings(deadline=None)
@given(usages, st.sampled_from(BUCKETS), st.integers(min_value=1, max_value=500_000))
def test_more_tokens_never_cost_less(usage, bucket, extra):
    standard = {name: getattr(usage, name) for name in BUCKETS}
    more = {**standard, bucket: standard[bucket] + extra}
    for name in ("claude-opus-5-5", "claude-haiku-5-5", "gpt-6.1-sol", "deepseek-flash"):
        price = BOOK.find(name)
        before, after = cost(Usage(**standard), price, at=NOON), cost(Usage(**more), price, at=NOON)
        assert after.total_pusd > before.total_pusd
