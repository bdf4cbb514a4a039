"""Put calls into the tables, within the caller's transaction.

A call is saved whole or not at all, and saving it twice is saving it once: after a lost connection nobody knows
whether the last commit arrived, and the writer tries again. Sessions and tasks add up in the same transaction,
so their sums always equal the calls beneath them.

It does not know threads, batches or retries.
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from lanewise.journey import CallRecord
from lanewise.ledger.rows import ATTEMPT_COLUMNS, CALL_COLUMNS, Rows, to_rows
from lanewise.store.schema import ATTEMPTS, CALLS, POLICIES, SESSIONS, TASKS

_SUMS = ("calls", "failed_calls", "unknown_cost_calls", "cost_pusd", "baseline_cost_pusd")


class _Summed(NamedTuple):
    """The values of a call's row that its session and task add up."""

    session_id: str
    task_id: str
    skill: str
    started_us: int
    failed: bool
    cost_state: str
    cost_total_pusd: int | None
    baseline_cost_total_pusd: int | None


_summed = operator.itemgetter(*(CALL_COLUMNS.index(name) for name in _Summed._fields))


def save(connection: sa.Connection, calls: Sequence[CallRecord]) -> int:
    """Write the calls that the ledger does not hold yet; their number.

    Raises:
        TypeError: a time without a time zone.
        sqlalchemy.exc.DBAPIError: the database refuses; the caller's transaction must roll back.
    """
    rows = {call.call_id: to_rows(call) for call in calls}
    known = connection.execute(sa.select(CALLS.c.call_id).where(CALLS.c.call_id.in_(list(rows)))).scalars()
    for call_id in known:
        del rows[call_id]
    if not rows:
        return 0
    new = list(rows.values())
    _insert(connection, CALLS, CALL_COLUMNS, [row.call for row in new])
    _insert(connection, ATTEMPTS, ATTEMPT_COLUMNS, [attempt for row in new for attempt in row.attempts])
    _add_up(connection, SESSIONS, new)
    _add_up(connection, TASKS, new)
    return len(new)


def save_policy(connection: sa.Connection, policy_id: str, document: str) -> None:
    """Write a configuration that decides, if the ledger does not hold it yet.

    Raises:
        sqlalchemy.exc.DBAPIError: the database refuses; the caller's transaction must roll back.
    """
    on_postgres = connection.dialect.name == "postgresql"
    statement = (postgresql if on_postgres else sqlite).insert(POLICIES)
    connection.execute(statement.on_conflict_do_nothing(), {"policy_id": policy_id, "document": document})


def _insert(connection: sa.Connection, table: sa.Table, names: Sequence[str], rows: Sequence[tuple[Any, ...]]) -> None:
    """Insert rows that have every column, by position; the values of a row have the types of its columns.

    SQLAlchemy's own `insert` names and checks each of the 80 values of a call again: twice the time of SQLite.
    """
    if not rows:
        return
    mark = "?" if connection.dialect.paramstyle == "qmark" else "%s"
    sql = f"INSERT INTO {table.name} ({', '.join(names)}) VALUES ({', '.join([mark] * len(names))})"  # noqa: S608  names of our own schema
    connection.exec_driver_sql(sql, list(rows))


def _add_up(connection: sa.Connection, table: sa.Table, rows: Iterable[Rows]) -> None:
    """Add the calls of `rows` to their sessions or tasks; the first call of a task names its skill."""
    key = tuple(column.name for column in table.primary_key)
    sums: dict[tuple[str, ...], dict[str, Any]] = {}  # Any: a row's values
    for row in rows:
        call = _Summed(*_summed(row.call))
        identity = tuple(getattr(call, name) for name in key)
        entry = sums.get(identity)
        if entry is None:
            entry = sums[identity] = _first(call)
        entry["first_seen_us"] = min(entry["first_seen_us"], call.started_us)
        entry["last_seen_us"] = max(entry["last_seen_us"], call.started_us)
        entry["calls"] += 1
        entry["failed_calls"] += call.failed
        entry["unknown_cost_calls"] += call.cost_state == "unknown"
        entry["cost_pusd"] += call.cost_total_pusd or 0
        entry["baseline_cost_pusd"] += call.baseline_cost_total_pusd or 0
    # Replicas that add to the same sessions must lock them in the same order, or Postgres ends one of them.
    entries = [sums[identity] for identity in sorted(sums)]
    columns = table.c.keys()
    statement = _upsert(table, key, on_postgres=connection.dialect.name == "postgresql")
    connection.execute(statement, [{name: entry[name] for name in columns} for entry in entries])


def _first(call: _Summed) -> dict[str, Any]:
    return {
        "session_id": call.session_id,
        "task_id": call.task_id,
        "skill": call.skill,
        "first_seen_us": call.started_us,
        "last_seen_us": call.started_us,
        **dict.fromkeys(_SUMS, 0),
    }


@functools.cache
def _upsert(table: sa.Table, key: tuple[str, ...], *, on_postgres: bool) -> sa.Executable:
    """Built once: building it costs as much as ten calls' rows."""
    statement: sqlite.Insert | postgresql.Insert = postgresql.insert(table) if on_postgres else sqlite.insert(table)
    new = statement.excluded
    return statement.on_conflict_do_update(
        index_elements=key,
        set_={
            **{name: table.c[name] + new[name] for name in _SUMS},
            # SQLite and Postgres spell the smaller of two values differently; both read CASE.
            "first_seen_us": sa.case(
                (new.first_seen_us < table.c.first_seen_us, new.first_seen_us), else_=table.c.first_seen_us
            ),
            "last_seen_us": sa.case(
                (new.last_seen_us > table.c.last_seen_us, new.last_seen_us), else_=table.c.last_seen_us
            ),
        },
    )
