"""What changed between two price lists, as a bill would feel it.

Compares the rates that would be charged, gaps filled in, at every prompt size where either list has a step: a
vanished cache price or batch discount is a change too. It knows nothing of our corrections, which both sides share.
"""

from __future__ import annotations

from collections.abc import Iterator

from lanewise.journey import Value
from lanewise.money import snapshot as files
from lanewise.money.snapshot import Snapshot
from lanewise.money.values import ModelPrice, Rates, ServiceTier

MAX_RATIO = 3
"""A rate that moves by more than this factor is more often a slip in the source than a new price: the map once
listed one at 50 x. Real changes of autumn 2026 were at most a factor of two."""

_TIERS: tuple[ServiceTier, ...] = ("standard", "batch", "flex", "priority")


class RateChange(Value, frozen=True, kw_only=True):
    """One rate of one model that differs."""

    model: str
    rate: str
    """Which one, e.g. ``batch output`` or ``standard input above 200000``."""
    before_pusd: int
    after_pusd: int

    @property
    def is_jump(self) -> bool:
        """Moved by more than a factor of `MAX_RATIO`, up or down, or to or from zero."""
        low, high = sorted((self.before_pusd, self.after_pusd))
        return high > MAX_RATIO * low


class PriceDiff(Value, frozen=True, kw_only=True):
    """All differences between two price lists."""

    before: str
    after: str
    """Snapshot ids."""
    added: tuple[str, ...]
    removed: tuple[str, ...]
    changes: tuple[RateChange, ...]

    @property
    def jumps(self) -> tuple[RateChange, ...]:
        """The changes that want a person's word."""
        return tuple(change for change in self.changes if change.is_jump)


def diff(before: Snapshot, after: Snapshot) -> PriceDiff:
    """Every model and rate that differs between the two lists, models in alphabetical order.

    Raises:
        ConfigError: a line of either list cannot be read.
    """
    common = sorted(name for name in before.models.keys() & after.models.keys())
    changes = [
        change
        for name in common
        if bytes(before.models[name]) != bytes(after.models[name])
        for change in _changes(_price(before, name), _price(after, name))
    ]
    return PriceDiff(
        before=before.id,
        after=after.id,
        added=tuple(sorted(after.models.keys() - before.models.keys())),
        removed=tuple(sorted(before.models.keys() - after.models.keys())),
        changes=tuple(changes),
    )


def _price(snapshot: Snapshot, name: str) -> ModelPrice:
    row = snapshot.row(name)
    assert row is not None, "the caller took the name from this snapshot"
    return files.price(name, row, snapshot_id=snapshot.id)


def _changes(before: ModelPrice, after: ModelPrice) -> Iterator[RateChange]:
    for label, old, new in _pairs(before, after):
        for bucket, old_pusd, new_pusd in zip(Rates.__struct_fields__, _figures(old), _figures(new), strict=True):
            if old_pusd != new_pusd:
                kind, _, above = label.partition(" ")
                name = f"{kind} {bucket.removesuffix('_pusd')} {above}".rstrip()
                yield RateChange(model=before.model, rate=name, before_pusd=old_pusd, after_pusd=new_pusd)


def _pairs(before: ModelPrice, after: ModelPrice) -> Iterator[tuple[str, Rates, Rates]]:
    """Label and both sides' rates wherever either side states some."""
    steps = sorted({level.above_prompt_tokens for level in (*before.levels, *after.levels)})
    for step in steps:
        old, new = before.level(step + 1), after.level(step + 1)
        where = f" above {step}" if step else ""
        for tier in _TIERS:
            if old.stated(tier) or new.stated(tier):
                yield f"{tier}{where}", old.stated(tier) or old.standard, new.stated(tier) or new.standard
    if before.off_peak or after.off_peak:
        yield (
            "off-peak",
            before.off_peak.rates if before.off_peak else before.base,
            after.off_peak.rates if after.off_peak else after.base,
        )


def _figures(rates: Rates) -> tuple[int, ...]:
    return (
        rates.input_pusd,
        rates.cache_read_pusd,
        rates.cache_write_5m_pusd,
        rates.cache_write_1h_pusd,
        rates.output_pusd,
    )
