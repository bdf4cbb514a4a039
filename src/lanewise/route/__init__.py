"""Layer 2: which lanes may do this task, and why not the others. Labels and numbers in, no text, no models."""

from lanewise.route.facts import VARIABLES, Facts, facts_of
from lanewise.route.lanes import LaneVerdict, Policy, allowed_lanes, cheap_by_judgement, residency, resident
from lanewise.route.policy import LanePolicy, Load, rule
from lanewise.route.rules import Rule, compiled, first_match
from lanewise.route.states import LaneQueue, Queues, Spend

__all__ = [
    "VARIABLES",
    "Facts",
    "LanePolicy",
    "LaneQueue",
    "LaneVerdict",
    "Load",
    "Policy",
    "Queues",
    "Rule",
    "Spend",
    "allowed_lanes",
    "cheap_by_judgement",
    "compiled",
    "facts_of",
    "first_match",
    "residency",
    "resident",
    "rule",
]
