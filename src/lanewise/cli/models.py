"""`lanewise models`: who may answer, where, and at what price."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

import click
import msgspec

from lanewise import app
from lanewise.cli.settings import read
from lanewise.journey import Dialect, Lane, Tier, Value
from lanewise.money import PriceBook, format_usd_per_mtok
from lanewise.router import World
from lanewise.select import Entry


class Model(Value, frozen=True, kw_only=True):
    """One model at one provider."""

    model: str
    provider: str
    lane: Lane
    tier: Tier
    upstream_model: str
    dialects: tuple[Dialect, ...]
    context_tokens: int | None
    """None = unknown."""
    input_pusd: int | None
    """Pico-dollars per uncached prompt token; None = unknown."""
    output_pusd: int | None
    key: Literal["set", "missing", "none needed", "the caller's"]
    """Whether there is a credential: ours, ours but not in the environment, none needed, or the client's own."""


class Listing(Value, frozen=True, kw_only=True):
    """Schema of `--json`."""

    prices: str
    """Id of the price list."""
    models: tuple[Model, ...]
    aliases: dict[str, str]
    providers: dict[str, tuple[Dialect, ...]]
    """Providers and their dialects: a model that nobody configured goes to the first that speaks the client's."""


@click.command("models")
@click.option("--config", type=click.Path(path_type=Path), help="Read only this file.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON; prices in pico-dollars per token.")
def command(*, config: Path | None, as_json: bool) -> None:
    """List the configured models, and those that servers on this machine offer.

    Prices are US dollars per million tokens, at the list price without cache or batch. A model that is not listed
    can still be named by a client: it goes, as named, to the first provider that speaks the client's dialect.

    \b
    Example:
      lanewise models --json
    """  # noqa: D301  click reads the character itself: it keeps the lines that follow
    settings = read(config=config).settings
    prices = PriceBook.load(app.data_dir(settings))
    world = World(settings, os.environ, prices)
    listing = Listing(
        prices=prices.snapshot,
        models=tuple(_model(entry, world) for entry in world.catalog.entries),
        aliases=settings.aliases,
        providers={name: provider.dialects for name, provider in world.providers.items()},
    )
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(listing), indent=2).decode())
        return
    if listing.models:
        click.echo("\n".join(_table(listing.models)))
        click.echo(f"US dollars per million tokens, price list {prices.snapshot}", err=True)
    else:
        click.echo("no model is configured: see docs/guides/several-providers.md", err=True)
    for alias, model in settings.aliases.items():
        click.echo(f"{alias} stands for {model}", err=True)
    providers = ", ".join(f"{name} ({', '.join(spoken)})" for name, spoken in listing.providers.items()) or "none"
    click.echo(f"other names go to the first provider of the client's dialect: {providers}", err=True)


def _model(entry: Entry, world: World) -> Model:
    candidate, price = entry.candidate, entry.price
    provider = world.providers[candidate.provider]
    key: Literal["set", "missing", "none needed", "the caller's"] = "the caller's"
    if provider.api_key_env:
        key = "set" if world.env.get(provider.api_key_env) else "missing"
    elif provider.lane == "local":
        key = "none needed"
    return Model(
        model=candidate.model,
        provider=candidate.provider,
        lane=candidate.lane,
        tier=candidate.tier,
        upstream_model=candidate.upstream_model,
        dialects=entry.dialects,
        context_tokens=entry.context_tokens,
        input_pusd=price.base.input_pusd if price else None,
        output_pusd=price.base.output_pusd if price else None,
        key=key,
    )


def _table(models: tuple[Model, ...]) -> list[str]:
    rows = [("model", "provider", "lane", "tier", "context", "in", "out", "key")]
    for model in models:
        context = "unknown" if model.context_tokens is None else f"{model.context_tokens:,}"
        rates = (_rate(model.input_pusd), _rate(model.output_pusd))
        rows.append((model.model, model.provider, model.lane, model.tier, context, *rates, model.key))
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    right = {4, 5, 6}  # the numbers
    return [
        "  ".join(
            cell.rjust(width) if column in right else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]


def _rate(rate_pusd: int | None) -> str:
    return "unknown" if rate_pusd is None else format_usd_per_mtok(rate_pusd)
