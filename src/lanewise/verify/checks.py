"""The checks, each a function of an answer and of what was asked, and the one word on all of them.

A check fails an answer only for something that it saw; whatever it cannot tell is `unknown`, and unknown accepts. They
run on the request path before a held-back answer goes out, so each is bounded in what it looks at.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Mapping
from importlib import resources
from typing import Final, Literal

import msgspec

from lanewise.journey import Value
from lanewise.verify import patches, schema, syntax
from lanewise.verify.blocks import Block, blocks_of
from lanewise.verify.verdict import CheckName, Verdict
from lanewise.wire.answer import AnswerView
from lanewise.wire.asked import AskedView

WORDS_CHARS: Final = 4_000
"""How much of the ask is searched for a wanted language or format, from its end and its beginning."""

WRITTEN_CHARS: Final = 400_000
"""How much of an answer's code is searched for placeholders."""

_NO_CODE: Final = frozenset({"", "text", "txt", "plaintext", "output", "console", "diff", "patch", "markdown", "md"})
_ASIDE: Final = frozenset({"bash", "sh", "shell", "zsh", "json", "toml", "yaml", "yml", "html", "css", "sql", "xml"})
"""Blocks that stand beside the code asked for: how to run it, its configuration."""


class _Language(Value, frozen=True, kw_only=True):
    tags: frozenset[str]
    names: tuple[str, ...]


class _Wording(Value, frozen=True, kw_only=True):
    version: str
    refusals: tuple[str, ...]
    refusal_chars: int
    placeholders: tuple[str, ...]
    placeholders_wanted: str
    json_wanted: str
    languages: dict[str, _Language]


@functools.cache
def _wording() -> _Wording:
    text = resources.files(__package__).joinpath("wording.toml").read_bytes()
    return msgspec.toml.decode(text, type=_Wording)


@functools.cache
def _pattern(*alternatives: str) -> re.Pattern[str]:
    return re.compile("|".join(f"(?:{_unflagged(each)})" for each in alternatives), re.MULTILINE | re.IGNORECASE)


@functools.cache
def _left_out() -> re.Pattern[str]:
    # One beginning for all, so that a line is left at its first sign.
    return re.compile(rf"(?im)^[ \t]{{0,40}}(?:{'|'.join(f'(?:{each})' for each in _wording().placeholders)})")


def _unflagged(pattern: str) -> str:
    return pattern.removeprefix("(?i)")


@functools.cache
def _asks_for() -> dict[str, re.Pattern[str]]:
    """Language -> "in Rust", "to Rust", "a Rust function"... as a user writes it."""
    return {
        name: re.compile(
            rf"\b(?:[Ii]n|[Ii]nto|[Tt]o|[Uu]sing)\s+(?:idiomatic\s+|plain\s+|pure\s+|modern\s+)?(?:{'|'.join(language.names)})(?!\w)"
        )
        for name, language in _wording().languages.items()
    }


def not_empty(answer: AnswerView, asked: AskedView) -> Verdict:
    """There is a text or a tool call."""
    del asked
    return _verdict("not_empty", bool(answer.text.strip() or answer.tool_calls), "empty")


def not_truncated(answer: AnswerView, asked: AskedView) -> Verdict:
    """The model stopped by itself, not at a limit."""
    del asked
    if answer.end == "unknown":
        return Verdict(check="not_truncated", result="unknown", reason="no_stop_reason")
    return _verdict("not_truncated", answer.end not in {"cut", "failed"}, answer.end)


def not_refusal(answer: AnswerView, asked: AskedView) -> Verdict:
    """Neither the stop reason nor a short answer without any code or call refuses."""
    del asked
    if answer.end == "refused":
        return Verdict(check="not_refusal", result="fail", reason="stop_reason")
    text = answer.text.strip()
    short = len(text) <= _wording().refusal_chars and "```" not in text and not answer.tool_calls
    refused = short and _pattern(*_wording().refusals).match(text) is not None
    return _verdict("not_refusal", not refused, "refusal")


def tool_arguments(answer: AnswerView, asked: AskedView) -> Verdict:
    """Every called tool was offered, and its arguments are an object that its schema allows."""
    if not answer.tool_calls:
        return Verdict(check="tool_arguments", result="unknown", reason="no_call")
    offered = {tool.name: tool for tool in asked.tools}
    for call in answer.tool_calls:
        if call.name not in offered:
            return Verdict(check="tool_arguments", result="fail", reason="unknown_tool")
        if call.free:
            continue
        readable, value = schema.parsed(call.arguments or "{}")
        if not readable or not isinstance(value, dict):
            return Verdict(check="tool_arguments", result="fail", reason="not_an_object")
        wanted = offered[call.name].schema
        if wanted is not None and (fault := schema.fault(value, wanted)):
            return Verdict(check="tool_arguments", result="fail", reason=fault)
    return Verdict(check="tool_arguments", result="pass")


def follows_schema(answer: AnswerView, asked: AskedView) -> Verdict:
    """Where JSON is wanted the text is JSON, alone; where a schema is given it follows that.

    A user who asks for JSON in words gets a fenced block accepted; a program that set a format does not.
    """
    in_words = _pattern(_wording().json_wanted).search(_ends(asked.words)) is not None
    if not (asked.json_wanted or asked.schema is not None or in_words) or answer.tool_calls:
        return Verdict(check="schema", result="unknown", reason="not_asked")
    text = answer.text.strip()
    if in_words and not asked.json_wanted and text.startswith("```") and (blocks := blocks_of(text)):
        text = blocks[0].code
    readable, value = schema.parsed(text)
    if not readable:
        return Verdict(check="schema", result="fail", reason="not_json")
    fault = schema.fault(value, asked.schema) if asked.schema is not None else ""
    return _verdict("schema", not fault, fault)


def parses(answer: AnswerView, asked: AskedView) -> Verdict:
    """No fence is left open, and every block of a language that we can read parses."""
    del asked
    blocks = blocks_of(answer.text)
    if any(not block.closed for block in blocks):
        return Verdict(check="parses", result="fail", reason="unclosed_fence")
    left, told = syntax.CODE_CHARS, False
    for block in blocks:
        left -= len(block.code)
        if left < 0:
            break
        found = syntax.parses(block.tag, block.code)
        if found == "fail":
            return Verdict(check="parses", result="fail", reason="syntax")
        told = told or found == "pass"
    return (
        Verdict(check="parses", result="pass") if told else Verdict(check="parses", result="unknown", reason="no_code")
    )


def language(answer: AnswerView, asked: AskedView) -> Verdict:
    """Of the code blocks that name a language one is in the language that the user asked for, if that was one."""
    tags = {block.tag for block in blocks_of(answer.text)} - _NO_CODE
    if not tags:
        return Verdict(check="language", result="unknown", reason="no_code")
    words = _ends(asked.words)
    wanted = [name for name, pattern in _asks_for().items() if pattern.search(words)]
    if len(wanted) != 1:
        return Verdict(check="language", result="unknown", reason="not_asked")
    right = _wording().languages[wanted[0]].tags
    if tags & right:
        return Verdict(check="language", result="pass")
    if tags <= _ASIDE:
        return Verdict(check="language", result="unknown", reason="no_code")
    return Verdict(check="language", result="fail", reason="other_language")


def patch_applies(answer: AnswerView, asked: AskedView) -> Verdict:
    """Every patch and every named old text stands in what the model was given; see `patches`."""
    found = patches.applies(answer, asked.given)
    return Verdict(
        check="patch_applies", result=found, reason={"fail": "not_found", "unknown": "no_patch"}.get(found, "")
    )


def placeholder(answer: AnswerView, asked: AskedView) -> Verdict:
    """No code is left out or left to the reader, unless the user asked for that or the mark was in the given text."""
    written = _written(answer)
    if not written:
        return Verdict(check="placeholder", result="unknown", reason="no_code")
    if _pattern(_wording().placeholders_wanted).search(_ends(asked.words)):
        return Verdict(check="placeholder", result="unknown", reason="asked_for")
    for found in _left_out().finditer(written):
        if found[0].strip() not in asked.given:
            return Verdict(check="placeholder", result="fail", reason="left_out")
    return Verdict(check="placeholder", result="pass")


CHECKS: Final[Mapping[CheckName, Callable[[AnswerView, AskedView], Verdict]]] = {
    "not_empty": not_empty,
    "not_truncated": not_truncated,
    "not_refusal": not_refusal,
    "tool_arguments": tool_arguments,
    "schema": follows_schema,
    "parses": parses,
    "language": language,
    "patch_applies": patch_applies,
    "placeholder": placeholder,
}
"""Cheapest first."""


class Checked(Value, frozen=True, kw_only=True):
    """The word of all checks on an answer."""

    accepted: bool
    """No check failed."""
    verdicts: tuple[Verdict, ...]
    """In the order of `CHECKS`, up to and including the first that failed."""

    @property
    def failed(self) -> str:
        """``check:reason`` of the check that failed, empty if none did."""
        last = self.verdicts[-1] if self.verdicts else None
        return f"{last.check}:{last.reason}" if last and last.result == "fail" else ""


def checked(answer: AnswerView, asked: AskedView) -> Checked:
    """Run the checks until one fails."""
    verdicts: list[Verdict] = []
    for check in CHECKS.values():
        verdicts.append(check(answer, asked))
        if verdicts[-1].result == "fail":
            return Checked(accepted=False, verdicts=tuple(verdicts))
    return Checked(accepted=True, verdicts=tuple(verdicts))


def _verdict(check: CheckName, good: bool, reason: str) -> Verdict:
    result: Literal["pass", "fail"] = "pass" if good else "fail"
    return Verdict(check=check, result=result, reason="" if good else reason)


def _ends(words: str) -> str:
    half = WORDS_CHARS // 2
    return words if len(words) <= WORDS_CHARS else f"{words[:half]}\n{words[-half:]}"


def _written(answer: AnswerView) -> str:
    """The code of an answer, and what its tool calls would write, up to `WRITTEN_CHARS`."""
    parts = [block.code for block in blocks_of(answer.text) if _is_code(block)]
    for call in answer.tool_calls:
        readable, value = schema.parsed(call.arguments)
        if call.free:
            parts.append(call.arguments)
        elif readable and isinstance(value, dict):
            parts += [each for key, each in value.items() if isinstance(each, str) and not key.startswith("old")]
    return "\n".join(parts)[:WRITTEN_CHARS]


def _is_code(block: Block) -> bool:
    return block.tag not in {"text", "txt", "markdown", "md", "output", "console"}
