"""Likeness of texts, and regression on it."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from lanewise.evaluate.texts import NEIGHBOURS, Ridge, Space, closeness

KNOWN = ["sort the list of numbers", "sort the numbers in a list", "write a sad poem", "write a glad poem"]


def test_a_known_text_is_like_itself_and_less_like_others():
    space = Space(KNOWN * 2)  # twice, so that no word stands in one text alone
    near = space.likeness(space.place(KNOWN), space.known)[:, : len(KNOWN)]
    np.testing.assert_allclose(np.diag(near), 1, atol=1e-6)
    assert near[0, 1] > near[0, 2]
    assert near[2, 3] > near[2, 0]


def test_unknown_words_make_a_text_unlike():
    space = Space(KNOWN * 2)
    mixed = space.place(["sort the list of numbers", "sort the list of numbers zebra quagga okapi bongo"])
    near = space.likeness(mixed, space.known).max(1)
    assert near[1] < 0.6 * near[0]


def test_a_text_of_unknown_words_only_is_like_nothing():
    space = Space(KNOWN * 2)
    assert closeness(space.likeness(space.place(["zebra quagga"]), space.known)).tolist() == [0.0]


def test_wide_texts_are_compared_in_slices_without_a_seam():
    made = ["".join(letters) for letters in itertools.product("abcdefghijklm", repeat=4)]
    texts = [" ".join(made[at : at + 300]) for at in range(0, 9000, 300)]  # 18,000 words and pairs, slices of 4,096
    space = Space(texts * 2)
    near = space.likeness(space.known, space.known)
    np.testing.assert_allclose(np.diag(near), 1, atol=1e-6)


def test_closeness_is_the_mean_of_the_nearest():
    near = np.linspace(0, 1, 41)[None]
    assert closeness(near)[0] == pytest.approx(np.linspace(0, 1, 41)[-NEIGHBOURS:].mean())
    assert closeness(np.asarray([[0.5, 0.1]]))[0] == pytest.approx(0.3)
    assert closeness(np.zeros((2, 0))).tolist() == [0.0, 0.0]


def test_regression_finds_a_line_and_a_penalty_draws_it_to_the_mean():
    x = np.linspace(-1, 1, 50)[:, None]
    near, y = x @ x.T, 3 * x + 2
    np.testing.assert_allclose(Ridge.fit(near, y, penalty=1e-6).predict(near), y, atol=1e-3)
    drawn = Ridge.fit(near, y, penalty=float((x**2).sum())).predict(near)
    np.testing.assert_allclose(drawn, 1.5 * x + 2, atol=1e-9)  # x'x / (x'x + penalty) = 1/2


def test_no_texts_at_all_are_no_error():
    space = Space([])
    assert space.likeness(space.place(["a"]), space.known).shape == (1, 0)
