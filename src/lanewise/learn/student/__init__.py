"""How the student of `classify` is made: rows, network, training, scores, card. Nothing here serves requests."""

from __future__ import annotations

from lanewise.learn.student.build import Made, build, left_out
from lanewise.learn.student.card import card, results_of, write
from lanewise.learn.student.fit import Recipe, train
from lanewise.learn.student.rows import Row, agreement_of, benchmark_prompts, real_turns, written_turns
from lanewise.learn.student.scores import Scores, scores_of

__all__ = [
    "Made",
    "Recipe",
    "Row",
    "Scores",
    "agreement_of",
    "benchmark_prompts",
    "build",
    "card",
    "left_out",
    "real_turns",
    "results_of",
    "scores_of",
    "train",
    "write",
    "written_turns",
]
