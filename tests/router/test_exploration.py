"""A small share of the tasks goes to another candidate that is not inferior either, and the ledger knows the odds."""

from __future__ import annotations

from collections import Counter
from fractions import Fraction
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from router_kit import MODELS, PROVIDERS, candidate, conditions_of, decided, provider, reading_of, request_of, world_of

from lanewise.config import KeySettings, ModelSettings, RoutingSettings, SkillSettings
from lanewise.journey import Caller, Candidate, Decision, Reading
from lanewise.router import World
from lanewise.router.prefer import HOLD_OUT
from lanewise.select import Pin

MANY = 1000
"""Draws of a share of 0.3 stay within 0.06 of it (four standard deviations) but once in 16,000."""


def task(number: int, **changes: Any) -> Reading:
    """One of many tasks, each in a session of its own."""
    reading = reading_of(session=f"session-{number}", **changes)
    return msgspec.structs.replace(
        reading, identity=msgspec.structs.replace(reading.identity, task_id=f"task-{number}")
    )


def over_many(world: World, **changes: Any) -> list[Decision]:
    return [decided(world=world, reading=task(number, **changes)) for number in range(MANY)]


def odds(decisions: list[Decision]) -> dict[Candidate, set[float]]:
    """The propensities that were logged for each chosen candidate."""
    found: dict[Candidate, set[float]] = {}
    for decision in decisions:
        found.setdefault(decision.chosen, set()).add(round(decision.propensity, 12))
    return found


def test_the_share_is_drawn_among_all_that_may_serve_and_among_nobody_else():
    hard_for_cheap = {"unproven": ModelSettings(provider="night", tier="cheap")}  # no price, and a batch lane
    world = world_of(explore=0.3, models={**MODELS, **hard_for_cheap})
    decisions = over_many(world)
    explored = [decision for decision in decisions if decision.reason == "explored"]
    assert abs(len(explored) / MANY - 0.3) < 0.06
    assert {decision.chosen for decision in decisions} == {
        candidate("own", "gpu"),
        candidate("small", "cloud"),
        candidate("big", "cloud"),
        candidate("big", "spare"),
    }
    others = Counter(decision.chosen for decision in explored)
    assert all(abs(count / MANY - 0.1) < 0.04 for count in others.values())  # 0.3 among three of them
    assert {decision.chosen for decision in decisions if decision.reason != "explored"} == {candidate("own", "gpu")}


def test_the_odds_of_all_that_may_be_chosen_sum_to_one_where_all_is_routed():
    found = odds(over_many(world_of(explore=0.3)))
    assert found == {
        candidate("own", "gpu"): {0.7},
        candidate("small", "cloud"): {0.1},
        candidate("big", "cloud"): {0.1},
        candidate("big", "spare"): {0.1},
    }


def test_the_odds_sum_to_one_in_a_split_too_where_the_baseline_can_be_chosen_in_two_ways():
    found = odds(over_many(world_of(mode="split", split=0.5, explore=0.3)))
    assert found == {
        candidate("own", "gpu"): {0.35},
        candidate("small", "cloud"): {0.05},
        candidate("big", "cloud"): {0.55},  # a half that is not routed, and a tenth of the half that is
        candidate("big", "spare"): {0.05},
    }


def test_a_split_in_which_both_arms_ask_the_baseline_leaves_no_chance():
    world = world_of(mode="split", split=0.5, explore=0.0)
    assert odds(over_many(world, skill="debugging")) == {candidate("big", "cloud"): {1.0}}


def test_where_the_baseline_may_not_serve_both_arms_are_routed_and_the_odds_say_so():
    rows = {**PROVIDERS, "gpu": provider(lane="local", slots=2)}
    keys = {"k": KeySettings(hash=f"sha256:{'0' * 64}", models=("small", "own"))}
    world = world_of(mode="split", split=0.5, explore=0.3, providers=rows, keys=keys)
    found = odds([decided(world=world, caller=Caller(key_id="k"), reading=task(number)) for number in range(MANY)])
    assert found == {candidate("own", "gpu"): {0.7}, candidate("small", "cloud"): {0.3}}


@settings(max_examples=60, deadline=None)
@given(
    explore=st.sampled_from([0.0, 0.02, 0.3, 0.5]),
    split=st.sampled_from([0.0, 0.1, 0.5, 1.0]),
    mode=st.sampled_from(["split", "active"]),
    names=st.sets(st.sampled_from(sorted(MODELS)), min_size=1).map(lambda names: names | {"big"}),
    skill=st.sampled_from(["documentation", "debugging"]),
)
def test_whatever_may_be_chosen_has_one_probability_and_they_sum_to_one(explore, split, mode, names, skill):
    models = {name: MODELS[name] for name in names}
    world = world_of(mode=mode, split=split, explore=explore, models=models)
    found = odds([decided(world=world, reading=task(number, skill=skill)) for number in range(150)])
    assert all(len(each) == 1 for each in found.values())
    total = sum(Fraction(min(each)).limit_denominator(10**6) for each in found.values())
    # Who is drawn too rarely to be met in 150 tasks is missing, and nobody is counted twice.
    missing = len(names) + 1 - len(found)
    assert total == 1 or (missing and total < 1)


def test_a_share_of_nothing_explores_nothing():
    assert {decision.reason for decision in over_many(world_of(explore=0.0))} == {"cheapest_allowed"}
    assert RoutingSettings().explore == 0.02


def test_where_nobody_else_may_serve_nothing_is_explored():
    found = over_many(world_of(explore=0.5, models={"big": ModelSettings(provider="cloud", price=MODELS["big"].price)}))
    assert {(decision.reason, decision.propensity) for decision in found} == {("baseline_is_cheapest", 1.0)}


def test_the_draw_is_fixed_by_the_ids_of_session_and_task():
    world = world_of(explore=0.5)
    first, again = (over_many(world)[:100] for _ in range(2))
    assert first == again
    tokens = [decided(world=world, reading=task(number, tokens=3000)).reason for number in range(100)]
    assert tokens == [decision.reason for decision in first]


def test_what_is_observed_explores_too_and_the_baseline_serves_with_certainty():
    decisions = over_many(world_of(mode="observe", explore=0.3))
    assert {(decision.chosen, decision.propensity) for decision in decisions} == {(candidate("big", "cloud"), 1.0)}
    assert len({decision.preferred for decision in decisions}) == 4


def test_a_task_under_way_is_never_explored():
    world = world_of(explore=0.5)
    pinned = conditions_of(pin=candidate("small", "cloud"))
    for number in range(100):
        step = task(number, kind="continuation", new_task=False)
        decision = decided(world=world, reading=step, conditions=pinned)
        assert (decision.reason, decision.propensity) == ("task_pin", 1.0)


@pytest.mark.parametrize(
    ("step", "pin", "reason"),
    [
        ({"new_task": False}, None, "task_pin"),  # its pin was forgotten
        ({"new_task": True, "new_session": True}, None, "task_pin"),  # met in its middle, after a restart
        # it has grown out of its pin
        ({"new_task": False, "tokens": 50_000}, Pin(candidate=candidate("own", "gpu")), "cheapest_allowed"),
    ],
)
def test_inside_a_tool_loop_nothing_is_explored_even_where_a_candidate_has_to_be_found(step, pin, reason):
    world = world_of(explore=0.5)
    found = [
        decided(world=world, reading=task(number, kind="continuation", **step), conditions=conditions_of(pin=pin))
        for number in range(100)
    ]
    assert {decision.reason for decision in found} == {reason}
    assert {decision.propensity for decision in found} == {1.0}


def test_nothing_is_explored_away_from_a_switch_point():
    world = world_of(explore=0.5)
    found = [decided(world=world, reading=task(n, kind="followup", new_task=False)) for n in range(100)]
    assert {(d.reason, d.switch_point) for d in found} == {("cheapest_allowed", "")}


def test_nobody_is_explored_whom_a_caller_a_skill_or_a_lane_excludes():
    local = [decided(world=world_of(explore=0.5), reading=task(n), caller=Caller(lane="local")) for n in range(100)]
    assert {decision.chosen.lane for decision in local} == {"local"}
    skills = {"documentation": SkillSettings(tier="cheap")}
    cheap = over_many(world_of(explore=0.5, skills=skills))[:100]
    assert {decision.chosen.tier for decision in cheap} == {"cheap"}
    pinned = [
        decided(request_of(), world=world_of(explore=0.5), caller=Caller(pin="big"), reading=task(n)) for n in range(50)
    ]
    assert {(decision.reason, decision.propensity) for decision in pinned} == {("caller_pin", 1.0)}


def test_what_was_held_out_and_what_moved_up_have_the_odds_of_their_draw():
    world = world_of(explore=0.5)
    pinned = conditions_of(pin=Pin(candidate=candidate("own", "gpu")))
    found: dict[str, set[float]] = {}
    for number in range(300):
        step = msgspec.structs.replace(task(number, kind="continuation", new_task=False), failing=0.9)
        decision = decided(world=world, reading=step, conditions=pinned)
        found.setdefault(decision.reason, set()).add(decision.propensity)
    assert found == {"escalated": {1 - HOLD_OUT}, "held_out": {HOLD_OUT}}


def test_a_task_that_could_not_have_moved_up_is_not_counted_as_held_out():
    world = world_of(models={name: MODELS[name] for name in ("own", "small")})
    pinned = conditions_of(pin=Pin(candidate=candidate("own", "gpu")))
    for number in range(50):
        step = msgspec.structs.replace(task(number, kind="continuation", new_task=False), failing=0.9)
        decision = decided(request_of(model="small"), world=world, reading=step, conditions=pinned)
        assert (decision.reason, decision.propensity) == ("task_pin", 1.0)
