"""How long a provider asks to wait, and what the breaker makes of its failures."""

from __future__ import annotations

import datetime as dt

import pytest

from lanewise.journey import Candidate
from lanewise.upstream.attempt import retry_after_s
from lanewise.upstream.health import MAX_REFUSED_S, REFUSED_S, Endpoint, Health

NOW = dt.datetime(2026, 11, 23, 12, 0, tzinfo=dt.UTC)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ([], None),
        ([("retry-after", "3")], 3.0),
        ([("retry-after", "0.5")], 0.5),
        ([("retry-after", "0")], 0.0),
        ([("retry-after", "9"), ("retry-after-ms", "250")], 0.25),
        ([("retry-after", "Mon, 23 Nov 2026 12:01:30 GMT")], 90.0),
        ([("retry-after", "Mon, 23 Nov 2026 11:00:00 GMT")], 0.0),
        ([("retry-after", "Mon, 23 Nov 2026 12:00:30 -0000")], None),
        ([("retry-after", "-5")], None),
        ([("retry-after", "soon")], None),
        ([("retry-after", "")], None),
        ([("retry-after", "9" * 400)], float("inf")),
        ([("retry-after", "\xb2")], None),
        ([("retry-after-ms", "\xb9")], None),
    ],
)
def test_a_pause_is_read_in_every_form_or_not_at_all(headers: list[tuple[str, str]], seconds: float | None) -> None:
    assert retry_after_s(headers, NOW) == seconds


def test_a_breaker_opens_at_its_threshold_and_lets_one_probe_through() -> None:
    endpoint = Endpoint(threshold=2, open_s=30)
    endpoint.failed(0)
    assert endpoint.state(0) == "closed"
    endpoint.failed(1)
    assert (endpoint.state(1), endpoint.admits(30.9)) == ("open", False)
    assert (endpoint.state(31), endpoint.admits(31)) == ("half_open", True)
    endpoint.sent(31)
    assert not endpoint.admits(31)
    endpoint.failed(32)
    assert (endpoint.state(61), endpoint.state(62)) == ("open", "half_open")


def test_a_probe_that_is_answered_closes_the_breaker_until_its_answer_is_cut() -> None:
    endpoint = Endpoint(threshold=2, open_s=30)
    endpoint.failed(0)
    endpoint.failed(0)
    endpoint.sent(30)
    endpoint.answered()
    assert endpoint.state(30) == "closed"
    endpoint.failed(31)
    assert endpoint.state(31) == "open"


def test_an_answer_that_came_to_its_end_forgets_earlier_failures() -> None:
    endpoint = Endpoint(threshold=2, open_s=30)
    for _ in range(5):
        endpoint.failed(0)
        endpoint.answered()
        endpoint.succeeded()
    assert endpoint.state(0) == "closed"


def test_a_probe_whose_client_left_gives_its_turn_back() -> None:
    endpoint = Endpoint(threshold=1, open_s=30)
    endpoint.failed(0)
    endpoint.sent(30)
    endpoint.abandoned()
    assert endpoint.admits(30)


def test_where_all_breakers_are_open_the_first_of_the_plan_is_asked_all_the_same() -> None:
    health = Health(threshold=1, open_s=30, monotonic=lambda: 0.0)
    plan = [
        Candidate(lane="realtime", tier="cheap", model="m", upstream_model="m", provider=name) for name in ("a", "b")
    ]
    assert health.admitted(plan) == tuple(plan)
    health.of("a").failed(0)
    assert health.admitted(plan) == (plan[1],)
    health.of("b").failed(0)
    assert health.admitted(plan) == (plan[0],)


def test_calls_in_flight_are_known_with_their_ages_and_leave_in_any_order() -> None:
    endpoint = Endpoint(threshold=2, open_s=30)
    for at in (10.0, 12.0, 12.0, 15.0):
        endpoint.sent(at)
    endpoint.left(12.0)
    assert (endpoint.in_flight, endpoint.ages_s(20.0), endpoint.last_sent_at) == (3, (10.0, 8.0, 5.0), 15.0)
    for at in (15.0, 10.0, 12.0):
        endpoint.left(at)
    assert (endpoint.in_flight, endpoint.ages_s(20.0), endpoint.last_sent_at) == (0, (), 15.0)


@pytest.mark.parametrize(
    ("asked_s", "full_s"),
    [(None, REFUSED_S), (2.0, 2.0), (0.0, 0.0), (3600.0, MAX_REFUSED_S), (float("inf"), MAX_REFUSED_S)],
)
def test_after_a_refusal_an_endpoint_is_full_for_the_time_that_it_named(asked_s: float | None, full_s: float) -> None:
    endpoint = Endpoint(threshold=2, open_s=30)
    assert endpoint.refuses_for_s(100.0) == 0.0
    endpoint.refused(100.0, asked_s)
    assert endpoint.refuses_for_s(100.0) == full_s
    assert endpoint.refuses_for_s(100.0 + full_s) == 0.0


def test_a_shorter_refusal_does_not_take_back_a_longer_one() -> None:
    endpoint = Endpoint(threshold=2, open_s=30)
    endpoint.refused(100.0, 30.0)
    endpoint.refused(101.0, 1.0)
    assert endpoint.refuses_for_s(101.0) == 29.0


def test_who_refuses_now_is_listed() -> None:
    now = 0.0
    health = Health(threshold=1, open_s=30, monotonic=lambda: now)
    health.of("a").refused(0.0, 9.0)
    health.of("b").refused(0.0, 3.0)
    health.of("c")
    assert health.refusing() == {"a", "b"}
    now = 3.0
    assert health.refusing() == {"a"}
