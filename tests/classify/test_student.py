"""The shipped student: what it takes, what it answers, what it forgets."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lanewise.classify import student as student_module
from lanewise.classify import words
from lanewise.classify.prose import part
from lanewise.classify.rules import Rules
from lanewise.classify.student import COUNT, SKILLS, Student, sigmoid, softmax

STUDENT, RULES = Student.load(), Rules.load()
PIXELS = "iVBORw0KGgo" * 90_000


def read(text, student=STUDENT, **context):
    parted = part(text)
    return student.read(text, parted, RULES.points(text, parted), **context)


def skill(text, **context):
    return SKILLS[int(np.argmax(read(text, **context).probabilities))]


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("the login page crashes with a TypeError when the token expired", "debugging"),
        ("write unit tests for the tokenizer", "test_writing"),
        ("commit this with a good message", "commit_changelog"),
        ("update the README with the new install steps", "documentation"),
        ("rename getUser to fetchUser everywhere", "refactoring"),
        ("port this script from python to rust", "code_translation"),
        ("how should we structure the plugin system? what are the options?", "planning"),
        ("install the dependencies and start the dev server", "devops_shell"),
        ("escribe tests unitarios para el tokenizer", "test_writing"),
        ("schreib bitte Unit-Tests für den Tokenizer", "test_writing"),
    ],
)
def test_plain_asks_get_their_skill(text, wanted):
    assert skill(text) == wanted


def test_a_state_is_sixteen_numbers_and_no_text():
    state = read("the export crashes").state
    assert len(state) == COUNT + 1
    assert all(isinstance(number, float) and 0 <= number <= 1 for number in state)


def test_an_approval_hands_the_state_on():
    asked = read("the export crashes with a KeyError, find out why")
    approved = read("ok", state=asked.state)
    assert int(np.argmax(approved.state[:COUNT])) == int(np.argmax(asked.state[:COUNT]))


@pytest.mark.parametrize("text", ["", " ", "\n\n", "\x00\xff", "\ud800", "🙂" * 50, "a" * 5_000, PIXELS, "的" * 3_000])
def test_strange_texts_get_probabilities(text):
    assert sum(read(text, answer=text).probabilities) == pytest.approx(1, abs=1e-4)


@given(st.text(max_size=400), st.text(max_size=400))
def test_any_text_and_answer_get_probabilities(text, answer):
    guess = read(text, answer=answer)
    assert sum(guess.probabilities) == pytest.approx(1, abs=1e-4)


def test_the_same_text_gets_the_same_answer_whatever_was_read_between():
    before = read("why does zorbulate() flumox the quibbler?")
    for number in range(50):
        read(f"wort{chr(97 + number % 26)} xyzzy{chr(97 + number // 26)}")
    assert read("why does zorbulate() flumox the quibbler?") == before


def test_words_beyond_the_table_are_forgotten_and_read_again(monkeypatch):
    monkeypatch.setattr(student_module, "REMEMBERED_WORDS", 100)
    small = Student.load()
    before = read("why does zorbulate() flumox the quibbler?", small)
    for number in range(20):
        letters = "".join(chr(97 + (number + step) % 26) for step in range(8))
        read(" ".join(f"{letters}{chr(97 + at)}" for at in range(26)), small)
    assert read("why does zorbulate() flumox the quibbler?", small) == before


def test_tokens_have_no_case_no_digits_and_no_repeated_signs():
    assert words.tokens("Fix get_user42()!!!\n\n\nNow", head=20, tail=0) == [
        "fix", "get", "user00", "(", ")", "!", "\n", "now",
    ]  # fmt: skip
    assert words.tokens("", head=5, tail=5) == [words.END]
    assert words.tokens("a b c d e f", head=2, tail=1) == ["a", "b", "f"]


def test_pieces_stand_in_for_a_word():
    assert len(words.pieces("tests")) == 5 + 4 + 3  # <tests> has 7 signs: five of 3, four of 4, three of 5
    assert words.pieces("x") != words.pieces("y")


def test_languages_without_spaces_are_read_letter_by_letter():
    assert words.tokens("修复login页面", head=20, tail=0) == ["修", "复", "login", "页", "面"]


def test_phrases_are_words_and_neighbours_each_once():
    assert len(words.phrases(["a", "b", "a", "b"])) == 2 + 2  # a, b; "a b", "b a"
    assert words.phrases(["a", "b"]) == words.phrases(["a", "b"])


def test_softmax_and_sigmoid_do_not_overflow():
    assert softmax(np.asarray([1e4, 0.0])).tolist() == [1.0, 0.0]
    assert (sigmoid(-1e4), sigmoid(1e4)) == (0.0, 1.0)
