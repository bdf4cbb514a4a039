"""`lanewise keys`: a key for callers of a gateway that others can reach; shown once, and only its hash is kept."""

from __future__ import annotations

import hashlib
import re
import secrets
from pathlib import Path

import click
import msgspec

from lanewise.cli.refused import Refused
from lanewise.cli.settings import read

PREFIX = "lw-"
"""Tells a Lanewise key from a provider's in a leak scanner's report."""

_KEY_BYTES = 32


class Created(msgspec.Struct, frozen=True, kw_only=True):
    """Schema of `keys create --json`."""

    name: str
    key: str
    hash: str
    toml: str


@click.group("keys")
def command() -> None:
    """Make a key for callers of a gateway that others can reach."""


@command.command("create")
@click.argument("name")
@click.option("--config", type=click.Path(path_type=Path), help="Read only this file.")
@click.option("--json", "as_json", is_flag=True, help="Print name, key, hash and TOML as JSON.")
def create(name: str, *, config: Path | None, as_json: bool) -> None:
    """Print a fresh key for NAME once, and the rows with its hash for lanewise.toml.

    Nothing is stored: without the rows in the configuration the key opens nothing, and a lost key is replaced by a
    new one. The caller sends it as the API key of its client, or in the header x-lanewise-key.

    \b
    Example:
      lanewise keys create ci
    """  # noqa: D301  click reads the character itself: it keeps the lines that follow
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,64}", name):
        raise Refused(f"{name!r} is no name for a key", hint="use up to 64 letters, digits, `-` and `_`")
    if name in read(config=config, discover=False).settings.keys:
        raise Refused(f"there is a key {name!r} already", hint=f"take another name, or remove [keys.{name}] first")
    key = PREFIX + secrets.token_urlsafe(_KEY_BYTES)
    digest = "sha256:" + hashlib.sha256(key.encode()).hexdigest()
    made = Created(name=name, key=key, hash=digest, toml=f'[keys.{name}]\nhash = "{digest}"\n')
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(made), indent=2).decode())
        return
    click.echo(f"{key}\n")
    click.echo(made.toml, nl=False)
    click.echo("the first line is the key: hand it to the caller, it is not shown again", err=True)
    click.echo("put the other lines into lanewise.toml; a running gateway reloads the file", err=True)
