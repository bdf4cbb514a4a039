"""Files of known outcomes: one row for each task and model, with score, cost and tokens. Read, checked, made matrices.

Every mistake is named with its file and line. It knows the columns of CodeRouterBench and no router.
"""

from __future__ import annotations

import csv
import gzip
import io
import re
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final, NamedTuple, TypeAlias

import msgspec
import numpy as np
from numpy.typing import NDArray

from lanewise.errors import InputError

Floats: TypeAlias = NDArray[np.float64]
Whole: TypeAlias = NDArray[np.int64]

_COLUMNS: Final = ("task_id", "dimension", "model", "score")
_PREFIX: Final = re.compile(r"^dim\d+_")
_PROBLEM: Final = re.compile(r"(HumanEval|BigCodeBench)[_/](\d+)")
_TRANSLATED: Final = re.compile(r"^hex_\w+/(\d+)$")
_VARIANT: Final = re.compile(r"_(completion|testgen|sup)(?=_)")


class Outcomes(NamedTuple):
    """What each model made of each task."""

    tasks: tuple[str, ...]
    labels: tuple[str, ...]
    """The skill that the file gives each task, by the file's own names."""
    models: tuple[str, ...]
    scores: Floats
    """(tasks, models), 0..1."""
    cost_usd: Floats
    """(tasks, models); 0 where the file has none."""
    tokens: Floats
    """(tasks, models), prompt and answer together; 0 where the file has none."""
    seconds: Floats
    """(tasks, models), of the whole answer; 0 where the file has none."""

    def rows(self, kept: Whole) -> Outcomes:
        """Only the tasks at these positions."""
        return Outcomes(
            tasks=tuple(self.tasks[at] for at in kept),
            labels=tuple(self.labels[at] for at in kept),
            models=self.models,
            scores=self.scores[kept],
            cost_usd=self.cost_usd[kept],
            tokens=self.tokens[kept],
            seconds=self.seconds[kept],
        )


class Spent(NamedTuple):
    """One row of a file of costs: the tokens of one answer, by kind, and what they cost."""

    label: str
    model: str
    input_tokens: float
    output_tokens: float
    cost_usd: float


class _Prompt(msgspec.Struct, frozen=True):
    task_id: str
    prompt: str


def read_outcomes(path: Path, models: Sequence[str] = ()) -> Outcomes:
    """The outcomes in `path`, a `.csv` or `.csv.gz` with the columns task_id, dimension, model, score.

    Args:
        path: The file; `cost_usd`, `total_tokens` and `latency_ms` are read where it has them.
        models: The models wanted, in this order; all of the file, sorted, where empty.

    Raises:
        InputError: it cannot be read, a column or a row is missing, or a value is none.
    """
    labels: dict[str, str] = {}
    cells: dict[tuple[str, str], tuple[float, ...]] = {}
    for line, row in csv_rows(path, _COLUMNS):
        where = f"{path}:{line}"
        task, model = row["task_id"], row["model"]
        if (task, model) in cells:
            raise InputError(f"{where}: a second row of model {model!r} for task {task!r}", hint="keep one of them")
        score = number_in(row, "score", where)
        if not 0 <= score <= 1:
            raise InputError(f"{where}: score {score:g} is not in 0..1", hint="scale the scores")
        if labels.setdefault(task, row["dimension"]) != row["dimension"]:
            raise InputError(f"{where}: task {task!r} has two dimensions", hint="give it the same in all its rows")
        amounts = (number_in(row, name, where) for name in ("cost_usd", "total_tokens"))
        cells[task, model] = score, *amounts, _seconds(row)
    if not cells:
        raise InputError(f"{path}: no rows", hint="one row for each task and model")
    found = tuple(models) or tuple(sorted({model for _, model in cells}))
    table = np.zeros((len(labels), len(found), 4))
    for at, task in enumerate(labels):
        for column, model in enumerate(found):
            if (cell := cells.get((task, model))) is None:
                raise InputError(
                    f"{path}: task {task!r} has no row of model {model!r}",
                    hint=f"every task needs a row of each of: {', '.join(found)}",
                )
            table[at, column] = cell
    scores, cost_usd, tokens, seconds = np.moveaxis(table, 2, 0)
    return Outcomes(tuple(labels), tuple(labels.values()), found, scores, cost_usd, tokens, seconds)


def read_costs(path: Path) -> list[Spent]:
    """The rows of a file of costs that say how many tokens they are about.

    Raises:
        InputError: it cannot be read, or a column is missing, or a value is none.
    """
    found = []
    for line, row in csv_rows(path, ("dimension", "model", "cost_usd", "input_tokens", "output_tokens")):
        where = f"{path}:{line}"
        asked, answered = (number_in(row, name, where) for name in ("input_tokens", "output_tokens"))
        if asked + answered > 0:
            found.append(Spent(row["dimension"], row["model"], asked, answered, number_in(row, "cost_usd", where)))
    if not found:
        raise InputError(f"{path}: no row has tokens", hint="columns input_tokens and output_tokens hold them")
    return found


def read_prompts(path: Path) -> dict[str, str]:
    """Task id -> prompt, from JSON lines ``{"task_id", "prompt"}``; other keys are ignored.

    Raises:
        InputError: it cannot be read, or a line is no such object.
    """
    decoder = msgspec.json.Decoder(_Prompt)
    found = {}
    for number, line in enumerate(_content(path).split(b"\n"), start=1):
        if line.strip():
            try:
                row = decoder.decode(line)
            except (msgspec.MsgspecError, UnicodeDecodeError) as error:
                raise InputError(f"{path}:{number}: {error}", hint='a line is {"task_id": …, "prompt": …}') from error
            found[row.task_id] = row.prompt
    if not found:
        raise InputError(f"{path}: no prompts", hint="leave the option out where no task has a text")
    return found


def source_of(task: str) -> str:
    """Where a task comes from, by its id: the data set, and the language or kind where the id names one.

    ``dim1_humaneval_HumanEval_51`` -> ``humaneval``, ``dim7_hex_cpp_CPP/2`` -> ``hex_cpp``,
    ``django__django-11099`` -> ``django``.
    """
    parts = re.split(r"[^A-Za-z0-9.]+", _PREFIX.sub("", task))
    kind = parts[1] if len(parts) > 2 and parts[1].isalpha() and parts[1].islower() else ""
    return f"{parts[0]}_{kind}" if kind and kind != parts[0] else parts[0]


def problem_of(task: str) -> str:
    """The problem behind a task, by its id: tasks of one problem are never told apart by chance alone.

    CodeRouterBench asks for the same HumanEval or BigCodeBench problem as generation, completion, translation and
    test, and HumanEval-X (``hex``) numbers its problems as HumanEval does.
    """
    bare = _PREFIX.sub("", task)
    if found := _PROBLEM.search(bare):
        return f"{found[1]}/{found[2]}"
    if found := _TRANSLATED.match(bare):
        return f"HumanEval/{found[1]}"
    return _VARIANT.sub("", bare)


def csv_rows(path: Path, needed: Sequence[str]) -> Iterator[tuple[int, dict[str, str]]]:
    """(line, row) pairs of a CSV file whose first line names the columns.

    Args:
        path: `.csv` or `.csv.gz`.
        needed: Columns that must be there.

    Raises:
        InputError: it cannot be read, or a column or a field is missing.
    """
    try:
        text = _content(path).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not UTF-8: {error.reason}", hint="a CSV file, gzipped or not") from error
    reader = csv.DictReader(io.StringIO(text, newline=""), strict=True)
    try:
        names = reader.fieldnames or ()
        missing = [name for name in needed if name not in names]
        if missing:
            raise InputError(f"{path}:1: no column {', '.join(missing)}", hint=f"needed: {', '.join(needed)}")
        for row in reader:
            if None in row or None in row.values():
                raise InputError(
                    f"{path}:{reader.line_num}: not {len(names)} fields", hint="the first line names the columns"
                )
            yield reader.line_num, row
    except csv.Error as error:
        raise InputError(f"{path}:{reader.line_num + 1}: {error}", hint="mend the quotes of this line") from error


def _content(path: Path) -> bytes:
    try:
        content = path.read_bytes()
        return gzip.decompress(content) if path.suffix == ".gz" else content
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(
            f"cannot read {path}: {error}", hint="a .csv or .jsonl file, or one with .gz behind"
        ) from error


def number_in(row: dict[str, str], name: str, where: str) -> float:
    """A value that is not negative; 0 where the column or the value is missing, but for scores.

    Args:
        row: Of a file.
        name: Its column.
        where: File and line, for the message.

    Raises:
        InputError: it is no such number.
    """
    text = row.get(name, "")
    if not text and name != "score":
        return 0.0
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value < float("inf"):
        raise InputError(f"{where}: {name} {text!r} is not a number from 0 on", hint="mend this line")
    return value


def _seconds(row: dict[str, str]) -> float:
    """How long the answer took; 0 where that was not measured, which files say in many ways."""
    try:
        return max(0.0, float(row.get("latency_ms", "")) / 1000)
    except ValueError:
        return 0.0
