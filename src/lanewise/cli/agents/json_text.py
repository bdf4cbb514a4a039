"""JSON edited in place: members are found by their offsets, and only the bytes of one member change.

With `comments`, the text may hold `//` and `/* */` comments and trailing commas, as OpenCode and Qwen Code allow.
"""

from __future__ import annotations

import json
import re
from typing import Any, Final, NamedTuple

from lanewise.cli.agents.text import BrokenText, CannotEdit, Path_, newline_of

_STRING_OR_COMMENT: Final = re.compile(r'"(?:[^"\\]|\\.)*"|//[^\n]*|/\*.*?\*/', re.DOTALL)
_STRING_OR_TRAILING_COMMA: Final = re.compile(r'"(?:[^"\\]|\\.)*"|,(?=\s*[}\]])', re.DOTALL)
_STRING: Final = re.compile(r'"(?:[^"\\]|\\.)*"', re.DOTALL)
_NOT_NEWLINE: Final = re.compile(r"[^\n]")
_SPACE: Final = re.compile(r"\s*")

_decoder = json.JSONDecoder()


class _Member(NamedTuple):
    key: str
    start: int
    """Offset of the key's quote."""
    value: int
    end: int


class JsonText:
    """A JSON file."""

    def __init__(self, *, comments: bool) -> None:
        self._comments = comments

    def read(self, text: str) -> dict[str, Any]:
        """The document; an empty text is an empty object. Any: it is somebody else's.

        Raises:
            BrokenText: not JSON, or not an object.
        """
        if not text.strip():
            return {}
        try:
            document = json.loads(self._plain(text))
        except json.JSONDecodeError as error:
            raise BrokenText(error.lineno, error.msg) from None
        if not isinstance(document, dict):
            raise BrokenText(1, "not a JSON object")
        return document

    def put(self, text: str, path: Path_, value: str) -> str:
        """`text` with `value` at `path`; objects on the way are made where they are missing.

        Raises:
            CannotEdit: something else than an object stands on the way.
        """
        newline = newline_of(text)
        if not text.strip():
            text = "{}" + newline
        at = self._plain(text).index("{")
        for depth, name in enumerate(path):
            plain = self._plain(text)
            found = {member.key: member for member in _members(plain, at)}.get(name)
            rest = path[depth + 1 :]
            if found is None:
                return _inserted(text, plain, at, name, _nested(rest, value), newline)
            if not rest:
                return text[: found.value] + json.dumps(value) + text[found.end :]
            if text[found.value] != "{":
                raise CannotEdit(f"`{'.'.join(path[: depth + 1])}` is not an object")
            at = found.value
        raise AssertionError("a path has at least one name")

    def drop(self, text: str, path: Path_) -> str:
        """`text` without the member at `path`."""
        if not text.strip():
            return text
        plain = self._plain(text)
        at = plain.index("{")
        for name in path[:-1]:
            found = {member.key: member for member in _members(plain, at)}.get(name)
            if found is None or plain[found.value] != "{":
                return text
            at = found.value
        members = _members(plain, at)
        number = next((n for n, member in enumerate(members) if member.key == path[-1]), None)
        if number is None:
            return text
        if number:
            return text[: members[number - 1].end] + text[members[number].end :]
        if len(members) > 1:
            return text[: members[0].start] + text[members[1].start :]
        closing = plain.index("}", members[0].end)
        return text[: at + 1] + text[closing:]

    def _plain(self, text: str) -> str:
        """`text` with comments and trailing commas blanked out, every other character at its offset."""
        if not self._comments:
            return text
        for pattern in (_STRING_OR_COMMENT, _STRING_OR_TRAILING_COMMA):
            text = pattern.sub(lambda hit: hit[0] if hit[0][0] == '"' else _NOT_NEWLINE.sub(" ", hit[0]), text)
        return text


def _members(text: str, at: int) -> list[_Member]:
    """The members of the object whose brace is at offset `at`."""
    members: list[_Member] = []
    position = _skip(text, at + 1)
    while text[position] == '"':
        start = position
        quoted = _STRING.match(text, start)
        assert quoted is not None, "only called on text that was read before"
        value = _skip(text, _skip(text, quoted.end()) + 1)
        _, end = _decoder.raw_decode(text, value)
        members.append(_Member(json.loads(quoted[0]), start, value, end))
        position = _skip(text, end)
        if text[position] != ",":
            break
        position = _skip(text, position + 1)
    return members


def _skip(text: str, position: int) -> int:
    found = _SPACE.match(text, position)
    assert found is not None
    return found.end()


def _nested(path: Path_, value: str) -> Any:
    """`value` inside one object per name of `path`."""
    return {path[0]: _nested(path[1:], value)} if path else value


def _inserted(text: str, plain: str, at: int, name: str, value: Any, newline: str) -> str:
    """`text` with a last member in the object at offset `at`, laid out as its neighbours are. Any: JSON."""
    members = _members(plain, at)
    step = _step(plain)
    if members:
        lead = text[_line_start(text, members[0].start) : members[0].start]
        lead = newline + lead if not lead.strip() else " "
        position = members[-1].end
        return text[:position] + "," + lead + _member(name, value, lead, step) + text[position:]
    outer = text[_line_start(text, at) :]
    outer = newline + outer[: len(outer) - len(outer.lstrip(" \t"))]
    lead = outer + step
    return text[: at + 1] + lead + _member(name, value, lead, step) + outer + text[plain.index("}", at) :]


def _member(name: str, value: Any, lead: str, step: str) -> str:
    shown = json.dumps(value, indent=None if lead == " " else step, ensure_ascii=False).replace("\n", lead)
    return f"{json.dumps(name)}: {shown}"


def _line_start(text: str, position: int) -> int:
    return text.rfind("\n", 0, position) + 1


def _step(text: str) -> str:
    """One level of indentation, as the first indented line has it."""
    found = re.search(r"\n([ \t]+)\S", text)
    return found[1] if found else "  "
