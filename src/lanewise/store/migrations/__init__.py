"""Which schema versions exist and how a database gets to the newest one.

Versions are serial numbers of four digits, so that "newer than this code" is a comparison of text. A user needs
no alembic.ini: `upgrade` runs Alembic on our own connection, in one transaction, so that a crash half-way
leaves the old schema. It does not know what a table is for.
"""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa

from lanewise.store.engine import WRITES

HEAD = "0003"
"""The version that this code reads and writes; a test compares it with the newest file in `versions/`."""

# Any constant will do: it only has to be the same in every replica. These are the bytes of "lane".
_POSTGRES_LOCK = int.from_bytes(b"lane", "big")

_VERSION = sa.table("alembic_version", sa.column("version_num", sa.Text))


def version(connection: sa.Connection) -> str | None:
    """The schema version of the database, None for a database without one."""
    if not sa.inspect(connection).has_table(_VERSION.name):
        return None
    found = connection.execute(sa.select(_VERSION.c.version_num)).scalar()
    return None if found is None else str(found)


def upgrade(engine: sa.Engine) -> None:
    """Run every missing migration in one transaction; processes that start together take turns."""
    # Alembic costs 0.2 s to import; a database at the newest version never needs it.
    from alembic import command  # noqa: PLC0415  (see above)
    from alembic.config import Config  # noqa: PLC0415  (see above)

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    sqlite = engine.dialect.name == "sqlite"
    with engine.connect() as connection:
        if sqlite:
            # Batch mode rebuilds a table by dropping it, which would cascade into the rows that refer to it; the
            # setting is ignored inside a transaction.
            _pragma(connection, "foreign_keys = OFF")
        connection.execution_options(**{WRITES: True})
        with connection.begin():
            if not sqlite:
                connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_POSTGRES_LOCK)))
            config.attributes["connection"] = connection
            command.upgrade(config, "head")  # nothing, where another process was first
        if sqlite:
            _pragma(connection, "foreign_keys = ON")


def _pragma(connection: sa.Connection, pragma: str) -> None:
    """Run a pragma on the driver's connection, where SQLAlchemy begins no transaction."""
    cursor = connection.connection.cursor()
    cursor.execute(f"PRAGMA {pragma}")
    cursor.close()
