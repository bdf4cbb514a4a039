"""`lanewise learn label`: a frontier model labels turns, offline; the price is shown before anything is sent."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from pathlib import Path

import click
import msgspec

from lanewise import app
from lanewise.cli.refused import Refused
from lanewise.cli.settings import read
from lanewise.errors import UpstreamError
from lanewise.learn import label as labelling
from lanewise.learn.label import Kept, Reader, Tally, Target
from lanewise.learn.student.rows import lines_of
from lanewise.learn.turns import Turn
from lanewise.money import PriceBook, format_usd
from lanewise.router import World
from lanewise.upstream import HttpTransport

FILE = click.Path(path_type=Path, dir_okay=False)


@click.command("label")
@click.option(
    "--pool",
    type=FILE,
    required=True,
    help="Turns, {id, prompt, prev_prompts, prev_answer_head, prev_answer_tail} a line.",
)
@click.option("--out", type=FILE, required=True, help="Where labels are added; its turns are not asked about again.")
@click.option("--model", required=True, help="A configured model that is served in Messages or Chat.")
@click.option("--config", type=click.Path(path_type=Path), help="Read only this file.")
@click.option("--limit", type=click.IntRange(min=1), help="Ask about at most this many turns.")
@click.option("--yes", is_flag=True, help="Send them; without it only the price is shown.")
def label(*, pool: Path, out: Path, model: str, config: Path | None, limit: int | None, yes: bool) -> None:
    """Have a frontier model label turns, offline. Their texts are sent to its provider, which costs money.

    The expected price is shown first, and nothing is sent without --yes. Labels are written as they come: a run that
    was stopped goes on when it is started again. A line that is no label is told, and its turn stays without one.

    \b
    Example:
      lanewise learn label --pool turns.jsonl --out labels.jsonl --model claude-opus-5-5 --yes
    """  # noqa: D301  click reads the character itself: it keeps the lines that follow
    kept = labelling.kept_in(out.read_bytes(), str(out)) if out.exists() else Kept()
    turns = labelling.unlabelled(lines_of(pool, Turn), kept, str(out))[:limit]
    if not turns:
        click.echo(f"{out}: every turn has a label", err=True)
        return
    settings = read(config=config).settings
    world = World(settings, os.environ, PriceBook.load(app.data_dir(settings)))
    target = labelling.target_of(world, model)
    transport = HttpTransport(connect_s=settings.upstream.connect_s)
    reader = Reader(target, env=os.environ, transport=transport, upstream=settings.upstream)
    _show_plan(turns, target)
    if not yes:
        raise Refused("nothing was sent", hint="add --yes to send these turns")
    tally = Tally(target.entry.price, app.utcnow)
    why = asyncio.run(_asked(turns, out, kept, reader, tally))
    unknown = f" and {tally.unknown} answers of unknown cost" if tally.unknown else ""
    click.echo(f"{out}: {tally.labels:,} labels, {tally.bad} bad lines, paid {format_usd(tally.cost_pusd)}{unknown}")
    if tally.labels < len(turns):
        raise Refused(
            why or f"{len(turns) - tally.labels} turns have no label",
            hint="run the same command again: it asks about the turns without a label only",
        )


def _show_plan(turns: Sequence[Turn], target: Target) -> None:
    usage = labelling.expected(turns)
    price = labelling.price_of(usage, target.entry.price, app.utcnow())
    usd = format_usd(price.total_pusd if price else None)
    click.echo(
        f"{len(turns):,} turns to {target.entry.candidate.model} at {target.provider.name}: about"
        f" {usage.input_tokens:,} tokens in, {usage.output_tokens:,} out, {usd}",
        err=True,
    )


async def _asked(turns: Sequence[Turn], out: Path, kept: Kept, reader: Reader, tally: Tally) -> str:
    """Ask about all turns, keep each answer's labels; why it ended early, empty where it did not."""
    with out.open("ab") as file:
        before = file.tell()
        file.truncate(min(before, len(kept.content)))
        file.write(kept.content[before:])  # the end of a last line without one
        for chunk in labelling.chunks_of(turns):
            try:
                told = await reader.ask(chunk)
            except UpstreamError as error:
                tally.lost(error)
                return f"stopped after {tally.labels} of {len(turns)} turns: {error.message}"
            file.writelines(msgspec.json.encode(found) + b"\n" for found in told.labels)
            file.flush()
            os.fsync(file.fileno())  # it is paid for
            tally.add(told)
            for line in told.bad:
                click.echo(f"bad line {line}", err=True)
    return ""
