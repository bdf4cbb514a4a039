"""Two price lists differ where a bill would."""

import datetime as dt

import pytest

from lanewise.money import RateChange, Snapshot, Window, diff
from lanewise.money.snapshot import StatedLevel, StatedOffPeak, StatedPrice, StatedRates, encode_row


def snapshot(name="s", **models):
    rows = {model: encode_row(price) for model, price in models.items()}
    return Snapshot(id=name, date=dt.date(2026, 1, 1), source="", source_sha256="", licence="", models=rows)


def rates(paid=100, made=500, read=10, **more):
    return StatedRates(input=paid, output=made, read=read, write=100, **more)


def price(*levels, **fields):
    return StatedPrice(vendor="openai", levels=levels or (StatedLevel(standard=rates()),), **fields)


def changes(before, after):
    found = diff(snapshot(m=before), snapshot(m=after)).changes
    return [(change.rate, change.before_pusd, change.after_pusd) for change in found]


def test_equal_lists_do_not_differ():
    assert changes(price(), price()) == []


def test_models_that_come_and_go_are_named():
    found = diff(snapshot("a", old=price(), both=price()), snapshot("b", new=price(), both=price()))
    assert (found.before, found.after, found.added, found.removed, found.changes) == ("a", "b", ("new",), ("old",), ())


def test_a_changed_limit_is_no_changed_price():
    assert changes(price(), price(context=1_000)) == []


def test_a_changed_rate_is_named_with_both_figures():
    assert changes(price(), price(StatedLevel(standard=rates(made=600)))) == [("standard output", 500, 600)]


def test_a_cache_price_that_vanishes_counts_as_the_full_input_price_it_leaves():
    assert changes(price(), price(StatedLevel(standard=rates(read=None)))) == [("standard cache_read", 10, 100)]


def test_a_batch_discount_that_vanishes_counts_as_the_standard_price_it_leaves():
    half = StatedRates(input=50, output=250, read=5, write=50)
    with_batch = price(StatedLevel(standard=rates(), batch=half))
    assert changes(with_batch, price())[0] == ("batch input", 50, 100)
    assert len(changes(with_batch, price())) == 5


def test_a_new_step_by_prompt_size_is_compared_with_what_such_prompts_cost_before():
    stepped = price(StatedLevel(standard=rates()), StatedLevel(above=200_000, standard=rates(paid=200)))
    assert changes(price(), stepped) == [("standard input above 200000", 100, 200)]


def test_a_clock_price_that_appears_is_compared_with_the_base():
    nights = StatedOffPeak(rates=rates(paid=90), windows=(Window(weekdays=(1,), start_minute=0, end_minute=60),))
    assert changes(price(), price(off_peak=nights)) == [("off-peak input", 100, 90)]
    assert changes(price(off_peak=nights), price()) == [("off-peak input", 90, 100)]


@pytest.mark.parametrize(
    ("before", "after", "jump"),
    [(100, 300, False), (100, 301, True), (300, 100, False), (301, 100, True), (0, 1, True), (1, 0, True)],
)
def test_more_than_a_factor_of_three_either_way_is_a_jump(before, after, jump):
    assert RateChange(model="m", rate="r", before_pusd=before, after_pusd=after).is_jump is jump


def test_the_jumps_of_a_comparison_are_its_jumping_changes():
    after = price(StatedLevel(standard=rates(paid=301, made=600)))
    assert [change.rate for change in diff(snapshot(m=price()), snapshot(m=after)).jumps] == ["standard input"]
