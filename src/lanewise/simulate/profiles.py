"""Synthetic sessions of coding agents: how long, how fast they grow, how long people think, how hard the tasks are.

Every figure here is an assumption, stated so that it can be doubted; none was fitted to make a policy win. Sizes of
first prompts follow captured requests (a Claude Code first turn of 49 to 125 KB, a Codex one of 46 KB), growth and
output the worked 40-turn session with 2,500 and 700 tokens per turn.
"""

from __future__ import annotations

import numpy as np

from lanewise.journey import Value


class Profile(Value, frozen=True, kw_only=True):
    """How one family of clients behaves. Means, unless said otherwise."""

    client: str
    models: tuple[str, ...]
    """By rising strength; the last is what the client names: the baseline."""
    tasks: float
    calls: float
    """Per task; geometric, so that a task's age says nothing of its end."""
    first_tokens: int
    growth_tokens: float
    output_tokens: float
    marked: bool
    """The client marks its prompt for caching."""
    subagents: float = 0.0
    """Share of tasks that a sub-agent does, in a context of its own."""
    loop_gap_s: float = 12.0
    """Between the calls of a task."""
    idle_s: float = 120.0
    """Median between tasks; log-normal with sigma 1.4, so that a quarter of the gaps outlasts five minutes."""


CLAUDES = ("claude-haiku-5-5", "claude-sonnet-5-5", "claude-opus-5-5")
GPTS = ("gpt-5.6-luna", "gpt-5.6-terra", "gpt-5.6-sol")
MIXED = ("deepseek-flash", "gemini-3.8-flash", "claude-sonnet-5-5", "claude-opus-5-5")
STRENGTH = {
    "claude-haiku-5-5": 0.50,
    "claude-sonnet-5-5": 0.75,
    "claude-opus-5-5": 0.95,
    "gpt-5.6-luna": 0.50,
    "gpt-5.6-terra": 0.75,
    "gpt-5.6-sol": 0.95,
    "deepseek-flash": 0.50,
    "gemini-3.8-flash": 0.60,
}
"""The difficulty at which a model solves half of the tasks. Assumed: what counts here is only that they differ."""

PROFILES = (
    Profile(
        client="claude-code",
        models=CLAUDES,
        tasks=5,
        calls=15,
        first_tokens=25_000,
        growth_tokens=2_500,
        output_tokens=700,
        marked=True,
    ),
    Profile(
        client="codex",
        models=GPTS,
        tasks=4,
        calls=15,
        first_tokens=12_000,
        growth_tokens=2_500,
        output_tokens=700,
        marked=False,
    ),
    Profile(
        client="opencode",
        models=MIXED,
        tasks=5,
        calls=10,
        first_tokens=12_000,
        growth_tokens=2_000,
        output_tokens=600,
        marked=True,
    ),
    Profile(
        client="aider",
        models=MIXED,
        tasks=10,
        calls=1.2,
        first_tokens=9_000,
        growth_tokens=1_500,
        output_tokens=1_200,
        marked=False,
    ),
    Profile(
        client="script",
        models=GPTS,
        tasks=8,
        calls=1,
        first_tokens=3_000,
        growth_tokens=800,
        output_tokens=400,
        marked=False,
        idle_s=5,
    ),
    Profile(
        client="subagents",
        models=CLAUDES,
        tasks=10,
        calls=10,
        first_tokens=15_000,
        growth_tokens=2_000,
        output_tokens=600,
        marked=True,
        subagents=0.7,
    ),
)


class World(Value, frozen=True, kw_only=True):
    """What the sensitivity table changes."""

    idle: float = 1.0
    """Factor on the time between tasks."""
    hardness: float = 0.0
    """Added to each task's difficulty."""
    noise: float = 0.08
    """Standard deviation of the scorer's error from call to call, beside 0.10 from task to task."""


class Task(Value, frozen=True, kw_only=True):
    """One task; the three tuples have one entry per call."""

    subagent: bool
    idle_s: float
    """Before its first call."""
    difficulty: float
    luck: float
    """Uniform; the task succeeds where this is below the model's chance, whoever the policy chose."""
    score: float
    """What a scorer thinks of its difficulty when it opens."""
    scores: tuple[float, ...]
    """What it thinks at each call."""
    growth_tokens: tuple[int, ...]
    output_tokens: tuple[int, ...]


def session(profile: Profile, world: World, rng: np.random.Generator) -> tuple[Task, ...]:
    """Draw one session."""
    return tuple(_task(profile, world, rng) for _ in range(int(rng.geometric(1 / profile.tasks))))


def _task(profile: Profile, world: World, rng: np.random.Generator) -> Task:
    calls = int(rng.geometric(1 / profile.calls))
    difficulty = float(rng.beta(2.0, 2.5)) + world.hardness
    score = difficulty + float(rng.normal(0, 0.10))
    return Task(
        subagent=bool(rng.random() < profile.subagents),
        idle_s=float(profile.idle_s * world.idle * np.exp(rng.normal(0, 1.4))),
        difficulty=difficulty,
        luck=float(rng.random()),
        score=score,
        scores=tuple((score + rng.normal(0, world.noise, calls)).tolist()),
        growth_tokens=tuple(rng.exponential(profile.growth_tokens, calls).astype(int).tolist()),
        output_tokens=tuple(rng.exponential(profile.output_tokens, calls).astype(int).tolist()),
    )
