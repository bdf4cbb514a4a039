"""A model has the price that is listed for it, or none: the book never guesses."""

import datetime as dt

import pytest

from lanewise.errors import ConfigError
from lanewise.money import PriceBook, encode, fixed_price, prune
from lanewise.money.overrides import Override, Overrides, UsdRates
from lanewise.money.snapshot import Snapshot, StatedLevel, StatedPrice, StatedRates, encode_row
from lanewise.money.values import Rise

LISTED = dt.date(2026, 10, 21)
BOOK = PriceBook.load()


def row(input_pusd=100, vendor="openai", **level):
    return StatedPrice(
        vendor=vendor, levels=(StatedLevel(standard=StatedRates(input=input_pusd, output=500), **level),)
    )


def book(rows, *overrides, listed=LISTED):
    prices = Snapshot(
        id="list-1",
        date=listed,
        source="",
        source_sha256="",
        licence="",
        models={name: encode_row(price) for name, price in rows.items()},
    )
    return PriceBook(prices, Overrides(revision=7, price=overrides))


def entry(model, date=LISTED, **fields):
    return Override(model=model, source="a page", date=date, **fields)


def test_the_id_names_the_list_and_the_revision_of_our_corrections_and_stands_on_each_price():
    prices = book({"m": row()})
    assert prices.snapshot == "list-1+lanewise.7"
    assert prices.find("m").snapshot == "list-1+lanewise.7"


@pytest.mark.parametrize(
    ("model", "vendor", "found"),
    [
        ("claude-opus-5-5", "", "claude-opus-5-5"),
        ("claude-opus-5-5", "anthropic", "claude-opus-5-5"),
        ("anthropic/claude-opus-5-5", "", "claude-opus-5-5"),
        ("anthropic/claude-opus-5-5", "anthropic", "claude-opus-5-5"),
        ("gemini-3.8-flash", "gemini", "gemini/gemini-3.8-flash"),
        ("gemini-3.8-flash", "", "gemini/gemini-3.8-flash"),  # its maker's list price
        ("qwen/qwen3-coder", "openrouter", "openrouter/qwen/qwen3-coder"),
        ("openrouter/qwen/qwen3-coder", "", "openrouter/qwen/qwen3-coder"),
        ("deepseek-v4-pro", "", "deepseek-v4-pro"),
        ("deepseek-v4-pro", "dashscope", "dashscope/deepseek-v4-pro"),  # who serves it sets the price
        ("claude-haiku-4-5-20251001", "", "claude-haiku-4-5-20251001"),  # listed as such
        ("claude-opus-5-5-20260930", "", "claude-opus-5-5"),
        ("gpt-5.5-2030-01-31", "openai", "gpt-5.5"),
        ("claude-opus-5-5-latest", "anthropic", "claude-opus-5-5"),
    ],
)
def test_a_model_is_found_under_the_spellings_in_use(model, vendor, found):
    assert BOOK.find(model, vendor).model == found


@pytest.mark.parametrize(
    ("model", "vendor"),
    [
        ("gpt-6.1", ""),  # a prefix of listed names is not a name
        ("claude-opus", ""),
        ("Claude-Opus-5-5", ""),
        ("claude-opus-5-5-preview", ""),
        ("claude-opus-5-5-1234", ""),
        ("gpt-oss-120b", ""),  # listed at several clouds, sold by no maker
        ("gpt-oss-120b", "my-gpu"),
        ("deepseek-v4-pro", "my-gpu"),  # the cloud's price is not the price of a server of one's own
        ("claude-opus-5-5", "openrouter"),
        ("gemini/gemma-4-31b-it", ""),  # listed at zero: free or not known
        ("", ""),
        ("-latest", ""),
    ],
)
def test_a_model_that_is_not_listed_has_no_price_rather_than_a_zero_or_a_guess(model, vendor):
    assert BOOK.find(model, vendor) is None


def test_a_price_from_the_config_keeps_its_digits_and_charges_cache_as_input_unless_told():
    price = fixed_price("m", vendor="gpu", input_usd_per_mtok=0.1, output_usd_per_mtok="0.5", context_tokens=131072)
    assert price.base.input_pusd == price.base.cache_read_pusd == price.base.cache_write_1h_pusd == 100_000
    told = fixed_price(
        "m",
        vendor="v",
        input_usd_per_mtok=3,
        output_usd_per_mtok=15,
        cache_read_usd_per_mtok=0.3,
        cache_write_usd_per_mtok=3.75,
    )
    assert (told.base.cache_read_pusd, told.base.cache_write_5m_pusd) == (300_000, 3_750_000)
    assert (price.context_tokens, price.snapshot) == (131072, "config")


def test_a_price_of_ours_fills_a_gap_and_yields_to_a_later_list():
    ours = entry(
        "new",
        date=dt.date(2026, 11, 9),
        vendor="anthropic",
        standard=UsdRates(input="8", output="40", cache_read="0.2"),
        batch=UsdRates(input="4", output="20"),
    )
    filled = book({}, ours).find("new")
    assert (filled.vendor, filled.base.input_pusd, filled.batch.output_pusd) == ("anthropic", 8_000_000, 20_000_000)
    assert book({"new": row()}, ours).find("new").base.input_pusd == 8_000_000
    assert book({"new": row()}, ours, listed=dt.date(2026, 11, 9)).find("new").base.input_pusd == 100
    assert book({}, ours, listed=dt.date(2027, 1, 1)).find("new").base.input_pusd == 8_000_000


def test_a_withdrawn_figure_is_dropped_from_every_level_of_any_list():
    figures = StatedRates(input=9, output=9)
    listed = StatedPrice(
        vendor="openai",
        levels=tuple(
            StatedLevel(above=above, standard=figures, batch=figures, flex=figures, priority=figures)
            for above in (0, 10)
        ),
    )
    drop = entry("m", withdraw=("batch", "priority"))
    price = book({"m": listed}, drop, listed=dt.date(2030, 1, 1)).find("m")
    kept = [(level.batch, level.flex is None, level.priority) for level in price.levels]
    assert kept == [(None, False, None), (None, False, None)]
    assert book({}, drop).find("m") is None


@pytest.mark.parametrize(("listed", "pending"), [(dt.date(2026, 11, 30), 1), (dt.date(2026, 12, 1), 0)])
def test_a_rise_is_not_applied_to_a_list_that_holds_it_already(listed, pending):
    rise = entry("m", rises=(Rise(since=dt.date(2026, 12, 1), factor=2),))
    assert len(book({"m": row()}, rise, listed=listed).find("m").rises) == pending


def test_our_corrections_mend_the_known_slips():
    assert BOOK.find("gpt-5-nano").level(1).priority is None  # the list had $2.50 in, 50 x the standard price
    terra, fable = BOOK.find("gpt-6.1-terra"), BOOK.find("claude-fable-5-2")
    assert (terra.base.input_pusd, terra.base.output_pusd, terra.base.cache_read_pusd) == (1_000_000, 5_000_000, 50_000)
    assert (fable.base.input_pusd, fable.batch.input_pusd) == (8_000_000, 4_000_000)
    argon = BOOK.find("gemini-4-argon")
    before, after = (
        argon.rates(prompt_tokens=1, at=dt.datetime(2026, month, 1, tzinfo=dt.UTC)).output_pusd for month in (11, 12)
    )
    assert (before, after) == (10_000_000, 20_000_000)


def written(folder, day, price):
    text = b'{"m": {"litellm_provider": "openai", "mode": "chat", "input_cost_per_token": %s, ' % price
    snapshot = prune(text + b'"output_cost_per_token": 1}}', date=day)
    (folder / "prices.json").write_bytes(encode(snapshot))
    return snapshot


def test_a_later_list_of_the_users_takes_the_place_of_the_shipped_one(tmp_path):
    own = written(tmp_path, dt.date(2030, 1, 1), b"2e-06")
    prices = PriceBook.load(tmp_path)
    assert prices.prices == own
    assert prices.find("m").base.input_pusd == 2_000_000
    assert prices.find("claude-opus-5-5") is None


def test_an_older_list_of_the_users_is_left_aside_after_an_upgrade(tmp_path):
    written(tmp_path, dt.date(2020, 1, 1), b"2e-06")
    assert PriceBook.load(tmp_path).snapshot == BOOK.snapshot


def test_without_a_list_of_the_users_the_shipped_one_holds(tmp_path):
    assert PriceBook.load(tmp_path / "nowhere").snapshot == BOOK.snapshot
    assert BOOK.snapshot == f"{BOOK.prices.id}+lanewise.1"


def test_a_broken_list_of_the_users_stops_the_start_and_is_named(tmp_path):
    (tmp_path / "prices.json").write_text("{")
    with pytest.raises(ConfigError, match=r"prices\.json"):
        PriceBook.load(tmp_path)


@pytest.mark.parametrize("prices", [BOOK, book({"m": row()}, entry("lacking", withdraw=("batch",)))])
def test_every_name_the_book_gives_has_a_price(prices):
    names = prices.names()
    assert list(names) == sorted(names)
    assert all(prices.find(name) is not None for name in names)
