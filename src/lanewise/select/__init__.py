"""Layer 3: which model answers. Prices, capabilities, beliefs and states in, no text."""

from lanewise.select.beliefs import Band, Beliefs, CallResult, Evidence, TaskResult, band_of
from lanewise.select.cache import WarmPrefixes, served_elsewhere
from lanewise.select.callers import BARRED_ABOVE, Callers
from lanewise.select.catalog import LANE_NAMES, Catalog, Entry
from lanewise.select.choose import EXPECTED_OUTPUT_TOKENS, Choice, Need, Outlook, Terms, choose, quoted, unable
from lanewise.select.conversation import Conversation, path_of
from lanewise.select.pins import Pin, Pins
from lanewise.select.priors import Priors
from lanewise.select.stay import SwitchLedger, expected_totals, overheads
from lanewise.select.table import LANES, Flags, Numbers, Table, service_of
from lanewise.select.turns import Turns
from lanewise.select.warmth import Caches

__all__ = [
    "BARRED_ABOVE",
    "EXPECTED_OUTPUT_TOKENS",
    "LANES",
    "LANE_NAMES",
    "Band",
    "Beliefs",
    "Caches",
    "CallResult",
    "Callers",
    "Catalog",
    "Choice",
    "Conversation",
    "Entry",
    "Evidence",
    "Flags",
    "Need",
    "Numbers",
    "Outlook",
    "Pin",
    "Pins",
    "Priors",
    "SwitchLedger",
    "Table",
    "TaskResult",
    "Terms",
    "Turns",
    "WarmPrefixes",
    "band_of",
    "choose",
    "expected_totals",
    "overheads",
    "path_of",
    "quoted",
    "served_elsewhere",
    "service_of",
    "unable",
]
