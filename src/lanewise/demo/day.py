"""Who asks what during the demo's day: at least 300 calls in some fifty sessions of five agents and a pipeline.

A day is a pure function of its seed: which session asks which of the texts in `tasks.toml`, where a user adds a short
follow-up, where a sub-agent searches and where a conversation is compacted. How a request looks is the agents'
business, what comes back is the models'.
"""

from __future__ import annotations

import random
from collections.abc import Iterator

from lanewise.demo.script import table, tasks
from lanewise.demo.sessions import Client, Session
from lanewise.demo.truth import Task
from lanewise.journey import Value

TASKS_PER_SESSION: tuple[tuple[Client, int, int], ...] = (
    ("claude-code", 12, 2),
    ("codex", 9, 2),
    ("opencode", 8, 2),
    ("qwen-code", 6, 2),
    ("aider", 7, 1),
)
"""(client, sessions, tasks in each); the products add up to the tasks that the file holds."""

AIDER_SKILLS = ("code_generation", "documentation", "refactoring", "code_translation", "test_writing", "data_sql")
"""Aider has no tools: it gets tasks that one answer can do."""

FOLLOWUP_SHARE = 0.4
"""A short turn follows this share of tasks; in real sessions about one user turn in five is one."""


class Day(Value, frozen=True, kw_only=True):
    """All sessions of the day in the order in which they begin."""

    seed: int
    sessions: tuple[Session, ...]

    def tasks(self) -> dict[str, Task]:
        """Every task of the day by its key, sub-agents' included."""
        found = {task.key: task for session in self.sessions for task in session.tasks}
        return found | {session.search.key: session.search for session in self.sessions if session.search}


def day(seed: int) -> Day:
    """The day of `seed`."""
    rng = random.Random(f"day:{seed}")  # noqa: S311 - a replayable day, not a secret
    sessions = [*_people(rng), *_pipelines()]
    rng.shuffle(sessions)
    return Day(seed=seed, sessions=tuple(sessions))


def _people(rng: random.Random) -> Iterator[Session]:
    everything = [task for rows in tasks().values() for task in rows]
    rng.shuffle(everything)
    aiders = sum(count for client, count, _ in TASKS_PER_SESSION if client == "aider")
    single = [task for task in everything if task.skill in AIDER_SKILLS][:aiders]
    looped = [task for task in everything if task not in single]
    searches = _searches()
    followups: list[str] = table("tasks.toml")["followups"]["texts"]
    for client, count, size in TASKS_PER_SESSION:
        for number in range(count):
            source = single if client == "aider" else looped
            mine = tuple(source.pop() for _ in range(min(size, len(source))))
            delegates = client == "claude-code" and mine[0].skill in _DELEGATING and bool(searches)
            yield Session(
                key=f"{client}-{number}",
                client=client,
                tasks=mine,
                followups=tuple(rng.choice(followups) if rng.random() < FOLLOWUP_SHARE else "" for _ in mine),
                search=searches.pop() if delegates else None,
                compacts=client in {"claude-code", "codex"} and number % 5 == 0,
                version="2.1.197" if number % 2 else "2.1.330",
            )


_DELEGATING = ("debugging", "planning", "code_explanation", "codebase_search")
"""Skills whose plan opens with a search that can be handed out."""


def _searches() -> list[Task]:
    rows = table("tasks.toml")["searches"]["asks"]
    return [
        Task(key=f"search-{number}", skill="codebase_search", difficulty=difficulty, ask=ask)
        for number, (difficulty, ask) in enumerate(rows)
    ]


def _pipelines() -> Iterator[Session]:
    rows = table("tasks.toml")["jobs"]["asks"]
    for number, (skill, difficulty, ask) in enumerate(rows):
        task = Task(key=f"job-{number}", skill=skill, difficulty=difficulty, ask=ask)
        yield Session(key=f"pipeline-{number}", client="pipeline", tasks=(task,))
