"""The two line-wise formats: aider's YAML, of which only top-level keys are understood, and ``NAME=value`` files.

There is no YAML reader among our dependencies, and aider's file is flat: keys with a value, or with a list of items.
A path of two names is the item ``NAME=value`` in the list of the first.
"""

from __future__ import annotations

import re
from typing import Any, Final

from lanewise.cli.agents.text import BrokenText, CannotEdit, Path_, newline_of

_KEY: Final = re.compile(r"^([A-Za-z_][\w-]*)\s*:(?:\s+(.*?))?\s*$")
_ITEM: Final = re.compile(r"^(\s*-\s+)([A-Za-z_]\w*)=(\S*)\s*$")
_VARIABLE: Final = re.compile(r"^\s*(?:export\s+)?([A-Za-z_]\w*)\s*=\s*(.*?)\s*$")


class YamlText:
    """A flat YAML file."""

    def read(self, text: str) -> dict[str, Any]:
        """Top-level keys; a list of ``NAME=value`` items as a dict. Any: the one or the other.

        Raises:
            BrokenText: not a flat YAML mapping.
        """
        found: dict[str, Any] = {}
        key = ""
        for number, line in enumerate(text.splitlines(), start=1):
            if not line.strip() or line.lstrip().startswith("#") or line.startswith(("---", "...")):
                continue
            if named := _KEY.match(line):
                key = named[1]
                found[key] = (named[2] or "").strip("\"'")
            elif not key or line[0] not in " -":
                raise BrokenText(number, "not a line of a YAML mapping")
            elif (item := _ITEM.match(line)) and not isinstance(found[key], str):
                found[key][item[2]] = item[3]
            elif item and not found[key]:
                found[key] = {item[2]: item[3]}
            else:
                found[key] = f"{found[key]}\n{line}"
        return found

    def put(self, text: str, path: Path_, value: str) -> str:
        """`text` with ``key: value``, or with an item in the list of the first name.

        Raises:
            CannotEdit: the key has a value of another form.
        """
        newline = newline_of(text)
        lines = text.splitlines(keepends=True)
        if lines and not lines[-1].endswith("\n"):
            lines[-1] += newline
        key, *item = path
        at = _key_line(lines, key)
        if not item:
            stated = f"{key}: {value}{newline}"
            if at is None:
                return "".join(lines) + stated
            return "".join([*lines[:at], stated, *lines[at + 1 :]])
        if at is None:
            return "".join(lines) + f"{key}:{newline}  - {item[0]}={value}{newline}"
        if lines[at].partition(":")[2].strip():
            raise CannotEdit(f"`{key}` is not a list with one item a line")
        for number in _items(lines, at):
            if (found := _ITEM.match(lines[number])) and found[2] == item[0]:
                lines[number] = f"{found[1]}{item[0]}={value}{newline}"
                return "".join(lines)
        dash = next((found[1] for n in _items(lines, at) if (found := _ITEM.match(lines[n]))), "  - ")
        lines.insert(at + 1, f"{dash}{item[0]}={value}{newline}")
        return "".join(lines)

    def drop(self, text: str, path: Path_) -> str:
        """`text` without the key, or without the item."""
        lines = text.splitlines(keepends=True)
        key, *item = path
        at = _key_line(lines, key)
        if at is None:
            return text
        if not item:
            return "".join(lines[:at] + lines[at + 1 :])
        gone = {n for n in _items(lines, at) if (found := _ITEM.match(lines[n])) and found[2] == item[0]}
        return "".join(line for number, line in enumerate(lines) if number not in gone)


def _key_line(lines: list[str], key: str) -> int | None:
    return next((n for n, line in enumerate(lines) if (found := _KEY.match(line)) and found[1] == key), None)


def _items(lines: list[str], at: int) -> range:
    """The lines that belong to the key of line `at`."""
    end = at + 1
    while end < len(lines) and not _KEY.match(lines[end]):
        end += 1
    return range(at + 1, end)


class DotenvText:
    """A file of ``NAME=value`` lines."""

    def read(self, text: str) -> dict[str, Any]:
        """The variables, quotes removed.

        Raises:
            BrokenText: a line is neither an assignment nor a comment.
        """
        found: dict[str, Any] = {}
        for number, line in enumerate(text.splitlines(), start=1):
            if not line.strip() or line.lstrip().startswith("#"):
                continue
            variable = _VARIABLE.match(line)
            if variable is None:
                raise BrokenText(number, "not a line of the form NAME=value")
            found[variable[1]] = variable[2].strip("\"'")
        return found

    def put(self, text: str, path: Path_, value: str) -> str:
        """`text` with ``NAME=value``, in place or as its last line."""
        newline = newline_of(text)
        lines = text.splitlines(keepends=True)
        if lines and not lines[-1].endswith("\n"):
            lines[-1] += newline
        stated = f"{path[0]}={value}{newline}"
        mine = [n for n, line in enumerate(lines) if (found := _VARIABLE.match(line)) and found[1] == path[0]]
        if not mine:
            return "".join(lines) + stated
        lines[mine[-1]] = stated
        return "".join(lines)

    def drop(self, text: str, path: Path_) -> str:
        """`text` without the variable."""
        lines = text.splitlines(keepends=True)
        return "".join(line for line in lines if not ((found := _VARIABLE.match(line)) and found[1] == path[0]))
