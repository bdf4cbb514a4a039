"""Whom the policy prefers for a case: the task's own model, one above it after failures, or the best of all.

The second half of `decide`: where the model may change, whether it does, and with which odds. Pure; draws are hashes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Final, Literal, NamedTuple

import numpy as np

from lanewise.journey import Candidate, Quote, Rejection
from lanewise.route import cheap_by_judgement
from lanewise.router.case import Case, maker_of, server_of
from lanewise.router.outlook import Queued, outlook_of, queued_of
from lanewise.select import (
    BARRED_ABOVE,
    Choice,
    Flags,
    Outlook,
    Pin,
    SwitchLedger,
    Table,
    Terms,
    choose,
    quoted,
    unable,
)

HOLD_OUT: Final = 0.2
"""Share of the tasks with failures that are not moved up: about 43 % of failing loops recover alone (PEERS.md on the
hold-out arm of the only router that measured it), so what escalation gains is only known beside those left alone."""

FAILING_FROM: Final = 0.7
"""Probability that a task is failing, by its signals, from which it is moved up: two failed tests, not one."""


class Odds(NamedTuple):
    """Who might have been preferred here, with which probability; over all of them it sums to 1."""

    table: Table
    first: int
    """Position of the one that would be without a draw."""
    share: float = 1.0
    """Of `first`."""
    others: tuple[int, ...] = ()
    each: float = 0.0
    """Of each of the others."""

    def of(self, candidate: Candidate) -> float:
        """The probability of `candidate`."""
        at = self.table.positions.get(candidate)
        if at == self.first:
            return self.share
        return self.each if at in self.others else 0.0


class Preferred(NamedTuple):
    """The policy's candidate, and how it came to be."""

    candidate: Candidate
    odds: Odds
    reason: str
    switch_point: str
    choice: Choice | None = None
    quotes: tuple[Quote, ...] = ()
    switch_pusd: int = 0
    switch_forced: bool = False
    dropped: tuple[Rejection, ...] = ()
    spilled: tuple[tuple[str, bool], ...] = ()


def prefer(case: Case) -> Preferred:
    """The policy's candidate: the task's own while nothing speaks against it, otherwise the best of all."""
    outlook = outlook_of(case)
    queued = queued_of(case, outlook)
    at_switch, terms = _switch_point(case), _terms(case, queued)
    pinned, server = case.situation.pin, server_of(case)
    if pinned is None and (case.reading.features.previous_response or case.reading.turn.kind == "continuation"):
        pinned = Pin(candidate=case.table.candidates[case.baseline if server is None else server])
    ruled = _offered(case)
    dropped: tuple[Rejection, ...] = ()
    if not at_switch and ruled is None and pinned is not None and pinned.candidate in case.table.positions:
        position = case.table.positions[pinned.candidate]
        why = unable(case.table, position, case.baseline, case.ruling, case.situation.need, terms, outlook)
        if not why:
            return _on_the_pin(case, pinned, terms, outlook)
        dropped = (Rejection(candidate=pinned.candidate, reason=why, detail="served this task until now"),)
    choice = choose(
        case.table, case.baseline, case.ruling, case.situation.need, terms, case.evidence, outlook, offered=ruled
    )
    if choice.preferred is None and case.reading.features.sealed and server is not None:
        why = unable(case.table, server, case.baseline, case.ruling, case.situation.need, terms, outlook)
        if not why:
            return Preferred(
                case.table.candidates[server],
                Odds(case.table, server),
                reason="sealed",
                switch_point="",
                choice=choice,
                quotes=choice.quotes,
                dropped=dropped,
                spilled=queued.looked,
            )
    best = case.baseline if choice.preferred is None else choice.preferred
    reason = "baseline_is_cheapest" if best == case.baseline else "cheapest_allowed"
    if choice.preferred is None or (case.situation.passage and choice.fit == (case.baseline,)):
        reason = "no_cheaper_candidate"
    if ruled is not None and case.rule and choice.preferred is not None and ruled[choice.preferred]:
        reason = case.rule.reason
    odds = Odds(case.table, best)
    if at_switch:
        odds = _odds(case, choice, best)
        explored = _explored(case, choice.fit[1:])
        if explored is not None:
            best = explored
            reason = "explored"
    return Preferred(
        case.table.candidates[best],
        odds,
        reason,
        at_switch,
        choice,
        choice.quotes,
        switch_pusd=int(outlook.switch_pusd[best]),
        switch_forced=not choice.stays,
        dropped=dropped,
        spilled=queued.looked,
    )


def _on_the_pin(case: Case, pinned: Pin, terms: Terms, outlook: Outlook) -> Preferred:
    """A task under way stays where it is; one that fails on a cheap model moves up one step, once.

    What is sealed, thinking that only its maker can read, keeps an open tool loop with that maker.
    """
    position = case.table.positions[pinned.candidate]
    stays = Preferred(
        pinned.candidate,
        Odds(case.table, position),
        reason="task_pin",
        switch_point="",
        quotes=(quoted(case.table, position, case.evidence, outlook),),
    )
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
    )
    if choice.preferred is None or case.table.cheap[choice.preferred]:
        return stays
    above = case.table.candidates[choice.preferred]
    odds = Odds(case.table, choice.preferred, 1 - HOLD_OUT, (position,), HOLD_OUT)
    if drawn("hold_out", case.reading.identity.task_id) < HOLD_OUT:
        return stays._replace(odds=odds, reason="held_out")
    return Preferred(
        above,
        odds,
        reason="escalated",
        switch_point="failure_escalation",
        choice=choice,
        quotes=choice.quotes,
        switch_pusd=int(outlook.switch_pusd[choice.preferred]),
        switch_forced=True,
    )


def _odds(case: Case, choice: Choice, best: int) -> Odds:
    """Those that may serve, exploration included."""
    share, others = case.rulebook.policy.routing.explore, choice.fit[1:]
    if not share or not others:
        return Odds(case.table, best)
    return Odds(case.table, best, 1 - share, others, share / len(others))


def _explored(case: Case, others: Sequence[int]) -> int | None:
    """Another of those that may serve, for a small share of the tasks."""
    identity = case.reading.identity
    if not others or drawn("explore", identity.session_id, identity.task_id) >= case.rulebook.policy.routing.explore:
        return None
    return others[int(drawn("which", identity.session_id, identity.task_id) * len(others))]


def _offered(case: Case) -> Flags | None:
    """The entries of the model that a rule names; None where no rule does. A rule's word outranks a pin."""
    if case.rule is None or not case.rule.model or case.caller.lane is not None:
        return None
    model = case.rulebook.policy.aliases.get(case.rule.model, case.rule.model)
    flags = np.zeros(len(case.table), dtype=np.bool_)
    flags[case.table.of_model.get(model, [])] = True
    return flags


def _terms(case: Case, queued: Queued) -> Terms:
    """What configuration and moment allow, by entry."""
    table, situation, routing = case.table, case.situation, case.rulebook.policy.routing
    before = situation.conversation
    label, features, turn = case.reading.label, case.reading.features, case.reading.turn
    named = bool(case.rule and case.rule.model)
    insisted = case.caller.lane is not None or case.ruling.tiers == ("cheap",) or named
    every = np.ones(len(table), dtype=np.bool_)
    return Terms(
        readers=table.at_vendor(maker_of(case)) if features.sealed or features.previous_response else every,
        authorised=table.at_providers(situation.authorised),
        unavailable=table.at_providers(situation.unavailable),
        spilled=table.at_providers(queued.past),
        resident=case.limits.resident(table) if case.limits.demands_region else every,
        listed=np.array([model in case.limits.key.models for model in table.models], dtype=np.bool_)
        if case.limits.key.models
        else every,
        cheap_judged=cheap_by_judgement(turn, label, features) or insisted,
        barred="" if insisted else _barred(case),
        wait_counts=features.waiting,
        server=server_of(case),
        switches=before.ledger if before else SwitchLedger(),
        max_switch_overhead=routing.max_switch_overhead,
        max_loss=routing.max_loss,
        max_slowdown=routing.max_slowdown,
    )


def _barred(case: Case) -> Literal["", "caller_history", "task_failing"]:
    """Why no cheap model is to begin this task, whatever is known of it.

    A user who asks once more has seen an answer fail: what they ask for again does not begin cheap.
    """
    if case.reading.turn.kind == "housekeeping":
        return ""
    if case.situation.caller_need > BARRED_ABOVE:
        return "caller_history"
    asked_again = case.reading.identity.new_task and "re_ask" in case.reading.signals
    return "task_failing" if asked_again or case.situation.failing >= FAILING_FROM else ""


def _switch_point(case: Case) -> str:
    """Why the model may change here; empty inside a task."""
    reading, before = case.reading, case.situation.conversation
    if reading.turn.kind == "housekeeping":
        return "independent_call"
    if reading.features.previous_response:
        return ""  # the conversation lies at the provider: another one has never seen it
    if reading.turn.kind == "continuation":
        return ""  # a tool's result belongs to whoever called the tool
    if reading.turn.kind == "subagent" and reading.identity.new_session:
        return "subagent_start"
    if reading.identity.new_session:
        return "new_session"
    if reading.identity.new_task:
        return "new_task"
    if before is None:
        return ""
    if before.compacted:
        return "compacted"
    cold = not any(one.tokens_at(one.tokens, case.situation.at.timestamp()) for one in before.caches.warm)
    return "cache_cold" if cold else ""


def drawn(*names: str) -> float:
    """A number in 0..1 that is fixed by `names`: fair over many, the same for ever."""
    digest = hashlib.sha256("\x1f".join(names).encode()).digest()
    return int.from_bytes(digest[:8]) / 2**64
