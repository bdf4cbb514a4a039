"""The head that an encoder is given: it learns, it is the same each time, and its score is of what it had not seen."""

from __future__ import annotations

import numpy as np
import pytest
from learn_kit import ASKS, rows

from lanewise.classify.encoder import Head
from lanewise.classify.student import COUNT, SKILLS
from lanewise.errors import InputError
from lanewise.learn import encoder
from lanewise.learn.student import Row

WORDS = sorted({word for asks in ASKS.values() for ask in asks for word in ask.split()})


def embed(text: str) -> np.ndarray:
    """A vector of length 1: which of the known words stand in the text."""
    found = np.asarray([float(word in text.split()) for word in WORDS])
    return found / max(np.linalg.norm(found), 1e-9)


@pytest.fixture(scope="module")
def learnt():
    return encoder.learn([*rows(520, group="one"), *rows(60, group="two")], embed, say=lambda _: None)


def test_a_head_names_the_skills_of_texts_from_repositories_it_has_not_seen(learnt):
    # Every fifth row is a follow-up without a known word: a third of these are right by the commonest skill.
    assert 0.8 < learnt.accuracy < 0.9
    assert (learnt.tested, learnt.rows) == (580, 580)
    probabilities = learnt.head.probabilities(embed("why does the parser crash"))
    assert SKILLS[int(probabilities.argmax())] == "debugging"
    assert probabilities.shape == (COUNT,)
    assert probabilities.sum() == pytest.approx(1.0)


def test_a_head_is_unsure_of_a_text_that_says_nothing(learnt):
    sure, unsure = (learnt.head.probabilities(embed(text)).max() for text in ("let's plan the menu first", "yes"))
    assert unsure < 0.6 < sure


def test_the_same_rows_give_the_same_bytes(learnt):
    again = encoder.learn([*rows(520, group="one"), *rows(60, group="two")], embed, say=lambda _: None)
    assert again.head.to_bytes() == learnt.head.to_bytes()
    assert again.accuracy == learnt.accuracy


def test_the_fit_is_where_no_weight_wants_to_move():
    some = rows(80, group="one")
    vectors = np.asarray([embed(row.text) for row in some])
    head = encoder.fit(vectors, some)
    said = head.probabilities(vectors)
    wanted = np.zeros_like(said)
    for at, row in enumerate(some):
        wanted[at, SKILLS.index(row.skill)] = 1.0
    slope = vectors.T @ (said - wanted) / len(some) + encoder.SHRINKAGE * head.weights
    assert np.abs(slope).max() < 1e-3


def test_a_row_that_counts_nothing_less_does_less():
    sure = [Row(text="why", skill="planning", kind="real", group="g", followup=False, sure=3)]
    doubtful = [Row(text="why", skill="debugging", kind="real", group="g", followup=False, sure=1)]
    head = encoder.fit(np.ones((2, 1)), sure + doubtful)
    said = head.probabilities(np.ones(1))
    assert said[SKILLS.index("planning")] > said[SKILLS.index("debugging")]


def test_turns_of_one_repository_are_too_few():
    with pytest.raises(InputError, match="come from one repository"):
        encoder.learn(rows(520, group="one"), embed, say=lambda _: None)


def test_what_is_under_way_is_told():
    told: list[str] = []
    encoder.learn([*rows(500, group="one"), *rows(10, group="two")], embed, say=told.append)
    assert told == ["embedding 510 texts", "left out: one", "left out: 1 small repositories", "all rows"]


def test_a_head_for_rows_of_vectors_gives_rows_of_probabilities():
    head = Head(weights=np.zeros((3, COUNT)), bias=np.zeros(COUNT))
    assert head.probabilities(np.zeros((2, 3))).tolist() == [[1 / COUNT] * COUNT] * 2
