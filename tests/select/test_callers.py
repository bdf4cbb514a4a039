"""Whose tasks keep needing the frontier: three of three bar, two of two do not, and nobody is barred for ever."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from select_kit import DAY_S

from lanewise.select import BARRED_ABOVE, Callers
from lanewise.select.callers import HALF_LIFE_S


def need_after(*needed: bool, at_s: float = 0.0, callers: Callers | None = None) -> float:
    callers = callers or Callers()
    for one in needed:
        callers.task_ended("ann", "debugging", needed=one, at_s=at_s)
    return callers.need("ann", "debugging", at_s)


@pytest.mark.parametrize(
    ("needed", "share", "barred"),
    [
        ((), 0.0, False),
        ((True,), 1 / 3, False),
        ((True, True), 0.5, False),
        ((True, True, True), 0.6, True),
        ((True, True, True, False), 0.5, False),
        ((True,) * 6 + (False,) * 3, 6 / 11, True),
        ((False,) * 9, 0.0, False),
    ],
)
def test_three_of_three_bar_and_two_of_two_do_not(needed: tuple[bool, ...], share: float, barred: bool):
    assert need_after(*needed) == pytest.approx(share)
    assert (need_after(*needed) > BARRED_ABOVE) is barred


def test_a_task_counts_half_after_a_day():
    callers = Callers()
    need_after(*[True] * 4, callers=callers)
    assert HALF_LIFE_S == DAY_S
    assert [callers.need("ann", "debugging", days * DAY_S) for days in range(3)] == pytest.approx([4 / 6, 2 / 4, 1 / 3])


def test_a_bar_of_three_is_lifted_within_a_day():
    callers = Callers()
    need_after(True, True, True, callers=callers)
    assert callers.need("ann", "debugging", DAY_S) < BARRED_ABOVE


def test_old_tasks_fade_before_a_new_one_is_counted():
    callers = Callers()
    need_after(*[True] * 4, callers=callers)
    assert need_after(False, at_s=DAY_S, callers=callers) == pytest.approx(2 / (2 + 1 + 2))


def test_a_clock_set_back_fades_nothing_then_or_later():
    callers = Callers()
    need_after(*[True] * 4, at_s=10 * DAY_S, callers=callers)
    assert callers.need("ann", "debugging", 0.0) == pytest.approx(4 / 6)
    need_after(True, at_s=0.0, callers=callers)
    assert callers.need("ann", "debugging", 10 * DAY_S) == pytest.approx(5 / 7)


def test_callers_and_skills_are_counted_apart():
    callers = Callers()
    need_after(True, True, True, callers=callers)
    assert callers.need("ann", "planning", 0.0) == 0.0
    assert callers.need("bob", "debugging", 0.0) == 0.0


def test_of_many_callers_the_longest_silent_are_forgotten():
    callers = Callers(capacity=2)
    for name in ("ann", "bob", "ann", "cid"):
        callers.task_ended(name, "debugging", needed=True, at_s=0.0)
    assert [callers.need(name, "debugging", 0.0) > 0 for name in ("ann", "bob", "cid")] == [True, False, True]


def test_asking_after_a_caller_takes_no_room():
    callers = Callers(capacity=1)
    callers.task_ended("ann", "debugging", needed=True, at_s=0.0)
    for number in range(10):
        callers.need(f"stranger-{number}", "debugging", 0.0)
    assert callers.need("ann", "debugging", 0.0) > 0


@given(st.lists(st.tuples(st.booleans(), st.floats(-1e9, 1e9)), max_size=30), st.floats(-1e9, 1e9))
def test_the_share_is_one_whatever_the_clock_does(tasks: list[tuple[bool, float]], now_s: float):
    callers = Callers()
    for needed, at_s in tasks:
        callers.task_ended("ann", "debugging", needed=needed, at_s=at_s)
    assert 0 <= callers.need("ann", "debugging", now_s) < 1
