"""Who serves a task: kept while it is asked after, forgotten when there are too many."""

from __future__ import annotations

from select_kit import candidate_of

from lanewise.select import Pin, Pins

ONE, OTHER = Pin(candidate=candidate_of("one")), Pin(candidate=candidate_of("other"), escalation="moved")


def test_a_task_nobody_served_has_no_pin():
    assert Pins().of("t") is None


def test_the_latest_pin_of_a_task_counts():
    pins = Pins()
    pins.put("t", ONE)
    pins.put("t", OTHER)
    assert (pins.of("t"), pins.of("u")) == (OTHER, None)


def test_of_too_many_the_one_that_was_not_asked_after_is_forgotten():
    pins = Pins(capacity=2)
    pins.put("a", ONE)
    pins.put("b", ONE)
    pins.of("a")
    pins.put("c", ONE)
    assert [pins.of(task) is not None for task in "abc"] == [True, False, True]


def test_putting_a_pin_anew_takes_no_more_room():
    pins = Pins(capacity=2)
    pins.put("a", ONE)
    for _ in range(5):
        pins.put("b", OTHER)
    assert (pins.of("a"), pins.of("b")) == (ONE, OTHER)
    pins.put("a", OTHER)
    pins.put("c", ONE)
    assert pins.of("b") is None
