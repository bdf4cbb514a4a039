"""What a model costs: rates per token, by prompt size, service tier, hour and date.

Values and the one rule that picks among them (`ModelPrice.rates`). This file does not know where prices come
from, nor how many tokens a call used.
"""

from __future__ import annotations

import datetime as dt
from typing import Literal, TypeAlias

from lanewise.journey import Value

ServiceTier: TypeAlias = Literal["standard", "batch", "flex", "priority"]
"""The queue a provider served a call from, as `journey.Usage` reports it."""

ModelMode: TypeAlias = Literal["chat", "responses", "embedding"]
"""The kind of endpoint a model stands behind."""

_MINUTES_PER_HOUR = 60


class Rates(Value, frozen=True, kw_only=True):
    """Pico-dollars per token, one figure per disjoint bucket of `journey.Usage`."""

    input_pusd: int
    """Prompt tokens neither read from nor written to a cache."""
    cache_read_pusd: int
    cache_write_5m_pusd: int
    cache_write_1h_pusd: int
    output_pusd: int
    """Reasoning tokens included."""

    def times(self, factor: int) -> Rates:
        """Every rate multiplied by `factor`."""
        return Rates(
            input_pusd=self.input_pusd * factor,
            cache_read_pusd=self.cache_read_pusd * factor,
            cache_write_5m_pusd=self.cache_write_5m_pusd * factor,
            cache_write_1h_pusd=self.cache_write_1h_pusd * factor,
            output_pusd=self.output_pusd * factor,
        )


class Level(Value, frozen=True, kw_only=True):
    """The rates for prompts longer than a threshold; the whole prompt is charged at them, not only the excess."""

    above_prompt_tokens: int = 0
    """Applies to prompts of MORE than this many tokens, cached ones included; 0 for the base."""
    standard: Rates
    batch: Rates | None = None
    """None where no discount is published; then `standard` is charged."""
    flex: Rates | None = None
    priority: Rates | None = None

    def stated(self, service_tier: ServiceTier) -> Rates | None:
        """The rates published for `service_tier`, None where there are none."""
        if service_tier == "standard":
            return self.standard
        if service_tier == "batch":
            return self.batch
        return self.flex if service_tier == "flex" else self.priority


class Window(Value, frozen=True, kw_only=True):
    """A span of the UTC day on some weekdays."""

    weekdays: tuple[int, ...]
    """ISO: Monday is 1, Sunday 7."""
    start_minute: int
    """Minutes after 00:00 UTC, included."""
    end_minute: int
    """Minutes after 00:00 UTC, excluded; 1440 is midnight."""

    def covers(self, at_utc: dt.datetime) -> bool:
        """Whether the window holds `at_utc`, which must be in UTC."""
        minute = at_utc.hour * _MINUTES_PER_HOUR + at_utc.minute
        return at_utc.isoweekday() in self.weekdays and self.start_minute <= minute < self.end_minute


class OffPeak(Value, frozen=True, kw_only=True):
    """A cheaper price by the clock. Public holidays are not modelled: they are charged as the weekday they fall on."""

    rates: Rates
    windows: tuple[Window, ...]

    def covers(self, at_utc: dt.datetime) -> bool:
        """Whether any window holds `at_utc`."""
        return any(window.covers(at_utc) for window in self.windows)


class Rise(Value, frozen=True, kw_only=True):
    """An announced change: from 00:00 UTC of `since` every rate is multiplied by `factor`."""

    since: dt.date
    factor: int


class ModelPrice(Value, frozen=True, kw_only=True):
    """What one model costs at one vendor, and the limits the same source states for it."""

    model: str
    """Name in the price list, e.g. ``gemini/gemini-3.8-flash``."""
    vendor: str
    mode: ModelMode = "chat"
    levels: tuple[Level, ...]
    """By rising threshold; the first is the base with threshold 0."""
    off_peak: OffPeak | None = None
    """Replaces the base level's standard rates inside its windows."""
    rises: tuple[Rise, ...] = ()
    context_tokens: int | None = None
    """Largest prompt; None = not stated."""
    max_output_tokens: int | None = None
    vision: bool = False
    snapshot: str = ""
    """Id of the price list this came from; ``config`` for a price the user set."""

    @property
    def base(self) -> Rates:
        """Standard rates of the shortest prompts, at the peak hour: the list price."""
        return self.levels[0].standard

    @property
    def tiers(self) -> tuple[Level, ...]:
        """The levels above the base."""
        return self.levels[1:]

    @property
    def batch(self) -> Rates | None:
        """Batch rates of the base level, None where no discount is published."""
        return self.levels[0].batch

    def level(self, prompt_tokens: int) -> Level:
        """The level that a prompt of `prompt_tokens` tokens, cached ones included, is charged at."""
        chosen = self.levels[0]
        for level in self.levels[1:]:
            if prompt_tokens > level.above_prompt_tokens:
                chosen = level
        return chosen

    def rates(self, *, prompt_tokens: int, at: dt.datetime, service_tier: ServiceTier = "standard") -> Rates:
        """The rates for one call.

        A service tier without a published price is charged at the standard one: no discount that nobody states.

        Args:
            prompt_tokens: all prompt tokens, cached or not.
            at: when the call was made, timezone-aware.
            service_tier: the queue that served it.

        Raises:
            ValueError: `at` has no timezone.
        """
        if at.tzinfo is None:
            raise ValueError("at must be timezone-aware: prices by the clock depend on it")
        at_utc = at.astimezone(dt.UTC)
        level = self.level(prompt_tokens)
        chosen = level.stated(service_tier) or level.standard
        in_clock = chosen is level.standard and not level.above_prompt_tokens
        if in_clock and self.off_peak is not None and self.off_peak.covers(at_utc):
            chosen = self.off_peak.rates
        for rise in self.rises:
            if at_utc.date() >= rise.since:
                chosen = chosen.times(rise.factor)
        return chosen
