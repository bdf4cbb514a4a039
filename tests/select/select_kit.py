"""Candidates, entries and prices for tests of the selector."""

from __future__ import annotations

import datetime as dt
from typing import Any

from lanewise.journey import Candidate
from lanewise.money import ModelPrice, Rates
from lanewise.money.values import Level
from lanewise.select import Entry, Table

NOW = dt.datetime(2026, 11, 24, 9, 0, tzinfo=dt.UTC)
"""A Tuesday."""

DAY_S = 86_400.0


def later(seconds: float) -> dt.datetime:
    """`NOW` and so many seconds more."""
    return NOW + dt.timedelta(seconds=seconds)


def candidate_of(model: str = "big", provider: str = "cloud", **changes: Any) -> Candidate:
    """A frontier model in real time."""
    fields = {"lane": "realtime", "tier": "frontier", "upstream_model": model, **changes}
    return Candidate(model=model, provider=provider, **fields)


def rates_of(input_pusd: int, output_pusd: int | None = None, **changes: int) -> Rates:
    """A tenth for reading the cache, five quarters for writing it, the hour's write double; output fivefold."""
    fields = {
        "input_pusd": input_pusd,
        "cache_read_pusd": input_pusd // 10,
        "cache_write_5m_pusd": input_pusd * 5 // 4,
        "cache_write_1h_pusd": input_pusd * 2,
        "output_pusd": 5 * input_pusd if output_pusd is None else output_pusd,
        **changes,
    }
    return Rates(**fields)


def price_of(standard: Rates, *, levels: tuple[Level, ...] = (), **changes: Any) -> ModelPrice:
    """A price with `standard` as its base level; `batch` and `flex` belong to that level."""
    base = Level(standard=standard, batch=changes.pop("batch", None), flex=changes.pop("flex", None))
    return ModelPrice(model="m", vendor="v", levels=(base, *levels), **changes)


def entry_of(candidate: Candidate, price: ModelPrice | None = None, **changes: Any) -> Entry:
    """An entry that can do everything, in every dialect."""
    fields = {
        "dialects": ("messages", "chat", "responses", "gemini"),
        "context_tokens": None,
        "vision": None,
        "tools": True,
        **changes,
    }
    return Entry(candidate=candidate, price=price, **fields)


def table_of(*candidates: Candidate, price: ModelPrice | None = None) -> Table:
    """Entries that differ in their candidates alone."""
    return Table([entry_of(candidate, price) for candidate in candidates])
