"""`lanewise bench cascade`: cheap answer, check, accept or escalate: what it saves as the check errs more."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import click
import msgspec

from lanewise.cli.refused import Refused
from lanewise.evaluate.cascade import Cell, Check, Spread, score, study
from lanewise.evaluate.outcome_table import WANTED, OutcomeTable, read_outcomes
from lanewise.journey import Value
from lanewise.verify import Rates

_GRID: Final = ((1.0, 0.0), (0.95, 0.05), (0.9, 0.2), (0.9, 0.4))
"""True and false accept rates: a perfect check, and what weaker ones would do."""

_WHERE: Final = (
    "give the outcomes with --outcomes; the OpenHands ones are public:"
    " github.com/OpenHands/openhands-index-results (MIT), one row per model and task"
)


class Pool(Value, frozen=True, kw_only=True):
    """The table of one choice of models."""

    without: tuple[str, ...]
    """Models of the file that were left out."""
    models: tuple[str, ...]
    cells: tuple[Cell, ...]


class Result(Value, frozen=True, kw_only=True):
    """What `--json` prints."""

    data: str
    tasks: int
    costs_unknown: int
    incomplete: tuple[str, ...]
    baseline: str
    baseline_quality: float
    baseline_cost_usd: float
    halves: int
    stages: int
    seed: int
    pools: tuple[Pool, ...]


@click.command("cascade")
@click.option(
    "--outcomes", type=click.Path(path_type=Path, dir_okay=False), help="CSV file of outcomes, may be gzipped."
)
@click.option("--models", "named", multiple=True, metavar="MODEL", help="Only these models (and the baseline).")
@click.option(
    "--without",
    multiple=True,
    metavar="MODEL",
    default=("claude-fable-5",),
    show_default=True,
    help="Leave these out: not available.",
)
@click.option(
    "--doubted",
    metavar="MODEL",
    default="DeepSeek-V4-Pro",
    show_default=True,
    help="Model whose price is in doubt: everything is shown again without it.",
)
@click.option(
    "--baseline", metavar="MODEL", default="claude-opus-4-8", show_default=True, help="What is saved against."
)
@click.option("--splits", type=click.IntRange(1, 1000), default=20, show_default=True, help="Random halvings.")
@click.option("--stages", type=click.IntRange(1, 4), default=4, show_default=True, help="Longest chain.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Of the halvings.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(
    *,
    outcomes: Path | None,
    named: tuple[str, ...],
    without: tuple[str, ...],
    doubted: str,
    baseline: str,
    splits: int,
    stages: int,
    seed: int,
    as_json: bool,
) -> None:
    """Saving and quality of a verified cascade, by how often its check errs.

    The file has the columns instance_id, model, resolved (1 or 0) and cost (US dollars, empty where unknown), one row
    per model and task; harness and benchmark may be there, others are ignored. On one half of the tasks the cheapest
    chain of models is chosen that solves at least one task more than the baseline; it is scored on the other half,
    both ways round. Every try is paid. "perfect" is a check that never errs, such as hidden tests: an upper bound;
    "shipped" are the checks of Lanewise, at the rates of docs/concepts/checks.md.

    \b
    Example:
      lanewise bench cascade --outcomes openhands_swebench_verified.csv.gz

    \b
    --json prints one object:
      data, tasks, costs_unknown, incomplete   the file; models that lack tasks are left out
      baseline, baseline_quality, baseline_cost_usd   per task
      halves, stages, seed
      pools[]        without[], models[], cells[]: one per check, and "none": one model, no check
        check        name, true_accept, false_accept
        saving, quality_difference   {mean, deviation, worst} over the halves, shares
        chains       [[models], halves on which it was chosen], most frequent first
    """  # noqa: D301  click reads the character itself: it keeps the lines that follow
    if outcomes is None:
        raise Refused("no outcomes were given", hint=_WHERE)
    table = _pool(read_outcomes(_lines(outcomes), name=str(outcomes)), named, without, baseline)
    alone = score(table, (baseline,), Check(name="none", true_accept=1.0, false_accept=1.0))
    pools = [()] if doubted not in table.models or doubted == baseline else [(), (doubted,)]
    result = Result(
        data=f"{outcomes.name} {table.source}".rstrip(),
        tasks=len(table.tasks),
        costs_unknown=table.costs_unknown,
        incomplete=table.incomplete,
        baseline=baseline,
        baseline_quality=alone.quality,
        baseline_cost_usd=alone.cost_usd,
        halves=2 * splits,
        stages=stages,
        seed=seed,
        pools=tuple(_studied(table, left, baseline, splits=splits, stages=stages, seed=seed) for left in pools),
    )
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(result), indent=2).decode())
    else:
        click.echo("\n".join(_shown(result)))


def _lines(path: Path) -> Iterator[str]:
    """The lines of a file, unpacked where its name ends in `.gz`."""
    try:
        with gzip.open(path, "rt", encoding="utf-8") if path.suffix == ".gz" else path.open(encoding="utf-8") as file:
            yield from file
    except FileNotFoundError:
        raise Refused(f"{path} is not there", hint=_WHERE) from None
    except (OSError, EOFError, UnicodeDecodeError, zlib.error) as error:
        raise Refused(
            f"{path} cannot be read: {error}", hint=f"wanted is a CSV file with {', '.join(WANTED)}"
        ) from None


def _pool(table: OutcomeTable, named: Sequence[str], without: Sequence[str], baseline: str) -> OutcomeTable:
    for model in (baseline, *named):
        if model not in table.models:
            raise Refused(
                f"{model!r} did not try every task of the file", hint=f"models that did: {', '.join(table.models)}"
            )
    wanted = (*named, baseline) if named else table.models
    return table.of_models([model for model in wanted if model == baseline or model not in without])


def _studied(table: OutcomeTable, left: tuple[str, ...], baseline: str, *, splits: int, stages: int, seed: int) -> Pool:
    pool = table.of_models([model for model in table.models if model not in left])
    together = Rates.load().together
    checks = [
        Check(name="perfect" if true == 1 else f"{true:.2f}/{false:.2f}", true_accept=true, false_accept=false)
        for true, false in _GRID
    ]
    checks.append(Check(name="shipped", true_accept=together.true_accept, false_accept=together.false_accept))
    unchecked = Check(name="none", true_accept=1.0, false_accept=1.0)
    cells = study(pool, baseline, checks, splits=splits, stages=stages, seed=seed)
    single = study(pool, baseline, [unchecked], splits=splits, stages=1, seed=seed)
    return Pool(without=left, models=pool.models, cells=(*cells, *single))


def _shown(result: Result) -> Iterator[str]:
    yield f"{result.data}, {result.tasks} tasks"
    yield (
        f"baseline {result.baseline}: solves {result.baseline_quality:.1%} at ${result.baseline_cost_usd:.3f} a task;"
        f" {result.halves} halves, chains of up to {result.stages}"
    )
    for pool in result.pools:
        left = f" without {', '.join(pool.without)}" if pool.without else ""
        yield ""
        yield f"{len(pool.models)} models{left}"
        yield _HEAD
        for cell in pool.cells:
            check = cell.check
            yield (
                f"{check.name:<10} {check.true_accept:>5.2f} {check.false_accept:>5.2f}"
                f" | {_share(cell.saving)} | {_points(cell.quality_difference)}"
            )
            models, halves = cell.chains[0]
            yield _chain(models, halves, result.halves)
    yield ""
    yield "true, false: share of right and of wrong answers that the check accepts"
    yield "quality: points against the baseline; perfect: hidden tests, an upper bound"
    yield "none: one model chosen on the half and no check, the yardstick"
    if result.costs_unknown:
        yield f"{result.costs_unknown} tries have no cost: counted at their model's mean"
    if result.incomplete:
        yield f"left out, since they lack tasks: {', '.join(result.incomplete)}"


def _share(spread: Spread) -> str:
    return f"{spread.mean:>7.1%} {spread.deviation:>6.1%} {spread.worst:>7.1%}"


def _points(spread: Spread) -> str:
    return f"{100 * spread.mean:>+7.2f} {100 * spread.deviation:>5.2f} {100 * spread.worst:>+6.1f}"


_COLUMNS: Final = 100
_HEAD: Final = "check       true false |  saving     sd   worst | quality    sd  worst"


def _chain(models: tuple[str, ...], halves: int, of: int) -> str:
    line = f"           most chosen ({halves} of {of}): {' -> '.join(models)}"
    return line if len(line) <= _COLUMNS else line[: _COLUMNS - 1] + "…"
