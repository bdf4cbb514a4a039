"""Predicted completion by dead reckoning, and spilling that does not flap. Arithmetic in the comments."""

from __future__ import annotations

import itertools
import random
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lanewise.route.queues import (
    COLD_START_S,
    HOLD_S,
    QueueState,
    Speed,
    concurrency,
    now_spilled,
    predicted_completion_s,
    predicted_wait_s,
    spills,
)

SPEED = Speed(prefill_tokens_per_s=1000.0, decode_tokens_per_s=50.0, service_s=10.0)


def queue(*ages_s: float, **changes: Any) -> QueueState:
    return QueueState(ages_s=ages_s, **{"slots": 2, **changes})


# -- the wait ---------------------------------------------------------------------------------------------

WAITS = {
    "nobody there": (queue(), 0.0),
    "one of two slots": (queue(4.0), 0.0),
    # 10 - 4 = 6 and 10 - 7 = 3 seconds are left: the second slot is free first.
    "both slots": (queue(7.0, 4.0), 3.0),
    # The third call takes the slot that is free after 3 s for 10 s; the other one is free after 6.
    "one waits": (queue(7.0, 4.0, 1.0), 6.0),
    # ... and the fourth takes that one until 16; then 3 + 10 = 13 is the first.
    "two wait": (queue(7.0, 4.0, 1.0, 0.0), 13.0),
    # A quarter of 10 is left of a call that should be over.
    "overdue": (queue(30.0, 4.0), 2.5),
    # Two strangers are halfway, 5 s each.
    "strangers": (queue(others=2), 5.0),
    # The oldest run: our call of 7 s and one stranger of 5; the other stranger waits behind 3 s.
    "strangers and ours": (queue(7.0, others=2), 5.0),
    "the engine's own slots are fewer": (queue(4.0, running=1, waiting=3), 6.0),
    "slots by what it works on while others wait": (queue(7.0, slots=None, running=1, waiting=1), 3.0),
    "slots by what fits into its memory": (queue(7.0, slots=None, running=1, kv_used_share=0.96), 3.0),
    "an engine that says nobody waits": (queue(7.0, 4.0, slots=None, running=2, waiting=0), 0.0),
    "unknown slots, nobody there": (queue(slots=None), 0.0),
    "unknown slots": (queue(7.0, slots=None), None),
    "unknown slots, strangers alone": (queue(slots=None, others=1), None),
    "refused a moment ago": (queue(refuses_for_s=4.0), 4.0),
    "refused for longer than the queue": (queue(7.0, 4.0, refuses_for_s=20.0), 20.0),
    "refused, and a longer queue": (queue(7.0, 4.0, 1.0, refuses_for_s=4.0), 6.0),
}


@pytest.mark.parametrize(("state", "wait_s"), WAITS.values(), ids=list(WAITS))
def test_the_wait_is_when_the_first_slot_is_free_behind_all_that_are_ahead(state: QueueState, wait_s: float | None):
    assert predicted_wait_s(state, 10.0) == wait_s


def test_how_long_a_full_engine_takes_is_unknown_while_its_answers_are():
    assert predicted_wait_s(queue(1.0, 1.0), None) is None
    assert predicted_wait_s(queue(1.0), None) == 0.0


# -- completion -------------------------------------------------------------------------------------------

COMPLETIONS = {
    # 2000 / 1000 + 300 / 50
    "idle": (queue(), SPEED, {}, 8.0),
    "behind a queue": (queue(7.0, 4.0), SPEED, {}, 3.0 + 8.0),
    "loads first": (queue(), SPEED, {"cold": True}, COLD_START_S + 8.0),
    "time to first token instead of a rate": (queue(), Speed(first_token_s=0.5, decode_tokens_per_s=50.0), {}, 6.5),
    # Those ahead are like this one: 8 s, of which 8 - 7 = 1 and 8 - 4 = 4 are left, but a quarter, 2, at least.
    "those ahead are like this one": (queue(7.0, 4.0), msgspec.structs.replace(SPEED, service_s=None), {}, 2.0 + 8.0),
    "unknown decoding": (queue(), Speed(first_token_s=0.5), {}, None),
    "unknown prefill": (queue(), Speed(decode_tokens_per_s=50.0), {}, None),
    "unknown wait": (queue(7.0, slots=None), SPEED, {}, None),
}


@pytest.mark.parametrize(("state", "speed", "more", "seconds"), COMPLETIONS.values(), ids=list(COMPLETIONS))
def test_completion_is_wait_prefill_and_decode_or_unknown(state, speed, more, seconds):
    assert predicted_completion_s(state, speed, input_tokens=2000, output_tokens=300, **more) == seconds


AGES = st.lists(st.floats(0, 100), max_size=12).map(lambda ages: tuple(sorted(ages, reverse=True)))
SPEEDS = st.builds(
    Speed,
    prefill_tokens_per_s=st.floats(1, 1e5),
    decode_tokens_per_s=st.floats(0.1, 1e3),
    service_s=st.none() | st.floats(0.1, 100),
)
QUEUES = st.builds(
    QueueState,
    ages_s=AGES,
    others=st.none() | st.integers(0, 12),
    slots=st.integers(1, 8),
    refuses_for_s=st.just(0.0) | st.floats(0, 60),
)


def done_s(state: QueueState, speed: Speed, input_tokens: int = 1000, output_tokens: float = 300.0) -> float:
    predicted = predicted_completion_s(state, speed, input_tokens=input_tokens, output_tokens=output_tokens)
    assert predicted is not None
    return predicted


CLOSE = 1 + 1e-9
"""Sums of floats in another order."""


@given(QUEUES, SPEEDS, st.floats(0, 100))
def test_one_more_call_ahead_never_makes_it_sooner(state: QueueState, speed: Speed, age_s: float):
    now_s = done_s(state, speed)
    stranger = msgspec.structs.replace(state, others=(state.others or 0) + 1)
    own = msgspec.structs.replace(state, ages_s=tuple(sorted((*state.ages_s, age_s), reverse=True)))
    assert done_s(stranger, speed) * CLOSE >= now_s
    assert done_s(own, speed) * CLOSE >= now_s


@given(QUEUES, SPEEDS, st.integers(0, 100_000), st.integers(0, 100_000), st.floats(0, 1e4), st.floats(0, 1e4))
def test_a_longer_prompt_or_answer_never_makes_it_sooner(state, speed, tokens, more_tokens, output, more_output):
    now_s = done_s(state, speed, tokens, output)
    assert done_s(state, speed, tokens + more_tokens, output) * CLOSE >= now_s
    assert done_s(state, speed, tokens, output + more_output) * CLOSE >= now_s


@given(QUEUES, SPEEDS)
def test_one_more_slot_never_makes_it_later(state: QueueState, speed: Speed):
    roomier = msgspec.structs.replace(state, slots=(state.slots or 0) + 1)
    assert done_s(roomier, speed) <= done_s(state, speed) * CLOSE


@given(QUEUES, SPEEDS, st.sampled_from(["slots", "prefill_tokens_per_s", "decode_tokens_per_s"]))
def test_what_is_unknown_is_never_taken_for_nothing(state: QueueState, speed: Speed, gone: str):
    """Without a figure the prediction is the same or none: never a smaller one."""
    known_s = done_s(state, speed)
    if gone == "slots":
        state = msgspec.structs.replace(state, slots=None)
    else:
        speed = msgspec.structs.replace(speed, **{gone: None})
    unknown = predicted_completion_s(state, speed, input_tokens=1000, output_tokens=300.0)
    assert unknown is None or unknown == known_s


def test_a_model_is_cold_only_where_the_engine_says_what_is_warm():
    assert not queue().cold("m")
    assert queue(loaded=frozenset()).cold("m")
    assert not queue(loaded=frozenset({"m"})).cold("m")


# -- spilling ---------------------------------------------------------------------------------------------

SPILLS = {
    "local wins": (queue(), 5.0, 6.0, True, None, False),
    "latency inversion": (queue(), 7.0, 6.0, True, None, True),
    "nobody waits": (queue(7.0, 4.0, 1.0), 90.0, 6.0, False, None, False),
    "the deadline allows": (queue(), 90.0, 6.0, True, 100.0, False),
    "the deadline does not": (queue(), 90.0, 6.0, False, 60.0, True),
    "nobody can meet the deadline": (queue(), 90.0, 95.0, False, 60.0, False),
    "the deadline, and the cloud unknown": (queue(), 90.0, None, False, 60.0, True),
    "a deadline, local unknown, nobody waits": (queue(9.0, 9.0), None, 6.0, False, 60.0, False),
    "unknown here, and full": (queue(7.0, 4.0), None, 6.0, True, None, True),
    "unknown here, and room": (queue(7.0), None, 6.0, True, None, False),
    "unknown here altogether": (queue(7.0, slots=None), None, 6.0, True, None, False),
    "unknown there, and full": (queue(7.0, 4.0), 30.0, None, True, None, True),
    "refused a moment ago": (queue(refuses_for_s=1.0), 2.0, 6.0, True, None, True),
    "refused, but nobody waits": (queue(refuses_for_s=1.0), 2.0, 6.0, False, None, False),
    # 0.65 x 6 = 3.9
    "spilled, and not yet good enough": (queue(spilled_for_s=59.0), 4.0, 6.0, True, None, True),
    "spilled for a minute, and no worse": (queue(spilled_for_s=60.0), 6.0, 6.0, True, None, False),
    "spilled for a minute, and still worse": (queue(spilled_for_s=60.0), 6.1, 6.0, True, None, True),
    "spilled, and back": (queue(spilled_for_s=0.0), 3.8, 6.0, True, None, False),
}


@pytest.mark.parametrize(
    ("state", "local_s", "cloud_s", "waiting", "deadline_s", "expected"), SPILLS.values(), ids=list(SPILLS)
)
def test_a_call_goes_elsewhere_only_for_time_that_somebody_needs(
    state, local_s, cloud_s, waiting, deadline_s, expected
):
    assert spills(state, local_s=local_s, cloud_s=cloud_s, waiting=waiting, deadline_s=deadline_s) is expected


NOISE = st.lists(st.tuples(st.floats(0.9, 1.1), st.floats(0.9, 1.1)), min_size=2, max_size=60)


def looked(since_s: float | None, now_s: float, local_s: float, cloud_s: float) -> float | None:
    """Since when it is spilled after this look, None where it is not."""
    state = queue(spilled_for_s=None if since_s is None else now_s - since_s)
    spilled = now_spilled(state, local_s=local_s, cloud_s=cloud_s)
    return (now_s if since_s is None else since_s) if spilled else None


@given(st.floats(0.1, 1000), st.floats(0.1, 1000), NOISE, st.sampled_from([None, 0.0]))
def test_noise_of_ten_percent_on_both_predictions_does_not_make_it_flap(local_s, cloud_s, noise, since_s):
    """Whatever the true times: within a minute it changes at most once, and then stays."""
    changes = 0
    for second, (here, there) in enumerate(noise):
        before = since_s
        since_s = looked(since_s, float(second), local_s * here, cloud_s * there)
        changes += (before is None) != (since_s is None)
    assert len(noise) <= HOLD_S
    assert changes <= 1


@given(st.floats(0.85, 0.99), st.integers(0, 2**32))
def test_over_an_hour_noise_moves_it_away_at_most_once_a_minute(ratio: float, seed: int):
    rng, since_s, spills_at = random.Random(seed), None, []
    for second in range(0, 3600, 5):
        before = since_s
        here, there = rng.uniform(0.9, 1.1), rng.uniform(0.9, 1.1)
        since_s = looked(since_s, float(second), 10.0 * ratio * here, 10.0 * there)
        if before is None and since_s is not None:
            spills_at.append(second)
    assert all(later - earlier >= HOLD_S for earlier, later in itertools.pairwise(spills_at))


def test_a_queue_that_grows_and_drains_spills_once_and_returns_once():
    """Two slots, answers of 8 s, the cloud takes 13; one look every 5 s finds so many calls that just began."""
    speed = msgspec.structs.replace(SPEED, service_s=8.0)
    since_s, seen = None, []
    for look, calls in enumerate([0, 1, 2, 3, 4, 3, 2, 1, 0]):
        local_s = done_s(queue(*[0.0] * calls), speed, 2000, 300)
        since_s = looked(since_s, 5.0 * look, local_s, 13.0)
        seen.append(since_s)
    # Full from two calls on: 8 + 8 = 16 s against 13. Room again at one: 8 s, less than 0.65 x 13 = 8.45.
    assert seen == [None, None, 10.0, 10.0, 10.0, 10.0, 10.0, None, None]


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        (queue(), 2),
        (queue(slots=None), None),
        (queue(slots=None, running=5, waiting=0), None),
        (queue(slots=None, running=5, waiting=1), 5),
        (queue(slots=8, running=5, waiting=1), 5),
        (queue(slots=4, running=5, waiting=1), 4),
        (queue(slots=None, running=0, waiting=1), None),
    ],
)
def test_what_an_engine_works_on_while_others_wait_is_what_it_can(state: QueueState, expected: int | None):
    assert concurrency(state) == expected
