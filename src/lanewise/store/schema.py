"""The tables of the ledger, one definition for SQLite and Postgres.

`calls` has three kinds of columns:
    What came of the call (status, usage, cost, latency): plain numbers and the only place where they stand. A
    struct that is absent is NULL in all of its columns.
    `caller`, `reading` and `decision`: those values whole, as JSON. They are read back one call at a time, by
    `explain`; rejected candidates and the plan are in `decision` because nobody asks for them by themselves.
    Labels copied out of these documents (`skill`, `key_id`, `chosen_model`...): what reports group and filter by.
    Writing every field as a column of its own took 60 % longer, on the core that serves the requests.
`failed` and `cost_state` are derived once, at the write, so that every reader counts alike.

Money is an integer of pico-dollars in 64 bits: one value holds up to $9,223,372, which is 4,600 days of the
published all-frontier scenario ($2,000 a day); sums over longer windows are split so that they cannot overflow
(see `ledger.reports`). Unit rates follow exactly from a row: a part of the cost divided by its tokens;
`cost_snapshot` names the price list they came from.

Times are integer microseconds since 1970-01-01 UTC (`started_us`, `first_seen_us`, `last_seen_us`): both engines
order and index them alike and no time zone can creep in. They become aware UTC again in `ledger.rows`.
There is no column for a user's text.

It does not know journey values, and nothing here runs a statement.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

METADATA = sa.MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)

# Postgres compares text by the database's locale unless told otherwise; an id is looked up by its first
# characters with a range over the index, which needs the order of bytes that SQLite always uses.
_ID = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")

# A column's value type depends on its SQL type, which mypy cannot follow through these helpers.
_Column = sa.Column[Any]


def _text(*names: str) -> list[_Column]:
    return [sa.Column(name, sa.Text, nullable=False) for name in names]


def _whole(*names: str) -> list[_Column]:
    return [sa.Column(name, sa.BigInteger, nullable=False) for name in names]


def _real(*names: str) -> list[_Column]:
    return [sa.Column(name, sa.Double, nullable=False) for name in names]


def _flag(*names: str) -> list[_Column]:
    return [sa.Column(name, sa.Boolean, nullable=False) for name in names]


def _optional(kind: sa.types.TypeEngine[Any], *names: str) -> list[_Column]:
    return [sa.Column(name, kind, nullable=True) for name in names]


def _candidate(prefix: str, *, nullable: bool = False) -> list[_Column]:
    names = ("lane", "tier", "model", "upstream_model", "provider")
    return [sa.Column(prefix + name, sa.Text, nullable=nullable) for name in names]


def _cost(prefix: str) -> list[_Column]:
    parts = ("total_pusd", "input_pusd", "cache_read_pusd", "cache_write_pusd", "output_pusd")
    return [
        *_optional(sa.BigInteger(), *(prefix + part for part in parts)),
        *_optional(sa.Text(), prefix + "snapshot"),
    ]


def _sums() -> list[_Column]:
    """What sessions and tasks add up as calls arrive.

    Costs are sums over the calls whose cost is known, and stay below $9.2 million a session.
    """
    return _whole(
        "first_seen_us",
        "last_seen_us",
        "calls",
        "failed_calls",
        "unknown_cost_calls",
        "cost_pusd",
        "baseline_cost_pusd",
    )


CALLS = sa.Table(
    "calls",
    METADATA,
    sa.Column("call_id", _ID, primary_key=True),
    *_whole("started_us"),
    *_text("dialect", "operation"),
    *_flag("stream"),
    *_text("requested_model", "key_id", "client", "turn", "skill"),
    *_real("skill_confidence", "complexity"),
    sa.Column("session_id", _ID, nullable=False),
    sa.Column("task_id", _ID, nullable=False),
    *_text("mode", "reason", "switch_point"),
    *_real("propensity"),
    *_text("baseline_model", "preferred_model", "chosen_tier", "chosen_model", "chosen_provider"),
    *_whole("status"),
    *_text("error", "stop_reason"),
    *_whole("response_bytes"),
    *_optional(sa.BigInteger(), "first_byte_us"),
    *_whole("duration_us", "overhead_us"),
    *_optional(sa.BigInteger(), "preferred_cost_pusd"),
    *_candidate("served_", nullable=True),
    *_optional(
        sa.BigInteger(),
        "usage_input_tokens",
        "usage_cache_read_tokens",
        "usage_cache_write_5m_tokens",
        "usage_cache_write_1h_tokens",
        "usage_output_tokens",
        "usage_reasoning_tokens",
    ),
    *_optional(sa.Text(), "usage_service_tier"),
    *_optional(sa.Boolean(), "usage_estimated"),
    *_optional(sa.BigInteger(), "usage_reported_cost_pusd"),
    *_cost("cost_"),
    *_cost("baseline_cost_"),
    *_flag("failed"),
    *_text("cost_state"),
    # Last, so that SQLite can sum the columns above without reading the pages that long documents spill into.
    *_text("caller", "reading", "decision"),
    # Since 0002: at the end, where the migration adds them. Reports read them only beside a reported cost.
    *_optional(sa.BigInteger(), "cost_classify_pusd", "baseline_cost_classify_pusd"),
    # Since 0003.
    *_optional(sa.BigInteger(), "cost_discarded_pusd", "baseline_cost_discarded_pusd"),
    *_optional(sa.Text(), "served_service", "policy_id", "situation"),
)
sa.Index(None, CALLS.c.started_us)
sa.Index(None, CALLS.c.session_id, CALLS.c.started_us)

ATTEMPTS = sa.Table(
    "attempts",
    METADATA,
    sa.Column("call_id", _ID, sa.ForeignKey("calls.call_id", ondelete="CASCADE"), primary_key=True),
    sa.Column("number", sa.BigInteger, primary_key=True, autoincrement=False),
    *_candidate("candidate_"),
    *_whole("started_us"),
    *_optional(sa.BigInteger(), "status"),
    *_text("error"),
    *_optional(sa.BigInteger(), "first_byte_us"),
    *_whole("duration_us"),
    *_text("upstream_request_id"),
    # Since 0003.
    *_optional(sa.Text(), "candidate_service", "refused_by"),
    *_optional(sa.Boolean(), "hedge"),
    *_optional(sa.BigInteger(), "cost_pusd"),
)

POLICIES = sa.Table(
    "policies",
    METADATA,
    sa.Column("policy_id", _ID, primary_key=True),
    *_text("document"),
)
"""Configurations that decided, each once: what a later `explain` needs beside a call's row to decide again."""

SESSIONS = sa.Table("sessions", METADATA, sa.Column("session_id", _ID, primary_key=True), *_sums())
sa.Index(None, SESSIONS.c.last_seen_us)

TASKS = sa.Table(
    "tasks",
    METADATA,
    sa.Column("session_id", _ID, primary_key=True),
    sa.Column("task_id", _ID, primary_key=True),
    *_text("skill"),
    *_sums(),
)
