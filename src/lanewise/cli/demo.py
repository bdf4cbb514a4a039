"""`lanewise demo`: a day of agent traffic through the real gateway, with three simulated providers behind it.

stdout carries the result and nothing else; what happens meanwhile is said on stderr. Nothing outside the data folder
is read or written but the config files that say where that folder is.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from lanewise.config import load
from lanewise.errors import LanewiseError

if TYPE_CHECKING:
    from lanewise.demo.run import Place, Stage
    from lanewise.demo.summary import Summary
    from lanewise.demo.tables import Table as TextTable

DEFAULT_PORT = 4311


class _Failed(click.ClickException):
    """The user can mend it; exit 1."""

    exit_code = 1


@click.command("demo")
@click.option("--once", is_flag=True, help="Exit after the result instead of serving on.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=None,
    help=f"Port of the gateway; 0 takes a free one.  [default: {DEFAULT_PORT}, with --once a free one]",
)
@click.option("--seed", type=int, default=7, show_default=True, help="Another seed is another day.")
def command(*, once: bool, as_json: bool, port: int | None, seed: int) -> None:
    """Play a simulated day of agent traffic and print what routing it saved.

    Three simulated providers (a local engine with a queue, a batch service, a cloud) answer at least 300 calls in the
    shapes of five real agents. Needs no key, no GPU and no network. State is kept where LANEWISE_DATA or the config
    says, otherwise in a temporary folder that is removed at the end.

    `--json` prints one object: calls, simulated, baseline, baseline_cost_usd, cost_usd, saved_share, lanes, skills and
    models (calls, share, cost_usd each), quality (tasks, solved, baseline_solved) and a few more.
    """
    from lanewise.demo.run import Place

    try:
        with _data() as (data, database_url):
            chosen = port if port is not None else 0 if once else DEFAULT_PORT
            place = Place(data=data, database_url=database_url, port=chosen)
            asyncio.run(_demo(place, seed, once=once, as_json=as_json))
    except LanewiseError as error:
        raise _Failed(str(error)) from None


@contextlib.contextmanager
def _data() -> Iterator[tuple[Path, str]]:
    """The data folder and database URL that environment or config name; else a folder for this run only."""
    loaded = load(env=os.environ)
    server = loaded.settings.server
    # Only who names a place for this very run wants the simulated calls in the ledger that lies there.
    database_url = server.database_url if "LANEWISE_DATABASE_URL" in os.environ else ""
    if "LANEWISE_DATA" in os.environ:
        yield Path(server.data).expanduser(), database_url
    elif "server.data" in loaded.origins:
        yield Path(server.data).expanduser() / "demo", database_url
    else:
        with tempfile.TemporaryDirectory(prefix="lanewise-demo-") as folder:
            yield Path(folder), database_url


async def _demo(place: Place, seed: int, *, once: bool, as_json: bool) -> None:
    from lanewise.demo.run import staged

    stop = asyncio.Event()
    with _stopped_by_signal(stop):
        async with staged(seed, place) as stage:
            _say(f"gateway at {stage.url}, state in {place.data}; playing a simulated day")
            summary = await _played_or_stopped(stage, stop)
            if summary is None:
                return
            _show(summary, as_json=as_json)
            if once:
                return
            _say(f"the gateway stays at {stage.url}, config in {place.data / 'demo.toml'}; Ctrl-C ends it")
            await stop.wait()


async def _played_or_stopped(stage: Stage, stop: asyncio.Event) -> Summary | None:
    """The day's summary; None where the user stopped it first."""
    playing = asyncio.create_task(stage.play())
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait({playing, stopping}, return_when=asyncio.FIRST_COMPLETED)
    if playing.done():
        stopping.cancel()
        return await playing
    playing.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await playing
    return None


@contextlib.contextmanager
def _stopped_by_signal(stop: asyncio.Event) -> Iterator[None]:
    """Ctrl-C and SIGTERM set `stop`, so that everything is closed in order."""
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    try:
        yield
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)


def _show(summary: Summary, *, as_json: bool) -> None:
    if as_json:
        import msgspec

        click.echo(msgspec.json.format(msgspec.json.encode(summary), indent=2).decode())
        return
    from lanewise.demo import tables

    click.echo(tables.headline(summary))
    for table in tables.tables(summary):
        click.echo()
        if sys.stdout.isatty():
            _draw(table)
        else:
            click.echo(f"{table.title}\n{tables.plain(table)}")
    click.echo(f"\n{tables.closing(summary)}")


def _draw(table: TextTable) -> None:
    from rich.console import Console
    from rich.table import Table

    drawn = Table(title=table.title, title_justify="left")
    first, *others = table.header
    drawn.add_column(first)
    for name in others:
        drawn.add_column(name, justify="right")
    for row in table.rows:
        drawn.add_row(*row)
    console = Console()
    console.print(drawn, width=min(console.width, 100))


def _say(text: str) -> None:
    click.echo(text, err=True)
