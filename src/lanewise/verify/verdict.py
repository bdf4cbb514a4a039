"""What a check says of an answer."""

from __future__ import annotations

from typing import Literal, TypeAlias

from lanewise.journey import Value

CheckName: TypeAlias = Literal[
    "not_empty",
    "not_truncated",
    "not_refusal",
    "tool_arguments",
    "schema",
    "parses",
    "language",
    "patch_applies",
    "placeholder",
]


class Verdict(Value, frozen=True, kw_only=True):
    """One check's word on one answer. Holds codes, no text of the answer."""

    check: CheckName
    result: Literal["pass", "fail", "unknown"]
    """`unknown`: there was nothing of its kind to look at, or it is too large or of a kind that cannot be told."""
    reason: str = ""
    """A code that says why, e.g. ``unclosed_fence`` or ``missing_argument``; empty where it passed."""
