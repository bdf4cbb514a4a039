"""The databases of the store's contract tests, for the ledger's."""

import sys
from pathlib import Path

# Test folders are no packages: a helper of another folder is found by its path.
sys.path.insert(0, str(Path(__file__).parents[1] / "store"))

import pytest
from postgres_wheel import postgres_server

from lanewise.store import open_database


@pytest.fixture(scope="session")
def new_postgres():
    with postgres_server() as new_database:
        yield new_database


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def database(request, tmp_path):
    location = request.getfixturevalue("new_postgres")() if request.param == "postgres" else tmp_path / "ledger.db"
    opened = open_database(location)
    yield opened
    opened.close()


@pytest.fixture
def sqlite(tmp_path):
    opened = open_database(tmp_path / "ledger.db")
    yield opened
    opened.close()
