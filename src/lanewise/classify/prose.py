"""Part a text into prose and pasted code, line by line.

Words inside pasted code say little about what is wanted of it (`error`, `test` and `select` are identifiers), so
cues are read from prose; how much code there is counts for complexity. A line is judged by its shape alone, no
language is known here. Lines quoted with `>` are somebody else's words and are no prose either.
"""

from __future__ import annotations

import re

from lanewise.journey import Value

_CODE_LINE = re.compile(
    r"""(?x)^(?:
      [ ]{4,}\S.*
    | \t+\S.*
    | \s*(?:def|class|import|from|return|func|fn|pub|const|let|var|public|private|static|package|using|if|for|while
        |else|elif|try|except|catch|switch|case|SELECT|\#include)\b.*[;:{})>\],]\s*
    | \s*(?:import|from)\s[\w.]+(?:\s+(?:import|as)\s.*)?
    | .*[;{}]\s*
    | [+-]{1,3}(?!\s\S).*
    | @@.*
    | \s*</?\w[^<>]*>.*
    | [\])}]+[;,]?
    )$"""
)


_CODE_ENDS = frozenset(";:{})>],")


class Parted(Value, frozen=True, kw_only=True):
    """A text as prose and code."""

    prose: str
    """The lines that are neither code nor quoted, joined by newlines."""
    code_chars: int
    chars: int


def part(text: str) -> Parted:
    """Split `text`; a single line is prose whatever it looks like, since people ask in one line."""
    if "\n" not in text:
        return Parted(prose=text, code_chars=0, chars=len(text))
    prose: list[str] = []
    code_chars = 0
    fenced = False
    for number, line in enumerate(text.split("\n")):
        if line.lstrip().startswith("```"):
            fenced = not fenced
            continue
        if fenced or (number and not _is_sentence(line) and _CODE_LINE.match(line)):
            code_chars += len(line)
        elif not line.startswith(">"):
            prose.append(line)
    return Parted(prose="\n".join(prose), code_chars=code_chars, chars=len(text))


def _is_sentence(line: str) -> bool:
    """Whether a look at both ends rules out every form of code line: most lines need no pattern."""
    return line[:1].isalpha() and line.rstrip()[-1:] not in _CODE_ENDS and not line.startswith(("import ", "from "))
