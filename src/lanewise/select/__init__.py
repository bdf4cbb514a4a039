"""Layer 3: which model answers. Prices, capabilities and states in, no text."""

from lanewise.select.cache import WarmPrefixes, served_elsewhere
from lanewise.select.catalog import LANE_NAMES, Catalog, Entry
from lanewise.select.choose import Choice, Need, choose
from lanewise.select.pins import Pins

__all__ = [
    "LANE_NAMES",
    "Catalog",
    "Choice",
    "Entry",
    "Need",
    "Pins",
    "WarmPrefixes",
    "choose",

    "served_elsewhere",
]
