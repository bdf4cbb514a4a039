"""Measure the form of what a user wrote: length, code, marks and the cues of the rules, as numbers for the student.

The order of the numbers is part of the student's artefact; a change here needs a newly trained one.
"""

from __future__ import annotations

import math

from lanewise.classify.prose import Parted
from lanewise.journey import Skill

MARKS = (
    "```", "?", "error", "traceback", "/", "@", "[image", "http", "\n", "{", "test", ".md", "1.", "- ", "!", ":", "<",
    "plan", "commit", "doc",
)  # fmt: skip
"""Each is counted, twice at most."""

_MARKS_AT_MOST = 2
_POINTS_SCALE = 3.0
"""Points of a cue that decides alone, see `cues.toml`."""

SIZE = 8 + len(MARKS)
"""Numbers of one text, before the cues: one more per skill."""


def shape(text: str, parted: Parted, points: dict[Skill, float], skills: tuple[Skill, ...]) -> list[float]:
    """The numbers of `text`, the user's own words: `SIZE` of its form, then its cues in the order of `skills`."""
    lower = text.lower()
    chars = len(text)
    form = [
        math.log1p(chars) / 7,
        parted.code_chars / max(1, parted.chars),
        float(text.rstrip().endswith("?")),
        float(text[:1].islower()),
        float(chars < 25),
        float(chars < 60),
        float(chars > 300),
        float(text.startswith("/")),
    ]
    marks = [min(_MARKS_AT_MOST, lower.count(mark)) / _MARKS_AT_MOST for mark in MARKS]
    return form + marks + [points.get(skill, 0.0) / _POINTS_SCALE for skill in skills]
