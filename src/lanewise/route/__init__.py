"""Layer 2: which lanes may do this task, and why not the others. Labels and numbers in, no text, no models."""

from lanewise.route.policy import LanePolicy, Load, cheap_by_judgement, rule
from lanewise.route.queues import QueueState, Speed, now_spilled, predicted_completion_s, spills

__all__ = [
    "LanePolicy",
    "Load",
    "QueueState",
    "Speed",
    "cheap_by_judgement",
    "now_spilled",
    "predicted_completion_s",
    "rule",
    "spills",
]
