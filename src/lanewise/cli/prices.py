"""`lanewise prices`: show the price list, replace it by a later one, see what changed.

Reads files only. The network is left to the caller's own tools, so that a price never changes because a command was
run. It knows nothing of the config: prices stated there are not part of the list.
"""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import click
import msgspec

from lanewise.errors import LanewiseError
from lanewise.journey import Value
from lanewise.money import (
    MAX_RATIO,
    USER_FILE,
    ModelPrice,
    PriceBook,
    PriceDiff,
    RateChange,
    Snapshot,
    diff,
    encode,
    format_usd_per_mtok,
    prune,
)

_NAME_WIDTH = 44

_FROM_HELP = "LiteLLM's model_prices_and_context_window.json, or - for standard input."


class _Failed(click.ClickException):
    """The input was refused; exit 1, the message on stderr."""

    exit_code = 1


class PriceList(Value, frozen=True, kw_only=True):
    """Schema of `prices show --json`. Rates are pico-dollars (10^-12 USD) per token."""

    snapshot: str
    prices: tuple[ModelPrice, ...]


@click.group("prices")
def command() -> None:
    """Model prices: show them, update them, compare them."""


@command.command()
@click.argument("models", nargs=-1, metavar="[MODEL]...")
@click.option("--json", "as_json", is_flag=True, help="Print every rate, tier and clock window as JSON.")
def show(models: tuple[str, ...], *, as_json: bool) -> None:
    """Print the price of each MODEL, or of all, in US dollars per million tokens."""
    book = _book()
    found = _find_all(book, models or book.names())
    if as_json:
        _print_json(PriceList(snapshot=book.snapshot, prices=found))
        return
    click.echo(f"{'model':<{_NAME_WIDTH}}{'input':>9}{'output':>9}{'read':>9}{'write':>9}{'batch in/out':>16}")
    for price in found:
        click.echo(_show_line(price))
    click.echo(f"{len(found)} models, US dollars per million tokens, price list {book.snapshot}", err=True)
    click.echo("t: other rates for long prompts, c: cheaper by the clock, r: rise announced", err=True)


@command.command(name="diff")
@click.option("--from", "source", type=click.File("rb"), required=True, help=_FROM_HELP)
@click.option("--json", "as_json", is_flag=True, help="Print the differences as JSON, pico-dollars per token.")
def diff_(source: BinaryIO, *, as_json: bool) -> None:
    """Compare the price list in use with another one. Changes nothing."""
    current = _book().prices
    found = _compare(current, _read_map(source, _today()))
    if as_json:
        _print_json(found)
        return
    for name in found.added:
        click.echo(f"+ {name}")
    for name in found.removed:
        click.echo(f"- {name}")
    for change in found.changes:
        click.echo(_change_line(change))
    click.echo(_summary(found), err=True)


@command.command()
@click.option("--from", "source", type=click.File("rb"), required=True, help=_FROM_HELP)
@click.option(
    "--date",
    "published",
    type=click.DateTime(["%Y-%m-%d"]),
    help="Day the list was published; today where left out.",
)
@click.option("--yes", is_flag=True, help=f"Accept rates that move by more than a factor of {MAX_RATIO}.")
def update(source: BinaryIO, published: dt.datetime | None, *, yes: bool) -> None:
    """Replace the price list by the one in a file. Opens no connection: fetch the file yourself."""
    current = _list_to_replace()
    fresh = _read_map(source, published.date() if published else _today())
    if fresh.date < current.date:
        raise _Failed(f"the file is dated {fresh.date}, the list in use {current.date}: keeping the later one")
    found = _compare(current, fresh)
    if found.jumps and not yes:
        lines = "\n".join(_change_line(change) for change in found.jumps)
        hint = "check them at the vendor's price page, then repeat with `--yes`"
        raise _Failed(f"{len(found.jumps)} rates move by more than {MAX_RATIO} x:\n{lines}\n\nhint: {hint}")
    path = _data_dir() / USER_FILE
    _write(path, fresh)
    click.echo(f"{_summary(found)}, written to {path}", err=True)
    click.echo(fresh.id)


@contextmanager
def _refusing() -> Iterator[None]:
    """Our errors become the command's: message and hint on stderr, exit 1."""
    try:
        yield
    except LanewiseError as error:
        raise _Failed(str(error)) from error


def _book() -> PriceBook:
    with _refusing():
        return PriceBook.load(_data_dir())


def _list_to_replace() -> Snapshot:
    """The list in use; the shipped one where the user's cannot be read, so that `update` mends it."""
    try:
        return PriceBook.load(_data_dir()).prices
    except LanewiseError as error:
        click.echo(f"warning: {error}", err=True)
        return PriceBook.load().prices


def _data_dir() -> Path:
    return Path(os.environ.get("LANEWISE_DATA") or "~/.local/share/lanewise").expanduser()


def _today() -> dt.date:
    return dt.datetime.now(dt.UTC).date()


def _read_map(source: BinaryIO, date: dt.date) -> Snapshot:
    with _refusing():
        return prune(source.read(), date=date)


def _compare(before: Snapshot, after: Snapshot) -> PriceDiff:
    with _refusing():
        return diff(before, after)


def _find_all(book: PriceBook, models: Iterable[str]) -> tuple[ModelPrice, ...]:
    with _refusing():
        found = {model: book.find(model) for model in models}
    missing = [repr(model) for model, price in found.items() if price is None]
    if missing:
        raise _Failed(
            f"no price for {', '.join(missing)}\n\nhint: `lanewise prices show` lists every name; "
            "a price of your own goes into the config as `models.NAME.price`"
        )
    return tuple(price for price in found.values() if price is not None)


def _write(path: Path, snapshot: Snapshot) -> None:
    """Put the file in place whole: a reader sees the old list or the new one."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(".part")
        with part.open("wb") as file:
            file.write(encode(snapshot))
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except OSError as error:
        raise _Failed(f"cannot write {path}: {error}") from error


def _show_line(price: ModelPrice) -> str:
    base, batch = price.base, price.batch
    halves = f"{format_usd_per_mtok(batch.input_pusd)}/{format_usd_per_mtok(batch.output_pusd)}" if batch else "-"
    columns = (base.input_pusd, base.output_pusd, base.cache_read_pusd, base.cache_write_5m_pusd)
    figures = "".join(f"{format_usd_per_mtok(figure):>9}" for figure in columns)
    return f"{_clip(price.model):<{_NAME_WIDTH}}{figures}{halves:>16}{_mark(price)}"


def _mark(price: ModelPrice) -> str:
    """One letter for each way in which the price is not all there is to it; `--json` has the rest."""
    marks = "".join(
        letter for letter, holds in (("t", price.tiers), ("c", price.off_peak), ("r", price.rises)) if holds
    )
    return f" {marks}" if marks else ""


def _clip(name: str) -> str:
    return name if len(name) < _NAME_WIDTH else f"…{name[2 - _NAME_WIDTH :]}"


def _change_line(change: RateChange) -> str:
    before, after = format_usd_per_mtok(change.before_pusd), format_usd_per_mtok(change.after_pusd)
    warning = f"  more than {MAX_RATIO} x" if change.is_jump else ""
    return f"~ {change.model} {change.rate}: {before} -> {after}{warning}"


def _summary(found: PriceDiff) -> str:
    return (
        f"{found.before} -> {found.after}: {len(found.added)} models added, {len(found.removed)} removed, "
        f"{len(found.changes)} rates changed, {len(found.jumps)} by more than {MAX_RATIO} x"
    )


def _print_json(value: Value) -> None:
    click.echo(msgspec.json.format(msgspec.json.encode(value), indent=2).decode())
