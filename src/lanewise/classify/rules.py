"""Score the skills of a user's words by cues, for the student to weigh.

The cues stand in `cues.toml`, so that a weight is changed by a reviewed line of data. Words are read from prose only
and near both ends, because people say what they want first or last and paste material between.
This file sees one text and nothing of its session.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable
from importlib import resources
from typing import TypeAlias

import msgspec

from lanewise.classify.prose import Parted
from lanewise.journey import Skill, Value

_OPENING_CHARS = 300
_CLOSING_CHARS = 150
_NEAR_CHARS = _OPENING_CHARS + _CLOSING_CHARS
"""A cue between the opening and the closing of a long text is not heard."""

_LEADING_WORDS = 12
"""How far into a text the leading verb is looked for."""

_WORD = re.compile(r"[a-z0-9/.][\w+#/.;'-]*")

_Words: TypeAlias = dict[Skill, dict[str, list[str]]]
_Points: TypeAlias = dict[str, tuple[tuple[Skill, float], ...]]


class Shape(Value, frozen=True, kw_only=True):
    """A form of pasted material that hints at a skill."""

    marks: tuple[str, ...]
    """One of these must occur: a plain search, so that most texts cost no pattern."""
    pattern: str = ""
    skill: Skill
    points: float


class Cues(Value, frozen=True, kw_only=True):
    """The data file: words by skill and by points, the points written as strings because they are keys."""

    version: str
    fillers: frozenset[str]
    leading: _Words
    anywhere: _Words
    shapes: tuple[Shape, ...]


class Rules:
    """The cues of one data file, ready to be asked. Immutable after construction and safe to share."""

    def __init__(self, cues: Cues) -> None:
        self.version = cues.version
        self._fillers = cues.fillers
        self._leading = _by_word(cues.leading)
        self._anywhere = _by_word(cues.anywhere)
        self._shapes = tuple((shape, re.compile(shape.pattern)) for shape in cues.shapes)

    @classmethod
    def load(cls) -> Rules:
        """The rules of the data file that ships with the package."""
        text = resources.files(__package__).joinpath("cues.toml").read_bytes()
        return cls(msgspec.toml.decode(text, type=Cues))

    def points(self, text: str, parted: Parted) -> dict[Skill, float]:
        """Points per skill for `text`, parted already; skills without a cue are absent."""
        totals: dict[Skill, float] = {}
        prose = parted.prose
        long = len(prose) > _NEAR_CHARS
        words = _words(f"{prose[:_OPENING_CHARS]}\n{prose[-_CLOSING_CHARS:]}" if long else prose)
        _count(self._leading, (self._leading_verb(words),), totals)
        _count(self._anywhere, _cues(words, self._anywhere), totals)
        for shape, pattern in self._shapes:
            if any(mark in text for mark in shape.marks) and pattern.search(text):
                totals[shape.skill] = totals.get(shape.skill, 0.0) + shape.points
        return totals

    def _leading_verb(self, words: list[str]) -> str:
        return next((word for word in words[:_LEADING_WORDS] if word not in self._fillers), "")


def _by_word(rows: _Words) -> _Points:
    table: dict[str, list[tuple[Skill, float]]] = {}
    for skill, by_points in rows.items():
        for points, words in by_points.items():
            for word in words:
                table.setdefault(word, []).append((skill, float(points)))
    return {word: tuple(cues) for word, cues in table.items()}


def _words(text: str) -> list[str]:
    return [word.rstrip(".,;:!?'") for word in _WORD.findall(text.lower().replace("\u2019", "'"))]


def _cues(words: list[str], table: _Points) -> set[str]:
    """The words and word pairs that some skill listens to."""
    seen = set(words)
    seen.update(map(" ".join, itertools.pairwise(words)))
    return seen & table.keys()


def _count(table: _Points, words: Iterable[str], totals: dict[Skill, float]) -> None:
    for word in words:
        for skill, points in table.get(word, ()):
            totals[skill] = totals.get(skill, 0.0) + points
