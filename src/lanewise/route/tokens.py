"""A rule's condition -> its words, each with its column. Knows no grammar and no variable."""

from __future__ import annotations

import re
from typing import Literal, TypeAlias, cast

from lanewise.journey import Value

MAX_LENGTH = 2_000
"""Characters of a condition. Bounds the work of reading it; nobody can review a longer one."""

TokenKind: TypeAlias = Literal["name", "number", "text", "sign", "end"]

_TOKEN = re.compile(
    r"(?P<space>[ \t\r\n]+)"
    r"|(?P<number>[0-9]+(?:\.[0-9]+)?[A-Za-z0-9_.]*)"
    r"|(?P<name>[A-Za-z_][A-Za-z0-9_]*)"
    r"|(?P<text>'[^'\n]*'|\"[^\"\n]*\")"
    r"|(?P<sign>==|!=|<=|>=|<|>|\(|\)|\[|\]|,)"
)
_INSTEAD = {"&": "`and`", "|": "`or`", "!": "`not` or `!=`", "=": "`==`"}
"""What people who come from other languages meant."""


class ExpressionError(Exception):
    """A condition that is not understood: what, at which column (from 1), and what to write instead."""

    def __init__(self, what: str, *, column: int, hint: str = "") -> None:
        super().__init__(f"{what} at column {column}" + (f"; hint: {hint}" if hint else ""))
        self.column = column


class Token(Value, frozen=True, kw_only=True):
    """One word of a condition."""

    kind: TokenKind
    text: str
    """As written; of a text, without its quotes."""
    column: int
    """From 1."""

    @property
    def told(self) -> str:
        """Itself for an error message, at most 40 characters of it."""
        return "the end" if self.kind == "end" else repr(self.text[:40])


def tokens(source: str) -> list[Token]:
    """The words of `source`, an `end` last.

    Raises:
        ExpressionError: Too long, or a character that begins no word.
    """
    if len(source) > MAX_LENGTH:
        raise ExpressionError(f"the condition is longer than {MAX_LENGTH} characters", column=MAX_LENGTH + 1)
    found: list[Token] = []
    at = 0
    while at < len(source):
        match = _TOKEN.match(source, at)
        if match is None:
            raise _unreadable(source[at], at + 1)
        kind, text = match.lastgroup, match.group()
        if kind == "text":
            found.append(Token(kind="text", text=text[1:-1], column=at + 1))
        elif kind != "space":
            found.append(Token(kind=cast("TokenKind", kind), text=text, column=at + 1))
        at = match.end()
    found.append(Token(kind="end", text="", column=len(source) + 1))
    return found


def _unreadable(character: str, column: int) -> ExpressionError:
    if character in "'\"":
        return ExpressionError("a text is not closed", column=column, hint=f"end it with {character}")
    instead = _INSTEAD.get(character)
    return ExpressionError(
        f"unexpected character {character!r}", column=column, hint=f"write {instead}" if instead else ""
    )
