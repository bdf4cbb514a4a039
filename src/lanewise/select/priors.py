"""What public outcomes say of models before any of one's own traffic was seen: the cold start of the beliefs.

The table (`priors.json`, made by `lanewise learn priors`) holds aggregates in two parts that never speak for each
other: single calls, from single-turn benchmarks, and tool loops, from agentic ones. Routers that carried figures from
the first to the second fell to half of the baseline's success. What is not in the table is unknown, not zero.

Pure but for `read`, which reads the file of the package. It does not know how the figures were made.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Sequence
from importlib import resources
from typing import Final, NamedTuple, TypeAlias

import msgspec
import numpy as np
import numpy.typing as npt

from lanewise.journey import Skill, Value

Numbers: TypeAlias = npt.NDArray[np.float64]

FILE: Final = "priors.json"

LOOP_BANDS: Final = frozenset({"light", "heavy"})

CODE_CHANGING: Final = frozenset[Skill](
    {"code_generation", "code_translation", "debugging", "refactoring", "test_writing"}
)
"""Agentic benchmarks let a model change a repository until tests pass; of other work they say nothing."""

INHERITED: Final = 0.25
"""Share of its weight that an agentic mean keeps for a skill that was not measured. By judgement: success differs
between the measured skills by as much as between neighbouring models, so the mean is a hint and no measurement."""

CACHED: Final = 256
"""Answers of `Priors.columns` kept: 15 skills in 3 bands for five catalogs. More begin to push out the oldest."""


class Source(Value, frozen=True, kw_only=True):
    """Where figures come from."""

    name: str
    what: str
    licence: str
    retrieved: str
    """ISO date."""


class Row(Value, frozen=True, kw_only=True, omit_defaults=True):
    """What was measured of one model at one kind of work."""

    success: float
    """0..1."""
    tasks: int
    output_tokens: int | None = None
    """Mean per call; None where the source does not say."""


class Measured(Value, frozen=True, kw_only=True, omit_defaults=True):
    """All that was measured of one model."""

    single: dict[Skill, Row] = msgspec.field(default_factory=dict)
    """Single calls without tools."""
    loops: dict[Skill, Row] = msgspec.field(default_factory=dict)
    """Tool loops."""
    loops_mean: Row | None = None
    """Over all tool loops."""


class Table(Value, frozen=True, kw_only=True):
    """The file."""

    version: str
    """ISO date of the newest figure."""
    sources: tuple[Source, ...] = ()
    notes: tuple[str, ...] = ()
    dimensions: dict[str, Skill] = msgspec.field(default_factory=dict)
    """Dimension of the single-turn benchmark -> the skill it counts for."""
    benchmarks: dict[str, Skill] = msgspec.field(default_factory=dict)
    """Agentic benchmark -> the skill it counts for."""
    left_out: dict[str, str] = msgspec.field(default_factory=dict)
    """Model -> why it is in a source and not here."""
    models: dict[str, Measured] = msgspec.field(default_factory=dict)
    """By canonical name."""


class Columns(NamedTuple):
    """One number per model asked for; read-only, since the same arrays are handed out again."""

    success: Numbers
    """0..1; NaN where nothing is known."""
    weight: Numbers
    """Effective number of tasks behind it; 0.0 where success is NaN."""
    output_tokens: Numbers
    """Per call; NaN where nothing is known."""


_DATE = re.compile(r"[-@](20\d{2}-(0[1-9]|1[0-2])-[0-3]\d|20\d{2}(0[1-9]|1[0-2])[0-3]\d)$")


def canonical(model: str) -> str:
    """The name under which the table knows `model`.

    Lower case, without what stands before the last slash, without the tag ``:latest`` and the date of a release, dots
    as dashes. Nothing else is taken away: ``-mini``, ``-thinking``, ``:free`` name other models.
    """
    name = model.rpartition("/")[2].strip().lower().removesuffix(":latest")
    return _DATE.sub("", name).replace(".", "-")


def read() -> Table:
    """The file that ships with the package.

    Raises:
        msgspec.ValidationError: it is not such a table; a test keeps that from being released.
    """
    return msgspec.json.decode(resources.files(__package__).joinpath(FILE).read_bytes(), type=Table)


class Priors:
    """The table, asked by column. Not for several threads at once."""

    def __init__(self, table: Table) -> None:
        self.version = table.version
        self.sources = table.sources
        self._models = table.models
        self._answers: OrderedDict[tuple[tuple[str, ...], Skill, str], Columns] = OrderedDict()

    @classmethod
    def load(cls) -> Priors:
        """The table that ships."""
        return cls(read())

    @classmethod
    def none(cls) -> Priors:
        """Knows nothing."""
        return cls(Table(version=""))

    def columns(self, models: Sequence[str], skill: Skill, band: str) -> Columns:
        """What is known of each of `models` at work of this skill.

        Args:
            models: Names as callers and catalogs write them.
            skill: Kind of work.
            band: ``single``, ``light`` or ``heavy``; the latter two are tool loops and have the same figures.

        Raises:
            ValueError: there is no such band.
        """
        key = (tuple(models), skill, band)
        found = self._answers.get(key)
        if found is None:
            found = self._answers[key] = self._read(key[0], skill, band)
            if len(self._answers) > CACHED:
                self._answers.popitem(last=False)
        return found

    def _read(self, models: tuple[str, ...], skill: Skill, band: str) -> Columns:
        if band != "single" and band not in LOOP_BANDS:
            raise ValueError(f"no such band: {band!r}")
        columns = Columns(np.full(len(models), np.nan), np.zeros(len(models)), np.full(len(models), np.nan))
        for at, model in enumerate(models):
            measured = self._models.get(canonical(model))
            row, share = (None, 0.0) if measured is None else _row(measured, skill, single=band == "single")
            if row is not None:
                columns.success[at] = row.success
                columns.weight[at] = row.tasks * share
                columns.output_tokens[at] = np.nan if row.output_tokens is None else row.output_tokens
        for column in columns:
            column.setflags(write=False)
        return columns


def _row(measured: Measured, skill: Skill, *, single: bool) -> tuple[Row | None, float]:
    """The row that speaks for `skill`, and the share of its weight that counts."""
    if single:
        return measured.single.get(skill), 1.0
    own = measured.loops.get(skill)
    if own is not None:
        return own, 1.0
    return (measured.loops_mean, INHERITED) if skill in CODE_CHANGING else (None, 0.0)
