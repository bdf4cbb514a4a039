"""The two operating points, and how they are frozen."""

from __future__ import annotations

import numpy as np
import pytest

from lanewise.evaluate.forecast import Expected
from lanewise.evaluate.operating import IN_HAND, QUALITY_BUDGET, Point, Seen, choices, lots_of, quality_end, saving_end

COUNT = 2000


def seen(score, cost, *, came=None, unlike=()):
    """`COUNT` tasks alike: what is expected of (baseline, other), and what came of it."""
    marks = np.zeros(COUNT, np.bool_)
    marks[list(unlike)] = True
    expected = Expected(np.tile(score, (COUNT, 1)), np.tile(cost, (COUNT, 1)), marks)
    real = np.tile(score if came is None else came, (COUNT, 1))
    lots = lots_of([f"task {at}" for at in range(COUNT)])
    return Seen(expected, real, np.tile(cost, (COUNT, 1)), np.arange(COUNT), lots, 0)


def shares(known, point):
    chosen = choices(known.expected, point, known.lots, baseline=known.baseline)
    return (chosen == 1).mean()


def test_a_dollar_of_lambda_buys_a_point_of_success():
    known = seen([0.9, 0.8], [0.02, 0.01])
    # .1 more for $.01 more: worth it below 10 per dollar
    assert shares(known, Point(9.9, 9.9, 0.0)) == 0
    assert shares(known, Point(10.1, 10.1, 0.0)) == 1


def test_between_two_lambdas_each_task_has_its_lot():
    known = seen([0.9, 0.8], [0.02, 0.01])
    mixed = Point(9.0, 11.0, 0.3)
    assert shares(known, mixed) == pytest.approx(0.3, abs=0.03)
    np.testing.assert_array_equal(
        choices(known.expected, mixed, known.lots, baseline=0), choices(known.expected, mixed, known.lots, baseline=0)
    )


def test_lots_are_the_same_on_every_machine():
    np.testing.assert_allclose(lots_of(["a", "b"]), [0.7896, 0.9907], atol=1e-4)


def test_unlike_tasks_go_to_the_baseline():
    known = seen([0.1, 0.9], [0.02, 0.01], unlike=[3, 5])
    chosen = choices(known.expected, Point(0.0, 0.0, 0.0), known.lots, baseline=0)
    assert np.flatnonzero(chosen == 0).tolist() == [3, 5]


def test_the_saving_end_takes_a_cheaper_model_that_is_as_good():
    known = seen([0.80, 0.79], [0.02, 0.01], came=[0.80, 0.80 + IN_HAND])
    assert shares(known, saving_end(known)) == 1


def test_the_saving_end_mixes_down_to_what_is_in_hand():
    # The third model is 10 points better than the baseline, the second 10 points worse and nearly free.
    score, cost = [0.5, 0.4, 0.6], [0.02, 0.0001, 0.01]
    known = seen(score, cost)
    chosen = choices(known.expected, saving_end(known), known.lots, baseline=0)
    difference = np.asarray(score)[chosen].mean() - 0.5
    assert 0 < (chosen == 1).mean() < 1
    assert IN_HAND < difference < IN_HAND + 0.03


def test_the_saving_end_stays_dear_where_every_saving_costs_quality():
    known = seen([0.8, 0.5], [0.02, 0.001])
    assert shares(known, saving_end(known)) == 0


def test_what_came_decides_not_what_was_expected():
    known = seen([0.8, 0.8], [0.02, 0.01], came=[0.8, 0.5])
    assert shares(known, saving_end(known)) == 0


def test_equal_quality_is_saved_on_though_nothing_is_in_hand():
    known = seen([0.8, 0.8], [0.02, 0.01])
    assert shares(known, saving_end(known)) == 1


def test_the_quality_end_spends_its_budget_and_no_more():
    # The best model costs as much as the baseline, the next a hundredth of it.
    known = seen([0.5, 0.6, 0.9], [0.02, 0.0002, 0.02])
    point = quality_end(known)
    chosen = choices(known.expected, point, known.lots, baseline=0)
    paid = np.asarray([0.02, 0.0002, 0.02])[chosen].mean() / 0.02
    assert QUALITY_BUDGET - 0.12 < paid <= QUALITY_BUDGET


def test_the_quality_end_is_cheap_where_the_budget_buys_nothing():
    known = seen([0.9, 0.8], [0.02, 0.015])
    assert shares(known, quality_end(known)) == 1
