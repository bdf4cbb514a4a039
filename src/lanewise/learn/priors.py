"""Make the cold-start table: public outcomes in, means per model and skill out.

Only aggregates leave this file: no task, no text. The same files and dates give the same bytes. What the table is used
for is the business of `select.priors`, which also holds its shape.
"""

from __future__ import annotations

import csv
import datetime as dt
import gzip
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from lanewise.errors import InputError
from lanewise.journey import Skill, Value
from lanewise.select.priors import Measured, Row, Source, Table, canonical

DIMENSIONS: Final[dict[str, Skill]] = {
    "algorithm": "code_generation",
    "bug_fixing": "debugging",
    "code_completion": "code_generation",
    "code_generation": "code_generation",
    "code_refactoring": "refactoring",
    "code_understanding": "code_explanation",
    "data_science": "data_sql",
    "multi_language": "code_translation",
    "test_generation": "test_writing",
}
"""Dimension of CodeRouterBench -> our skill, by what its prompts ask for: `multi_language` gives Python and wants
another language, `data_science` wants functions over data frames."""

BENCHMARKS: Final[dict[str, Skill]] = {
    "commit0": "code_generation",
    "swe-bench-verified": "debugging",
    "swt-bench": "test_writing",
}

TASKS: Final = {"commit0": 16, "swt-bench": 433}
"""Tasks behind a score of which only the mean is published."""

LEFT_OUT: Final = {"claude-fable-5": "marked as not available by the source; nobody can be routed to it"}

HARNESS: Final = "openhands"
"""Nine models were also run by other harnesses: a harness moves success by as much as a model, so one speaks."""

NOTES: Final = (
    (
        "success: mean score, 0..1. CodeRouterBench's are partly soft (similarity to a reference, share of tests): "
        "a mean of 0.6 orders models, it does not say that 60 % of the tasks were done."
    ),
    (
        "tasks: number of tasks behind the mean, each run once. A soft score varies less than a yes or no with the "
        "same mean, so that reading it as a count of successes overstates doubt, not certainty."
    ),
    (
        "single: CodeRouterBench, one call without tools; dimensions that count for one skill are pooled by task. "
        "code_completion is for the most part CRUXEval's prediction of outputs."
    ),
    "single, output_tokens: mean of one call over the tasks whose tokens were logged.",
    (
        "loops: OpenHands as the one harness. SWE-bench Verified task by task; SWT-bench and commit0 from published "
        "means, read as 433 and 16 tasks each. GAIA and SWE-bench Multimodal are not used: no repository, and pictures."
    ),
    (
        "loops_mean: over the outcomes of all three. The issues of SWT-bench are among those of SWE-bench Verified, so "
        "they add to the mean and not to its tasks. Output tokens per call of a loop are not published."
    ),
)


class Inputs(Value, frozen=True, kw_only=True):
    """The four files; ``.gz`` is read as such."""

    coderouterbench: Path
    costs: Path
    openhands: Path
    openhands_models: Path


class _Mean:
    """Of numbers that come one by one, in the order of the file."""

    def __init__(self) -> None:
        self.total, self.count = 0.0, 0

    def add(self, value: float, times: int = 1) -> None:
        self.total += value * times
        self.count += times

    @property
    def value(self) -> float:
        return self.total / self.count


class _Key(NamedTuple):
    model: str
    skill: Skill


def build(inputs: Inputs, *, retrieved: dt.date, date: dt.date | None = None) -> Table:
    """The table of these files.

    Args:
        inputs: The files.
        retrieved: Day on which they were fetched.
        date: Version of the table; by default the newest release of a model in it, as `openhands_models` says.

    Raises:
        InputError: a file cannot be read, lacks a column, is empty, or holds something else than expected.
    """
    models, newest = _loops(inputs)
    for model, single in _single(inputs).items():
        models[model] = msgspec.structs.replace(models.get(model, Measured()), single=single)
    return Table(
        version=(date or newest).isoformat(),
        sources=_sources(retrieved),
        notes=NOTES,
        dimensions=DIMENSIONS,
        benchmarks=BENCHMARKS,
        left_out=LEFT_OUT,
        models=models,
    )


def encode(table: Table) -> bytes:
    """The file's bytes, keys in alphabetical order."""
    return msgspec.json.format(msgspec.json.encode(table, order="sorted"), indent=1) + b"\n"


def _sources(retrieved: dt.date) -> tuple[Source, ...]:
    day = retrieved.isoformat()
    return (
        Source(
            name="CodeRouterBench (agent-as-a-router)",
            what="probing split: 7,080 single-turn coding tasks x 8 models, scores; output tokens of 1,013 of them",
            licence="MIT",
            retrieved=day,
        ),
        Source(
            name="OpenHands index results",
            what="SWE-bench Verified task by task; means of SWT-bench and commit0; tool loops",
            licence="MIT (according to its README)",
            retrieved=day,
        ),
    )


def _single(inputs: Inputs) -> dict[str, dict[Skill, Row]]:
    """Model -> skill -> what single calls say of it."""
    scores: dict[_Key, _Mean] = defaultdict(_Mean)
    for row in _rows(inputs.coderouterbench, ("dimension", "model", "score")):
        key = _key(row)
        if key is not None:
            scores[key].add(row.number("score", most=1.0))
    tokens: dict[_Key, _Mean] = defaultdict(_Mean)
    for row in _rows(inputs.costs, ("dimension", "model", "output_tokens")):
        key = _key(row)
        if key is not None and row.cell("output_tokens"):
            tokens[key].add(row.number("output_tokens"))
    rows: dict[str, dict[Skill, Row]] = defaultdict(dict)
    for key, mean in scores.items():
        wrote = round(tokens[key].value) if key in tokens else None
        rows[key.model][key.skill] = Row(success=round(mean.value, 4), tasks=mean.count, output_tokens=wrote)
    return rows


def _loops(inputs: Inputs) -> tuple[dict[str, Measured], dt.date]:
    """What tool loops say of each model, and the newest release among them."""
    means: dict[str, dict[str, _Mean]] = defaultdict(lambda: defaultdict(_Mean))
    for row in _rows(inputs.openhands, ("harness", "benchmark", "model", "resolved")):
        if row.cell("harness") == HARNESS and row.cell("benchmark") in BENCHMARKS and _wanted(row):
            means[canonical(row.cell("model"))][row.cell("benchmark")].add(row.number("resolved", most=1.0))
    newest = dt.date.min
    for row in _rows(inputs.openhands_models, ("agent", "model", "benchmark", "score", "release")):
        if not _wanted(row):
            continue
        newest = max(newest, row.date("release"))
        tasks = TASKS.get(row.cell("benchmark"))
        if tasks is not None and row.cell("agent") == HARNESS:
            means[canonical(row.cell("model"))][row.cell("benchmark")].add(row.number("score", most=100) / 100, tasks)
    return {model: _measured(of) for model, of in means.items()}, newest


def _measured(means: Mapping[str, _Mean]) -> Measured:
    over_all = _Mean()
    for mean in means.values():
        over_all.add(mean.value, mean.count)
    again = means["swt-bench"].count if "swt-bench" in means and "swe-bench-verified" in means else 0
    return Measured(
        loops={BENCHMARKS[name]: Row(success=round(mean.value, 4), tasks=mean.count) for name, mean in means.items()},
        loops_mean=Row(success=round(over_all.value, 4), tasks=over_all.count - again),
    )


class _Line(NamedTuple):
    """One row of a file, and where it stands."""

    file: Path
    at: int
    cells: Mapping[str, str]

    def cell(self, column: str) -> str:
        return self.cells[column] or ""

    def number(self, column: str, *, most: float = float("inf")) -> float:
        try:
            value = float(self.cell(column))
        except ValueError:
            value = -1.0
        if not 0 <= value <= most:
            raise self._wrong(column, "a number" if most == float("inf") else f"a number from 0 to {most:g}")
        return value

    def date(self, column: str) -> dt.date:
        try:
            return dt.date.fromisoformat(self.cell(column))
        except ValueError:
            raise self._wrong(column, "a date like 2026-06-09") from None

    def _wrong(self, column: str, wanted: str) -> InputError:
        return InputError(f"{self.file}:{self.at}: `{column}` is {self.cell(column)!r}", hint=f"it must be {wanted}")


def _wanted(line: _Line) -> bool:
    return canonical(line.cell("model")) not in LEFT_OUT


def _key(line: _Line) -> _Key | None:
    """Model and skill of a row of CodeRouterBench; None for a model that is left out.

    Raises:
        InputError: the dimension has no skill.
    """
    if not _wanted(line):
        return None
    skill = DIMENSIONS.get(line.cell("dimension"))
    if skill is None:
        raise InputError(
            f"{line.file}:{line.at}: `dimension` is {line.cell('dimension')!r}",
            hint=f"known are {', '.join(DIMENSIONS)}",
        )
    return _Key(canonical(line.cell("model")), skill)


def _rows(file: Path, columns: tuple[str, ...]) -> Iterator[_Line]:
    """The rows of a CSV file that has these columns.

    Raises:
        InputError: it cannot be read, lacks one of them or has no rows.
    """
    try:
        with gzip.open(file, "rt", newline="") if file.suffix == ".gz" else file.open(newline="") as lines:
            reader = csv.DictReader(lines)
            missing = [name for name in columns if name not in (reader.fieldnames or ())]
            if missing and reader.fieldnames:
                raise InputError(
                    f"{file}: no column {', '.join(f'`{name}`' for name in missing)}",
                    hint=f"its columns are {', '.join(reader.fieldnames)}; is it the file that the option wants?",
                )
            line = None
            for cells in reader:
                line = _Line(file, reader.line_num, cells)
                yield line
    except (OSError, EOFError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{file}: {error}", hint="a CSV file is wanted, plain or gzipped") from error
    if line is None:
        raise InputError(f"{file}: no rows", hint="fetch it again")
