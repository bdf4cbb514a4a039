"""Exact amounts: how dollars become integer pico-dollars and how those are shown to people.

A price of $1 per million tokens is 1,000,000 pico-dollars (10^-12 USD) per token, so every published price is a
whole number and sums never round. This file knows no model and no tariff.
"""

from __future__ import annotations

from decimal import Decimal, InvalidOperation

from lanewise.errors import ConfigError

PUSD_PER_USD = 10**12
"""Pico-dollars in a dollar."""

_PUSD_PER_TOKEN_AT_ONE_USD_PER_MTOK = 10**6


def pusd_per_token(usd_per_mtok: str | float) -> int:
    """Pico-dollars per token for a price in US dollars per million tokens, exactly.

    A float is read by the digits it prints, so ``0.1`` means a tenth.

    Raises:
        ConfigError: the price is no number, is negative, or has more than six decimals.
    """
    try:
        price = Decimal(str(usd_per_mtok))
    except InvalidOperation:
        raise ConfigError([f"price {usd_per_mtok!r}: not a number of US dollars per million tokens"]) from None
    pusd = price * _PUSD_PER_TOKEN_AT_ONE_USD_PER_MTOK
    if not pusd.is_finite() or pusd < 0:
        raise ConfigError([f"price {usd_per_mtok!r}: must be zero or more US dollars per million tokens"])
    if pusd != pusd.to_integral_value():
        raise ConfigError([f"price {usd_per_mtok!r}: at most six decimals of US dollars per million tokens"])
    return int(pusd)


def pusd_of(usd: Decimal) -> int:
    """Pico-dollars of an amount in US dollars, exactly.

    Raises:
        ConfigError: the amount is negative, not finite, or has more than twelve decimals.
    """
    if not usd.is_finite() or usd < 0:
        raise ConfigError([f"amount {usd}: must be zero or more US dollars"])
    pusd = usd * PUSD_PER_USD
    if pusd != pusd.to_integral_value():
        raise ConfigError([f"amount {usd}: at most twelve decimals of US dollars"])
    return int(pusd)


def to_usd(pusd: int) -> float:
    """Dollars as a float, for JSON only: never calculate with it."""
    return pusd / PUSD_PER_USD


def format_usd(pusd: int | None, *, decimals: int | None = None) -> str:
    """Dollars for people: ``$0.0123``, ``$12.35``, ``<$0.0001``, or ``unknown`` for None.

    Without `decimals`: two from one dollar on, four below. Halves round away from zero.
    """
    if pusd is None:
        return "unknown"
    size = abs(pusd)
    sign = "-" if pusd < 0 else ""
    places = decimals if decimals is not None else 2 if size >= PUSD_PER_USD else 4
    unit = PUSD_PER_USD // 10**places
    if 0 < size < unit:
        return f"{sign}<${Decimal(1).scaleb(-places):f}"
    steps = (size + unit // 2) // unit
    whole, rest = divmod(steps, 10**places)
    return f"{sign}${whole:,}.{rest:0{places}d}" if places else f"{sign}${whole:,}"


def format_usd_per_mtok(rate_pusd: int) -> str:
    """A rate in pico-dollars per token as US dollars per million tokens, exactly and without trailing zeros."""
    whole, rest = divmod(rate_pusd, _PUSD_PER_TOKEN_AT_ONE_USD_PER_MTOK)
    return f"{whole}.{rest:06d}".rstrip("0").rstrip(".")
