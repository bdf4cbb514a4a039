"""The baseline's cache as it would have been: what a saving is measured against."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lanewise.journey import Usage
from lanewise.select import WarmPrefixes, served_elsewhere


def test_the_first_prompt_of_a_conversation_finds_nothing_cached():
    assert WarmPrefixes().seen("s", 20_000, 0.0) == 0


@pytest.mark.parametrize(
    ("first_tokens", "second_tokens", "gap_s", "cached"),
    [
        (20_000, 22_000, 10.0, 20_000),  # the prefix grew
        (20_000, 5_000, 10.0, 5_000),  # compacted: no more than the prompt itself
        (20_000, 22_000, 300.0, 20_000),  # the last second of five minutes
        (20_000, 22_000, 300.1, 0),  # gone cold
        (1_023, 2_000, 1.0, 0),  # too short to be cached at all
    ],
)
def test_a_later_prompt_finds_the_last_one_while_it_is_warm(first_tokens, second_tokens, gap_s, cached):
    prefixes = WarmPrefixes()
    prefixes.seen("s", first_tokens, 100.0)
    assert prefixes.seen("s", second_tokens, 100.0 + gap_s) == cached


def test_conversations_do_not_share_a_cache():
    prefixes = WarmPrefixes()
    prefixes.seen("a", 20_000, 0.0)
    assert prefixes.seen("b", 20_000, 1.0) == 0


def test_the_book_forgets_the_conversation_that_was_silent_longest():
    prefixes = WarmPrefixes(capacity=2)
    for session in ("a", "b", "c"):
        prefixes.seen(session, 5_000, 0.0)
    assert (prefixes.seen("a", 5_000, 1.0), prefixes.seen("c", 5_000, 1.0)) == (0, 5_000)


def test_a_prompt_served_without_any_cache_is_read_and_written_at_the_baseline():
    local = Usage(input_tokens=30_000, output_tokens=500)
    there = served_elsewhere(local, cached_tokens=28_000, writes=True)
    assert there == Usage(cache_read_tokens=28_000, cache_write_5m_tokens=2_000, output_tokens=500)


def test_a_client_that_marks_nothing_for_caching_writes_nothing():
    there = served_elsewhere(Usage(input_tokens=30_000), cached_tokens=28_000, writes=False)
    assert there == Usage(cache_read_tokens=28_000, input_tokens=2_000)


def test_the_discount_of_the_lane_that_served_is_not_lent_to_the_baseline():
    there = served_elsewhere(
        Usage(input_tokens=10, service_tier="batch", reported_cost_pusd=7), cached_tokens=0, writes=False
    )
    assert (there.service_tier, there.reported_cost_pusd) == ("standard", None)


@given(
    st.builds(
        Usage,
        input_tokens=st.integers(0, 10**6),
        cache_read_tokens=st.integers(0, 10**6),
        cache_write_5m_tokens=st.integers(0, 10**6),
        cache_write_1h_tokens=st.integers(0, 10**6),
        output_tokens=st.integers(0, 10**5),
    ),
    st.integers(0, 3 * 10**6),
    st.booleans(),
)
def test_no_prompt_token_is_lost_or_invented(usage, cached_tokens, writes):
    there = served_elsewhere(usage, cached_tokens=cached_tokens, writes=writes)
    assert there.prompt_tokens == usage.prompt_tokens
    assert there.output_tokens == usage.output_tokens
    assert min(there.input_tokens, there.cache_read_tokens, there.cache_write_5m_tokens) >= 0
