"""Make the cold-start table (`select/priors.json`) from files of public outcomes: aggregates, no texts, no single task.

CodeRouterBench says what models make of single-turn coding tasks, the OpenHands index what they make of whole issues
with tools. It knows their columns and how their names map to ours.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import msgspec
import numpy as np

from lanewise.errors import InputError
from lanewise.evaluate.costs import costs_of, output_shares
from lanewise.evaluate.outcomes import Outcomes, Spent, csv_rows, number_in, problem_of
from lanewise.journey import Skill
from lanewise.select.priors import Prior, Priors, Source, normalised

SKILLS: Final[dict[str, Skill]] = {
    "algorithm": "code_generation",
    "bug_fixing": "debugging",
    "code_completion": "code_generation",
    "code_generation": "code_generation",
    "code_refactoring": "refactoring",
    "code_understanding": "code_explanation",
    "data_science": "data_sql",
    "multi_language": "code_translation",
    "test_generation": "test_writing",
    "swe-bench-verified": "debugging",
}
"""CodeRouterBench's nine skills and the benchmark of whole issues -> ours. Completion is generation with a head start,
data science (DS-1000) works on tables as queries do, code understanding describes code in words."""

LEFT_OUT: Final = frozenset({"claude-fable-5"})
"""Listed by the OpenHands index as not available."""

HARNESS: Final = "openhands"
"""One harness for all models: in another the same model ends 6 to 13 of 100 issues differently."""

SOURCES: Final = (
    Source(
        name="CodeRouterBench (agent-as-a-router)",
        url="https://github.com/LanceZPF/agent-as-a-router",
        licence="MIT",
        as_of="2026-06",
        rows="band single: probing split; means of the benchmark's scores, for code_explanation and refactoring "
        "largely likeness to a reference, which is low for every model",
    ),
    Source(
        name="OpenHands index results",
        url="https://github.com/OpenHands/openhands-index-results",
        licence="MIT",
        as_of="2026-06-30",
        rows="band agentic: SWE-bench Verified, share of the issues resolved in one run",
    ),
)


def single_turn(outcomes: Outcomes, spent: Sequence[Spent]) -> Iterator[Prior]:
    """Rows of the band `single`.

    Args:
        outcomes: Scores and tokens by CodeRouterBench's skills.
        spent: Rows that tell prompt tokens from answer tokens.

    Raises:
        InputError: a skill has no counterpart among ours, or nothing says what a model costs.
    """
    unknown = sorted(set(outcomes.labels) - SKILLS.keys())
    if unknown:
        raise InputError(f"no skill of ours stands for {unknown[0]!r}", hint="known: " + ", ".join(SKILLS))
    paid, _ = costs_of(outcomes, spent)
    answered = outcomes.tokens * output_shares(outcomes, spent)
    skills = np.asarray([SKILLS[label] for label in outcomes.labels])
    problems = np.asarray([problem_of(task) for task in outcomes.tasks])
    for column, model in enumerate(outcomes.models):
        for skill in (None, *sorted({SKILLS[label] for label in outcomes.labels})):
            rows = np.flatnonzero(skills == skill) if skill else np.arange(len(skills))
            yield Prior(
                model=normalised(model),
                skill=skill,
                band="single",
                mean=round(float(outcomes.scores[rows, column].mean()), 4),
                weight=float(len(np.unique(problems[rows]))),
                output_tokens=round(float(answered[rows, column].mean()), 1),
                seconds=round(float(outcomes.seconds[rows, column].mean()), 2),
                cost_usd=round(float(paid[rows, column].mean()), 6),
            )


def agentic(issues: Path, models: Path) -> Iterator[Prior]:
    """Rows of the band `agentic`: for debugging, and the same as the model's level in loops of tool calls.

    Args:
        issues: One row for each model and issue, with `resolved` and `cost`.
        models: Mean run time of each model and benchmark.

    Raises:
        InputError: a file cannot be read, or a column or a value is missing.
    """
    seconds = {
        row["model"]: number_in(row, "runtime_s", f"{models}:{line}")
        for line, row in csv_rows(models, ("agent", "model", "benchmark", "runtime_s"))
        if row["agent"] == HARNESS and row["benchmark"] == "swe-bench"
    }
    found: defaultdict[str, dict[str, tuple[float, float]]] = defaultdict(dict)
    needed = ("harness", "benchmark", "instance_id", "model", "resolved", "cost")
    for line, row in csv_rows(issues, needed):
        where = f"{issues}:{line}"
        if row["harness"] == HARNESS and row["benchmark"] in SKILLS and row["model"] not in LEFT_OUT:
            found[row["model"]][row["instance_id"]] = number_in(row, "resolved", where), number_in(row, "cost", where)
    for model, results in sorted(found.items()):
        resolved, cost = np.asarray(list(results.values())).T
        for skill in (None, SKILLS["swe-bench-verified"]):
            yield Prior(
                model=normalised(model),
                skill=skill,
                band="agentic",
                mean=round(float(resolved.mean()), 4),
                weight=float(len(results)),
                output_tokens=None,
                seconds=seconds.get(model) or None,
                cost_usd=round(float(cost.mean()), 5) or None,
            )


def file_of(rows: Sequence[Prior]) -> bytes:
    """The table as a file: a row a line, so that a change of it can be read."""
    ordered = sorted(rows, key=lambda row: (row.band, row.model, row.skill or ""))
    head = msgspec.json.encode(Priors(sources=SOURCES, skills=SKILLS, rows=()))
    lines = b",\n".join(msgspec.json.encode(row) for row in ordered)
    return head.removesuffix(b"]}") + b"\n" + lines + b"\n]}\n"
