"""`decide()` remembers nothing: the same call is decided the same way, and 100,000 of them leave nothing behind."""

from __future__ import annotations

import gc
import sys

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from router_kit import conditions_of, reading_of, request_of, situation_of, world_of

from lanewise.journey import Caller, Decision
from lanewise.router import decide

WORLD = world_of(mode="split", split=0.5, explore=0.3, baseline="big")


def one(number: int, *, world=WORLD) -> Decision:
    """The decision on the `number`-th of many different calls."""
    reading = reading_of(
        session=f"s{number}",
        tokens=100 + number % 9_000,
        skill=("documentation", "debugging", "summarization")[number % 3],
        complexity=(number % 10) / 10,
        kind="continuation" if number % 4 == 3 else "main",
    )
    request = request_of(model=("big", "auto", "small", f"unlisted-{number % 40}")[number % 4])
    conditions = conditions_of(in_flight={"gpu": number % 3})
    situation = situation_of(request, reading=reading, world=world, conditions=conditions)
    return decide(world.rulebook, Caller(), reading, situation)


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 10**6), st.lists(st.integers(0, 10**6), max_size=20))
def test_a_decision_does_not_depend_on_those_before_it(number: int, others: list[int]):
    fresh = one(number, world=world_of(mode="split", split=0.5, explore=0.3, baseline="big"))
    for other in others:
        one(other)
    assert one(number) == fresh
    assert msgspec.json.encode(one(number)) == msgspec.json.encode(fresh)


@pytest.mark.slow
def test_a_hundred_thousand_decisions_leave_nothing_behind():
    reading = reading_of()
    situations = [
        (request.model, situation_of(request, reading=reading, world=WORLD))
        for request in (request_of(model=model) for model in ("big", "auto", "small", *(f"n{n}" for n in range(30))))
    ]

    def many(count: int) -> None:
        for number in range(count):
            _, situation = situations[number % len(situations)]
            identity = msgspec.structs.replace(reading.identity, session_id=f"s{number}", task_id=f"t{number}")
            at = situation.at.replace(minute=number % 60)
            decide(
                WORLD.rulebook,
                Caller(),
                msgspec.structs.replace(reading, identity=identity),
                msgspec.structs.replace(situation, at=at),
            )

    many(2_000)  # fills what is kept on purpose: tables of unlisted names, price columns, rejections
    gc.collect()
    before = sys.getallocatedblocks()
    many(100_000)
    gc.collect()
    # One object kept by each would be 100,000; what is kept on purpose is bounded, and full already.
    assert sys.getallocatedblocks() - before < 5_000
