"""What each key has spent today: reserved before a call, settled after it. UTC days, in memory, no clock of its own.

A gateway that starts, or that shares its ledger with others, is told from time to time what the ledger holds (`known`).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping

from lanewise.journey import Value


class Reserved(Value, frozen=True, kw_only=True):
    """A sum set aside for a call under way."""

    key_id: str
    day: dt.date
    pusd: int


class Spending:
    """Key -> pico-dollars of one day; another day begins at nothing. Not for several threads."""

    def __init__(self) -> None:
        self._day = dt.date.min
        self._settled: dict[str, int] = {}
        self._reserved: dict[str, int] = {}

    def today(self, key_id: str, now: dt.datetime) -> int:
        """Spent by a key on the UTC day of `now`, what is reserved included."""
        self._turn(now)
        return self._settled.get(key_id, 0) + self._reserved.get(key_id, 0)

    def reserve(self, key_id: str, pusd: int, now: dt.datetime) -> Reserved:
        """Set aside what a call is expected to cost, so that many at once cannot all take the last dollar."""
        self._turn(now)
        self._reserved[key_id] = self._reserved.get(key_id, 0) + pusd
        return Reserved(key_id=key_id, day=self._day, pusd=pusd)

    def settle(self, reserved: Reserved, pusd: int) -> None:
        """Replace a reservation by the bill. A call that ends on another day than it began counts for neither."""
        if reserved.day != self._day:
            return
        self._reserved[reserved.key_id] = self._reserved.get(reserved.key_id, 0) - reserved.pusd
        self._settled[reserved.key_id] = self._settled.get(reserved.key_id, 0) + pusd

    def known(self, spent_pusd: Mapping[str, int], now: dt.datetime) -> None:
        """What the ledger says was spent today, by this gateway and others; never less than what is known here."""
        self._turn(now)
        for key_id, pusd in spent_pusd.items():
            self._settled[key_id] = max(pusd, self._settled.get(key_id, 0))

    def _turn(self, now: dt.datetime) -> None:
        day = now.astimezone(dt.UTC).date()
        if day > self._day:  # a clock set back keeps the later day: nobody gets a second budget
            self._day, self._settled, self._reserved = day, {}, {}
