"""``lanewise serve``: the gateway in the foreground."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from pathlib import Path

import click

from lanewise.config import Loaded, Settings


@click.command("serve")
@click.option("--config", type=click.Path(path_type=Path), help="Read only this file.")
@click.option("--host", help="Address to listen on [default: 127.0.0.1].")
@click.option("--port", type=click.IntRange(0, 65535), help="Port to listen on; 0 lets the system choose [4311].")
@click.option("--data", help="Folder of the ledger [~/.local/share/lanewise].")
@click.option("--mode", type=click.Choice(["observe", "split", "active"]), help="For every skill without its own.")
def command(config: Path | None, host: str | None, port: int | None, data: str | None, mode: str | None) -> None:
    """Run the gateway until SIGTERM or Ctrl-C; streams under way may finish.

    Without a configuration, providers come from the keys in the environment and from model servers found on this
    machine. The default mode `observe` changes no answer.
    """
    from lanewise import app
    from lanewise.cli.settings import read

    flags = {
        key: value
        for key, value in {
            "server.host": host,
            "server.port": port,
            "server.data": data,
            "routing.mode": mode,
        }.items()
        if value is not None
    }

    def again() -> Loaded:
        return read(config=config, flags=flags)

    loaded = again()
    _log_to_stderr(loaded.settings)
    with asyncio.Runner(loop_factory=app.new_event_loop) as runner:
        runner.run(app.serve(loaded, env=os.environ, reload=again, told=lambda url: _tell(url, loaded.settings)))


def _tell(url: str, settings: Settings) -> None:
    names = ", ".join(f"{name} ({row.lane})" for name, row in settings.providers.items()) or "none"
    click.echo(f"lanewise listens on {url}, mode {settings.routing.mode}, providers: {names}", err=True)
    click.echo("point an agent at it with `lanewise connect claude`; see the spend with `lanewise report`", err=True)


def _log_to_stderr(settings: Settings) -> None:
    """Our lines as they are; warnings of libraries with their level."""
    handler = logging.StreamHandler(sys.stderr)
    own = "%(message)s" if settings.server.log == "json" else "%(asctime)s %(message)s"
    handler.setFormatter(logging.Formatter(own))
    logger = logging.getLogger("lanewise")
    logger.setLevel(logging.INFO)
    logger.propagate = False
    logger.addHandler(handler)
    logging.basicConfig(level=logging.ERROR, stream=sys.stderr, format="%(levelname)s %(name)s: %(message)s")
