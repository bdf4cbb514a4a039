"""READ SECOND: `decide()`, layers 2 and 3 as one pure function; the gateway, `explain` and the evals call the same one.

Labels, numbers, prices and states in, a `Decision` out; no sockets, no clock, nothing remembered. The same inputs give
the same decision, draws included: they are hashes of the session's and the task's id.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from lanewise.errors import NoCandidate
from lanewise.journey import Caller, Candidate, Decision, Lane, LaneRuling, Mode, Reading, Rejection
from lanewise.router.case import Case, case_of, insisted_lane
from lanewise.router.limits import Limits, limits_of
from lanewise.router.prefer import Preferred, drawn, prefer
from lanewise.router.situation import Rulebook, Situation

_ALL_LANES: Final = LaneRuling(allowed=("local", "batch", "realtime"))


class Decided(NamedTuple):
    """A decision with what it rests on."""

    reading: Reading
    decision: Decision
    situation: Situation | None
    """None where routing failed and nothing was decided."""


def decide(rulebook: Rulebook, caller: Caller, reading: Reading, situation: Situation) -> Decision:
    """Which candidate answers, which one the policy would prefer, and why not the others. Pure.

    Args:
        rulebook: What the configuration allows.
        caller: Who asks.
        reading: What layer 1 says of the call.
        situation: What else matters at this moment.

    Raises:
        NoCandidate: Nothing in the lane that the caller insists on can serve.
        NotAllowed: Region or key leave nobody who could serve.
        BudgetSpent: The key's budget is spent, and nothing free can serve.
    """
    limits = limits_of(rulebook.policy, caller, situation.spent_pusd)
    if situation.operation != "generate" or caller.pin:
        reason = "caller_pin" if caller.pin else "not_routed"
        return unrouted(caller, situation.model, situation.baselines, reason=reason, limits=limits)
    case = case_of(rulebook, caller, reading, situation, limits)
    found = prefer(case)
    lane = case.caller.lane
    if lane is not None and found.candidate.lane != lane:
        raise _nothing_in(lane, found, case.ruling)
    mode = _mode(case)
    baseline = situation.baselines[0]
    share = 1.0 if limits.forbids(baseline) else _share(mode, rulebook.policy.routing.split)
    chosen = found.candidate if drawn("split", reading.identity.session_id) < share else baseline
    plan = tuple(c for c in _plan(case, chosen) if (lane is None or c.lane == lane) and not limits.forbids(c))
    if not plan:
        raise limits.refusal(chosen)
    return Decision(
        mode=mode,
        baseline=baseline,
        chosen=plan[0],
        preferred=found.candidate,
        plan=plan,
        rejected=_rejected(found),
        ruling=case.ruling,
        reason=found.reason,
        propensity=share * found.odds.of(plan[0]) + (1 - share) * (plan[0] == baseline),
        switch_point=found.switch_point,
        switch_pusd=found.switch_pusd,
        switch_forced=found.switch_forced and found.switch_pusd > 0,
        quotes=found.choice.quotes if found.choice else (),
        spilled=found.spilled,
    )


def _mode(case: Case) -> Mode:
    """How far routing goes for this call: a caller who asks to be routed is; then rule, key, skill, configuration."""
    policy, model = case.rulebook.policy, case.situation.model
    if case.caller.lane is not None or model in {"auto", "auto:cheap"}:
        return "active"
    skill = policy.skills.get(case.reading.label.skill)
    said = (case.rule.mode if case.rule else None) or case.limits.key.mode
    return said or (skill.mode if skill else None) or policy.routing.mode


def _rejected(found: Preferred) -> tuple[Rejection, ...]:
    """All that were not preferred; of a pin that was dropped, why it was."""
    rows = found.choice.rejected if found.choice else ()
    if not found.dropped:
        return rows
    dropped = {row.candidate for row in found.dropped}
    return found.dropped + tuple(row for row in rows if row.candidate not in dropped)


def _nothing_in(lane: Lane, found: Preferred | None, ruling: LaneRuling) -> NoCandidate:
    """A caller who asks for one lane is never served in another: some ask so that a prompt stays on their machine."""
    rows = _rejected(found) if found else ()
    why = ", ".join(f"{row.candidate.model}: {row.reason}" for row in rows if row.candidate.lane == lane)
    why = why or dict(ruling.refused).get(lane, "") or "the config has no model in it that fits"
    return NoCandidate(
        f"nothing in lane {lane!r} can serve this call: {why}", hint="`lanewise models` lists who serves which lane"
    )


def _share(mode: Mode, split: float) -> float:
    """Share of the sessions that are routed: which ones is hashed, so that a session is or is not for ever."""
    return split if mode == "split" else float(mode == "active")


def _plan(case: Case, chosen: Candidate) -> tuple[Candidate, ...]:
    """The chosen one, its model's other endpoints, then the baseline: in doubt the user gets what they named."""
    table, spoken = case.table, case.table.speaks[case.situation.need.dialect]
    same = [
        table.candidates[at]
        for at in table.of_model.get(chosen.model, ())
        if spoken[at] and (case.ruling.flex or not table.flex[at])
    ]
    return tuple(dict.fromkeys([chosen, *same, *case.situation.baselines]))


def unrouted(caller: Caller, model: str, baselines: Sequence[Candidate], *, reason: str, limits: Limits) -> Decision:
    """The decision that asks the baseline without looking at anything else, for `reason`.

    Args:
        caller: Who asks.
        model: What the client named.
        baselines: Who answers for that name, in failover order.
        reason: Why nothing was routed.
        limits: What holds all the same.

    Raises:
        NoCandidate: The named model is not in the lane that the caller insists on.
        NotAllowed: Region or key do not allow it.
        BudgetSpent: The key's budget is spent.
    """
    lane = insisted_lane(caller, model)
    plan = tuple(candidate for candidate in baselines if lane is None or candidate.lane == lane)
    if not plan:
        assert lane is not None
        raise _nothing_in(lane, None, _ALL_LANES)
    first, plan = plan[0], tuple(candidate for candidate in plan if not limits.forbids(candidate))
    if not plan:
        raise limits.refusal(first)
    return Decision(
        mode="observe",
        baseline=baselines[0],
        chosen=plan[0],
        preferred=plan[0],
        plan=plan,
        ruling=_ALL_LANES,
        reason=reason,
    )
