"""How `connect` and `doctor` know coding agents: which file holds their base URL, and how it is edited and restored."""

from lanewise.cli.agents.change import Change, apply, connecting, state, undoing
from lanewise.cli.agents.table import AGENTS, Agent

__all__ = ["AGENTS", "Agent", "Change", "apply", "connecting", "state", "undoing"]
