"""Build the student that ships, and say what it is worth: the same features, weights and folds for both.

Deterministic: the same data, numpy and processor type give the same bytes. Knows the order of the work; the parts are
`corpus` (rows), `fit` (weights) and `score` (figures).
"""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections import Counter

import numpy as np

from lanewise.classify.rules import Rules
from lanewise.classify.student import NO_CONTEXT, SKILLS, Floats, carried, marks
from lanewise.classify.structure import is_followup
from lanewise.journey import Value
from lanewise.learn.corpus import Corpus, Example
from lanewise.learn.fit import ITERATIONS, PENALTY, Matrix, Targets, duals
from lanewise.learn.score import Score, folds, score

_TEMPERATURES = tuple(round(0.5 + 0.05 * step, 2) for step in range(31))


class Source(Value, frozen=True, kw_only=True):
    """What one repository or benchmark gave."""

    name: str
    licence: str
    rows: int
    weight: float
    """Share of the training weight."""


class Card(Value, frozen=True, kw_only=True):
    """What a reader needs to know before trusting the artefact."""

    data_sha256: str
    artefact_sha256: str
    artefact_bytes: int
    rules_version: str
    penalty: float
    iterations: int
    temperature: float
    sources: tuple[Source, ...]
    scores: tuple[Score, ...]


class Built(Value, frozen=True, kw_only=True):
    """An artefact and its card."""

    artefact: bytes
    card: Card


class _Scores(Value, frozen=True, kw_only=True):
    """Raw scores of the real turns, each from a model that saw nothing of its fold."""

    with_context: Floats
    text_only: Floats


def build(corpus: Corpus) -> Built:
    """Train on everything, score on repositories left out. Takes about two minutes of one core."""
    rules = Rules.load()
    examples = corpus.examples
    weights = corpus.weights()
    matrix = Matrix([marks(one.text, one.context, rules) for one in examples])
    targets = Targets.of(examples)
    scores = _held_out(corpus, matrix, targets, weights, rules)
    real = [one for one in examples if one.real]
    temperature = _temperature(real, scores.with_context, np.ones(len(real), bool))
    solution = duals(matrix, targets, weights)
    artefact = _packed(
        {
            "table": matrix.table(solution).astype(np.float16),
            "dense": matrix.dense.T @ solution,
            "bias": solution.sum(axis=0),
            "temperature": np.array(temperature, np.float32),
        }
    )
    card = Card(
        data_sha256=corpus.data_sha256,
        artefact_sha256=hashlib.sha256(artefact).hexdigest(),
        artefact_bytes=len(artefact),
        rules_version=rules.version,
        penalty=PENALTY,
        iterations=ITERATIONS,
        temperature=temperature,
        sources=_sources(corpus, weights),
        scores=_scored(real, scores, rules),
    )
    return Built(artefact=artefact, card=card)


def _held_out(corpus: Corpus, matrix: Matrix, targets: Targets, weights: Floats, rules: Rules) -> _Scores:
    """Scores of each real turn, with weights as shipped less the fold that is held out."""
    names = np.array(folds(corpus.examples))
    real = np.flatnonzero(names != "")
    with_context = np.zeros_like(matrix.offset)
    text_only = np.zeros_like(matrix.offset)
    for name in sorted(set(names[real].tolist())):
        held = np.flatnonzero(names == name)
        solution = duals(matrix, targets, np.where(names == name, np.float32(0), weights))
        with_context[held] = matrix.products[held] @ solution + matrix.offset[held]
        table, dense, bias = matrix.table(solution), matrix.dense.T @ solution, solution.sum(axis=0)
        for row in held.tolist():
            bare = marks(corpus.examples[row].text, NO_CONTEXT, rules)
            text_only[row] = bare.values @ table[bare.buckets] + bare.dense @ dense + bias + bare.offset
    return _Scores(with_context=with_context[real], text_only=text_only[real])


def _temperature(real: list[Example], scores: Floats, used: np.ndarray) -> float:
    """The temperature with the least log loss on the turns that are `used`."""
    labels = np.array([SKILLS.index(one.skill) for one in real])

    def loss(temperature: float) -> float:
        said = _in_sessions(real, scores, temperature)
        return float(-np.log(said[np.arange(len(real)), labels] + 1e-9)[used].mean())

    return min(_TEMPERATURES, key=loss)


def _in_sessions(real: list[Example], scores: Floats, temperature: float) -> Floats:
    """Probabilities turn by turn: each gets what was said, not what was labelled, of the one before it."""
    said = np.zeros((len(real), len(SKILLS)), np.float32)
    for row, one in enumerate(real):
        before = real[row - 1] if row else None
        same = before is not None and (before.source, before.session) == (one.source, one.session)
        said[row] = carried(scores[row], tuple(said[row - 1].tolist()) if same else (), temperature)
    return said


def _scored(real: list[Example], scores: _Scores, rules: Rules) -> tuple[Score, ...]:
    names = np.array(folds(real))
    context = np.zeros((len(real), len(SKILLS)), np.float32)
    text = np.zeros_like(context)
    for name in sorted(set(names.tolist())):
        held = names == name
        temperature = _temperature(real, scores.with_context, ~held)
        context[held] = _in_sessions(real, scores.with_context, temperature)[held]
        text[held] = np.stack([carried(row, (), temperature) for row in scores.text_only[held]])
    alone, inherited = _by_rules(real, rules)
    return (
        score("rules, text only", real, alone),
        score("rules, follow-ups inherit", real, inherited),
        score("student, text only", real, text),
        score("student, with context", real, context),
    )


def _by_rules(real: list[Example], rules: Rules) -> tuple[Floats, Floats]:
    """What the rules say of each turn alone, and where follow-ups take the label of the turn before them."""
    alone = np.zeros((len(real), len(SKILLS)), np.float32)
    for row, one in enumerate(real):
        label = rules.label(one.text)
        alone[row, SKILLS.index(label.skill)] = label.confidence
    inherited = alone.copy()
    for row, (before, one) in enumerate(zip(real, real[1:], strict=False), start=1):
        if (before.source, before.session) == (one.source, one.session) and is_followup(one.text):
            inherited[row] = inherited[row - 1]
    return alone, inherited


def _sources(corpus: Corpus, weights: Floats) -> tuple[Source, ...]:
    rows = Counter((one.source, one.licence) for one in corpus.examples)
    names = np.array([one.source for one in corpus.examples])
    return tuple(
        Source(name=name, licence=licence, rows=count, weight=round(float(weights[names == name].sum()), 4))
        for (name, licence), count in sorted(rows.items())
    )


def _packed(arrays: dict[str, np.ndarray]) -> bytes:
    """An `.npz` whose bytes depend on its arrays alone: `numpy.savez` would write the time of day."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as members:
        for name, array in arrays.items():
            member = io.BytesIO()
            np.lib.format.write_array(member, np.asarray(array), allow_pickle=False)
            entry = zipfile.ZipInfo(f"{name}.npy", date_time=(1980, 1, 1, 0, 0, 0))
            entry.compress_type = zipfile.ZIP_DEFLATED
            members.writestr(entry, member.getvalue())
    return packed.getvalue()
