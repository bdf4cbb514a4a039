"""The lanes that may do a task. A scheduling question: who may, who waits, how long, and whose queue is full.

Sees labels, numbers and states; never the prompt, never a model's name. What policies forbid stays forbidden; then
the caller's word; then guesses about waiting and queues, which an insisting caller overrules.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Literal

from lanewise.journey import Caller, Features, Lane, LaneRuling, SkillLabel, Tier, Turn, Value
from lanewise.route.states import Queues, Spend

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

TIERS: tuple[Tier, ...] = ("cheap", "frontier")

CLOUD: frozenset[Lane] = frozenset({"batch", "realtime"})
"""Lanes whose every call is billed."""

FLEX_MIN_DEADLINE_S = 900.0
"""Flex service tiers answer in 1 to 15 minutes, and OpenAI advises a timeout of 15 (BATCH.md section 1)."""

QUEUE_MIN_DEADLINE_S = 120.0
"""A deadline beyond which a call may stand in a queue: the patience beyond which nobody is taken to wait."""

ON_PREMISES = "local"
"""Region of a provider of the local lane that states none."""


class LanePolicy(Value, frozen=True, kw_only=True):
    """One voice about lanes and tier: a region demanded, a key, a skill, or a rule."""

    code: Literal["residency", "key_policy", "skill_policy", "rule_policy"]
    """Reason code of what it refuses."""
    lanes: tuple[Lane, ...] | None = None
    """None allows all."""
    tier: Tier | None = None


def allowed_lanes(
    turn: Turn,
    features: Features,
    caller: Caller,
    policies: Sequence[LanePolicy],
    spend: Spend,
    queues: Queues,
) -> LaneRuling:
    """The lanes and tiers this task may use, each refused lane with its reason code.

    Args:
        turn: What the call is.
        features: Its numbers, of which waiting and tools matter here.
        caller: Their lane and deadline.
        policies: All must hold, in their order: region, key, skill, rule. Where they leave no lane or no tier
            between them, every lane is refused with the code of the one that took the last.
        spend: Of the caller's key.
        queues: Of the lanes that have any.
    """
    refused: dict[Lane, str] = {}
    tiers = TIERS
    for policy in policies:
        tiers = tuple(tier for tier in tiers if policy.tier in {None, tier})
        kept = () if not tiers else LANES if policy.lanes is None else policy.lanes
        _narrow(refused, kept, policy.code)
    if spend.used_up:
        _narrow(refused, tuple(lane for lane in LANES if lane not in CLOUD), "budget_spent")
    if caller.lane is not None:
        _narrow(refused, (caller.lane,), "caller_lane")
    for lane, why in _guesses(turn, features, caller, queues):
        refused.setdefault(lane, why)
    return LaneRuling(
        allowed=tuple(lane for lane in LANES if lane not in refused),
        refused=tuple((lane, refused[lane]) for lane in LANES if lane in refused),
        tiers=tiers,
        flex="realtime" not in refused and _patient(turn, features, caller),
    )


def _narrow(refused: dict[Lane, str], kept: Sequence[Lane], code: str) -> None:
    """Refuse what is not kept; where that takes the last lane, this code stands for all."""
    had_any = len(refused) < len(LANES)
    for lane in LANES:
        if lane not in kept:
            refused.setdefault(lane, code)
    if had_any and len(refused) == len(LANES):
        refused.update(dict.fromkeys(LANES, code))


def _guesses(turn: Turn, features: Features, caller: Caller, queues: Queues) -> Iterator[tuple[Lane, str]]:
    """(lane, reason) for lanes that look wrong now; a caller who insists on a lane knows better.

    Whether somebody who waits is sent past a queue is a matter of each engine's predicted time (`queues.spills`); work
    that nobody waits for takes an idle engine, or stands in line where its deadline allows.
    """
    can_queue = caller.deadline_s is not None and caller.deadline_s >= QUEUE_MIN_DEADLINE_S
    if caller.lane != "local" and not features.waiting and not can_queue and queues.local.full:
        yield "local", "queue_full"
    if caller.lane != "batch" and (reason := _not_batchable(turn, features, caller)):
        yield "batch", reason


def _not_batchable(turn: Turn, features: Features, caller: Caller) -> str:
    """Why the batch lane is wrong: it is for single independent calls that nobody waits for.

    An agent loop in a batch loses its prompt cache between steps and waits again at each: 3.6 times the price of
    real time with a warm cache (BATCH.md section 2).
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


def _patient(turn: Turn, features: Features, caller: Caller) -> bool:
    """Whether every call of this kind may take a quarter of an hour.

    A title beside a conversation has nobody waiting and yet belongs to what a person looks at: without a deadline
    it is not slowed down.
    """
    if features.waiting:
        return False
    if caller.deadline_s is not None:
        return caller.deadline_s >= FLEX_MIN_DEADLINE_S
    return turn.kind != "housekeeping"


def cheap_by_judgement(turn: Turn, label: SkillLabel, features: Features) -> bool:
    """Whether a cheap model of which there is no evidence may do it, by `CHEAP_BELOW`; falls with complexity.

    Args:
        turn: Housekeeping never needs the frontier.
        label: What the task is about; an abstained one is not acted on.
        features: Failed tool results and complexity speak against it.
    """
    if turn.kind == "housekeeping":
        return True
    return not label.abstained and not features.tool_errors and features.complexity < CHEAP_BELOW[label.skill]


def resident(provider_region: str, lane: Lane, *demanded: tuple[str, ...]) -> bool:
    """Whether a provider lies in a region of each list that demands any.

    A provider that states no region is refused where one is demanded; one of the local lane is then `ON_PREMISES`.

    Args:
        provider_region: As its row states; empty for none.
        lane: Its lane.
        demanded: Lists of regions, the configuration's and the key's; an empty list demands nothing.
    """
    region = provider_region or (ON_PREMISES if lane == "local" else "")
    return all(region in regions for regions in demanded if regions)


def residency(providers: Iterable[tuple[str, Lane]], *demanded: tuple[str, ...]) -> LanePolicy:
    """The lanes in which any of the `(region, lane)` providers is `resident`."""
    lanes = {lane for region, lane in providers if resident(region, lane, *demanded)}
    return LanePolicy(code="residency", lanes=tuple(lane for lane in LANES if lane in lanes) if any(demanded) else None)
