"""What is expected of tasks: by their words, by their labels, and when neither speaks."""

from __future__ import annotations

import numpy as np
import pytest

from evaluate.evaluate_kit import MODELS, WORDS, world, write_csv
from lanewise.evaluate.folds import nearest_allowed, split, unseen
from lanewise.evaluate.forecast import Forecaster, Known, Likeness
from lanewise.evaluate.outcomes import problem_of, read_outcomes

BIG, MID, SMALL = range(3)


def known(tmp_path, **options):
    rows, prompts = world(**options)
    found = read_outcomes(write_csv(tmp_path / "o.csv", rows), MODELS)
    texts = {one["task_id"]: one["prompt"] for one in prompts}
    return Known(found.tasks, found.labels, tuple(map(texts.get, found.tasks)), found.scores, found.cost_usd)


def forecaster_of(tasks):
    likeness = Likeness.of(tasks)
    return Forecaster(tasks, likeness, np.arange(len(tasks.tasks))), likeness


def test_words_tell_sources_of_one_label_apart(tmp_path):
    forecaster, likeness = forecaster_of(known(tmp_path))
    asked = likeness.ask(["writing", "writing"], [WORDS["essay"], WORDS["poem"]])
    score = forecaster.of(asked, given=False).by_words.score
    assert score[0, SMALL] > 0.6
    assert score[1, SMALL] < 0.4
    assert score[1, BIG] > 0.7


def test_words_stand_above_a_label_unless_it_is_given(tmp_path):
    forecaster, likeness = forecaster_of(known(tmp_path))
    asked = likeness.ask(["sums"], [WORDS["poem"]])
    assert forecaster.labels_of(asked) == ["writing"]
    assert forecaster.of(asked, given=False).by_words.score[0].argmax() == BIG
    assert forecaster.of(asked, given=True).by_words.score[0].argmax() == SMALL


def test_a_task_without_a_text_is_judged_by_its_label(tmp_path):
    tasks = known(tmp_path, silent=("adding",))
    forecaster, likeness = forecaster_of(tasks)
    expected = forecaster.of(likeness.ask(["sums", "writing"], [None, None]), given=False).settled(0.9)
    assert not expected.unlike.any()
    rows = np.asarray(tasks.labels) == "sums"
    np.testing.assert_allclose(expected.score[0], tasks.scores[rows].mean(0), atol=0.08)
    np.testing.assert_allclose(expected.cost_usd[0], tasks.cost_usd[rows].mean(0))


def test_little_seen_of_a_label_is_drawn_to_the_models_own_mean(tmp_path):
    tasks = known(tmp_path)
    lonely = tasks._replace(labels=("rare", *tasks.labels[1:]))
    forecaster, likeness = forecaster_of(lonely)
    score = forecaster.of(likeness.ask(["rare"], [None]), given=False).by_label.score[0]
    mean = lonely.scores.mean(0)
    # along: model over 360 tasks after Beta(1, 1), then one task against 20 of it
    wide = (lonely.scores.sum(0) + 1) / (len(lonely.tasks) + 2)
    np.testing.assert_allclose(score, (lonely.scores[0] + 20 * wide) / 21)
    assert np.abs(score - mean).max() < 0.06


@pytest.mark.parametrize(
    ("label", "text", "unlike"),
    [
        ("law", None, True),
        ("law", WORDS["poem"], True),
        ("writing", None, False),
        ("writing", WORDS["poem"], False),
        ("writing", "kubernetes ingress certificate expired in production", True),
        ("writing", f"{WORDS['poem']} " * 20, True),
        ("sums", "kubernetes ingress certificate expired in production", False),
    ],
    ids=[
        "a label never seen",
        "a label never seen with known words",
        "a known label",
        "known words",
        "unknown words",
        "a text far longer than any known one",
        "unknown words under a label that was learnt without texts",
    ],
)
def test_unlike_is(tmp_path, label, text, unlike):
    tasks = known(tmp_path, silent=("adding",))
    forecaster, likeness = forecaster_of(tasks)
    nearest = nearest_allowed(unseen(tasks, likeness, seed=1)[0].closeness)
    expected = forecaster.of(likeness.ask([label], [text]), given=False).settled(nearest)
    assert expected.unlike.tolist() == [unlike]


def test_an_unlike_text_under_a_label_learnt_without_texts_is_judged_by_the_label(tmp_path):
    forecaster, likeness = forecaster_of(known(tmp_path, silent=("adding",)))
    forecast = forecaster.of(likeness.ask(["sums"], ["kubernetes ingress certificate"]), given=False)
    np.testing.assert_array_equal(forecast.settled(0.05).score, forecast.by_label.score)


def test_sources_with_few_texts_are_not_learnt_from(tmp_path):
    tasks = known(tmp_path)
    rare = [f"dim9_rare_{at}" for at in range(29)]
    with_few = Known(
        tasks.tasks + tuple(rare),
        tasks.labels + ("sums",) * 29,
        tasks.texts + ("kubernetes ingress certificate",) * 29,
        np.concatenate((tasks.scores, tasks.scores[:29])),
        np.concatenate((tasks.cost_usd, tasks.cost_usd[:29])),
    )
    likeness = Likeness.of(with_few)
    assert len(likeness.texts) == len(tasks.tasks)
    close = unseen(with_few, likeness, seed=1)[0].closeness
    assert (close[-29:] == 0).all()
    assert nearest_allowed(close) > 0


def test_without_any_text_labels_decide(tmp_path):
    tasks = known(tmp_path, silent=tuple(WORDS))
    forecaster, likeness = forecaster_of(tasks)
    asked = likeness.ask(["sums"], ["anything"])
    forecast = forecaster.of(asked, given=True)
    np.testing.assert_array_equal(forecast.settled(0.0).score, forecast.by_label.score)
    assert forecaster.labels_of(asked) == []


def test_a_fold_has_not_seen_its_own_problems(tmp_path):
    tasks = known(tmp_path, tasks_each=20).tasks
    twins = tasks + tuple("_testgen_".join(task.rsplit("_", 1)) for task in tasks)
    assert {problem_of(task) for task in twins} == {problem_of(task) for task in tasks}
    tested = []
    for learn, test in split(twins, seed=3):
        assert not {problem_of(twins[at]) for at in learn} & {problem_of(twins[at]) for at in test}
        tested.extend(test.tolist())
    assert sorted(tested) == list(range(len(twins)))


def test_forecasts_of_known_tasks_do_not_know_their_scores(tmp_path):
    tasks = known(tmp_path)
    likeness = Likeness.of(tasks)
    before = unseen(tasks, likeness, seed=1)[0]
    test = next(split(tasks.tasks, seed=1))[1]
    scores = tasks.scores.copy()
    scores[test] = 1 - scores[test]
    after = unseen(tasks._replace(scores=scores), likeness, seed=1)[0]
    np.testing.assert_array_equal(before.by_words.score[test], after.by_words.score[test])
    np.testing.assert_array_equal(before.by_label.score[test], after.by_label.score[test])
