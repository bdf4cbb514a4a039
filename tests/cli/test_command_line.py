"""What holds for every command: help with an example, exit codes, and data apart from talk."""

import subprocess
import sys

import click
import pytest

from lanewise.cli import COMMANDS, lanewise


def every_command(group=lanewise, path=()):
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if isinstance(command, click.Group):
            yield from every_command(command, (*path, name))
        else:
            yield pytest.param((*path, name), command, id=" ".join((*path, name)))


@pytest.mark.parametrize(("path", "command"), list(every_command()))
def test_every_command_explains_itself_and_its_options(run, path, command):
    result = run(*path, "--help")
    assert result.exit_code == 0
    assert command.help
    assert all(option.help for option in command.params if isinstance(option, click.Option))


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_is_named_as_it_is_called(name):
    assert lanewise.get_command(click.Context(lanewise), name).name == name


def test_usage_errors_exit_2_and_refused_input_exits_1(run, home):
    assert run("connect", "nobody").exit_code == 2
    assert run("nothing").exit_code == 2
    (home / "lanewise.toml").write_text("[server]\nprot = 1\n")
    result = run("models")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "lanewise.toml:2" in result.stderr


def test_help_and_version_import_no_command():
    code = (
        "import sys; sys.argv = ['lanewise', '--version']\n"
        "from lanewise.cli import main\n"
        "try: main()\nexcept SystemExit: pass\n"
        "print([m for m in ('sqlalchemy', 'starlette', 'uvicorn', 'lanewise.router', 'lanewise.cli.agents') "
        "if m in sys.modules])"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.splitlines()[-1] == "[]"


def test_report_reads_the_ledger_that_the_config_names(run, home):
    (home / "lanewise.toml").write_text('[server]\ndata = "kept"\n')
    assert str(home / "kept" / "ledger.db") in run("report").stdout
    assert str(home / "other" / "ledger.db") in run("report", "--data", home / "other").stdout
    (home / "two.toml").write_text(f'[server]\ndatabase_url = "sqlite:///{home}/two.db"\n')
    assert run("report", "--config", home / "two.toml", "--json").exit_code == 0
