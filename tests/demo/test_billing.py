"""Simulated usage: disjoint buckets, and a cache that knows exactly the prefixes it has seen."""

from __future__ import annotations

import pytest

from lanewise.demo.billing import Meter, prompt_pieces, tokens

OPUS = "claude-opus-5-5"


def messages(*texts):
    return {"system": "s" * 4000, "messages": [{"role": "user", "content": text} for text in texts]}


def usage(meter, body, *, dialect="messages", model=OPUS, answered=250, thinking=0, tier="standard"):
    return meter.usage(dialect, body, model, answered, thinking, tier)


@pytest.mark.parametrize(
    ("size", "model", "expected"),
    [
        (2500, OPUS, 1000),  # 2500 / 2.5
        (2501, OPUS, 1001),  # rounded up
        (3700, "gpt-6-luna", 1000),  # 3700 / 3.7
        (0, OPUS, 0),
    ],
)
def test_tokens_follow_from_bytes_and_the_models_tokenizer(size, model, expected):
    assert tokens(size, model) == expected


def test_the_first_prompt_is_written_to_the_cache_and_the_second_reads_it():
    meter = Meter("automatic")
    first = usage(meter, messages("a" * 500))
    second = usage(meter, messages("a" * 500, "b" * 500))
    assert first.cache_read_tokens == 0
    assert first.cache_write_5m_tokens == first.prompt_tokens
    assert second.cache_read_tokens == first.prompt_tokens
    assert second.cache_write_5m_tokens == second.prompt_tokens - first.prompt_tokens


def test_another_model_starts_with_a_cold_cache():
    meter = Meter("automatic")
    usage(meter, messages("a"))
    assert usage(meter, messages("a"), model="claude-haiku-5-5").cache_read_tokens == 0


def test_a_change_at_the_front_loses_the_whole_prefix():
    meter = Meter("automatic")
    usage(meter, messages("a" * 9000, "b"))
    assert usage(meter, {**messages("a" * 9000, "b"), "system": "other"}).cache_read_tokens == 0


def test_a_prefix_below_1024_tokens_is_not_cached():
    meter = Meter("automatic")
    body = {"messages": [{"role": "user", "content": "a" * 2000}]}  # 2,000 / 2.5 = 800 tokens
    usage(meter, body)
    assert usage(meter, body).cache_read_tokens == 0


def test_moving_the_cache_mark_changes_nothing_of_the_prompt():
    mark = {"cache_control": {"type": "ephemeral"}}
    marked = {"messages": [{"role": "user", "content": [{"type": "text", "text": "a", **mark}]}]}
    plain = {"messages": [{"role": "user", "content": "a"}]}
    assert list(prompt_pieces(marked)) == list(prompt_pieces(plain))


@pytest.mark.parametrize(("dialect", "written"), [("messages", True), ("chat", False), ("responses", False)])
def test_only_claude_in_its_own_dialect_charges_for_writing(dialect, written):
    used = usage(Meter("automatic"), messages("a"), dialect=dialect)
    assert (used.cache_write_5m_tokens > 0) is written
    assert (used.input_tokens > 0) is not written


def test_a_provider_without_cache_bills_every_token_as_input():
    meter = Meter("none")
    usage(meter, messages("a"))
    again = usage(meter, messages("a"), tier="batch")
    assert again.input_tokens == again.prompt_tokens > 0
    assert again.service_tier == "batch"


def test_thinking_is_part_of_the_output():
    used = usage(Meter("none"), messages("a"), answered=250, thinking=50)
    assert (used.output_tokens, used.reasoning_tokens) == (120, 20)  # 250 / 2.5 + 50 / 2.5
