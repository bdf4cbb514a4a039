"""What the demo's day came to, as one value: its JSON is the contract of `lanewise demo --json`.

Counts and costs of the routed day come from the ledger, as `lanewise report` reads them. The baseline is not the
ledger's estimate: the same day is played a second time against the cloud with the baseline alone, so that its warm
prompt caches are in its bill too. Knows no rendering.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from lanewise.demo.minds import Verdict
from lanewise.demo.truth import Task
from lanewise.journey import Usage, Value
from lanewise.ledger.reports import ReportRow, report
from lanewise.money import PriceBook, cost, to_usd
from lanewise.store import Database

LANES = ("local", "batch", "realtime")


class Share(Value, frozen=True, kw_only=True):
    """One lane's, skill's or model's part of the day."""

    calls: int
    share: float
    """Of all calls."""
    cost_usd: float
    unknown_cost_calls: int
    """Calls without a price; they are not in `cost_usd`."""


class Quality(Value, frozen=True, kw_only=True):
    """Tasks solved, as the simulation knows it; see `truth`."""

    simulated: bool = True
    tasks: int
    solved: int
    """With routing."""
    baseline_solved: int
    """Had the baseline done them all."""


class Summary(Value, frozen=True, kw_only=True):
    """The day's result. Dollars are floats here and only here: the ledger counts in integers."""

    simulated: bool = True
    seed: int
    calls: int
    failed_calls: int
    sessions: int
    baseline: str
    baseline_cost_usd: float
    """The same day, every call by the baseline, with its prompt cache."""
    cost_usd: float
    """The routed day."""
    saved_share: float
    """1 - `cost_usd` / `baseline_cost_usd`."""
    baseline_same_tokens_usd: float | None
    """The ledger's comparison: the routed calls' own tokens and cache state at the baseline's price."""
    unknown_cost_calls: int
    lanes: dict[str, Share]
    skills: dict[str, Share]
    models: dict[str, Share]
    quality: Quality
    latency_scale: int
    """The simulated providers run this many times faster than the latencies they stand for."""
    overhead_p50_us: int | None
    """Lanewise's own part of a call; measured, on a machine that runs all three providers too."""
    elapsed_s: float
    url: str
    """Where the gateway listened."""


class Played(Value, frozen=True, kw_only=True):
    """What the run knows beside the ledger."""

    seed: int
    sessions: int
    failures: int
    tasks: tuple[Task, ...]
    verdicts: dict[str, Verdict]
    baseline: str
    baseline_verdicts: dict[str, Verdict]
    baseline_usages: tuple[Usage, ...]
    began: dt.datetime
    ended: dt.datetime
    latency_scale: int
    url: str


def summarise(played: Played, database: Database, prices: PriceBook) -> Summary:
    """The summary of a day that was played between `began` and `ended`.

    Raises:
        StoreError: The ledger cannot be read.
    """
    period = (played.began, played.ended + dt.timedelta(microseconds=1))
    lanes, skills, models = (report(database, *period, by) for by in ("lane", "skill", "model"))
    total = lanes.total
    spent_pusd = total.cost_pusd or 0
    baseline_pusd = _baseline_pusd(played, prices)
    return Summary(
        seed=played.seed,
        calls=total.calls,
        failed_calls=max(total.failed_calls, played.failures),
        sessions=played.sessions,
        baseline=played.baseline,
        baseline_cost_usd=to_usd(baseline_pusd),
        cost_usd=to_usd(spent_pusd),
        saved_share=1 - spent_pusd / baseline_pusd,
        baseline_same_tokens_usd=None if total.baseline_cost_pusd is None else to_usd(total.baseline_cost_pusd),
        unknown_cost_calls=total.unknown_cost_calls,
        lanes=dict.fromkeys(LANES, _NOTHING) | _shares(lanes.rows, total.calls),
        skills=_shares(skills.rows, total.calls),
        models=_shares(models.rows, total.calls),
        quality=Quality(
            tasks=len(played.tasks),
            solved=_solved(played.verdicts),
            baseline_solved=_solved(played.baseline_verdicts),
        ),
        latency_scale=played.latency_scale,
        overhead_p50_us=total.overhead.p50_us,
        elapsed_s=(played.ended - played.began).total_seconds(),
        url=played.url,
    )


_NOTHING = Share(calls=0, share=0.0, cost_usd=0.0, unknown_cost_calls=0)


def _shares(rows: Sequence[ReportRow], calls: int) -> dict[str, Share]:
    """Groups by calls, the busiest first; calls that nobody served stand under `none`."""
    return {
        row.group or "none": Share(
            calls=row.calls,
            share=row.calls / calls,
            cost_usd=to_usd(row.cost_pusd or 0),
            unknown_cost_calls=row.unknown_cost_calls,
        )
        for row in sorted(rows, key=lambda row: (-row.calls, row.group))
    }


def _solved(verdicts: dict[str, Verdict]) -> int:
    return sum(verdict.solved for verdict in verdicts.values())


def _baseline_pusd(played: Played, prices: PriceBook) -> int:
    price = prices.find(played.baseline)
    assert price is not None, "the demo's baseline is in the shipped price list"
    return sum(cost(usage, price, at=played.began).total_pusd for usage in played.baseline_usages)
