"""The cheapest candidate that may serve, and why each other one may not. A price question.

First plain policy: hard filters, then expected cost, never above the baseline's. Beliefs about success, cache
state and escalation come behind the same function. Sees numbers and names, never text; pure.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from lanewise.journey import Candidate, Dialect, LaneRuling, Rejection, Usage, Value
from lanewise.money import cost
from lanewise.select.catalog import Entry

EXPECTED_OUTPUT_TOKENS = 700
"""Output of a typical agent step; figure of the worked example in BATCH.md section 2. Beliefs replace it."""

LANE_ORDER = {"local": 0, "batch": 1, "realtime": 2}
"""Between equal prices: the queue of one's own first, then the one nobody waits for."""


class Need(Value, frozen=True, kw_only=True):
    """What a request asks of whoever answers it."""

    dialect: Dialect
    input_tokens: int
    max_tokens: int | None
    has_images: bool
    has_tools: bool
    at: dt.datetime


class Choice(Value, frozen=True, kw_only=True):
    """The candidate with the lowest expected cost, or none that beats the baseline."""

    preferred: Candidate | None
    rejected: tuple[Rejection, ...]
    expected_cost_pusd: int | None = None
    """Of `preferred`; None where nothing is preferred or its price is unknown."""


def choose(
    entries: Sequence[Entry],
    baseline: Entry,
    ruling: LaneRuling,
    need: Need,
    *,
    authorised: frozenset[str],
    unhealthy: frozenset[str],
) -> Choice:
    """Pick among `entries`.

    Args:
        entries: The catalog.
        baseline: What the caller named: the price not to exceed.
        ruling: Lanes and tiers allowed.
        need: Capabilities asked for.
        authorised: Providers we hold a credential for, or that need none.
        unhealthy: Providers whose breaker is open.
    """
    ceiling = expected_cost_pusd(baseline, need)
    rejected: list[Rejection] = []
    fit: list[tuple[int, int, Entry]] = []
    for entry in entries:
        reason = _unfit(entry, ruling, need, authorised, unhealthy)
        price = expected_cost_pusd(entry, need)
        if not reason:
            reason = _too_dear(entry, price, ceiling, baseline)
        if reason:
            rejected.append(Rejection(candidate=entry.candidate, reason=reason))
        else:
            fit.append((price or 0, LANE_ORDER[entry.candidate.lane], entry))
    if not fit:
        return Choice(preferred=None, rejected=tuple(rejected))
    fit.sort(key=lambda row: row[:2])
    rejected.extend(Rejection(candidate=entry.candidate, reason="not_cheapest") for *_, entry in fit[1:])
    best = fit[0][2]
    return Choice(preferred=best.candidate, rejected=tuple(rejected), expected_cost_pusd=expected_cost_pusd(best, need))


def refusal(entry: Entry, baseline: Entry, need: Need, *, authorised: frozenset[str], unhealthy: frozenset[str]) -> str:
    """Why `entry` cannot go on serving a task it is pinned to; empty if it can.

    Capabilities, credentials, health and price only: a queue or a rise in complexity does not interrupt a task.
    """
    reason = _unable(entry, need, authorised, unhealthy)
    return reason or _too_dear(entry, expected_cost_pusd(entry, need), expected_cost_pusd(baseline, need), baseline)


def expected_cost_pusd(entry: Entry, need: Need) -> int | None:
    """Price of one typical step at this entry without any cache; None where the price is unknown."""
    if entry.price is None:
        return None
    output = min(EXPECTED_OUTPUT_TOKENS, need.max_tokens or EXPECTED_OUTPUT_TOKENS)
    usage = Usage(input_tokens=need.input_tokens, output_tokens=output)
    return cost(usage, entry.price, at=need.at, lane_batch=entry.candidate.lane == "batch").total_pusd


def _unfit(entry: Entry, ruling: LaneRuling, need: Need, authorised: frozenset[str], unhealthy: frozenset[str]) -> str:
    """The first hard filter that refuses `entry`, empty if none does."""
    candidate = entry.candidate
    if need.dialect not in entry.dialects:
        return "dialect"  # first: of an entry that cannot even be asked nothing else is of interest
    if candidate.lane not in ruling.allowed:
        why = dict(ruling.refused).get(candidate.lane, "refused")
        return f"lane:{candidate.lane}:{why}"
    if candidate.tier not in ruling.tiers:
        return "tier"
    return _unable(entry, need, authorised, unhealthy)


def _unable(entry: Entry, need: Need, authorised: frozenset[str], unhealthy: frozenset[str]) -> str:
    """Whether `entry` cannot answer such a request, whatever its lane and tier."""
    candidate = entry.candidate
    if need.dialect not in entry.dialects:
        return "dialect"
    if entry.context_tokens is not None and need.input_tokens + (need.max_tokens or 0) > entry.context_tokens:
        return "context_window"
    if need.has_images and entry.vision is False:
        return "vision"
    if need.has_tools and not entry.tools:
        return "tools"
    if candidate.provider not in authorised:
        return "no_credential"
    return "breaker_open" if candidate.provider in unhealthy else ""


def _too_dear(entry: Entry, price: int | None, ceiling: int | None, baseline: Entry) -> str:
    """Whether the price forbids `entry`.

    A self-hosted engine bills no tokens: without a price its cost stays unknown in the ledger, but it may serve.
    """
    if entry.candidate == baseline.candidate:
        return ""
    if price is None:
        return "" if entry.candidate.lane == "local" else "unknown_price"
    if ceiling is None:
        return "unknown_baseline_price"
    return "dearer_than_baseline" if price > ceiling else ""
