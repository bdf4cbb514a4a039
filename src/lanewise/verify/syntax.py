"""Does a block of code parse? Python, JSON and TOML by their parsers; brace languages by their brackets alone.

A block of an answer is often a fragment: a method without its class, a statement with `await`. What fails is code
that no surroundings could make right. For brace languages only brackets that the text itself leaves open or closes
twice are held against it, strings and comments left out, and a block with marks of left-out code is not judged.
"""

from __future__ import annotations

import ast
import json
import re
import textwrap
import tomllib
import warnings
from typing import Final, Literal, TypeAlias

Parsed: TypeAlias = Literal["pass", "fail", "unknown"]

CODE_CHARS: Final = 65_536
"""Longest block that is parsed: about 80 ms of the Python parser on one slow core."""

_NESTING: Final = 90
"""Brackets one in another, and signs in a row, from which Python's own parser is not asked: real code has a dozen."""

_PYTHON: Final = frozenset({"python", "py", "python3"})
_JSON: Final = frozenset({"json"})
_TOML: Final = frozenset({"toml"})
_BRACES: Final = frozenset(
    {
        "c", "cpp", "c++", "cc", "h", "cs", "csharp", "c#", "java", "kotlin", "kt", "go", "golang", "rust", "rs",
        "swift", "javascript", "js", "jsx", "typescript", "ts", "tsx", "mjs", "php", "scala", "dart",
    }
)  # fmt: skip
_NO_PYTHON: Final = re.compile(r"^[ \t]*(?:>>> |<<<<<<< |In \[\d+\]|[%!]\w|@@ |[-+]{3} )", re.MULTILINE)
_LEFT_OUT: Final = re.compile(r"^[ \t]*(?:(?://|#|/\*)[ \t]*)?(?:\.{3}|…)|\.{3}[ \t]*(?:\*/)?$", re.MULTILINE)
_SIGNS: Final = re.compile(
    rf"(?:[-+~]\s*){{{_NESTING}}}|(?:\bnot\s+){{{_NESTING}}}|(?:\blambda\s*:\s*){{{_NESTING}}}",
)
_SINGLE: Final = frozenset({"javascript", "js", "jsx", "typescript", "ts", "tsx", "mjs", "php", "dart"})
"""Languages whose strings may stand in single quotes; elsewhere these hold one character, or name a lifetime."""
_COMMON: Final = r"""//[^\n]*|/\*.*?(?:\*/|\Z)|\"{3}.*?(?:\"{3}|\Z)|"(?:\\.|[^"\\\n])*"|`(?:\\.|[^`\\])*(?:`|\Z)"""
_QUIET: Final = re.compile(_COMMON + r"|'(?:\\.|\\[ux][^'\n]{1,10}|[^'\\\n])'", re.DOTALL)
"""Comments, strings and characters."""
_QUIET_SINGLE: Final = re.compile(
    _COMMON
    + r"""|'(?:\\.|[^'\\\n]){0,400}'"""
    + r"""|(?<=[=(,:&|!?\[])[ \t]{0,8}/(?![/*])(?:\\.|\[(?:\\.|[^\]\\\n]){0,200}\]|[^/\\\n\[]){1,400}/""",
    re.DOTALL,
)
"""The same with strings in single quotes and regular expressions."""
_RAW: Final = re.compile(r"""\br#*"|@"|\$"|R"[^(\n]{0,16}\(""")
"""Raw and interpolated strings, in which a quote or a brace means something else: not judged."""
_PAIRS: Final = {")": "(", "]": "[", "}": "{"}


def parses(tag: str, code: str) -> Parsed:
    """Whether `code`, fenced with `tag`, parses; `unknown` for other languages, very long blocks and elided ones."""
    if len(code) > CODE_CHARS:
        return "unknown"
    if tag in _PYTHON:
        return _python(code)
    if tag in _JSON:
        return _json(code)
    if tag in _TOML:
        return _toml(code)
    if tag not in _BRACES:
        return "unknown"
    return _braces(code, _QUIET_SINGLE if tag in _SINGLE else _QUIET)


def _python(code: str) -> Parsed:
    if not code.strip() or _NO_PYTHON.search(code) or _deep(code) or _SIGNS.search(code):
        return "unknown"
    flush = textwrap.dedent(code)  # `return` and `await` parse outside of functions too
    member = "class _:\n" + code  # as it stands: a text in it may reach the left edge
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a warning would print lines of the answer
        return "pass" if any(_is_python(each) for each in (flush, member)) else "fail"


def _is_python(code: str) -> bool:
    try:
        ast.parse(code)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return True


def _deep(code: str) -> bool:
    depth = most = 0
    for sign in re.finditer(r"[()\[\]{}]", code):
        depth += 1 if sign[0] in "([{" else -1
        most = max(most, depth)
    return most > _NESTING


def _json(code: str) -> Parsed:
    if not code.strip() or "..." in code or "//" in code or "/*" in code or "…" in code:
        return "unknown"  # an example with comments or left-out parts
    try:
        json.loads(code)
    except RecursionError:
        return "unknown"
    except ValueError:
        return _json_lines(code)
    return "pass"


def _json_lines(code: str) -> Parsed:
    """One value a line is JSON too, as logs write it."""
    try:
        for line in code.splitlines():
            if line.strip():
                json.loads(line)
    except (ValueError, RecursionError):
        return "fail"
    return "pass"


def _toml(code: str) -> Parsed:
    if "..." in code:
        return "unknown"
    try:
        tomllib.loads(code)
    except RecursionError:
        return "unknown"
    except ValueError:
        return "fail"
    return "pass"


def _braces(code: str, quiet: re.Pattern[str]) -> Parsed:
    if _LEFT_OUT.search(code) or _RAW.search(code) or "<<<<<<< " in code:
        return "unknown"
    stack: list[str] = []
    for sign in re.finditer(r"[()\[\]{}]", quiet.sub(" ", code)):
        if sign[0] in "([{":
            stack.append(sign[0])
        elif not stack or stack.pop() != _PAIRS[sign[0]]:
            return "fail"
    return "fail" if stack else "pass"
