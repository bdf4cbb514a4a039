"""`lanewise config`: what the configuration says and where each value comes from, its mistakes, and its schema."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import click
import msgspec

from lanewise.cli.settings import checked, read
from lanewise.config import Settings, schema
from lanewise.errors import ConfigError

_HIDDEN: Final = "(hidden)"
_USER_INFO: Final = re.compile(r"(?<=://)[^/@\s]*@")
_SECRET_PARAMETER: Final = re.compile(r"(?i)((?:password|passwd|secret|token|key)=)[^&\s]+")


@click.group("config")
def command() -> None:
    """Show the configuration with its origins, check it, print its schema."""


@command.command("show")
@click.option("--origin", is_flag=True, help="Say where each value comes from.")
@click.option("--config", type=click.Path(path_type=Path), help="Read only this file.")
@click.option("--json", "as_json", is_flag=True, help="Print settings, origins and files as JSON.")
def show(*, origin: bool, config: Path | None, as_json: bool) -> None:
    """Print every setting in force, defaults included. Hashes of keys and passwords in URLs are hidden.

    Without a configured provider, those of the environment and of this machine are shown, as `serve` would use them.

    \b
    Example:
      lanewise config show --origin
    """  # noqa: D301  click reads the character itself: it keeps the lines that follow
    loaded = read(config=config)
    values = dict(_leaves(_plain(loaded.settings)))
    sources = {dotted: loaded.origins[dotted].source if dotted in loaded.origins else "" for dotted in values}
    found = {dotted: sources[dotted] or _unstated(dotted, loaded.origins) for dotted in values}
    if as_json:
        document = {"settings": _plain(loaded.settings), "origins": found, "files": [str(f) for f in loaded.files]}
        click.echo(msgspec.json.format(msgspec.json.encode(document), indent=2).decode())
        return
    for dotted, value in values.items():
        line = f"{dotted} = {msgspec.json.encode(value).decode()}"
        click.echo(f"{line}  # {found[dotted]}" if origin else line)
    files = ", ".join(str(path) for path in loaded.files) or "none"
    click.echo(f"files read: {files}", err=True)


@command.command("check")
@click.argument("file", required=False, type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print the mistakes as JSON.")
def check(*, file: Path | None, as_json: bool) -> None:
    """Check FILE, or the configuration as `serve` would read it; print each mistake as file:line and exit 1.

    \b
    Example:
      lanewise config check lanewise.toml
    """  # noqa: D301  click reads the character itself: it keeps the lines that follow
    try:
        files = checked(config=file).files
    except ConfigError as error:
        problems = error.problems
    else:
        problems = []
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode({"ok": not problems, "problems": problems})).decode())
    elif problems:
        click.echo("\n".join(problems))
    else:
        click.echo(
            f"no mistake in {', '.join(str(path) for path in files) or 'the defaults: there is no file'}", err=True
        )
    if problems:
        raise click.exceptions.Exit(1)


@command.command("schema")
def print_schema() -> None:
    """Print the JSON Schema of lanewise.toml, for editors.

    \b
    Example:
      lanewise config schema > lanewise.schema.json
    """  # noqa: D301  click reads the character itself: it keeps the lines that follow
    click.echo(msgspec.json.format(msgspec.json.encode(schema()), indent=2).decode())


def _plain(settings: Settings) -> dict[str, Any]:
    """The settings as JSON with whatever is secret hidden. Any: every setting has a type of its own."""
    document: dict[str, Any] = msgspec.to_builtins(settings)
    for row in document["keys"].values():
        row["hash"] = f"sha256:{_HIDDEN}"
    document["server"]["database_url"] = _without_secrets(document["server"]["database_url"])
    for row in document["providers"].values():
        row["base_url"] = _without_secrets(row["base_url"])
    if hosted := document["classify"]["hosted"]:
        hosted["url"] = _without_secrets(hosted["url"])
    return document


def _without_secrets(url: str) -> str:
    return _SECRET_PARAMETER.sub(rf"\1{_HIDDEN}", _USER_INFO.sub(f"{_HIDDEN}@", url))


def _leaves(document: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in document.items():
        if isinstance(value, dict) and value:
            yield from _leaves(value, f"{prefix}{key}.")
        elif value != {}:
            yield f"{prefix}{key}", value


def _unstated(dotted: str, origins: dict[str, Any]) -> str:
    """Why a value stands there that nobody stated. Any: only the keys matter."""
    section = dotted.partition(".")[0]
    found = section in {"providers", "models"} and not any(name.startswith("providers.") for name in origins)
    return "found in the environment or on this machine" if found else "default"
