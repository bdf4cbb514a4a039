"""What an editor of a settings file offers, and the two ways it says no. Knows no agent and no format."""

from __future__ import annotations

from typing import Any, Protocol, TypeAlias

Path_: TypeAlias = tuple[str, ...]
"""Where a setting stands: the names from the top of the document to the value."""


class BrokenText(ValueError):
    """The text is not what its format demands, at `line`."""

    def __init__(self, line: int, what: str) -> None:
        super().__init__(f"line {line}: {what}")
        self.line = line
        self.what = what


class CannotEdit(ValueError):
    """The text is valid and laid out in a way that a textual edit would spoil."""


class Format(Protocol):
    """Edits one kind of file as text, so that comments, order and unknown keys stay."""

    def read(self, text: str) -> dict[str, Any]:
        """The document as nested dicts; Any: it is somebody else's.

        Raises:
            BrokenText: the text cannot be read.
        """
        ...

    def put(self, text: str, path: Path_, value: str) -> str:
        """`text` with the string `value` at `path`.

        Raises:
            CannotEdit: there is no place for it that a textual edit can reach.
        """
        ...

    def drop(self, text: str, path: Path_) -> str:
        """`text` without what stands at `path`; unchanged where nothing does."""
        ...


def newline_of(text: str) -> str:
    """The line ending that `text` uses."""
    return "\r\n" if "\r\n" in text else "\n"
