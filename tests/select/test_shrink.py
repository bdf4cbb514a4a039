"""Shrinkage from wide evidence to narrow, and the lower bound of what is believed."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lanewise.select.shrink import IGNORANCE, Estimate, Tally, along, lower_bound, shrunk

RATES = st.floats(0, 1)
COUNTS = st.floats(0, 1e6)
WEIGHTS = st.floats(0.1, 1e6)


@pytest.mark.parametrize(
    ("successes", "tasks", "mean", "expected"),
    [
        (0, 0, 0.7, 0.7),  # nothing seen: the level above
        (20, 20, 0.5, 0.75),  # (20 + 20*.5) / 40
        (180, 180, 0.5, 0.95),  # (180 + 10) / 200
        (0, 60, 0.8, 0.2),  # 16 / 80
    ],
)
def test_the_mean_is_that_of_the_beta_posterior(successes, tasks, mean, expected):
    found = shrunk(Tally(successes=successes, tasks=tasks), Estimate(mean=mean, weight=500), strength=20)
    assert found.mean == pytest.approx(expected)


def test_a_well_known_level_above_lends_its_whole_strength():
    found = shrunk(Tally(successes=15, tasks=30), Estimate(mean=0.5, weight=math.inf), strength=20)
    assert found.weight == pytest.approx(50)


def test_an_unknown_level_above_lends_next_to_nothing():
    # 1 / (1/50 + (20/50)^2 / 2) = 10
    found = shrunk(Tally(successes=15, tasks=30), IGNORANCE, strength=20)
    assert found.weight == pytest.approx(10)


def test_an_empty_level_knows_less_than_the_one_above_it():
    above = Estimate(mean=0.6, weight=100)
    found = shrunk(Tally(successes=0, tasks=0), above, strength=20)
    assert found.mean == pytest.approx(0.6)
    assert found.weight == pytest.approx(1 / (1 / 20 + 1 / 100))


def test_a_chain_passes_through_each_level():
    wide, narrow = Tally(successes=80, tasks=98), Tally(successes=0, tasks=20)
    first = shrunk(wide, IGNORANCE, strength=2)  # (80 + 1) / 100
    assert first.mean == pytest.approx(0.81)
    assert along([wide, narrow]) == shrunk(narrow, first)
    assert along([wide, narrow]).mean == pytest.approx(0.405)  # (0 + 20*.81) / 40


def test_a_chain_of_no_levels_is_ignorance():
    assert along([]) == IGNORANCE


@given(rate=RATES, tasks=COUNTS, above=RATES, weight=WEIGHTS)
def test_the_mean_lies_between_what_was_seen_and_what_was_believed(rate, tasks, above, weight):
    found = shrunk(Tally(successes=rate * tasks, tasks=tasks), Estimate(mean=above, weight=weight))
    assert min(rate, above) - 1e-9 <= found.mean <= max(rate, above) + 1e-9


@given(rate=RATES, tasks=COUNTS, more=st.floats(1, 1e5), weight=WEIGHTS)
def test_more_tasks_never_make_it_less_sure(rate, tasks, more, weight):
    above = Estimate(mean=0.5, weight=weight)
    fewer = shrunk(Tally(successes=rate * tasks, tasks=tasks), above)
    larger = shrunk(Tally(successes=rate * (tasks + more), tasks=tasks + more), above)
    assert larger.weight >= fewer.weight - 1e-9


@pytest.mark.parametrize(
    ("mean", "weight", "quantile"),
    # 5 % quantiles of Beta(mean*weight + .5, (1-mean)*weight + .5), Jeffreys
    [(0.5, 10, 0.2619), (0.9, 10, 0.6694), (0.8, 100, 0.7283), (0.95, 40, 0.8684)],
)
def test_the_bound_is_close_to_the_posterior_quantile(mean, weight, quantile):
    assert lower_bound(Estimate(mean=mean, weight=weight)) == pytest.approx(quantile, abs=0.02)


@given(mean=RATES, weight=WEIGHTS)
def test_the_bound_is_a_rate_below_the_mean(mean, weight):
    bound = lower_bound(Estimate(mean=mean, weight=weight))
    assert 0 <= bound <= mean + 1e-12


@given(mean=RATES, weight=WEIGHTS, more=st.floats(0, 1e5))
def test_the_bound_rises_with_the_weight(mean, weight, more):
    known, better = Estimate(mean=mean, weight=weight), Estimate(mean=mean, weight=weight + more)
    assert lower_bound(better) >= lower_bound(known) - 1e-12


def test_nothing_known_has_no_bound_above_nothing():
    assert lower_bound(Estimate(mean=0.9, weight=0)) == 0.0
