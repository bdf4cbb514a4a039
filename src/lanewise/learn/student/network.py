"""The student's network as it learns: forward, backward and step, in numpy.

The forward pass is that of `classify.student`, for many rows at once and without 8-bit tables; the backward pass is
written out by hand, since the network has six kinds of products and a framework for it would weigh a hundred times
the rest of Lanewise. `tests/learn/test_network.py` checks every gradient against differences.

Shapes: B rows, N texts, L tokens, U different words, d vector size, H heads.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from lanewise.classify import words
from lanewise.classify.shape import SIZE as SHAPE_SIZE
from lanewise.classify.student import CONTEXT_SIZE, COUNT, SKILLS, Floats, sigmoid, softmax

Whole = npt.NDArray[np.int64]
Parameters = dict[str, Floats]

MEASURES: Final = SHAPE_SIZE + len(SKILLS) + CONTEXT_SIZE
TABLES: Final = ("pieces", "own")
"""Parameters of which a batch touches few rows."""

_FAR_BELOW = -1e9


class Sizes(NamedTuple):
    """The network's dimensions."""

    vector: int = 64
    heads: int = 4
    answer_heads: int = 2
    hidden: int = 128

    @property
    def text(self) -> int:
        """Numbers of an encoded text."""
        return self.vector * (self.heads + 1)

    @property
    def read(self) -> int:
        """Numbers that the first of the two layers sees."""
        return self.text + MEASURES + self.vector * self.answer_heads + COUNT + 1


class Batch(NamedTuple):
    """Rows as indices. Texts stand in the order: the B texts to read, then the earlier texts of all rows."""

    bags: list[Whole]
    """Pieces of each of the U words."""
    own: Whole
    """(U,) the word's own row, 0 for none."""
    texts: Whole
    """(N, L) word of each token, U where the text has ended."""
    answers: Whole
    """(B, La)"""
    measures: Floats
    """(B, MEASURES)"""
    earlier: Whole
    """(B, depth) index into N of the earlier texts, oldest first and to the right; -1 for none."""


class Targets(NamedTuple):
    """What the network should say of a batch."""

    skills: Floats
    """(B, COUNT) a distribution per row."""
    followup: Floats
    """(B,) 1 where the text is one."""
    weight: Floats
    """(B,)"""


def new_parameters(sizes: Sizes, vocabulary: int, rng: np.random.Generator, dtype: Any = np.float32) -> Parameters:
    """Parameters before learning. Any: a numpy type."""

    def drawn(*shape: int, scale: float) -> Floats:
        return (rng.standard_normal(shape) * scale).astype(dtype)

    def layer(n_in: int, n_out: int) -> Floats:
        return drawn(n_in, n_out, scale=n_in**-0.5)

    d = sizes.vector
    return {
        "pieces": drawn(words.BUCKETS, d, scale=0.08),
        "own": drawn(vocabulary + 1, d, scale=0.08),
        "convolution": drawn(3, d, d, scale=(3 * d) ** -0.5),
        "convolution_bias": np.zeros(d, dtype),
        "attention": layer(d, sizes.heads),
        "answer_attention": layer(d, sizes.answer_heads),
        "alone": layer(sizes.text, COUNT + 1),
        "alone_bias": np.zeros(COUNT + 1, dtype),
        "hidden": layer(sizes.read, sizes.hidden),
        "hidden_bias": np.zeros(sizes.hidden, dtype),
        "output": layer(sizes.hidden, COUNT + 1),
        "output_bias": np.zeros(COUNT + 1, dtype),
    }


class Masks(NamedTuple):
    """What is left out of one pass, so that the network cannot lean on any one thing. Multipliers; None is 1."""

    tokens: Floats | None = None
    """(N, L) 0 for a token that is not seen."""
    own: Floats | None = None
    """(U,) 0 for a word that is known by its pieces alone."""
    context: Floats | None = None
    """(B, 1) 0 where answer and earlier texts are hidden."""
    alone: Floats | None = None
    read: Floats | None = None
    hidden: Floats | None = None


class Pass(NamedTuple):
    """A forward pass with all that the backward pass needs of it."""

    logits: Floats
    """(B, COUNT + 1)"""
    alone: Floats
    """(N, COUNT + 1)"""
    kept: dict[str, Any]  # Any: arrays of all shapes and nested tuples of them


def forward(p: Parameters, batch: Batch, masks: Masks) -> Pass:
    """The network's answers for a batch."""
    rows = len(batch.measures)
    vectors = word_vectors(p, batch, masks)
    encoded, text_kept = _encode(p, vectors, batch.texts, masks.tokens)
    seen = encoded if masks.alone is None else encoded * masks.alone
    alone = seen @ p["alone"] + p["alone_bias"]
    heard = vectors[batch.answers]
    answer, answer_kept = _attend(heard, batch.answers < len(vectors) - 1, p["answer_attention"])
    state, state_kept = _states(alone, batch.earlier)
    shown = 1.0 if masks.context is None else masks.context
    read = np.concatenate((encoded[:rows], batch.measures, answer * shown, state * shown), axis=1)
    read = read if masks.read is None else read * masks.read
    before = read @ p["hidden"] + p["hidden_bias"]
    hidden = np.maximum(before, 0)
    hidden = hidden if masks.hidden is None else hidden * masks.hidden
    logits = hidden @ p["output"] + p["output_bias"]
    kept = {
        "vectors": vectors, "text": text_kept, "seen": seen, "heard": heard, "answer": answer_kept,
        "state": state_kept, "read": read, "before": before, "hidden": hidden,
    }  # fmt: skip
    return Pass(logits=logits, alone=alone, kept=kept)


def word_vectors(p: Parameters, batch: Batch, masks: Masks) -> Floats:
    """(U + 1, d): each word is the mean of its pieces and its own row; the last is zero, for no word at all."""
    flat, starts, counts = _flat(batch.bags)
    means = np.add.reduceat(p["pieces"][flat], starts, axis=0) / counts
    own = p["own"][batch.own] * (batch.own > 0)[:, None]
    if masks.own is not None:
        own = own * masks.own[:, None]
    return np.concatenate((means + own, np.zeros((1, means.shape[1]), means.dtype)))


def _flat(bags: list[Whole]) -> tuple[Whole, Whole, Floats]:
    counts = np.asarray([len(bag) for bag in bags])
    return np.concatenate(bags), np.concatenate(([0], np.cumsum(counts[:-1]))), counts[:, None]


def _encode(p: Parameters, vectors: Floats, texts: Whole, shown: Floats | None) -> tuple[Floats, Any]:
    present = texts < len(vectors) - 1
    if shown is not None:
        present = present & (shown > 0)
    x = vectors[texts] * present[..., None]
    c = p["convolution"]
    mixed = x @ c[1] + p["convolution_bias"]
    mixed[:, 1:] += x[:, :-1] @ c[0]
    mixed[:, :-1] += x[:, 1:] @ c[2]
    heard = (x + np.maximum(mixed, 0)) * present[..., None]
    attended, kept = _attend(heard, present, p["attention"])
    tops = np.where(present[..., None], heard, _FAR_BELOW)
    at = tops.argmax(axis=1)
    highest = np.take_along_axis(tops, at[:, None, :], axis=1)[:, 0]
    return np.concatenate((attended, highest), axis=1), (x, mixed, heard, present, kept, at)


def _attend(x: Floats, present: Any, attention: Floats) -> tuple[Floats, Any]:
    scores = np.where(present[..., None], x @ attention, _FAR_BELOW)
    powers = np.exp(scores - scores.max(axis=1, keepdims=True))
    shares = powers / powers.sum(axis=1, keepdims=True)
    found = shares.transpose(0, 2, 1) @ x
    return found.reshape(len(x), -1), shares


def _states(alone: Floats, earlier: Whole) -> tuple[Floats, Any]:
    """(B, COUNT + 1): the earlier texts' own skills, a follow-up carrying on what was there; see `_next_state`."""
    rows, depth = earlier.shape
    shares, carried = softmax(alone[:, :COUNT]), sigmoid(alone[:, COUNT])
    state = np.zeros((rows, COUNT + 1), alone.dtype)
    steps = []
    for step in range(depth):
        index = earlier[:, step]
        there = (index >= 0)[:, None]
        share, carry = shares[index], carried[index][:, None]
        before = state
        fresh = np.concatenate(((1 - carry) * share + carry * state[:, :COUNT], np.ones((rows, 1), alone.dtype)), 1)
        state = np.where(there, fresh, state)
        steps.append((index, there, share, carry, before))
    return state, steps


class Loss(NamedTuple):
    """The share of each part in what is minimised."""

    followup: float = 0.3
    alone: float = 0.3


def backward(p: Parameters, batch: Batch, masks: Masks, seen: Pass, targets: Targets, loss: Loss) -> Parameters:
    """Gradients of the mean weighted loss; those of a table are a pair of arrays under `name` and `name_rows`."""
    rows = len(batch.measures)
    k = seen.kept
    weight = targets.weight / rows
    main = weight * (1 - targets.followup)
    grads: Parameters = {}

    def of_logits(logits: Floats, on_skills: Floats, on_followup: Floats) -> Floats:
        g = np.empty_like(logits)
        g[:, :COUNT] = (softmax(logits[:, :COUNT]) - targets.skills) * on_skills[:, None]
        g[:, COUNT] = (sigmoid(logits[:, COUNT]) - targets.followup) * on_followup
        return g

    g = of_logits(seen.logits, weight, weight * loss.followup)
    grads["output"], grads["output_bias"] = k["hidden"].T @ g, g.sum(0)
    g = g @ p["output"].T
    g = (g if masks.hidden is None else g * masks.hidden) * (k["before"] > 0)
    grads["hidden"], grads["hidden_bias"] = k["read"].T @ g, g.sum(0)
    g = g @ p["hidden"].T
    g = g if masks.read is None else g * masks.read
    text, answer_size = k["seen"].shape[1], p["answer_attention"].size
    answer_at = text + MEASURES
    shown = 1.0 if masks.context is None else masks.context
    g_answer = g[:, answer_at : answer_at + answer_size] * shown
    g_state = g[:, answer_at + answer_size :] * shown

    g_alone = np.zeros_like(seen.alone)
    g_alone[:rows] = of_logits(seen.alone[:rows], main * loss.alone, weight * loss.alone)
    _states_back(g_state, k["state"], g_alone)
    grads["alone"], grads["alone_bias"] = k["seen"].T @ g_alone, g_alone.sum(0)
    g_encoded = g_alone @ p["alone"].T
    g_encoded = g_encoded if masks.alone is None else g_encoded * masks.alone
    g_encoded[:rows] += g[:, :text]

    g_vectors = np.zeros_like(k["vectors"])
    _encode_back(p, batch.texts, k["text"], g_encoded, grads, g_vectors)
    g_heard, grads["answer_attention"] = _attend_back(g_answer, k["heard"], k["answer"], p["answer_attention"])
    _scatter(g_vectors, batch.answers, g_heard)
    _tables_back(batch, masks, g_vectors[:-1], grads)
    return grads


def _states_back(g_state: Floats, steps: Any, g_alone: Floats) -> None:
    g = g_state[:, :COUNT]
    for index, there, share, carry, before in reversed(steps):
        g_here = np.where(there, g, 0)
        g_share = (1 - carry) * g_here
        g_logits = share * (g_share - (g_share * share).sum(1, keepdims=True))
        g_carry = (g_here * (before[:, :COUNT] - share)).sum(1, keepdims=True) * carry * (1 - carry)
        np.add.at(g_alone, index, np.concatenate((g_logits, g_carry), axis=1) * there)
        g = np.where(there, carry * g, g)


def _encode_back(
    p: Parameters, texts: Whole, kept: Any, g: Floats, grads: Parameters, g_vectors: Floats
) -> None:  # Any: what `_encode` kept
    x, mixed, heard, present, shares, at = kept
    d = x.shape[2]
    g_heard, grads["attention"] = _attend_back(g[:, :-d], heard, shares, p["attention"])
    top = g[:, -d:][:, None, :]
    np.put_along_axis(g_heard, at[:, None, :], np.take_along_axis(g_heard, at[:, None, :], axis=1) + top, axis=1)
    g_heard *= present[..., None]
    g_mixed = g_heard * (mixed > 0)
    c = p["convolution"]
    before, here, after = (
        rows.reshape(-1, d).T @ gradients.reshape(-1, d)
        for rows, gradients in ((x[:, :-1], g_mixed[:, 1:]), (x, g_mixed), (x[:, 1:], g_mixed[:, :-1]))
    )
    grads["convolution"] = np.stack((before, here, after))
    grads["convolution_bias"] = g_mixed.sum((0, 1))
    g_x = g_heard + g_mixed @ c[1].T
    g_x[:, :-1] += g_mixed[:, 1:] @ c[0].T
    g_x[:, 1:] += g_mixed[:, :-1] @ c[2].T
    _scatter(g_vectors, texts, g_x * present[..., None])


def _attend_back(g: Floats, x: Floats, shares: Floats, attention: Floats) -> tuple[Floats, Floats]:
    heads, d = attention.shape[1], x.shape[2]
    g = g.reshape(len(x), heads, d)
    g_shares = x @ g.transpose(0, 2, 1)
    g_scores = shares * (g_shares - (g_shares * shares).sum(axis=1, keepdims=True))
    g_attention = x.reshape(-1, d).T @ g_scores.reshape(-1, heads)
    return shares @ g + g_scores @ attention.T, g_attention


def _scatter(into: Floats, index: Whole, values: Floats) -> None:
    """Add each of `values` to the row of `into` that `index` names; the last row is for no word and is dropped."""
    sums, rows = _summed(index.ravel(), values.reshape(-1, values.shape[-1]))
    into[rows] += sums
    into[-1] = 0


def _tables_back(batch: Batch, masks: Masks, g: Floats, grads: Parameters) -> None:
    own = batch.own > 0
    g_own = g if masks.own is None else g * masks.own[:, None]
    # A word stands once in a batch, so no row is met twice.
    grads["own"], grads["own_rows"] = g_own[own], batch.own[own]
    flat, _, counts = _flat(batch.bags)
    each = np.repeat(g / counts, counts[:, 0], axis=0)
    grads["pieces"], grads["pieces_rows"] = _summed(flat, each)


def _summed(index: Whole, values: Floats) -> tuple[Floats, Whole]:
    """The sum of `values` for each number in `index`, and these numbers."""
    order = np.argsort(index, kind="stable")
    rows, starts = np.unique(index[order], return_index=True)
    return np.add.reduceat(values[order], starts, axis=0), rows


class Adam:
    """Adam with decoupled weight decay (Loshchilov and Hutter 2019, arXiv:1711.05101); tables move by touched rows."""

    BETA1: Final = 0.9
    BETA2: Final = 0.999
    EPSILON: Final = 1e-8

    def __init__(self, parameters: Parameters, *, decay: float) -> None:
        self._p = parameters
        self._decay = decay
        self._first = {name: np.zeros_like(array) for name, array in parameters.items()}
        self._second = {name: np.zeros_like(array) for name, array in parameters.items()}
        self._steps = 0

    def step(self, grads: Parameters, rate: float) -> None:
        """Move every parameter that has a gradient."""
        self._steps += 1
        correction1 = 1 - self.BETA1**self._steps
        correction2 = 1 - self.BETA2**self._steps
        for name, parameter in self._p.items():
            rows: Any = grads[f"{name}_rows"] if name in TABLES else slice(None)
            g = grads[name]
            first = self.BETA1 * self._first[name][rows] + (1 - self.BETA1) * g
            second = self.BETA2 * self._second[name][rows] + (1 - self.BETA2) * g * g
            self._first[name][rows], self._second[name][rows] = first, second
            moved = (first / correction1) / (np.sqrt(second / correction2) + self.EPSILON)
            decay = 0.0 if name.endswith("_bias") else self._decay
            parameter[rows] = parameter[rows] * (1 - rate * decay) - rate * moved
