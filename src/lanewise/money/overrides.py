"""Our own corrections to a price list: what `overrides.toml` says and when each entry holds.

The price list stays as its source wrote it; everything we know better stands in that one file with source and
date. This file does not know how a model is looked up.
"""

from __future__ import annotations

import datetime as dt
import tomllib
from pathlib import Path
from typing import Literal

import msgspec

from lanewise.errors import ConfigError
from lanewise.money.amounts import pusd_per_token
from lanewise.money.snapshot import StatedLevel, StatedPrice, StatedRates
from lanewise.money.values import Rise


class _Entry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of what the file holds: a misspelt key is an error."""


class UsdRates(_Entry, frozen=True, kw_only=True):
    """US dollars per million tokens, as strings so that they stay exact."""

    input: str
    output: str
    cache_read: str | None = None
    cache_write: str | None = None

    def stated(self) -> StatedRates:
        """The same rates in pico-dollars per token.

        Raises:
            ConfigError: a figure is not an exact price.
        """
        return StatedRates(
            input=pusd_per_token(self.input),
            output=pusd_per_token(self.output),
            read=None if self.cache_read is None else pusd_per_token(self.cache_read),
            write=None if self.cache_write is None else pusd_per_token(self.cache_write),
        )


class Override(_Entry, frozen=True, kw_only=True):
    """One correction."""

    model: str
    source: str
    date: dt.date
    """Day the source says this; a price list of that day or later outranks a price stated here."""
    vendor: str = ""
    standard: UsdRates | None = None
    batch: UsdRates | None = None
    withdraw: tuple[Literal["batch", "flex", "priority"], ...] = ()
    rises: tuple[Rise, ...] = ()

    def amend(self, row: StatedPrice | None, *, listed_on: dt.date) -> StatedPrice | None:
        """The price that holds, given the list's `row` (None where it lacks the model) and the list's date."""
        if self.standard is not None and (row is None or listed_on < self.date):
            return self._own_price()
        if row is None or not self.withdraw:
            return row
        return msgspec.structs.replace(row, levels=tuple(self._without(level) for level in row.levels))

    def pending(self, *, listed_on: dt.date) -> tuple[Rise, ...]:
        """The rises that a price list of that date cannot hold yet."""
        return tuple(rise for rise in self.rises if listed_on < rise.since)

    def _own_price(self) -> StatedPrice | None:
        if self.standard is None:
            return None
        batch = None if self.batch is None else self.batch.stated()
        return StatedPrice(vendor=self.vendor, levels=(StatedLevel(standard=self.standard.stated(), batch=batch),))

    def _without(self, level: StatedLevel) -> StatedLevel:
        return StatedLevel(
            above=level.above,
            standard=level.standard,
            batch=None if "batch" in self.withdraw else level.batch,
            flex=None if "flex" in self.withdraw else level.flex,
            priority=None if "priority" in self.withdraw else level.priority,
        )


class Overrides(_Entry, frozen=True, kw_only=True):
    """The whole file."""

    revision: int
    price: tuple[Override, ...]


def read(path: Path) -> Overrides:
    """The corrections in the TOML file `path`.

    Raises:
        ConfigError: the file is not readable as such.
    """
    try:
        return msgspec.convert(tomllib.loads(path.read_text("utf-8")), Overrides)
    except (OSError, tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise ConfigError([f"{path}: {error}"]) from error
