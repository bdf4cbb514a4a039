"""`lanewise doctor`: what stands in the way of serving calls, each finding with the command that mends it."""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Iterator
from pathlib import Path

import click
import msgspec

from lanewise.cli import checks
from lanewise.cli.checks import Check
from lanewise.cli.settings import read
from lanewise.errors import ConfigError


class Diagnosis(msgspec.Struct, frozen=True, kw_only=True):
    """Schema of `--json`."""

    ok: bool
    """Nothing failed."""
    checks: tuple[Check, ...]


@click.command("doctor")
@click.option("--config", type=click.Path(path_type=Path), help="Read only this file.")
@click.option("--json", "as_json", is_flag=True, help="Print the findings as JSON.")
def command(*, config: Path | None, as_json: bool) -> None:
    """Check configuration, data folder, ledger, prices, clock, port, providers and agents; exit 1 if one failed.

    Costs nothing: of a provider only the head of its base URL is asked for, without a credential. `note` is worth
    knowing and no failure.

    \b
    Example:
      lanewise doctor
    """  # noqa: D301  click reads the character itself: it keeps the lines that follow
    found = tuple(_found(config))
    ok = all(check.state != "failed" for check in found)
    if as_json:
        diagnosis = Diagnosis(ok=ok, checks=found)
        click.echo(msgspec.json.format(msgspec.json.encode(diagnosis), indent=2).decode())
    else:
        click.echo("\n".join(_lines(found)))
    if not ok:
        raise click.exceptions.Exit(1)


def _found(config: Path | None) -> Iterator[Check]:
    try:
        loaded = read(config=config)
    except ConfigError as error:
        for problem in error.problems:
            yield Check(name="config", state="failed", what=problem, run="lanewise config check")
        return
    files = ", ".join(str(path) for path in loaded.files)
    yield Check(name="config", state="ok", what=files or "no file: providers come from the environment")
    now, settings = dt.datetime.now(dt.UTC), loaded.settings
    stated = frozenset(n for n in settings.providers if any(o.startswith(f"providers.{n}.") for o in loaded.origins))
    yield checks.folder(settings)
    yield checks.ledger(settings)
    yield from checks.prices(settings, now)
    yield checks.port(settings)
    yield from checks.providers(settings, stated, os.environ, now)
    yield from checks.agents(settings, os.environ, Path.home())


def _lines(found: tuple[Check, ...]) -> Iterator[str]:
    width = max(len(check.name) for check in found)
    for check in found:
        yield f"{check.state:<6}  {check.name:<{width}}  {check.what}"
        if check.run:
            yield f"{'':<6}  {'':<{width}}  run: {check.run}"
