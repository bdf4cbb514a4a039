"""Reads LiteLLM's public price map and keeps what routing needs of it.

The map (MIT, `model_prices_and_context_window.json`) is the fullest list of batch, flex, cache, size and clock
prices. It is a hand-kept file with gaps and slips, so this reader keeps a price only where it is whole: a model
without an input and an output price, or with one of them zero, is left out, because there "free" and "not known"
look alike. Prices then read as unknown, never as zero. Decimal, not float: figures keep the digits of the file.

The shipped snapshot is what ``lanewise prices update --from FILE --date DAY`` writes.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import re
from decimal import Decimal
from typing import Any, get_args

from lanewise.errors import ConfigError
from lanewise.money.amounts import PUSD_PER_USD
from lanewise.money.snapshot import (
    Snapshot,
    StatedLevel,
    StatedOffPeak,
    StatedPrice,
    StatedRates,
    encode_row,
)
from lanewise.money.values import ModelMode, Window

VENDORS = {
    "anthropic": "anthropic",
    "cerebras": "cerebras",
    "cohere": "cohere",
    "cohere_chat": "cohere",
    "dashscope": "dashscope",
    "deepinfra": "deepinfra",
    "deepseek": "deepseek",
    "fireworks_ai": "fireworks_ai",
    "gemini": "gemini",
    "groq": "groq",
    "minimax": "minimax",
    "mistral": "mistral",
    "moonshot": "moonshot",
    "openai": "openai",
    "openrouter": "openrouter",
    "sambanova": "sambanova",
    "together_ai": "together_ai",
    "xai": "xai",
    "zai": "zai",
}
"""The map's provider name -> our vendor name, for vendors whose endpoints a coding agent can use directly."""

_MODES: tuple[ModelMode, ...] = get_args(ModelMode)

_SIZE_CLASS = re.compile(r"^together-ai-")
"""Rows that price a range of parameter counts rather than a model."""

_THRESHOLD = re.compile(r"^input_cost_per_token_above_(\d+)k_tokens$")
_HOURS = re.compile(r"^(\d\d):(\d\d)-(\d\d):(\d\d)$")
_DAY_MINUTES = 24 * 60

# A row is a stranger's JSON object: any key may hold any type, and each is checked where it is read.
_RawRow = dict[str, Any]


def prune(text: bytes, *, date: dt.date) -> Snapshot:
    """The snapshot that the price map `text`, published on `date`, amounts to.

    Raises:
        ConfigError: not a JSON object, or no model in it has a whole price.
    """
    try:
        rows = json.loads(text, parse_float=Decimal)
    except ValueError as error:
        raise ConfigError([f"price map: not JSON: {error}"]) from error
    if not isinstance(rows, dict):
        raise ConfigError(["price map: not a JSON object of models"])
    prices = {name: row for name, raw in sorted(rows.items()) if (row := _price(name, raw)) is not None}
    if not prices:
        raise ConfigError([f"price map: none of its {len(rows)} entries has a price of a vendor that is read"])
    digest = hashlib.sha256(text).hexdigest()
    return Snapshot(
        id=f"litellm-{date.isoformat()}-{digest[:8]}",
        date=date,
        source="LiteLLM model_prices_and_context_window.json, pruned",
        source_sha256=digest,
        licence="MIT, Copyright (c) 2023 Berri AI",
        models={name: encode_row(row) for name, row in prices.items()},
    )


def _price(name: str, raw: object) -> StatedPrice | None:
    if not isinstance(raw, dict) or _SIZE_CLASS.match(name):
        return None
    try:
        return _whole_price(raw)
    except (LookupError, TypeError, ValueError, ArithmeticError, AttributeError):
        # A row shaped unlike all others says nothing reliable; it shows as removed in the comparison.
        return None


def _whole_price(raw: _RawRow) -> StatedPrice | None:
    vendor = VENDORS.get(str(raw.get("litellm_provider")))
    mode = next((known for known in _MODES if known == raw.get("mode")), None)
    if vendor is None or mode is None:
        return None
    levels = _tiered_levels(raw) or _levels(raw)
    if not levels or any(_has_gap(level.standard, mode) for level in levels):
        return None
    return StatedPrice(
        vendor=vendor,
        mode=mode,
        levels=levels,
        off_peak=_off_peak(raw),
        context=_count(raw.get("max_input_tokens")),
        max_output=_count(raw.get("max_output_tokens")),
        vision=raw.get("supports_vision") is True,
    )


def _has_gap(rates: StatedRates, mode: ModelMode) -> bool:
    return rates.input == 0 or (rates.output == 0 and mode != "embedding")


def _levels(raw: _RawRow) -> tuple[StatedLevel, ...]:
    """The base and the ``_above_<n>k_tokens`` levels; empty where the base is not whole."""
    thresholds = sorted(int(match[1]) for key in raw if (match := _THRESHOLD.match(key)))
    levels = []
    for kilo_tokens in (0, *thresholds):
        above = f"_above_{kilo_tokens}k_tokens" if kilo_tokens else ""
        standard = _rates(raw, above)
        if standard is None:
            return ()
        level = StatedLevel(
            above=kilo_tokens * 1000,
            standard=standard,
            batch=_rates(raw, f"{above}_batches"),
            flex=_rates(raw, f"{above}_flex"),
            priority=_rates(raw, f"{above}_priority"),
        )
        levels.append(level)
    return tuple(levels)


def _tiered_levels(raw: _RawRow) -> tuple[StatedLevel, ...]:
    """The levels of a `tiered_pricing` list, which stands in place of the flat keys."""
    levels = []
    for tier in raw.get("tiered_pricing") or ():
        standard = _rates(tier, "")
        if standard is None:
            return ()
        levels.append(StatedLevel(above=int(tier["range"][0]), standard=standard))
    return tuple(sorted(levels, key=lambda level: level.above))


def _rates(raw: _RawRow, suffix: str) -> StatedRates | None:
    """The rates whose keys end in `suffix`; None unless input and output are both there.

    Half a price is no price: the map once gave `gpt-5-nano` a priority input of 50 x its list price and no
    priority output.
    """
    paid, made = _pusd(raw, f"input_cost_per_token{suffix}"), _pusd(raw, f"output_cost_per_token{suffix}")
    if made is None and raw.get("mode") == "embedding":
        made = 0
    if paid is None or made is None:
        return None
    # Some Qwen models bill answers dearer when they think; usage does not say which answers those are.
    made = max(made, _pusd(raw, f"output_cost_per_reasoning_token{suffix}") or 0)
    return StatedRates(
        input=paid,
        output=made,
        # The map writes 0 where a vendor bills no separate cache price: nothing stated, not free of charge.
        read=_pusd(raw, f"cache_read_input_token_cost{suffix}") or None,
        write=_pusd(raw, f"cache_creation_input_token_cost{suffix}") or None,
        write_1h=_pusd(raw, f"cache_creation_input_token_cost_above_1hr{suffix}") or None,
    )


def _off_peak(raw: _RawRow) -> StatedOffPeak | None:
    """The clock price; None where there is none or its clock is not understood, which leaves the dearer price."""
    stated = raw.get("off_peak_pricing")
    if not isinstance(stated, dict) or stated.get("weekday_timezone", "UTC") != "UTC":
        return None
    rates, windows = _rates(stated, ""), []
    for window in stated.get("windows") or ():
        hours = window["hours_utc"]
        for span in [hours] if isinstance(hours, str) else hours:
            match = _HOURS.match(span)
            if match is None:
                return None
            start_h, start_m, end_h, end_m = (int(part) for part in match.groups())
            start, end = start_h * 60 + start_m, (end_h * 60 + end_m) or _DAY_MINUTES
            if end <= start:
                return None
            windows.append(Window(weekdays=tuple(window["weekdays"]), start_minute=start, end_minute=end))
    return StatedOffPeak(rates=rates, windows=tuple(windows)) if rates and windows else None


def _pusd(raw: _RawRow, key: str) -> int | None:
    """Pico-dollars per token; finer figures than a pico-dollar round half to even. None where absent or no number."""
    value = raw.get(key)
    if isinstance(value, bool) or not isinstance(value, int | Decimal) or value < 0:
        return None
    return int((Decimal(value) * PUSD_PER_USD).to_integral_value())


def _count(value: object) -> int | None:
    if isinstance(value, bool) or not isinstance(value, int | Decimal) or value <= 0:
        return None
    return int(value)
