"""Stay or switch: what a change of model costs, whether it pays over the turns to come, and the promise that caps it.

``stay = N x warm(pin)`` against ``switch = cold(new) + (N - 1) x warm(new)``, for all candidates at once. Money in
pico-dollars, prompts in tokens. Pure; knows nothing of quality: who may serve at all is decided before.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from lanewise.journey import Value
from lanewise.money import Rates
from lanewise.select.warmth import CacheRules

Pusd: TypeAlias = npt.NDArray[np.int64]
Tokens: TypeAlias = npt.NDArray[np.int64]
Floats: TypeAlias = npt.NDArray[np.float64]

SwitchPoint: TypeAlias = Literal[
    "", "new_session", "new_task", "subagent_start", "compacted", "cache_cold", "escalation"
]
"""Why the model may change; empty where it may not."""

_PPM = 1_000_000


# -- what it costs ----------------------------------------------------------------------------------------


class RateTable(NamedTuple):
    """Pico-dollars per token of all candidates, arrays of shape [candidates]."""

    read: Floats
    """A token that is in the cache."""
    fresh: Floats
    """A token that is not: the write price where the prompt is cached, else the input price."""
    output: Floats
    again: Floats
    """A token of an earlier turn on the turns to come: `read` where the prompt is cached, else the input price."""


def rate_table(
    rates: Sequence[Rates], rules: Sequence[CacheRules], *, prompt_tokens: int, marked: bool, hour: bool = False
) -> RateTable:
    """Arrange prices for a prompt of a size.

    Args:
        rates: One per candidate, for this prompt size and hour (`ModelPrice.rates`).
        rules: One per candidate.
        prompt_tokens: Of the present prompt.
        marked: The client marks its prompt for caching.
        hour: It asks for the long time to live.
    """
    rows = []
    for rate, rule in zip(rates, rules, strict=True):
        long = hour and rule.marked_ttl_s is not None
        if rule.caches(prompt_tokens=prompt_tokens, marked=marked):
            write = rate.cache_write_1h_pusd if long else rate.cache_write_5m_pusd
            rows.append((rate.cache_read_pusd, write, rate.output_pusd, rate.cache_read_pusd))
        else:
            rows.append((rate.input_pusd, rate.input_pusd, rate.output_pusd, rate.input_pusd))
    return RateTable(*np.array(rows, np.float64).reshape(-1, 4).T)


def expected_totals(
    table: RateTable,
    warm_tokens: Tokens,
    *,
    prompt_tokens: int,
    growth_tokens: float,
    output_tokens: Floats,
    turns: float,
) -> Pusd:
    """Pico-dollars of this turn and the ones to come at each candidate, the model kept from here on.

    The first turn reads what is warm and pays the rest fresh. Turn k after it reads the prompt of the turn before,
    ``prompt + (k - 1) x growth`` tokens, and pays `growth` fresh; summed in closed form.

    Args:
        table: See `rate_table`.
        warm_tokens: Of the prompt, in each candidate's cache; shape [candidates].
        prompt_tokens: Of this turn.
        growth_tokens: By which a prompt is longer than the one before.
        output_tokens: Of one turn; shape [candidates].
        turns: Expected, this one included; at least 1.
    """
    later = max(0.0, turns - 1)
    first = warm_tokens * table.read + (prompt_tokens - warm_tokens) * table.fresh
    reread = later * prompt_tokens + growth_tokens * max(0.0, later * (later - 1) / 2)
    rest = reread * table.again + later * growth_tokens * table.fresh
    totals: Pusd = np.rint(first + rest + (later + 1) * output_tokens * table.output).astype(np.int64)
    return totals


def overheads(table: RateTable, warm_tokens: Tokens, *, abandoned_tokens: int) -> Pusd:
    """Pico-dollars that moving to each candidate costs only because a warm cache is left behind.

    ``max(0, abandoned - warm) x max(0, fresh - read)`` at the new model: the present call there, less the same call
    with a cache as warm as the one abandoned. Zero where the old cache is cold; for the model that serves already;
    and, but for the part that is missing, for a return to a model that is still warm.

    Args:
        table: See `rate_table`.
        warm_tokens: Of the prompt, in each candidate's cache; shape [candidates].
        abandoned_tokens: Of the prompt, in the cache of the model that served until now.
    """
    missing = np.maximum(0, abandoned_tokens - warm_tokens)
    lost: Pusd = np.rint(missing * np.maximum(0.0, table.fresh - table.read)).astype(np.int64)
    return lost


# -- the promise ------------------------------------------------------------------------------------------


class SwitchLedger(Value, frozen=True, kw_only=True):
    """What one session's switches cost so far, beside its never-switch bill. All three only rise."""

    never_switch_pusd: int = 0
    """The session's calls at its baseline, that is the model the client named, had every call gone there with its
    cache as warm as it would have been: the bill without us, known call by call."""
    overhead_pusd: int = 0
    """Of switches that we chose for cost: what the promise caps."""
    forced_pusd: int = 0
    """Of switches that quality forced: after a failure, or because who served cannot be trusted with the task. They are
    in the bill and kept apart; the promise does not cap them."""

    def called(self, baseline_pusd: int) -> SwitchLedger:
        """After a call that would have cost this much at the baseline."""
        return SwitchLedger(
            never_switch_pusd=self.never_switch_pusd + max(0, baseline_pusd),
            overhead_pusd=self.overhead_pusd,
            forced_pusd=self.forced_pusd,
        )

    def switched(self, overhead_pusd: int, *, forced: bool) -> SwitchLedger:
        """After a switch that cost this much."""
        return SwitchLedger(
            never_switch_pusd=self.never_switch_pusd,
            overhead_pusd=self.overhead_pusd + (0 if forced else overhead_pusd),
            forced_pusd=self.forced_pusd + (overhead_pusd if forced else 0),
        )


def allowance_pusd(ledger: SwitchLedger, share: float) -> int:
    """What the promise leaves for the next switch; negative where a smaller share was set in the middle of a session.

    A switch keeps the promise if its overhead is no more than this, or nothing. The bill only rises, so what holds when
    a switch is made holds for ever after. Integers, the share in millionths and rounded down, so that no rounding
    breaks it.
    """
    return int(share * _PPM) * ledger.never_switch_pusd // _PPM - ledger.overhead_pusd


# -- where, and whether -----------------------------------------------------------------------------------


def locked(*, open_tool_loop: bool, previous_response: bool) -> str:
    """Why the model must not change whatever it costs; empty where it may.

    An open tool loop: the answer to a tool's result belongs to whoever called the tool, and its thinking has to come
    back unchanged. `previous_response`: the conversation lies at the provider, under an id of that model's answer.
    """
    if open_tool_loop:
        return "open_tool_loop"
    return "provider_state" if previous_response else ""


class Verdict(NamedTuple):
    """Which candidate, and why."""

    chosen: int
    """Index of the candidate."""
    reason: Literal["locked", "no_switch_point", "stays_cheapest", "promise", "first_choice", "switch_pays", "forced"]
    overhead_pusd: int
    forced: bool
    """Book it as forced, see `SwitchLedger`."""


def stay_or_switch(
    totals: Pusd,
    overhead: Pusd,
    *,
    pin: int | None,
    point: SwitchPoint,
    lock: str,
    ledger: SwitchLedger,
    share: float,
) -> Verdict:
    """The candidate with the lowest expected total that the locks and the promise allow; between equals, the pin.

    Args:
        totals: See `expected_totals`; of candidates that hold the quality asked for. Not empty.
        overhead: See `overheads`.
        pin: Index of who served until now; None where nobody did or who did may not serve any more.
        point: Why the model may change here.
        lock: See `locked`.
        ledger: Of the session; with the present call's baseline cost as far as it is known.
        share: `routing.max_switch_overhead`.
    """
    best = int(totals.argmin())
    if pin is None:
        lost = int(overhead[best])
        return Verdict(best, "forced" if lost else "first_choice", lost, forced=lost > 0)
    if lock:
        return Verdict(pin, "locked", 0, forced=False)
    if not point:
        return Verdict(pin, "no_switch_point", 0, forced=False)
    if totals[best] >= totals[pin]:
        return Verdict(pin, "stays_cheapest", 0, forced=False)
    if point == "escalation":
        return Verdict(best, "forced", int(overhead[best]), forced=True)
    kept = (totals < totals[pin]) & (overhead <= max(0, allowance_pusd(ledger, share)))
    if not kept.any():
        return Verdict(pin, "promise", 0, forced=False)
    best = int(np.where(kept, totals, totals[pin]).argmin())
    return Verdict(best, "switch_pays", int(overhead[best]), forced=False)
