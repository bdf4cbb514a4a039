"""What each candidate is expected to take: one prediction for all models behind a queue is that of each of them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from router_kit import candidate, conditions_of, reading_of, situation_of, world_of

from lanewise.journey import Caller
from lanewise.route import QueueState, Speed, predicted_completion_s
from lanewise.router.case import case_of
from lanewise.router.limits import limits_of
from lanewise.router.outlook import _completion_s

WORLD = world_of()
_COUNT = st.none() | st.integers(0, 4)
_QUEUES = st.builds(
    QueueState,
    ages_s=st.lists(st.floats(0, 30), max_size=5).map(lambda ages: tuple(sorted(ages, reverse=True))),
    others=_COUNT,
    slots=st.none() | st.integers(1, 4),
    running=_COUNT,
    waiting=_COUNT,
    refuses_for_s=st.sampled_from([0.0, 3.0]),
    loaded=st.sampled_from([None, frozenset(), frozenset({"own"})]),
)
_SPEED = st.sampled_from([float("nan"), 0.5, 40.0])


@settings(max_examples=200, deadline=None)
@given(_QUEUES, _SPEED, _SPEED)
def test_the_columns_say_what_each_prediction_says(queue, first_s, per_s):
    reading = reading_of()
    situation = situation_of(reading=reading, world=WORLD, conditions=conditions_of(queues={"gpu": queue}))
    case = case_of(WORLD.rulebook, Caller(), reading, situation, limits_of(WORLD.rulebook.policy, Caller(), 0))
    count = len(case.table)
    evidence = case.evidence._replace(first_token_s=np.full(count, first_s), tokens_per_s=np.full(count, per_s))
    output = np.full(count, 100.0)
    found = _completion_s(case._replace(evidence=evidence), first_s + output / per_s, output)
    own = candidate("own", "gpu", WORLD)
    expected = predicted_completion_s(
        queue,
        Speed(
            first_token_s=None if np.isnan(first_s) else first_s, decode_tokens_per_s=None if np.isnan(per_s) else per_s
        ),
        input_tokens=situation.need.input_tokens,
        output_tokens=100.0,
        cold=queue.cold(own.upstream_model),
    )
    at = found[case.table.positions[own]]
    assert np.isnan(at) if expected is None else at == pytest.approx(expected)
