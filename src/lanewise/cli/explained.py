"""A decision as lines for a person: what the call was, which lanes, who answers, why not the others, what it cost."""

from __future__ import annotations

from collections.abc import Iterator

from lanewise.cli.reasons import LANE, words
from lanewise.journey import Attempt, Candidate, Decision, Outcome, Reading
from lanewise.money import format_usd
from lanewise.router import Situation

_MANY_REJECTED = 30
"""Lines of rejected candidates before the rest is only counted; `--json` has them all."""


def lines(
    call_id: str | None,
    reading: Reading,
    decision: Decision,
    *,
    attempts: tuple[Attempt, ...] = (),
    outcome: Outcome | None = None,
    situation: Situation | None = None,
) -> Iterator[str]:
    """The explanation, line by line."""
    yield f"call        {call_id}" if call_id else "call        not sent: decided under the current configuration"
    yield from _reading(reading)
    if situation is not None:
        yield from _course(reading, situation)
    yield from _lanes(decision)
    yield from _decision(decision)
    yield from _quotes(decision)
    yield from _rejected(decision)
    if outcome is not None:
        yield from _attempts(attempts)
        yield from _outcome(outcome)


def _course(reading: Reading, situation: Situation) -> Iterator[str]:
    """What the caller's and the task's past say."""
    if situation.failing:
        newly = f"; newly: {', '.join(reading.signals)}" if reading.signals else ""
        yield f"failing     {situation.failing:.0%} likely by the signals of the task{newly}"
    if situation.caller_need:
        yield f"caller      {situation.caller_need:.0%} of such cheap tasks needed the frontier of late"
    if situation.turns > 1:
        yield f"turns       about {situation.turns:.0f} more calls expected"
    ledger = situation.conversation.ledger if situation.conversation else None
    if ledger is not None and (ledger.overhead_pusd or ledger.forced_pusd):
        yield (
            f"switches    {format_usd(ledger.overhead_pusd)} chosen, {format_usd(ledger.forced_pusd)} forced,"
            f" of {format_usd(ledger.never_switch_pusd)} without any"
        )


def _reading(reading: Reading) -> Iterator[str]:
    turn, label, features = reading.turn, reading.label, reading.features
    kind = f"{turn.kind}: {turn.housekeeping}" if turn.housekeeping else turn.kind
    yield f"turn        {kind} ({turn.reason}), client {turn.client}"
    doubt = ", too low to act on" if label.abstained else ""
    yield f"skill       {label.skill} (confidence {label.confidence:.2f}{doubt}; by {label.source})"
    yield f"complexity  {features.complexity:.2f}, about {features.input_tokens:,} prompt tokens"
    for name, share in sorted(features.complexity_parts.items(), key=lambda part: -part[1]):
        if share:
            yield f"            {share:.2f} {name}"
    yield f"waiting     {'yes' if features.waiting else 'no'} ({features.waiting_reason})"


def _lanes(decision: Decision) -> Iterator[str]:
    ruling = decision.ruling
    yield f"lanes       allowed: {', '.join(ruling.allowed) or 'none'}; tiers: {', '.join(ruling.tiers)}"
    for lane, why in ruling.refused:
        yield f"            not {lane}: {LANE.get(why, why)}"


def _decision(decision: Decision) -> Iterator[str]:
    yield f"mode        {decision.mode}" + (
        f", chosen with probability {decision.propensity:g}" if decision.propensity < 1 else ""
    )
    yield f"baseline    {_named(decision.baseline)}"
    yield f"preferred   {_named(decision.preferred)}: {words(decision.reason)}"
    yield f"chosen      {_named(decision.chosen)}" + _unlike(decision)
    if decision.switch_point:
        yield f"switch      allowed here: {words(decision.switch_point)}"
    if len(decision.plan) > 1:
        yield f"then        {', '.join(_named(candidate) for candidate in decision.plan[1:])}"


def _quotes(decision: Decision) -> Iterator[str]:
    """The numbers that were compared."""
    if decision.quotes:
        yield "compared    cost of the turns to come, believed success (at least; tasks behind it), time to answer"
    for quote in decision.quotes:
        cost = format_usd(quote.total_pusd)
        if quote.success is None or quote.success_low is None:
            success = "nothing known"
        else:
            success = f"{quote.success:.0%} ({quote.success_low:.0%}; {quote.weight:,.0f})"
        takes = "" if quote.completion_s is None else f", {quote.completion_s:.1f} s"
        yield f"            {_named(quote.candidate)}: {cost}, {success}{takes}"


def _unlike(decision: Decision) -> str:
    """Why the chosen candidate is not the preferred one."""
    if decision.chosen == decision.preferred:
        return ""
    if decision.mode == "observe":
        return ": mode observe changes no answer"
    return ": this session is in the share that is not routed"


def _rejected(decision: Decision) -> Iterator[str]:
    if decision.rejected:
        yield "rejected"
    for rejection in decision.rejected[:_MANY_REJECTED]:
        detail = f" ({rejection.detail})" if rejection.detail else ""
        yield f"            {_named(rejection.candidate)}: {words(rejection.reason)}{detail}"
    if len(decision.rejected) > _MANY_REJECTED:
        yield f"            and {len(decision.rejected) - _MANY_REJECTED} more: `--json` prints all"


def _attempts(attempts: tuple[Attempt, ...]) -> Iterator[str]:
    for attempt in attempts:
        came = "no answer" if attempt.status is None else f"status {attempt.status}"
        error = f", {attempt.error}" if attempt.error else ""
        error += ", as a hedge" if attempt.hedge else ""
        error += f", refused by the check {attempt.refused_by}" if attempt.refused_by else ""
        took = f"{attempt.duration_us / 1e6:.2f} s"
        yield f"attempt {attempt.number:<3} {_named(attempt.candidate)}: {came}{error}, {took}"


def _outcome(outcome: Outcome) -> Iterator[str]:
    error = f", {outcome.error}" if outcome.error else ""
    served = _named(outcome.served) if outcome.served else "nobody"
    yield f"answered    by {served}: status {outcome.status}{error}, our share {outcome.overhead_us} us"
    if usage := outcome.usage:
        written = usage.cache_write_5m_tokens + usage.cache_write_1h_tokens
        estimated = ", estimated from bytes" if usage.estimated else ""
        yield (
            f"tokens      in {usage.input_tokens:,}, cache read {usage.cache_read_tokens:,}, cache written {written:,},"
            f" out {usage.output_tokens:,}{estimated}"
        )
    paid, baseline = outcome.cost, outcome.baseline_cost
    if outcome.usage is None and outcome.served is None and paid is None:
        yield "cost        none: nobody answered, nothing was billed"
        return
    snapshot = f" (prices {paid.snapshot})" if paid else ""
    yield f"cost        {format_usd(paid.total_pusd if paid else None)}{snapshot}"
    if paid and paid.classify_pusd:
        yield f"            of it for the skill {format_usd(paid.classify_pusd)}"
    if paid and paid.discarded_pusd:
        yield f"            of it for answers that were not used {format_usd(paid.discarded_pusd)}"
    yield f"at baseline {format_usd(baseline.total_pusd if baseline else None)}"
    if paid and baseline:
        yield f"saved       {format_usd(baseline.total_pusd - paid.total_pusd)}"


def _named(candidate: Candidate) -> str:
    return f"{candidate.model} at {candidate.provider} ({candidate.lane}, {candidate.tier})"
