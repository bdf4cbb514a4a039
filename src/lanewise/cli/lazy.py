"""A group of commands that imports a command's module when the command is run, so that `--help` imports nothing."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any

import click


class Lazy(click.Group):
    """Commands by name, each the `command` of a module of its name in one package."""

    def __init__(self, *args: Any, package: str, commands: Mapping[str, str], **settings: Any) -> None:
        """Take a group's arguments, which are click's.

        Args:
            args: See `click.Group`.
            package: Where the modules are.
            commands: Name -> one line of help, in the order in which they are listed.
            settings: See `click.Group`.
        """
        super().__init__(*args, **settings)
        self._package = package
        self._help = commands

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The commands in their order."""
        del ctx
        return list(self._help)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the command, or None if there is none of this name."""
        del ctx
        if cmd_name not in self._help:
            return None
        module = importlib.import_module(f"{self._package}.{cmd_name}")
        command: click.Command = module.command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands without importing them."""
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl(list(self._help.items()))
