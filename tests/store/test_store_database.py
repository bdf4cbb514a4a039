"""Opening the ledger's database: made when absent, kept when good, refused with advice when not."""

import contextlib
import os
import shutil
import sqlite3
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec
import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from lanewise.errors import StoreError
from lanewise.ledger import call as read_call
from lanewise.ledger.rows import CALL_COLUMNS, to_rows
from lanewise.store import database as database_module
from lanewise.store import migrations, open_database
from lanewise.store.engine import parse_url
from lanewise.store.schema import CALLS, METADATA, SESSIONS

# Test folders are no packages: a helper of another folder is found by its path.
sys.path.insert(0, str(Path(__file__).parents[1] / "ledger"))
from made_calls import made_call

A_SESSION = {
    "first_seen_us": 1,
    "last_seen_us": 2**63 - 1,
    "calls": 1,
    "failed_calls": 0,
    "unknown_cost_calls": 0,
    "cost_pusd": 2**63 - 1,
    "baseline_cost_pusd": 0,
}


def _session_ids(database):
    with database.read() as connection:
        return connection.execute(sa.select(SESSIONS.c.session_id)).scalars().all()


def _add_session(database, session_id):
    with database.write() as connection:
        connection.execute(sa.insert(SESSIONS).values(session_id=session_id, **A_SESSION))


def _made(path):
    open_database(path).close()
    return path


# -- what holds on both engines ----------------------------------------------------------------------------


def test_a_new_database_has_the_newest_schema(database):
    with database.read() as connection:
        assert migrations.version(connection) == migrations.HEAD


def test_the_migrations_make_the_schema_that_the_code_uses(database):
    with database.read() as connection:
        assert compare_metadata(MigrationContext.configure(connection), METADATA) == []


def test_head_is_the_newest_migration():
    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__file__).parent))
    assert ScriptDirectory.from_config(config).get_current_head() == migrations.HEAD


def test_calls_of_the_first_schema_are_read_after_the_migration(location):
    """Their costs had no part for the label: it reads as nothing paid."""
    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__file__).parent))
    engine = database_module.make_engine(parse_url(location), 5.0)
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
    columns = [column["name"] for column in sa.inspect(engine).get_columns("calls")]
    row = dict(zip(CALL_COLUMNS, to_rows(made_call()).call, strict=True))
    with engine.begin() as connection:
        old = sa.table("calls", *map(sa.column, columns))
        connection.execute(sa.insert(old).values({name: row[name] for name in columns}))
    engine.dispose()
    opened = open_database(location)
    found = read_call(opened, made_call().call_id)
    assert found == msgspec.structs.replace(made_call(), attempts=())
    with opened.read() as connection:
        assert connection.execute(sa.select(CALLS.c.cost_classify_pusd)).scalars().all() == [None]
        assert migrations.version(connection) == migrations.HEAD
    opened.close()


def test_what_was_written_is_there_after_reopening(location):
    first = open_database(location)
    _add_session(first, "s-1")
    first.close()
    second = open_database(location)
    assert _session_ids(second) == ["s-1"]
    second.close()


def test_a_block_that_raises_leaves_nothing(database):
    def write_and_fail():
        with database.write() as connection:
            connection.execute(sa.insert(SESSIONS).values(session_id="s-1", **A_SESSION))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        write_and_fail()
    assert _session_ids(database) == []


def test_the_largest_amount_and_time_fit(database):
    _add_session(database, "s-1")
    with database.read() as connection:
        row = connection.execute(sa.select(SESSIONS)).mappings().one()
    assert (row["cost_pusd"], row["last_seen_us"]) == (2**63 - 1, 2**63 - 1)


def test_an_error_of_a_row_is_not_an_error_of_the_store(database):
    _add_session(database, "s-1")
    with pytest.raises(sa.exc.IntegrityError):
        _add_session(database, "s-1")


def test_a_schema_from_a_newer_lanewise_is_refused(location):
    first = open_database(location)
    with first.write() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    first.close()
    with pytest.raises(StoreError, match="has schema 9999, this Lanewise knows up to 0003") as caught:
        open_database(location)
    assert "pip install --upgrade lanewise" in caught.value.hint


def test_a_migration_that_fails_leaves_the_database_as_it_was(location, monkeypatch):
    def fail_on_the_last_table(connection, cursor, statement, *rest):
        if "CREATE TABLE attempts" in statement:
            raise KeyboardInterrupt

    make_engine = database_module.make_engine

    def interrupted_engine(*arguments):
        engine = make_engine(*arguments)
        sa.event.listen(engine, "before_cursor_execute", fail_on_the_last_table)
        return engine

    monkeypatch.setattr(database_module, "make_engine", interrupted_engine)
    with pytest.raises(KeyboardInterrupt):
        open_database(location)
    monkeypatch.undo()
    engine = make_engine(parse_url(location), 5.0)
    assert sa.inspect(engine).get_table_names() == []
    engine.dispose()
    open_database(location).close()


def test_processes_that_start_together_make_one_schema(location):
    with ThreadPoolExecutor(8) as starters:
        opened = list(starters.map(lambda _: open_database(location), range(8)))
    for number, each in enumerate(opened):
        _add_session(each, f"s-{number}")
    assert len(_session_ids(opened[0])) == 8
    for each in opened:
        each.close()


# -- addresses ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("location", "driver", "database"),
    [
        ("/data/ledger.db", "sqlite", "/data/ledger.db"),
        (Path("/data/ledger.db"), "sqlite", "/data/ledger.db"),
        ("sqlite:////data/ledger.db", "sqlite", "/data/ledger.db"),
        ("postgresql+psycopg://u:p@h/ledger", "postgresql+psycopg", "ledger"),
        ("postgresql://u:p@h/ledger", "postgresql+psycopg", "ledger"),
        ("postgres://u:p@h/ledger", "postgresql+psycopg", "ledger"),
    ],
)
def test_paths_and_urls_are_understood(location, driver, database):
    url = parse_url(location)
    assert (url.drivername, url.database) == (driver, database)


@pytest.mark.parametrize(
    "location", ["mysql://u:secret@h/ledger", "sqlite://", "postgresql://u:secret@h", "http://[:1]"]
)
def test_other_urls_are_refused_without_showing_the_password(location):
    with pytest.raises(StoreError) as caught:
        open_database(location)
    assert "secret" not in str(caught.value)
    assert "postgresql+psycopg://" in caught.value.hint


def test_a_server_that_is_away_is_named_without_its_password():
    with pytest.raises(StoreError) as caught:
        open_database("postgresql://lane:secret@127.0.0.1:1/ledger")
    assert "postgresql+psycopg://lane:***@127.0.0.1:1/ledger" in caught.value.message
    assert "secret" not in str(caught.value)
    assert "`pg_isready -h 127.0.0.1 -p 1`" in caught.value.hint


@pytest.mark.postgres
def test_a_missing_postgres_database_comes_with_the_command_that_creates_it(new_postgres):
    url = sa.make_url(new_postgres()).set(database="absent")
    with pytest.raises(StoreError, match="the server has no such database") as caught:
        open_database(url.render_as_string(hide_password=False))
    assert caught.value.hint == "create it with `createdb absent`"


@pytest.mark.postgres
def test_a_connection_that_the_server_ended_is_replaced(new_postgres):
    first, second = (open_database(url) for url in [new_postgres()] * 2)
    with first.read() as connection:
        backend = connection.execute(sa.select(sa.func.pg_backend_pid())).scalar_one()
    with second.read() as connection:
        connection.execute(sa.select(sa.func.pg_terminate_backend(backend, 10_000)))
    assert _session_ids(first) == []
    first.close()
    second.close()


# -- SQLite files ------------------------------------------------------------------------------------------


def test_folders_on_the_way_are_made_for_the_user_alone(tmp_path):
    _made(tmp_path / "share" / "lanewise" / "ledger.db")
    assert (tmp_path / "share" / "lanewise").stat().st_mode & 0o777 == 0o700


def test_readers_do_not_wait_for_the_writer(sqlite_database):
    with sqlite_database.write() as connection:
        connection.execute(sa.insert(SESSIONS).values(session_id="s-1", **A_SESSION))
        assert _session_ids(sqlite_database) == []
    assert _session_ids(sqlite_database) == ["s-1"]


def test_a_writing_block_holds_the_lock_from_its_start(tmp_path):
    """Otherwise a block that reads and then writes fails when another wrote in between."""
    first, second = (open_database(tmp_path / "ledger.db", busy_timeout_s=0.01) for _ in range(2))
    with first.write() as connection:
        with pytest.raises(StoreError, match="another process holds a lock on it"):
            _add_session(second, "s-2")
        connection.execute(sa.insert(SESSIONS).values(session_id="s-1", **A_SESSION))
    assert _session_ids(second) == ["s-1"]
    first.close()
    second.close()


@pytest.mark.parametrize(
    ("pragma", "value"),
    [("journal_mode", "wal"), ("synchronous", 1), ("foreign_keys", 1), ("page_size", 16_384), ("busy_timeout", 5_000)],
)
def test_connections_are_set_up(sqlite_database, pragma, value):
    with sqlite_database.read() as connection:
        assert connection.exec_driver_sql(f"PRAGMA {pragma}").scalar() == value


@pytest.fixture
def sqlite_database(tmp_path):
    opened = open_database(tmp_path / "ledger.db")
    yield opened
    opened.close()


def test_a_file_that_is_no_database_is_refused_and_kept(tmp_path):
    path = tmp_path / "ledger.db"
    path.write_bytes(b"these are not the pages you are looking for" * 100)
    before = path.read_bytes()
    with pytest.raises(StoreError, match="damaged or not a SQLite database") as caught:
        open_database(path)
    assert f"mv {path}* {tmp_path}/damaged/" in caught.value.hint
    assert path.read_bytes() == before


@pytest.mark.parametrize("page", [1, 2, 3])
def test_a_damaged_page_is_found_on_open(tmp_path, page):
    path = _made(tmp_path / "ledger.db")
    content = bytearray(path.read_bytes())
    size = int.from_bytes(content[16:18], "big")
    content[page * size : page * size + 64] = b"\xff" * 64
    path.write_bytes(content)
    with pytest.raises(StoreError, match="damaged") as caught:
        open_database(path)
    assert str(path) in caught.value.message
    assert path.read_bytes() == content


def test_a_file_cut_short_is_found_on_open(tmp_path):
    path = _made(tmp_path / "ledger.db")
    path.write_bytes(path.read_bytes()[:-20_000])
    with pytest.raises(StoreError, match="damaged"):
        open_database(path)


def test_a_large_file_is_checked_as_a_whole_only_when_asked(tmp_path, monkeypatch):
    path = _made(tmp_path / "ledger.db")
    content = bytearray(path.read_bytes())
    content[-16_384:] = b"\xff" * 16_384
    path.write_bytes(content)
    monkeypatch.setattr(database_module, "QUICK_CHECK_BYTES", 0)
    opened = open_database(path)
    with pytest.raises(StoreError, match="damaged"):
        opened.check()
    opened.close()


def test_a_lock_that_stays_is_an_error_that_names_the_file(tmp_path):
    path = _made(tmp_path / "ledger.db")
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("PRAGMA locking_mode = EXCLUSIVE")
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(StoreError, match="another process holds a lock on it") as caught:
            open_database(path, busy_timeout_s=0.01)
    assert f"`fuser -v {path}`" in caught.value.hint


def test_a_folder_that_is_a_file_is_an_error_that_names_it(tmp_path):
    (tmp_path / "data").write_text("")
    with pytest.raises(StoreError, match="cannot create the folder"):
        open_database(tmp_path / "data" / "ledger.db")


@pytest.fixture
def readonly_folder():
    """A folder that this process cannot write into; root gives its powers up for the test."""
    folder = Path(tempfile.mkdtemp(prefix="lanewise-readonly-"))
    _made(folder / "old.db")
    for file in folder.iterdir():
        file.chmod(0o444)
    folder.chmod(0o555)
    as_root = os.geteuid() == 0
    if as_root:
        os.seteuid(65534)
    yield folder
    if as_root:
        os.seteuid(0)
    folder.chmod(0o755)
    shutil.rmtree(folder)


@pytest.mark.parametrize("name", ["new.db", "old.db"])
def test_a_folder_that_cannot_be_written_is_an_error_with_advice(readonly_folder, name):
    with pytest.raises(StoreError, match="cannot be written") as caught:
        open_database(readonly_folder / name)
    assert f"`ls -ld {readonly_folder} {readonly_folder / name}`" in caught.value.hint
    assert "LANEWISE_DATA" in caught.value.hint


def test_a_full_disk_is_told_as_such(sqlite_database):
    """SQLite's own limit on pages answers exactly as a disk without room does."""

    def limit(connection, _record):
        connection.execute("PRAGMA max_page_count = 1")

    sqlite_database.engine.dispose()
    sa.event.listen(sqlite_database.engine, "connect", limit)
    with pytest.raises(StoreError, match="the disk is full") as caught:
        _add_session(sqlite_database, "x" * 100_000)
    assert f"`df -h {Path(sqlite_database.name).parent}`" in caught.value.hint
