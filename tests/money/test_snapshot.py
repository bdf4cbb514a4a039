"""The shipped price list is whole, and gaps in a list are filled dear rather than cheap."""

import datetime as dt
import re
from pathlib import Path

import pytest

import lanewise.money
from lanewise.errors import ConfigError
from lanewise.money import PriceBook, Rates, encode
from lanewise.money import snapshot as files
from lanewise.money.snapshot import StatedLevel, StatedPrice, StatedRates

HOME = Path(lanewise.money.__file__).parent
SHIPPED = files.read(HOME / "snapshot.json")


def filled(vendor="openai", **levels):
    row = StatedPrice(vendor=vendor, levels=(StatedLevel(**levels),))
    return files.price("m", row, snapshot_id="s").levels[0]


def test_the_shipped_list_says_what_it_is_and_of_when():
    assert re.fullmatch(r"[0-9a-f]{64}", SHIPPED.source_sha256)
    assert SHIPPED.id == f"litellm-{SHIPPED.date.isoformat()}-{SHIPPED.source_sha256[:8]}"
    assert SHIPPED.licence == "MIT, Copyright (c) 2023 Berri AI"
    assert SHIPPED.licence.partition(", ")[2] in (HOME / "snapshot.LICENSE.txt").read_text()


def test_the_shipped_file_is_as_the_builder_writes_it_sorted_and_small():
    text = (HOME / "snapshot.json").read_bytes()
    rows = {name: files.encode_row(SHIPPED.row(name)) for name in SHIPPED.models}
    again = files.Snapshot(**{**{f: getattr(SHIPPED, f) for f in SHIPPED.__struct_fields__}, "models": rows})
    assert text == encode(again)
    assert len(text) < 400_000


def test_no_model_of_the_shipped_list_is_free():
    for name in SHIPPED.models:
        price = files.price(name, SHIPPED.row(name), snapshot_id=SHIPPED.id)
        stated = [
            rates
            for level in price.levels
            for tier in ("standard", "batch", "flex", "priority")
            if (rates := level.stated(tier)) is not None
        ]
        stated += [price.off_peak.rates] if price.off_peak else []
        for rates in stated:
            paid = [rates.input_pusd, rates.cache_read_pusd, rates.cache_write_5m_pusd, rates.cache_write_1h_pusd]
            assert min(paid) > 0, name
            assert rates.output_pusd > 0 or price.mode == "embedding", name


def test_levels_rise_from_a_base_without_threshold():
    for name in SHIPPED.models:
        thresholds = [level.above for level in SHIPPED.row(name).levels]
        assert thresholds[0] == 0, name
        assert thresholds == sorted(set(thresholds)), name


@pytest.mark.parametrize(
    ("model", "input_pusd", "output_pusd", "read_pusd"),
    [
        # $ per million tokens of the published list: input, output, cache read
        ("claude-sonnet-5-5", 2_000_000, 10_000_000, 100_000),
        ("claude-haiku-5-5", 100_000, 500_000, 10_000),
        ("gpt-5.3-codex", 1_750_000, 14_000_000, 175_000),
        ("gpt-6-luna", 100_000, 500_000, 10_000),
        ("deepseek-v4-pro", 1_320_000, 3_960_000, 44_000),
        ("gemini/gemini-3.8-flash", 750_000, 3_750_000, 75_000),
        ("moonshot/kimi-k3", 3_000_000, 15_000_000, 300_000),
        ("zai/glm-5.2", 1_400_000, 4_400_000, 260_000),
    ],
)
def test_known_models_cost_what_their_vendors_publish(model, input_pusd, output_pusd, read_pusd):
    base = PriceBook.load().find(model).base
    assert (base.input_pusd, base.output_pusd, base.cache_read_pusd) == (input_pusd, output_pusd, read_pusd)


def test_an_unlisted_cache_read_costs_the_full_input_price_never_nothing():
    level = filled(standard=StatedRates(input=100, output=500))
    assert level.standard == Rates(
        input_pusd=100, cache_read_pusd=100, cache_write_5m_pusd=100, cache_write_1h_pusd=100, output_pusd=500
    )


def test_anthropic_writes_cost_five_quarters_and_double():
    level = filled("anthropic", standard=StatedRates(input=101, output=500, read=10))
    # 101 * 1.25 = 126.25, rounded up; 101 * 2 = 202
    assert (level.standard.cache_write_5m_pusd, level.standard.cache_write_1h_pusd) == (127, 202)


def test_a_listed_write_price_holds_for_the_hour_too_where_no_other_is_listed():
    level = filled(standard=StatedRates(input=100, output=500, write=125))
    assert (level.standard.cache_write_5m_pusd, level.standard.cache_write_1h_pusd) == (125, 125)


@pytest.mark.parametrize(
    ("listed_read", "batch_read"),
    [
        (10, 10),  # no batch read listed: the standard read, as a batch is not dearer
        (80, 50),  # ... but no more than the batch's own input
        (None, 50),
    ],
)
def test_an_unlisted_batch_read_costs_at_most_the_standard_read(listed_read, batch_read):
    level = filled(
        standard=StatedRates(input=100, output=500, read=listed_read), batch=StatedRates(input=50, output=250)
    )
    assert level.batch.cache_read_pusd == batch_read


def test_an_unlisted_priority_read_costs_the_full_priority_input():
    level = filled(standard=StatedRates(input=100, output=500, read=10), priority=StatedRates(input=200, output=900))
    assert level.priority.cache_read_pusd == 200


@pytest.mark.parametrize("text", ["", "{}", '{"id": "x", "models": 1}'])
def test_a_file_that_is_no_snapshot_is_named_with_the_way_out(tmp_path, text):
    path = tmp_path / "prices.json"
    path.write_text(text)
    with pytest.raises(ConfigError, match=r"prices\.json: not a price snapshot.*lanewise prices update"):
        files.read(path)


def test_a_broken_line_is_named_when_its_model_is_asked_for():
    snapshot = files.Snapshot(
        id="s", date=dt.date(2026, 1, 1), source="", source_sha256="", licence="", models={"m": b'{"vendor": 1}'}
    )
    with pytest.raises(ConfigError, match="price snapshot s: 'm'"):
        snapshot.row("m")
