"""`lanewise bench`: what routing saves and what it costs in quality, on outcomes that are known. Sends nothing.

One file per bench; each prints its yardsticks beside its own figure.
"""

from __future__ import annotations

import click

from lanewise.cli.lazy import Lazy

BENCHES: dict[str, str] = {
    "sessions": "Stay or switch, on synthetic sessions with prompt caches and the shipped prices.",
    "routing": "What routing saves against a baseline on single tasks, with a lower bound of the quality kept.",
    "cascade": "Cheap answer, check, accept or escalate: saving by how often the check errs.",
}
"""Bench, which is also its module in this folder, -> one line of help."""


@click.group("bench", cls=Lazy, package=__name__, commands=BENCHES)
def command() -> None:
    """Measure the decisions: what they save, and whether quality holds, on outcomes that are known."""
