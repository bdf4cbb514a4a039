"""Make the student that ships: score it on repositories left out, calibrate it there, train it on all, write the card.

What `lanewise learn student` runs. Facts of the artefact and every figure of its card come from `left_out`: the
probabilities that students gave to turns of repositories they had never seen.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Final, TypeAlias

import numpy as np

from lanewise.classify.rules import Rules
from lanewise.classify.student import COUNT, SKILLS, Facts, Floats, softmax
from lanewise.errors import InputError
from lanewise.journey import Value
from lanewise.learn.student.fit import Recipe, train
from lanewise.learn.student.rows import Row, fingerprint
from lanewise.learn.student.scores import calibration_error

LARGE: Final = 500
"""Turns from which a repository is a fold of its own; the smaller ones are left out together."""

TEMPERATURES: Final = tuple(round(0.5 + 0.05 * step, 2) for step in range(51))
KEPT_SHARE: Final = 0.6
"""Share of real turns on which the student does not abstain: the share whose accuracy the card states."""


class LeftOut(Value, frozen=True, kw_only=True):
    """Real turns as read by students that had not seen their repositories."""

    rows: tuple[Row, ...]
    logits: object
    """(rows, COUNT) array"""
    folds: tuple[str, ...]
    """Name of each row's fold."""


def folds_of(rows: Sequence[Row]) -> dict[str, set[str]]:
    """Groups of real turns by the fold in which they are left out."""
    sizes = Counter(row.group for row in rows if row.kind == "real")
    folds = {group: {group} for group, size in sizes.items() if size >= LARGE}
    small = {group for group, size in sizes.items() if size < LARGE}
    return folds | ({f"{len(small)} small repositories": small} if small else {})


Reader: TypeAlias = Callable[[list[Row], list[Row]], Floats]
"""Learns from the first rows and says what the second are: (rows, COUNT) logits."""


def by_student(recipe: Recipe, rules: Rules) -> Reader:
    """A student trained anew each time."""
    return lambda seen, held: train(seen, recipe, rules).logits(held, rules)[:, :COUNT]


def left_out(rows: Sequence[Row], read: Reader, *, progress: Callable[[str], None]) -> LeftOut:
    """Learn once per fold and read what was left out, retold turns of the same repositories left out as well.

    Raises:
        InputError: `rows` hold too few repositories to leave one out.
    """
    folds = folds_of(rows)
    if len(folds) < 2:
        raise InputError(
            "the real turns come from one repository, so none can be left out",
            hint=f"give turns of at least two repositories, one of them with {LARGE} turns or more",
        )
    tested: list[Row] = []
    names: list[str] = []
    logits: list[Floats] = []
    for name, groups in folds.items():
        progress(f"left out: {name}")
        seen = [row for row in rows if row.group not in groups]
        held = [row for row in rows if row.group in groups and row.kind == "real"]
        logits.append(read(seen, held))
        tested += held
        names += [name] * len(held)
    return LeftOut(rows=tuple(tested), logits=np.concatenate(logits), folds=tuple(names))


def facts_of(version: str, rows: Sequence[Row], out: LeftOut) -> Facts:
    """Temperature and threshold by what was left out; each of the folds counts alike."""
    logits = np.asarray(out.logits)
    temperature = min(TEMPERATURES, key=lambda t: _mean_error(out, softmax(logits / t)))
    confidence = softmax(logits / temperature).max(1)
    return Facts(
        version=version,
        data_sha256=fingerprint(list(rows)),
        temperature=temperature,
        abstain_below=round(float(np.quantile(confidence, 1 - KEPT_SHARE)), 3),
    )


def _mean_error(out: LeftOut, probabilities: Floats) -> float:
    truth = np.asarray([SKILLS.index(row.skill) for row in out.rows])
    right = probabilities.argmax(1) == truth
    folds = np.asarray(out.folds)
    errors = [
        calibration_error(probabilities[folds == name].max(1), right[folds == name]) for name in sorted(set(out.folds))
    ]
    return float(np.mean(errors))


class Made(Value, frozen=True, kw_only=True):
    """A student with what is known of it."""

    artefact: bytes
    facts: Facts
    left_out: LeftOut


def build(rows: Sequence[Row], recipe: Recipe, rules: Rules, *, version: str, say: Callable[[str], None]) -> Made:
    """Score, calibrate, train on all.

    Raises:
        InputError: `rows` hold too few repositories to leave one out.
    """
    out = left_out(rows, by_student(recipe, rules), progress=say)
    facts = facts_of(version, rows, out)
    say("all rows")
    return Made(artefact=train(rows, recipe, rules).artefact(facts), facts=facts, left_out=out)
