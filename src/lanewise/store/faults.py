"""What a database driver complains about, said so that a person can act on it.

Two questions are answered here and nowhere else: is a failure the state of the database (`StoreError`: retry,
or stop and tell the user) or the content of a row (let it through: the row is at fault), and which command
does the user run next. It opens nothing and repairs nothing.
"""

from __future__ import annotations

import contextlib
import re
import shlex
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import sqlalchemy as sa

from lanewise.errors import StoreError

_CONTENT = (sa.exc.DataError, sa.exc.IntegrityError)

# First match of the start of SQLite's result name (https://www.sqlite.org/rescode.html): reason, hint.
_SQLITE = (
    (
        ("SQLITE_NOTADB", "SQLITE_CORRUPT"),
        "the file is damaged or not a SQLite database",
        (
            "nothing was changed; stop Lanewise, set the file aside with"
            " `mkdir {folder}/damaged && mv {path}* {folder}/damaged/`, then start again with an empty ledger;"
            " `sqlite3 FILE .recover` prints what can be saved"
        ),
    ),
    (
        ("SQLITE_READONLY", "SQLITE_CANTOPEN", "SQLITE_PERM", "SQLITE_AUTH"),
        "the file or its folder cannot be written",
        "`ls -ld {folder} {path}` shows who may write; or choose another folder with `LANEWISE_DATA`",
    ),
    (
        ("SQLITE_BUSY", "SQLITE_LOCKED"),
        "another process holds a lock on it",
        "`fuser -v {path}` names the process",
    ),
    (("SQLITE_FULL",), "the disk is full", "`df -h {folder}` shows the space left"),
    (("SQLITE_IOERR",), "the disk reported an error", "`df -h {folder}` and `dmesg | tail` say more"),
)

# First match of the start of Postgres's SQLSTATE (https://www.postgresql.org/docs/current/errcodes-appendix.html) or,
# because a refused connection brings none, of its English words: reason, hint.
_POSTGRES = (
    (
        "28",
        re.compile(r"authentication failed|no pg_hba.conf entry|role \".*\" does not exist"),
        "the server refused the user or the password",
        "check the user and password in `server.database_url`",
    ),
    (
        "3D",
        re.compile(r"database \".*\" does not exist"),
        "the server has no such database",
        "create it with `createdb {database}`",
    ),
    (
        "42501",
        re.compile(r"permission denied"),
        "the user lacks a right",
        "grant it with `psql -c 'GRANT ALL ON SCHEMA public TO {user}'`",
    ),
    ("25006", re.compile(r"read-only transaction"), "the server is read-only", "point `database_url` at the primary"),
    ("53100", re.compile(r"No space left on device"), "the server's disk is full", "free space on the server"),
)


def store_error(fault: BaseException, url: sa.URL) -> StoreError:
    """The `StoreError` that tells what `fault` means for the database at `url`, and what to do.

    The message never holds the password, a statement or its parameters.
    """
    if url.get_backend_name() == "sqlite":
        return _sqlite_error(fault, Path(url.database or ""))
    return _postgres_error(fault, url)


@contextlib.contextmanager
def explained(url: sa.URL) -> Iterator[None]:
    """Turn failures of the database itself into `StoreError`; let errors of a row's content through.

    Raises:
        StoreError: the database cannot be reached, read or written.
        sqlalchemy.exc.DataError, sqlalchemy.exc.IntegrityError: a row is not acceptable.
    """
    try:
        yield
    except _CONTENT:
        raise
    except (sa.exc.DBAPIError, sa.exc.TimeoutError) as fault:
        raise store_error(fault, url) from fault


def _sqlite_error(fault: BaseException, path: Path) -> StoreError:
    cause = getattr(fault, "orig", fault)
    name = getattr(cause, "sqlite_errorname", None) or ""
    words = {"path": shlex.quote(str(path)), "folder": shlex.quote(str(path.parent))}
    for starts, reason, hint in _SQLITE:
        if name.startswith(starts):
            return StoreError(f"cannot use the ledger {str(path)!r}: {reason} ({cause})", hint=hint.format(**words))
    return StoreError(
        f"cannot use the ledger {str(path)!r}: {cause}",
        hint=f"`sqlite3 {words['path']} 'PRAGMA integrity_check'` checks the file",
    )


def _postgres_error(fault: BaseException, url: sa.URL) -> StoreError:
    cause = getattr(fault, "orig", fault)
    state = getattr(cause, "sqlstate", None) or ""
    shown = url.render_as_string(hide_password=True)
    words = {"database": shlex.quote(url.database or ""), "user": url.username or ""}
    lines = str(cause).strip().splitlines() or [type(cause).__name__]
    for start, words_of_it, reason, hint in _POSTGRES:
        if state.startswith(start) or (not state and words_of_it.search(str(cause))):
            return StoreError(f"cannot use the ledger {shown}: {reason} ({lines[0]})", hint=hint.format(**words))
    return StoreError(
        f"cannot use the ledger {shown}: {lines[0]}",
        hint=f"`pg_isready -h {url.host or 'localhost'} -p {url.port or 5432}` says whether the server answers",
    )


def damaged(path: Path, finding: str) -> StoreError:
    """The error for a file that opens but fails SQLite's own check with `finding`."""
    fault = sqlite3.DatabaseError(finding)
    fault.sqlite_errorname = "SQLITE_CORRUPT"
    return _sqlite_error(fault, path)
