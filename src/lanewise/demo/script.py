"""How a task is worked on: which moves an agent makes for a skill, and the label each call carries.

The label travels in the header `x-demo-call`, which Lanewise passes on like any header it does not know. By it the
simulated providers recognise the task; routing never sees it.
"""

from __future__ import annotations

import functools
import tomllib
from importlib import resources
from typing import Any, Literal, TypeAlias

import msgspec

from lanewise.demo.truth import Task
from lanewise.journey import Skill, Value

HEADER = "x-demo-call"

Purpose: TypeAlias = Literal["work", "followup", "title", "commit", "compaction", "search"]
"""Why a call is made: the task itself, a short steering turn after it, housekeeping, or a sub-agent's search."""

Move: TypeAlias = Literal["look", "read", "delegate", "edit", "check", "log", "shell", "done"]
"""One step of an agent's loop."""

PLANS: dict[Skill, tuple[Move, ...]] = {
    "debugging": ("look", "read", "read", "edit", "check", "done"),
    "code_generation": ("read", "edit", "edit", "check", "done"),
    "devops_shell": ("shell", "shell", "done"),
    "planning": ("look", "read", "done"),
    "documentation": ("read", "edit", "done"),
    "code_explanation": ("look", "read", "done"),
    "codebase_search": ("look", "look", "done"),
    "code_review": ("log", "read", "done"),
    "test_writing": ("read", "edit", "check", "done"),
    "commit_changelog": ("log", "done"),
    "refactoring": ("read", "edit", "edit", "check", "done"),
    "code_translation": ("read", "edit", "check", "done"),
    "data_sql": ("read", "shell", "done"),
    "summarization": ("read", "done"),
    "general_chat": ("done",),
}

MAX_REPAIRS = 2
"""How often an agent repairs a change whose tests fail before it gives up."""


class Label(Value, frozen=True, kw_only=True):
    """What a call is for."""

    task: str
    """Key of the task, see `truth.Task`."""
    purpose: Purpose = "work"
    step: int = 0
    """Calls of this task before this one."""
    failures: int = 0
    """Failed test runs of this task before this call."""
    search: bool = False
    """A sub-agent stands ready for the task's first search."""

    def header(self) -> str:
        """The value of `HEADER`."""
        return f"{self.task} {self.purpose} {self.step} {self.failures} {int(self.search)}"

    @classmethod
    def parse(cls, value: str) -> Label | None:
        """The label of a header value; None where a stranger called."""
        try:
            task, purpose, step, failures, search = value.split()
            fields = {"task": task, "purpose": purpose, "step": int(step), "failures": int(failures)}
            return msgspec.convert({**fields, "search": search == "1"}, cls)
        except (ValueError, msgspec.ValidationError):
            return None


def moves(skill: Skill, purpose: Purpose, failures: int, *, delegates: bool) -> tuple[Move, ...]:
    """The moves that serve a call's task, `done` last; a failed check adds a repair and another check."""
    plan = PLANS[skill]
    if purpose == "followup":
        plan = ("edit", "check", "done") if "edit" in plan else ("shell", "done")
    elif purpose == "search":
        plan = ("look", "read", "done")
    elif purpose != "work":
        plan = ("done",)
    elif delegates and plan[0] == "look":
        plan = ("delegate", *plan[1:])
    return plan[:-1] + ("edit", "check") * min(failures, MAX_REPAIRS) + ("done",)


@functools.cache
def table(name: str) -> dict[str, Any]:
    """A data file of this package; its rows are checked where they become values.

    The answer is shared: read it, do not write to it.
    """
    return tomllib.loads(resources.files(__package__).joinpath(name).read_text(encoding="utf-8"))


def tasks() -> dict[Skill, list[Task]]:
    """The day's tasks of people, by skill, in the order of the file."""
    asks = table("tasks.toml")["asks"]
    return {
        skill: [
            Task(key=f"{skill}-{n}", skill=skill, difficulty=difficulty, ask=ask)
            for n, (difficulty, ask) in enumerate(rows)
        ]
        for skill, rows in asks.items()
    }
