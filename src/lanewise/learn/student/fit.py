"""Fit a student to rows, score it on repositories left out, and make the artefact.

Deterministic given the rows and the seed on one machine; a run takes minutes on one core. Figures of a student come
from `out_of_group`: each row is read by a student that saw no row of its repository.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple

import numpy as np

from lanewise.classify import words
from lanewise.classify.prose import part
from lanewise.classify.rules import Rules
from lanewise.classify.shape import shape
from lanewise.classify.student import (
    COUNT,
    SKILLS,
    Facts,
    Floats,
    Weights,
    answer_tokens,
    context_of,
    text_tokens,
    to_bytes,
)
from lanewise.learn.student.network import (
    Adam,
    Batch,
    Loss,
    Masks,
    Parameters,
    Pass,
    Sizes,
    Targets,
    Whole,
    backward,
    forward,
    new_parameters,
    word_vectors,
)
from lanewise.learn.student.rows import EARLIER, Row, weights_of
from lanewise.learn.student.votes import Votes, fit_votes

SECOND_SHARE: Final = {3: 0.05, 2: 0.15, 1: 0.30}
"""Of a row's target, what goes to the second choice, by how sure the reader was."""


class Recipe(NamedTuple):
    """How a student is trained; found on the repositories left out in turn, see the model card."""

    sizes: Sizes = Sizes()
    loss: Loss = Loss()
    epochs: int = 6
    batch_rows: int = 64
    rate: float = 3e-3
    warm_up: float = 0.15
    """Share of the steps in which the rate rises."""
    decay: float = 0.05
    hidden_tokens: float = 0.3
    """Share of tokens that a pass does not see; the other `hidden_*` likewise."""
    hidden_words: float = 0.3
    hidden_context: float = 0.1
    dropout: float = 0.5
    at_least: int = 2
    """Rows in which a word must stand to get a vector of its own, and a phrase to get votes."""
    seed: int = 1


class Encoded:
    """Rows as indices, made once; batches are cut from it."""

    def __init__(self, rows: Sequence[Row], vocabulary: dict[str, int], rules: Rules) -> None:
        self._ids: dict[str, int] = {}
        self._bags: list[Whole] = []
        self._own: list[int] = []
        self._vocabulary = vocabulary
        self.texts, self.answers, self.earlier, self.phrases = [], [], [], []
        measures = []
        for row in rows:
            parted = part(row.text)
            text, answer = text_tokens(parted.prose or row.text), answer_tokens(row.answer)
            self.texts.append(self._index(text))
            self.answers.append(self._index(answer))
            self.phrases.append(np.asarray(words.phrases(text)))
            self.earlier.append([self._text(text) for text in row.earlier[-EARLIER:]])
            context = context_of(earlier=bool(row.earlier), answer=row.answer)
            measures.append(shape(row.text, parted, rules.points(row.text, parted), SKILLS) + context)
        self.measures = np.asarray(measures, np.float32)

    def _text(self, text: str) -> Whole:
        return self._index(text_tokens(part(text).prose or text))

    def _index(self, tokens: list[str]) -> Whole:
        for token in tokens:
            if token not in self._ids:
                self._ids[token] = len(self._bags)
                self._bags.append(np.asarray(words.pieces(token)))
                self._own.append(self._vocabulary.get(token, 0))
        return np.asarray([self._ids[token] for token in tokens])

    def batch(self, rows: Whole) -> Batch:
        """The rows of these numbers."""
        texts = [self.texts[row] for row in rows]
        depth = max(1, *(len(self.earlier[row]) for row in rows))
        earlier = np.full((len(rows), depth), -1)
        for at, row in enumerate(rows):
            for back, text in enumerate(reversed(self.earlier[row])):
                earlier[at, depth - 1 - back] = len(texts)
                texts.append(text)
        wide = _padded(texts)
        answers = _padded([self.answers[row] for row in rows])
        used = np.unique(np.concatenate((wide.ravel(), answers.ravel())))
        used = used[used >= 0]
        position = np.full(len(self._bags) + 1, len(used))
        position[used] = np.arange(len(used))
        return Batch(
            bags=[self._bags[word] for word in used],
            own=np.asarray([self._own[word] for word in used]),
            texts=position[wide],
            answers=position[answers],
            measures=self.measures[rows],
            earlier=earlier,
        )


def _padded(lists: list[Whole]) -> Whole:
    wide = np.full((len(lists), max(map(len, lists))), -1)
    for at, one in enumerate(lists):
        wide[at, : len(one)] = one
    return wide


def targets_of(rows: Sequence[Row], weights: Sequence[float]) -> Targets:
    """What the network should say of `rows`."""
    skills = np.zeros((len(rows), COUNT), np.float32)
    for at, row in enumerate(rows):
        share = SECOND_SHARE[row.sure] if row.second else 0.0
        skills[at, SKILLS.index(row.skill)] = 1 - share
        if row.second:
            skills[at, SKILLS.index(row.second)] += share
    return Targets(
        skills=skills,
        followup=np.asarray([float(row.followup) for row in rows], np.float32),
        weight=np.asarray(weights, np.float32),
    )


def vocabulary_of(rows: Sequence[Row], at_least: int) -> list[str]:
    """The words that get a vector of their own, in the order of their frequency."""
    counts: Counter[str] = Counter()
    for row in rows:
        counts.update(set(text_tokens(part(row.text).prose or row.text)))
    ranked = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
    return [word for word, count in ranked if count >= at_least]


class Trained:
    """A network after training, in full precision."""

    def __init__(self, parameters: Parameters, votes: Votes, vocabulary: list[str], recipe: Recipe) -> None:
        self.parameters = parameters
        self.votes = votes
        self.vocabulary = vocabulary
        self.recipe = recipe

    def logits(self, rows: Sequence[Row], rules: Rules) -> Floats:
        """What the network says of `rows`, (rows, COUNT + 1)."""
        encoded = Encoded(rows, {word: at + 1 for at, word in enumerate(self.vocabulary)}, rules)
        parts = [
            forward(self.parameters, encoded.batch(np.arange(start, min(start + 256, len(rows)))), Masks()).logits
            for start in range(0, len(rows), 256)
        ]
        logits = np.concatenate(parts)
        logits[:, :COUNT] += self.votes.logits(encoded.phrases, encoded.measures)
        return logits

    def artefact(self, facts: Facts) -> bytes:
        """The student as it ships."""
        nothing = np.zeros((0, 0), np.int64)
        whole = Batch(
            bags=[np.asarray(words.pieces(word)) for word in self.vocabulary],
            own=np.arange(1, len(self.vocabulary) + 1),
            texts=nothing,
            answers=nothing,
            measures=nothing,
            earlier=nothing,
        )
        p = {name: array for name, array in self.parameters.items() if name != "own"}
        weights = Weights(
            **p,
            vectors=word_vectors(self.parameters, whole, Masks())[:-1],
            votes=self.votes.phrases,
            measure_votes=self.votes.measures,
            votes_bias=self.votes.bias,
        )
        return to_bytes(facts, weights, self.vocabulary)


def train(
    rows: Sequence[Row], recipe: Recipe, rules: Rules, *, progress: Callable[[int, float], None] = lambda _, __: None
) -> Trained:
    """Fit a network to `rows`.

    Args:
        rows: What to learn from; `weights_of` says what each counts.
        recipe: How.
        rules: Their cues are features.
        progress: Told the epoch and its mean loss.
    """
    rng = np.random.default_rng(recipe.seed)
    vocabulary = vocabulary_of(rows, recipe.at_least)
    encoded = Encoded(rows, {word: at + 1 for at, word in enumerate(vocabulary)}, rules)
    targets = targets_of(rows, weights_of(list(rows)))
    parameters = new_parameters(recipe.sizes, len(vocabulary), rng)
    adam = Adam(parameters, decay=recipe.decay)
    per_epoch = math.ceil(len(rows) / recipe.batch_rows)
    for epoch in range(recipe.epochs):
        order = rng.permutation(len(rows))
        lost = 0.0
        for turn in range(per_epoch):
            chosen = order[turn * recipe.batch_rows : (turn + 1) * recipe.batch_rows]
            batch = encoded.batch(chosen)
            wanted = Targets(*(array[chosen] for array in targets))
            masks = _masks(batch, recipe, rng)
            seen = forward(parameters, batch, masks)
            grads = backward(parameters, batch, masks, seen, wanted, recipe.loss)
            adam.step(grads, recipe.rate * _schedule((epoch * per_epoch + turn) / (recipe.epochs * per_epoch), recipe))
            lost += _cross_entropy(seen, wanted)
        progress(epoch, lost / per_epoch)
    votes = fit_votes(encoded.phrases, encoded.measures, targets, at_least=recipe.at_least)
    return Trained(parameters, votes, vocabulary, recipe)


def _schedule(done: float, recipe: Recipe) -> float:
    """Up in a line, down in half a cosine."""
    if done < recipe.warm_up:
        return (done + 1e-3) / recipe.warm_up
    return 0.5 * (1 + math.cos(math.pi * (done - recipe.warm_up) / (1 - recipe.warm_up)))


def _masks(batch: Batch, recipe: Recipe, rng: np.random.Generator) -> Masks:
    rows, texts, sizes = len(batch.measures), len(batch.texts), recipe.sizes

    def kept(*shape: int, hidden: float) -> Any:
        return (rng.random(shape, np.float32) >= hidden).astype(np.float32)

    tokens = kept(*batch.texts.shape, hidden=recipe.hidden_tokens)
    tokens[:, 0] = 1  # so that no text is empty
    scale = 1 / (1 - recipe.dropout)
    return Masks(
        tokens=tokens,
        own=kept(len(batch.own), hidden=recipe.hidden_words),
        context=kept(rows, 1, hidden=recipe.hidden_context),
        alone=kept(texts, sizes.text, hidden=recipe.dropout) * np.float32(scale),
        read=kept(rows, sizes.read, hidden=recipe.dropout) * np.float32(scale),
        hidden=kept(rows, sizes.hidden, hidden=recipe.dropout) * np.float32(scale),
    )


def _cross_entropy(seen: Pass, targets: Targets) -> float:
    logits = seen.logits[:, :COUNT]
    top = logits.max(1, keepdims=True)
    log_shares = logits - top - np.log(np.exp(logits - top).sum(1, keepdims=True))
    return float((-(log_shares * targets.skills).sum(1) * targets.weight).mean())
