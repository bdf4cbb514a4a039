"""Measure the form of what a user wrote: length, code, marks and the cues of the rules, as numbers for the student.

The order of the numbers is part of the student's artefact; a change here needs a newly trained one.
"""

from __future__ import annotations

import math

from lanewise.classify.prose import Parted
from lanewise.journey import Skill

MARKS = ("```", "?", "error", "traceback", "/", "@", "[image", "http", "\n", "{", ".md", "1.", "- ", "!", ":", "<")
"""Each is counted in the whole text, twice at most."""

WORDS = ("test", "plan", "commit", "doc")
"""The same for prose alone: in pasted code these are names."""

_MARKS_AT_MOST = 2
_POINTS_SCALE = 3.0
"""Points of a cue that decides alone, see `cues.toml`."""

SIZE = 8 + len(MARKS) + len(WORDS)
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
    prose = parted.prose.lower()
    counts = [lower.count(mark) for mark in MARKS] + [prose.count(word) for word in WORDS]
    marks = [min(_MARKS_AT_MOST, count) / _MARKS_AT_MOST for count in counts]
    return form + marks + [points.get(skill, 0.0) / _POINTS_SCALE for skill in skills]
