"""The engine under the ledger: which databases it runs on and how each is set up before the first statement.

It does not know the tables, and connects to nothing by itself.
"""

from __future__ import annotations

import functools
import sqlite3
import time
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from lanewise.errors import StoreError

WRITES = "lanewise_writes"
"""Execution option of a connection whose next transaction will write."""

_WAL_PAUSE_S = 0.01


def parse_url(location: str | Path) -> sa.URL:
    """The URL of the database at a file path or URL.

    Raises:
        StoreError: the text is no URL, or names an engine that the ledger does not run on.
    """
    text = str(location)
    if "://" not in text:
        return sa.URL.create("sqlite", database=str(Path(text).expanduser().absolute()))
    try:
        url = sa.make_url(text)
    except (sa.exc.ArgumentError, ValueError) as fault:
        raise StoreError(
            "the database URL cannot be read", hint="write it as `postgresql+psycopg://USER:PASSWORD@HOST/DATABASE`"
        ) from fault
    if url.drivername in {"postgres", "postgresql"}:
        url = url.set(drivername="postgresql+psycopg")
    if url.drivername not in {"sqlite", "sqlite+pysqlite", "postgresql+psycopg"} or not url.database:
        raise StoreError(
            f"{url.render_as_string(hide_password=True)!r} is not a database that the ledger can use",
            hint="give a file path, or `postgresql+psycopg://USER:PASSWORD@HOST/DATABASE`",
        )
    return url


def make_engine(url: sa.URL, busy_timeout_s: float) -> sa.Engine:
    """An engine for `url` that shows no parameters in its errors: they are another person's identifiers.

    Args:
        url: from `parse_url`.
        busy_timeout_s: how long SQLite waits for another process's lock.

    Raises:
        StoreError: the driver of Postgres is not installed.
    """
    if url.get_backend_name() == "sqlite":
        engine = sa.create_engine(url, hide_parameters=True)
        sa.event.listen(engine, "connect", functools.partial(_prepare_sqlite, busy_timeout_s=busy_timeout_s))
        sa.event.listen(engine, "begin", _begin_sqlite)
        return engine
    try:
        # A replica that slept or a server that restarted leaves dead connections in the pool: ask before use.
        return sa.create_engine(url, hide_parameters=True, pool_pre_ping=True)
    except ModuleNotFoundError as fault:
        raise StoreError(
            "Postgres needs a driver that is not installed", hint="`pip install 'lanewise[postgres]'`"
        ) from fault


def _prepare_sqlite(connection: Any, _record: object, *, busy_timeout_s: float) -> None:
    """Settings that SQLite keeps per connection. `connection` is the driver's: SQLAlchemy types it as Any."""
    # The driver would open transactions of its own, late and never around DDL; `_begin_sqlite` does it instead.
    connection.isolation_level = None
    cursor = connection.cursor()
    # A call's row is about 2 kB: in pages of 4 kB each would fill one alone (4.4 kB a call on disk against 2.6 kB, and
    # a third more CPU to write). The page size takes effect only in a file that is still empty.
    cursor.execute("PRAGMA page_size = 16384")
    _switch_to_wal(cursor, busy_timeout_s)
    # NORMAL: a killed process loses nothing that was committed; a power cut may lose the last transactions, never
    # the file's consistency. FULL costs 70 times as much per commit.
    cursor.execute("PRAGMA synchronous = NORMAL")
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.execute(f"PRAGMA busy_timeout = {round(busy_timeout_s * 1000)}")
    cursor.close()


def _switch_to_wal(cursor: Any, busy_timeout_s: float) -> None:
    """Set the journal mode in which readers and the one writer do not wait for each other.

    Where two processes make a new file at once SQLite refuses one of them without its busy timeout (seen once in 240
    opens), so we wait here ourselves. `cursor` is the driver's, typed as Any like its connection.
    """
    cursor.execute("PRAGMA busy_timeout = 0")
    for tries_left in reversed(range(1 + round(busy_timeout_s / _WAL_PAUSE_S))):
        try:
            cursor.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as fault:
            if not tries_left or not fault.sqlite_errorname.startswith("SQLITE_BUSY"):
                raise
            time.sleep(_WAL_PAUSE_S)
        else:
            return


def _begin_sqlite(connection: sa.Connection) -> None:
    """Take the write lock at the start of a writing transaction, where the busy timeout applies.

    A transaction that reads first and writes later fails at once when another wrote in between, whatever the
    timeout.
    """
    writes = connection.get_execution_options().get(WRITES, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
