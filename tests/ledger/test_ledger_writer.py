"""The writer keeps what it is given, loses only what it counts, and never troubles the one who records."""

import logging
import sqlite3

import msgspec
import pytest
import sqlalchemy as sa
from made_calls import START, USD, made_call

from lanewise.ledger import LedgerWriter, call, recent
from lanewise.ledger.rows import to_us
from lanewise.store.schema import ATTEMPTS, CALLS, SESSIONS, TASKS


class Clock:
    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


def _writer(database, clock=None, **limits):
    return LedgerWriter(database, clock or Clock(), **limits)


def _count(database, table=CALLS):
    with database.read() as connection:
        return connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one()


def _rows(database, table):
    with database.read() as connection:
        return [dict(row) for row in connection.execute(sa.select(table)).mappings()]


class Fault:
    """Fails the statements of a database by their number, counted from 1, with an error of the driver."""

    def __init__(self, database, *, error, numbers):
        self.error, self.numbers, self.count = error, numbers, 0
        self._events = [
            (database.engine, "do_execute", self._strike),
            (database.engine, "do_executemany", self._strike),
        ]
        for event in self._events:
            sa.event.listen(*event)

    def _strike(self, cursor, statement, parameters, context):
        self.count += 1
        if self.count in self.numbers:
            raise self.error

    def lift(self):
        for event in self._events:
            sa.event.remove(*event)


def _full():
    error = sqlite3.OperationalError("database or disk is full")
    error.sqlite_errorname = "SQLITE_FULL"
    return error


# -- keeping -----------------------------------------------------------------------------------------------


def test_what_is_recorded_can_be_read_back(database):
    writer = _writer(database)
    made = [made_call(number, attempts=number % 3, seconds=number) for number in range(7)]
    for each in made:
        writer.record(each)
    assert writer.flush()
    assert [call(database, each.call_id) for each in made] == made
    assert recent(database, 10) == tuple(reversed(made))
    assert (writer.written, writer.pending, writer.dropped, writer.refused) == (7, 0, 0, 0)


def test_a_flush_writes_all_batches(database):
    writer = _writer(database, flush_rows=3)
    for number in range(8):
        writer.record(made_call(number))
    assert writer.flush()
    assert _count(database) == 8


def test_close_writes_what_is_left(database):
    writer = _writer(database, flush_interval_s=3600.0)
    writer.start()
    for number in range(5):
        writer.record(made_call(number))
    assert writer.close(timeout_s=30) == 0
    assert _count(database) == 5


def test_a_full_batch_does_not_wait_for_the_interval(sqlite):
    """The interval is an hour, and nobody closes: only the number of calls can have caused the write."""
    import threading

    committed = threading.Event()
    sa.event.listen(sqlite.engine, "commit", lambda connection: committed.set())
    writer = _writer(sqlite, flush_rows=4, flush_interval_s=3600.0)
    writer.start()
    for number in range(4):
        writer.record(made_call(number))
    assert committed.wait(timeout=30)
    writer.close(timeout_s=30)


def test_close_without_start_reports_what_was_never_written(sqlite):
    writer = _writer(sqlite)
    writer.record(made_call())
    assert writer.close(timeout_s=0) == 1


def test_recording_a_call_twice_is_recording_it_once(database):
    """After a lost connection the writer cannot know whether its commit arrived."""
    for _ in range(2):
        writer = _writer(database)
        writer.record(made_call(attempts=2))
        writer.record(made_call(attempts=2))
        assert writer.flush()
        assert writer.refused == 0
    assert (_count(database), _count(database, ATTEMPTS)) == (1, 2)
    assert [row["calls"] for row in _rows(database, SESSIONS)] == [1]


# -- sums --------------------------------------------------------------------------------------------------


def test_sessions_and_tasks_add_up_over_batches(database):
    writer = _writer(database, flush_rows=2)
    for each in (
        made_call(1, session="a", task="t1", seconds=50),
        made_call(2, session="a", task="t2", seconds=10, skill="planning", cost_pusd=None),
        made_call(3, session="b", task="t1", seconds=20, status=500, cost_pusd=None, baseline_pusd=None, usage=None),
        made_call(4, session="a", task="t1", seconds=90, skill="planning"),
    ):
        writer.record(each)
    writer.flush()
    start_us = to_us(START)
    by_session = {row["session_id"]: row for row in _rows(database, SESSIONS)}
    assert by_session["a"] == {
        "session_id": "a",
        "first_seen_us": start_us + 10_000_000,
        "last_seen_us": start_us + 90_000_000,
        "calls": 3,
        "failed_calls": 0,
        "unknown_cost_calls": 1,
        "cost_pusd": 4 * USD // 100,  # 2 known calls of 2 cents
        "baseline_cost_pusd": 30 * USD // 100,
    }
    assert (by_session["b"]["failed_calls"], by_session["b"]["unknown_cost_calls"]) == (1, 0)
    tasks = {(row["session_id"], row["task_id"]): (row["skill"], row["calls"]) for row in _rows(database, TASKS)}
    assert tasks == {("a", "t1"): ("debugging", 2), ("a", "t2"): ("planning", 1), ("b", "t1"): ("debugging", 1)}


# -- limits ------------------------------------------------------------------------------------------------


def test_a_full_buffer_drops_and_counts(sqlite):
    writer = _writer(sqlite, capacity=3)
    for number in range(5):
        writer.record(made_call(number))
    assert (writer.pending, writer.dropped) == (3, 2)
    writer.flush()
    assert _count(sqlite) == 3


def test_drops_are_logged_at_most_once_a_second(sqlite, caplog):
    clock = Clock()
    writer = _writer(sqlite, clock, capacity=0)

    def told():
        writer.record(made_call())
        writer.flush()
        return [record.calls for record in caplog.records if record.message == "ledger.dropped"]

    with caplog.at_level(logging.WARNING):
        assert told() == [1]
        clock.now += 0.5
        assert told() == [1]
        clock.now += 0.5
        assert told() == [1, 2]


def test_drops_of_the_last_second_are_told_at_the_end(sqlite, caplog):
    writer = _writer(sqlite, capacity=0)
    writer.record(made_call(1))
    writer.flush()
    writer.record(made_call(2))
    writer.start()
    writer.close(timeout_s=30)
    assert [record.total for record in caplog.records if record.message == "ledger.dropped"] == [1, 2]


# -- faults ------------------------------------------------------------------------------------------------


def test_a_failing_database_keeps_the_calls_and_writes_them_later(database, caplog):
    writer = _writer(database)
    writer.record(made_call(1))
    fault = Fault(database, error=_database_error(database), numbers=range(1, 10_000))
    assert not writer.flush()
    writer.record(made_call(2))
    assert not writer.flush()
    assert (writer.pending, writer.written) == (2, 0)
    fault.lift()
    assert writer.flush()
    assert _count(database) == 2
    messages = [record.message for record in caplog.records]
    assert messages == ["ledger.write_failed", "ledger.write_recovered"]


def _database_error(database):
    if database.engine.dialect.name == "sqlite":
        return _full()
    import psycopg

    return psycopg.errors.DiskFull("could not extend file: No space left on device")


def test_failing_any_statement_leaves_all_of_a_batch_or_nothing(sqlite):
    """Statement by statement: BEGIN, the look for known calls, the inserts, the sums."""
    outcomes = []
    for number in range(1, 100):
        writer = _writer(sqlite)
        for each in (1, 2):
            writer.record(made_call(number * 10 + each, attempts=2, session=f"s-{number}", task=f"t-{number}"))
        fault = Fault(sqlite, error=_full(), numbers=(number,))
        before = _count_all(sqlite, fault)
        healthy = writer.flush()
        after = _count_all(sqlite, fault)
        fault.lift()
        outcomes.append(healthy)
        if healthy:
            assert after == (before[0] + 2, before[1] + 4, before[2] + 1, before[3] + 1)
            break
        assert after == before
        assert writer.flush()
        assert writer.written == 2
    assert outcomes == [False] * 6 + [True]


def _count_all(database, fault):
    count, fault.count = fault.count, -1_000
    found = tuple(_count(database, table) for table in (CALLS, ATTEMPTS, SESSIONS, TASKS))
    fault.count = count
    return found


def test_a_locked_database_is_written_when_the_lock_goes(tmp_path):
    from lanewise.store import open_database

    database = open_database(tmp_path / "ledger.db", busy_timeout_s=0.01)
    writer = _writer(database)
    writer.record(made_call())
    other = sqlite3.connect(tmp_path / "ledger.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    assert not writer.flush()
    other.execute("COMMIT")
    other.close()
    assert writer.flush()
    assert _count(database) == 1
    database.close()


def test_a_call_that_the_database_refuses_takes_no_other_with_it(database, caplog):
    writer = _writer(database)
    bad = made_call(2, duration_us=2**63)  # one more than 64 bits hold
    for each in (made_call(1), bad, made_call(3)):
        writer.record(each)
    assert writer.flush()
    assert (writer.written, writer.refused, writer.pending) == (2, 1, 0)
    assert _count(database) == 2
    [refused] = [record for record in caplog.records if record.message == "ledger.call_refused"]
    assert refused.call_id == bad.call_id


def test_a_call_with_a_time_without_zone_is_refused_alone(sqlite):
    writer = _writer(sqlite)
    writer.record(msgspec.structs.replace(made_call(1), started_at=START.replace(tzinfo=None)))
    writer.record(made_call(2))
    assert writer.flush()
    assert (writer.written, writer.refused) == (1, 1)


def test_a_writer_whose_database_stays_away_ends_when_told(sqlite):
    fault = Fault(sqlite, error=_full(), numbers=range(1, 10_000))
    writer = _writer(sqlite, flush_interval_s=0.0)
    writer.start()
    writer.record(made_call())
    assert writer.close(timeout_s=0) == 1
    writer._thread.join(30)
    assert not writer._thread.is_alive()
    fault.lift()


@pytest.mark.parametrize(
    ("failures", "pause_s"),
    [(1, 0.2), (2, 0.4), (3, 0.8), (4, 1.6), (5, 3.2), (6, 5.0), (5_000, 5.0)],  # 0.2 * 2**(n-1), at most 5
)
def test_the_pause_between_tries_doubles_up_to_five_seconds(sqlite, failures, pause_s):
    writer = _writer(sqlite)
    writer._failures = failures
    assert writer._backoff_s() == pytest.approx(pause_s)
