"""The catalog as columns: one array per property, one position per entry, so that 200 entries cost what 5 do.

Built once per configuration. Prices are columns too, one set for each prompt size class and for as long as none of them
moves by the clock; the last few sets are kept. Knows no request.
"""

from __future__ import annotations

import bisect
import datetime as dt
from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from lanewise.journey import Candidate, Dialect, Lane, Rejection
from lanewise.money import ModelPrice, ServiceTier
from lanewise.select.catalog import Entry
from lanewise.select.stay import RateTable
from lanewise.select.warmth import Caches, rules_of

Flags = npt.NDArray[np.bool_]
Whole = npt.NDArray[np.int64]
Numbers = npt.NDArray[np.float64]

LANES: Final[tuple[Lane, ...]] = ("local", "batch", "realtime")
"""In the order that breaks ties between equal prices: the queue of one's own, then the one nobody waits for."""

DIALECTS: Final[tuple[Dialect, ...]] = ("messages", "chat", "responses", "gemini")

_UNBOUNDED: Final = 2**62
_KEPT_WORDS: Final = 100
"""Reason codes whose rejections are kept; there are some forty."""

_KEPT_REJECTED: Final = 64
"""Lists of rejections kept: the calls of a task, and much of a day's work, are refused by the same."""

_KEPT_RATES: Final = 32
"""Sets of price columns kept: a few prompt size classes, of this minute and the last."""


class Rates(NamedTuple):
    """Pico-dollars per token of each entry; zero where an engine of one's own bills none."""

    input: Whole
    cache_read: Whole
    cache_write: Whole
    """For the default time to live of five minutes."""
    output: Whole


class Table:
    """Columns over `entries`."""

    def __init__(self, entries: Sequence[Entry]) -> None:
        self.entries = tuple(entries)
        self.candidates: tuple[Candidate, ...] = tuple(entry.candidate for entry in entries)
        self.positions = {candidate: at for at, candidate in enumerate(self.candidates)}
        self.providers = tuple(dict.fromkeys(candidate.provider for candidate in self.candidates))
        self.models = tuple(candidate.model for candidate in self.candidates)
        first = {model: position for position, model in reversed(list(enumerate(self.models)))}
        self.once = np.array([first[model] == at for at, model in enumerate(self.models)], dtype=np.bool_)
        """True at one entry of each model: what is counted by model counts there."""
        self.of_model: dict[str, list[int]] = {}
        for position, model in enumerate(self.models):
            self.of_model.setdefault(model, []).append(position)
        self._served_by: dict[tuple[str, str], list[int]] = {}
        for position, candidate in enumerate(self.candidates):
            self._served_by.setdefault((candidate.provider, candidate.model), []).append(position)
        at = {name: position for position, name in enumerate(self.providers)}
        self.provider = np.array([at[c.provider] for c in self.candidates], dtype=np.intp)
        self.lane = np.array([LANES.index(c.lane) for c in self.candidates], dtype=np.int8)
        self.local = self.lane == LANES.index("local")
        self.cheap = np.array([c.tier == "cheap" for c in self.candidates], dtype=np.bool_)
        self.flex = np.array([c.service == "flex" for c in self.candidates], dtype=np.bool_)
        self.speaks = {d: np.array([d in e.dialects for e in entries], dtype=np.bool_) for d in DIALECTS}
        self.context_tokens = np.array([e.context_tokens or _UNBOUNDED for e in entries], dtype=np.int64)
        self.blind = np.array([e.vision is False for e in entries], dtype=np.bool_)
        self.handless = np.array([not e.tools for e in entries], dtype=np.bool_)
        without = np.array([e.price is None for e in entries], dtype=np.bool_)
        self.free = without & self.local
        """Engines of one's own bill no tokens."""
        self.unpriced = without & ~self.local
        rules = [rules_of(entry.vendor) for entry in entries]
        self._min_prefix_tokens = np.array([rule.min_prefix_tokens for rule in rules], dtype=np.int64)
        self._needs_mark = np.array([rule.needs_mark for rule in rules], dtype=np.bool_)
        self._thresholds = sorted({level.above_prompt_tokens for e in entries if e.price for level in e.price.tiers})
        self._lasting_s = _lasting_s([entry.price for entry in entries if entry.price is not None])
        self._nowhere = np.zeros(len(entries), dtype=np.bool_)
        self._nowhere.flags.writeable = False
        self._rejected: dict[tuple[bytes, tuple[str, ...]], tuple[Rejection, ...]] = {}
        self._rejections: dict[str, list[Rejection]] = {}
        self._rates: dict[tuple[int, int], Rates] = {}

    def __len__(self) -> int:
        return len(self.entries)

    def at_providers(self, names: Sequence[str]) -> Flags:
        """Which entries are at one of the providers `names`."""
        if not names:
            return self._nowhere
        return np.array([name in names for name in self.providers], dtype=np.bool_)[self.provider]

    def at_vendor(self, position: int) -> Flags:
        """Which entries are at the provider of the one at `position`, or sold by the same vendor."""
        vendor, provider = self.entries[position].vendor, self.candidates[position].provider
        sold = vendor not in {"", "local"}
        flags: Flags = np.array(
            [e.candidate.provider == provider or (sold and e.vendor == vendor) for e in self.entries], dtype=np.bool_
        )
        return flags

    def rejections(self, reasons: npt.NDArray[np.int16], words: Sequence[str]) -> tuple[Rejection, ...]:
        """The entries whose reason is not 0, in order, with the word of each reason's number."""
        key = (reasons.tobytes(), tuple(words))
        found = self._rejected.get(key)
        if found is None:
            if len(self._rejected) >= _KEPT_REJECTED:
                self._rejected.clear()
            numbers = reasons.tolist()
            rows = {number: self._rejections_for(words[number]) for number in set(numbers) if number}
            found = tuple([rows[number][at] for at, number in enumerate(numbers) if number])
            self._rejected[key] = found
        return found

    def _rejections_for(self, word: str) -> list[Rejection]:
        """Every entry rejected for `word`, made once: a rejection has no other content."""
        found = self._rejections.get(word)
        if found is None:
            if len(self._rejections) >= _KEPT_WORDS:
                self._rejections.clear()
            found = self._rejections[word] = [Rejection(candidate=c, reason=word) for c in self.candidates]
        return found

    def caching(self, prompt_tokens: int, at: dt.datetime, *, marked: bool) -> RateTable:
        """What each entry charges for tokens that are in its cache and for tokens that are not."""
        rates = self.rates(prompt_tokens, at)
        caches = (prompt_tokens >= self._min_prefix_tokens) & (marked | ~self._needs_mark)
        read = np.where(caches, rates.cache_read, rates.input).astype(np.float64)
        fresh = np.where(caches, rates.cache_write, rates.input).astype(np.float64)
        return RateTable(read=read, fresh=fresh, output=rates.output.astype(np.float64), again=read)

    def listed(self, prompt_tokens: int, output_tokens: int, at: dt.datetime) -> Whole:
        """Pico-dollars of one call at each entry without any cache."""
        rates = self.rates(prompt_tokens, at)
        return rates.input * prompt_tokens + rates.output * output_tokens

    def warm(self, caches: Caches, prompt_tokens: int, now_s: float) -> Whole:
        """Tokens of a prompt that each entry would read from its cache of this conversation."""
        tokens = np.zeros(len(self.entries), dtype=np.int64)
        for one in caches.warm:
            for position in self._served_by.get((one.provider, one.model), ()):
                tokens[position] = one.tokens_at(prompt_tokens, now_s)
        return tokens

    def rates(self, prompt_tokens: int, at: dt.datetime) -> Rates:
        """What each entry charges for a prompt of this size at this time, aware UTC."""
        key = (bisect.bisect_left(self._thresholds, prompt_tokens), int(at.timestamp()) // self._lasting_s)
        found = self._rates.get(key)
        if found is None:
            if len(self._rates) >= _KEPT_RATES:
                self._rates.clear()
            found = self._rates[key] = rates_of(self.entries, prompt_tokens, at)
        return found


def _lasting_s(prices: Sequence[ModelPrice]) -> int:
    """Seconds of UTC for which no price moves: windows begin on the minute, announced changes at midnight."""
    if any(price.off_peak is not None for price in prices):
        return 60
    return 86_400 if any(price.rises for price in prices) else _UNBOUNDED


def rates_of(entries: Sequence[Entry], prompt_tokens: int, at: dt.datetime) -> Rates:
    """The columns for one prompt size and time."""
    rows = np.zeros((4, len(entries)), dtype=np.int64)
    for position, entry in enumerate(entries):
        if entry.price is not None:
            rows[:, position] = _row(entry.price, service_of(entry.candidate), prompt_tokens, at)
    return Rates(rows[0], rows[1], rows[2], rows[3])


def service_of(candidate: Candidate) -> ServiceTier:
    """The provider's queue that a call of `candidate` is billed in."""
    return "batch" if candidate.lane == "batch" else candidate.service


def _row(price: ModelPrice, tier: ServiceTier, prompt_tokens: int, at: dt.datetime) -> tuple[int, int, int, int]:
    rates = price.rates(prompt_tokens=prompt_tokens, at=at, service_tier=tier)
    return rates.input_pusd, rates.cache_read_pusd, rates.cache_write_5m_pusd, rates.output_pusd
