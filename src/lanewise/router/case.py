"""One call under one policy: what the configuration says of such work and this caller, before anything is weighed.

The first half of `decide`: the rule that the call meets, its deadline, the lanes and tiers allowed.
"""

from __future__ import annotations

from typing import NamedTuple, cast

import msgspec

from lanewise.config import SkillSettings, duration_s
from lanewise.journey import Caller, Lane, LaneRuling, Reading
from lanewise.route import (
    LanePolicy,
    LaneQueue,
    Queues,
    Rule,
    Spend,
    allowed_lanes,
    concurrency,
    facts_of,
    first_match,
    residency,
)
from lanewise.router.limits import Limits
from lanewise.router.situation import Rulebook, Situation
from lanewise.select import LANE_NAMES, Evidence, Table


class Case(NamedTuple):
    """One call under one policy, as the steps below hand it on."""

    rulebook: Rulebook
    table: Table
    caller: Caller
    reading: Reading
    situation: Situation
    evidence: Evidence
    ruling: LaneRuling
    limits: Limits
    rule: Rule | None
    """The first rule of the configuration that the call meets."""
    baseline: int
    """Position of the baseline in the table."""


def case_of(rulebook: Rulebook, caller: Caller, reading: Reading, situation: Situation, limits: Limits) -> Case:
    """What the configuration says of this kind of work and this caller."""
    policy = rulebook.policy
    skill = policy.skills.get(reading.label.skill, SkillSettings())
    queues, spend = _lane_queues(situation), Spend(spent_pusd=situation.spent_pusd, budget_pusd=limits.key.budget_pusd)
    rule = _rule(rulebook, caller, reading, situation, spend, queues) if rulebook.rules else None
    stated = (caller.deadline_s, rule.deadline_s if rule else None, duration_s(skill.deadline))
    deadline_s = next((seconds for seconds in stated if seconds is not None), None)
    lane = insisted_lane(caller, situation.model)
    caller = msgspec.structs.replace(caller, deadline_s=deadline_s, lane=lane)
    table = rulebook.table(situation.passage)
    key, tier = limits.key, "cheap" if situation.model == "auto:cheap" else skill.tier
    voices = [
        LanePolicy(code="key_policy", lanes=key.lanes, tier=key.tier),
        LanePolicy(code="skill_policy", lanes=skill.lanes, tier=tier),
    ]
    if limits.demands_region:
        places = {(policy.regions.get(c.provider, ""), c.lane) for c in table.candidates}
        voices.insert(0, residency(places, policy.routing.regions, key.regions))
    if rule:
        voices.append(LanePolicy(code="rule_policy", lanes=rule.lanes, tier=rule.tier))
    ruling = allowed_lanes(reading.turn, reading.features, caller, voices, spend, queues)
    return Case(
        rulebook,
        table,
        caller,
        reading,
        situation,
        Evidence.unpacked(situation.evidence, len(table)),
        ruling,
        limits,
        rule,
        table.positions[situation.baselines[0]],
    )


def _lane_queues(situation: Situation) -> Queues:
    """The local lane as one: slots are unknown as soon as one engine's are."""
    queues = situation.queues.values()
    slots, waiting = [concurrency(queue) for queue in queues], [queue.waiting for queue in queues]
    return Queues(
        local=LaneQueue(
            in_flight=sum(queue.ahead for queue in queues),
            slots=sum(count or 0 for count in slots) if slots and None not in slots else None,
            waiting=sum(count or 0 for count in waiting) if waiting and None not in waiting else None,
        )
    )


def _rule(
    rulebook: Rulebook, caller: Caller, reading: Reading, situation: Situation, spend: Spend, queues: Queues
) -> Rule | None:
    facts = facts_of(
        reading,
        caller,
        requested_model=situation.model,
        dialect=situation.need.dialect,
        stream=situation.stream,
        max_tokens=situation.need.max_tokens,
        now=situation.at,
        spend=spend,
        queues=queues,
    )
    return first_match(rulebook.rules, facts)


def insisted_lane(caller: Caller, model: str) -> Lane | None:
    """The only lane that may serve the call, by the caller's header or the model name `lane:...`; None for any."""
    return cast("Lane", model.removeprefix("lane:")) if model in LANE_NAMES else caller.lane


def server_of(case: Case) -> int | None:
    """Who served the conversation last, if it is still there."""
    before = case.situation.conversation
    return None if before is None or before.server is None else case.table.positions.get(before.server)


def maker_of(case: Case) -> int:
    """Who has sealed what the conversation holds, as far as is known: who serves its task, or served the one before."""
    pinned = case.situation.pin
    if pinned is not None and pinned.candidate in case.table.positions:
        return case.table.positions[pinned.candidate]
    server = server_of(case)
    return case.baseline if server is None else server
