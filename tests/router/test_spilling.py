"""Whole calls past a local engine that has no room or is predicted late, and back to it; with the clock in hand."""

from __future__ import annotations

import asyncio
import itertools
import json
from typing import Any

import msgspec
import pytest
from router_kit import PROVIDERS, Client, House, Said, candidate, provider, world_of

from lanewise.journey import Attempt, Caller, Candidate, Usage

EASY = "Write the documentation of this function."
SESSIONS = itertools.count()


def body(**more: Any) -> bytes:
    turn = {"role": "user", "content": EASY}
    return json.dumps({"model": "big", "max_tokens": 100, "messages": [turn], **more}).encode()


def answer(status: int = 200, takes_s: float = 1.0, **headers: str) -> Said:
    usage = {"input_tokens": 10, "output_tokens": 200}
    text = [{"type": "text", "text": "It adds two numbers."}]
    body = {"type": "message", "role": "assistant", "content": text, "stop_reason": "end_turn", "usage": usage}
    said = Said(json.dumps(body).encode(), status=status, takes_s=takes_s)
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
    for _ in range(2):
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


# -- with speeds that are known ----------------------------------------------------------------------------


def teach(house: House, at: Candidate, *, first_s: float, tokens_per_s: float) -> None:
    """One streamed call of 200 tokens there, as the fold over the ledger sees it."""
    duration_s = first_s + 200 / tokens_per_s
    attempt = Attempt(
        number=1,
        candidate=at,
        started_at=house.clock.utcnow(),
        status=200,
        first_byte_us=round(first_s * 1e6),
        duration_us=round(duration_s * 1e6),
    )
    like = house.last
    outcome = msgspec.structs.replace(like.outcome, served=at, usage=Usage(output_tokens=200))
    house.router._experience.learn(msgspec.structs.replace(like, stream=True, attempts=(attempt,), outcome=outcome))


@pytest.fixture
def taught() -> House:
    """The engine takes 0.5 + 100 / 100 = 1.5 s for an answer of 100 tokens, the cloud's best 0.5 + 100 / 40 = 3."""
    house = House()
    served(house, answer(), lane="local")
    teach(house, candidate("own", "gpu"), first_s=0.5, tokens_per_s=100.0)
    for name, where in (("big", "cloud"), ("big", "spare"), ("small", "cloud")):
        teach(house, candidate(name, where), first_s=0.5, tokens_per_s=40.0)
    house.clock.seconds = 100.0
    return house


@pytest.mark.parametrize(
    ("ages_s", "provider_name"),
    [
        ([], "gpu"),
        ([0.0], "gpu"),
        ([1.0, 0.5], "gpu"),  # full, but a slot is free in 0.5: 2 s
        ([0.1, 0.1], "gpu"),  # 1.4 + 1.5 = 2.9
        ([0.1, 0.1, 0.1], "gpu"),  # the other slot: the same
        ([0.1, 0.1, 0.1, 0.1], "cloud"),  # 1.4 + 1.5 = 2.9 until two wait ahead of it; then 4.4
    ],
)
def test_a_queue_is_joined_while_it_is_faster_than_the_cloud(taught: House, ages_s: list[float], provider_name: str):
    for age_s in ages_s:
        taught.router.health.of("gpu").sent(100.0 - age_s)
    assert served(taught, answer()) == provider_name


def test_who_was_sent_past_it_comes_back_with_a_margin_or_after_a_minute(taught: House):
    gpu = taught.router.health.of("gpu")
    sent_at = [100.0] * 4
    for at in sent_at:
        gpu.sent(at)
    assert served(taught, answer(takes_s=0.0)) == "cloud"
    for at in sent_at[:2]:
        gpu.left(at)
    # 1.5 - 0.5 + 1.5 = 2.5 s is sooner than 3, and no less than 0.65 x 3 = 1.95
    taught.clock.seconds = 100.5
    assert served(taught, answer(takes_s=0.0)) == "cloud"
    assert why_not_local(taught) == "slower_than_cloud"
    # 0.4 + 1.5 = 1.9
    taught.clock.seconds = 101.1
    assert served(taught, answer(takes_s=0.0)) == "gpu"
