"""`decide()`: who answers, who would be preferred, and why not the others."""

from __future__ import annotations

from typing import Any, get_args

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from router_kit import (
    MODELS,
    PROVIDERS,
    candidate,
    conditions_of,
    decided,
    provider,
    reading_of,
    reasons,
    request_of,
    situation_of,
    usd,
    world_of,
)

from lanewise.config import ModelSettings, SkillSettings
from lanewise.errors import LanewiseError, NoCandidate
from lanewise.journey import Caller, Decision, Dialect, Lane, Operation, Request, Skill, TurnKind
from lanewise.router import decide
from lanewise.select import Evidence

# -- modes ------------------------------------------------------------------------------------------------


def test_observe_changes_nothing_and_says_what_it_would_do():
    decision = decided(world=world_of(mode="observe"))
    assert decision.chosen == decision.baseline == candidate("big", "cloud")
    assert decision.preferred == candidate("own", "gpu")
    assert (decision.mode, decision.reason, decision.propensity) == ("observe", "cheapest_allowed", 1.0)


def test_active_asks_the_cheapest_that_may_serve_and_then_the_baseline():
    decision = decided(world=world_of(mode="active"))
    assert decision.chosen == decision.preferred == candidate("own", "gpu")
    assert decision.plan == (candidate("own", "gpu"), candidate("big", "cloud"), candidate("big", "spare"))
    assert reasons(decision) == {
        "big@cloud": "not_cheapest",
        "big@spare": "not_cheapest",
        "small@cloud": "not_cheapest",
    }


def test_a_skills_own_mode_beats_the_general_one():
    world = world_of(mode="observe", skills={"documentation": SkillSettings(mode="active")})
    assert decided(world=world).chosen.model == "own"
    assert decided(world=world, reading=reading_of(skill="summarization")).chosen.model == "big"


@pytest.mark.parametrize("session", [f"s{number}" for number in range(20)])
def test_a_split_is_sticky_for_a_session(session: str):
    world = world_of(mode="split", split=0.5)
    arms = {decided(world=world, reading=reading_of(session=session, tokens=n)).chosen.model for n in (10, 1000, 9000)}
    assert len(arms) == 1


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_a_split_routes_its_share_and_states_the_propensity(share: float):
    world = world_of(mode="split", split=share)
    decisions = [decided(world=world, reading=reading_of(session=f"session-{n}")) for n in range(400)]
    routed = [decision for decision in decisions if decision.chosen == decision.preferred]
    # 400 fair draws stay within 0.1 of any share but once in 16,000 (four standard deviations at 0.5)
    assert abs(len(routed) / 400 - share) < 0.1
    assert {decision.propensity for decision in routed} == {share}
    assert {decision.propensity for decision in decisions if decision.chosen.model == "big"} == {1 - share}


@pytest.mark.parametrize(("share", "model"), [(0.0, "big"), (1.0, "own")])
def test_a_split_of_none_or_all_leaves_no_chance(share: float, model: str):
    world = world_of(mode="split", split=share)
    decisions = [decided(world=world, reading=reading_of(session=f"s{n}")) for n in range(50)]
    assert {(decision.chosen.model, decision.propensity) for decision in decisions} == {(model, 1.0)}


# -- each reason to reject --------------------------------------------------------------------------------

FRESH = {"price": usd(0.01, 0.01), "tier": "cheap"}
"""A model that would win if nothing spoke against it."""


def one_more(provider_name: str = "cloud", **changes: Any) -> dict[str, Any]:
    return {"models": {**MODELS, "x": ModelSettings(provider=provider_name, **{**FRESH, **changes})}}


Changes = dict[str, Any]


@pytest.mark.parametrize(
    ("world", "changes", "reason"),
    [
        (one_more(), {}, ""),
        (one_more("talker"), {}, "dialect"),
        (one_more("gpu"), {"conditions": conditions_of(in_flight={"gpu": 2})}, "slower_than_cloud"),
        (one_more("night"), {}, "lane:batch:no_deadline"),
        (one_more("night"), {"caller": Caller(deadline_s=59.0)}, "lane:batch:deadline_too_short"),
        (one_more("night"), {"caller": Caller(deadline_s=3600.0)}, "lane:batch:user_waits"),
        (
            one_more("night"),
            {"caller": Caller(deadline_s=3600.0), "reading": reading_of(waiting=False, tools=3)},
            "lane:batch:tools_offered",
        ),
        (
            one_more("night"),
            {"caller": Caller(deadline_s=3600.0), "reading": reading_of(waiting=False, kind="followup")},
            "lane:batch:tool_loop",
        ),
        (one_more("night"), {"caller": Caller(deadline_s=3600.0), "reading": reading_of(waiting=False)}, ""),
        (
            one_more() | {"skills": {"documentation": SkillSettings(lanes=("local",))}},
            {},
            "lane:realtime:skill_policy",
        ),
        (one_more(), {"caller": Caller(lane="local")}, "lane:realtime:caller_lane"),
        (one_more(), {"reading": reading_of(skill="debugging")}, "judgement"),
        (one_more(), {"reading": reading_of(complexity=0.8)}, "judgement"),
        (one_more(), {"reading": reading_of(abstained=True)}, "judgement"),
        (one_more(), {"reading": reading_of(tool_errors=1)}, "judgement"),
        (one_more() | {"skills": {"documentation": SkillSettings(tier="frontier")}}, {}, "tier"),
        (one_more(context_tokens=1500), {}, ""),
        (one_more(context_tokens=1500), {"request": request_of(max_tokens=500)}, ""),
        (one_more(context_tokens=1500), {"request": request_of(max_tokens=501)}, "context_window"),
        (one_more(context_tokens=999), {}, "context_window"),
        (one_more(vision=False), {"request": request_of(has_images=True)}, "vision"),
        (one_more(vision=None), {"request": request_of(has_images=True)}, ""),
        (one_more(tools=False), {"request": request_of(tool_names=("Edit",))}, "tools"),
        (one_more("strangers"), {}, "no_credential"),
        (one_more("night"), {"conditions": conditions_of(unhealthy=frozenset({"cloud"}))}, "lane:batch:no_deadline"),
        (one_more(price=None), {}, "unknown_price"),
        (one_more("gpu", price=None), {}, ""),
        (one_more(price=usd(10.001, 50)), {}, "dearer_than_baseline"),
        (one_more(price=usd(10, 50)), {}, "not_cheapest"),
    ],
)
def test_a_candidate_is_rejected_for_exactly_this_reason(world: Changes, changes: Changes, reason: str):
    decision = decided(world=world_of(**world), **changes)
    if reason:
        assert {code for name, code in reasons(decision).items() if name.startswith("x@")} == {reason}
        assert decision.preferred.model != "x"
    else:
        assert decision.preferred.model == "x"


def test_a_provider_whose_breaker_is_open_is_not_preferred():
    decision = decided(conditions=conditions_of(unhealthy=frozenset({"gpu"})))
    assert reasons(decision)["own@gpu"] == "breaker_open"
    assert decision.preferred.model == "small"


def test_a_baseline_without_a_price_is_not_undercut():
    decision = decided(request_of(model="nobody-lists-this"))
    assert reasons(decision)["small@cloud"] == "unknown_baseline_price"
    assert decision.preferred.model == "nobody-lists-this"
    assert decision.reason == "no_cheaper_candidate"


def test_a_local_engine_without_a_price_may_serve_but_is_not_taken_for_the_dearest():
    models = {**MODELS, "own": ModelSettings(provider="gpu", tier="cheap")}
    assert decided(world=world_of(models=models)).preferred.model == "own"


def test_without_any_cheaper_one_the_baseline_is_preferred():
    assert decided(request_of(model="own")).reason == "baseline_is_cheapest"
    nobody = decided(reading=reading_of(skill="debugging"), world=world_of(models={"big": MODELS["big"]}))
    assert (nobody.preferred, nobody.reason) == (nobody.baseline, "baseline_is_cheapest")


def test_a_clients_credential_reaches_the_provider_it_addressed_and_no_other():
    rows = {**PROVIDERS, "other": provider()}
    models = {
        "theirs": ModelSettings(provider="strangers", price=usd(10, 50)),
        "x": ModelSettings(provider="strangers", **FRESH),
        "y": ModelSettings(provider="other", **FRESH),
    }
    world = world_of(providers=rows, models=models)
    decision = decided(request_of(model="theirs", headers=(("x-api-key", "abc"),)), world=world)
    assert decision.preferred.model == "x"
    assert reasons(decision)["y@other"] == "no_credential"


# -- what a caller says ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("model", "preferred"),
    [("auto", "own"), ("auto:cheap", "own"), ("lane:local", "own"), ("lane:realtime", "small")],
)
def test_a_routed_name_is_routed_even_where_the_mode_observes(model: str, preferred: str):
    decision = decided(request_of(model=model), world=world_of(mode="observe", baseline="big"))
    assert (decision.mode, decision.baseline.model, decision.chosen.model) == ("active", "big", preferred)


def test_a_lane_of_the_callers_is_routed_even_where_the_mode_observes():
    decision = decided(caller=Caller(lane="local"), world=world_of(mode="observe"))
    assert (decision.mode, decision.chosen.model) == ("active", "own")


def test_auto_cheap_stays_cheap_where_the_task_is_hard():
    hard = reading_of(skill="debugging", complexity=1.0)
    world = world_of(baseline="big")
    assert decided(request_of(model="auto"), reading=hard, world=world).chosen.tier == "frontier"
    assert decided(request_of(model="auto:cheap"), reading=hard, world=world).chosen.tier == "cheap"


@pytest.mark.parametrize("model", ["auto", "auto:cheap", "lane:local", "lane:batch", "lane:realtime", ""])
def test_a_routed_name_without_a_baseline_is_an_error_with_a_hint(model: str):
    with pytest.raises(NoCandidate, match="needs a baseline") as caught:
        decided(request_of(model=model))
    assert "set routing.baseline" in caught.value.hint


def test_a_pinned_model_is_not_routed():
    decision = decided(caller=Caller(pin="small"))
    assert decision.chosen == decision.preferred == candidate("small", "cloud")
    assert (decision.plan, decision.reason) == ((candidate("small", "cloud"),), "caller_pin")


@pytest.mark.parametrize("operation", [row for row in get_args(Operation) if row != "generate"])
def test_what_generates_nothing_is_not_routed(operation: Any):
    decision = decided(request_of(operation=operation))
    assert (decision.chosen.model, decision.reason) == ("big", "not_routed")


def test_an_alias_stands_for_its_model():
    decision = decided(request_of(model="claude-best"), world=world_of(mode="observe", aliases={"claude-best": "big"}))
    assert decision.baseline == candidate("big", "cloud")


def test_a_model_that_nobody_configured_goes_as_named_to_the_first_provider_of_the_dialect():
    decision = decided(request_of(model="new-model"), world=world_of(mode="observe"))
    assert (decision.chosen.upstream_model, decision.chosen.provider) == ("new-model", "cloud")


def test_a_dialect_that_nobody_speaks_is_an_error_with_a_hint():
    with pytest.raises(NoCandidate, match="no provider speaks the dialect 'gemini'") as caught:
        decided(request_of(dialect="gemini", model="g"))
    assert 'dialects = ["gemini"]' in caught.value.hint


def test_a_skills_deadline_opens_the_batch_lane():
    skills = {"documentation": SkillSettings(deadline="8h")}
    decision = decided(world=world_of(skills=skills, **one_more("night")), reading=reading_of(waiting=False))
    assert decision.chosen.lane == "batch"


# -- when the model may change ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "new_session", "new_task", "point"),
    [
        ("main", True, True, "new_session"),
        ("main", False, True, "new_task"),
        ("main", False, False, ""),  # a client's retry
        ("continuation", False, False, ""),
        ("continuation", True, True, ""),  # met in its middle, after a restart
        ("followup", False, False, ""),
        ("subagent", True, True, "subagent_start"),
        ("subagent", False, False, ""),
        ("housekeeping", False, False, "independent_call"),
        ("housekeeping", True, True, "independent_call"),
    ],
)
def test_the_model_changes_only_at_a_switch_point(kind: Any, new_session: bool, new_task: bool, point: str):
    reading = reading_of(kind=kind, new_session=new_session, new_task=new_task)
    decision = decided(reading=reading, conditions=conditions_of(pin=candidate("small", "cloud")))
    assert decision.switch_point == point
    pinned = (candidate("small", "cloud"), "task_pin")
    assert ((decision.chosen, decision.reason) == pinned) is (point == "")


LOOP = reading_of(kind="continuation", new_task=False)


def test_a_pin_of_a_model_that_is_gone_binds_nobody():
    gone = msgspec.structs.replace(candidate("small", "cloud"), provider="gone")
    assert decided(reading=LOOP, conditions=conditions_of(pin=gone)).reason == "cheapest_allowed"


def test_a_pin_does_not_cross_dialects():
    world = world_of(**one_more("talker"))
    pinned = conditions_of(pin=candidate("x", "talker", world))
    assert decided(reading=LOOP, world=world, conditions=pinned).chosen.provider != "talker"


@pytest.mark.parametrize(
    ("why", "pin", "changes"),
    [
        ("context_window", ("own", "gpu"), {"reading": reading_of(kind="continuation", tokens=50_000, new_task=False)}),
        ("vision", ("own", "gpu"), {"request": request_of(has_images=True)}),
        ("dearer_than_baseline", ("big", "cloud"), {"request": request_of(model="small")}),
        ("lane:realtime:caller_lane", ("small", "cloud"), {"caller": Caller(lane="local")}),
        ("breaker_open", ("small", "cloud"), {"unhealthy": frozenset({"cloud"})}),
        ("no_credential", ("small", "cloud"), {"world": world_of(env={})}),
    ],
)
def test_a_pin_that_cannot_go_on_serving_lets_go_and_says_why(why, pin, changes):
    conditions = conditions_of(pin=candidate(*pin), unhealthy=changes.pop("unhealthy", frozenset()))
    decision = decided(**{"reading": LOOP, "conditions": conditions, **changes})
    assert decision.preferred != candidate(*pin)
    assert (decision.rejected[0].candidate, decision.rejected[0].reason) == (candidate(*pin), why)
    assert decision.reason != "task_pin"


def test_neither_a_full_queue_nor_a_harder_step_interrupts_a_pinned_task():
    hard = reading_of(kind="continuation", complexity=0.9, tool_errors=2, new_task=False)
    conditions = conditions_of(pin=candidate("own", "gpu"), in_flight={"gpu": 9})
    decision = decided(reading=hard, conditions=conditions)
    assert (decision.chosen, decision.reason) == (candidate("own", "gpu"), "task_pin")


def test_in_observe_a_pin_is_remembered_but_the_baseline_serves():
    pinned = conditions_of(pin=candidate("small", "cloud"))
    decision = decided(reading=LOOP, world=world_of(mode="observe"), conditions=pinned)
    assert (decision.chosen.model, decision.preferred.model) == ("big", "small")


@pytest.mark.parametrize("asked", [{"caller": Caller(lane="local")}, {"request": request_of(model="lane:local")}])
@pytest.mark.parametrize("mode", ["observe", "active"])
def test_a_caller_who_insists_on_a_lane_is_served_in_no_other(asked: dict[str, Any], mode: Any):
    hard = reading_of(skill="debugging", complexity=0.9, tool_errors=1)
    busy = conditions_of(in_flight={"gpu": 9})
    decision = decided(world=world_of(mode=mode, baseline="big"), reading=hard, conditions=busy, **asked)
    assert (decision.chosen, decision.plan) == (candidate("own", "gpu"), (candidate("own", "gpu"),))


@pytest.mark.parametrize(
    ("request_", "caller"),
    [
        (request_of(operation="count_tokens"), Caller(lane="local")),
        (request_of(operation="embeddings"), Caller(lane="local")),
        (request_of(), Caller(lane="local", pin="big")),
    ],
)
def test_what_is_not_routed_stays_in_the_lane_that_was_insisted_on_too(request_: Request, caller: Caller):
    with pytest.raises(NoCandidate, match="nothing in lane 'local'"):
        decided(request_, caller=caller)
    own = msgspec.structs.replace(request_, model="own")
    kept = decided(own, caller=msgspec.structs.replace(caller, pin=caller.pin and "own"))
    assert kept.plan == (candidate("own", "gpu"),)


def test_a_lane_in_which_nothing_can_serve_is_an_error_that_says_why():
    with pytest.raises(NoCandidate, match="nothing in lane 'local' can serve this call: own: context_window"):
        decided(caller=Caller(lane="local"), reading=reading_of(tokens=90_000))


# -- properties --------------------------------------------------------------------------------------------


_USD = st.integers(0, 100_000).map(lambda cents: cents / 1000)


@settings(max_examples=80, deadline=None)
@given(
    st.lists(st.none() | st.tuples(_USD, _USD), min_size=1, max_size=5),
    st.integers(0, 300_000),
    st.none() | st.integers(1, 64_000),
)
def test_the_choice_is_never_dearer_than_the_baseline_and_never_of_unknown_price(rates, tokens, max_tokens):
    models = {
        f"m{n}": ModelSettings(provider="cloud", tier="cheap", price=None if rate is None else usd(*rate))
        for n, rate in enumerate(rates)
    }
    world = world_of(models={**models, "big": ModelSettings(provider="cloud", price=usd(10, 50))})
    decision = decided(request_of(max_tokens=max_tokens), reading=reading_of(tokens=tokens), world=world)
    expected = {quote.candidate: quote.total_pusd for quote in decision.quotes}
    assert expected[decision.chosen] <= expected[decision.baseline]


_MODEL_NAMES = st.sampled_from(["big", "small", "own", "auto", "auto:cheap", "lane:local", "lane:moon", "", "new"])
_NAMES = _MODEL_NAMES | st.text(max_size=12)


@settings(max_examples=300, deadline=None)
@given(
    request=st.builds(
        request_of,
        dialect=st.sampled_from(get_args(Dialect)),
        operation=st.sampled_from(get_args(Operation)),
        model=_NAMES,
        max_tokens=st.none() | st.integers(-(2**63), 2**63),
        has_images=st.booleans(),
        tool_names=st.just(()) | st.just(("Edit",)),
        headers=st.just(()) | st.just((("authorization", "Bearer sk-ant-x"),)),
    ),
    caller=st.builds(
        Caller,
        pin=st.just("") | _NAMES,
        lane=st.none() | st.sampled_from(get_args(Lane)),
        deadline_s=st.none() | st.floats(0, 1e9),
    ),
    reading=st.builds(
        reading_of,
        kind=st.sampled_from(get_args(TurnKind)),
        skill=st.sampled_from(get_args(Skill)),
        complexity=st.floats(0, 1),
        tokens=st.integers(0, 10**9),
        waiting=st.booleans(),
        tools=st.integers(0, 99),
        abstained=st.booleans(),
        new_session=st.booleans(),
        new_task=st.booleans(),
    ),
    pinned=st.sampled_from([None, ("small", "cloud"), ("own", "gpu"), ("big", "spare")]),
    mode=st.sampled_from(["observe", "split", "active"]),
    baseline=st.sampled_from(["", "big", "nobody-lists-this"]),
)
def test_any_call_is_decided_or_refused_by_an_error_of_ours(request, caller, reading, pinned, mode, baseline):
    world = world_of(mode=mode, baseline=baseline)
    conditions = conditions_of(pin=candidate(*pinned, world) if pinned else None, in_flight={"gpu": 1})
    try:
        decision = decided(request, caller=caller, reading=reading, world=world, conditions=conditions)
    except LanewiseError as error:
        assert error.hint
        return
    check(decision)


def check(decision: Decision) -> None:
    """What holds of every decision."""
    assert decision.plan[0] == decision.chosen
    one_lane = {row.lane for row in decision.plan} == {decision.chosen.lane}
    assert decision.baseline in decision.plan or one_lane  # a caller who insists on a lane is served in no other
    assert len(set(decision.plan)) == len(decision.plan)
    assert decision.chosen in (decision.baseline, decision.preferred)
    assert 0 < decision.propensity <= 1
    if decision.mode == "observe":
        assert decision.chosen == decision.baseline
    if decision.mode == "active":
        assert decision.chosen == decision.preferred
    if decision.reason != "no_cheaper_candidate":
        assert decision.preferred not in [row.candidate for row in decision.rejected]


def test_who_was_never_asked_is_expected_to_answer_at_the_baselines_length():
    world = world_of()
    situation = situation_of(world=world)
    nothing = Evidence.unpacked(situation.evidence, len(world.rulebook.table(None)))
    lengths = np.where(np.array(world.rulebook.table(None).models) == "big", 10.0, np.nan)
    situation = msgspec.structs.replace(situation, evidence=nothing._replace(output_tokens=lengths).packed())
    decision = decide(world.rulebook, Caller(), reading_of(), situation)
    totals = {quote.candidate.model: quote.total_pusd for quote in decision.quotes}
    # 1,000 tokens in and 10 out; dollars per million: 10 and 50, 1 and 5, a tenth of one each
    assert totals == {"big": 10_500_000_000, "small": 1_050_000_000, "own": 101_000_000}
    assert decision.chosen == candidate("own", "gpu")


def test_deciding_twice_gives_the_same():
    first, second = (decided(world=world_of(mode="split", split=0.5)) for _ in range(2))
    assert first == second


def test_a_task_under_way_says_what_its_next_calls_are_expected_to_cost():
    decision = decided(reading=LOOP, conditions=conditions_of(pin=candidate("small", "cloud")))
    assert decision.reason == "task_pin"
    # one call of 1,000 tokens in at $1 and 700 out at $5 a million
    assert [(quote.candidate.model, quote.total_pusd) for quote in decision.quotes] == [("small", 4_500_000_000)]


@pytest.mark.parametrize("new_session", [True, False])
def test_a_loop_met_in_its_middle_goes_on_with_the_named_model_where_nobody_is_known_to_have_served_it(
    new_session: bool,
):
    decision = decided(reading=reading_of(kind="continuation", new_session=new_session, new_task=new_session))
    assert (decision.chosen, decision.reason) == (candidate("big", "cloud"), "task_pin")
