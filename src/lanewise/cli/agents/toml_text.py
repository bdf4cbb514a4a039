"""TOML edited in place, by lines: `tomllib` keeps no positions and nothing that writes TOML is among our dependencies.

Keys and headers are looked for as people write them. Where a file uses another spelling (inline tables, dotted keys),
an edit may come out wrong: `change` reads the result back and refuses it.
"""

from __future__ import annotations

import json
import re
import tomllib
from typing import Any, Final

from lanewise.cli.agents.text import BrokenText, Path_, newline_of

_HEADER: Final = re.compile(r"^\s*\[")
_NAMED: Final = re.compile(r"^\s*\[\s*([^\[\]]+?)\s*\]\s*(?:#.*)?$")


class TomlText:
    """A TOML file."""

    def read(self, text: str) -> dict[str, Any]:
        """The document. Any: it is somebody else's.

        Raises:
            BrokenText: not TOML.
        """
        try:
            return tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            at = re.search(r"at line (\d+)", str(error))
            line = int(at[1]) if at else text.count("\n") + 1
            raise BrokenText(line, re.sub(r" \(at .*\)", "", str(error))) from None

    def put(self, text: str, path: Path_, value: str) -> str:
        """`text` with ``key = "value"`` in the table that `path` names; a new table goes to the end of the file."""
        newline = newline_of(text)
        *table, key = path
        lines = text.splitlines(keepends=True)
        region = _region(lines, tuple(table))
        stated = f"{key} = {json.dumps(value)}{newline}"
        if region is None:
            gap = "" if not text.strip() else newline if text.endswith("\n") else newline * 2
            return f"{text}{gap}[{'.'.join(table)}]{newline}{stated}"
        for number in range(*region):
            if found := _pair(key).match(lines[number]):
                lines[number] = f"{found[1]}{json.dumps(value)}{found[3]}"
                return "".join(lines)
        position = _last_filled(lines, *region) if table else _after_directives(lines)
        if position and not lines[position - 1].endswith("\n"):
            lines[position - 1] += newline
        lines.insert(position, stated)
        return "".join(lines)

    def drop(self, text: str, path: Path_) -> str:
        """`text` without the key at `path`, or without the header of the empty table that `path` names."""
        lines = text.splitlines(keepends=True)
        own = _region(lines, path)
        if own is not None:
            start = own[0] - 1
            while start and not lines[start - 1].strip():
                start -= 1  # the blank lines that set the table apart
            blank_after = any(line.strip() for line in lines[own[0] :])
            return "".join(lines[: own[0] - 1] + lines[own[0] :]) if blank_after else "".join(lines[:start])
        *table, key = path
        region = _region(lines, tuple(table))
        if region is None:
            return text
        kept = [line for n, line in enumerate(lines) if not (region[0] <= n < region[1] and _pair(key).match(line))]
        return "".join(kept)


def _region(lines: list[str], table: Path_) -> tuple[int, int] | None:
    """The lines [start, end) of a table's body; the empty path is what stands before any header."""
    start = None if table else 0
    for number, line in enumerate(lines):
        if not _HEADER.match(line):
            continue
        if start is not None:
            return start, number
        named = _NAMED.match(line)
        if named and tuple(part.strip().strip("\"'") for part in named[1].split(".")) == table:
            start = number + 1
    return None if start is None else (start, len(lines))


def _pair(key: str) -> re.Pattern[str]:
    """``key = value`` with the value and what follows it, a comment perhaps, as groups 2 and 3."""
    value = r"""("(?:[^"\\]|\\.)*"|'[^']*'|[^\s#]+)"""
    return re.compile(rf"""^(\s*["']?{re.escape(key)}["']?\s*=\s*){value}(.*)$""", re.DOTALL)


def _last_filled(lines: list[str], start: int, end: int) -> int:
    while end > start and not lines[end - 1].strip():
        end -= 1
    return end


def _after_directives(lines: list[str]) -> int:
    """Past the editors' directives (``#:schema``), which have to come first."""
    position = 0
    while position < len(lines) and lines[position].startswith("#:"):
        position += 1
    return position
