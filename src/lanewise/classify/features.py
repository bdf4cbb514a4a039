"""Turn a request into the numbers that routing and selection may know: size, complexity, and whether somebody waits.

Nothing here reads what a text means, and no text leaves: the values are counts, shares and reason codes.
"""

from __future__ import annotations

import math
import re

from lanewise.classify.prose import Parted
from lanewise.journey import Caller, Features, Request, Turn, Value
from lanewise.wire import bound

CHARS_PER_TOKEN = 3.7
"""Bytes of prompt per token for OpenAI-like tokenizers on code and English. A seed until usage has taught better."""

CHARS_PER_TOKEN_CLAUDE = 2.5
"""The same for Claude from 4.7 on, whose tokenizer yields about 1.5 times the tokens of o200k on code."""

TOKENS_PER_IMAGE = 1_600
"""What a provider bills for one large picture (Anthropic: width x height / 750, capped near this)."""

_INLINE_MARKS = (b"base64", b'"inlineData"')
_STRINGS_AFTER_MARK = 12
_INLINE_DATA_BYTES = 4_096
"""A string this long, so soon after a mark, is the data and not a key or a media type."""

_CLAUDE = re.compile(r"claude-(?:[a-z]+-)?(\d{1,2})(?:[-.](\d{1,2})(?!\d))?")
_NEW_CLAUDE = (4, 7)

_FILE = re.compile(
    r"(?<![\w@])(?:[\w.~@-]{1,64}/){0,12}[\w.-]{1,64}\.(?:py|pyi|js|jsx|ts|tsx|mjs|go|rs|java|kt|rb|php|c|h|cc|cpp|hpp|cs|swift"
    r"|scala|sh|sql|md|mdx|rst|txt|json|ya?ml|toml|ini|cfg|html|css|scss|vue|svelte|lock|ipynb|proto|tf|xml|csv)\b"
)

PATIENCE_S = 120.0
"""A deadline further away than this means that nobody watches: even slow real-time answers arrive sooner."""

_BLOCKING = frozenset({"compaction", "guard", "commit_message"})
"""Housekeeping that the session cannot go on without."""

_PATIENT_TAGS = frozenset({"ci", "nightly", "batch", "cron", "headless", "background"})

WEIGHTS = {
    "input_length": 0.25,
    "prior_failure": 0.20,
    "chained_calls": 0.20,
    "caller_history": 0.10,
    "files_named": 0.10,
    "code": 0.10,
    "depth": 0.05,
}
"""Most each signal can add; together 1. Input length, code, chained tool calls, the caller's history and prior failure
are the five that published routers use; files and depth are ours. Length leads because it bounds which models can do
the work at all; failures come next because they are evidence and not guesses. Hand-set: no outcome has taught them."""

_ASK_SHARE = 0.3
"""Of the input length's weight, what goes to the user's own words; the rest to the prompt as a whole."""

_ITEM = re.compile(r"(?m)^[ \t]{0,8}(?:[-*\u2022]|\d{1,2}[.)])[ \t]+\S")
_CHAINS = (" then ", " after that", " afterwards", " and also ", " finally ", " next, ")
"""Marks of one more thing to do: an item of a list, or a word that chains."""


class Ask(Value, frozen=True, kw_only=True):
    """The measures of what the user wrote; kept with the task so that its continuations need not read it again."""

    chars: int = 0
    code_share: float = 0.0
    files_named: int = 0
    steps: int = 0
    """Items of lists and words that chain one order to the next."""


class Course(Value, frozen=True, kw_only=True):
    """How the session and its task have gone before this call."""

    depth: int = 0
    """Calls of the session."""
    tasks: int = 0
    """Tasks of the session, this one included."""
    failures: int = 0
    """Failed tool results of the task."""
    history: float = 0.0
    """How hard the caller's earlier tasks were, 0..1."""


def measure(text: str, parted: Parted) -> Ask:
    """Measure the user's words, harness text removed, parted already."""
    files = len(set(_FILE.findall(" ".join(word for word in text.split() if "." in word))))
    share = parted.code_chars / parted.chars if parted.chars else 0.0
    lower = parted.prose.lower()
    steps = sum(lower.count(chain) for chain in _CHAINS) + len(_ITEM.findall(parted.prose))
    return Ask(chars=parted.chars, code_share=round(share, 3), files_named=files, steps=steps)


def input_tokens(request: Request) -> int:
    """Estimated prompt tokens: bytes over characters per token, pictures at a flat rate instead of their bytes."""
    size, images = len(request.plain), 0
    if request.has_images:
        lengths = _inline_data(request.plain)
        size, images = size - sum(lengths), len(lengths)
    return math.ceil(size / chars_per_token(request.model)) + images * TOKENS_PER_IMAGE


def _inline_data(body: bytes) -> list[int]:
    """Lengths of the encoded pictures in `body`: the long string that follows each mark of inline data.

    Jumps from mark to mark, because a body of an agent has tens of thousands of strings and few pictures.
    """
    lengths: list[int] = []
    for mark in _INLINE_MARKS:
        position = body.find(mark)
        while position >= 0:
            end = position
            for _ in range(_STRINGS_AFTER_MARK):
                start, end = end, body.find(b'"', end + 1)
                if end < 0:
                    break
                if end - start > _INLINE_DATA_BYTES:
                    lengths.append(end - start)
                    break
            position = body.find(mark, max(position + 1, end))
    return lengths


def chars_per_token(model: str) -> float:
    """Bytes per token of the tokenizer behind `model`, by its name."""
    found = _CLAUDE.search(model)
    if found and (int(found[1]), int(found[2] or 0)) >= _NEW_CLAUDE:
        return CHARS_PER_TOKEN_CLAUDE
    return CHARS_PER_TOKEN


def complexity(*, tokens: int, tools: int, ask: Ask, course: Course) -> dict[str, float]:
    """Each signal's share of the complexity: all 0 or more, summing to at most 1.

    Every signal is its weight times a curve from 0 to 1 that never falls, so more of anything is never simpler.
    Logarithms where the tenth unit matters less than the first. Chained tool calls are expected where the ask has
    several steps, where tools are offered at all, and where the session's tasks took many calls so far.
    """
    calls_per_task = course.depth / max(1, course.tasks)
    length = (1 - _ASK_SHARE) * _log(tokens, full=128_000, scale=1_000) + _ASK_SHARE * _log(
        ask.chars, full=600, scale=100
    )
    chained = (
        0.4 * _log(ask.steps, full=8, scale=1)
        + 0.3 * _log(tools, full=25, scale=5)
        + 0.3 * _log(calls_per_task, full=20, scale=2)
    )
    curves = {
        "input_length": length,
        "prior_failure": _log(course.failures, full=4, scale=1),
        "chained_calls": chained,
        "caller_history": min(1.0, max(0.0, course.history)),
        "files_named": _log(ask.files_named, full=8, scale=1),
        "code": min(1.0, max(0.0, ask.code_share)),
        "depth": _log(course.depth, full=60, scale=4),
    }
    return {name: round(weight * curves[name], 4) for name, weight in WEIGHTS.items()}


def hardness(calls: int, failures: int) -> float:
    """How hard a finished task was, 0..1: the calls it took, and what failed on the way."""
    return 0.5 * _log(calls, full=30, scale=3) + 0.5 * _log(failures, full=4, scale=1)


def features(request: Request, turn: Turn, ask: Ask, course: Course, caller: Caller, *, headless: bool) -> Features:
    """The numbers of one call."""
    tokens = input_tokens(request)
    parts = complexity(tokens=tokens, tools=len(request.tool_names), ask=ask, course=course)
    waits, reason = waiting(turn, caller, headless=headless)
    ties = bound(request.dialect, request.plain)
    return Features(
        input_tokens=tokens,
        body_bytes=len(request.plain),
        message_count=request.message_count,
        tools_offered=len(request.tool_names),
        code_share=ask.code_share,
        files_named=ask.files_named,
        has_images=request.has_images,
        tool_errors=sum(message.tool_errors for message in request.recent),
        complexity=min(1.0, sum(parts.values())),
        complexity_parts=parts,
        waiting=waits,
        waiting_reason=reason,
        marks_cache=ties.marks_cache,
        marks_hour=ties.marks_hour,
        sealed=ties.sealed,
        previous_response=ties.previous_response,
    )


def waiting(turn: Turn, caller: Caller, *, headless: bool) -> tuple[bool, str]:
    """Whether a person waits for this answer, with the reason code; in doubt somebody does."""
    if caller.lane == "batch":
        return False, "caller asks for the batch lane"
    if caller.deadline_s is not None:
        patient = caller.deadline_s > PATIENCE_S
        return not patient, "deadline is far" if patient else "deadline is near"
    if not _PATIENT_TAGS.isdisjoint(caller.tags):
        return False, "caller is tagged as unattended"
    if turn.kind == "housekeeping" and turn.housekeeping not in _BLOCKING:
        return False, "housekeeping beside the conversation"
    if headless:
        return False, "client runs headless"
    return True, "interactive" if turn.client != "unknown" else "nobody said that it can wait"


def _log(value: float, *, full: float, scale: float) -> float:
    """0 at 0, 1 at `full` and above, logarithmic between; `scale` is where the curve begins to bend."""
    return min(1.0, math.log1p(max(0.0, value) / scale) / math.log1p(full / scale))
