"""What keys have spent today: reserved before, settled after, a new day at midnight UTC."""

from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lanewise.router import Spending

NOON = dt.datetime(2026, 11, 24, 12, 0, tzinfo=dt.UTC)
EVE = dt.datetime(2026, 11, 24, 23, 59, 59, tzinfo=dt.UTC)
MIDNIGHT = dt.datetime(2026, 11, 25, 0, 0, tzinfo=dt.UTC)


def spent(at: dt.datetime = NOON) -> Spending:
    """A key `ann` that has spent 100."""
    spending = Spending()
    spending.settle(spending.reserve("ann", 60, at), 100)
    return spending


def test_a_key_that_never_called_has_spent_nothing():
    assert Spending().today("ann", NOON) == 0


def test_a_bill_replaces_what_was_reserved_for_it():
    spending = Spending()
    first, second = spending.reserve("ann", 60, NOON), spending.reserve("ann", 7, NOON)
    assert spending.today("ann", NOON) == 67
    spending.settle(first, 100)
    assert spending.today("ann", NOON) == 107
    spending.settle(second, 0)
    assert spending.today("ann", NOON) == 100


def test_keys_spend_apart():
    assert spent().today("bob", NOON) == 0


@pytest.mark.parametrize(
    ("at", "left"),
    [
        (EVE, 100),
        (MIDNIGHT, 0),
        (MIDNIGHT.astimezone(dt.timezone(dt.timedelta(hours=-8))), 0),  # afternoon in California
        (EVE.astimezone(dt.timezone(dt.timedelta(hours=5))), 100),  # already tomorrow in Karachi
    ],
)
def test_the_day_is_that_of_utc(at: dt.datetime, left: int):
    assert spent().today("ann", at) == left


def test_what_is_reserved_before_midnight_is_gone_after_it():
    spending = Spending()
    spending.reserve("ann", 60, EVE)
    assert spending.today("ann", MIDNIGHT) == 0


def test_a_call_that_ends_on_another_day_counts_for_neither():
    spending = Spending()
    reserved = spending.reserve("ann", 60, EVE)
    assert spending.today("ann", MIDNIGHT) == 0
    spending.settle(reserved, 100)
    assert spending.today("ann", MIDNIGHT) == 0


def test_a_call_that_ends_first_of_all_after_midnight_is_not_carried_over():
    spending = Spending()
    spending.settle(spending.reserve("ann", 60, EVE), 100)  # nobody has looked at the clock since
    assert spending.today("ann", MIDNIGHT) == 0


def test_a_clock_set_back_gives_nobody_a_second_budget():
    spending = spent(MIDNIGHT)
    assert spending.today("ann", EVE) == 100
    spending.settle(spending.reserve("ann", 0, EVE), 11)
    assert spending.today("ann", MIDNIGHT) == 111


@pytest.mark.parametrize(("told", "left"), [(40, 107), (100, 107), (250, 257)])
def test_what_the_ledger_knows_counts_where_it_is_more(told: int, left: int):
    spending = spent()
    spending.reserve("ann", 7, NOON)
    spending.known({"ann": told, "bob": 5}, NOON)
    assert (spending.today("ann", NOON), spending.today("bob", NOON)) == (left, 5)


def test_what_the_ledger_knows_of_a_new_day_ends_the_old_one():
    spending = spent()
    spending.known({"bob": 5}, MIDNIGHT)
    assert (spending.today("ann", MIDNIGHT), spending.today("bob", MIDNIGHT)) == (0, 5)


@given(
    st.lists(
        st.tuples(st.sampled_from("ab"), st.integers(0, 100), st.integers(0, 100), st.booleans(), st.integers(0, 30))
    )
)
def test_spent_is_what_was_billed_today_and_what_is_under_way(calls):
    spending, open_, billed = Spending(), {"a": 0, "b": 0}, {"a": 0, "b": 0}
    day = NOON
    for key, expected, bill, ends, hours in calls:
        later = day + dt.timedelta(hours=hours)
        if later.date() != day.date():
            open_, billed = {"a": 0, "b": 0}, {"a": 0, "b": 0}
        day = later
        reserved = spending.reserve(key, expected, day)
        if ends:
            spending.settle(reserved, bill)
            billed[key] += bill
        else:
            open_[key] += expected
        assert {name: spending.today(name, day) for name in "ab"} == {name: billed[name] + open_[name] for name in "ab"}
