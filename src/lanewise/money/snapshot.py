"""The price list as a file: one model per line, only what the source states, and how gaps are filled on reading.

Rows keep the stated figures, so that two snapshots can be compared line by line and a derived rate is never
mistaken for a published one. Rows stay undecoded until a model is asked for: a gateway uses a handful of some
eight hundred. This file knows no vendor's list format (`litellm`) and no correction of ours (`overrides`).
"""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import msgspec

from lanewise.errors import ConfigError
from lanewise.money.values import Level, ModelMode, ModelPrice, OffPeak, Rates, Rise, Window


class _Row(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Base of what the file holds; absent fields are left out of the line."""


class StatedRates(_Row, frozen=True, kw_only=True):
    """Pico-dollars per token as published; None where the source says nothing."""

    input: int
    output: int
    read: int | None = None
    write: int | None = None
    """Cache write with the default lifetime (Anthropic: five minutes)."""
    write_1h: int | None = None


class StatedLevel(_Row, frozen=True, kw_only=True):
    """The published rates above a prompt size."""

    above: int = 0
    standard: StatedRates
    batch: StatedRates | None = None
    flex: StatedRates | None = None
    priority: StatedRates | None = None


class StatedOffPeak(_Row, frozen=True, kw_only=True):
    """The published price by the clock."""

    rates: StatedRates
    windows: tuple[Window, ...]


class StatedPrice(_Row, frozen=True, kw_only=True):
    """One line of the file."""

    vendor: str
    mode: ModelMode = "chat"
    levels: tuple[StatedLevel, ...]
    off_peak: StatedOffPeak | None = None
    context: int | None = None
    max_output: int | None = None
    vision: bool = False


class Snapshot(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A dated price list."""

    id: str
    date: dt.date
    """Day the source was published."""
    source: str
    source_sha256: str
    licence: str
    models: dict[str, msgspec.Raw]
    """Encoded `StatedPrice` by model name; decoded by `row`."""

    def row(self, model: str) -> StatedPrice | None:
        """The published price of exactly `model`.

        Raises:
            ConfigError: the line cannot be read.
        """
        raw = self.models.get(model)
        if raw is None:
            return None
        try:
            return _row_decoder.decode(raw)
        except msgspec.ValidationError as error:
            raise ConfigError([f"price snapshot {self.id}: {model!r}: {error}"]) from error


_row_decoder = msgspec.json.Decoder(StatedPrice)
_snapshot_decoder = msgspec.json.Decoder(Snapshot)


def read(path: Path) -> Snapshot:
    """The snapshot in the file `path`; its rows are not decoded yet.

    Raises:
        ConfigError: the file cannot be read or is no snapshot.
    """
    try:
        return _snapshot_decoder.decode(path.read_bytes())
    except (OSError, msgspec.DecodeError) as error:
        raise ConfigError(
            [f"{path}: not a price snapshot: {error}; write it anew with `lanewise prices update`"]
        ) from error


def encode(snapshot: Snapshot) -> bytes:
    """The file's bytes: header first, then one model per line in alphabetical order, so that diffs read well."""
    header = {
        "id": snapshot.id,
        "date": snapshot.date,
        "source": snapshot.source,
        "source_sha256": snapshot.source_sha256,
        "licence": snapshot.licence,
    }
    lines = [b"%b: %b" % (msgspec.json.encode(key), msgspec.json.encode(value)) for key, value in header.items()]
    rows = [b"%b: %b" % (msgspec.json.encode(name), bytes(snapshot.models[name])) for name in sorted(snapshot.models)]
    return b'{\n%b,\n"models": {\n%b\n}\n}\n' % (b",\n".join(lines), b",\n".join(rows))


def encode_row(row: StatedPrice) -> msgspec.Raw:
    """One line's value."""
    return msgspec.Raw(msgspec.json.encode(row))


def price(model: str, row: StatedPrice, *, snapshot_id: str, rises: tuple[Rise, ...] = ()) -> ModelPrice:
    """The price of `model` with every unpublished cache rate filled in.

    What a source leaves out is never free and never a discount:

    - Cache reads cost the full input price; in batch and flex not more than the standard read.
    - Cache writes cost 1.25 x input for five minutes and 2 x input for an hour at Anthropic (its price page states
      both multiples), elsewhere the input price, as those vendors bill no separate write.
    """
    return ModelPrice(
        model=model,
        vendor=row.vendor,
        mode=row.mode,
        levels=tuple(_level(level, row.vendor) for level in row.levels),
        off_peak=_off_peak(row),
        rises=rises,
        context_tokens=row.context,
        max_output_tokens=row.max_output,
        vision=row.vision,
        snapshot=snapshot_id,
    )


def _level(stated: StatedLevel, vendor: str) -> Level:
    standard = _rates(stated.standard, vendor)
    return Level(
        above_prompt_tokens=stated.above,
        standard=standard,
        batch=_discounted(stated.batch, vendor, standard),
        flex=_discounted(stated.flex, vendor, standard),
        priority=None if stated.priority is None else _rates(stated.priority, vendor),
    )


def _discounted(stated: StatedRates | None, vendor: str, standard: Rates) -> Rates | None:
    return None if stated is None else _rates(stated, vendor, at_most_read=standard.cache_read_pusd)


def _off_peak(row: StatedPrice) -> OffPeak | None:
    if row.off_peak is None:
        return None
    return OffPeak(rates=_rates(row.off_peak.rates, row.vendor), windows=row.off_peak.windows)


def _rates(stated: StatedRates, vendor: str, *, at_most_read: int | None = None) -> Rates:
    read = stated.read
    if read is None:
        read = stated.input if at_most_read is None else min(stated.input, at_most_read)
    write, write_1h = stated.write, stated.write_1h
    if vendor == "anthropic":
        # Multiples of platform.claude.com's price page; 5/4 rounds up so that a derived rate is never too low.
        write = -(-stated.input * 5 // 4) if write is None else write
        write_1h = stated.input * 2 if write_1h is None else write_1h
    write = stated.input if write is None else write
    return Rates(
        input_pusd=stated.input,
        cache_read_pusd=read,
        cache_write_5m_pusd=write,
        cache_write_1h_pusd=write if write_1h is None else write_1h,
        output_pusd=stated.output,
    )
