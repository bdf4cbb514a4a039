"""The lanes that may do a task. A scheduling question: who waits, how long, and whose queue is full.

Sees labels, numbers and queues; never the prompt, never a model's name. The first plain policy; its depth (learnt
completion times, hysteresis, user rules) comes behind the same function.
"""

from __future__ import annotations

from collections.abc import Iterator

from lanewise.journey import Caller, Features, Lane, LaneRuling, SkillLabel, Tier, Turn, Value

LANES: tuple[Lane, ...] = ("local", "batch", "realtime")

BATCH_MIN_DEADLINE_S = 60.0
"""A batch lane promises minutes at best: a shorter deadline is a real-time call that says please."""

CHEAP_BELOW: dict[str, float] = {
    "commit_changelog": 1.01,
    "summarization": 1.01,
    "general_chat": 1.01,
    "documentation": 0.80,
    "codebase_search": 0.70,
    "code_explanation": 0.60,
    "test_writing": 0.55,
    "code_translation": 0.45,
    "data_sql": 0.45,
    "devops_shell": 0.45,
    "code_generation": 0.30,
    "refactoring": 0.25,
    "code_review": 0.0,
    "planning": 0.0,
    "debugging": 0.0,
}
"""Complexity below which a skill may go to the cheap tier. Set by judgement before any outcome was measured: easy,
checkable kinds of work high; kinds whose failures surface late stay with the frontier. Learnt beliefs replace it."""


class Load(Value, frozen=True, kw_only=True):
    """The local lane's queue as far as it is known."""

    in_flight: int = 0
    """Our own calls under way there."""
    slots: int | None = None
    """Calls it serves at once; None is unknown, which is not zero."""

    @property
    def full(self) -> bool:
        """A further call would wait behind ours."""
        return self.slots is not None and self.in_flight >= self.slots


class LanePolicy(Value, frozen=True, kw_only=True):
    """What the config says of a skill's lanes."""

    lanes: tuple[Lane, ...] | None = None
    tier: Tier | None = None


def rule(
    turn: Turn, label: SkillLabel, features: Features, caller: Caller, policy: LanePolicy, local: Load
) -> LaneRuling:
    """The lanes and tiers this task may use, each refused lane with its reason code."""
    refused = dict(_refusals(turn, features, caller, policy, local))
    return LaneRuling(
        allowed=tuple(lane for lane in LANES if lane not in refused),
        refused=tuple(refused.items()),
        tiers=(policy.tier,) if policy.tier else ("cheap", "frontier"),
    )


def _refusals(
    turn: Turn, features: Features, caller: Caller, policy: LanePolicy, local: Load
) -> Iterator[tuple[Lane, str]]:
    """(lane, reason) pairs; a later one for the same lane overrides: what the caller or the config says comes last.

    A caller who insists on a lane knows better than our guess about its queue or its wait.
    """
    if local.full and features.waiting and caller.lane != "local":
        yield "local", "queue_full"
    if (reason := _not_batchable(turn, features, caller)) and caller.lane != "batch":
        yield "batch", reason
    for lane in LANES:
        if policy.lanes is not None and lane not in policy.lanes:
            yield lane, "skill_policy"
        if caller.lane is not None and lane != caller.lane:
            yield lane, "caller_lane"


def _not_batchable(turn: Turn, features: Features, caller: Caller) -> str:
    """Why the batch lane is wrong: it is for single independent calls that nobody waits for.

    An agent loop in a batch loses its prompt cache between steps and waits again at each: 3.5 times the price.
    """
    if turn.kind in {"continuation", "followup"}:
        return "tool_loop"
    if features.tools_offered:
        return "tools_offered"
    if caller.deadline_s is None:
        return "no_deadline"
    if caller.deadline_s < BATCH_MIN_DEADLINE_S:
        return "deadline_too_short"
    return "user_waits" if features.waiting else ""


def cheap_by_judgement(turn: Turn, label: SkillLabel, features: Features) -> bool:
    """Whether a cheap model of which nothing is known may do this: where the kind of work is easy or checkable."""
    if turn.kind == "housekeeping":
        return True
    return not (label.abstained or features.tool_errors) and features.complexity < CHEAP_BELOW[label.skill]
