"""The figures, on tables small enough to count by hand."""

from __future__ import annotations

import numpy as np
import pytest

from lanewise.classify.student import COUNT, SKILLS
from lanewise.learn.student import Row, scores_of
from lanewise.learn.student.scores import calibration_error, confusion_of


def _row(skill, **fields):
    return Row(**{"text": "x", "skill": skill, "kind": "real", "group": "g", "followup": False, **fields})


def _said(*pairs):
    found = np.zeros((len(pairs), COUNT))
    for at, (skill, confidence) in enumerate(pairs):
        found[at] = (1 - confidence) / (COUNT - 1)
        found[at, SKILLS.index(skill)] = confidence
    return found


ROWS = [
    _row("debugging"),
    _row("debugging", followup=True),
    _row("planning", second="debugging", sure=1),
    _row("planning"),
    _row("data_sql"),
]
SAID = _said(("debugging", 0.9), ("debugging", 0.8), ("debugging", 0.7), ("planning", 0.6), ("planning", 0.5))


def test_each_figure_counts_what_its_name_says():
    scores = scores_of(ROWS, SAID)
    assert (scores.turns, scores.accuracy) == (5, 3 / 5)
    assert (scores.main_accuracy, scores.followup_accuracy) == (2 / 4, 1.0)
    assert scores.either_accuracy == 4 / 5
    assert scores.sure_accuracy == 3 / 4
    assert scores.confident_accuracy == pytest.approx(2 / 3)  # the surest three
    # F1: debugging 2*2/(3+2), planning 2*1/(2+2), data_sql 0
    assert scores.macro_f1 == pytest.approx((0.8 + 0.5 + 0.0) / 3)
    assert (scores.frequent_f1, scores.rare_f1) == (0.0, scores.macro_f1)


def test_calibration_error_is_the_mean_distance_per_bin():
    confidence, right = np.asarray([0.95, 0.95, 0.15, 0.15]), np.asarray([True, False, True, False])
    assert calibration_error(confidence, right) == pytest.approx(0.5 * 0.45 + 0.5 * 0.35)


def test_the_confusion_table_counts_labels_against_what_was_said():
    table = confusion_of(ROWS, SAID)
    assert table["planning"] == {"debugging": 1, "planning": 1}
    assert table["debugging"] == {"debugging": 2}
    assert table["code_review"] == {}
