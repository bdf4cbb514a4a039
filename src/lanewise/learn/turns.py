"""The lines of two kinds of files that are labelled by and learnt from: turns, and labels of turns."""

from __future__ import annotations

import hashlib
from typing import Literal

import msgspec

from lanewise.journey import Skill


class Turn(msgspec.Struct, frozen=True, kw_only=True):
    """A turn of a user with its context. Other keys of the line are ignored."""

    id: str
    prompt: str
    prev_prompts: list[str]
    prev_answer_head: str
    prev_answer_tail: str

    @property
    def sha256(self) -> str:
        """What a label remembers of the text: 16 hex digits."""
        return hashlib.sha256(self.prompt.encode("utf-8", "surrogatepass")).hexdigest()[:16]


class Label(msgspec.Struct, frozen=True, kw_only=True):
    """What kind of work a turn asks for, as a reader sees it."""

    id: str
    sha256: str
    turn: Literal["main", "followup"]
    skill: Skill
    second: Skill | None
    sure: Literal[1, 2, 3]
