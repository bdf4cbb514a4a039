"""Tokens of a simulated provider: how many a prompt has, and how many of them its prompt cache already held.

A cache holds prefixes: a prompt is cut into its tools, system texts and messages, and the longest run of leading
pieces that the same model has seen before is read from the cache. Unlike the real ones it forgets nothing during the
demo, whose whole day takes seconds. Knows no prices.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any, Literal, TypeAlias

import msgspec

from lanewise.journey import Dialect, Usage

Caching: TypeAlias = Literal["none", "automatic"]

ServiceTier: TypeAlias = Literal["standard", "batch", "flex"]

CHARS_PER_TOKEN_CLAUDE = 2.5
"""Measured on code for the tokenizers of Claude 4.7 and later: about 1.5 times the tokens of o200k."""

CHARS_PER_TOKEN = 3.7
"""Measured on code for o200k-like tokenizers."""

MIN_CACHED_TOKENS = 1024
"""Shorter prefixes are not cached by the real providers."""


def tokens(text_bytes: int, model: str) -> int:
    """Tokens of `text_bytes` bytes, rounded up."""
    per_token = CHARS_PER_TOKEN_CLAUDE if model.startswith("claude") else CHARS_PER_TOKEN
    return -int(-text_bytes // per_token)


class Meter:
    """Counts usage for one provider and keeps its prompt cache."""

    def __init__(self, caching: Caching) -> None:
        self._caching = caching
        self._seen: set[bytes] = set()

    def usage(
        self,
        dialect: Dialect,
        body: dict[str, Any],  # the parsed request of any client
        model: str,
        answered_chars: int,
        thinking_chars: int,
        tier: ServiceTier,
    ) -> Usage:
        """Usage of a request and its answer; the prompt is in the cache afterwards."""
        pieces = list(prompt_pieces(body))
        prompt = tokens(sum(map(len, pieces)), model)
        cached = min(prompt, tokens(self._cached_bytes(model, pieces), model)) if self._caching == "automatic" else 0
        if cached < MIN_CACHED_TOKENS:
            cached = 0
        marked = dialect == "messages" and self._caching == "automatic" and model.startswith("claude")
        reasoning = tokens(thinking_chars, model)
        return Usage(
            input_tokens=0 if marked else prompt - cached,
            cache_read_tokens=cached,
            cache_write_5m_tokens=prompt - cached if marked else 0,
            output_tokens=tokens(answered_chars, model) + reasoning,
            reasoning_tokens=reasoning,
            service_tier=tier,
        )

    def _cached_bytes(self, model: str, pieces: list[bytes]) -> int:
        """Bytes of the longest known prefix; remembers every prefix of this prompt."""
        digest = hashlib.sha256(model.encode())
        known = size = 0
        for piece in pieces:
            digest.update(piece)
            size += len(piece)
            prefix = digest.digest()
            if prefix in self._seen:
                known = size
            self._seen.add(prefix)
        return known


def prompt_pieces(body: dict[str, Any]) -> Iterator[bytes]:
    """Tools, system texts and messages in the order in which a provider reads them, without cache marks."""
    for key in ("tools", "system", "instructions", "messages", "input"):
        value = body.get(key)
        if isinstance(value, list):
            yield from (msgspec.json.encode(_unmarked(item)) for item in value)
        elif value:
            yield msgspec.json.encode(value)


def _unmarked(item: Any) -> Any:
    """An item of a request without `cache_control`, which moves from turn to turn and is no part of the prompt."""
    if not isinstance(item, dict):
        return item
    content = item.get("content")
    if isinstance(content, list):
        content = [{k: v for k, v in b.items() if k != "cache_control"} if isinstance(b, dict) else b for b in content]
        # A lone text block and a plain string are the same prompt.
        if len(content) == 1 and isinstance(content[0], dict) and content[0].keys() == {"type", "text"}:
            content = content[0]["text"]
        item = {**item, "content": content}
    return {key: value for key, value in item.items() if key != "cache_control"}
