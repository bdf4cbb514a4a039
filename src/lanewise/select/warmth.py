"""What of a conversation's prompt lies in which model's prompt cache: tokens, time of the last use, time to live.

Frozen values and the vendors' rules. Prices are not here (`money`), nor what follows from warmth (`stay`). Times are
seconds of one clock, POSIX time where a decision has to be replayed from the ledger.
"""

from __future__ import annotations

import datetime as dt

from lanewise.journey import Value

MAX_WARM = 8
"""Models of which one conversation's cache is remembered; the least recently used is forgotten, that is: cold."""


class CacheRules(Value, frozen=True, kw_only=True):
    """How one vendor's prompt cache behaves. Whether a write has a premium is in the price, not here."""

    ttl_s: float
    """Since the last use, which refreshes it. The least that is promised."""
    min_prefix_tokens: int
    """Shorter prompts are not cached."""
    needs_mark: bool = False
    """Only what the client marks (`cache_control`) is cached."""
    marked_ttl_s: float | None = None
    """Where the client asks for the long one (`"ttl": "1h"`)."""
    source: str
    read_on: dt.date

    def caches(self, *, prompt_tokens: int, marked: bool) -> bool:
        """Whether such a prompt is written to the cache at all."""
        return prompt_tokens >= self.min_prefix_tokens and (marked or not self.needs_mark)

    def ttl(self, *, hour: bool) -> float:
        """Seconds that a prompt stays, `hour` where the client asked for the long time."""
        return self.marked_ttl_s if hour and self.marked_ttl_s is not None else self.ttl_s


_READ_ON = dt.date(2026, 11, 25)
_OURS = "not stated by the vendor; our cautious assumption"

RULES: dict[str, CacheRules] = {
    "anthropic": CacheRules(
        ttl_s=300,
        min_prefix_tokens=1024,
        needs_mark=True,
        marked_ttl_s=3600,
        source="Anthropic's manual on prompt caching: 5 minutes or 1 hour, refreshed by use, 1,024 tokens and more",
        read_on=_READ_ON,
    ),
    "openai": CacheRules(
        ttl_s=300,
        min_prefix_tokens=1024,
        source="OpenAI's guide to prompt caching: automatic from 1,024 tokens, 5 to 10 minutes of inactivity",
        read_on=_READ_ON,
    ),
    "deepseek": CacheRules(
        ttl_s=3600,
        min_prefix_tokens=64,
        source="DeepSeek's guide to context caching: on disk, in units of 64 tokens, hours to days",
        read_on=_READ_ON,
    ),
    "gemini": CacheRules(ttl_s=300, min_prefix_tokens=2048, source=f"implicit caching; {_OURS}", read_on=_READ_ON),
    "local": CacheRules(
        ttl_s=600, min_prefix_tokens=1, source=f"prefix cache of a bounded engine; {_OURS}", read_on=_READ_ON
    ),
}
"""By the vendor's name in the price list; `local` for engines of one's own."""

OTHER = CacheRules(ttl_s=300, min_prefix_tokens=1024, source=_OURS, read_on=_READ_ON)
"""For vendors that are not listed."""


def rules_of(vendor: str) -> CacheRules:
    """The rules of `vendor`, cautious ones where we know none."""
    return RULES.get(vendor, OTHER)


class Warmth(Value, frozen=True, kw_only=True):
    """One model's cache of one conversation."""

    provider: str
    model: str
    tokens: int
    """Of the last prompt that this model answered, if that is a prefix of the present one."""
    used_at_s: float
    ttl_s: float

    def tokens_at(self, prompt_tokens: int, now_s: float) -> int:
        """Tokens of a prompt that would be read from the cache. A clock that went back ages nothing."""
        return min(self.tokens, prompt_tokens) if now_s - self.used_at_s <= self.ttl_s else 0


class Caches(Value, frozen=True, kw_only=True):
    """All caches of one conversation, least recently used first. A sub-agent is a conversation of its own."""

    warm: tuple[Warmth, ...] = ()

    def tokens(self, provider: str, model: str, *, prompt_tokens: int, now_s: float) -> int:
        """Tokens of a prompt that `model` at `provider` would read from its cache."""
        for one in self.warm:
            if one.model == model and one.provider == provider:
                return one.tokens_at(prompt_tokens, now_s)
        return 0

    def served(
        self,
        provider: str,
        model: str,
        *,
        prompt_tokens: int,
        now_s: float,
        rules: CacheRules,
        marked: bool = True,
        hour: bool = False,
    ) -> Caches:
        """The caches after `model` answered a prompt."""
        others = tuple(one for one in self.warm if one.model != model or one.provider != provider)
        if not rules.caches(prompt_tokens=prompt_tokens, marked=marked):
            return Caches(warm=others)
        ttl_s = rules.ttl(hour=hour)
        new = Warmth(provider=provider, model=model, tokens=prompt_tokens, used_at_s=now_s, ttl_s=ttl_s)
        return Caches(warm=(*others, new)[-MAX_WARM:])

    def compacted(self) -> Caches:
        """The caches after the client rewrote its history: the old prompts are no prefixes of the new one."""
        return Caches()
