"""Give a sentence encoder of the user's a head that names our skills, and say how good it is.

A multinomial logistic regression over the encoder's vectors: convex, so that the same rows give the same head on any
day. Its accuracy and its temperature come from repositories left out, as the student's do; context of a turn is not
read, since an encoder sees one text.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import numpy as np

from lanewise.classify.encoder import Head
from lanewise.classify.student import COUNT, SKILLS, Floats, softmax
from lanewise.journey import Value
from lanewise.learn.student.build import facts_of, left_out
from lanewise.learn.student.fit import targets_of
from lanewise.learn.student.rows import Row, weights_of

STEPS: Final = 500
"""Of accelerated gradient descent; vectors have length 1, so that it is near its end by then."""

SHRINKAGE: Final = 1e-4
"""Penalty on the squared weights, beside a mean loss of about 1."""


class Learnt(Value, frozen=True, kw_only=True):
    """A head and what is known of it."""

    head: Head
    """Its confidences are calibrated on repositories left out."""
    accuracy: float
    """Share of right answers on real turns of repositories left out."""
    tested: int
    """Turns that this share is of."""
    rows: int
    """Rows that the head was fitted to."""


def learn(rows: Sequence[Row], embed: Callable[[str], Floats], *, say: Callable[[str], None]) -> Learnt:
    """Embed, score on repositories left out, calibrate there, fit to all.

    Args:
        rows: What to learn from.
        embed: A text to its vector of length 1.
        say: Told what is under way.

    Raises:
        InputError: `rows` hold too few repositories to leave one out.
    """
    say(f"embedding {len(rows):,} texts")
    embedded = {text: embed(text) for text in dict.fromkeys(row.text for row in rows)}

    def vectors_of(some: Sequence[Row]) -> Floats:
        return np.asarray([embedded[row.text] for row in some], np.float64)

    def by_head(seen: list[Row], held: list[Row]) -> Floats:
        head = fit(vectors_of(seen), seen)
        logits: Floats = vectors_of(held) @ head.weights + head.bias
        return logits

    out = left_out(rows, by_head, progress=say)
    temperature = facts_of("", rows, out).temperature
    say("all rows")
    whole = fit(vectors_of(rows), rows)
    right = np.asarray(out.logits).argmax(1) == np.asarray([SKILLS.index(row.skill) for row in out.rows])
    head = Head(
        weights=(whole.weights / temperature).astype(np.float32), bias=(whole.bias / temperature).astype(np.float32)
    )
    return Learnt(head=head, accuracy=float(right.mean()), tested=len(out.rows), rows=len(rows))


def fit(vectors: Floats, rows: Sequence[Row]) -> Head:
    """The head that explains `rows` best, in 64 bits.

    Nesterov's method with the step that no data can make diverge: a vector of length 1 and the bias have a squared
    length of 2, the curvature of the loss is at most half of it times the mean weight, which is 1.
    """
    targets = targets_of(rows, weights_of(list(rows)))
    share = np.asarray(targets.weight, np.float64)[:, None] / len(rows)
    x = np.concatenate((vectors, np.ones((len(rows), 1))), axis=1)
    now = before = np.zeros((x.shape[1], COUNT))
    step = 1.0 / (1.0 + SHRINKAGE)
    for turn in range(1, STEPS + 1):
        ahead = now + (turn - 1) / (turn + 2) * (now - before)
        slope = x.T @ (share * (softmax(x @ ahead) - targets.skills)) + SHRINKAGE * ahead
        before, now = now, ahead - step * slope
    return Head(weights=now[:-1], bias=now[-1])
