"""`lanewise bench`: what routing saves and what it costs in quality, on outcomes that are known. Sends nothing.

One file per bench; each prints its yardsticks beside its own figure.
"""

from __future__ import annotations

import importlib

import click

BENCHES: dict[str, str] = {
    "sessions": "Stay or switch, on synthetic sessions with prompt caches and the shipped prices.",
    "routing": "What routing saves against a baseline on single tasks, with a lower bound of the quality kept.",
    "cascade": "Cheap answer, check, accept or escalate: saving by how often the check errs.",
}
"""Bench, which is also its module in this folder, -> one line of help."""


class Lazy(click.Group):
    """A group that imports a bench when it is run."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The benches."""
        del ctx
        return list(BENCHES)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the bench, or None if there is none of this name."""
        del ctx
        if cmd_name not in BENCHES:
            return None
        module = importlib.import_module(f"lanewise.cli.bench.{cmd_name}")
        command: click.Command = module.command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the benches without importing them."""
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl(list(BENCHES.items()))


@click.group("bench", cls=Lazy)
def command() -> None:
    """Measure the decisions: what they save, and whether quality holds, on outcomes that are known."""
