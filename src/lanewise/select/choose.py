"""The cheapest candidate that may serve and is not inferior, and why each other one is not it. A price question.

Three kinds of filters, in this order: what may not be (dialect, residency, lanes, capabilities, credentials), what is
not good enough (evidence, or judgement where there is none), what does not pay (price, latency). All over columns, so
that 200 candidates cost what 5 do. Sees numbers and names, never text; pure.
"""

from __future__ import annotations

from typing import Final, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from lanewise.journey import Dialect, LaneRuling, Quote, Rejection, Value
from lanewise.select.beliefs import Evidence
from lanewise.select.shrink import bound
from lanewise.select.stay import SwitchLedger, allowance_pusd, stay_or_switch
from lanewise.select.table import LANES, Flags, Numbers, Table, Whole

EXPECTED_OUTPUT_TOKENS: Final = 700
"""Output of a typical agent step where nothing was learnt; the worked example in BATCH.md section 2."""

MIN_EVIDENCE: Final = 30.0
"""Tasks from which evidence speaks instead of judgement: fewer leave an interval wider than any sensible loss."""

MAX_FAILURE_RATE: Final = 0.2
"""Share of an endpoint's latest calls from which it is avoided: three failures in a row reach it, and so does every
fifth of many (see `select.beliefs`). The breaker opens on failures in a row only."""

QUOTES: Final = 8
"""Cheapest candidates whose numbers are kept with a decision, beside those of the preferred one and the baseline."""

FLAT_CODES: Final = (
    "",
    "dialect",
    "residency",
    "key_policy",
    "flex_refused",
    "tier",
    "context_window",
    "vision",
    "tools",
    "sealed",
    "no_credential",
    "breaker_open",
    "slower_than_cloud",
    "rule",
    "not_proven",
    "judgement",
    "caller_history",
    "task_failing",
    "unreliable",
    "unknown_price",
    "unknown_baseline_price",
    "dearer_than_baseline",
    "too_slow",
    "switch_promise",
    "not_cheapest",
)
"""Reason codes by number; a refused lane has one of its own, made from the ruling."""

_CODE: Final = {code: number for number, code in enumerate(FLAT_CODES)}
_LANE_CODE: Final = len(FLAT_CODES)
"""Number of the first lane's code."""


class Need(Value, frozen=True, kw_only=True):
    """What a request asks of whoever answers it."""

    dialect: Dialect
    input_tokens: int
    max_tokens: int | None
    has_images: bool
    has_tools: bool


class Terms(NamedTuple):
    """What configuration and moment allow, one flag per entry, and how much may be lost."""

    readers: Flags
    """Can read what the conversation holds sealed."""
    authorised: Flags
    """A credential may be sent."""
    unavailable: Flags
    """The breaker is open."""
    spilled: Flags
    """Behind a queue that somebody who waits is sent past."""
    resident: Flags
    """In a region that is allowed."""
    listed: Flags
    """The caller's key may use it."""
    cheap_judged: bool
    """Where there is no evidence, a cheap model may do this kind of work."""
    barred: Literal["", "caller_history", "task_failing"]
    """Why no cheap model may do it, whatever is known of it."""
    wait_counts: bool
    """Somebody waits, so that a slow candidate is refused."""
    server: int | None
    """Position of who served the conversation last; None for nobody."""
    switches: SwitchLedger
    """What the session's switches have cost so far."""
    max_switch_overhead: float
    """Share of the session's never-switch bill that chosen switches may cost."""
    max_loss: float
    """Largest tolerated drop of success, as a share."""
    max_slowdown: float
    """Longest completion tolerated, as a multiple of the baseline's."""


class Outlook(NamedTuple):
    """What each entry is expected to bring."""

    total_pusd: Whole
    """Over the remaining turns, with the cache as it is and what a switch costs."""
    switch_pusd: Whole
    """Part of it that is only paid because a warm cache is left behind."""
    completion_s: Numbers
    """Of the next answer; NaN unknown."""
    list_pusd: Whole
    """Of one call without any cache, with an answer of usual length at all: what beliefs cannot move."""


class Choice(Value, frozen=True, kw_only=True):
    """The candidate with the lowest expected cost, or none but the baseline."""

    preferred: int | None
    """Position in the table; None where nothing but the baseline may serve."""
    fit: tuple[int, ...]
    """Positions of all that may serve, cheapest first."""
    stays: bool
    """Who served the conversation last may go on; otherwise a change is forced and no promise refuses it."""
    rejected: tuple[Rejection, ...]
    quotes: tuple[Quote, ...]


def choose(
    table: Table,
    baseline: int,
    ruling: LaneRuling,
    need: Need,
    terms: Terms,
    evidence: Evidence,
    outlook: Outlook,
    *,
    offered: Flags | None = None,
) -> Choice:
    """Pick among the entries of `table`.

    Args:
        table: The catalog, with the baseline in it.
        baseline: Position of what the caller named: the price and the success not to lose.
        ruling: Lanes and tiers allowed.
        need: Capabilities asked for.
        terms: What else may not be.
        evidence: What is believed of each entry.
        outlook: What each entry is expected to cost and take.
        offered: Entries to consider, where a rule names some; all by default.
    """
    reasons = np.zeros(len(table), dtype=np.int16)
    _may_not(reasons, table, ruling, need, terms)
    _refuse(reasons, terms.spilled, "slower_than_cloud")
    if offered is not None:
        _refuse(reasons, ~offered, "rule")
    considered = np.flatnonzero(reasons == 0)
    low = bound(evidence.success, evidence.weight)
    _not_good_enough(reasons, table, baseline, terms, evidence, low)
    outlook = _with_escalation(outlook, baseline, evidence)
    _does_not_pay(reasons, table, baseline, terms, outlook)
    fit = np.flatnonzero(reasons == 0)
    fit = fit[np.argsort(table.lane[fit], kind="stable")]
    stays = terms.server is not None and reasons[terms.server] == 0
    best = None
    if len(fit):
        best = int(fit[_best(fit, terms, outlook, stays=stays)])
        if stays:
            left = max(0, allowance_pusd(terms.switches, terms.max_switch_overhead))
            _refuse(reasons, outlook.switch_pusd > left, "switch_promise")
            fit = fit[reasons[fit] == 0]
    order = fit[np.lexsort((fit != best, outlook.total_pusd[fit]))]
    reasons[order[order != best]] = _CODE["not_cheapest"]
    return Choice(
        preferred=best,
        fit=tuple(order.tolist()),
        stays=stays,
        rejected=table.rejections(reasons, _words(ruling)),
        quotes=_quotes(table, considered, (baseline,) if best is None else (best, baseline), evidence, low, outlook),
    )


def _best(fit: npt.NDArray[np.intp], terms: Terms, outlook: Outlook, *, stays: bool) -> int:
    """Index in `fit` of the cheapest over the turns to come that the promise about switches allows."""
    pin = int(np.flatnonzero(fit == terms.server)[0]) if stays else None
    return stay_or_switch(
        outlook.total_pusd[fit],
        outlook.switch_pusd[fit],
        pin=pin,
        point="new_task",
        lock="",
        ledger=terms.switches,
        share=terms.max_switch_overhead,
    ).chosen


def unable(
    table: Table, position: int, baseline: int, ruling: LaneRuling, need: Need, terms: Terms, outlook: Outlook
) -> str:
    """Why the entry at `position` cannot go on serving a task that it serves; empty if it can.

    Capabilities, credentials, health, price and what caller or config say of its lane and tier: a queue or a rise in
    complexity does not interrupt a task.
    """
    words = {lane: why for lane, why in ruling.refused if why in STANDING}
    reasons = np.zeros(len(table), dtype=np.int16)
    kept = LaneRuling(
        allowed=tuple(lane for lane in LANES if lane not in words),
        refused=tuple(words.items()),
        tiers=ruling.tiers,
        flex=True,
    )
    _may_not(reasons, table, kept, need, terms)
    steady = outlook._replace(total_pusd=outlook.list_pusd)  # no belief that moves ends a task in the middle
    _does_not_pay(reasons, table, baseline, terms._replace(wait_counts=False), steady)
    code = int(reasons[position])
    return _words(kept)[code]


STANDING: Final = frozenset({"caller_lane", "skill_policy", "key_policy", "residency", "rule_policy", "budget_spent"})
"""Why a lane can be refused to a task under way: somebody's word, not the state of a queue."""


def _may_not(reasons: npt.NDArray[np.int16], table: Table, ruling: LaneRuling, need: Need, terms: Terms) -> None:
    _refuse(reasons, ~table.speaks[need.dialect], "dialect")
    _refuse(reasons, ~terms.resident, "residency")
    _refuse(reasons, ~terms.listed, "key_policy")
    for number, lane in enumerate(LANES):
        if lane not in ruling.allowed:
            reasons[(reasons == 0) & (table.lane == number)] = _LANE_CODE + number
    if not ruling.flex:
        _refuse(reasons, table.flex, "flex_refused")
    if len(ruling.tiers) == 1:
        _refuse(reasons, table.cheap == (ruling.tiers[0] != "cheap"), "tier")
    _refuse(reasons, table.context_tokens < need.input_tokens + (need.max_tokens or 0), "context_window")
    if need.has_images:
        _refuse(reasons, table.blind, "vision")
    if need.has_tools:
        _refuse(reasons, table.handless, "tools")
    _refuse(reasons, ~terms.readers, "sealed")
    _refuse(reasons, ~terms.authorised, "no_credential")
    _refuse(reasons, terms.unavailable, "breaker_open")


def _not_good_enough(
    reasons: npt.NDArray[np.int16], table: Table, baseline: int, terms: Terms, evidence: Evidence, low: Numbers
) -> None:
    """Not inferior by evidence of both, otherwise by judgement of the tier."""
    kept = reasons[baseline]
    known = evidence.weight >= MIN_EVIDENCE
    if known[baseline]:
        floor = evidence.success[baseline] - terms.max_loss
        with np.errstate(invalid="ignore"):
            short = low < floor
        _refuse(reasons, known & short, "not_proven")
    else:
        known = np.zeros(len(table), dtype=np.bool_)
    if not terms.cheap_judged:
        _refuse(reasons, table.cheap & ~known, "judgement")
    if terms.barred:
        _refuse(reasons, table.cheap, terms.barred)
    _refuse(reasons, evidence.failure_rate >= MAX_FAILURE_RATE, "unreliable")
    reasons[baseline] = kept


def _with_escalation(outlook: Outlook, baseline: int, evidence: Evidence) -> Outlook:
    """The totals with what is expected to be done over: tasks that a candidate fails and the baseline would not."""
    known = (evidence.weight >= MIN_EVIDENCE) & (evidence.weight[baseline] >= MIN_EVIDENCE)
    short = np.where(known, np.fmax(0.0, evidence.success[baseline] - evidence.success), 0.0)
    again_pusd = np.rint(short * outlook.total_pusd[baseline]).astype(np.int64)
    return outlook._replace(total_pusd=outlook.total_pusd + again_pusd)


def _does_not_pay(reasons: npt.NDArray[np.int16], table: Table, baseline: int, terms: Terms, outlook: Outlook) -> None:
    kept = reasons[baseline]
    _refuse(reasons, table.unpriced, "unknown_price")
    if table.entries[baseline].price is None:
        _refuse(reasons, ~table.free, "unknown_baseline_price")
    else:
        _refuse(reasons, outlook.total_pusd > outlook.total_pusd[baseline], "dearer_than_baseline")
    if terms.wait_counts:
        with np.errstate(invalid="ignore"):
            slow = outlook.completion_s > terms.max_slowdown * outlook.completion_s[baseline]
        _refuse(reasons, slow, "too_slow")
    reasons[baseline] = kept


def _refuse(reasons: npt.NDArray[np.int16], which: Flags, code: str) -> None:
    if np.count_nonzero(which):  # a quarter of the time of `any`
        reasons[(reasons == 0) & which] = _CODE[code]


def _words(ruling: LaneRuling) -> tuple[str, ...]:
    """Reason codes by number, those of the refused lanes at the end."""
    why = dict(ruling.refused)
    return (*FLAT_CODES, *(f"lane:{lane}:{why.get(lane, 'refused')}" for lane in LANES))


def _quotes(
    table: Table,
    considered: npt.NDArray[np.intp],
    wanted: tuple[int, ...],
    evidence: Evidence,
    low: Numbers,
    outlook: Outlook,
) -> tuple[Quote, ...]:
    cheapest = considered[np.argsort(outlook.total_pusd[considered], kind="stable")][:QUOTES].tolist()
    positions = dict.fromkeys([*cheapest, *wanted])
    return tuple([_quote(table, at, evidence, low, outlook) for at in positions])


def quoted(table: Table, position: int, evidence: Evidence, outlook: Outlook) -> Quote:
    """The numbers of the entry at `position`, for a decision in which nothing was compared."""
    return _quote(table, position, evidence, bound(evidence.success, evidence.weight), outlook)


def _quote(table: Table, at: int, evidence: Evidence, low: Numbers, outlook: Outlook) -> Quote:
    success = _known(evidence.success.item(at))
    return Quote(
        candidate=table.candidates[at],
        total_pusd=None if table.unpriced[at] else outlook.total_pusd.item(at),
        success=success,
        success_low=None if success is None else low.item(at),
        weight=evidence.weight.item(at),
        completion_s=_known(outlook.completion_s.item(at)),
    )


def _known(number: float) -> float | None:
    return None if number != number else number  # noqa: PLR0124 - NaN is unlike itself
