"""Sums over the calls of a period: what was spent, what the baseline would have cost, what went wrong.

How money is counted:
    A call whose cost is unknown is counted as unknown, never as zero; `cost_pusd` is the sum of the others.
    A saving needs both sides: `baseline_cost_pusd` and `saved_pusd` cover the `compared_calls`, whose own cost and
    whose cost at the baseline's price are known. Calls that failed are in the bill with what they cost.
    Where a provider says what a call cost, `cost_error` sets our sum beside its sum: the accuracy of all the rest.

Money is summed in two halves, millions and remainders: SQLite refuses a sum above 2^63 pico-dollars ($9.2 million).
Percentiles are exact: the values are read and sorted here, because neither engine computes them quickly (a window
function over 5 M rows took 77 s in SQLite). It reads the tables and changes nothing.
"""

from __future__ import annotations

import datetime as dt
from array import array
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any, Final, Literal, TypeAlias

import sqlalchemy as sa

from lanewise.journey import Value
from lanewise.ledger.rows import to_us
from lanewise.store import Database
from lanewise.store.schema import CALLS

By: TypeAlias = Literal["skill", "lane", "model", "session", "key", "client", "turn"]

GROUPS: Final[dict[By, sa.Column[Any]]] = {  # Any: every column here is text, some may be NULL
    "skill": CALLS.c.skill,
    "lane": CALLS.c.served_lane,
    "model": CALLS.c.served_model,
    "session": CALLS.c.session_id,
    "key": CALLS.c.key_id,
    "client": CALLS.c.client,
    "turn": CALLS.c.turn,
}
"""What a report can be grouped by, and the column that says it."""

_MILLION = 1_000_000


class CostError(Value, frozen=True):
    """Our costs beside those that the providers reported, over the calls that have both."""

    calls: int
    computed_pusd: int
    reported_pusd: int

    @property
    def relative(self) -> float | None:
        """(computed - reported) / reported; None where nothing was reported or it was zero."""
        return (self.computed_pusd - self.reported_pusd) / self.reported_pusd if self.reported_pusd else None


class Latency(Value, frozen=True):
    """Median and 95th percentile in microseconds by nearest rank; None without calls."""

    p50_us: int | None
    p95_us: int | None


class ReportRow(Value, frozen=True):
    """One group of calls, or all of them."""

    group: str
    """The skill, lane, model...; empty where the call has none (nobody served it, no key)."""
    calls: int
    failed_calls: int
    """The client was let down; calls that the client left first are not among them."""
    unknown_cost_calls: int
    """Something was or may have been billed and no price says how much."""
    input_tokens: int
    """At the full price: EXCLUDES the cache buckets."""
    cache_read_tokens: int
    cache_write_tokens: int
    output_tokens: int
    cost_pusd: int | None
    """Of the calls whose cost is known; None where some were billed and none is known."""
    compared_calls: int
    baseline_cost_pusd: int | None
    """What the compared calls would have cost at the baseline; None where none can be compared."""
    saved_pusd: int | None
    """`baseline_cost_pusd` less what the compared calls did cost; negative where routing cost more."""
    unrouted_calls: int
    """Calls the policy would have sent elsewhere (mode observe, or the other arm of a split), both costs known."""
    unrouted_cost_pusd: int | None
    """What these did cost; None without such calls."""
    preferred_cost_pusd: int | None
    """What the same tokens would have cost where the policy preferred to send them."""
    failovers: int
    """Calls that another candidate answered than the one first chosen."""
    escalations: int
    """Of these, calls that moved from the cheap tier to the frontier."""
    overhead: Latency
    duration: Latency
    cost_error: CostError

    @property
    def cache_hit_share(self) -> float | None:
        """Share of all prompt tokens that was read from a cache; None without prompt tokens."""
        prompt = self.input_tokens + self.cache_read_tokens + self.cache_write_tokens
        return self.cache_read_tokens / prompt if prompt else None

    @property
    def saved_share(self) -> float | None:
        """`saved_pusd` / `baseline_cost_pusd`; None where that is unknown or zero."""
        if self.saved_pusd is None or not self.baseline_cost_pusd:
            return None
        return self.saved_pusd / self.baseline_cost_pusd


class Report(Value, frozen=True):
    """The calls that started in [`since`, `until`)."""

    since: dt.datetime
    until: dt.datetime
    by: By
    baselines: tuple[tuple[str, int], ...]
    """(model, calls): what the savings are measured against, the most frequent first."""
    simulated_calls: int
    """Calls that `lanewise demo` made, known by their tag."""
    total: ReportRow
    rows: tuple[ReportRow, ...]
    """One per group, the most expensive first."""

    @classmethod
    def empty(cls, since: dt.datetime, until: dt.datetime, by: By) -> Report:
        """The report of a period without calls."""
        return cls(
            since=since, until=until, by=by, baselines=(), simulated_calls=0, total=_row("", (), (), ()), rows=()
        )


def report(database: Database, since: dt.datetime, until: dt.datetime, by: By) -> Report:
    """Sum up the calls that started at or after `since` and before `until`.

    Raises:
        StoreError: the database cannot be used.
    """
    period = sa.and_(CALLS.c.started_us >= to_us(since), CALLS.c.started_us < to_us(until))
    with database.read() as connection:
        sums = connection.execute(_sums_query(GROUPS[by], period)).mappings().all()
        overheads, durations = _latencies(connection, GROUPS[by], period)
        baselines = connection.execute(_baselines_query(period)).all()
        simulated = connection.execute(_simulated_query(period)).scalar_one()
    rows = [_row(row["group"], [row], [overheads[row["group"]]], [durations[row["group"]]]) for row in sums]
    return Report(
        since=since,
        until=until,
        by=by,
        baselines=tuple((model, calls) for model, calls in baselines),
        simulated_calls=simulated,
        total=_row("", sums, overheads.values(), durations.values()),
        rows=tuple(sorted(rows, key=lambda row: (-(row.cost_pusd or 0), -row.calls, row.group))),
    )


def _sums_query(column: sa.Column[Any], period: sa.ColumnElement[bool]) -> sa.Select[*tuple[Any, ...]]:
    """One row per group; the columns of a statement this wide have no useful static type."""
    c = CALLS.c
    compared = sa.and_(c.cost_total_pusd.is_not(None), c.baseline_cost_total_pusd.is_not(None))
    # Providers report their own share: not what was paid for the label or for answers that nobody got.
    beside_pusd = sa.func.coalesce(c.cost_classify_pusd, 0) + sa.func.coalesce(c.cost_discarded_pusd, 0)
    answered_pusd = c.cost_total_pusd - beside_pusd
    reported = sa.and_(c.cost_total_pusd.is_not(None), c.usage_reported_cost_pusd.is_not(None))
    unrouted = sa.and_(c.cost_total_pusd.is_not(None), c.preferred_cost_pusd.is_not(None))
    moved = sa.or_(c.served_model != c.chosen_model, c.served_provider != c.chosen_provider)
    raised = sa.and_(moved, c.chosen_tier == "cheap", c.served_tier == "frontier")
    return (
        sa.select(
            _group(column).label("group"),
            sa.func.count().label("calls"),
            _count("failed", c.failed),
            _count("known", c.cost_state == "known"),
            _count("unknown", c.cost_state == "unknown"),
            _count("compared", compared),
            _count("reported", reported),
            _count("unrouted", unrouted),
            _count("moved", moved),
            _count("raised", raised),
            _tokens("input", c.usage_input_tokens),
            _tokens("cache_read", c.usage_cache_read_tokens),
            _tokens("cache_write", c.usage_cache_write_5m_tokens + c.usage_cache_write_1h_tokens),
            _tokens("output", c.usage_output_tokens),
            *_money("cost", c.cost_total_pusd, sa.true()),
            *_money("compared_cost", c.cost_total_pusd, compared),
            *_money("baseline", c.baseline_cost_total_pusd, compared),
            *_money("unrouted", c.cost_total_pusd, unrouted),
            *_money("preferred", c.preferred_cost_pusd, unrouted),
            *_money("computed", answered_pusd, reported),
            *_money("claimed", c.usage_reported_cost_pusd, reported),
        )
        .where(period)
        .group_by(_group(column))
    )


def _baselines_query(period: sa.ColumnElement[bool]) -> sa.Select[str, int]:
    calls = sa.func.count()
    return (
        sa.select(CALLS.c.baseline_model, calls)
        .where(period)
        .group_by(CALLS.c.baseline_model)
        .order_by(calls.desc(), CALLS.c.baseline_model)
    )


def _simulated_query(period: sa.ColumnElement[bool]) -> sa.Select[int]:
    """The tag as it stands in the caller's document; the demo sets it on every call."""
    return sa.select(sa.func.count()).where(period, CALLS.c.caller.like('%"simulated"%'))


def _group(column: sa.Column[Any]) -> sa.ColumnElement[str]:
    """The group's name, empty for NULL. Spelled in the statement: Postgres takes two parameters for two groupings."""
    return sa.func.coalesce(column, sa.literal_column("''"))


def _count(name: str, condition: sa.ColumnElement[bool]) -> sa.Label[int]:
    return sa.func.sum(sa.case((condition, 1), else_=0)).label(name)


def _tokens(name: str, column: sa.ColumnElement[int]) -> sa.Label[int]:
    return sa.func.sum(sa.func.coalesce(column, 0)).label(name)


def _money(name: str, column: sa.ColumnElement[int], condition: sa.ColumnElement[bool]) -> list[sa.Label[int]]:
    """The sum of `column` where `condition` holds, in whole millions and the remainder: see the module."""
    counted = sa.case((condition, sa.func.coalesce(column, 0)), else_=0)
    return [
        sa.func.sum(counted // _MILLION).label(f"{name}_millions"),
        sa.func.sum(counted % _MILLION).label(f"{name}_rest"),
    ]


def _latencies(
    connection: sa.Connection, column: sa.Column[Any], period: sa.ColumnElement[bool]
) -> tuple[dict[str, array[int]], dict[str, array[int]]]:
    """Own overhead and whole duration of each call by group: 16 bytes a call."""
    overheads: dict[str, array[int]] = defaultdict(lambda: array("q"))
    durations: dict[str, array[int]] = defaultdict(lambda: array("q"))
    query = sa.select(_group(column), CALLS.c.overhead_us, CALLS.c.duration_us).where(period)
    for group, overhead_us, duration_us in connection.execution_options(yield_per=10_000).execute(query):
        overheads[group].append(overhead_us)
        durations[group].append(duration_us)
    return overheads, durations


def _row(
    group: str,
    sums: Sequence[sa.RowMapping],
    overheads: Iterable[Sequence[int]],
    durations: Iterable[Sequence[int]],
) -> ReportRow:
    def added(name: str) -> int:
        return sum(int(row[name]) for row in sums)  # Postgres sums into its decimal type

    def money(name: str) -> int:
        return added(f"{name}_millions") * _MILLION + added(f"{name}_rest")

    compared = added("compared")
    return ReportRow(
        group=group,
        calls=added("calls"),
        failed_calls=added("failed"),
        unknown_cost_calls=added("unknown"),
        input_tokens=added("input"),
        cache_read_tokens=added("cache_read"),
        cache_write_tokens=added("cache_write"),
        output_tokens=added("output"),
        cost_pusd=None if added("unknown") and not added("known") else money("cost"),
        compared_calls=compared,
        baseline_cost_pusd=money("baseline") if compared else None,
        saved_pusd=money("baseline") - money("compared_cost") if compared else None,
        unrouted_calls=added("unrouted"),
        unrouted_cost_pusd=money("unrouted") if added("unrouted") else None,
        preferred_cost_pusd=money("preferred") if added("unrouted") else None,
        failovers=added("moved"),
        escalations=added("raised"),
        overhead=_latency(overheads),
        duration=_latency(durations),
        cost_error=CostError(calls=added("reported"), computed_pusd=money("computed"), reported_pusd=money("claimed")),
    )


def _latency(groups: Iterable[Sequence[int]]) -> Latency:
    values = sorted(value for group in groups for value in group)
    if not values:
        return Latency(p50_us=None, p95_us=None)
    # Nearest rank: the smallest value that at least this share of the calls does not exceed.
    return Latency(p50_us=values[-(-50 * len(values) // 100) - 1], p95_us=values[-(-95 * len(values) // 100) - 1])
