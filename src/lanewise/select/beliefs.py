"""What is believed of each model at each kind of work: how often it succeeds, how much it writes, how fast it answers.

Success has two sources on two scales. Public outcomes say how models differ on benchmarks; one's own signals say how
often tasks go well here, which is another question with another level. So own traffic sets the level and public
outcomes set the differences, until own differences are known: the prior of every model is moved, in log-odds, by as
much as the models that were tried are better or worse here than there; then own counts are shrunk to that prior.
Counts fade, since models and habits change. Speed is a moving average per endpoint that is unknown again when it is
old. Memory is bounded by the catalog: a few numbers per (skill, band, model).

Pure but for its memory: the time is always given.
"""

from __future__ import annotations

import datetime as dt
from typing import Final, Literal, NamedTuple, TypeAlias, get_args
from weakref import WeakKeyDictionary

import numpy as np
import numpy.typing as npt

from lanewise.journey import Candidate, Features, Skill, Value
from lanewise.select.priors import Priors
from lanewise.select.shrink import STRENGTH
from lanewise.select.table import Flags, Numbers, Table

Band: TypeAlias = Literal["single", "light", "heavy"]
"""Single calls without tools; tool loops of low and of high complexity. Which models fail differs most between the
first and the others: static routers that were right on single calls fell to half of the baseline on tool loops."""

BANDS: Final[tuple[Band, ...]] = get_args(Band)

HEAVY_FROM: Final = 0.40
"""Complexity from which a tool loop is heavy. By judgement: about a third of the recorded loops lie above."""

HALF_LIFE_S: Final = 30 * 86_400.0
"""After this time a task counts half: providers change models behind their names within months."""

SPEED_STALE_S: Final = 1_800.0
"""A speed not measured for this long is unknown again: load changes by the hour."""

FAILURE_HALF_LIFE_S: Final = 600.0
"""An endpoint's failures are forgiven by half in this time; outages end in minutes."""

_LEAST_SHARE: Final = 0.1
"""What the latest call counts in a moving average, once ten are known."""

_QUEUED_SHARE: Final = 0.02
"""The same for a first token of a local engine that came later than usual: it waited in the queue, which is predicted
apart, so that the average keeps near what the engine does once it has begun."""

_EDGE: Final = 0.01
"""Success rates are kept this far from 0 and 1, so that their log-odds stay finite."""

MAX_NAMES: Final = 1_000
"""Models and endpoints remembered, apart: a catalog has hundreds at most, callers may invent more."""


def band_of(features: Features) -> Band:
    """The band of a call."""
    if not features.tools_offered:
        return "single"
    return "heavy" if features.complexity >= HEAVY_FROM else "light"


class Evidence(NamedTuple):
    """What is believed of each entry of a table, one number per entry; NaN where unknown."""

    success: Numbers
    """Share of tasks done, 0..1."""
    weight: Numbers
    """Tasks behind it, public ones included, counted in full tasks; 0 where nobody has tried."""
    output_tokens: Numbers
    """Per call."""
    first_token_s: Numbers
    tokens_per_s: Numbers
    failure_rate: Numbers
    """Share of calls that end in an error of the endpoint, lately."""

    def packed(self) -> bytes:
        """As bytes for the ledger: what `decide` sees live and what it sees again later are the same."""
        return np.stack(self).astype("<f4").tobytes()

    @classmethod
    def unpacked(cls, packed: bytes, entries: int) -> Evidence:
        """Back from `packed`; `entries` is the length of the table it was made for."""
        return cls(*np.frombuffer(packed, "<f4").reshape(len(cls._fields), entries).astype(np.float64))


class TaskResult(Value, frozen=True, kw_only=True):
    """How one task went, as far as signals tell."""

    skill: Skill
    band: Band
    model: str
    success: float
    """0..1: the probability that it was done."""
    weight: float = 1.0
    """How much this counts beside a task whose success is certain, 0..1."""
    at: dt.datetime


class CallResult(Value, frozen=True, kw_only=True):
    """How one call went at one endpoint."""

    skill: Skill
    band: Band
    candidate: Candidate
    failed: bool
    """The endpoint failed; a client that left is no failure."""
    output_tokens: int | None = None
    first_token_s: float | None = None
    tokens_per_s: float | None = None
    at: dt.datetime


class Beliefs:
    """The memory. Not for several threads at once."""

    def __init__(self, priors: Priors) -> None:
        self._priors = priors
        self._models = _Names()
        self._endpoints = _Names()
        self._cells: dict[tuple[Skill, Band], _Cell] = {}
        self._speed = _Speed()
        self._tables: WeakKeyDictionary[Table, tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]]
        self._tables = WeakKeyDictionary()

    def task_ended(self, result: TaskResult) -> None:
        """Learn how a task went."""
        cell = self._cell(result.skill, result.band)
        cell.add(self._models.of(result.model), result)

    def call_ended(self, result: CallResult) -> None:
        """Learn how fast an endpoint was, how much the model wrote, and whether it failed."""
        at_s = result.at.timestamp()
        self._speed.add(self._endpoints.of(_endpoint(result.candidate)), result, at_s)
        if result.output_tokens and not result.failed:
            cell = self._cell(result.skill, result.band)
            cell.wrote(self._models.of(result.candidate.model), result.output_tokens)

    def evidence(self, skill: Skill, band: Band, table: Table, at: dt.datetime) -> Evidence:
        """What is believed of each entry of `table` at work of this kind."""
        models, endpoints = self._positions(table)
        prior = self._priors.columns(table.models, skill, band)
        at_s = at.timestamp()
        cell = self._cells.get((skill, band))
        tried, good, wrote = (
            (np.zeros(len(table)), np.zeros(len(table)), np.full(len(table), np.nan))
            if cell is None
            else cell.faded(models, at_s)
        )
        first_s, per_s, failing = self._speed.now(endpoints, at_s)
        return Evidence(
            success=posterior(good, tried, prior.success, table.once),
            weight=tried + np.where(np.isnan(prior.success), 0.0, prior.weight),
            output_tokens=np.where(np.isnan(wrote), prior.output_tokens, wrote),
            first_token_s=first_s,
            tokens_per_s=per_s,
            failure_rate=failing,
        )

    def _positions(self, table: Table) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
        """Where the models and endpoints of `table` are kept here; found once per table."""
        found = self._tables.get(table)
        if found is None:
            found = self._tables[table] = (
                np.array([self._models.of(model) for model in table.models], dtype=np.intp),
                np.array([self._endpoints.of(_endpoint(c)) for c in table.candidates], dtype=np.intp),
            )
        return found

    def _cell(self, skill: Skill, band: Band) -> _Cell:
        found = self._cells.get((skill, band))
        if found is None:
            found = self._cells[skill, band] = _Cell()
        return found


def posterior(good: Numbers, tried: Numbers, prior: Numbers, once: Flags) -> Numbers:
    """Success per entry: own counts shrunk to the prior, whose level own traffic sets; NaN where neither is known.

    Args:
        good: Tasks done, per entry.
        tried: Tasks tried, per entry.
        prior: Success by public outcomes, per entry; NaN where there are none.
        once: True at one entry of each model, which counts for the level.
    """
    known = ~np.isnan(prior)
    level = known & once & (tried > 0)
    if level.any():
        weights = tried[level]
        there = float(weights @ prior[level]) / float(weights.sum())
        here = (float(good[level].sum()) + STRENGTH * there) / (float(weights.sum()) + STRENGTH)
        prior = _from_log_odds(_log_odds(prior) + float(_log_odds(np.array(here)) - _log_odds(np.array(there))))
    base = np.where(known, prior, 0.0)
    shrink = np.where(known, STRENGTH, 0.0)
    with np.errstate(invalid="ignore", divide="ignore"):
        success: Numbers = (good + shrink * base) / (tried + shrink)
    return success


def _log_odds(share: Numbers) -> Numbers:
    kept = np.clip(share, _EDGE, 1 - _EDGE)
    odds: Numbers = np.log(kept / (1 - kept))
    return odds


def _from_log_odds(value: Numbers) -> Numbers:
    return 1 / (1 + np.exp(-value))


def _endpoint(candidate: Candidate) -> str:
    return f"{candidate.provider}\x1f{candidate.model}\x1f{candidate.service}"


class _Names:
    """Positions of names in arrays; beyond the bound all share the last one."""

    def __init__(self) -> None:
        self._at: dict[str, int] = {}

    def of(self, name: str) -> int:
        found = self._at.get(name)
        if found is None:
            if len(self._at) >= MAX_NAMES:
                return MAX_NAMES
            found = self._at[name] = len(self._at)
        return found


class _Cell:
    """Counts of one (skill, band), by model."""

    def __init__(self) -> None:
        self._tried = np.zeros(MAX_NAMES + 1)
        self._good = np.zeros(MAX_NAMES + 1)
        self._at_s = np.zeros(MAX_NAMES + 1)
        self._wrote = np.full(MAX_NAMES + 1, np.nan)
        self._calls = np.zeros(MAX_NAMES + 1)

    def add(self, model: int, result: TaskResult) -> None:
        """Count a task; what was counted before fades to the same moment."""
        at_s = max(result.at.timestamp(), float(self._at_s[model]))  # a clock set back fades nothing
        share = 0.5 ** ((at_s - self._at_s[model]) / HALF_LIFE_S)
        self._tried[model] = self._tried[model] * share + result.weight
        self._good[model] = self._good[model] * share + result.weight * result.success
        self._at_s[model] = at_s

    def wrote(self, model: int, tokens: int) -> None:
        """Average the output of a call."""
        self._calls[model] += 1
        _average(self._wrote, model, float(tokens), self._calls[model])

    def faded(self, models: npt.NDArray[np.intp], at_s: float) -> tuple[Numbers, Numbers, Numbers]:
        """Tried, good and output tokens of `models` at `at_s`."""
        share = np.exp2(-np.maximum(0.0, at_s - self._at_s[models]) / HALF_LIFE_S)
        return self._tried[models] * share, self._good[models] * share, self._wrote[models]


class _Speed:
    """Moving averages by endpoint."""

    def __init__(self) -> None:
        self._first_s = np.full(MAX_NAMES + 1, np.nan)
        self._per_s = np.full(MAX_NAMES + 1, np.nan)
        self._measured = np.zeros(MAX_NAMES + 1)
        self._decoded = np.zeros(MAX_NAMES + 1)
        self._at_s = np.full(MAX_NAMES + 1, -np.inf)
        self._failing = np.zeros(MAX_NAMES + 1)
        self._failing_at_s = np.zeros(MAX_NAMES + 1)

    def add(self, endpoint: int, result: CallResult, at_s: float) -> None:
        """Average one call."""
        faded = self._failing[endpoint] * 0.5 ** (max(0.0, at_s - self._failing_at_s[endpoint]) / FAILURE_HALF_LIFE_S)
        self._failing[endpoint] = faded + _LEAST_SHARE * (float(result.failed) - faded)
        self._failing_at_s[endpoint] = max(at_s, float(self._failing_at_s[endpoint]))
        if result.first_token_s is None or result.failed:
            return
        if at_s - self._at_s[endpoint] > SPEED_STALE_S:
            self._measured[endpoint] = self._decoded[endpoint] = 0
            self._first_s[endpoint] = self._per_s[endpoint] = np.nan
        self._measured[endpoint] += 1
        self._at_s[endpoint] = max(at_s, float(self._at_s[endpoint]))
        slower = result.first_token_s > self._first_s[endpoint]
        if result.candidate.lane == "local" and slower:
            self._first_s[endpoint] += _QUEUED_SHARE * (result.first_token_s - self._first_s[endpoint])
        else:
            _average(self._first_s, endpoint, result.first_token_s, self._measured[endpoint])
        if result.tokens_per_s is not None:
            self._decoded[endpoint] += 1
            _average(self._per_s, endpoint, result.tokens_per_s, self._decoded[endpoint])

    def now(self, endpoints: npt.NDArray[np.intp], at_s: float) -> tuple[Numbers, Numbers, Numbers]:
        """First token, tokens per second and failure rate of `endpoints` at `at_s`."""
        stale = at_s - self._at_s[endpoints] > SPEED_STALE_S
        failing_for_s = np.maximum(0.0, at_s - self._failing_at_s[endpoints])
        return (
            np.where(stale, np.nan, self._first_s[endpoints]),
            np.where(stale, np.nan, self._per_s[endpoints]),
            self._failing[endpoints] * np.exp2(-failing_for_s / FAILURE_HALF_LIFE_S),
        )


def _average(into: Numbers, at: int, value: float, count: float) -> None:
    """Move the average at position `at`: a plain mean of the first ten values, then a tenth for each new one."""
    if np.isnan(into[at]) or count <= 1:
        into[at] = value
    else:
        into[at] += max(1.0 / count, _LEAST_SHARE) * (value - into[at])
