"""Money: integer pico-dollars, and usage times price.

Knows prices by model name and nothing of requests, lanes or policy. Start at `book.PriceBook` (which price?) and
`cost.cost` (how much?).
"""

from lanewise.money.amounts import PUSD_PER_USD, format_usd, format_usd_per_mtok, pusd_of, pusd_per_token, to_usd
from lanewise.money.book import USER_FILE, PriceBook, fixed_price
from lanewise.money.compare import MAX_RATIO, PriceDiff, RateChange, diff
from lanewise.money.cost import cost
from lanewise.money.litellm import prune
from lanewise.money.snapshot import Snapshot, encode
from lanewise.money.values import Level, ModelMode, ModelPrice, OffPeak, Rates, Rise, ServiceTier, Window

__all__ = [
    "MAX_RATIO",
    "PUSD_PER_USD",
    "USER_FILE",
    "Level",
    "ModelMode",
    "ModelPrice",
    "OffPeak",
    "PriceBook",
    "PriceDiff",
    "RateChange",
    "Rates",
    "Rise",
    "ServiceTier",
    "Snapshot",
    "Window",
    "cost",
    "diff",
    "encode",
    "fixed_price",
    "format_usd",
    "format_usd_per_mtok",
    "prune",
    "pusd_of",
    "pusd_per_token",
    "to_usd",
]
