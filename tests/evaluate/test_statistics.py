"""Lower bounds and areas."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lanewise.evaluate.statistics import area_over, hull, lower_bound, standard_error


def test_the_bound_of_independent_differences_is_that_of_the_normal_distribution():
    differences = np.tile([1.0, -1.0, 0.0, 0.0], 250) + 0.05
    bound = lower_bound(differences, [str(at) for at in range(1000)], seed=1)
    assert bound == pytest.approx(0.05 - 1.645 * np.sqrt(0.5 / 1000), abs=0.002)


def test_tasks_of_one_cluster_count_as_one():
    differences = np.repeat([1.0, -1.0] * 10, 50)
    alone = lower_bound(differences, [str(at) for at in range(1000)], seed=1)
    together = lower_bound(differences, [str(at // 50) for at in range(1000)], seed=1)
    assert alone == pytest.approx(-1.645 / np.sqrt(1000), abs=0.005)
    assert together == pytest.approx(-1.645 / np.sqrt(20), abs=0.05)


def test_a_difference_that_is_everywhere_the_same_is_its_own_bound():
    names = ["large"] * 90 + ["small"] * 5 + ["tiny"]
    assert lower_bound(np.full(96, 0.3), names, seed=1) == pytest.approx(0.3)


def test_the_bound_is_the_same_every_time():
    differences = np.sin(np.arange(300))
    names = [str(at % 40) for at in range(300)]
    assert lower_bound(differences, names, seed=3) == lower_bound(differences, names, seed=3)


def test_the_standard_error_takes_clusters_as_units():
    differences = np.repeat([1.0, -1.0] * 10, 50)
    assert standard_error(differences, np.arange(1000)) == pytest.approx(1 / np.sqrt(1000))
    assert standard_error(differences, np.arange(1000) // 50) == pytest.approx(1 / np.sqrt(20))


def test_the_hull_leaves_out_what_a_mixture_beats():
    costs = np.asarray([1.0, 2.0, 3.0, 4.0, 2.5])
    scores = np.asarray([0.2, 0.3, 0.6, 0.5, 0.1])
    # 2.0 lies under the line from (1, .2) to (3, .6); 4.0 is dearer and worse than 3.0
    np.testing.assert_array_equal(hull(costs, scores), ([1.0, 3.0], [0.2, 0.6]))


@given(
    st.lists(st.tuples(st.integers(0, 1000), st.integers(0, 1000)), min_size=1, max_size=12),
)
def test_no_point_lies_above_the_hull(points):
    costs, scores = np.asarray(points).T / 1000
    at, height = hull(costs, scores)
    assert (np.diff(at) > 0).all()
    assert (np.diff(height) > 0).all()
    reached = np.where(costs >= at[0], np.interp(costs, at, height), np.inf)
    assert (scores <= reached + 1e-9).all()


def test_static_policies_gain_no_area():
    static = np.asarray([1.0, 2.0, 4.0]), np.asarray([0.2, 0.5, 0.6])
    assert area_over(static, static) == 0
    between = np.asarray([1.5]), np.asarray([0.35])
    assert area_over(between, static) == pytest.approx(0, abs=1e-12)


def test_the_area_is_the_mean_height_gained():
    static = np.asarray([0.0, 1.0]), np.asarray([0.0, 1.0])
    # the triangle (0,0) (.5,1) (1,1) over the diagonal: half of .5
    assert area_over((np.asarray([0.5]), np.asarray([1.0])), static) == pytest.approx(0.25, abs=1e-3)


def test_a_single_model_leaves_no_room_for_an_area():
    alone = np.asarray([1.0]), np.asarray([0.5])
    assert area_over(alone, alone) == 0
