"""Does a patch in an answer apply to the text that the model was given?

Read are unified diffs, the `*** Begin Patch` form, SEARCH/REPLACE blocks, and edit tools that name the text to be
replaced. A piece applies if its old lines stand together in the given text. Line numbers that a reading tool put
before the lines and spaces at their ends do not count. A piece of a file that was not given cannot be judged: at
least half of its old lines must be there, each somewhere, before it can fail.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Final, Literal

from lanewise.wire.answer import AnswerView

PIECES: Final = 200
PATCH_CHARS: Final = 400_000
GIVEN_LINES: Final = 60_000

_SEARCH: Final = re.compile(r"<{5,9} SEARCH>?\s*")
_DIVIDER: Final = re.compile(r"={5,9}\s*")
_HUNK_HEAD: Final = re.compile(r"^@@", re.MULTILINE)
_IS_PATCH: Final = re.compile(r"^(?:--- \S.*\n\+\+\+ \S|\*\*\* Begin Patch|diff --git )", re.MULTILINE)
_NUMBERED: Final = re.compile(r"^\s*\d+(?:\t|→|\| ?|: )")
_OLD_KEYS: Final = ("old_string", "old_str", "oldString")


def applies(answer: AnswerView, given: str) -> Literal["pass", "fail", "unknown"]:
    """Whether every piece of every patch in `answer` fits `given`; `unknown` without patch or given text."""
    pieces = list(_pieces(answer))
    if not pieces or not given.strip():
        return "unknown"
    lines = [_flat(line) for line in given.splitlines()[-GIVEN_LINES:]]
    known = frozenset(lines)
    joined = "\n".join(lines)
    fitted = 0
    for piece in pieces[:PIECES]:
        old = [_flat(line) for line in piece]
        if "\n".join(old) in joined:  # an edit may begin in the middle of a line
            fitted += 1
            continue
        telling = [line for line in old if line.strip()]
        seen = sum(1 for line in telling if line in known)
        if telling and 2 * seen >= len(telling):
            return "fail"
    return "pass" if fitted else "unknown"


def _pieces(answer: AnswerView) -> Iterator[list[str]]:
    """The old lines of every piece."""
    yield from _of_text(answer.text)
    for call in answer.tool_calls:
        if call.free:
            yield from _of_text(call.arguments)
            continue
        try:
            arguments = json.loads(call.arguments)
        except (ValueError, RecursionError):
            continue
        if not isinstance(arguments, dict):
            continue
        old = next((arguments[key] for key in _OLD_KEYS if isinstance(arguments.get(key), str)), "")
        if old.strip():
            yield _without_empty_ends(old.split("\n"))
        for key in ("input", "patch", "patchText", "diff"):
            if isinstance(arguments.get(key), str):
                yield from _of_text(arguments[key])


def _of_text(text: str) -> Iterator[list[str]]:
    if len(text) > PATCH_CHARS:
        return
    yield from _searched(text)
    if not _IS_PATCH.search(text):
        return
    for hunk in _HUNK_HEAD.split(text)[1:]:
        old = list(_old_lines(hunk))
        if any(line.strip() for line in old):
            yield _without_empty_ends(old)


def _searched(text: str) -> Iterator[list[str]]:
    """The first halves of SEARCH/REPLACE blocks; an empty one creates a file."""
    old: list[str] | None = None
    for line in text.split("\n"):
        if _SEARCH.fullmatch(line):
            old = []
        elif old is not None and _DIVIDER.fullmatch(line):
            if any(each.strip() for each in old):
                yield _without_empty_ends(old)
            old = None
        elif old is not None:
            old.append(line)


def _old_lines(hunk: str) -> Iterator[str]:
    """Context and removed lines of a hunk, from behind its head to the first line that belongs to none."""
    for line in hunk.split("\n")[1:]:
        if line.startswith(("```", "diff --git", "--- ", "*** ")):
            return
        if line.startswith((" ", "-")):
            yield line[1:]
        elif not line:
            yield ""  # context whose only character, the space, was trimmed
        elif not line.startswith(("+", "\\")):
            return


def _without_empty_ends(lines: list[str]) -> list[str]:
    while lines and not lines[-1].strip():
        lines = lines[:-1]
    while lines and not lines[0].strip():
        lines = lines[1:]
    return lines


def _flat(line: str) -> str:
    return _NUMBERED.sub("", line, count=1).rstrip()
