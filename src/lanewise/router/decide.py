"""READ SECOND: `decide()`, layers 2 and 3 as one pure function; the gateway, `explain` and the evals call the same one.

Labels, numbers, prices and states in, a `Decision` out; no sockets, no clock, nothing remembered. The same inputs give
the same decision, draws included: they are hashes of the session's and the task's id.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Final, Literal, NamedTuple, cast

import msgspec
import numpy as np

from lanewise.config import SkillSettings, duration_s
from lanewise.errors import NoCandidate
from lanewise.journey import Caller, Candidate, Decision, Lane, LaneRuling, Mode, Reading, Rejection
from lanewise.route import (
    LanePolicy,
    LaneQueue,
    Queues,
    Rule,
    Speed,
    Spend,
    allowed_lanes,
    cheap_by_judgement,
    concurrency,
    facts_of,
    first_match,
    predicted_completion_s,
    residency,
    spills,
)
from lanewise.router.limits import Limits, limits_of
from lanewise.router.situation import Rulebook, Situation
from lanewise.select import (
    BARRED_ABOVE,
    EXPECTED_OUTPUT_TOKENS,
    LANE_NAMES,
    LANES,
    Caches,
    Choice,
    Evidence,
    Flags,
    Numbers,
    Outlook,
    Pin,
    SwitchLedger,
    Table,
    Terms,
    choose,
    expected_totals,
    overheads,
    unable,
)

_ALL_LANES: Final = LaneRuling(allowed=("local", "batch", "realtime"))

HOLD_OUT: Final = 0.2
"""Share of the tasks with failures that are not moved up: about 43 % of failing loops recover alone (PEERS.md on the
hold-out arm of the only router that measured it), so what escalation gains is only known beside those left alone."""

FAILING_FROM: Final = 0.7
"""Probability that a task is failing, by its signals, from which it is moved up: two failed tests, not one."""


class Decided(NamedTuple):
    """A decision with what it rests on."""

    reading: Reading
    decision: Decision
    situation: Situation | None
    """None where routing failed and nothing was decided."""


class _Preferred(NamedTuple):
    """The policy's candidate, and how it came to be."""

    candidate: Candidate
    odds: tuple[tuple[Candidate, float], ...]
    """All who might have been preferred here, `candidate` included, each with its probability; they sum to 1."""
    reason: str
    switch_point: str
    choice: Choice | None = None
    switch_pusd: int = 0
    switch_forced: bool = False
    dropped: tuple[Rejection, ...] = ()
    spilled: tuple[tuple[str, bool], ...] = ()


class _Case(NamedTuple):
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
        return unrouted(caller, situation.model, situation.baselines, reason, limits)
    case = _case(rulebook, caller, reading, situation, limits)
    found = _prefer(case)
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
        propensity=share * dict(found.odds).get(plan[0], 0.0) + (1 - share) * (plan[0] == baseline),
        switch_point=found.switch_point,
        switch_pusd=found.switch_pusd,
        switch_forced=found.switch_forced and found.switch_pusd > 0,
        quotes=found.choice.quotes if found.choice else (),
        spilled=found.spilled,
    )


def _case(rulebook: Rulebook, caller: Caller, reading: Reading, situation: Situation, limits: Limits) -> _Case:
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
        residency(
            ((policy.regions.get(c.provider, ""), c.lane) for c in table.candidates),
            policy.routing.regions,
            key.regions,
        ),
        LanePolicy(code="key_policy", lanes=key.lanes, tier=key.tier),
        LanePolicy(code="skill_policy", lanes=skill.lanes, tier=tier),
    ]
    if rule:
        voices.append(LanePolicy(code="rule_policy", lanes=rule.lanes, tier=rule.tier))
    ruling = allowed_lanes(reading.turn, reading.features, caller, voices, spend, queues)
    return _Case(
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


def _prefer(case: _Case) -> _Preferred:
    """The policy's candidate: the task's own while nothing speaks against it, otherwise the best of all."""
    outlook = _outlook(case)
    spilled = _spilled(case, outlook)
    at_switch, terms = _switch_point(case), _terms(case, spilled)
    pinned = case.situation.pin
    ruled = _offered(case)
    dropped: tuple[Rejection, ...] = ()
    if not at_switch and ruled is None and pinned is not None and pinned.candidate in case.table.positions:
        position = case.table.positions[pinned.candidate]
        why = unable(case.table, position, case.baseline, case.ruling, case.situation.need, terms, outlook)
        if not why:
            return _on_the_pin(case, pinned, terms, outlook)
        dropped = (Rejection(candidate=pinned.candidate, reason=why, detail="served this task until now"),)
    choice = choose(
        case.table,
        case.baseline,
        case.ruling,
        case.situation.need,
        terms,
        case.evidence,
        outlook,
        offered=_bound(case) if ruled is None else ruled,
        unoffered="provider_state" if ruled is None else "rule",
    )
    best = case.baseline if choice.preferred is None else choice.preferred
    reason = "baseline_is_cheapest" if best == case.baseline else "cheapest_allowed"
    if choice.preferred is None or (case.situation.passage and choice.fit == (case.baseline,)):
        reason = "no_cheaper_candidate"
    if ruled is not None and case.rule and choice.preferred is not None and ruled[choice.preferred]:
        reason = case.rule.reason
    odds = {best: 1.0}
    if at_switch and case.reading.turn.kind != "continuation":
        odds = _odds(choice, best, case.rulebook.policy.routing.explore)
        explored = _explored(case, list(odds)[1:])
        best, reason = (best, reason) if explored is None else (explored, "explored")
    return _Preferred(
        case.table.candidates[best],
        tuple((case.table.candidates[at], share) for at, share in odds.items()),
        reason,
        at_switch,
        choice,
        switch_pusd=int(outlook.switch_pusd[best]),
        switch_forced=not choice.stays,
        dropped=dropped,
        spilled=spilled,
    )


def _on_the_pin(case: _Case, pinned: Pin, terms: Terms, outlook: Outlook) -> _Preferred:
    """A task under way stays where it is; one that fails on a cheap model moves up one step, once.

    What is sealed, thinking that only its maker can read, keeps an open tool loop with that maker.
    """
    stays = _Preferred(pinned.candidate, ((pinned.candidate, 1.0),), "task_pin", "")
    if pinned.candidate.tier != "cheap" or pinned.escalation or case.situation.failing < FAILING_FROM:
        return stays
    choice = choose(
        case.table,
        case.baseline,
        case.ruling,
        case.situation.need,
        terms._replace(barred="task_failing"),
        case.evidence,
        outlook,
        offered=_bound(case),
        unoffered="provider_state",
    )
    if choice.preferred is None or case.table.cheap[choice.preferred]:
        return stays
    above = case.table.candidates[choice.preferred]
    odds = ((above, 1 - HOLD_OUT), (pinned.candidate, HOLD_OUT))
    if drawn("hold_out", case.reading.identity.task_id) < HOLD_OUT:
        return stays._replace(odds=odds, reason="held_out")
    return _Preferred(
        above,
        odds,
        "escalated",
        "failure_escalation",
        choice,
        switch_pusd=int(outlook.switch_pusd[choice.preferred]),
        switch_forced=True,
    )


def _bound(case: _Case) -> Flags | None:
    """The entries that can read what the call rests on, where that lies at a provider or is an open loop's thinking.

    They are those of the vendor who served the task, or the conversation, so far; of the one that was named where
    nobody is known.
    """
    features, before = case.reading.features, case.situation.conversation
    if not features.previous_response and not (features.sealed and case.reading.turn.kind == "continuation"):
        return None
    pin = case.situation.pin
    known = (pin.candidate if pin else None, before.server if before else None)
    positions = (case.table.positions.get(one) for one in known if one is not None)
    return case.table.at_vendor(next((at for at in positions if at is not None), case.baseline))


def _odds(choice: Choice, best: int, share: float) -> dict[int, float]:
    """Position -> probability of being preferred: the best one first, then those that share the exploration."""
    others = choice.fit[1:] if share else ()
    return {best: 1 - share if others else 1.0, **{at: share / len(others) for at in others}}


def _explored(case: _Case, others: Sequence[int]) -> int | None:
    """Another of those that may serve, for a small share of the tasks."""
    identity = case.reading.identity
    if not others or drawn("explore", identity.session_id, identity.task_id) >= case.rulebook.policy.routing.explore:
        return None
    return others[int(drawn("which", identity.session_id, identity.task_id) * len(others))]


def _offered(case: _Case) -> Flags | None:
    """The entries of the model that a rule names; None where no rule does. A rule's word outranks a pin."""
    if case.rule is None or not case.rule.model or case.caller.lane is not None:
        return None
    model = case.rulebook.policy.aliases.get(case.rule.model, case.rule.model)
    flags = np.zeros(len(case.table), dtype=np.bool_)
    flags[case.table.of_model.get(model, [])] = True
    return flags


def _terms(case: _Case, spilled: tuple[tuple[str, bool], ...]) -> Terms:
    """What configuration and moment allow, by entry."""
    table, situation, routing = case.table, case.situation, case.rulebook.policy.routing
    before = situation.conversation
    label, features, turn = case.reading.label, case.reading.features, case.reading.turn
    named = bool(case.rule and case.rule.model)
    insisted = case.caller.lane is not None or case.ruling.tiers == ("cheap",) or named
    every = np.ones(len(table), dtype=np.bool_)
    return Terms(
        authorised=table.at_providers(situation.authorised),
        unavailable=table.at_providers(situation.unavailable),
        spilled=table.at_providers([name for name, past in spilled if past and case.caller.lane != "local"]),
        resident=case.limits.resident(table) if case.limits.demands_region else every,
        listed=np.array([model in case.limits.key.models for model in table.models], dtype=np.bool_)
        if case.limits.key.models
        else every,
        cheap_judged=cheap_by_judgement(turn, label, features) or insisted,
        barred="" if insisted else _barred(case),
        wait_counts=features.waiting,
        server=_server(case),
        switches=before.ledger if before else SwitchLedger(),
        max_switch_overhead=routing.max_switch_overhead,
        max_loss=routing.max_loss,
        max_slowdown=routing.max_slowdown,
    )


def _barred(case: _Case) -> Literal["", "caller_history", "task_failing"]:
    """Why no cheap model is to begin this task, whatever is known of it.

    A user who asks once more has seen an answer fail: what they ask for again does not begin cheap.
    """
    if case.situation.caller_need > BARRED_ABOVE:
        return "caller_history"
    asked_again = case.reading.identity.new_task and "re_ask" in case.reading.signals
    return "task_failing" if asked_again or case.situation.failing >= FAILING_FROM else ""


def _outlook(case: _Case) -> Outlook:
    """What each entry is expected to cost and take, with the caches as they are."""
    situation, evidence, features, table = case.situation, case.evidence, case.reading.features, case.table
    # Who was never asked is taken to answer at the baseline's length: otherwise a baseline of short answers would
    # look cheaper than all that nobody has tried.
    known = evidence.output_tokens[case.baseline]
    unknown = EXPECTED_OUTPUT_TOKENS if np.isnan(known) else known
    output = np.where(np.isnan(evidence.output_tokens), unknown, evidence.output_tokens)
    if situation.need.max_tokens is not None:
        output = np.minimum(output, situation.need.max_tokens)
    prompt_tokens = situation.need.input_tokens
    rates = table.caching(prompt_tokens, situation.at, marked=features.marks_cache)
    before = situation.conversation
    warm = table.warm(before.caches if before else Caches(), prompt_tokens, situation.at.timestamp())
    server = _server(case)
    own_s = evidence.first_token_s + output / evidence.tokens_per_s
    return Outlook(
        total_pusd=expected_totals(
            rates,
            warm,
            prompt_tokens=prompt_tokens,
            growth_tokens=situation.growth_tokens,
            output_tokens=output,
            turns=situation.turns,
        ),
        switch_pusd=overheads(rates, warm, abandoned_tokens=0 if server is None else int(warm[server])),
        completion_s=_completion_s(case, own_s, output),
    )


def _completion_s(case: _Case, own_s: Numbers, output_tokens: Numbers) -> Numbers:
    """Predicted time of the next answer: as measured for the cloud, behind their queues for local engines."""
    table, situation, evidence = case.table, case.situation, case.evidence
    completion_s = own_s.copy()
    for at in np.flatnonzero(table.local).tolist():
        candidate = table.candidates[at]
        queue = situation.queues.get(candidate.provider)
        if queue is None:
            continue
        found = predicted_completion_s(
            queue,
            Speed(
                first_token_s=_known(evidence.first_token_s[at]), decode_tokens_per_s=_known(evidence.tokens_per_s[at])
            ),
            input_tokens=situation.need.input_tokens,
            output_tokens=float(output_tokens[at]),
            cold=queue.cold(candidate.upstream_model),
        )
        completion_s[at] = np.nan if found is None else found
    return completion_s


def _known(value: float) -> float | None:
    return None if np.isnan(value) else float(value)


def _spilled(case: _Case, outlook: Outlook) -> tuple[tuple[str, bool], ...]:
    """Local providers that a waiting caller is sent past, or not, because of their queue (latency inversion).

    The cloud's time is the best of those that could answer at all; a provider is judged by its fastest model.
    """
    table, situation = case.table, case.situation
    able = table.speaks[situation.need.dialect] & table.at_providers(situation.authorised)
    clouds = outlook.completion_s[able & (table.lane == LANES.index("realtime"))]
    cloud_s = float(np.nanmin(clouds)) if np.isfinite(clouds).any() else None
    found = []
    for provider, queue in situation.queues.items():
        local = outlook.completion_s[table.at_providers((provider,))]
        local_s = float(np.nanmin(local)) if np.isfinite(local).any() else None
        past = spills(
            queue,
            local_s=local_s,
            cloud_s=cloud_s,
            waiting=case.reading.features.waiting,
            deadline_s=case.caller.deadline_s,
        )
        found.append((provider, past))
    return tuple(found)


def _server(case: _Case) -> int | None:
    """Who served the conversation last, if it is still there."""
    before = case.situation.conversation
    return None if before is None or before.server is None else case.table.positions.get(before.server)


def _mode(case: _Case) -> Mode:
    """How far routing goes for this call: a caller who asks to be routed is; then rule, key, skill, configuration."""
    policy, model = case.rulebook.policy, case.situation.model
    if case.caller.lane is not None or model in {"auto", "auto:cheap"}:
        return "active"
    skill = policy.skills.get(case.reading.label.skill)
    said = (case.rule.mode if case.rule else None) or case.limits.key.mode
    return said or (skill.mode if skill else None) or policy.routing.mode


def _rejected(found: _Preferred) -> tuple[Rejection, ...]:
    """All that were not preferred; of a pin that was dropped, why it was."""
    rows = found.choice.rejected if found.choice else ()
    if not found.dropped:
        return rows
    dropped = {row.candidate for row in found.dropped}
    return found.dropped + tuple(row for row in rows if row.candidate not in dropped)


def insisted_lane(caller: Caller, model: str) -> Lane | None:
    """The only lane that may serve the call, by the caller's header or the model name `lane:...`; None for any."""
    return cast("Lane", model.removeprefix("lane:")) if model in LANE_NAMES else caller.lane


def _nothing_in(lane: Lane, found: _Preferred | None, ruling: LaneRuling) -> NoCandidate:
    """A caller who asks for one lane is never served in another: some ask so that a prompt stays on their machine."""
    rows = _rejected(found) if found else ()
    why = ", ".join(f"{row.candidate.model}: {row.reason}" for row in rows if row.candidate.lane == lane)
    why = why or dict(ruling.refused).get(lane, "") or "the config has no model in it that fits"
    return NoCandidate(
        f"nothing in lane {lane!r} can serve this call: {why}", hint="`lanewise models` lists who serves which lane"
    )


def _switch_point(case: _Case) -> str:
    """Why the model may change here; empty inside a task."""
    reading, before = case.reading, case.situation.conversation
    if reading.turn.kind == "housekeeping":
        return "independent_call"
    if reading.turn.kind == "subagent" and reading.identity.new_session:
        return "subagent_start"
    if reading.identity.new_session:
        return "new_session"
    if reading.features.previous_response:
        return ""  # the conversation lies at the provider: another one has never seen it
    if reading.identity.new_task:
        return "new_task"
    if reading.turn.kind == "continuation" or before is None:
        return ""  # a tool's result belongs to whoever called the tool
    if before.compacted:
        return "compacted"
    cold = not any(one.tokens_at(one.tokens, case.situation.at.timestamp()) for one in before.caches.warm)
    return "cache_cold" if cold else ""


def _share(mode: Mode, split: float) -> float:
    """Share of the sessions that are routed: which ones is hashed, so that a session is or is not for ever."""
    return split if mode == "split" else float(mode == "active")


def drawn(*names: str) -> float:
    """A number in 0..1 that is fixed by `names`: fair over many, the same for ever."""
    digest = hashlib.sha256("\x1f".join(names).encode()).digest()
    return int.from_bytes(digest[:8]) / 2**64


def _plan(case: _Case, chosen: Candidate) -> tuple[Candidate, ...]:
    """The chosen one, its model's other endpoints, then the baseline: in doubt the user gets what they named."""
    table, spoken = case.table, case.table.speaks[case.situation.need.dialect]
    same = [
        table.candidates[at]
        for at in table.of_model.get(chosen.model, ())
        if spoken[at] and (case.ruling.flex or not table.flex[at])
    ]
    return tuple(dict.fromkeys([chosen, *same, *case.situation.baselines]))


def unrouted(
    caller: Caller, model: str, baselines: Sequence[Candidate], reason: str, limits: Limits | None = None
) -> Decision:
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
    if limits is not None:
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
