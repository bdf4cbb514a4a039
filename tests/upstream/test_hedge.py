"""The learnt p95, the cap, who is asked second, and a race of two tries: pure parts, and tasks without a network."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lanewise.journey import Candidate, Features, Request, Turn
from lanewise.upstream.hedge import KINDS, SEEN, SEEN_LEAST, SHORT_TOKENS, Hedges, hedgeable, race, second_of


def candidate(model: str = "m", provider: str = "a") -> Candidate:
    return Candidate(lane="realtime", tier="cheap", model=model, upstream_model=model, provider=provider)


A, B, OTHER_AT_A = candidate(), candidate(provider="b"), candidate("other")


# -- the learnt p95 ---------------------------------------------------------------------------------------


def test_patience_is_the_p95_by_nearest_rank_once_enough_was_seen():
    hedges = Hedges()
    for number in range(1, SEEN_LEAST):
        hedges.seen(A, float(number), stream=True)
    assert hedges.patience_s(A, stream=True) is None
    hedges.seen(A, 20.0, stream=True)
    assert hedges.patience_s(A, stream=True) == 19.0  # ceil(0.95 x 20) = 19th of 1, 2, ... 20
    for number in range(21, SEEN + 1):
        hedges.seen(A, float(number), stream=True)
    assert hedges.patience_s(A, stream=True) == 190.0
    for number in range(SEEN + 1, SEEN + 101):
        hedges.seen(A, float(number), stream=True)
    assert hedges.patience_s(A, stream=True) == 290.0  # of 101 ... 300


def test_endpoints_models_and_streams_are_learnt_apart():
    hedges = Hedges()
    for _ in range(SEEN_LEAST):
        hedges.seen(A, 1.0, stream=True)
    assert hedges.patience_s(A, stream=True) == 1.0
    for other, stream in [(A, False), (B, True), (OTHER_AT_A, True)]:
        assert hedges.patience_s(other, stream=stream) is None


def test_names_that_clients_make_up_do_not_grow_it():
    hedges = Hedges()
    for number in range(3 * KINDS):
        hedges.seen(candidate(f"m{number}"), 1.0, stream=True)
        hedges.seen(A, 1.0, stream=True)
    assert len(hedges._first_bytes_s) == KINDS
    assert hedges.patience_s(A, stream=True) == 1.0


# -- the cap ----------------------------------------------------------------------------------------------


@given(st.lists(st.booleans(), min_size=1, max_size=1000))
def test_no_more_than_one_in_twenty_of_any_two_hundred_calls_is_hedged(slow: list[bool]):
    hedges, hedged = Hedges(), []
    for is_slow in slow:
        hedges.began()
        hedged.append(is_slow and hedges.take())
        window = hedged[-SEEN:]
        assert sum(window) <= 0.05 * len(window)


def test_where_all_are_slow_exactly_one_in_twenty_is_hedged():
    hedges, hedged = Hedges(), []
    for _ in range(1000):
        hedges.began()
        hedged.append(hedges.take())
    assert sum(hedged) == 50
    assert hedged.index(True) == 19


# -- what may be hedged, and where ------------------------------------------------------------------------


def features(**changes: Any) -> Features:
    fields: dict[str, Any] = {
        "input_tokens": 500,
        "body_bytes": 2000,
        "message_count": 1,
        "tools_offered": 0,
        "code_share": 0.0,
        "files_named": 0,
        "has_images": False,
        "tool_errors": 0,
        "complexity": 0.0,
        "waiting": True,
    }
    return Features(**{**fields, **changes})


def request(**changes: Any) -> Request:
    fields: dict[str, Any] = {"dialect": "chat", "operation": "generate", "method": "POST", "target": "/"}
    return Request(**{**fields, "headers": (), "body": b"{}", "plain": b"{}", **changes})


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, True),
        ({"turn": Turn(kind="main")}, False),
        ({"turn": Turn(kind="continuation")}, False),
        ({"request": request(tool_names=("Write",))}, False),
        ({"request": request(operation="embeddings")}, False),
        ({"features": features(has_images=True)}, False),
        ({"features": features(input_tokens=SHORT_TOKENS)}, True),
        ({"features": features(input_tokens=SHORT_TOKENS + 1)}, False),
    ],
)
def test_only_short_housekeeping_without_tools_is_sent_twice(changes: dict[str, Any], expected: bool):
    given_ = {"request": request(), "turn": Turn(kind="housekeeping", housekeeping="title"), "features": features()}
    assert hedgeable(**{**given_, **changes}) is expected


@pytest.mark.parametrize(
    ("plan", "second"),
    [((A,), None), ((A, B), B), ((A, OTHER_AT_A), OTHER_AT_A), ((A, OTHER_AT_A, B), B), ((A, B, OTHER_AT_A), B)],
)
def test_the_second_goes_to_another_endpoint_where_the_plan_has_one(plan, second):
    assert second_of(A, plan) == second


# -- the race ---------------------------------------------------------------------------------------------


class Try:
    """A try that ends when the test says so."""

    def __init__(self, result: str | Exception, *, at_once: bool = False) -> None:
        self.result = result
        self.go = asyncio.Event()
        if at_once:
            self.go.set()
        self.began = asyncio.Event()
        self.ended = ""

    async def __call__(self) -> str:
        self.began.set()
        try:
            await self.go.wait()
        except asyncio.CancelledError:
            self.ended = "cancelled"
            raise
        self.ended = "done"
        if isinstance(self.result, Exception):
            raise self.result
        return self.result


class Race:
    """A race of two tries, where results that end in ! are good."""

    def __init__(self, first: Try, second: Try, *, may: bool = True, patience_s: float = 0.0) -> None:
        self.lost: list[int] = []
        self.discarded: list[str] = []
        self.coming = asyncio.create_task(
            race(
                first,
                second,
                patience_s=patience_s,
                may=lambda: may,
                good=lambda result: result.endswith("!"),
                lost=self.lost.append,
                discard=self.discarded.append,
            )
        )


def played(play: Callable[[], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(asyncio.wait_for(play(), 10))


def test_a_first_that_is_in_time_is_alone():
    async def play() -> None:
        first, second = Try("first!", at_once=True), Try("second!")
        run = Race(first, second, patience_s=10)
        assert await run.coming == "first!"
        assert (second.began.is_set(), run.lost, run.discarded) == (False, [], [])

    played(play)


def test_a_first_that_is_slow_is_overtaken_and_cancelled():
    async def play() -> None:
        first, second = Try("first!"), Try("second!")
        run = Race(first, second)
        await second.began.wait()
        second.go.set()
        assert await run.coming == "second!"
        assert (first.ended, run.lost, run.discarded) == ("cancelled", [0], [])

    played(play)


def test_a_slow_first_that_comes_all_the_same_wins_and_the_second_is_cancelled():
    async def play() -> None:
        first, second = Try("first!"), Try("second!")
        run = Race(first, second)
        await second.began.wait()
        first.go.set()
        assert await run.coming == "first!"
        assert (second.ended, run.lost, run.discarded) == ("cancelled", [1], [])

    played(play)


def test_where_both_come_at_once_the_first_is_taken_and_the_other_one_discarded():
    async def play() -> None:
        first, second = Try("first!"), Try("second!")
        run = Race(first, second)
        await second.began.wait()
        first.go.set()
        second.go.set()
        assert await run.coming == "first!"
        assert (run.lost, run.discarded) == ([1], ["second!"])

    played(play)


def test_a_bad_second_does_not_end_the_wait_for_the_first():
    async def play() -> None:
        first, second = Try("first!"), Try("refused")
        run = Race(first, second)
        await second.began.wait()
        second.go.set()
        while not second.ended:
            await asyncio.sleep(0)
        first.go.set()
        assert await run.coming == "first!"
        assert (run.lost, run.discarded) == ([1], ["refused"])

    played(play)


def test_where_both_are_bad_the_first_is_what_came_of_it_and_nobody_lost():
    async def play() -> None:
        first, second = Try("down"), Try("refused")
        run = Race(first, second)
        await second.began.wait()
        first.go.set()
        second.go.set()
        assert await run.coming == "down"
        assert (run.lost, run.discarded) == ([], ["refused"])

    played(play)


def test_over_the_cap_the_first_is_waited_for():
    async def play() -> None:
        first, second = Try("first!"), Try("second!")
        run = Race(first, second, may=False)
        await first.began.wait()
        for _ in range(5):
            await asyncio.sleep(0)
        first.go.set()
        assert await run.coming == "first!"
        assert not second.began.is_set()

    played(play)


def test_whoever_waits_leaves_and_both_are_cancelled():
    async def play() -> None:
        first, second = Try("first!"), Try("second!")
        run = Race(first, second)
        await second.began.wait()
        run.coming.cancel()
        with pytest.raises(asyncio.CancelledError):
            await run.coming
        assert (first.ended, second.ended, run.lost) == ("cancelled", "cancelled", [])

    played(play)


def test_a_bug_in_one_try_ends_the_other_too():
    async def play() -> None:
        first, second = Try(RuntimeError("a bug")), Try("second!")
        run = Race(first, second)
        await second.began.wait()
        first.go.set()
        with pytest.raises(RuntimeError, match="a bug"):
            await run.coming
        assert second.ended == "cancelled"

    played(play)
