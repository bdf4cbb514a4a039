"""Layer 3: which model answers. Prices, capabilities, beliefs and states in, no text."""

from lanewise.select.beliefs import Band, Beliefs, CallResult, Evidence, TaskResult, band_of
from lanewise.select.cache import WarmPrefixes, served_elsewhere
from lanewise.select.callers import BARRED_ABOVE, Callers
from lanewise.select.catalog import LANE_NAMES, Catalog, Entry
from lanewise.select.choose import EXPECTED_OUTPUT_TOKENS, Choice, Need, Outlook, Terms, choose, unable
from lanewise.select.pins import Pin, Pins
from lanewise.select.priors import Priors
from lanewise.select.table import Table, service_of

__all__ = [
    "BARRED_ABOVE",
    "EXPECTED_OUTPUT_TOKENS",
    "LANE_NAMES",
    "Band",
    "Beliefs",
    "CallResult",
    "Callers",
    "Catalog",
    "Choice",
    "Entry",
    "Evidence",
    "Need",
    "Outlook",
    "Pin",
    "Pins",
    "Priors",
    "Table",
    "TaskResult",
    "Terms",
    "WarmPrefixes",
    "band_of",
    "choose",
    "served_elsewhere",
    "service_of",
    "unable",
]
