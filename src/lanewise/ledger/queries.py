"""Single calls read back as the values they were, for `explain` and the dashboard's list of recent calls.

It changes nothing. Sums over many calls are in `reports`.
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Sequence

import sqlalchemy as sa

from lanewise.errors import StoreError
from lanewise.journey import CallRecord
from lanewise.ledger.rows import Row, from_rows, to_us
from lanewise.store import Database
from lanewise.store.schema import ATTEMPTS, CALLS, POLICIES

# Above every character that an id can hold, in the order of code points and of UTF-8 bytes.
_LAST_CHARACTER = "\U0010ffff"


def call(database: Database, call_id: str) -> CallRecord | None:
    """The call whose id is `call_id` or, where none is, the only one that begins with it; None without one.

    Raises:
        StoreError: several calls begin with it, or the database cannot be used.
    """
    begins = sa.and_(CALLS.c.call_id >= call_id, CALLS.c.call_id < call_id + _LAST_CHARACTER)
    with database.read() as connection:
        # In order of ids an exact match stands first: nothing that it begins is smaller.
        query = sa.select(CALLS.c.call_id).where(begins).order_by(CALLS.c.call_id).limit(2)
        found = connection.execute(query).scalars().all()
        if not call_id or not found:
            return None
        if len(found) > 1 and found[0] != call_id:
            raise StoreError(
                f"several calls begin with {call_id!r}, among them {found[0]!r} and {found[1]!r}",
                hint="give more characters of the id",
            )
        return _load(connection, found[:1])[0]


def recent(database: Database, limit: int, *, before: dt.datetime | None = None) -> tuple[CallRecord, ...]:
    """The `limit` calls that started last, newest first; with `before`, the last that started earlier than that.

    Raises:
        StoreError: the database cannot be used.
    """
    query = sa.select(CALLS.c.call_id).order_by(CALLS.c.started_us.desc(), CALLS.c.call_id.desc()).limit(limit)
    if before is not None:
        query = query.where(CALLS.c.started_us < to_us(before))
    with database.read() as connection:
        return _load(connection, connection.execute(query).scalars().all())


def policy(database: Database, policy_id: str) -> str | None:
    """The document of a configuration that decided calls; None where the ledger does not hold it.

    Raises:
        StoreError: the database cannot be used.
    """
    with database.read() as connection:
        found = connection.execute(sa.select(POLICIES.c.document).where(POLICIES.c.policy_id == policy_id)).scalar()
    return None if found is None else str(found)


def spent_since(database: Database, since: dt.datetime) -> dict[str, int]:
    """Key -> pico-dollars of its calls that started at `since` or later, as far as their cost is known.

    Raises:
        StoreError: the database cannot be used.
    """
    query = (
        sa.select(CALLS.c.key_id, sa.func.sum(CALLS.c.cost_total_pusd))
        .where(CALLS.c.started_us >= to_us(since), CALLS.c.cost_total_pusd.is_not(None))
        .group_by(CALLS.c.key_id)
    )
    with database.read() as connection:
        return {str(key_id): int(pusd) for key_id, pusd in connection.execute(query)}


def _load(connection: sa.Connection, call_ids: Sequence[str]) -> tuple[CallRecord, ...]:
    """The calls of these ids, in this order. Their attempts exist: they were written together."""
    calls = {row["call_id"]: row for row in _rows(connection, CALLS, call_ids)}
    attempts: dict[str, list[Row]] = defaultdict(list)
    for row in _rows(connection, ATTEMPTS, call_ids):
        attempts[row["call_id"]].append(row)
    return tuple(from_rows(calls[call_id], sorted(attempts[call_id], key=_number)) for call_id in call_ids)


def _rows(connection: sa.Connection, table: sa.Table, call_ids: Sequence[str]) -> list[Row]:
    result = connection.execute(sa.select(table).where(table.c.call_id.in_(call_ids)))
    names = tuple(result.keys())
    return [dict(zip(names, row, strict=True)) for row in result]


def _number(row: Row) -> int:
    return int(row["number"])
