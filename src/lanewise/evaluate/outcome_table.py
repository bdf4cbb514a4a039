"""Outcomes of several models on the same tasks, read from the lines of a CSV file.

Columns, by name, in any order; others are ignored:

- ``instance_id``  the task
- ``model``        who tried it
- ``resolved``     1 or 0
- ``cost``         US dollars of the whole try; empty where it was not recorded
- ``harness``, ``benchmark``   optional; a file must hold one of each, since figures across them cannot be compared
"""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable, Sequence
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from lanewise.errors import InputError
from lanewise.journey import Value

Floats: TypeAlias = npt.NDArray[np.float64]

WANTED = ("instance_id", "model", "resolved", "cost")
_COLUMNS_HINT = f"the first line names the columns; wanted are {', '.join(WANTED)}"


class OutcomeTable(Value, frozen=True, kw_only=True):
    """A full matrix: every model tried every task once."""

    source: str
    """Harness and benchmark, as the file names them."""
    tasks: tuple[str, ...]
    models: tuple[str, ...]
    solved: Floats
    """Tasks x models, 1 or 0."""
    cost_usd: Floats
    """Tasks x models. A cost that was not recorded counts as the mean of its model's recorded ones, never as zero."""
    costs_unknown: int
    incomplete: tuple[str, ...] = ()
    """Models of the file that lack some task; they are not in `models`."""

    def of_tasks(self, rows: npt.NDArray[Any]) -> OutcomeTable:
        """The same models on the tasks at these positions."""
        return OutcomeTable(
            source=self.source,
            tasks=tuple(self.tasks[row] for row in rows),
            models=self.models,
            solved=self.solved[rows],
            cost_usd=self.cost_usd[rows],
            costs_unknown=self.costs_unknown,
            incomplete=self.incomplete,
        )

    def of_models(self, models: Sequence[str]) -> OutcomeTable:
        """The same tasks with these models, in this table's order."""
        columns = [at for at, model in enumerate(self.models) if model in models]
        return OutcomeTable(
            source=self.source,
            tasks=self.tasks,
            models=tuple(self.models[at] for at in columns),
            solved=self.solved[:, columns],
            cost_usd=self.cost_usd[:, columns],
            costs_unknown=self.costs_unknown,
            incomplete=self.incomplete,
        )


def read_outcomes(lines: Iterable[str], *, name: str) -> OutcomeTable:
    """The table in `lines`, the first of which names the columns.

    Args:
        lines: Of a CSV file.
        name: Of the file, for errors.

    Raises:
        InputError: a column is missing, a value is of no use, a model tried a task twice, or there is no full matrix.
    """
    reader = csv.DictReader(lines)
    missing = [column for column in WANTED if column not in (reader.fieldnames or ())]
    if missing:
        raise InputError(f"{name} has no column {', '.join(missing)}", hint=_COLUMNS_HINT)
    found: dict[tuple[str, str], tuple[float, float]] = {}
    sources: set[str] = set()
    for row in reader:
        where = f"{name}:{reader.line_num}"
        task, model = row["instance_id"], row["model"]
        if not task or not model:
            raise InputError(f"{where} names no task or no model", hint=_COLUMNS_HINT)
        if (task, model) in found:
            raise InputError(f"{where}: {model!r} tried {task!r} before", hint="keep one row per model and task")
        found[task, model] = _resolved(row["resolved"], where), _cost_usd(row["cost"], where)
        sources.add(" ".join(filter(None, (row.get("harness"), row.get("benchmark")))))
    if len(sources) > 1:
        raise InputError(f"{name} mixes {', '.join(sorted(sources))}", hint="keep one harness and one benchmark")
    return _table(found, name=name, source=sources.pop() if sources else "")


def _table(found: dict[tuple[str, str], tuple[float, float]], *, name: str, source: str) -> OutcomeTable:
    tasks = sorted({task for task, _ in found})
    every = sorted({model for _, model in found})
    models = [model for model in every if all((task, model) in found for task in tasks)]
    if len(tasks) < 2 or not models:
        raise InputError(
            f"{name} holds {len(tasks)} tasks and {len(models)} models that tried all of them",
            hint="a cascade is chosen on half of the tasks: give at least 2 tasks that some model tried all of",
        )
    solved = np.array([[found[task, model][0] for model in models] for task in tasks])
    cost = np.array([[found[task, model][1] for model in models] for task in tasks])
    unknown = np.isnan(cost)
    if unknown.all(axis=0).any() or not np.nansum(cost, axis=0).all():
        raise InputError(f"{name} has a model without any cost", hint="a saving needs a cost; leave that model out")
    return OutcomeTable(
        source=source,
        tasks=tuple(tasks),
        models=tuple(models),
        solved=solved,
        cost_usd=np.where(unknown, np.nanmean(cost, axis=0), cost),
        costs_unknown=int(unknown.sum()),
        incomplete=tuple(model for model in every if model not in models),
    )


def _resolved(text: str | None, where: str) -> float:
    if text not in {"0", "1"}:
        raise InputError(f"{where}: `resolved` is {text!r}", hint="it must be 0 or 1")
    return float(text)


def _cost_usd(text: str | None, where: str) -> float:
    """The cost, not-a-number where none was recorded."""
    if not text:
        return math.nan
    try:
        cost = float(text)
    except ValueError:
        cost = -1.0
    if not 0 <= cost < math.inf:
        raise InputError(f"{where}: `cost` is {text!r}", hint="it must be US dollars, or empty where unknown")
    return cost
