"""What attempts teach of speed and soundness, where more than one was made: the answer's tokens belong to one of them."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from router_kit import NOW, House, Said, candidate, reading_of, world_of

from lanewise.journey import Attempt, CallRecord, Candidate, Usage
from lanewise.router.experience import Experience
from lanewise.select import Evidence, Priors

ANSWER = (
    b'{"type": "message", "role": "assistant", "content": [{"type": "text", "text": "It divides by zero."}],'
    b' "stop_reason": "end_turn", "usage": {"input_tokens": 9, "output_tokens": 9}}'
)
QUESTION = b'{"model": "big", "max_tokens": 9, "messages": [{"role": "user", "content": "Why does it crash?"}]}'
WORLD = world_of()
CLOUD, SPARE = candidate("big", "cloud", WORLD), candidate("big", "spare", WORLD)


def attempt(number: int, at: Candidate, **changes: Any) -> Attempt:
    """A stream that began after 1 s and ended after 5."""
    fields = {"status": 200, "first_byte_us": 1_000_000, "duration_us": 5_000_000}
    return Attempt(number=number, candidate=at, started_at=NOW, **{**fields, **changes})


def call_of(served: Candidate, *attempts: Attempt) -> CallRecord:
    """A streamed call with 200 tokens of output."""
    house = House(WORLD)
    house.ask(QUESTION, Said(ANSWER))
    outcome = msgspec.structs.replace(house.last.outcome, served=served, usage=Usage(output_tokens=200))
    return msgspec.structs.replace(house.last, stream=True, attempts=attempts, outcome=outcome)


def learnt(call: CallRecord) -> dict[str, tuple[float, float]]:
    """Provider of model `big` -> tokens per second, failure rate."""
    experience = Experience(Priors.none())
    experience.learn(call)
    table = WORLD.rulebook.table(None)
    found = Evidence.unpacked(experience.evidence(reading_of(), table, NOW), len(table))
    return {
        at.provider: (found.tokens_per_s[table.positions[at]], found.failure_rate[table.positions[at]])
        for at in (CLOUD, SPARE)
    }


LOST = {"error": "hedge_lost", "status": None, "first_byte_us": None}


@pytest.mark.parametrize("lost_number", [1, 2])
def test_an_overtaken_request_is_no_failure_and_the_answer_is_the_other_ones(lost_number: int):
    won = attempt(3 - lost_number, CLOUD)
    lost = attempt(lost_number, SPARE, **LOST)
    speeds = learnt(call_of(CLOUD, *sorted([won, lost], key=lambda row: row.number)))
    assert speeds["cloud"] == (50.0, 0.0)  # 200 tokens in 5 - 1 s
    assert str(speeds["spare"][0]) == "nan"
    assert speeds["spare"][1] == 0.0


def test_a_try_that_failed_is_one_and_the_answer_is_the_last_ones():
    failed = attempt(1, CLOUD, error="connect_failed", status=None, first_byte_us=None)
    speeds = learnt(call_of(SPARE, failed, attempt(2, SPARE)))
    assert speeds["cloud"][1] > 0.0
    assert speeds["spare"] == (50.0, 0.0)
