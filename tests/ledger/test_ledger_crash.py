"""A process killed in the middle of writing leaves a ledger that opens, whole call by whole call."""

import subprocess
import sys
from pathlib import Path

import sqlalchemy as sa

from lanewise.ledger import recent
from lanewise.store import open_database
from lanewise.store.schema import ATTEMPTS, CALLS, SESSIONS, TASKS

# Records without end, two attempts a call, and prints a line as each commit begins.
_PROGRAM = """
import itertools, sys, time
sys.path.insert(0, sys.argv[2])
import sqlalchemy as sa
from made_calls import made_call
from lanewise.ledger import LedgerWriter
from lanewise.store import open_database

database = open_database(sys.argv[1])
sa.event.listen(database.engine, "commit", lambda connection: print("commit", flush=True))
writer = LedgerWriter(database, time.monotonic, flush_rows=5, flush_interval_s=0.001)
writer.start()
for number in itertools.count(int(sys.argv[3])):
    if writer.pending < 1000:
        writer.record(made_call(number, session=f"s-{number % 7}", task=f"t-{number % 11}", attempts=2))
"""


def test_killing_the_process_between_and_within_commits_loses_no_part_of_a_call(tmp_path):
    path = tmp_path / "ledger.db"
    written = 0
    for round_number, commits in enumerate((2, 5, 9)):
        arguments = [str(path), str(Path(__file__).parent), str(round_number * 1_000_000)]
        process = subprocess.Popen([sys.executable, "-c", _PROGRAM, *arguments], stdout=subprocess.PIPE, text=True)
        for _ in range(commits):
            assert process.stdout.readline() == "commit\n"
        process.kill()
        process.stdout.close()
        process.wait()
        database = open_database(path)
        database.check()
        with database.read() as connection:
            calls, attempts = (
                connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one()
                for table in (CALLS, ATTEMPTS)
            )
            sums = [
                connection.execute(sa.select(sa.func.sum(table.c.calls))).scalar_one() for table in (SESSIONS, TASKS)
            ]
        # Each commit held at least one call; its line is printed just before, so the last may be missing.
        assert calls >= written + commits - 1
        assert attempts == 2 * calls
        assert sums == [calls, calls]
        assert all(len(call.attempts) == 2 for call in recent(database, 50))
        written = calls
        database.close()
