"""Whole calls past a local engine that has no room or is predicted late, and back to it; with the clock in hand."""

from __future__ import annotations

import asyncio
import itertools
import json
from typing import Any

import pytest
from router_kit import PROVIDERS, Client, House, Said, provider, world_of

from lanewise.journey import Caller

EASY = "Write the documentation of this function."
SESSIONS = itertools.count()


def body(**more: Any) -> bytes:
    turn = {"role": "user", "content": EASY}
    return json.dumps({"model": "big", "max_tokens": 100, "messages": [turn], **more}).encode()


def answer(status: int = 200, takes_s: float = 1.0, **headers: str) -> Said:
    usage = {"input_tokens": 10, "output_tokens": 40}
    said = Said(json.dumps({"type": "message", "content": [], "usage": usage}).encode(), status=status, takes_s=takes_s)
    said.headers += [(name.replace("_", "-"), value) for name, value in headers.items()]
    return said


def served(house: House, *said: Said, **caller: Any) -> str:
    """Who answers one call of a new session."""
    house.upstream.answers += said
    asyncio.run(house.serve(body(), Client(), caller=Caller(session=str(next(SESSIONS)), **caller)))
    assert house.upstream.answers == []
    return house.last.outcome.served.provider


def why_not_local(house: House) -> str:
    return next((row.reason for row in house.last.decision.rejected if row.candidate.provider == "gpu"), "")


@pytest.mark.parametrize("status", [429, 503])
def test_a_refusal_sends_the_next_ones_elsewhere_at_once_for_the_time_that_it_named(status: int):
    house = House()
    assert served(house, answer()) == "gpu"
    assert served(house, answer(status, retry_after="7"), answer(takes_s=0.0)) == "cloud"
    assert [attempt.candidate.provider for attempt in house.last.attempts] == ["gpu", "cloud"]
    assert served(house, answer(takes_s=0.0)) == "cloud"
    assert (len(house.last.attempts), why_not_local(house)) == (1, "slower_than_cloud")
    house.clock.seconds += 6.5
    assert served(house, answer(takes_s=0.0)) == "cloud"
    house.clock.seconds += 0.5
    assert served(house, answer(takes_s=0.0)) == "gpu"


def test_while_all_slots_are_taken_a_waiting_caller_goes_elsewhere_and_one_that_insists_does_not():
    house = House()
    gpu = house.router.health.of("gpu")
    gpu.sent(0.0)
    assert served(house, answer()) == "gpu"
    gpu.sent(0.0)
    assert served(house, answer()) == "cloud"
    assert why_not_local(house) == "slower_than_cloud"
    assert served(house, answer(), lane="local") == "gpu"
    gpu.left(0.0)
    assert served(house, answer()) == "gpu"


def test_slots_that_nobody_knows_refuse_nothing():
    world = world_of(providers={**PROVIDERS, "gpu": provider(lane="local")})
    house = House(world)
    for _ in range(50):
        house.router.health.of("gpu").sent(0.0)
    assert served(house, answer()) == "gpu"


def test_what_was_decided_can_be_decided_again_from_what_the_ledger_keeps():
    house = House()
    for _ in range(2):
        house.router.health.of("gpu").sent(0.0)
    served(house, answer())
    kept = json.loads(house.last.situation)["queues"]["gpu"]
    assert (kept["slots"], len(kept["ages_s"])) == (2, 2)


def test_a_client_that_leaves_the_queue_makes_room():
    house = House()
    house.upstream.hangs = True

    async def play() -> None:
        calls = [
            asyncio.create_task(house.serve(body(), Client(), caller=Caller(session=str(next(SESSIONS)))))
            for _ in range(2)
        ]
        while len(house.upstream.sent) < 2:
            await asyncio.sleep(0)
        for call in calls:
            call.cancel()
        await asyncio.gather(*calls, return_exceptions=True)

    asyncio.run(play())
    house.upstream.hangs = False
    assert house.router.health.of("gpu").in_flight == 0
    assert served(house, answer()) == "gpu"
