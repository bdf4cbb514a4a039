"""The whole proof on made-up outcomes: nothing of a test is used before it is scored."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import numpy as np
import pytest

from evaluate.evaluate_kit import MODELS, row, world, write_csv
from lanewise.errors import InputError
from lanewise.evaluate import read_costs, read_outcomes, read_prompts, run
from lanewise.evaluate.findings import LEAST_PROBLEMS, _end
from lanewise.evaluate.yardsticks import NOTES, Served

PUBLIC = Path(__file__).parents[3] / "shared" / "data" / "routing"


def made(tmp_path, **options):
    rows, prompts = world(**options)
    name = f"{options.get('seed', 1)}.csv"
    return read_outcomes(write_csv(tmp_path / name, rows)), {one["task_id"]: one["prompt"] for one in prompts}


def prove(outcomes, prompts, test=None, test_prompts=None, **options):
    settings = {"spent": (), "baseline": "big", "max_loss": 0.03} | options
    return run(outcomes, prompts=prompts, test=test, test_prompts=test_prompts or {}, **settings)


@pytest.fixture(scope="module")
def proof(tmp_path_factory):
    folder = tmp_path_factory.mktemp("world")
    return prove(*made(folder, tasks_each=300), *made(folder, tasks_each=150, seed=2))


def test_it_saves_where_a_cheaper_model_is_as_good_and_pays_where_it_is_not(proof):
    end = proof.predicted.saving_end
    assert end.saving > 0.6
    assert end.quality_lower_bound >= 0
    assert proof.valid
    assert end.models["small"] > 0.5


def test_savings_and_differences_are_against_the_baseline_on_the_same_tasks(proof):
    base = proof.yardsticks["always_baseline"]
    assert base.saving == 0
    assert base.quality_difference == 0
    for end in (proof.predicted.saving_end, proof.given.quality_end):
        assert end.saving == pytest.approx(1 - end.cost_usd / base.cost_usd)
        assert 100 * end.quality_difference == pytest.approx(end.score - base.score)
        assert end.quality_lower_bound < end.quality_difference


def test_words_do_what_a_label_cannot(proof):
    # essays and poems share a label: the table takes one model for both
    assert proof.predicted.area > 0.02
    assert proof.predicted.saving_end.saving > proof.yardsticks["skill_table"].saving + 0.2
    assert proof.skill_agreement > 0.95


def test_neighbours_tell_apart_what_the_table_does_not(proof):
    assert proof.yardsticks["knn"].cost_usd < 0.9 * proof.yardsticks["skill_table"].cost_usd
    assert proof.yardsticks["knn"].score > proof.yardsticks["skill_table"].score - 3


def test_a_wrong_label_misleads_only_where_it_is_believed(tmp_path):
    outcomes, prompts = made(tmp_path)
    test, test_prompts = made(tmp_path, seed=2)
    swapped = {"writing": "sums", "sums": "writing"}
    misled = test._replace(labels=tuple(swapped[label] for label in test.labels))
    right, wrong = (prove(outcomes, prompts, one, test_prompts) for one in (test, misled))
    assert wrong.predicted.saving_end.score == right.predicted.saving_end.score
    assert wrong.given.saving_end.models != right.given.saving_end.models
    assert wrong.skill_agreement < 0.05


def test_every_yardstick_is_there(proof):
    assert set(proof.yardsticks) == set(NOTES)
    assert proof.yardsticks["oracle"].score >= max(one.score for one in proof.yardsticks.values())
    assert proof.yardsticks["cheapest"].cost_usd <= min(one.cost_usd for one in proof.yardsticks.values())


def test_what_is_frozen_does_not_know_the_scores_of_the_test(tmp_path):
    outcomes, prompts = made(tmp_path)
    test, test_prompts = made(tmp_path, seed=2)
    turned = test._replace(scores=1 - test.scores, cost_usd=test.cost_usd[:, ::-1])
    one, two = (prove(outcomes, prompts, given, test_prompts) for given in (test, turned))
    for side in ("predicted", "given"):
        for end in ("saving_end", "quality_end"):
            first, second = getattr(getattr(one, side), end), getattr(getattr(two, side), end)
            assert first.models == second.models
            assert first.lambda_per_usd == second.lambda_per_usd


def test_the_same_run_gives_the_same_figures(tmp_path):
    outcomes, prompts = made(tmp_path)
    assert prove(outcomes, prompts) == prove(outcomes, prompts)


def test_without_a_test_file_each_fold_is_the_test_of_the_others(tmp_path):
    outcomes, prompts = made(tmp_path)
    found = prove(outcomes, prompts)
    assert not found.held_back
    assert found.tasks == len(outcomes.tasks)
    assert found.texts == len(prompts)
    assert len(found.predicted.saving_end.lambda_per_usd) == 5


def test_a_label_never_seen_costs_and_scores_what_the_baseline_does(tmp_path):
    outcomes, prompts = made(tmp_path)
    rows = [row(f"dim1_new_{at}", "agentic", model, at % 2, cost=0.1) for at in range(20) for model in MODELS]
    found = prove(outcomes, prompts, read_outcomes(write_csv(tmp_path / "new.csv", rows), MODELS))
    for side in (found.predicted, found.given):
        assert side.saving_end.models["big"] == 1
        assert side.saving_end.saving == 0
        assert side.saving_end.quality_lower_bound == 0
    assert found.fell_back == 1
    assert found.valid


def test_a_loss_above_the_allowed_one_does_not_count(tmp_path):
    outcomes, prompts = made(tmp_path)
    test, test_prompts = made(tmp_path, seed=2)
    worse = np.where(np.asarray(test.models) == "big", 1.0, 0.0) * np.ones_like(test.scores)
    found = prove(outcomes, prompts, test._replace(scores=worse), test_prompts)
    assert found.predicted.saving_end.quality_lower_bound < -0.5
    assert not found.valid
    assert prove(outcomes, prompts, test._replace(scores=worse), test_prompts, max_loss=1.0).valid


def test_an_unknown_baseline_is_refused_with_the_models_there_are(tmp_path):
    with pytest.raises(InputError) as caught:
        prove(*made(tmp_path), baseline="huge")
    assert "'huge'" in caught.value.message
    assert "big, mid, small" in caught.value.hint


def test_a_handful_of_problems_is_not_learnt_from(tmp_path):
    outcomes, prompts = made(tmp_path, tasks_each=3)
    with pytest.raises(InputError, match="fewer than 10 problems"):
        prove(outcomes, prompts)


@pytest.mark.slow
@pytest.mark.skipif(not PUBLIC.exists(), reason="public outcomes are not at hand")
def test_on_public_outcomes_it_saves_nine_tenths_without_loss():
    outcomes = read_outcomes(PUBLIC / "coderouterbench_probing.csv.gz")
    prompts = read_prompts(PUBLIC / "coderouterbench_prompts.jsonl.gz")
    spent = read_costs(PUBLIC / "coderouterbench_val_cost.csv.gz")
    found = prove(outcomes, prompts, spent=spent, baseline="claude-opus-4-6")
    saving, quality = found.predicted.saving_end, found.predicted.quality_end
    assert saving.saving > 0.93
    assert saving.quality_lower_bound > 0
    assert quality.score > found.yardsticks["skill_table"].score
    assert quality.saving > 0.65
    assert found.skill_agreement > 0.95


@pytest.mark.slow
@pytest.mark.skipif(not PUBLIC.exists(), reason="public outcomes are not at hand")
def test_issues_of_whole_repositories_are_unlike_single_exercises():
    from lanewise.evaluate.folds import nearest_allowed, unseen
    from lanewise.evaluate.forecast import Known, Likeness
    from lanewise.evaluate.texts import closeness

    outcomes = read_outcomes(PUBLIC / "coderouterbench_probing.csv.gz")
    prompts = read_prompts(PUBLIC / "coderouterbench_prompts.jsonl.gz")
    texts = tuple(map(prompts.get, outcomes.tasks))
    tasks = Known(outcomes.tasks, outcomes.labels, texts, outcomes.scores, outcomes.tokens)
    likeness = Likeness.of(tasks)
    nearest = nearest_allowed(unseen(tasks, likeness, seed=4)[0].closeness)
    with gzip.open(PUBLIC / "swebench_verified_tasks.jsonl.gz") as lines:
        issues = [json.loads(line)["problem_statement"] for line in lines]
    near = likeness.ask(["any"] * len(issues), issues).near
    assert (closeness(near) < nearest).mean() > 0.97


def test_a_saving_shown_on_too_few_problems_proves_nothing():
    """The bound of one task is that task, however it came out."""
    few = [f"p{number}" for number in range(LEAST_PROBLEMS - 1)]
    assert not _valid(few, [0.5] * len(few))
    assert _valid([*few, "p_last"], [0.5] * (len(few) + 1))
    assert _valid(few, [0.0] * len(few))  # nothing changed


def _valid(tasks, differences):
    base = Served(np.zeros(len(tasks)), np.ones(len(tasks)))
    got = Served(np.asarray(differences), np.ones(len(tasks)))
    return _end(got, base, tasks, {}, [], 0.03).valid
