"""What lies in which model's prompt cache."""

from __future__ import annotations

import pytest

from lanewise.select.warmth import MAX_WARM, OTHER, RULES, Caches, rules_of


def served(caches: Caches, model: str, tokens: int, at_s: float, vendor: str = "anthropic", **how: bool) -> Caches:
    return caches.served(vendor, model, prompt_tokens=tokens, now_s=at_s, rules=rules_of(vendor), **how)


def warm(caches: Caches, model: str, prompt: int, at_s: float, vendor: str = "anthropic") -> int:
    return caches.tokens(vendor, model, prompt_tokens=prompt, now_s=at_s)


def test_only_the_last_prompt_that_the_model_itself_answered_is_warm_there():
    caches = served(served(Caches(), "opus", 10_000, 0), "haiku", 14_000, 10)
    assert [warm(caches, model, 15_000, 20) for model in ("opus", "haiku", "sonnet")] == [10_000, 14_000, 0]


def test_the_same_model_elsewhere_is_cold():
    assert warm(served(Caches(), "opus", 10_000, 0), "opus", 15_000, 20, vendor="bedrock") == 0


@pytest.mark.parametrize(("age_s", "tokens"), [(0, 10_000), (300, 10_000), (301, 0), (-4_000, 10_000)])
def test_a_cache_lasts_its_time_to_live_and_a_clock_that_went_back_ages_nothing(age_s, tokens):
    assert warm(served(Caches(), "opus", 10_000, 5_000), "opus", 12_000, 5_000 + age_s) == tokens


def test_use_refreshes_the_time_to_live():
    caches = served(served(Caches(), "opus", 10_000, 0), "opus", 12_000, 290)
    assert warm(caches, "opus", 13_000, 580) == 12_000


def test_a_client_may_ask_for_an_hour_where_the_vendor_sells_it():
    assert warm(served(Caches(), "opus", 10_000, 0, hour=True), "opus", 12_000, 3_600) == 10_000
    assert warm(served(Caches(), "gpt", 10_000, 0, vendor="openai", hour=True), "gpt", 12_000, 3_600, "openai") == 0


def test_what_is_unmarked_or_short_is_not_cached_and_a_mark_is_needed_only_at_anthropic():
    assert warm(served(Caches(), "opus", 10_000, 0, marked=False), "opus", 12_000, 1) == 0
    assert warm(served(Caches(), "opus", 1_023, 0), "opus", 12_000, 1) == 0
    assert warm(served(Caches(), "gpt", 1_024, 0, vendor="openai", marked=False), "gpt", 12_000, 1, "openai") == 1_024


def test_after_compaction_everything_is_cold():
    assert warm(served(Caches(), "opus", 10_000, 0).compacted(), "opus", 3_000, 1) == 0


def test_no_more_is_warm_than_the_prompt_holds():
    assert warm(served(Caches(), "opus", 10_000, 0), "opus", 4_000, 1) == 4_000


def test_of_many_models_the_least_recently_used_is_forgotten():
    caches = Caches()
    for number in range(MAX_WARM + 1):
        caches = served(caches, str(number), 10_000, number)
    assert len(caches.warm) == MAX_WARM
    assert [warm(caches, "0", 10_000, 9), warm(caches, "1", 10_000, 9)] == [0, 10_000]


def test_every_rule_says_where_it_is_from_and_an_unknown_vendor_has_cautious_ones():
    assert all(rule.source and rule.read_on for rule in RULES.values())
    assert rules_of("unheard-of") is OTHER
