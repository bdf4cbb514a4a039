"""The hidden truth is reproducible, monotone, and the same draw for every model."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from lanewise.demo.script import PLANS
from lanewise.demo.truth import STRENGTH, Task, chance, draw, solves

OPUS = "claude-opus-5-5"
skills = st.sampled_from(sorted(PLANS))
difficulties = st.floats(0, 1)


def task(skill="debugging", difficulty=0.5, key="debugging-0"):
    return Task(key=key, skill=skill, difficulty=difficulty, ask="?")


@given(skills, difficulties, difficulties, st.sampled_from(sorted(STRENGTH)))
def test_a_harder_task_is_never_likelier_to_be_solved(skill, one, other, model):
    easier, harder = sorted((one, other))
    assert chance(task(skill, harder), model) <= chance(task(skill, easier), model)


@given(skills, difficulties, st.integers(0, 999), st.text(max_size=8))
def test_whatever_a_model_solves_every_likelier_model_solves_too(skill, difficulty, seed, key):
    it = task(skill, difficulty, key)
    by_chance = sorted(STRENGTH, key=lambda model: chance(it, model))
    outcomes = [solves(it, model, seed) for model in by_chance]
    assert outcomes == sorted(outcomes)


@given(skills, difficulties)
def test_the_baseline_is_the_strongest_model_in_every_skill(skill, difficulty):
    it = task(skill, difficulty)
    assert max(STRENGTH, key=lambda model: chance(it, model)) == OPUS


def test_a_draw_is_the_same_on_every_machine():
    assert draw(7, "debugging-0") == draw(7, "debugging-0")
    assert draw(7, "debugging-0") != draw(8, "debugging-0")
    assert 0 <= draw(7, "debugging-0") < 1


def test_an_unknown_model_counts_as_weaker_than_all_known_ones():
    assert chance(task(), "somebody-elses-model") < min(chance(task(), model) for model in STRENGTH)
