"""The configuration as every command reads it, with zero config filled in."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from lanewise.config import Loaded, load
from lanewise.upstream.discovery import found_providers


def read(*, config: Path | None = None, flags: Mapping[str, Any] | None = None, discover: bool = True) -> Loaded:
    """Load the configuration; without any provider in it, use those of the environment and of this machine.

    Args:
        config: Only this file.
        flags: Dotted path -> value of flags that were given.
        discover: Look for model servers on loopback where no provider is configured.

    Raises:
        ConfigError: With every mistake.
    """
    loaded = load(env=os.environ, config=config, flags=flags)
    if loaded.settings.providers:
        return loaded
    settings = found_providers(loaded.settings, os.environ, look=discover)
    return msgspec.structs.replace(loaded, settings=settings)
