"""The model card: what the shipped student learnt from, how it was scored, where it fails. Markdown out of values."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import numpy as np

from lanewise.classify.prose import part
from lanewise.classify.rules import Rules
from lanewise.classify.student import COUNT, SKILLS, Facts, Floats, softmax
from lanewise.journey import Skill, Value
from lanewise.learn.student.build import LeftOut
from lanewise.learn.student.fit import Recipe
from lanewise.learn.student.rows import LARGEST_SHARE, Agreement, Row, shares_of, weights_of
from lanewise.learn.student.scores import FEW, Scores, confusion_of, scores_of

GOALS: Final = {"accuracy": 0.80, "macro_f1": 0.70, "calibration_error": 0.05, "confident_accuracy": 0.90}
"""What the first release set out to reach on repositories never seen."""

COLUMNS: Final = (
    ("accuracy", "accuracy"),
    ("macro_f1", "macro-F1"),
    ("calibration_error", "ECE"),
    ("confident_accuracy", "acc. on the surest 60 %"),
    ("main_accuracy", "acc. without follow-ups"),
    ("followup_accuracy", "acc. of follow-ups"),
    ("either_accuracy", "label or second"),
    ("sure_accuracy", "acc. where the reader was sure"),
    ("frequent_f1", "F1, frequent skills"),
    ("rare_f1", "F1, rare skills"),
)


class Result(Value, frozen=True, kw_only=True):
    """Named figures over one set of turns."""

    name: str
    scores: Scores


def results_of(out: LeftOut, facts: Facts, rules: Rules) -> list[Result]:
    """The student on each fold and on all, then what asks for no training, on the same turns."""
    probabilities = softmax(np.asarray(out.logits) / facts.temperature)
    names = np.asarray(out.folds)
    found = [Result(name="student, all repositories", scores=scores_of(out.rows, probabilities))]
    for name in dict.fromkeys(out.folds):
        at = np.flatnonzero(names == name)
        found.append(Result(name=f"student, {name}", scores=scores_of([out.rows[i] for i in at], probabilities[at])))
    found.append(Result(name="cues of the rules alone", scores=scores_of(out.rows, by_rules(out.rows, rules))))
    found.append(Result(name="always the commonest skill", scores=scores_of(out.rows, by_habit(out.rows))))
    return found


def by_rules(rows: Sequence[Row], rules: Rules) -> Floats:
    """Probabilities from cues alone: a skill's share of the points, code generation where there are none."""
    found = np.zeros((len(rows), COUNT))
    for at, row in enumerate(rows):
        points = rules.points(row.text, part(row.text)) or {"code_generation": 1.0}
        for skill, score in points.items():
            found[at, SKILLS.index(skill)] = score
    shares: Floats = found / found.sum(1, keepdims=True)
    return shares


def by_habit(rows: Sequence[Row]) -> Floats:
    """The skills' own frequencies, whatever the text."""
    counts = Counter(row.skill for row in rows)
    shares = np.asarray([counts[skill] / len(rows) for skill in SKILLS])
    return np.tile(shares, (len(rows), 1))


def card(
    rows: Sequence[Row], out: LeftOut, facts: Facts, recipe: Recipe, agreement: Agreement | None, size_bytes: int
) -> str:
    """The whole card."""
    results = results_of(out, facts, Rules.load())
    probabilities = softmax(np.asarray(out.logits) / facts.temperature)
    return "\n".join(
        (
            *_head(facts, size_bytes),
            *_data(rows),
            *_figures(results, agreement),
            *_curve(out.rows, probabilities),
            *_confusions(out.rows, probabilities),
            *_per_skill(out.rows, probabilities),
            *_recipe(recipe),
            *_FAULTS,
        )
    )


def _head(facts: Facts, size_bytes: int) -> Iterator[str]:
    yield "# The student: model card"
    yield ""
    yield "Written by `lanewise learn student`; the figures are those of the artefact that ships."
    yield ""
    yield f"- artefact: `classify/student.npz`, version {facts.version}, {size_bytes / 1e6:.1f} MB"
    yield f"- rows it learnt from: SHA-256 `{facts.data_sha256}`"
    yield f"- temperature {facts.temperature:g}; abstains below a confidence of {facts.abstain_below:g}"
    yield "- what it is: the docstring of `src/lanewise/classify/student.py`"
    yield ""


def _data(rows: Sequence[Row]) -> Iterator[str]:
    kinds = Counter(row.kind for row in rows)
    yield "## Data"
    yield ""
    yield "| rows | kind | source and licence |"
    yield "|---|---|---|"
    repositories = len({row.group for row in rows if row.kind == "real"})
    written = "written for Lanewise by language models, `labels/written_turns.jsonl`"
    yield (
        f"| {kinds['real']:,} | real turns of agents, {repositories} repositories"
        " | MIT, Apache-2.0, CC0; labels in `labels/`, texts not shipped |"
    )
    yield f"| {kinds['retold']:,} | the same asks told in another world | {written} |"
    yield f"| {kinds['invented']:,} | invented turns | likewise |"
    yield ""
    shares = shares_of(list(rows), weights_of(list(rows)))
    first = ", ".join(f"{group} {share:.0%}" for group, share in list(shares.items())[:4])
    yield f"No repository has more than {LARGEST_SHARE:.0%} of the training weight, retold turns included ({first})."
    rare = [skill for skill in SKILLS if sum(row.skill == skill and row.kind == "real" for row in rows) < FEW]
    yield ""
    yield f"Fewer than {FEW} real turns: {', '.join(rare)}. They were covered by invented turns and are scored apart."
    yield ""


def _figures(results: Sequence[Result], agreement: Agreement | None) -> Iterator[str]:
    yield "## On repositories left out"
    yield ""
    yield "Each turn was read, with its context, by a student trained without its repository and without what was"
    yield "retold from it. Temperature and threshold are one number each, fitted on these same predictions."
    yield ""
    yield "| | turns | " + " | ".join(title for _, title in COLUMNS) + " |"
    yield "|---|---|" + "---|" * len(COLUMNS)
    for result in results:
        values = " | ".join(f"{getattr(result.scores, name):.3f}" for name, _ in COLUMNS)
        yield f"| {result.name} | {result.scores.turns:,} | {values} |"
    yield ""
    if agreement is not None:
        yield f"Two readers agree on the skill of {agreement.skill:.1%} of {agreement.turns} turns"
        yield f"(kappa {agreement.kappa:.2f}); both are language models of one family: an upper bound of the ceiling."
        yield ""
    yield "Goals set before the first training and what was reached, over all turns:"
    yield ""
    for name, goal in GOALS.items():
        value = getattr(results[0].scores, name)
        met = value <= goal if name == "calibration_error" else value >= goal
        yield f"- {dict(COLUMNS)[name]}: goal {goal:.2f}, reached {value:.3f}" + (
            "" if met else f", missed by {abs(goal - value):.3f}"
        )
    yield ""


def _curve(rows: Sequence[Row], probabilities: Floats) -> Iterator[str]:
    yield "## Abstention"
    yield ""
    yield "| share answered | accuracy there | confidence from |"
    yield "|---|---|---|"
    order = np.argsort(-probabilities.max(1), kind="stable")
    right = np.asarray([SKILLS[probabilities[i].argmax()] == rows[i].skill for i in order])
    for share in (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 1.0):
        count = max(1, round(len(rows) * share))
        yield f"| {share:.0%} | {right[:count].mean():.3f} | {probabilities[order[count - 1]].max():.2f} |"
    yield ""


def _confusions(rows: Sequence[Row], probabilities: Floats) -> Iterator[str]:
    table = confusion_of(rows, probabilities)
    yield "## Confusions"
    yield ""
    yield "Rows are the labels, columns what the student said."
    yield ""
    yield "| | " + " | ".join(_short(skill) for skill in SKILLS) + " |"
    yield "|---|" + "---|" * COUNT
    for skill in SKILLS:
        yield f"| {skill} | " + " | ".join(str(table[skill].get(said, 0) or "") for said in SKILLS) + " |"
    yield ""


def _per_skill(rows: Sequence[Row], probabilities: Floats) -> Iterator[str]:
    table = confusion_of(rows, probabilities)
    yield "| skill | turns | precision | recall |"
    yield "|---|---|---|---|"
    for skill in SKILLS:
        turns, said = sum(table[skill].values()), sum(counts.get(skill, 0) for counts in table.values())
        hits = table[skill].get(skill, 0)
        yield f"| {skill} | {turns} | {_share(hits, said)} | {_share(hits, turns)} |"
    yield ""


def _share(part_of: int, whole: int) -> str:
    return f"{part_of / whole:.2f}" if whole else "-"


def _short(skill: Skill) -> str:
    return "".join(word[:4] for word in skill.split("_"))


def _recipe(recipe: Recipe) -> Iterator[str]:
    yield "## Recipe"
    yield ""
    yield f"`{recipe}`"
    yield ""


_FAULTS: Final = (
    "## Known faults",
    "",
    "- It reads words and their neighbours, not arguments: irony, double negation and asks that only follow from",
    "  knowing the project are guessed at.",
    "- Debugging and code generation are confused most, above all in corrections of new work.",
    "- Written turns come from language models; what such models never think of asking is missing.",
    "- The real turns are mostly of two people; other trades will differ. Outside English it has",
    "  learnt from about 500 written turns in seven languages.",
    "- Figures were taken on the data on which epochs, sizes and weights were chosen, so they are a little optimistic.",
    "",
)


def write(path: Path, text: str) -> None:
    """Put the card where the docs keep it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
