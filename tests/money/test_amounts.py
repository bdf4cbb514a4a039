"""Dollars become exact integers, and integers become text that a person reads right."""

from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lanewise.errors import ConfigError
from lanewise.money import PUSD_PER_USD, format_usd, format_usd_per_mtok, pusd_of, pusd_per_token, to_usd


@pytest.mark.parametrize(
    ("usd_per_mtok", "pusd"),
    [
        ("4", 4_000_000),  # $4 / 10^6 tokens = 4 * 10^12 / 10^6 pico-dollars per token
        (0.1, 100_000),  # the float prints as 0.1 and is read as a tenth, not as 0.1000000000000000055
        ("0.003", 3_000),
        ("0.000001", 1),
        (0, 0),
        ("1e2", 100_000_000),
    ],
)
def test_a_price_per_million_tokens_is_a_whole_number_of_picodollars_per_token(usd_per_mtok, pusd):
    assert pusd_per_token(usd_per_mtok) == pusd


@pytest.mark.parametrize(
    ("price", "says"),
    [
        ("cheap", "not a number"),
        ("-1", "zero or more"),
        ("nan", "zero or more"),
        (float("inf"), "zero or more"),
        ("0.0000001", "at most six decimals"),
    ],
)
def test_a_price_that_is_not_exact_is_refused_by_name(price, says):
    with pytest.raises(ConfigError) as refused:
        pusd_per_token(price)
    assert says in refused.value.message
    assert repr(price) in refused.value.message


@settings(deadline=None)
@given(st.integers(min_value=0, max_value=10**12))
def test_a_shown_rate_reads_back_as_the_same_rate(rate_pusd):
    assert pusd_per_token(format_usd_per_mtok(rate_pusd)) == rate_pusd


@pytest.mark.parametrize(
    ("pusd", "text"),
    [
        (None, "unknown"),
        (0, "$0.0000"),
        (1, "<$0.0001"),
        (99_999_999, "<$0.0001"),
        (100_000_000, "$0.0001"),
        (12_300_000_000, "$0.0123"),
        (12_350_000_000, "$0.0124"),  # 0.01235: halves away from zero
        (999_999_999_999, "$1.0000"),  # below one dollar: four places, rounded
        (PUSD_PER_USD, "$1.00"),
        (1_234_567_890_000_000, "$1,234.57"),
        (-12_300_000_000, "-$0.0123"),
        (-1, "-<$0.0001"),
    ],
)
def test_amounts_read_as_dollars_and_an_unknown_one_says_so(pusd, text):
    assert format_usd(pusd) == text


def test_the_number_of_decimals_can_be_fixed():
    assert format_usd(1_234_567_890_000, decimals=0) == "$1"
    assert format_usd(1_234_567_890_000, decimals=6) == "$1.234568"


def test_json_gets_dollars():
    assert to_usd(12_300_000_000) == 0.0123


@pytest.mark.parametrize(("usd", "pusd"), [("0", 0), ("0.00025", 250_000_000), ("1", PUSD_PER_USD), ("1e-12", 1)])
def test_an_amount_becomes_whole_pico_dollars(usd, pusd):
    assert pusd_of(Decimal(usd)) == pusd


@pytest.mark.parametrize("usd", ["-0.1", "NaN", "Infinity", "1e-13"])
def test_an_amount_that_is_no_exact_sum_is_refused(usd):
    with pytest.raises(ConfigError, match=f"amount {Decimal(usd)}: "):
        pusd_of(Decimal(usd))
