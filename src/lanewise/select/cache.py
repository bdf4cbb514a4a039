"""What a prompt cache would hold at a model that did not answer, so that a saving is measured against a warm baseline.

A call reports the cache of the model that served it, or none. Priced with that, the baseline would pay in full for a
prefix that it would have read from its cache, and every saving would be overstated. So the other model's cache is
assumed to hold the conversation's last prompt for the time to live. Bounded, in memory, clock injected.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import NamedTuple

import msgspec

from lanewise.journey import Usage

TTL_S = 300.0
"""Anthropic's default and the least that OpenAI promises: five minutes since the last use."""

MIN_PREFIX_TOKENS = 1024
"""Shorter prompts are cached by neither vendor."""


class _Prefix(NamedTuple):
    tokens: int
    at_s: float


class WarmPrefixes:
    """Session id -> the prompt it last sent, least recently used out first."""

    def __init__(self, capacity: int = 20_000) -> None:
        self._capacity = capacity
        self._prefixes: OrderedDict[str, _Prefix] = OrderedDict()

    def seen(self, session_id: str, prompt_tokens: int, now_s: float) -> int:
        """Note a prompt of the conversation; the tokens of it that a model serving all of it would find cached."""
        last = self._prefixes.pop(session_id, None)
        self._prefixes[session_id] = _Prefix(prompt_tokens, now_s)
        if len(self._prefixes) > self._capacity:
            self._prefixes.popitem(last=False)
        if last is None or now_s - last.at_s > TTL_S or last.tokens < MIN_PREFIX_TOKENS:
            return 0
        return min(last.tokens, prompt_tokens)


def served_elsewhere(usage: Usage, *, cached_tokens: int, writes: bool) -> Usage:
    """The same prompt and output as another model would have billed them.

    Args:
        usage: As reported by the model that served.
        cached_tokens: See `WarmPrefixes.seen`.
        writes: The client marks its prompt for caching, so that the rest is written at the premium (Anthropic).
    """
    rest = max(0, usage.prompt_tokens - cached_tokens)
    written = rest if writes and usage.prompt_tokens >= MIN_PREFIX_TOKENS else 0
    return msgspec.structs.replace(
        usage,
        input_tokens=rest - written,
        cache_read_tokens=min(cached_tokens, usage.prompt_tokens),
        cache_write_5m_tokens=written,
        cache_write_1h_tokens=0,
        service_tier="standard",
        reported_cost_pusd=None,
    )
