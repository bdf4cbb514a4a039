"""Read off a request what says that its task goes badly: failed edits, red tests, invalid calls, complaints.

Only what a request newly brings is read: the tool results and words that stand behind the last answer, and that
answer. An agent sends its history again at every step, so whatever stands earlier was counted when it was new; it
serves as context alone (was there an edit, was this call made before). The window is the last six messages that
`wire` keeps: three steps of a loop. What happened before is the caller's to remember, hence `edited_before`.

The result holds codes and counts and no text. The wording is data (`signals.toml`, `complaints.toml`).
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable
from importlib import resources
from typing import Literal, TypeAlias, get_args

import msgspec

from lanewise.classify import harness
from lanewise.classify.structure import ANSWER_ROLES, IMAGE_MARK, holds_results
from lanewise.journey import Message, Request, SignalCode, Turn, Value

SIGNAL_CODES: tuple[SignalCode, ...] = get_args(SignalCode)

Trust: TypeAlias = Literal["strong", "medium", "weak"]

WEIGHTS: dict[Trust, float] = {"strong": 0.5, "medium": 0.35, "weak": 0.2}
"""Probability that a task with this one signal does not end well. By judgement: about 43 % of failing loops recover
alone (PEERS.md), so even a red test is no more than an even chance; outcomes will teach better ones."""

REPEATS = 3
"""So often must the same call with the same arguments stand in the window: twice is a retry, thrice a loop."""

_CUT_STOPS = frozenset(
    {"max_tokens", "length", "max_output_tokens", "MAX_TOKENS", "model_context_window_exceeded", "incomplete"}
)
_REFUSAL_STOPS = frozenset({"refusal", "content_filter", "SAFETY", "PROHIBITED_CONTENT", "RECITATION"})
"""Stop reasons as the dialects spell them."""

_HEAD_CHARS = 600

_ALIKE = 0.6
"""Share of words that two asks have in common, of those in either, from which the second repeats the first."""
_ALIKE_WORDS = 4
"""Shorter asks ("continue", "run the tests") are alike without being a complaint."""


class Signal(Value, frozen=True, kw_only=True):
    """One kind of evidence that the task goes badly, as this request newly shows it."""

    code: SignalCode
    count: int = 1
    """Lines that say so; for `repeated_call` how often the call stands in the window."""


class _Row(Value, frozen=True, kw_only=True):
    code: SignalCode
    trust: Trust
    where: Literal["results", "answer", "spoken", "said", "ran"]
    """The new text that is read; the data file says what each is."""
    after_edit: bool = False
    marks: tuple[str, ...] = ()
    """One of these stands wherever a pattern holds: a plain search, so that most texts cost no pattern."""
    patterns: tuple[str, ...]


class _Wording(Value, frozen=True, kw_only=True):
    version: str
    edit_tools: frozenset[str]
    edit_marks: tuple[str, ...]
    wants_failure: str
    signals: tuple[_Row, ...]


class _Complaints(Value, frozen=True, kw_only=True):
    version: str
    patterns: tuple[str, ...]
    """Any language, searched in the first 300 characters of what the user wrote."""


class Signals:
    """The wording of the data files, ready to be asked. Immutable after construction and safe to share."""

    def __init__(self, wording: bytes, complaints: bytes) -> None:
        data = msgspec.toml.decode(wording, type=_Wording)
        self.version = data.version
        self._edit_tools = data.edit_tools
        self._edit_marks = data.edit_marks
        self._wants_failure = re.compile(data.wants_failure)
        self._rows = tuple((row, _joined(row.patterns)) for row in data.signals)
        spoken = msgspec.toml.decode(complaints, type=_Complaints)
        self._complaint = re.compile("|".join(f"(?:{each})" for each in spoken.patterns), re.IGNORECASE | re.MULTILINE)
        self.trust: dict[SignalCode, Trust] = {
            "repeated_call": "medium",
            **{row.code: row.trust for row in data.signals},
        }

    @classmethod
    def load(cls) -> Signals:
        """The wording that ships with the package."""
        files = resources.files(__package__)
        return cls(files.joinpath("signals.toml").read_bytes(), files.joinpath("complaints.toml").read_bytes())

    def read(self, request: Request, turn: Turn, *, edited_before: bool = False) -> tuple[Signal, ...]:
        """What `request` newly says of its task, in the order of `SIGNAL_CODES`.

        Args:
            request: Of operation `generate`; housekeeping gives none.
            turn: What the request is.
            edited_before: The task edited a file earlier than the six messages that the request shows.
        """
        if turn.kind == "housekeeping" or not request.recent:
            return ()
        before, news = _split(request.recent)
        results = [message for message in news if holds_results(message)]
        raw = "\n".join(message.text for message in news if message.role == "user")
        heads = "\n".join(_head(message) for message in results)
        spoken = harness.spoken(news[-1].text) if news and news[-1].role == "user" else ""
        edited = edited_before or self._edits(before)
        where = {
            "results": heads,
            "answer": before[-1].text[:400].lstrip() if before and spoken else "",
            "spoken": spoken,
            "said": f"{raw}\n{heads}",
            "ran": "\n".join((raw, *map(output_of, results))),
        }
        found: Counter[SignalCode] = Counter()
        for row, pattern in self._rows:
            text = where[row.where]
            if not pattern or not text or (row.marks and not any(mark in text for mark in row.marks)):
                continue
            if row.after_edit and (not edited or self._failure_is_wanted(request.recent)):
                continue
            found[row.code] = sum(1 for _ in pattern.finditer(text))
        found["repeated_call"] = _repeats(request.recent) if not spoken else 0
        found["re_ask"] += bool(spoken and before) and self.complains(spoken, _asks(before))
        return tuple(Signal(code=code, count=found[code]) for code in SIGNAL_CODES if found[code] > 0)

    def failing(self, signals: Iterable[SignalCode]) -> float:
        """Probability that a task with these signals fails, each taken to be evidence of its own."""
        return 1 - math.prod(1 - WEIGHTS[self.trust[code]] for code in signals)

    def edits(self, request: Request) -> bool:
        """Whether the messages that `request` shows hold an edit: what a caller remembers for `edited_before`."""
        return self._edits(request.recent)

    def complains(self, spoken: str, earlier: tuple[str, ...]) -> bool:
        """Whether `spoken` says that the last answer was no good, or asks once more what stands in `earlier`."""
        if self._complaint.search(spoken[:300]):
            return True
        words = _words(spoken)
        if len(words) < _ALIKE_WORDS:
            return False
        # The very same words are a client's retry or a template, not a person who asks again.
        return any(
            words != other and len(words & other) >= _ALIKE * len(words | other) for other in map(_words, earlier)
        )

    def _edits(self, messages: tuple[Message, ...]) -> bool:
        return any(
            not self._edit_tools.isdisjoint(message.tool_names)
            or (message.role in ANSWER_ROLES and any(mark in message.text for mark in self._edit_marks))
            for message in messages
        )

    def _failure_is_wanted(self, messages: tuple[Message, ...]) -> bool:
        asks = _asks(messages)
        return bool(asks) and self._wants_failure.search(asks[-1]) is not None


def _joined(patterns: tuple[str, ...]) -> re.Pattern[str] | None:
    """All patterns as one. Those of a line's beginning share their `^`, so that other places cost one look."""
    heads = "|".join(each[1:] for each in patterns if each.startswith("^"))
    rest = [each for each in patterns if not each.startswith("^")]
    whole = "|".join([f"^(?:{heads})"] * bool(heads) + rest)
    return re.compile(whole, re.MULTILINE) if whole else None


def of_stop(stop_reason: str) -> SignalCode | None:
    """What an answer's stop reason, in any dialect's spelling, says of its task; a request does not carry it."""
    if stop_reason in _CUT_STOPS:
        return "truncated"
    return "refusal" if stop_reason in _REFUSAL_STOPS else None


def output_of(message: Message) -> str:
    """What tools returned in `message`: a field of its own, or the text of a message that is a tool's."""
    return message.tool_output or (message.text if message.role in {"tool", "function"} else "")


def _head(message: Message) -> str:
    """The beginning of what tools returned, where their own errors stand; all of it where some are marked as errors."""
    output = output_of(message)
    return output if message.tool_errors else output[:_HEAD_CHARS]


def _split(messages: tuple[Message, ...]) -> tuple[tuple[Message, ...], tuple[Message, ...]]:
    """The messages up to the last answer, and those behind it, which are new."""
    at = len(messages)
    while at and messages[at - 1].role not in ANSWER_ROLES:
        at -= 1
    return messages[:at], messages[at:]


def _asks(messages: tuple[Message, ...]) -> tuple[str, ...]:
    """What the user wrote in `messages`, oldest first, without what harnesses say in the user's name."""
    spoken = (harness.spoken(message.text) for message in messages if message.role == "user")
    return tuple(text for text in spoken if text)


def _words(text: str) -> frozenset[str]:
    """The words of an ask; pictures named in it are none."""
    return frozenset(re.findall(r"\w+", IMAGE_MARK.sub("", text).lower()))


def _repeats(messages: tuple[Message, ...]) -> int:
    """How often the newest call stands in the window, 0 below `REPEATS`."""
    marks = [mark for message in messages for mark in message.call_marks]
    most = marks.count(marks[-1]) if marks else 0
    return most if most >= REPEATS else 0
