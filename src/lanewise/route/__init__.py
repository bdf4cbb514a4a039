"""Layer 2: which lanes may do this task, and why not the others. Labels and numbers in, no text, no models."""

from lanewise.route.facts import VARIABLES, Facts, facts_of
from lanewise.route.lanes import LanePolicy, allowed_lanes, cheap_by_judgement, residency, resident
from lanewise.route.queues import (
    QueueState,
    Speed,
    concurrency,
    now_spilled,
    predicted_completion_s,
    predicted_wait_s,
    spills,
)
from lanewise.route.rules import Rule, compiled, first_match
from lanewise.route.states import LaneQueue, Queues, Spend

__all__ = [
    "VARIABLES",
    "Facts",
    "LanePolicy",
    "LaneQueue",
    "QueueState",
    "Queues",
    "Rule",
    "Speed",
    "Spend",
    "allowed_lanes",
    "cheap_by_judgement",
    "compiled",
    "concurrency",
    "facts_of",
    "first_match",
    "now_spilled",
    "predicted_completion_s",
    "predicted_wait_s",
    "residency",
    "resident",
    "spills",
]
