"""How long a provider asks to wait, and what the breaker makes of its failures."""

from __future__ import annotations

import datetime as dt

import pytest

from lanewise.journey import Candidate
from lanewise.upstream.attempt import retry_after_s
from lanewise.upstream.health import Endpoint, Health

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
