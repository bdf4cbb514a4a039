"""Which lanes and tiers a task may use, by whose word, and with which reason."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from route_kit import CALLER, FEATURES, LABEL, TURN, changed

from lanewise.cli import reasons
from lanewise.journey import Caller, SkillLabel, Turn
from lanewise.route import LanePolicy, LaneQueue, Queues, Spend, allowed_lanes, cheap_by_judgement, residency, resident
from lanewise.route.lanes import CHEAP_BELOW, LANES

ALL = ("local", "batch", "realtime")
FULL = Queues(local=LaneQueue(in_flight=2, slots=2))
SPENT = Spend(spent_pusd=5, budget_pusd=5)


NOTHING_SPENT, NO_QUEUES = Spend(), Queues()


def verdict(*policies, turn=TURN, features=FEATURES, caller=CALLER, spend=NOTHING_SPENT, queues=NO_QUEUES):
    return allowed_lanes(turn, features, caller, policies, spend, queues)


def refused(*policies, **given):
    return dict(verdict(*policies, **given).refused)


def test_a_single_call_with_a_far_deadline_may_use_every_lane():
    found = verdict()
    assert (found.allowed, found.refused, found.tiers) == (ALL, (), ("cheap", "frontier"))


@pytest.mark.parametrize(
    ("turn", "features", "deadline_s", "reason"),
    [
        ("continuation", {}, 3_600.0, "tool_loop"),
        ("followup", {}, 3_600.0, "tool_loop"),
        ("main", {"tools_offered": 1}, 3_600.0, "tools_offered"),
        ("main", {}, None, "no_deadline"),
        ("main", {}, 59.9, "deadline_too_short"),
        ("main", {"waiting": True}, 60.0, "user_waits"),
        ("main", {}, 60.0, None),
        ("housekeeping", {}, 3_600.0, None),
    ],
)
def test_the_batch_lane_is_for_single_calls_that_nobody_waits_for(turn, features, deadline_s, reason):
    found = refused(turn=Turn(kind=turn), features=changed(FEATURES, **features), caller=Caller(deadline_s=deadline_s))
    assert found.get("batch") == reason


@pytest.mark.parametrize(
    ("queue", "reason"),
    [
        (LaneQueue(), None),
        (LaneQueue(in_flight=99), None),  # unknown slots are not zero slots
        (LaneQueue(in_flight=1, slots=2, waiting=0), None),
        (LaneQueue(in_flight=2, slots=2), "queue_full"),
        (LaneQueue(waiting=1), "queue_full"),
    ],
)
def test_work_that_nobody_waits_for_takes_an_engine_of_ones_own_only_while_it_is_idle(queue, reason):
    assert refused(queues=Queues(local=queue), caller=Caller()).get("local") == reason


def test_somebody_who_waits_is_not_refused_a_lane_for_its_queue_since_each_engine_is_judged_by_its_time():
    assert "local" not in refused(features=changed(FEATURES, waiting=True), queues=FULL, caller=Caller())


def test_a_call_that_can_wait_stands_in_the_local_queue_only_if_its_deadline_allows():
    assert "local" not in refused(queues=FULL, caller=Caller(deadline_s=120.0))
    assert refused(queues=FULL, caller=Caller(deadline_s=119.0))["local"] == "queue_full"
    assert refused(queues=FULL, caller=Caller())["local"] == "queue_full"


@pytest.mark.parametrize(
    ("kind", "waiting", "deadline_s", "flex"),
    [
        ("continuation", False, None, True),  # a loop that runs unattended
        ("continuation", False, 900.0, True),
        ("continuation", False, 899.0, False),
        ("continuation", True, None, False),
        ("housekeeping", False, None, False),  # a title beside a conversation that somebody looks at
        ("housekeeping", False, 900.0, True),
    ],
)
def test_slow_work_may_use_flex_service(kind, waiting, deadline_s, flex):
    found = verdict(
        turn=Turn(kind=kind), features=changed(FEATURES, waiting=waiting), caller=Caller(deadline_s=deadline_s)
    )
    assert found.flex is flex


def test_flex_needs_the_realtime_lane():
    assert verdict(LanePolicy(code="key_policy", lanes=("local",))).flex is False


def test_policies_must_all_hold_and_each_refusal_names_the_first_that_forbids():
    key, skill = (
        LanePolicy(code="key_policy", lanes=("local", "batch")),
        LanePolicy(code="skill_policy", lanes=("local",)),
    )
    assert refused(key, skill) == {"realtime": "key_policy", "batch": "skill_policy"}


def test_policies_that_leave_nothing_between_them_refuse_all_with_the_code_of_the_later():
    key, skill = LanePolicy(code="key_policy", lanes=("local",)), LanePolicy(code="skill_policy", lanes=("batch",))
    assert refused(key, skill) == dict.fromkeys(ALL, "skill_policy")
    assert refused(skill, key) == dict.fromkeys(ALL, "key_policy")
    cheap, frontier = LanePolicy(code="key_policy", tier="cheap"), LanePolicy(code="rule_policy", tier="frontier")
    assert refused(cheap, frontier) == dict.fromkeys(ALL, "rule_policy")
    assert verdict(cheap, frontier).tiers == ()


def test_a_policy_names_the_tier():
    assert verdict(LanePolicy(code="skill_policy", tier="cheap")).tiers == ("cheap",)


def test_a_spent_budget_closes_the_cloud():
    assert refused(spend=SPENT) == {"batch": "budget_spent", "realtime": "budget_spent"}
    assert refused(spend=Spend(spent_pusd=4, budget_pusd=5)) == {}
    assert refused(spend=Spend(spent_pusd=10**18)) == {}
    assert refused(spend=Spend(budget_pusd=0))["realtime"] == "budget_spent"


def test_the_callers_lane_overrules_guesses_and_no_policy():
    waits = changed(FEATURES, waiting=True)
    local, batch = Caller(lane="local"), Caller(lane="batch")
    assert verdict(caller=local, features=waits, queues=FULL).allowed == ("local",)
    assert verdict(caller=batch, turn=Turn(kind="continuation")).allowed == ("batch",)
    for policy in (LanePolicy(code="key_policy", lanes=("batch",)), LanePolicy(code="residency", lanes=("realtime",))):
        assert refused(policy, caller=local) == dict.fromkeys(ALL, "caller_lane")
    assert refused(caller=batch, spend=SPENT) == dict.fromkeys(ALL, "caller_lane")


@pytest.mark.parametrize(
    ("region", "lane", "demanded", "expected"),
    [
        ("", "realtime", [()], True),
        ("eu", "realtime", [("eu",)], True),
        ("us", "realtime", [("eu",)], False),
        ("", "realtime", [("eu",)], False),  # unknown is not allowed
        ("", "batch", [("local",)], False),
        ("", "local", [("local",)], True),
        ("", "local", [("eu",)], False),
        ("eu", "local", [("local",)], False),
        ("eu", "realtime", [("eu", "us"), ("us",)], False),
        ("us", "realtime", [("eu", "us"), ("us",)], True),
        ("us", "realtime", [("eu",), ("us",)], False),  # two demands that nothing meets allow nothing
    ],
)
def test_a_provider_is_resident_in_a_region_of_every_demand(region, lane, demanded, expected):
    assert resident(region, lane, *demanded) is expected


def test_a_lane_without_a_resident_provider_is_refused():
    providers = [("eu", "realtime"), ("us", "batch"), ("", "local")]
    assert residency(providers, ("eu",), ()) == LanePolicy(code="residency", lanes=("realtime",))
    assert residency(providers, (), ()) == LanePolicy(code="residency")


def test_cheap_by_judgement_is_the_table_of_limits():
    for skill, limit in CHEAP_BELOW.items():
        for complexity in (0.0, limit - 0.01, limit, 1.0):
            if complexity < 0:
                continue
            label, features = changed(LABEL, skill=skill), changed(FEATURES, complexity=complexity)
            assert cheap_by_judgement(TURN, label, features) is (complexity < limit)


def test_unsure_labels_and_failed_tools_need_the_frontier_and_housekeeping_never_does():
    unsure = SkillLabel(skill="documentation", confidence=0.1, abstained=True)
    failing = changed(FEATURES, tool_errors=1)
    assert not cheap_by_judgement(TURN, changed(unsure, skill="documentation"), changed(FEATURES, complexity=0.1))
    assert not cheap_by_judgement(TURN, changed(LABEL, skill="documentation"), changed(failing, complexity=0.1))
    assert cheap_by_judgement(
        Turn(kind="housekeeping"), changed(unsure, skill="debugging"), changed(failing, complexity=1.0)
    )


_POLICIES = st.builds(
    LanePolicy,
    code=st.sampled_from(["residency", "key_policy", "skill_policy", "rule_policy"]),
    lanes=st.none() | st.lists(st.sampled_from(LANES), unique=True).map(tuple),
    tier=st.sampled_from([None, "cheap", "frontier"]),
)
_CALLS = st.fixed_dictionaries(
    {
        "turn": st.sampled_from(["main", "continuation", "followup", "subagent", "housekeeping"]).map(
            lambda kind: Turn(kind=kind)
        ),
        "features": st.builds(
            lambda waiting, tools: changed(FEATURES, waiting=waiting, tools_offered=tools),
            st.booleans(),
            st.integers(0, 2),
        ),
        "spend": st.sampled_from([Spend(), SPENT]),
        "queues": st.sampled_from([Queues(), FULL]),
    }
)
_LANE = st.sampled_from([None, *LANES])
_DEADLINE = st.none() | st.floats(0.1, 90_000)


@settings(max_examples=300, deadline=None)
@given(_CALLS, _LANE, _DEADLINE, st.lists(_POLICIES, max_size=3), _POLICIES, st.integers(0, 3))
def test_every_lane_is_allowed_or_refused_for_a_known_reason_and_policies_only_narrow(
    call, lane, deadline_s, policies, more, at
):
    caller = Caller(lane=lane, deadline_s=deadline_s)
    before = verdict(*policies, caller=caller, **call)
    assert sorted([*before.allowed, *dict(before.refused)]) == sorted(LANES)
    assert set(dict(before.refused).values()) <= set(reasons.LANE)
    after = verdict(*policies[:at], more, *policies[at:], caller=caller, **call)
    assert set(after.allowed) <= set(before.allowed)
    assert set(after.tiers) <= set(before.tiers)


@settings(max_examples=300, deadline=None)
@given(_CALLS, st.floats(0.1, 90_000), st.none() | st.floats(0.1, 90_000))
def test_a_nearer_deadline_never_adds_the_batch_lane_or_flex(call, near, far):
    nearer = min(near, far) if far is not None else near
    later = verdict(caller=Caller(deadline_s=max(near, far) if far is not None else near), **call)
    sooner = verdict(caller=Caller(deadline_s=nearer), **call)
    assert set(sooner.allowed) <= set(later.allowed)
    assert later.flex or not sooner.flex


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(sorted(CHEAP_BELOW)), st.floats(0, 1), st.floats(0, 1), st.integers(0, 1))
def test_more_complexity_never_makes_cheap_allowed(skill, one, other, errors):
    features = changed(FEATURES, tool_errors=errors)
    low, high = sorted((one, other))
    if cheap_by_judgement(TURN, changed(LABEL, skill=skill), changed(features, complexity=high)):
        assert cheap_by_judgement(TURN, changed(LABEL, skill=skill), changed(features, complexity=low))
