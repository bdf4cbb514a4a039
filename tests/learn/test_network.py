"""The student's network: every gradient that is written out by hand, against differences."""

from __future__ import annotations

import numpy as np
import pytest

from lanewise.classify import words
from lanewise.classify.student import COUNT
from lanewise.learn.student.network import (
    MEASURES,
    TABLES,
    Batch,
    Loss,
    Masks,
    Sizes,
    Targets,
    backward,
    forward,
    new_parameters,
)

SIZES = Sizes(vector=5, heads=2, answer_heads=2, hidden=7)
WORDS = ["fix", "the", "test", "please", "why", "go"]
LOSS = Loss()


def _case():
    """Three rows: two earlier texts, one, none; a word without a row of its own; padded ends."""
    rng = np.random.default_rng(0)
    none = len(WORDS)
    batch = Batch(
        bags=[np.asarray(words.pieces(word)) for word in WORDS],
        own=np.asarray([1, 2, 0, 3, 4, 0]),
        texts=np.asarray([[0, 1, 2], [3, 0, none], [4, none, none], [1, 1, 2], [5, 2, none], [0, 5, none]]),
        answers=np.asarray([[1, 2], [5, none], [0, 0]]),
        measures=rng.standard_normal((3, MEASURES)),
        earlier=np.asarray([[3, 4], [-1, 5], [-1, -1]]),
    )
    skills = rng.random((3, COUNT))
    targets = Targets(
        skills=skills / skills.sum(1, keepdims=True),
        followup=np.asarray([0.0, 1.0, 0.0]),
        weight=np.asarray([0.5, 2.0, 1.0]),
    )
    masks = Masks(
        tokens=np.asarray([[1, 0, 1], [1, 1, 1], [1, 1, 1], [1, 1, 1], [1, 1, 1], [1, 1, 1.0]]),
        own=np.asarray([1, 0, 1, 1, 1, 1.0]),
        context=np.asarray([[1.0], [1.0], [0.0]]),
        alone=rng.integers(0, 2, (6, SIZES.text)) * 2.0,
        read=rng.integers(0, 2, (3, SIZES.read)) * 2.0,
        hidden=rng.integers(0, 2, (3, SIZES.hidden)) * 2.0,
    )
    parameters = new_parameters(SIZES, 4, rng, np.float64)
    return parameters, batch, masks, targets


def _loss(parameters, batch, masks, targets):
    seen = forward(parameters, batch, masks)
    rows = len(batch.measures)

    def cross_entropy(logits):
        shares = logits - logits.max(1, keepdims=True)
        return -((shares - np.log(np.exp(shares).sum(1, keepdims=True))) * targets.skills).sum(1)

    def surprise(logits):
        return np.logaddexp(0, logits) - targets.followup * logits

    alone = seen.alone[:rows]
    per_row = cross_entropy(seen.logits[:, :COUNT]) + LOSS.followup * surprise(seen.logits[:, COUNT])
    per_row += LOSS.alone * (cross_entropy(alone[:, :COUNT]) * (1 - targets.followup) + surprise(alone[:, COUNT]))
    return (per_row * targets.weight).mean()


@pytest.mark.parametrize("name", new_parameters(SIZES, 4, np.random.default_rng(0)))
def test_the_gradient_of_each_parameter_is_the_slope_of_the_loss(name):
    parameters, batch, masks, targets = _case()
    grads = backward(parameters, batch, masks, forward(parameters, batch, masks), targets, LOSS)
    whole = grads[name]
    if name in TABLES:
        whole = np.zeros_like(parameters[name])
        whole[grads[f"{name}_rows"]] = grads[name]
    flat, step = parameters[name].ravel(), 1e-6
    touched = np.flatnonzero(whole.ravel())
    for at in np.random.default_rng(1).choice(touched, min(12, len(touched)), replace=False):
        kept = flat[at]
        flat[at] = kept + step
        above = _loss(parameters, batch, masks, targets)
        flat[at] = kept - step
        slope = (above - _loss(parameters, batch, masks, targets)) / (2 * step)
        flat[at] = kept
        assert whole.ravel()[at] == pytest.approx(slope, rel=1e-4, abs=1e-8)
