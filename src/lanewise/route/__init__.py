"""Layer 2: which lanes may do this task, and why not the others. Labels and numbers in, no text, no models."""

from lanewise.route.policy import LanePolicy, Load, cheap_by_judgement, rule

__all__ = ["LanePolicy", "Load", "cheap_by_judgement", "rule"]
