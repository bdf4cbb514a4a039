"""Turn a request into the numbers that routing and selection may know: size, complexity, and whether somebody waits.

Nothing here reads what a text means, and no text leaves: the values are counts, shares and reason codes.
"""

from __future__ import annotations

import math
import re

from lanewise.classify.prose import part
from lanewise.journey import Caller, Features, Identity, Request, Turn, Value

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
    "prompt_size": 0.25,
    "tool_failures": 0.20,
    "files_named": 0.15,
    "depth": 0.15,
    "ask_length": 0.10,
    "code": 0.10,
    "tools_offered": 0.05,
}
"""Most each signal can add; together 1. Size leads because it bounds which models can do the work at all; failures
come next because they are evidence and not guesses. Hand-set: no outcome has taught them yet."""


class Ask(Value, frozen=True, kw_only=True):
    """The measures of what the user wrote; kept with the task so that its continuations need not read it again."""

    chars: int = 0
    code_share: float = 0.0
    files_named: int = 0


def measure(text: str) -> Ask:
    """Measure the user's words, harness text removed."""
    parted = part(text)
    files = len(set(_FILE.findall(text))) if "." in text else 0
    share = parted.code_chars / parted.chars if parted.chars else 0.0
    return Ask(chars=parted.chars, code_share=round(share, 3), files_named=files)


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


def complexity(*, tokens: int, tools: int, depth: int, failures: int, ask: Ask) -> dict[str, float]:
    """Each signal's share of the complexity: all 0 or more, summing to at most 1.

    Every signal is its weight times a curve from 0 to 1 that never falls, so more of anything is never simpler.
    Logarithms where the tenth unit matters less than the first.
    """
    curves = {
        "prompt_size": _log(tokens, full=128_000, scale=1_000),
        "tool_failures": _log(failures, full=4, scale=1),
        "files_named": _log(ask.files_named, full=8, scale=1),
        "depth": _log(depth, full=60, scale=4),
        "ask_length": _log(ask.chars, full=1_300, scale=100),
        "code": min(1.0, max(0.0, ask.code_share)),
        "tools_offered": _log(tools, full=25, scale=5),
    }
    return {name: round(weight * curves[name], 4) for name, weight in WEIGHTS.items()}


def features(request: Request, turn: Turn, ask: Ask, identity: Identity, caller: Caller, *, headless: bool) -> Features:
    """The numbers of one call."""
    tokens = input_tokens(request)
    failures = sum(message.tool_errors for message in request.recent)
    parts = complexity(tokens=tokens, tools=len(request.tool_names), depth=identity.depth, failures=failures, ask=ask)
    waits, reason = waiting(turn, caller, headless=headless)
    return Features(
        input_tokens=tokens,
        body_bytes=len(request.plain),
        message_count=request.message_count,
        tools_offered=len(request.tool_names),
        code_share=ask.code_share,
        files_named=ask.files_named,
        has_images=request.has_images,
        tool_errors=failures,
        complexity=min(1.0, sum(parts.values())),
        complexity_parts=parts,
        waiting=waits,
        waiting_reason=reason,
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
