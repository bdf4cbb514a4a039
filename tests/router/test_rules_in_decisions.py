"""`[[rules]]` in whole decisions: what each action does, which rule wins, and whose word outranks whose."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from router_kit import (
    MODELS,
    NOW,
    PROVIDERS,
    candidate,
    conditions_of,
    decided,
    provider,
    reading_of,
    reasons,
    request_of,
    usd,
    world_of,
)

from lanewise.config import KeySettings, ModelSettings, RuleSettings, SkillSettings
from lanewise.errors import NoCandidate
from lanewise.journey import Caller, Decision

HASH = f"sha256:{'0' * 64}"
KEYED = Caller(key_id="ci")
LOOP = reading_of(kind="continuation", new_task=False, tools=3)
HARD = reading_of(skill="debugging", complexity=0.9)


def rule(when: str = "true", **actions: Any) -> RuleSettings:
    return RuleSettings(when=when, **actions)


def under(*rules: RuleSettings, world: dict[str, Any] | None = None, **changes: Any) -> Decision:
    return decided(world=world_of(rules=rules, **(world or {})), **changes)


# -- actions -----------------------------------------------------------------------------------------------


def test_a_rule_names_the_model_and_is_the_reason():
    decision = under(rule(model="small"))
    assert (decision.chosen, decision.reason) == (candidate("small", "cloud"), "rule:1")
    assert reasons(decision) == {"own@gpu": "rule", "big@cloud": "rule", "big@spare": "rule"}


def test_a_rule_with_a_name_is_known_by_it():
    assert under(rule("false", model="big"), rule(name="night-work", model="small")).reason == "rule:night-work"
    assert under(rule("false", model="big"), rule(model="small")).reason == "rule:2"


def test_a_rule_may_name_an_alias():
    decision = under(rule(model="cheapest"), world={"aliases": {"cheapest": "small"}})
    assert decision.chosen == candidate("small", "cloud")


def test_the_cheapest_endpoint_of_a_rules_model_answers_and_the_others_stand_behind_it():
    models = {**MODELS, "x": ModelSettings(provider=("cloud", "gpu"), tier="cheap", price=usd(1, 5))}
    decision = under(rule(model="x"), world={"models": models})
    assert {row.model for row in decision.plan} == {"x", "big"}
    assert decision.plan[0].model == decision.plan[1].model == "x"


def test_lanes_of_a_rule_narrow_what_may_serve():
    decision = under(rule(lanes=("realtime",)))
    assert decision.chosen == candidate("small", "cloud")
    assert reasons(decision)["own@gpu"] == "lane:local:rule_policy"
    assert decision.reason == "cheapest_allowed"


def test_a_tier_of_a_rule_narrows_what_may_serve():
    assert under(rule(tier="frontier")).chosen == candidate("big", "cloud")
    assert under(rule(tier="cheap"), reading=HARD).chosen == candidate("own", "gpu")


def test_a_rule_never_widens_what_a_skill_or_a_key_allows():
    skills = {"documentation": SkillSettings(lanes=("realtime",))}
    decision = under(rule(lanes=("local",)), world={"skills": skills})
    assert decision.ruling.allowed == ()
    assert decision.chosen == candidate("big", "cloud")  # nobody may, so the one that was named answers
    keys = {"ci": KeySettings(hash=HASH, models=("big",))}
    kept = under(rule(model="small"), world={"keys": keys}, caller=KEYED)
    assert kept.chosen == candidate("big", "cloud")
    assert reasons(kept)["small@cloud"] == "key_policy"


def test_a_deadline_of_a_rule_opens_the_batch_lane():
    models = {**MODELS, "x": ModelSettings(provider="night", tier="cheap", price=usd(0.01, 0.01))}
    patient = reading_of(waiting=False)
    assert under(rule(tier="cheap"), world={"models": models}, reading=patient).chosen.lane != "batch"
    assert under(rule(deadline="8h"), world={"models": models}, reading=patient).chosen.lane == "batch"


@pytest.mark.parametrize("model", ["small", "own"])
def test_a_rules_model_that_cannot_serve_leaves_the_baseline_to_answer(model: str):
    decision = under(rule(model=model), request=request_of(has_images=True), reading=reading_of(tokens=150_000))
    assert (decision.chosen, decision.reason) == (candidate("big", "cloud"), "no_cheaper_candidate")
    assert reasons(decision)[f"{model}@{'gpu' if model == 'own' else 'cloud'}"] == "context_window"


# -- which rule wins ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        (rule("skill == 'documentation'", model="small"), rule(model="big"), "small"),
        (rule("skill == 'debugging'", model="small"), rule(model="big"), "big"),
        (rule(tier="frontier"), rule(model="small"), "big"),  # the second is not read at all
        (rule("input_tokens > 999", model="small"), rule("input_tokens > 0", model="own"), "small"),
        (rule("input_tokens > 1000", model="small"), rule("input_tokens > 0", model="own"), "own"),
        (rule("hour == 9 and weekday == 2", model="small"), rule(model="big"), "small"),  # NOW is a Tuesday at nine
        (rule("requested_model == 'big' and not stream", model="small"), rule(model="big"), "small"),
        (rule("key == 'ci'", model="small"), rule("key == ''", model="big"), "big"),
    ],
)
def test_the_first_rule_that_holds_decides_alone(first: RuleSettings, second: RuleSettings, expected: str):
    assert under(first, second).chosen.model == expected


def test_without_a_rule_that_holds_nothing_changes():
    assert under(rule("false", model="small")) == decided(world=world_of(rules=(rule("false", model="small"),)))
    assert under(rule("waiting == false", model="small")).reason == "cheapest_allowed"


def test_a_rule_sees_the_moment_of_the_call():
    night = rule("hour >= 22 or hour < 6", model="small")
    late = conditions_of(now=NOW + dt.timedelta(hours=14))
    assert under(night).reason == "cheapest_allowed"
    assert under(night, conditions=late).reason == "rule:1"


def test_a_rule_sees_the_queue_of_the_local_engines():
    busy = rule("local_in_flight > 1", model="small")
    assert under(busy, conditions=conditions_of(in_flight={"gpu": 1})).reason == "cheapest_allowed"
    assert under(busy, conditions=conditions_of(in_flight={"gpu": 2})).reason == "rule:1"


# -- whose word counts -------------------------------------------------------------------------------------


def test_a_rules_model_outranks_the_pin_of_a_task_under_way():
    pinned = conditions_of(pin=candidate("small", "cloud"))
    decision = under(rule(model="own"), reading=LOOP, conditions=pinned)
    assert (decision.chosen, decision.reason) == (candidate("own", "gpu"), "rule:1")


def test_a_rule_without_a_model_leaves_a_pin_that_it_still_allows():
    pinned = conditions_of(pin=candidate("small", "cloud"))
    assert under(rule(tier="cheap"), reading=LOOP, conditions=pinned).reason == "task_pin"
    moved = under(rule(lanes=("local",)), reading=LOOP, conditions=pinned)
    assert moved.chosen == candidate("own", "gpu")
    assert moved.rejected[0].reason == "lane:realtime:rule_policy"
    assert under(rule(tier="frontier"), reading=LOOP, conditions=pinned).chosen == candidate("big", "cloud")


def test_a_callers_lane_outranks_the_model_of_a_rule():
    decision = under(rule(model="small"), caller=Caller(lane="local"))
    assert decision.chosen == candidate("own", "gpu")
    named = under(rule(model="small"), request=request_of(model="lane:local"), world={"baseline": "big"})
    assert named.chosen == candidate("own", "gpu")


def test_a_callers_lane_does_not_outrank_the_lanes_of_a_rule():
    with pytest.raises(NoCandidate, match="nothing in lane 'local' can serve this call: own: lane:local:caller_lane"):
        under(rule(lanes=("realtime",)), caller=Caller(lane="local"))


def test_a_callers_pin_outranks_every_rule():
    decision = under(rule(model="small"), caller=Caller(pin="big"))
    assert (decision.chosen, decision.reason) == (candidate("big", "cloud"), "caller_pin")


@pytest.mark.parametrize("said", [{"tier": "cheap"}, {"model": "small"}])
def test_a_rule_that_says_who_serves_outranks_judgement_and_one_that_does_not_leaves_it(said: dict[str, Any]):
    assert under(rule(**said), reading=HARD).chosen.tier == "cheap"
    assert under(rule(lanes=("local", "realtime")), reading=HARD).chosen.tier == "frontier"


def test_a_rules_model_is_not_taken_where_it_is_dearer_than_the_one_that_was_named():
    decision = under(rule(model="big"), request=request_of(model="small"))
    assert decision.chosen == candidate("small", "cloud")
    assert reasons(decision)["big@cloud"] == "dearer_than_baseline"


@pytest.mark.parametrize(
    ("asked", "by_rule", "by_key", "by_skill", "general", "expected"),
    [
        # The first that says anything counts: the caller's `auto`, rule, key, skill, configuration.
        ("big", None, None, None, "observe", "observe"),
        ("big", None, None, None, "active", "active"),
        ("big", None, None, "active", "observe", "active"),
        ("big", None, None, "observe", "active", "observe"),
        ("big", None, "observe", "active", "active", "observe"),
        ("big", None, "active", "observe", "observe", "active"),
        ("big", "active", "observe", "observe", "observe", "active"),
        ("big", "observe", "active", "active", "active", "observe"),
        ("big", "split", "active", "active", "active", "split"),
        ("auto", "observe", "observe", "observe", "observe", "active"),
        ("auto:cheap", "observe", "observe", "observe", "observe", "active"),
        ("lane:realtime", "observe", "observe", "observe", "observe", "active"),
    ],
)
def test_the_mode_is_the_callers_then_the_rules_the_keys_the_skills_and_the_general_one(
    asked: str, by_rule: Any, by_key: Any, by_skill: Any, general: Any, expected: str
):
    world = {
        "mode": general,
        "baseline": "big",
        "keys": {"ci": KeySettings(hash=HASH, mode=by_key)},
        "skills": {"documentation": SkillSettings(mode=by_skill)},
    }
    rules = [rule(mode=by_rule)] if by_rule else []
    assert under(*rules, world=world, caller=KEYED, request=request_of(model=asked)).mode == expected


@pytest.mark.parametrize(
    ("said", "by_rule", "by_skill", "why"),
    [
        # A batch lane wants a minute at least, so that thirty seconds tell which word counted.
        (None, "", "", "no_deadline"),
        (None, "", "30s", "deadline_too_short"),
        (None, "", "8h", ""),
        (None, "30s", "8h", "deadline_too_short"),
        (None, "8h", "30s", ""),
        (30.0, "8h", "8h", "deadline_too_short"),
        (3600.0, "30s", "30s", ""),
    ],
)
def test_the_deadline_is_the_callers_then_the_rules_then_the_skills(
    said: float | None, by_rule: str, by_skill: str, why: str
):
    rules = [rule(deadline=by_rule)] if by_rule else []
    world = {"skills": {"documentation": SkillSettings(deadline=by_skill)}}
    decision = under(*rules, world=world, caller=Caller(deadline_s=said), reading=reading_of(waiting=False))
    assert dict(decision.ruling.refused).get("batch", "") == why


def test_a_rule_that_observes_a_kind_of_work_still_says_what_it_would_do():
    decision = under(rule("skill == 'documentation'", mode="observe"))
    assert (decision.mode, decision.chosen.model, decision.preferred.model) == ("observe", "big", "own")


def test_a_region_outranks_the_model_of_a_rule():
    rows = {**PROVIDERS, "cloud": provider(api_key_env="CLOUD_KEY", region="us")}
    models = {**MODELS, "big": ModelSettings(provider="spare", price=usd(10, 50))}
    keys = {"ci": KeySettings(hash=HASH, regions=("local",))}
    decision = under(
        rule(model="small"),
        world={"providers": rows, "models": models, "keys": keys, "baseline": "own"},
        caller=KEYED,
        request=request_of(model="own"),
    )
    assert reasons(decision)["small@cloud"] == "residency"
    assert decision.chosen == candidate("own", "gpu")
