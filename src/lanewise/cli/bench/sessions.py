"""`lanewise bench sessions`: stay or switch on synthetic sessions, beside never switching and following the scorer."""

from __future__ import annotations

import json
from typing import Any

import click

from lanewise.money import PUSD_PER_USD, PriceBook
from lanewise.simulate.compare import Compared, compare
from lanewise.simulate.profiles import World

VARIANTS = {
    "as stated": World(),
    "idle x 0.1": World(idle=0.1),
    "idle x 10": World(idle=10.0),
    "easier tasks": World(hardness=-0.15),
    "harder tasks": World(hardness=0.15),
    "scorer that does not waver": World(noise=0.0),
}
"""Rows of the sensitivity table."""


@click.command("sessions")
@click.option("--sessions", type=click.IntRange(min=6), default=10_000, show_default=True, help="How many.")
@click.option(
    "--seed",
    type=click.IntRange(min=0),
    default=1,
    show_default=True,
    help="The same seed gives the same figures anywhere.",
)
@click.option(
    "--max-switch-overhead", type=click.FloatRange(min=0, max=1), default=0.05, show_default=True, help="The cap."
)
@click.option("--sensitivity", is_flag=True, help="Also with other assumptions, a tenth of the sessions each.")
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
def command(*, sessions: int, seed: int, max_switch_overhead: float, sensitivity: bool, as_json: bool) -> None:
    """Play synthetic sessions with a model of prompt caches and the shipped prices. Sends nothing.

    Exit code 1 where ours costs as much as never switching or following the scorer in any client profile, switches
    inside a tool loop, or breaks the promise. `--sensitivity` decides nothing.

    \b
    Example:
      lanewise bench sessions --sensitivity
    """  # noqa: D301  click reads the character itself: it keeps the lines that follow
    book = PriceBook.load()
    rows = compare(sessions=sessions, seed=seed, share=max_switch_overhead, world=World(), book=book)
    others = {
        name: compare(sessions=max(60, sessions // 10), seed=seed, share=max_switch_overhead, world=world, book=book)
        for name, world in (VARIANTS.items() if sensitivity else ())
    }
    if as_json:
        made = {
            "data": "synthetic",
            "sessions": sessions,
            "seed": seed,
            "prices": book.snapshot,
            "max_switch_overhead": max_switch_overhead,
            "profiles": [_json(row, max_switch_overhead) for row in rows],
            "sensitivity": {
                name: [_json(row, max_switch_overhead) for row in compared] for name, compared in others.items()
            },
        }
        click.echo(json.dumps(made, indent=2))
    else:
        click.echo(
            f"{sessions:,} synthetic sessions, seed {seed}, prices {book.snapshot}, cap {max_switch_overhead:.1%}\n"
        )
        click.echo(_table(rows, max_switch_overhead))
        if others:
            click.echo("\nours in cost against never / scorer, by assumption\n")
            click.echo(_sensitivity(others))
    if any(row.failures(max_switch_overhead) for row in rows):
        raise click.exceptions.Exit(1)


def _json(row: Compared, share: float) -> dict[str, Any]:  # JSON
    return {
        "client": row.client,
        "sessions": row.sessions,
        "failures": list(row.failures(share)),
        "policies": {
            name: {
                "cost_usd_per_session": total.cost_pusd_per_session / PUSD_PER_USD,
                "calls": total.calls,
                "retries": total.retries,
                "switches": total.switches,
                "unsafe_switches": total.unsafe,
                "overhead_share_max": total.overhead_share_max,
                "forced_share": total.forced_share,
            }
            for name, total in row.policies.items()
        },
    }


def _table(rows: tuple[Compared, ...], share: float) -> str:
    head = f"{'client':<12} {'policy':<9} {'$/session':>9} {'retries':>8} {'switches':>8} {'unsafe':>7}"
    lines = [f"{head} {'overhead max':>12} {'forced':>7}"]
    for row in rows:
        for name, total in row.policies.items():
            lines.append(
                f"{row.client:<12} {name:<9} {total.cost_pusd_per_session / PUSD_PER_USD:>9.4f} {total.retries:>8,}"
                f" {total.switches:>8,} {total.unsafe:>7,} {total.overhead_share_max:>12.1%} {total.forced_share:>7.1%}"
            )
        lines.extend(f"{row.client:<12} FAILED: {failure}" for failure in row.failures(share))
    return "\n".join(lines)


def _sensitivity(others: dict[str, tuple[Compared, ...]]) -> str:
    clients = [row.client for row in next(iter(others.values()))]
    lines = [f"{'':<27}" + "".join(f"{client:>14}" for client in clients)]
    for name, rows in others.items():
        cells = []
        for row in rows:
            cost = {policy: total.cost_pusd_per_session for policy, total in row.policies.items()}
            cells.append(f"{cost['ours'] / cost['never'] - 1:+.0%} /{cost['ours'] / cost['scorer'] - 1:+.0%}")
        lines.append(f"{name:<27}" + "".join(f"{cell:>14}" for cell in cells))
    return "\n".join(lines)
