"""How many calls a task still makes."""

from __future__ import annotations

import pytest

from lanewise.select.turns import DECAY, OTHER_CALLS, PRIOR_CALLS, PRIOR_WEIGHT, TurnBelief, Turns


def test_before_any_task_the_prior_of_the_client_holds_at_every_age():
    turns = Turns()
    assert [turns.remaining("claude-code", "main", made) for made in (0, 7, 500)] == [PRIOR_CALLS["claude-code"]] * 3
    assert turns.remaining("somebody", "main", 0) == OTHER_CALLS


def test_one_task_moves_the_belief_by_its_share():
    # the prior counts as ten tasks
    belief = TurnBelief().finished(26)
    assert belief.remaining(0, 4.0) == pytest.approx((10 * 4 + 26) / 11)
    assert belief.remaining(3, 4.0) == pytest.approx((10 * 4 + 24) / 11)  # noted at age 2
    assert belief.remaining(40, 4.0) == 4.0  # no task got this far


def test_many_tasks_are_believed_and_the_old_ones_forgotten():
    belief = TurnBelief()
    for _ in range(2_000):
        belief = belief.finished(40)
    weight = 1 / (1 - DECAY)
    assert belief.remaining(0, 4.0) == pytest.approx(
        (weight * 40 + PRIOR_WEIGHT * 4) / (weight + PRIOR_WEIGHT), rel=1e-6
    )
    for _ in range(2_000):
        belief = belief.finished(2)
    assert belief.remaining(0, 4.0) < 3


def test_the_present_call_is_always_one():
    belief = TurnBelief()
    for _ in range(100):
        belief = belief.finished(1)
    assert belief.remaining(0, 0.0) == 1.0


def test_clients_and_kinds_are_apart_and_their_number_is_bounded():
    turns = Turns(capacity=2)
    turns.finished("aider", "main", 100)
    assert turns.remaining("aider", "subagent", 0) == PRIOR_CALLS["aider"]
    turns.finished("codex", "main", 1)
    turns.finished("opencode", "main", 1)
    assert len(turns) == 2
    assert turns.remaining("aider", "main", 0) == PRIOR_CALLS["aider"]
