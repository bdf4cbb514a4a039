"""The cold-start table: how good each known model was on public outcomes, for where one's own traffic says nothing yet.

Aggregates only, dated and with their sources, made by `lanewise learn priors`; beliefs shrink to them.
"""

from __future__ import annotations

from functools import cache
from importlib import resources
from typing import Literal, TypeAlias

import msgspec

from lanewise.journey import Skill, Value

Band: TypeAlias = Literal["single", "agentic"]
"""Single-turn work, or loops of tool calls: models that are alike in one are often not in the other."""


class Source(Value, frozen=True, kw_only=True):
    """Where rows come from."""

    name: str
    url: str
    licence: str
    as_of: str
    """When the outcomes were published, ISO date or month."""
    rows: str
    """Which rows, and what a success is in them."""


class Prior(Value, frozen=True, kw_only=True):
    """What a model made of a kind of task."""

    model: str
    """As published, in lower case."""
    skill: Skill | None
    """None: all tasks of the band together."""
    band: Band
    mean: float
    """Success, 0..1."""
    weight: float
    """Distinct problems behind it. Another kind of tasks than the user's: beliefs count them for less."""
    output_tokens: float | None
    """Of a whole task, mean; None where nobody published it."""
    seconds: float | None
    """Of a whole task, mean."""
    cost_usd: float | None
    """Of a whole task at list prices, mean; with the caches of the run where the band is agentic."""


class Priors(Value, frozen=True, kw_only=True):
    """The table as it is shipped."""

    sources: tuple[Source, ...]
    skills: dict[str, Skill]
    """Name of a skill or a benchmark in the sources -> ours."""
    rows: tuple[Prior, ...]


@cache
def shipped() -> Priors:
    """The table that ships with Lanewise."""
    content = resources.files("lanewise.select").joinpath("priors.json").read_bytes()
    return msgspec.json.decode(content, type=Priors)


def normalised(model: str) -> str:
    """A model's name as the table has it: lower case, without a provider's prefix.

    ``anthropic/Claude-Opus-4-6`` -> ``claude-opus-4-6``.
    """
    return model.rsplit("/", 1)[-1].lower()
