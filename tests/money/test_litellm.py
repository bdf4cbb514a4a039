"""Only whole prices of the public map are kept, digit for digit."""

import datetime as dt
import hashlib
import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lanewise.errors import ConfigError
from lanewise.money import Window, prune
from lanewise.money.snapshot import StatedLevel, StatedPrice, StatedRates

DAY = dt.date(2026, 10, 21)
WHOLE = {
    "litellm_provider": "openai",
    "mode": "chat",
    "input_cost_per_token": 1e-06,
    "output_cost_per_token": 5e-06,
}
KEPT = {"kept": WHOLE}


def pruned(row, *, mode="chat"):
    """The row as the snapshot holds it, None where it was left out."""
    return prune(json.dumps({**KEPT, "it": {**WHOLE, "mode": mode, **row}}).encode(), date=DAY).row("it")


def only(**fields):
    """A price of one level with the two whole figures and `fields`."""
    rates = {"input": 1_000_000, "output": 5_000_000, **fields}
    return StatedPrice(vendor="openai", levels=(StatedLevel(standard=StatedRates(**rates)),))


def test_figures_keep_the_digits_of_the_file():
    text = b'{"it": {"litellm_provider": "openai", "mode": "chat", "input_cost_per_token": 0.0000001, '
    text += b'"output_cost_per_token": 1.25e-06, "cache_read_input_token_cost": 3E-9}}'
    assert prune(text, date=DAY).row("it").levels[0].standard == StatedRates(
        input=100_000, output=1_250_000, read=3_000
    )


@pytest.mark.parametrize(
    "row",
    [
        {"litellm_provider": "fal_ai"},
        {"input_cost_per_token": None},
        {"output_cost_per_token": None},
        {"input_cost_per_token": 0, "output_cost_per_token": 0},  # free or not known: nobody can tell
        {"output_cost_per_token": 0},
        {"input_cost_per_token": "1e-06"},
        {"input_cost_per_token": -1e-06},
    ],
)
def test_a_row_without_a_whole_price_is_left_out(row):
    assert pruned(row) is None


@pytest.mark.parametrize("mode", ["image_generation", "audio_speech", "rerank", "realtime", None])
def test_only_models_that_read_and_write_text_are_kept(mode):
    assert pruned({}, mode=mode) is None


def test_embeddings_cost_nothing_on_the_way_out():
    assert pruned({"output_cost_per_token": 0}, mode="embedding").levels[0].standard.output == 0


def test_a_zero_cache_price_means_not_stated():
    assert pruned({"cache_creation_input_token_cost": 0.0, "cache_read_input_token_cost": 0}) == only()


def test_the_hour_long_cache_write_has_its_own_figure():
    row = {"cache_creation_input_token_cost": 1.25e-06, "cache_creation_input_token_cost_above_1hr": 2e-06}
    assert pruned(row) == only(write=1_250_000, write_1h=2_000_000)


def test_half_a_service_tier_is_no_service_tier():
    assert pruned({"input_cost_per_token_priority": 2.5e-06}) == only()


def test_steps_by_prompt_size_carry_their_own_service_tiers():
    row = {
        "input_cost_per_token_above_272k_tokens": 2e-06,
        "output_cost_per_token_above_272k_tokens": 7e-06,
        "input_cost_per_token_above_272k_tokens_batches": 1e-06,
        "output_cost_per_token_above_272k_tokens_batches": 3e-06,
    }
    assert pruned(row).levels[1] == StatedLevel(
        above=272_000,
        standard=StatedRates(input=2_000_000, output=7_000_000),
        batch=StatedRates(input=1_000_000, output=3_000_000),
    )


def test_a_list_of_ranges_stands_in_place_of_the_flat_price():
    ranges = [
        {"input_cost_per_token": 3e-06, "output_cost_per_token": 9e-06, "range": [32000.0, 128000.0]},
        {"input_cost_per_token": 1e-06, "output_cost_per_token": 3e-06, "range": [0, 32000.0]},
    ]
    assert [(level.above, level.standard.input) for level in pruned({"tiered_pricing": ranges}).levels] == [
        (0, 1_000_000),
        (32_000, 3_000_000),
    ]


def test_a_dearer_price_for_thinking_answers_is_the_one_kept():
    assert pruned({"output_cost_per_reasoning_token": 8e-06}) == only(output=8_000_000)


def off_peak(**changes):
    return {
        "off_peak_pricing": {
            "input_cost_per_token": 5e-07,
            "output_cost_per_token": 2e-06,
            "windows": [
                {"hours_utc": ["00:30-01:00", "10:00-00:00"], "weekdays": [1, 2]},
                {"hours_utc": "00:00-00:00", "weekdays": [7]},
            ],
            **changes,
        }
    }


def test_clock_windows_are_minutes_of_the_utc_day():
    assert pruned(off_peak()).off_peak.windows == (
        Window(weekdays=(1, 2), start_minute=30, end_minute=60),
        Window(weekdays=(1, 2), start_minute=600, end_minute=1440),
        Window(weekdays=(7,), start_minute=0, end_minute=1440),
    )


@pytest.mark.parametrize(
    "changes",
    [
        {"weekday_timezone": "Asia/Shanghai"},
        {"windows": [{"hours_utc": "22:00-04:00", "weekdays": [1]}]},
        {"windows": [{"hours_utc": "night", "weekdays": [1]}]},
        {"output_cost_per_token": None},
        {"windows": []},
    ],
)
def test_a_clock_that_is_not_understood_leaves_the_dearer_price(changes):
    assert pruned(off_peak(**changes)) == only()


KEYS = st.sampled_from(
    [
        "input_cost_per_token",
        "output_cost_per_token",
        "cache_read_input_token_cost",
        "input_cost_per_token_above_200k_tokens",
        "tiered_pricing",
        "off_peak_pricing",
        "windows",
        "hours_utc",
        "weekdays",
        "range",
        "max_input_tokens",
        "mode",
        "litellm_provider",
    ]
)
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=12,
)


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(st.dictionaries(KEYS, ANYTHING, max_size=6))
def test_no_row_however_shaped_stops_the_others_from_being_read(row):
    snapshot = prune(json.dumps({**KEPT, "it": {**WHOLE, **row}}).encode(), date=DAY)
    assert snapshot.row("kept") == only()
    snapshot.row("it")


def test_limits_come_along_and_nonsense_does_not():
    row = pruned({"max_input_tokens": 272000, "max_output_tokens": "many", "supports_vision": True})
    assert (row.context, row.max_output, row.vision) == (272_000, None, True)


def test_the_id_names_day_and_bytes():
    text = json.dumps(KEPT).encode()
    digest = hashlib.sha256(text).hexdigest()
    snapshot = prune(text, date=DAY)
    assert (snapshot.id, snapshot.source_sha256) == (f"litellm-2026-10-21-{digest[:8]}", digest)


@pytest.mark.parametrize(
    ("text", "says"), [(b"<html>", "not JSON"), (b"[]", "not a JSON object"), (b'{"a": {}}', "none of its 1 entries")]
)
def test_a_file_that_is_no_price_map_is_refused(text, says):
    with pytest.raises(ConfigError, match=says):
        prune(text, date=DAY)
