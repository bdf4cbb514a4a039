"""Find the fenced code blocks of an answer."""

from __future__ import annotations

import re

from lanewise.journey import Value

TEXT_CHARS = 1_000_000
"""Longest text that is cut into blocks."""

BLOCKS = 500
"""Most blocks of one answer that are looked at; a hostile answer has a hundred thousand."""

_FENCE = re.compile(r"^[ \t]{0,8}(`{3,}|~{3,})[ \t]*([^\s`]*)[^\n`]*$", re.MULTILINE)


class Block(Value, frozen=True, kw_only=True):
    """A fenced block."""

    tag: str
    """The word behind the opening fence, in lower case, without a path or attributes; empty where there is none."""
    code: str
    closed: bool = True


def blocks_of(text: str) -> tuple[Block, ...]:
    """The fenced blocks of `text` in order; an unclosed one ends with the text. None of a text above `TEXT_CHARS`."""
    if len(text) > TEXT_CHARS:
        return ()
    found: list[Block] = []
    opened: re.Match[str] | None = None
    for fence in _FENCE.finditer(text):
        if opened is None:
            opened = fence
        elif fence[1].startswith(opened[1]) and not fence[2]:
            found.append(Block(tag=_tag(opened), code=text[opened.end() + 1 : fence.start()]))
            opened = None
            if len(found) == BLOCKS:
                break
    if opened is not None:
        found.append(Block(tag=_tag(opened), code=text[opened.end() + 1 :], closed=False))
    return tuple(found)


def _tag(fence: re.Match[str]) -> str:
    return re.split(r"[:{,]", fence[2].lower(), maxsplit=1)[0]
