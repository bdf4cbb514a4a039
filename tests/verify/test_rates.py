"""The shipped rates, and what they mean for a cascade."""

from __future__ import annotations

import pytest

from lanewise.verify import CHECKS, Rates
from lanewise.verify.rates import Together, accept_share, loss, saves


def test_every_check_ships_its_rates():
    assert [rates.check for rates in Rates.load().checks] == list(CHECKS)


def test_the_false_accept_share_of_all_checks_is_that_of_the_failures_by_their_shares():
    rates = Rates.load()
    assert sum(each.share for each in rates.failures) == pytest.approx(1)
    assert rates.together.false_accept == pytest.approx(
        sum(each.share * (1 - each.caught) for each in rates.failures), abs=1e-3
    )


def test_a_cascade_saves_where_it_accepts_more_than_the_first_try_costs():
    # 1 + 0 against 0.25 x 4 is even: no saving.
    assert not saves(first_pusd=1, check_pusd=0, next_pusd=4, accepted=0.25)
    assert saves(first_pusd=1, check_pusd=0, next_pusd=4, accepted=0.26)
    assert not saves(first_pusd=1, check_pusd=1, next_pusd=4, accepted=0.5)


def test_accepting_is_a_mix_of_right_and_wrong():
    # .8 x .9 + .2 x .5 = .82
    assert accept_share(0.8, Together(true_accept=0.9, false_accept=0.5)) == pytest.approx(0.82)


def test_a_perfect_check_gains_and_a_blind_one_loses_the_difference():
    # Perfect: .7 at once, .3 x .8 after escalation = .94, .14 above .8.
    assert loss(success=0.7, next_success=0.8, rates=Together(true_accept=1, false_accept=0)) == pytest.approx(-0.14)
    assert loss(success=0.7, next_success=0.8, rates=Together(true_accept=1, false_accept=1)) == pytest.approx(0.1)
