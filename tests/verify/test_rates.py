"""The shipped rates, and what they mean for a cascade."""

from __future__ import annotations

import pytest

from lanewise.verify import CHECKS, Rates


def test_every_check_ships_its_rates():
    assert [rates.check for rates in Rates.load().checks] == list(CHECKS)


def test_the_false_accept_share_of_all_checks_is_that_of_the_failures_by_their_shares():
    rates = Rates.load()
    assert sum(each.share for each in rates.failures) == pytest.approx(1)
    assert rates.together.false_accept == pytest.approx(
        sum(each.share * (1 - each.caught) for each in rates.failures), abs=1e-3
    )
