"""Durations as people write them: `90s`, `15m`, `8h`, `2d`. Knows nothing else."""

from __future__ import annotations

import re

_UNIT_S = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_DURATION = re.compile(r"^(\d+(?:\.\d+)?)([smhd])$")

PATTERN = r"^(\d+(\.\d+)?[smhd])?$"
"""The same for config fields, where empty means none."""


def duration_s(text: str) -> float | None:
    """Seconds of `text`; None if it is not a duration."""
    match = _DURATION.match(text.strip())
    return float(match[1]) * _UNIT_S[match[2]] if match else None
