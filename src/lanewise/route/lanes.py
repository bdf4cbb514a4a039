"""The lanes that may do a task. A scheduling question: who may, who waits, how long, and whose queue is full.

Sees labels, numbers and states; never the prompt, never a model's name. What policies forbid stays forbidden; then
the caller's word; then guesses about waiting and queues, which an insisting caller overrules.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Literal

from lanewise.journey import Caller, Features, Lane, LaneRuling, SkillLabel, Tier, Turn, Value
from lanewise.route.policy import BATCH_MIN_DEADLINE_S, CHEAP_BELOW, LANES
from lanewise.route.states import Queues, Spend

TIERS: tuple[Tier, ...] = ("cheap", "frontier")

CLOUD: frozenset[Lane] = frozenset({"batch", "realtime"})
"""Lanes whose every call is billed."""

FLEX_MIN_DEADLINE_S = 900.0
"""Flex service tiers answer in 1 to 15 minutes, and OpenAI advises a timeout of 15 (BATCH.md section 1)."""

QUEUE_MIN_DEADLINE_S = 120.0
"""A deadline beyond which a call may stand in a queue: the patience beyond which nobody is taken to wait."""

ON_PREMISES = "local"
"""Region of a provider of the local lane that states none."""


class Policy(Value, frozen=True, kw_only=True):
    """One voice about lanes and tier: a region demanded, a key, a skill, or a rule."""

    code: Literal["residency", "key_policy", "skill_policy", "rule_policy"]
    """Reason code of what it refuses."""
    lanes: tuple[Lane, ...] | None = None
    """None allows all."""
    tier: Tier | None = None


class LaneVerdict(Value, frozen=True, kw_only=True):
    """The router's answer."""

    ruling: LaneRuling
    flex: bool = False
    """The real-time lane may serve it at a flex service tier, or wait for an off-peak price."""
    last_resort: tuple[Lane, ...] = ()
    """Refused for its queue alone: better than failing where nothing else is allowed."""


def allowed_lanes(
    turn: Turn,
    features: Features,
    caller: Caller,
    policies: Sequence[Policy],
    spend: Spend,
    queues: Queues,
) -> LaneVerdict:
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
    guesses = {lane: why for lane, why in _guesses(turn, features, caller, queues) if lane not in refused}
    refused |= guesses
    return LaneVerdict(
        ruling=LaneRuling(
            allowed=tuple(lane for lane in LANES if lane not in refused),
            refused=tuple((lane, refused[lane]) for lane in LANES if lane in refused),
            tiers=tiers,
        ),
        flex="realtime" not in refused and _patient(turn, features, caller),
        last_resort=("local",) if "local" in guesses else (),
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
    """(lane, reason) for lanes that look wrong now; a caller who insists on a lane knows better."""
    can_queue = not features.waiting and caller.deadline_s is not None and caller.deadline_s >= QUEUE_MIN_DEADLINE_S
    if caller.lane != "local" and not can_queue:
        if queues.local.full:
            yield "local", "queue_full"
        elif queues.local.spilled:
            yield "local", "slower_than_cloud"
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


def cheap_by_judgement(skill: str, complexity: float, turn: Turn, label: SkillLabel, features: Features) -> bool:
    """Whether a cheap model of which there is no evidence may do it, by `CHEAP_BELOW`; falls with complexity.

    Args:
        skill: What the task is about.
        complexity: 0 to 1.
        turn: Housekeeping never needs the frontier.
        label: An abstained one is not acted on.
        features: Failed tool results speak against it.
    """
    if turn.kind == "housekeeping":
        return True
    return not label.abstained and not features.tool_errors and complexity < CHEAP_BELOW[skill]


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


def residency(providers: Iterable[tuple[str, Lane]], *demanded: tuple[str, ...]) -> Policy:
    """The lanes in which any of the `(region, lane)` providers is `resident`."""
    lanes = {lane for region, lane in providers if resident(region, lane, *demanded)}
    return Policy(code="residency", lanes=tuple(lane for lane in LANES if lane in lanes) if any(demanded) else None)
