"""What is believed of models: levels and differences, shrinkage, fading, speeds, failures. Arithmetic by hand."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from select_kit import DAY_S, NOW, candidate_of, later, table_of

from lanewise.journey import Candidate, Features
from lanewise.select import Band, Beliefs, CallResult, Evidence, Priors, TaskResult, band_of
from lanewise.select.beliefs import (
    FAILURE_HALF_LIFE_S,
    HALF_LIFE_S,
    HEAVY_FROM,
    MAX_NAMES,
    SPEED_STALE_S,
    posterior,
)
from lanewise.select.priors import Measured, Row
from lanewise.select.priors import Table as PriorTable
from lanewise.select.shrink import STRENGTH

BIG, SMALL, STRANGER = candidate_of("big"), candidate_of("small"), candidate_of("stranger")
LOCAL = candidate_of("own", "gpu", lane="local")
TABLE = table_of(BIG, SMALL, STRANGER)
PUBLIC = PriorTable(
    version="2026-01-01",
    models={
        "big": Measured(single={"debugging": Row(success=0.8, tasks=400, output_tokens=900)}),
        "small": Measured(single={"debugging": Row(success=0.5, tasks=100)}),
    },
)


def beliefs_of(priors: PriorTable | None = None) -> Beliefs:
    return Beliefs(Priors(priors) if priors else Priors.none())


def task(model: str = "big", success: float = 1.0, **changes: Any) -> TaskResult:
    fields = {"skill": "debugging", "band": "single", "at": NOW, **changes}
    return TaskResult(model=model, success=success, **fields)


def called(candidate: Candidate = BIG, **changes: Any) -> CallResult:
    fields = {"skill": "debugging", "band": "single", "failed": False, "at": NOW, **changes}
    return CallResult(candidate=candidate, **fields)


def seen(beliefs: Beliefs, table: Any = TABLE, *, seconds: float = 0.0, band: Band = "single") -> Evidence:
    return beliefs.evidence("debugging", band, table, later(seconds))


# -- bands ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("tools", "complexity", "band"),
    [(0, 0.0, "single"), (0, 1.0, "single"), (1, 0.39, "light"), (1, 0.4, "heavy"), (9, 1.0, "heavy")],
)
def test_tools_make_a_loop_and_complexity_makes_it_heavy(tools: int, complexity: float, band: Band):
    features = Features(
        input_tokens=1,
        body_bytes=1,
        message_count=1,
        tools_offered=tools,
        code_share=0.0,
        files_named=0,
        has_images=False,
        tool_errors=0,
        complexity=complexity,
        waiting=True,
    )
    assert HEAVY_FROM == 0.4
    assert band_of(features) == band


# -- success ----------------------------------------------------------------------------------------------


def test_without_anything_seen_or_known_nothing_is_believed():
    found = seen(beliefs_of())
    for column in (found.success, found.output_tokens, found.first_token_s, found.tokens_per_s):
        assert np.isnan(column).all()
    assert found.weight.tolist() == [0, 0, 0]
    assert found.failure_rate.tolist() == [0, 0, 0]


def test_at_the_start_public_outcomes_speak_alone_and_of_whom_they_know():
    found = seen(beliefs_of(PUBLIC))
    assert found.success[:2].tolist() == [0.8, 0.5]
    assert math.isnan(found.success[2])
    assert found.weight.tolist() == [400, 100, 0]
    assert found.output_tokens[0] == 900
    assert np.isnan(found.output_tokens[1:]).all()


def test_without_public_outcomes_own_counts_stand_as_they_are():
    beliefs = beliefs_of()
    for success in (1.0, 0.5, 0.0):
        beliefs.task_ended(task("big", success))
    found = seen(beliefs)
    assert found.success[0] == 0.5  # (1 + 0.5 + 0) / 3: nothing is known to shrink it to
    assert np.isnan(found.success[1:]).all()
    assert found.weight.tolist() == [3, 0, 0]


def test_own_traffic_sets_the_level_and_public_outcomes_the_difference():
    # Tried: big alone, 20 tasks, all done; it is 0.8 by public outcomes.
    #   there = 0.8                               log-odds ln(0.8 / 0.2)  = ln 4
    #   here  = (20 + 20 x 0.8) / (20 + 20) = 0.9 log-odds ln(0.9 / 0.1)  = ln 9
    # Every prior moves by ln(9 / 4), that is, its odds are multiplied by 2.25:
    #   big   4 x 2.25 = 9     -> 0.9;  own: (20 + 20 x 0.9) / 40 = 0.95
    #   small 1 x 2.25 = 2.25  -> 2.25 / 3.25, which nobody tried, so it stays
    beliefs = beliefs_of(PUBLIC)
    for _ in range(20):
        beliefs.task_ended(task("big"))
    found = seen(beliefs)
    assert found.success[0] == pytest.approx(0.95, abs=1e-12)
    assert found.success[1] == pytest.approx(2.25 / 3.25, abs=1e-12)
    assert math.isnan(found.success[2])
    assert found.weight.tolist() == [420, 100, 0]


def test_the_level_is_that_of_the_models_tried_each_by_how_often():
    # big 30 tasks, 24 done (as public outcomes say), small 10 tasks, none done
    #   there = (30 x 0.8 + 10 x 0.5) / 40      = 0.725
    #   here  = (24 + 20 x 0.725) / (40 + 20)   = 0.6416667
    tried, good, prior = np.array([30.0, 10.0]), np.array([24.0, 0.0]), np.array([0.8, 0.5])
    found = posterior(good, tried, prior, np.array([True, True]))
    there, here = 0.725, 38.5 / 60
    factor = (here / (1 - here)) / (there / (1 - there))
    moved = [4 * factor / (1 + 4 * factor), factor / (1 + factor)]
    assert found == pytest.approx([(24 + 20 * moved[0]) / 50, (0 + 20 * moved[1]) / 30], abs=1e-12)


@pytest.mark.parametrize(("good", "tried"), [(0, 0), (0, 1), (1, 1), (7, 10), (300, 400)])
def test_own_counts_are_shrunk_to_the_prior_with_the_weight_of_twenty_tasks(good: int, tried: int):
    # another model with a million tasks that go as public outcomes say holds the level where it is
    million = 1e6
    found = posterior(
        np.array([good, 0.5 * million]), np.array([tried, million]), np.array([0.5, 0.5]), np.array([True, True])
    )
    assert STRENGTH == 20
    assert found[0] == pytest.approx((good + 20 * 0.5) / (tried + 20), abs=2e-4)


def test_a_level_far_off_stays_finite():
    found = posterior(np.array([1e9, 0.0]), np.array([1e9, 0.0]), np.array([0.0, 1.0]), np.array([True, True]))
    assert np.isfinite(found).all()
    assert found[1] < 1


def test_a_model_at_several_endpoints_is_counted_once():
    twice = table_of(BIG, candidate_of("big", "spare"), candidate_of("big", "third"), SMALL)
    beliefs = beliefs_of(PUBLIC)
    for _ in range(20):
        beliefs.task_ended(task("big"))
    for _ in range(20):
        beliefs.task_ended(task("small", 0.0))
    once, more = seen(beliefs), seen(beliefs, twice)
    assert more.success.tolist() == [once.success[0], once.success[0], once.success[0], once.success[1]]
    assert more.weight.tolist() == [420, 420, 420, 120]


def test_what_happens_in_one_kind_of_work_says_nothing_of_another():
    beliefs = beliefs_of(PUBLIC)
    beliefs.task_ended(task("big", 0.0))
    assert seen(beliefs).success[0] < 0.8
    other = beliefs.evidence("data_sql", "single", TABLE, NOW)
    assert np.isnan(other.success).all()
    assert np.isnan(seen(beliefs, band="heavy").success).all()


def test_a_task_counts_as_much_as_it_is_sure():
    beliefs = beliefs_of()
    beliefs.task_ended(task("big", 1.0, weight=0.25))
    beliefs.task_ended(task("big", 0.0, weight=0.75))
    assert seen(beliefs).success[0] == 0.25
    assert seen(beliefs).weight[0] == 1.0


# -- fading -----------------------------------------------------------------------------------------------


def test_a_task_counts_half_after_thirty_days():
    beliefs = beliefs_of()
    for _ in range(8):
        beliefs.task_ended(task("big"))
    assert HALF_LIFE_S == 30 * DAY_S
    weights = [seen(beliefs, seconds=months * HALF_LIFE_S).weight[0] for months in range(4)]
    assert weights == [8, 4, 2, 1]
    assert seen(beliefs, seconds=HALF_LIFE_S).success[0] == 1.0  # fading says nothing against it


def test_public_outcomes_do_not_fade_and_take_over_again():
    beliefs = beliefs_of(PUBLIC)
    for _ in range(100):
        beliefs.task_ended(task("small", 0.0))
    assert seen(beliefs).success[1] < 0.1
    long_after = seen(beliefs, seconds=60 * HALF_LIFE_S)
    assert long_after.success[:2] == pytest.approx([0.8, 0.5], abs=1e-9)
    assert long_after.weight[:2] == pytest.approx([400, 100], abs=1e-9)


def test_a_new_task_stands_beside_the_faded_ones():
    beliefs = beliefs_of()
    beliefs.task_ended(task("big", 1.0))
    beliefs.task_ended(task("big", 0.0, at=later(HALF_LIFE_S)))
    found = seen(beliefs, seconds=HALF_LIFE_S)
    assert (found.weight[0], found.success[0]) == (1.5, pytest.approx(1 / 3))  # 0.5 done of 1.5


def test_a_clock_set_back_neither_fades_nor_revives():
    beliefs = beliefs_of()
    beliefs.task_ended(task("big", 1.0))
    beliefs.task_ended(task("big", 1.0, at=later(-10 * HALF_LIFE_S)))
    assert seen(beliefs).weight[0] == 2
    assert seen(beliefs, seconds=-HALF_LIFE_S).weight[0] == 2
    assert seen(beliefs, seconds=HALF_LIFE_S).weight[0] == 1


# -- output -----------------------------------------------------------------------------------------------


def test_own_lengths_replace_public_ones():
    beliefs = beliefs_of(PUBLIC)
    beliefs.call_ended(called(BIG, output_tokens=100))
    beliefs.call_ended(called(BIG, output_tokens=300))
    assert seen(beliefs).output_tokens[0] == 200


def test_lengths_are_averaged_plainly_over_ten_calls_and_then_move_by_a_tenth():
    beliefs = beliefs_of()
    for tokens in range(10, 110, 10):
        beliefs.call_ended(called(BIG, output_tokens=tokens))
    assert seen(beliefs).output_tokens[0] == pytest.approx(55)
    beliefs.call_ended(called(BIG, output_tokens=155))
    assert seen(beliefs).output_tokens[0] == pytest.approx(65)  # 55 + (155 - 55) / 10


def test_what_was_cut_off_by_a_failure_says_nothing_of_length():
    beliefs = beliefs_of()
    beliefs.call_ended(called(BIG, output_tokens=500))
    beliefs.call_ended(called(BIG, output_tokens=3, failed=True))
    assert seen(beliefs).output_tokens[0] == 500


def test_lengths_belong_to_the_model_and_speeds_to_the_endpoint():
    beliefs, spare = beliefs_of(), candidate_of("big", "spare")
    beliefs.call_ended(called(BIG, output_tokens=100, first_token_s=2.0, tokens_per_s=50.0))
    found = seen(beliefs, table_of(BIG, spare))
    assert found.output_tokens.tolist() == [100, 100]
    assert found.first_token_s[0] == 2.0
    assert math.isnan(found.first_token_s[1])
    assert math.isnan(found.tokens_per_s[1])


def test_the_slower_queue_of_a_provider_has_speeds_of_its_own():
    beliefs, flex = beliefs_of(), candidate_of("big", service="flex")
    beliefs.call_ended(called(flex, first_token_s=300.0, tokens_per_s=9.0))
    found = seen(beliefs, table_of(BIG, flex))
    assert math.isnan(found.first_token_s[0])
    assert found.first_token_s[1] == 300.0


# -- speed ------------------------------------------------------------------------------------------------


def first_tokens(beliefs: Beliefs, candidate: Candidate, *times_s: float, at_s: float = 0.0) -> float:
    for first_s in times_s:
        beliefs.call_ended(called(candidate, first_token_s=first_s, at=later(at_s)))
    return float(seen(beliefs, table_of(candidate), seconds=at_s).first_token_s[0])


def test_speeds_are_averaged_plainly_over_ten_calls_and_then_move_by_a_tenth():
    beliefs = beliefs_of()
    assert first_tokens(beliefs, BIG, *[1.0] * 5, *[2.0] * 5) == pytest.approx(1.5)
    assert first_tokens(beliefs, BIG, 2.5) == pytest.approx(1.6)


def test_decoding_is_averaged_over_the_calls_that_tell_it():
    beliefs = beliefs_of()
    beliefs.call_ended(called(BIG, first_token_s=1.0))  # too short an answer to tell
    for per_s in (50.0, 100.0):
        beliefs.call_ended(called(BIG, first_token_s=1.0, tokens_per_s=per_s))
    assert seen(beliefs).tokens_per_s[0] == 75.0


def test_a_speed_is_unknown_again_after_thirty_minutes():
    beliefs = beliefs_of()
    beliefs.call_ended(called(BIG, first_token_s=2.0, tokens_per_s=50.0))
    assert SPEED_STALE_S == 1800
    fresh, stale = seen(beliefs, seconds=1800), seen(beliefs, seconds=1801)
    assert (fresh.first_token_s[0], fresh.tokens_per_s[0]) == (2.0, 50.0)
    assert math.isnan(stale.first_token_s[0])
    assert math.isnan(stale.tokens_per_s[0])


@pytest.mark.parametrize("candidate", [BIG, LOCAL])
@pytest.mark.parametrize("first_s", [0.5, 8.0])
def test_after_thirty_minutes_an_average_begins_anew(candidate: Candidate, first_s: float):
    beliefs = beliefs_of()
    for _ in range(12):
        beliefs.call_ended(called(candidate, first_token_s=2.0, tokens_per_s=50.0))
    assert first_tokens(beliefs, candidate, first_s, at_s=1801) == first_s
    found = seen(beliefs, table_of(candidate), seconds=1801)
    assert math.isnan(found.tokens_per_s[0])  # of which nothing was heard again
    assert first_tokens(beliefs, candidate, 0.25, at_s=1802) == (first_s + 0.25) / 2


def test_a_local_first_token_that_waited_in_the_queue_hardly_counts():
    beliefs = beliefs_of()
    assert first_tokens(beliefs, LOCAL, 1.0, 1.0) == 1.0
    assert first_tokens(beliefs, LOCAL, 51.0) == pytest.approx(2.0)  # 1 + 0.02 x 50
    assert first_tokens(beliefs, LOCAL, 0.8) == pytest.approx(2.0 - 1.2 / 4)  # faster ones count in full


def test_a_cloud_first_token_that_was_late_counts_in_full():
    beliefs = beliefs_of()
    assert first_tokens(beliefs, BIG, 1.0, 51.0) == 26.0


def test_a_failed_call_says_nothing_of_speed():
    beliefs = beliefs_of()
    beliefs.call_ended(called(BIG, first_token_s=0.1, tokens_per_s=9.0, failed=True))
    found = seen(beliefs)
    assert math.isnan(found.first_token_s[0])
    assert math.isnan(found.tokens_per_s[0])


def test_a_clock_set_back_leaves_a_speed_as_fresh_as_it_was():
    beliefs = beliefs_of()
    beliefs.call_ended(called(BIG, first_token_s=1.0))
    beliefs.call_ended(called(BIG, first_token_s=3.0, at=later(-DAY_S)))
    assert seen(beliefs, seconds=1800).first_token_s[0] == 2.0
    assert seen(beliefs, seconds=-DAY_S).first_token_s[0] == 2.0


# -- failures ---------------------------------------------------------------------------------------------


def test_a_failure_counts_a_tenth_and_is_forgiven_by_half_in_ten_minutes():
    beliefs = beliefs_of()
    beliefs.call_ended(called(BIG, failed=True))
    assert FAILURE_HALF_LIFE_S == 600
    rates = [seen(beliefs, seconds=600.0 * n).failure_rate[0] for n in range(3)]
    assert rates == pytest.approx([0.1, 0.05, 0.025])
    assert seen(beliefs).failure_rate[1] == 0  # nobody else's


def test_failures_in_a_row_come_near_one_and_successes_bring_them_down():
    beliefs = beliefs_of()
    for _ in range(50):
        beliefs.call_ended(called(BIG, failed=True))
    assert seen(beliefs).failure_rate[0] == pytest.approx(1 - 0.9**50)
    for _ in range(10):
        beliefs.call_ended(called(BIG))
    assert seen(beliefs).failure_rate[0] == pytest.approx((1 - 0.9**50) * 0.9**10)


def test_a_failure_fades_before_the_next_is_counted():
    beliefs = beliefs_of()
    beliefs.call_ended(called(BIG, failed=True))
    beliefs.call_ended(called(BIG, failed=True, at=later(600)))
    assert seen(beliefs, seconds=600).failure_rate[0] == pytest.approx(0.05 + 0.1 * 0.95)


def test_a_clock_set_back_forgives_no_failure():
    beliefs = beliefs_of()
    beliefs.call_ended(called(BIG, failed=True))
    assert seen(beliefs, seconds=-DAY_S).failure_rate[0] == pytest.approx(0.1)
    beliefs.call_ended(called(BIG, failed=True, at=later(-DAY_S)))
    assert seen(beliefs).failure_rate[0] == pytest.approx(0.19)


# -- bounds -----------------------------------------------------------------------------------------------


def test_names_beyond_the_bound_share_one_place_and_take_none_of_the_others():
    beliefs = beliefs_of()
    beliefs.task_ended(task("big"))
    for number in range(MAX_NAMES + 50):
        name = f"invented-{number}"
        beliefs.task_ended(task(name, 0.0))
        beliefs.call_ended(called(candidate_of(name), output_tokens=5, first_token_s=1.0))
    assert seen(beliefs).success[0] == 1.0
    late = table_of(candidate_of("invented-1010"), candidate_of("invented-1020"), candidate_of("never-heard-of"))
    assert set(seen(beliefs, late).weight.tolist()) == {51.0}  # 1,050 names and `big`, for 1,000 places


# -- what decide sees -------------------------------------------------------------------------------------


def test_evidence_unpacks_to_what_was_packed_and_unknown_stays_unknown():
    beliefs = beliefs_of(PUBLIC)
    beliefs.task_ended(task("small", 0.3))
    beliefs.call_ended(called(BIG, output_tokens=77, first_token_s=0.7, tokens_per_s=33.3))
    packed = seen(beliefs).packed()
    assert len(packed) == 4 * len(Evidence._fields) * len(TABLE)
    found = Evidence.unpacked(packed, len(TABLE))
    assert found.packed() == packed
    for name, live, again in zip(Evidence._fields, seen(beliefs), found, strict=True):
        assert np.array_equal(np.isnan(live), np.isnan(again)), name
        assert again == pytest.approx(live, rel=1e-6, nan_ok=True), name


_NUMBERS = st.floats(0, 1e6, width=32) | st.just(math.nan)


@given(st.integers(0, 5).flatmap(lambda n: st.tuples(*[st.lists(_NUMBERS, min_size=n, max_size=n)] * 6)))
def test_any_evidence_survives_the_ledger(columns):
    evidence = Evidence(*[np.array(column, dtype=np.float64) for column in columns])
    found = Evidence.unpacked(evidence.packed(), len(columns[0]))
    assert all(np.array_equal(live, again, equal_nan=True) for live, again in zip(evidence, found, strict=True))


def test_evidence_of_another_table_is_not_taken_for_this_ones():
    with pytest.raises(ValueError, match="reshape"):
        Evidence.unpacked(seen(beliefs_of()).packed(), len(TABLE) + 1)


# -- properties -------------------------------------------------------------------------------------------

_TASKS = st.lists(
    st.builds(
        task,
        st.sampled_from(["big", "small", "stranger"]),
        st.floats(0, 1),
        skill=st.sampled_from(["debugging", "data_sql"]),
        band=st.sampled_from(["single", "heavy"]),
        weight=st.floats(0, 1),
        at=st.integers(-100, 100).map(lambda days: later(days * DAY_S)),
    ),
    max_size=30,
)


@given(_TASKS, st.integers(-200, 4000), st.booleans())
def test_success_is_a_share_or_unknown_whatever_happened(tasks: list[TaskResult], days: int, public: bool):
    beliefs = beliefs_of(PUBLIC if public else None)
    for result in tasks:
        beliefs.task_ended(result)
    found = seen(beliefs, seconds=days * DAY_S)
    known = ~np.isnan(found.success)
    assert ((found.success[known] >= 0) & (found.success[known] <= 1)).all()
    assert (found.weight >= 0).all()
    assert known[:2].all() or not public
    assert (known | (found.weight == 0)).all()


@given(_TASKS, st.data())
def test_a_task_that_went_better_lowers_no_belief(tasks: list[TaskResult], data: st.DataObject):
    worse, better = beliefs_of(PUBLIC), beliefs_of(PUBLIC)
    for result in tasks:
        worse.task_ended(result)
        more = data.draw(st.floats(result.success, 1))
        better.task_ended(
            task(result.model, more, skill=result.skill, band=result.band, weight=result.weight, at=result.at)
        )
    low, high = seen(worse, seconds=100 * DAY_S).success, seen(better, seconds=100 * DAY_S).success
    assert (np.isnan(low) | (high >= low - 1e-12)).all()


@given(_TASKS, st.randoms(use_true_random=False))
def test_the_order_of_tasks_of_different_cells_and_models_does_not_matter(tasks: list[TaskResult], random: Any):
    places = [(t.skill, t.band, t.model) for t in tasks]
    shuffled = list(places)
    random.shuffle(shuffled)
    rows = {place: [t for t in tasks if (t.skill, t.band, t.model) == place] for place in places}
    straight, mixed = beliefs_of(PUBLIC), beliefs_of(PUBLIC)
    for result in tasks:
        straight.task_ended(result)
    for place in shuffled:
        mixed.task_ended(rows[place].pop(0))
    assert seen(mixed).packed() == seen(straight).packed()
