"""How good the decisions are, on outcomes that are known. Sends nothing; only the readers of files touch a disk."""

from lanewise.evaluate.findings import End, Findings, Side, Yardstick
from lanewise.evaluate.outcomes import read_costs, read_outcomes, read_prompts
from lanewise.evaluate.routing import run

__all__ = ["End", "Findings", "Side", "Yardstick", "read_costs", "read_outcomes", "read_prompts", "run"]
