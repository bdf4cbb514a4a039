"""READ SECOND: `decide()`, layers 1 to 3 as one pure function; the gateway, `explain` and the evals call the same one.

Labels, numbers, prices and states in, a `Decision` out; no sockets, no clock, nothing remembered.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Sequence
from typing import cast

import msgspec

from lanewise.config import SkillSettings, duration_s
from lanewise.errors import NoCandidate
from lanewise.journey import Caller, Candidate, Decision, Lane, LaneRuling, Mode, Reading, Rejection, Request, Value
from lanewise.route import LanePolicy, rule
from lanewise.router.world import World
from lanewise.select import LANE_NAMES, Catalog, Entry, Need, choose, refusal
from lanewise.upstream import credential_of

_ALL_LANES = LaneRuling(allowed=("local", "batch", "realtime"))


class Conditions(Value, frozen=True, kw_only=True):
    """What `decide` needs of the moment."""

    now: dt.datetime
    in_flight: dict[str, int]
    unhealthy: frozenset[str] = frozenset()
    pin: Candidate | None = None
    """Who serves the task so far."""


def decide(request: Request, caller: Caller, reading: Reading, world: World, conditions: Conditions) -> Decision:
    """Which candidate answers, which one the policy would prefer, and why not the others. Pure.

    Raises:
        NoCandidate: The named model resolves to nothing, or nothing in the lane that the caller insists on can serve.
    """
    if request.operation != "generate" or caller.pin:
        return unrouted(request, caller, world, "caller_pin" if caller.pin else "not_routed")
    baselines = baselines_of(request, caller, world)
    baseline = baselines[0]
    skill = world.settings.skills.get(reading.label.skill, SkillSettings())
    if caller.deadline_s is None and skill.deadline:
        caller = msgspec.structs.replace(caller, deadline_s=duration_s(skill.deadline))
    caller = msgspec.structs.replace(caller, lane=insisted_lane(request, caller))
    tier = "cheap" if request.model == "auto:cheap" else skill.tier
    ruling = rule(
        reading.turn,
        reading.label,
        reading.features,
        caller,
        LanePolicy(lanes=skill.lanes, tier=tier),
        world.local_load(conditions.in_flight),
    )
    preferred, rejected, reason = _prefer(request, reading, world, conditions, ruling, baseline)
    if caller.lane is not None and preferred.lane != caller.lane:
        why = [f"{row.candidate.model}: {row.reason}" for row in rejected if row.candidate.lane == caller.lane]
        raise _nothing_in(caller.lane, ", ".join(why) or dict(ruling.refused).get(caller.lane, ""))
    explicit = caller.lane is not None or request.model in {"auto", "auto:cheap"}
    mode: Mode = "active" if explicit else skill.mode or world.settings.routing.mode
    routed, propensity = _arm(mode, world.settings.routing.split, reading.identity.session_id)
    chosen = preferred if routed else baseline.candidate
    return Decision(
        mode=mode,
        baseline=baseline.candidate,
        chosen=chosen,
        preferred=preferred,
        plan=tuple(
            candidate
            for candidate in _plan(chosen, baselines, world.catalog, request)
            if caller.lane is None or candidate.lane == caller.lane
        ),
        rejected=rejected,
        ruling=ruling,
        reason=reason,
        propensity=propensity,
        switch_point=_switch_point(reading),
    )


def baselines_of(request: Request, caller: Caller, world: World) -> tuple[Entry, ...]:
    """Who answers unless somebody else is chosen. A call that names no model, such as a file's upload, just passes.

    Raises:
        NoCandidate: The named model resolves to nothing.
    """
    named = caller.pin or request.model
    if not named and request.operation != "generate":
        return world.catalog.passage("", request.dialect)
    return world.catalog.baseline(named, request.dialect)


def _prefer(
    request: Request, reading: Reading, world: World, conditions: Conditions, ruling: LaneRuling, baseline: Entry
) -> tuple[Candidate, tuple[Rejection, ...], str]:
    """The policy's candidate with the others' reasons and its own."""
    need = Need(
        dialect=request.dialect,
        input_tokens=reading.features.input_tokens,
        max_tokens=request.max_tokens,
        has_images=request.has_images,
        has_tools=bool(request.tool_names),
        at=conditions.now,
    )
    authorised = world.authorised(credential_of(request.headers, request.target), baseline.candidate.provider)
    unhealthy = conditions.unhealthy
    dropped: tuple[Rejection, ...] = ()
    pinned = None if _switch_point(reading) else conditions.pin and world.catalog.entry_of(conditions.pin)
    if pinned:
        why = refusal(pinned, baseline, need, authorised=authorised, unhealthy=unhealthy) or _forbidden(pinned, ruling)
        if not why:
            return pinned.candidate, (), "task_pin"
        dropped = (Rejection(candidate=pinned.candidate, reason=why, detail="served this task until now"),)
    choice = choose(world.catalog.entries, baseline, ruling, need, authorised=authorised, unhealthy=unhealthy)
    rejected = dropped + tuple(row for row in choice.rejected if not dropped or row.candidate != dropped[0].candidate)
    if choice.preferred is None:
        return baseline.candidate, rejected, "no_cheaper_candidate"
    reason = "baseline_is_cheapest" if choice.preferred == baseline.candidate else "cheapest_allowed"
    return choice.preferred, rejected, reason


def insisted_lane(request: Request, caller: Caller) -> Lane | None:
    """The only lane that may serve the call, by the caller's header or the model name `lane:...`; None for any."""
    return cast("Lane", request.model.removeprefix("lane:")) if request.model in LANE_NAMES else caller.lane


def _nothing_in(lane: Lane, why: str) -> NoCandidate:
    """A caller who asks for one lane is never served in another: some ask so that a prompt stays on their machine."""
    return NoCandidate(
        f"nothing in lane {lane!r} can serve this call: {why or 'the config has no model in it that fits'}",
        hint="`lanewise models` lists who serves which lane",
    )


def _forbidden(pinned: Entry, ruling: LaneRuling) -> str:
    """The caller's or the config's word against the lane of a pin; a full queue is no such word."""
    reason = dict(ruling.refused).get(pinned.candidate.lane, "")
    return f"lane:{pinned.candidate.lane}:{reason}" if reason in {"caller_lane", "skill_policy"} else ""


def _switch_point(reading: Reading) -> str:
    """Why the model may change here; empty inside a task."""
    if reading.turn.kind == "housekeeping":
        return "independent_call"
    if reading.turn.kind == "subagent" and reading.identity.new_session:
        return "subagent_start"
    if reading.identity.new_session:
        return "new_session"
    return "new_task" if reading.identity.new_task else ""


def _arm(mode: Mode, split: float, session_id: str) -> tuple[bool, float]:
    """Whether this session is routed, and with which probability it was: sticky, hashed, reproducible."""
    if mode != "split":
        return mode == "active", 1.0
    digest = hashlib.sha256(session_id.encode()).digest()
    routed = int.from_bytes(digest[:8]) / 2**64 < split
    return routed, split if routed else 1 - split


def _plan(chosen: Candidate, baselines: Sequence[Entry], catalog: Catalog, request: Request) -> tuple[Candidate, ...]:
    """The chosen one, its model's other endpoints, then the baseline: in doubt the user gets what they named."""
    same = [
        entry.candidate
        for entry in catalog.entries
        if entry.candidate.model == chosen.model and request.dialect in entry.dialects
    ]
    return tuple(dict.fromkeys([chosen, *same, *(entry.candidate for entry in baselines)]))


def unrouted(request: Request, caller: Caller, world: World, reason: str) -> Decision:
    """The decision that asks the baseline without looking at anything else, for `reason`.

    Raises:
        NoCandidate: The named model resolves to nothing, or to nothing in the lane that the caller insists on.
    """
    baselines = baselines_of(request, caller, world)
    lane = insisted_lane(request, caller)
    plan = tuple(entry.candidate for entry in baselines if lane is None or entry.candidate.lane == lane)
    if not plan:
        assert lane is not None
        raise _nothing_in(lane, "")
    return Decision(
        mode="observe",
        baseline=baselines[0].candidate,
        chosen=plan[0],
        preferred=plan[0],
        plan=plan,
        ruling=_ALL_LANES,
        reason=reason,
    )
