"""What the simulation knows and no request says: how hard a task is, and which model would solve it.

Every figure here is invented for the demo. They are shaped after what public outcome tables show: the strongest model
leads clearly on debugging and planning and hardly at all on documentation, search and commit messages. The chance
of success is a logistic curve over (strength of the model - difficulty of the task), and each task has ONE draw that
all models share, so that two ways of serving the same day are compared task by task.

Knows nothing of requests, prices or latencies.
"""

from __future__ import annotations

import hashlib
import math

from lanewise.journey import Skill, Value

STEEPNESS = 9.0
"""Slope of the logistic curve: at 9, a lead of 0.25 over the difficulty means a 90 % chance."""

STRENGTH = {
    "claude-opus-5-5": 1.15,
    "claude-sonnet-5-5": 1.02,
    "claude-haiku-5-5": 0.82,
    "gpt-6-luna": 0.80,
    "qwen3-coder": 0.74,
}
"""Simulated ability per model, on the scale of the difficulties (0..1); invented, see the module's first lines."""

UNKNOWN_STRENGTH = 0.60

SKILL_SHIFT: dict[Skill, float] = {
    "debugging": -0.12,
    "planning": -0.10,
    "code_review": -0.06,
    "code_generation": -0.04,
    "refactoring": -0.03,
    "codebase_search": 0.08,
    "commit_changelog": 0.10,
    "documentation": 0.10,
    "general_chat": 0.12,
    "summarization": 0.10,
}
"""How much more or less a model below the strongest can do in a skill; skills that are absent shift nothing."""


class Task(Value, frozen=True, kw_only=True):
    """One thing that somebody wants done, with the truth about it."""

    key: str
    """Unique within the day; what the demo's calls name in their `x-demo-call` header."""
    skill: Skill
    difficulty: float
    """0 is trivial, 1 is beyond everybody."""
    ask: str
    """The words of the user."""


def chance(task: Task, model: str) -> float:
    """Probability that `model` solves `task`; a model that is not in the table counts as weak."""
    strength = STRENGTH.get(model, UNKNOWN_STRENGTH)
    if strength < max(STRENGTH.values()):
        strength += SKILL_SHIFT.get(task.skill, 0.0)
    return 1 / (1 + math.exp(-STEEPNESS * (strength - task.difficulty)))


def solves(task: Task, model: str, seed: int) -> bool:
    """Whether `model` solves `task`: the task's own draw falls below the model's chance."""
    return draw(seed, task.key) < chance(task, model)


def draw(seed: int, name: str) -> float:
    """A number in [0, 1) that depends on nothing but its arguments, on any machine and in any order."""
    digest = hashlib.sha256(f"{seed}:{name}".encode()).digest()
    return int.from_bytes(digest[:7], "big") / 2**56
