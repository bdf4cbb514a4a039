"""The whole command line in a home of its own: real files, real exit codes, an environment with nothing else in it."""

import os
import sys

import pytest
from click.testing import CliRunner

import lanewise.cli


class _Whole:
    """`lanewise` as the shell runs it, for CliRunner: errors become exit codes in `main`."""

    name = "lanewise"

    def main(self, args, prog_name, **_):
        before, sys.argv = sys.argv, [prog_name, *args]
        try:
            lanewise.cli.main()
        finally:
            sys.argv = before


@pytest.fixture
def home(tmp_path, monkeypatch):
    """An empty home that is also the current folder; of the environment only PATH is kept."""
    folder = tmp_path / "home"
    folder.mkdir()
    for name in list(os.environ):
        if name != "PATH":
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(folder))
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def run(home):
    """Run `lanewise` with these arguments."""

    def command(*arguments, stdin=None):
        return CliRunner().invoke(_Whole(), [str(argument) for argument in arguments], input=stdin)

    return command
