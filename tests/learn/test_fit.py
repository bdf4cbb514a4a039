"""Training: it learns, it repeats itself, and what it made is what is served."""

from __future__ import annotations

import importlib

import numpy as np
import pytest
from learn_kit import SMALL, rows

from lanewise.classify.prose import part
from lanewise.classify.rules import Rules
from lanewise.classify.student import COUNT, SKILLS, Facts, Student, softmax
from lanewise.learn.student import scores_of, train
from lanewise.learn.student.build import KEPT_SHARE, LARGE, by_student, facts_of, folds_of, left_out

RULES = Rules.load()
build_module = importlib.import_module("lanewise.learn.student.build")
FACTS = Facts(version="test", data_sha256="", temperature=1.0, abstain_below=0.5)
TAUGHT = rows(150, group="one") + rows(150, group="two")
HELD = rows(60, group="three")


@pytest.fixture(scope="module")
def trained():
    return train(TAUGHT, SMALL, RULES)


def test_it_names_the_skills_of_a_repository_it_has_not_seen(trained):
    scores = scores_of(HELD, softmax(trained.logits(HELD, RULES)[:, :COUNT]))
    assert scores.main_accuracy > 0.95
    assert scores.followup_accuracy > 0.9, "a follow-up is read in the light of the text before it"


def test_the_same_rows_give_the_same_bytes(trained):
    assert train(TAUGHT, SMALL, RULES).artefact(FACTS) == trained.artefact(FACTS)


def test_another_seed_gives_other_bytes(trained):
    other = train(TAUGHT, SMALL._replace(seed=SMALL.seed + 1), RULES)
    assert other.artefact(FACTS) != trained.artefact(FACTS)


def test_the_student_that_ships_says_what_the_network_said(trained):
    """Training reads many rows at once in full precision, the student one at a time from 8-bit tables."""
    student = Student.from_bytes(trained.artefact(FACTS))
    wanted = softmax(trained.logits(HELD, RULES)[:, :COUNT])
    for row, probabilities in zip(HELD, wanted, strict=True):
        parted = part(row.text)
        state = student.recall(list(row.earlier))
        points = RULES.points(row.text, parted)
        guess = student.read(row.text, parted, points, answer=row.answer, state=state)
        assert np.abs(np.asarray(guess.probabilities) - probabilities).max() < 0.05
        assert SKILLS[int(np.argmax(guess.probabilities))] == SKILLS[int(probabilities.argmax())]


@pytest.fixture(scope="module")
def out():
    large = rows(LARGE, group="one")
    mixed = [*large, *rows(60, group="two"), *HELD, *rows(20, group="three", kind="retold", seed=1)]
    assert folds_of(mixed) == {"one": {"one"}, "2 small repositories": {"two", "three"}}
    return left_out(mixed, by_student(SMALL._replace(epochs=2), RULES), progress=lambda _line: None)


def test_every_real_turn_is_read_once_by_a_student_that_had_not_seen_its_repository(out):
    assert len({row.key for row in out.rows}) == len(out.rows) == len(out.folds) == LARGE + 120
    assert {row.kind for row in out.rows} == {"real"}


def test_what_was_retold_from_a_repository_is_left_out_with_it(monkeypatch):
    taught = []
    monkeypatch.setattr(build_module, "train", lambda seen, *_: taught.append(seen) or pytest.fail("far enough"))
    mixed = [*rows(LARGE, group="one"), *HELD, *rows(20, group="one", kind="retold", seed=1)]
    with pytest.raises(pytest.fail.Exception):
        left_out(mixed, by_student(SMALL, RULES), progress=lambda _line: None)
    assert {row.group for row in taught[0]} == {"three"}


def test_the_threshold_keeps_the_surest_share_of_real_turns(out):
    facts = facts_of("test", TAUGHT, out)
    assert 0.5 <= facts.temperature <= 3
    confidence = softmax(np.asarray(out.logits) / facts.temperature).max(1)
    assert np.mean(confidence >= facts.abstain_below) == pytest.approx(KEPT_SHARE, abs=0.02)
