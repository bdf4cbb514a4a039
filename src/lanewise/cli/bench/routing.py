"""`lanewise bench routing`: what routing saves against a named baseline, and whether quality holds."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click
import msgspec

from lanewise.cli.refused import Refused
from lanewise.journey import Value

if TYPE_CHECKING:
    from lanewise.evaluate import End, Findings, Side, Yardstick

FILE: Final = click.Path(path_type=Path, dir_okay=False, exists=True)

_HELD_BACK: Final = "test file; nothing was chosen on it"
_FOLDED: Final = (
    "cross-validation, 5 folds, the tasks of one problem together; the program's constants were chosen on"
    " CodeRouterBench's probing rows, so that on these it flatters a little"
)


_BOUND: Final = (
    "one-sided 95 %, paired bootstrap, 4,000 draws of source problems with all their tasks;"
    " lower_bound_new_sources draws whole data sets"
)


class AtQuality(Value, frozen=True, kw_only=True):
    """Schema of `quality_end`: the point that spends up to 32 % of the baseline's cost."""

    saving: float
    quality_difference: float
    quality_lower_bound: float
    lower_bound_new_sources: float
    score: float
    cost_usd: float
    models: dict[str, float]
    lambda_per_usd: tuple[float, ...]
    valid: bool


class AtSaving(AtQuality, frozen=True, kw_only=True):
    """Schema of `by_given_label`: the same run with the skill given rather than read from the words."""

    area_over_static_mixture: float
    quality_end: AtQuality


class Policy(Value, frozen=True, kw_only=True):
    """Schema of one of `baselines`."""

    saving: float
    quality_difference: float
    score: float
    cost_usd: float
    meaning: str


class Proof(AtSaving, frozen=True, kw_only=True):
    """Schema of `--json`. Scores are 0..100, differences and bounds points / 100, savings shares of the baseline."""

    baseline: str
    max_loss: float
    tasks: int
    tasks_with_text: int
    fell_back: float
    """Share of the tasks that went to the baseline as unlike what was learnt from."""
    skill_agreement: float | None
    """Share of the texts whose words speak for the label given; null without texts."""
    data: str
    """What the figures were taken on."""
    bound: str
    """How the lower bound is taken."""
    costs_estimated: bool
    """The test's costs are its tokens times list prices."""
    by_given_label: AtSaving
    baselines: dict[str, Policy]


@click.command("routing")
@click.option("--outcomes", "outcomes_file", type=FILE, required=True, help="Score of each model on each task.")
@click.option("--costs", "costs_file", type=FILE, help="Prompt and answer tokens of some of them.")
@click.option("--prompts", "prompts_file", type=FILE, help='Texts of tasks, lines of {"task_id", "prompt"}.')
@click.option("--test", "test_file", type=FILE, help="Outcomes to score on; without it, cross-validation.")
@click.option("--test-prompts", "test_prompts_file", type=FILE, help="Texts of its tasks.")
@click.option("--baseline", required=True, metavar="MODEL", help="Whose cost is saved, whose quality is to hold.")
@click.option(
    "--max-loss",
    type=click.FloatRange(0, 1),
    default=0.03,
    show_default=True,
    help="Points / 100 that the lower bound of the quality difference may be below nothing.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(
    *,
    outcomes_file: Path,
    costs_file: Path | None,
    prompts_file: Path | None,
    test_file: Path | None,
    test_prompts_file: Path | None,
    baseline: str,
    max_loss: float,
    as_json: bool,
) -> None:
    """Learn who does what well from OUTCOMES, freeze two operating points, and score them on TEST.

    The saving end spends as little as keeps the baseline's quality, the quality end gets the best that 32 % of its
    cost can buy; both are frozen on OUTCOMES alone. Files are .csv or .jsonl, gzipped or not, with the columns of
    CodeRouterBench: task_id, dimension, model, score, and cost_usd or total_tokens. A task without a text is judged
    by its dimension; one that is unlike all that was learnt from goes to the baseline. Exit 1 where a lower bound is
    below -MAX_LOSS: such a saving does not count.

    \b
    Example:
      lanewise bench routing --outcomes probing.csv.gz --costs val_cost.csv.gz --prompts prompts.jsonl.gz \\
        --test test.csv.gz --test-prompts test_prompts.jsonl.gz --baseline claude-opus-4-6
    """  # noqa: D301  click reads the character itself: it keeps the lines that follow
    from lanewise.evaluate import read_costs, read_outcomes, read_prompts, run

    if test_prompts_file and not test_file:
        raise click.UsageError("--test-prompts needs --test")
    outcomes = read_outcomes(outcomes_file)
    found = run(
        outcomes,
        spent=read_costs(costs_file) if costs_file else (),
        prompts=read_prompts(prompts_file) if prompts_file else {},
        test=read_outcomes(test_file, outcomes.models) if test_file else None,
        test_prompts=read_prompts(test_prompts_file) if test_prompts_file else {},
        baseline=baseline,
        max_loss=max_loss,
    )
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(proof_of(found, max_loss)), indent=2).decode())
    else:
        click.echo("\n".join(_lines(found)))
    if not found.valid:
        raise Refused(
            f"a lower bound of the quality difference is below -{max_loss:g}: the saving does not count",
            hint="learn from more tasks, or allow more with --max-loss",
        )


def proof_of(found: Findings, max_loss: float) -> Proof:
    """The findings as `--json` shows them: the saving end at the top."""
    fields = {
        **_fields(found.predicted),
        "baseline": found.baseline,
        "max_loss": max_loss,
        "tasks": found.tasks,
        "tasks_with_text": found.texts,
        "fell_back": found.fell_back,
        "skill_agreement": found.skill_agreement,
        "data": _HELD_BACK if found.held_back else _FOLDED,
        "bound": _BOUND,
        "costs_estimated": found.costs_estimated,
        "by_given_label": _fields(found.given),
        "baselines": {name: msgspec.structs.asdict(one) for name, one in found.yardsticks.items()},
    }
    return msgspec.convert(fields, Proof)


def _fields(side: Side) -> dict[str, object]:
    return {
        **msgspec.structs.asdict(side.saving_end),
        "area_over_static_mixture": side.area,
        "quality_end": msgspec.structs.asdict(side.quality_end),
    }


def _lines(found: Findings) -> Iterator[str]:
    yield f"baseline {found.baseline}; {found.tasks:,} tasks, {found.texts:,} with a text; on: {_on(found)}"
    if found.costs_estimated:
        yield "costs are tokens x list prices"
    yield f"{found.fell_back:.1%} of the tasks are unlike what was learnt from and went to the baseline"
    yield ""
    yield f"{'':34}{'saved':>8}{'quality':>10}{'bound':>9}{'new data':>10}{'score':>8}{'cost $':>10}"
    for name, side in (("skill from the words", found.predicted), ("skill given", found.given)):
        yield _end(f"{name}: saving end", side.saving_end)
        yield _end(f"{name}: quality end", side.quality_end)
    for name, one in found.yardsticks.items():
        yield _policy(name, one)
    yield ""
    yield f"area over the static mixture {100 * found.predicted.area:+.2f} points ({100 * found.given.area:+.2f} given)"
    yield "quality and bounds in points against the baseline; new data: the bound on a mix of other sources"
    yield "oracle is luck after the fact, no goal"


def _on(found: Findings) -> str:
    return "the test file" if found.held_back else "folds of the outcomes"


def _end(name: str, end: End) -> str:
    return (
        f"{name:34}{end.saving:>8.1%}{100 * end.quality_difference:>+10.2f}{100 * end.quality_lower_bound:>+9.2f}"
        f"{100 * end.lower_bound_new_sources:>+10.2f}{end.score:>8.2f}{end.cost_usd:>10.2f}"
    )


def _policy(name: str, one: Yardstick) -> str:
    blank = ""
    return (
        f"{name.replace('_', ' '):34}{one.saving:>8.1%}{100 * one.quality_difference:>+10.2f}{blank:>19}"
        f"{one.score:>8.2f}{one.cost_usd:>10.2f}"
    )
