"""Cues to skills."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lanewise.classify.prose import part
from lanewise.classify.rules import Rules

RULES = Rules.load()


def points(text):
    return RULES.points(text, part(text))


PROMPTS = [
    ("Add a --json flag to the list command", "code_generation"),
    ("Please implement pagination for the orders endpoint", "code_generation"),
    ("The login page crashes with a TypeError when the token expired", "debugging"),
    ("why doesn't the cache work after a restart?", "debugging"),
    ("Traceback (most recent call last):\n  File 'a.py', line 3\nKeyError: 'x'", "debugging"),
    ("Refactor the payment module, there is a lot of duplicated code", "refactoring"),
    ("rename getUser to fetchUser everywhere", "refactoring"),
    ("Review this PR and tell me about any concerns", "code_review"),
    ("/review 187", "code_review"),
    ("Explain how the scheduler decides what to run next", "code_explanation"),
    ("what does this decorator do?", "code_explanation"),
    ("Where is the rate limiter configured?", "codebase_search"),
    ("find all usages of parse_date", "codebase_search"),
    ("Write docstrings for the store module", "documentation"),
    ("Update the README with the new install steps", "documentation"),
    ("Write unit tests for the tokenizer", "test_writing"),
    ("Increase the test coverage of billing with pytest", "test_writing"),
    ("Write a commit message for the staged changes", "commit_changelog"),
    ("Add an entry to the changelog for 2.1", "commit_changelog"),
    ("Translate this module to Rust", "code_translation"),
    ("Port the script from python to typescript", "code_translation"),
    ("Write a SQL query that returns the ten largest customers", "data_sql"),
    ("SELECT id FROM orders WHERE total > 10 -- make it faster with an index", "data_sql"),
    ("Write a Dockerfile and deploy it to kubernetes", "devops_shell"),
    ("set up github actions to run the linter on push", "devops_shell"),
    ("Let's plan the migration: what approach should we take?", "planning"),
    ("Summarize what we did today", "summarization"),
    ("Tell me a joke", "general_chat"),
]


@pytest.mark.parametrize(("text", "skill"), PROMPTS)
def test_plain_requests_score_highest_for_their_skill(text, skill):
    scored = points(text)
    assert max(scored, key=scored.get) == skill


def test_a_text_without_cues_scores_nothing():
    assert points("lorem ipsum") == {}


def test_points_of_a_leading_verb_and_of_a_word_anywhere_add_up():
    assert points("Explain")["code_explanation"] == 2.5 + 2.5


def test_words_inside_pasted_code_are_no_cues():
    code = "```python\ndef test_error():\n    raise TypeErr('select sql docker')\n```"
    assert points(f"Explain\n{code}") == points("Explain")


def test_a_cue_in_the_middle_of_a_long_text_is_not_heard():
    filler = "lorem " * 100
    assert points(f"{filler} kubernetes {filler}") == {}
    assert points(f"kubernetes {filler}") == {"devops_shell": 2.5}


def test_an_indented_block_is_code_and_a_single_line_is_prose():
    assert part("Fix this\n    x = load(y)\n").code_chars == len("    x = load(y)")
    assert part("return x;").code_chars == 0


@given(st.text(max_size=3_000))
def test_any_text_scores_without_an_error_and_never_below_nothing(text):
    assert all(score > 0 for score in points(text).values())
