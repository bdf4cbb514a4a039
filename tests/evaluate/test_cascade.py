"""A cascade's cost and quality by hand, the search for the cheapest chain, and the reading of outcomes."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lanewise.errors import InputError
from lanewise.evaluate.cascade import MARGIN_TASKS, Check, cheapest_chain, score, study
from lanewise.evaluate.outcome_table import OutcomeTable, read_outcomes

PERFECT = Check(name="perfect", true_accept=1.0, false_accept=0.0)
WEAK = Check(name="weak", true_accept=0.9, false_accept=0.2)
BLIND = Check(name="blind", true_accept=1.0, false_accept=1.0)


def table(solved, cost):
    return OutcomeTable(
        source="",
        tasks=tuple(f"t{n}" for n in range(len(solved))),
        models=tuple("abcdefg"[: len(solved[0])]),
        solved=np.array(solved, dtype=float),
        cost_usd=np.array(cost, dtype=float),
        costs_unknown=0,
    )


TWO = table([[1, 1], [0, 1]], [[1, 10], [2, 20]])


def test_a_perfect_check_pays_the_second_model_only_where_the_first_is_wrong():
    # (1 + 2 + 20) / 2 tasks
    found = score(TWO, ("a", "b"), PERFECT)
    assert (found.cost_usd, found.quality) == (11.5, 1.0)


def test_a_weak_check_pays_for_both_its_mistakes():
    # Task 1: right, rejected in .1 -> 1 + .1 x 10, served right by b. Task 2: wrong, rejected in .8 -> 2 + .8 x 20.
    found = score(TWO, ("a", "b"), WEAK)
    assert (found.cost_usd, found.quality) == pytest.approx(((2 + 18) / 2, (1 + 0.8) / 2))


def test_the_search_counts_the_right_answers_that_a_weak_check_rejects():
    found = cheapest_chain(TWO, WEAK, floor=0.9, ceiling_usd=20, stages=2)
    assert (found.models, found.quality) == (("a", "b"), pytest.approx(0.9))
    assert cheapest_chain(TWO, WEAK, floor=0.91, ceiling_usd=20, stages=2).models == ("b",)


def test_the_last_model_is_served_unchecked():
    assert score(TWO, ("a",), WEAK).quality == 0.5
    assert score(TWO, ("a", "b"), BLIND) == score(TWO, ("a",), BLIND).__class__(
        models=("a", "b"), cost_usd=1.5, quality=0.5
    )


@given(
    st.integers(2, 4).flatmap(
        lambda models: st.lists(
            st.lists(st.tuples(st.integers(0, 1), st.integers(1, 9)), min_size=models, max_size=models),
            min_size=2,
            max_size=6,
        )
    ),
    st.sampled_from([PERFECT, WEAK, BLIND]),
    st.floats(0, 1),
    st.integers(1, 3),
)
def test_the_search_finds_what_trying_every_chain_finds(cells, check, floor, stages):
    made = table([[cell[0] for cell in row] for row in cells], [[cell[1] for cell in row] for row in cells])
    every = [
        score(made, chain, check)
        for length in range(1, stages + 1)
        for chain in itertools.permutations(made.models, length)
    ]
    good = [each.cost_usd for each in every if each.quality >= floor - 1e-9 and each.cost_usd < 20 - 1e-9]
    found = cheapest_chain(made, check, floor=floor, ceiling_usd=20, stages=stages)
    if found is None:
        assert not good
    else:
        assert found.cost_usd == pytest.approx(min(good))
        again = score(made, found.models, check)
        assert (again.cost_usd, again.quality) == pytest.approx((found.cost_usd, found.quality))


def test_a_chain_as_dear_as_the_ceiling_is_no_chain():
    assert cheapest_chain(TWO, PERFECT, floor=1.0, ceiling_usd=11.5, stages=2) is None
    assert cheapest_chain(TWO, PERFECT, floor=1.0, ceiling_usd=11.6, stages=2).models == ("a", "b")


def halves_table():
    """Cheap `a` and `c` solve two thirds each, dear `b` nine tenths, all of them independently."""
    rng = np.random.default_rng(5)
    b = (rng.random(200) < 0.9).astype(int)
    a = (rng.random(200) < 0.65).astype(int)
    c = (rng.random(200) < 0.65).astype(int)
    return table(np.stack([a, b, c], axis=1), np.tile([1, 20, 2], (200, 1)))


def test_a_study_saves_with_a_good_check_and_keeps_the_baseline_with_a_blind_one():
    good, blind = study(halves_table(), "b", [PERFECT, BLIND], splits=5, stages=3, seed=0)
    assert good.saving.mean > 0.8
    assert sum(halves for _, halves in good.chains) == 10
    assert blind.chains == ((("b",), 10),)
    assert (blind.saving.mean, blind.quality_difference.worst) == (0, 0)


def test_a_study_is_the_same_for_the_same_seed():
    once, again = (study(halves_table(), "b", [WEAK], splits=3, stages=2, seed=4) for _ in range(2))
    assert once == again
    assert once != study(halves_table(), "b", [WEAK], splits=3, stages=2, seed=5)


def test_a_chain_must_beat_the_baseline_by_a_task_where_it_is_chosen():
    # `a` solves exactly what `b` does at a tenth: equal on every half, and so not enough.
    same = table([[n % 2, n % 2] for n in range(20)], [[1, 10]] * 20)
    assert MARGIN_TASKS == 1
    (cell,) = study(same, "b", [PERFECT], splits=2, stages=2, seed=0)
    assert cell.chains == ((("b",), 4),)


HEAD = "harness,benchmark,instance_id,model,resolved,cost"


def rows(*lines):
    return read_outcomes([HEAD, *lines], name="f.csv")


def test_a_cost_that_was_not_recorded_is_the_models_mean_and_never_zero():
    found = rows("h,b,t1,m,1,2.0", "h,b,t2,m,0,4.0", "h,b,t3,m,0,")
    assert (found.cost_usd.tolist(), found.costs_unknown) == ([[2.0], [4.0], [3.0]], 1)
    assert (found.source, found.tasks, found.models) == ("h b", ("t1", "t2", "t3"), ("m",))


def test_a_model_that_lacks_a_task_is_left_out_and_named():
    found = rows("h,b,t1,m,1,1", "h,b,t2,m,1,1", "h,b,t1,half,1,1")
    assert (found.models, found.incomplete) == (("m",), ("half",))


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["h,b,t1,m,yes,1"], "f.csv:2: `resolved` is 'yes'"),
        (["h,b,t1,m,1,free"], "f.csv:2: `cost` is 'free'"),
        (["h,b,t1,m,1,-1"], "f.csv:2: `cost` is '-1'"),
        (["h,b,t1,m,1,inf"], "f.csv:2: `cost` is 'inf'"),
        (["h,b,t1,m,1,1", "h,b,t1,m,0,1"], "f.csv:3: 'm' tried 't1' before"),
        (["h,b,,m,1,1"], "f.csv:2 names no task or no model"),
        (["h,b,t1,m,1,1", "h,c,t2,m,1,1"], "f.csv mixes h b, h c"),
        (["h,b,t1,m,1,1"], "f.csv holds 1 tasks and 1 models"),
        (["h,b,t1,m,1,", "h,b,t2,m,1,"], "f.csv has a model without any cost"),
        ([], "f.csv holds 0 tasks and 0 models"),
    ],
)
def test_a_file_that_cannot_be_used_says_why(lines, message):
    with pytest.raises(InputError, match=message.replace("(", r"\(")):
        rows(*lines)


def test_a_missing_column_is_named():
    with pytest.raises(InputError, match="f.csv has no column resolved, cost"):
        read_outcomes(["instance_id,model", "t,m"], name="f.csv")
    with pytest.raises(InputError, match="f.csv has no column instance_id, model, resolved, cost"):
        read_outcomes([], name="f.csv")
