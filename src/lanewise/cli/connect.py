"""`lanewise connect`: the one setting that makes an agent speak to the gateway, written, shown or taken back."""

from __future__ import annotations

import difflib
import os
import re
import socket
from pathlib import Path
from urllib.parse import urlsplit

import click
import msgspec

from lanewise.cli.agents import AGENTS, Agent, Change, apply, connecting, undoing
from lanewise.cli.settings import gateway_url, read


class Connection(msgspec.Struct, frozen=True, kw_only=True):
    """Schema of `--json`."""

    agent: str
    url: str
    """Base URL of the gateway, without `/v1`."""
    path: str | None
    """The settings file; null for an agent that is set up by hand."""
    action: str
    """`written`, `removed`, `unchanged`, `shown` (with --print) or `by_hand`."""
    detail: str
    diff: str
    steps: tuple[str, ...]
    """What is left to do by hand."""


@click.command("connect")
@click.argument("agent", type=click.Choice(tuple(AGENTS)))
@click.option("--print", "show", is_flag=True, help="Print the change as a diff and write nothing.")
@click.option("--undo", is_flag=True, help="Take the connection back; an untouched file gets its old bytes.")
@click.option("--url", help="Base URL of the gateway [default: from the configuration, http://127.0.0.1:4311].")
@click.option("--config", type=click.Path(path_type=Path), help="Read only this file.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def command(agent: str, *, show: bool, undo: bool, url: str | None, config: Path | None, as_json: bool) -> None:
    """Point AGENT at the gateway, or undo it.

    The agent's own settings file is changed in one place and copied to FILE.lanewise-backup first; everything else
    in it stays as it is. A file that cannot be read is refused and left alone.

    \b
    Example:
      lanewise connect claude --print
      lanewise connect claude
      lanewise connect claude --undo
    """  # noqa: D301  click reads the character itself: it keeps the lines that follow
    row = AGENTS[agent]
    base = _checked(url) if url else gateway_url(read(config=config, discover=False).settings)
    done = _by_hand(row, base, undo=undo) if row.place is None else _by_file(row, base, undo=undo, show=show)
    if not undo and not _answers(base):
        click.echo(f"note: nothing answers at {base} yet; start it with `lanewise serve`", err=True)
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(done), indent=2).decode())
        return
    if done.diff and show:
        click.echo(done.diff, nl=False)
    if done.path is None:
        click.echo("\n".join(done.steps))
    else:
        click.echo(f"{done.path}: {done.detail}", err=True)
        for step in done.steps:
            click.echo(step, err=True)


def _answers(url: str) -> bool:
    """Whether something listens at the gateway's address."""
    parts = urlsplit(url)
    try:
        port = parts.port or (443 if parts.scheme == "https" else 80)
        socket.create_connection((parts.hostname or "", port), timeout=0.5).close()
    except (OSError, ValueError):
        return False
    return True


def _by_file(agent: Agent, url: str, *, undo: bool, show: bool) -> Connection:
    change = (undoing if undo else connecting)(agent, url, os.environ, Path.home())
    action = "shown" if show else "unchanged"
    if not show:
        apply(change)
        if change.changes:
            action = "written" if change.after is not None else "removed"
    return Connection(
        agent=agent.name,
        url=url,
        path=str(change.path),
        action=action,
        detail=change.what if not show else "would be changed" if change.changes else change.what,
        diff=_diff(change),
        steps=() if undo else agent.steps,
    )


def _by_hand(agent: Agent, url: str, *, undo: bool) -> Connection:
    steps = tuple(step.replace("{url}", url) for step in (agent.undo_steps if undo else agent.steps))
    return Connection(
        agent=agent.name, url=url, path=None, action="by_hand", detail="set up by hand", diff="", steps=steps
    )


def _diff(change: Change) -> str:
    """A unified diff; a side that is no file is empty."""
    if not change.changes:
        return ""
    before, after = ((side or b"").decode("utf-8", "replace").splitlines() for side in (change.before, change.after))
    lines = difflib.unified_diff(
        before,
        after,
        str(change.path) if change.before is not None else "/dev/null",
        str(change.path) if change.after is not None else "/dev/null",
        lineterm="",
    )
    return "".join(f"{line}\n" for line in lines)


def _checked(url: str) -> str:
    """The base URL without a trailing slash and without `/v1`, which is added where an agent needs it."""
    if not re.fullmatch(r"https?://[^\s/\"'\\]+(/[^\s\"'\\]*)?", url):
        raise click.UsageError(f"--url {url!r} is no http(s) address, write it as http://127.0.0.1:4311")
    return url.rstrip("/").removesuffix("/v1").rstrip("/")
