"""Databases for the contract tests: each test runs on SQLite and, where it is asked for, on Postgres."""

import pytest
from postgres_wheel import postgres_server

from lanewise.store import open_database


@pytest.fixture(scope="session")
def new_postgres():
    with postgres_server() as new_database:
        yield new_database


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def location(request, tmp_path):
    """Where a database can be opened that does not exist yet."""
    if request.param == "postgres":
        return request.getfixturevalue("new_postgres")()
    return tmp_path / "ledger.db"


@pytest.fixture
def database(location):
    opened = open_database(location)
    yield opened
    opened.close()
