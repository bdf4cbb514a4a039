"""A pipeline's calls: one request without tools or stream, by the OpenAI SDK, a deadline instead of a user."""

from __future__ import annotations

import random

from lanewise.demo.agents.exchange import Exchange, Json, exchange
from lanewise.demo.script import Label, table
from lanewise.demo.truth import Task
from lanewise.demo.workspace import AREAS, commits, diff, source
from lanewise.journey import Dialect

DEADLINE = "8h"


def job(task: Task, model: str, dialect: Dialect, rng: random.Random, label: Label) -> Exchange:
    """The request of one job: the instruction and the material it is about, in one user message."""
    system: str = table("harness.toml")["jobs"]["main"]
    text = f"{task.ask}\n\n{_material(task, rng)}"
    headers: Json = {
        "accept": "application/json",
        "authorization": "Bearer simulated",
        "user-agent": "OpenAI/Python 3.54.0",
        "x-stainless-lang": "python",
        "x-stainless-async": "false",
        "x-stainless-retry-count": "0",
        "x-lanewise-deadline": DEADLINE,
        "x-lanewise-tags": "nightly",
    }
    if dialect == "responses":
        return exchange("responses", headers, {"model": model, "instructions": system, "input": text}, label)
    messages = [{"role": "system", "content": system}, {"role": "user", "content": text}]
    return exchange("chat", headers, {"model": model, "messages": messages}, label)


def _material(task: Task, rng: random.Random) -> str:
    if task.skill == "code_review":
        return f"```diff\n{diff(rng, 6)}\n```"
    if task.skill in {"commit_changelog", "summarization"}:
        return commits(rng, 60)
    path = f"harbour/{rng.choice(AREAS)}/__init__.py"
    return f"{path}\n```python\n{source(path, 12)}\n```"
