"""The configuration as every command reads it, with zero config filled in."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from lanewise.config import Loaded, Settings, load
from lanewise.route import compiled
from lanewise.upstream.discovery import found_providers

if TYPE_CHECKING:
    from lanewise.store import Database


def read(*, config: Path | None = None, flags: Mapping[str, Any] | None = None, discover: bool = True) -> Loaded:
    """Load the configuration; without any provider in it, use those of the environment and of this machine.

    Args:
        config: Only this file.
        flags: Dotted path -> value of flags that were given.
        discover: Look for model servers on loopback where no provider is configured.

    Raises:
        ConfigError: With every mistake.
    """
    loaded = checked(config=config, flags=flags)
    if loaded.settings.providers:
        return loaded
    settings = found_providers(loaded.settings, os.environ, look=discover)
    return msgspec.structs.replace(loaded, settings=settings)


def checked(*, config: Path | None = None, flags: Mapping[str, Any] | None = None) -> Loaded:
    """Load the configuration and read the conditions of its rules, which `load` takes for plain text.

    Raises:
        ConfigError: With every mistake; those of conditions once there is no other.
    """
    loaded = load(env=os.environ, config=config, flags=flags)
    compiled(loaded.settings.rules, loaded.origins)
    return loaded


def gateway_url(settings: Settings) -> str:
    """Base URL, without `/v1`, at which a client on this machine finds the gateway."""
    host, port = settings.server.host, settings.server.port
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - compared with, not listened on
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"


def open_ledger(settings: Settings) -> Database | None:
    """The ledger that the configuration names, None where there is none yet; creates nothing.

    Raises:
        StoreError: there is one and it cannot be used.
    """
    from lanewise import app
    from lanewise.store import open_database

    where = app.database_url(settings)
    return open_database(where) if "://" in where or Path(where).exists() else None


def ledger_name(settings: Settings) -> str:
    """The ledger's file or address for messages, without a password."""
    from lanewise import app
    from lanewise.store.engine import parse_url

    url = parse_url(app.database_url(settings))
    return url.database or "" if url.get_backend_name() == "sqlite" else url.render_as_string(hide_password=True)
