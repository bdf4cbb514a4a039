"""Open the ledger's database, SQLite or Postgres, and hand out connections whose failures are `StoreError`.

Opening brings the schema to the newest version and refuses what it cannot use: a damaged file, a folder that
cannot be written, a lock that stays, a schema from a newer Lanewise. It never deletes, renames or repairs a
user's file: it says which command does. It does not know what the tables mean.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import sqlalchemy as sa

from lanewise.errors import StoreError
from lanewise.store import migrations
from lanewise.store.engine import WRITES, make_engine, parse_url
from lanewise.store.faults import damaged, explained, store_error

# A flush commits within tens of milliseconds and a WAL checkpoint on a slow disk within a second or two. Five
# seconds outlast both; a lock that stays longer is a process that hangs, and waiting would only hide it.
BUSY_TIMEOUT_S = 5.0

# `quick_check` reads the whole file: 0.1 s at this size on the reference machine, and linear. A larger ledger is
# checked on open by its header and schema only, and as a whole by `Database.check`.
QUICK_CHECK_BYTES = 32 * 1024 * 1024


class Database:
    """An open database at the newest schema. Threads may share it; `close` it when done."""

    def __init__(self, engine: sa.Engine) -> None:
        self.engine = engine

    @property
    def name(self) -> str:
        """Path or URL for messages; never holds a password."""
        if self.engine.dialect.name == "sqlite":
            return self.engine.url.database or ""
        return self.engine.url.render_as_string(hide_password=True)

    @contextlib.contextmanager
    def read(self) -> Iterator[sa.Connection]:
        """A connection for queries.

        Raises:
            StoreError: the database cannot be used.
        """
        with explained(self.engine.url), self.engine.connect() as connection:
            yield connection

    @contextlib.contextmanager
    def write(self) -> Iterator[sa.Connection]:
        """A connection in one transaction: committed at the end of the block, rolled back if the block raises.

        Raises:
            StoreError: the database cannot be used; nothing of the block is kept.
            sqlalchemy.exc.DataError, sqlalchemy.exc.IntegrityError: a row's content is refused.
        """
        with explained(self.engine.url), self.engine.connect() as connection:
            connection.execution_options(**{WRITES: True})
            with connection.begin():
                yield connection

    def check(self) -> None:
        """Read the whole SQLite file and compare its structure; Postgres looks after its own.

        Raises:
            StoreError: the file is damaged.
        """
        if self.engine.dialect.name != "sqlite":
            return
        with self.read() as connection:
            finding = str(connection.exec_driver_sql("PRAGMA quick_check(1)").scalar())
        if finding != "ok":
            raise damaged(Path(self.name), finding)

    def close(self) -> None:
        """Give back all connections. On SQLite the last one folds the write-ahead log into the file."""
        self.engine.dispose()


def open_database(location: str | Path, *, busy_timeout_s: float = BUSY_TIMEOUT_S) -> Database:
    """Open the database at `location`, create it where it is absent, and bring its schema to the newest version.

    Args:
        location: a file path for SQLite, or a URL ``sqlite:///…`` or ``postgresql+psycopg://…``.
        busy_timeout_s: how long SQLite waits for another process's lock before it gives up.

    Raises:
        StoreError: with the path, the reason and a command to run.
    """
    url = parse_url(location)
    if url.get_backend_name() == "sqlite":
        _make_folder(Path(url.database or ""))
    database = Database(make_engine(url, busy_timeout_s))
    try:
        _check_small_file(database)
        _bring_to_head(database)
    except BaseException:
        database.close()
        raise
    return database


def _make_folder(path: Path) -> None:
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as fault:
        raise StoreError(
            f"cannot create the folder {str(path.parent)!r} of the ledger: {fault.strerror}",
            hint="choose another folder with `LANEWISE_DATA`",
        ) from fault


def _check_small_file(database: Database) -> None:
    if database.engine.dialect.name != "sqlite":
        return
    path = Path(database.name)
    if path.exists() and path.stat().st_size <= QUICK_CHECK_BYTES:
        database.check()


def _bring_to_head(database: Database) -> None:
    with database.read() as connection:
        found = migrations.version(connection)
    if found == migrations.HEAD:
        return
    if found is not None and found > migrations.HEAD:
        raise StoreError(
            f"the ledger {database.name!r} has schema {found}, this Lanewise knows up to {migrations.HEAD}",
            hint="a newer Lanewise wrote it: `pip install --upgrade lanewise`, or choose another `LANEWISE_DATA`",
        )
    try:
        migrations.upgrade(database.engine)
    except sa.exc.DBAPIError as fault:
        raise store_error(fault, database.engine.url) from fault
