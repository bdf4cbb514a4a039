"""How the student of `classify` is made: rows, network, training, scores, card. Nothing here serves requests."""

from __future__ import annotations

from lanewise.learn.student.build import Made, build, by_student, facts_of, left_out
from lanewise.learn.student.card import card, results_of, write
from lanewise.learn.student.fit import Recipe, train
from lanewise.learn.student.rows import Row, agreement_of, lines_of, real_turns, written_turns
from lanewise.learn.student.scores import Scores, scores_of

__all__ = [
    "Made",
    "Recipe",
    "Row",
    "Scores",
    "agreement_of",
    "build",
    "by_student",
    "card",
    "facts_of",
    "left_out",
    "lines_of",
    "real_turns",
    "results_of",
    "scores_of",
    "train",
    "write",
    "written_turns",
]
