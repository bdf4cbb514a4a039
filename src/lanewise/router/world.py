"""What one configuration says: who can answer, at what price. A reload replaces it as a whole."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from lanewise.config import KeySettings, Settings
from lanewise.journey import Caller, Reading, Request, Value
from lanewise.money import PUSD_PER_USD, PriceBook
from lanewise.route import QueueState
from lanewise.router.experience import Experience
from lanewise.router.limits import Limits, limits_of
from lanewise.router.opinions import SecondOpinion
from lanewise.router.situation import KeyPolicy, Policy, Rulebook, Situation
from lanewise.select import Catalog, Entry, Need, Pin
from lanewise.upstream import Provider, can_authorise, credential_of, providers

MAX_TOKENS: Final = 10**9
"""More than any body holds or any model writes: what clients claim beyond it would only overflow."""


class Conditions(Value, frozen=True, kw_only=True):
    """What a decision needs of the moment."""

    now: dt.datetime
    queues: Mapping[str, QueueState] = MappingProxyType({})
    """Queue of each local provider."""
    spent_pusd: int = 0
    """By the caller's key this UTC day."""
    unhealthy: frozenset[str] = frozenset()
    pin: Pin | None = None
    """Who serves the task so far."""


class World:
    """What one configuration says: who can answer, at what price, and who is asked for a skill."""

    def __init__(
        self,
        settings: Settings,
        env: Mapping[str, str],
        prices: PriceBook,
        *,
        opinions: tuple[SecondOpinion, ...] = (),
    ) -> None:
        self.opinions = opinions
        self.settings = settings
        self.env = env
        self.providers: dict[str, Provider] = providers(settings)
        self.catalog = Catalog(settings, self.providers, prices)
        self.rulebook = Rulebook(
            Policy(
                entries=self.catalog.entries,
                routing=settings.routing,
                skills=settings.skills,
                keys={name: _key_policy(row) for name, row in settings.keys.items()},
                rules=settings.rules,
                aliases=settings.aliases,
                regions={name: row.region for name, row in settings.providers.items()},
            )
        )

    def authorised(self, credential: str, addressed: str) -> tuple[str, ...]:
        """Providers that a call with this client credential may be sent to."""
        return tuple(
            name
            for name, provider in self.providers.items()
            if can_authorise(provider, self.env, credential, addressed=name == addressed)
        )

    def baselines(self, request: Request, caller: Caller) -> tuple[Entry, ...]:
        """Who answers unless somebody else is chosen. A call that names no model, such as a file's upload, passes.

        Raises:
            NoCandidate: The named model resolves to nothing.
        """
        named = caller.pin or request.model
        if not named and request.operation != "generate":
            return self.catalog.passage("", request.dialect)
        return self.catalog.baseline(named, request.dialect)

    def limits(self, caller: Caller, spent_pusd: int) -> Limits:
        """What nobody may do for `caller`, whatever the mode."""
        return limits_of(self.rulebook.policy, caller, spent_pusd)

    def situation(
        self, request: Request, caller: Caller, reading: Reading, conditions: Conditions, experience: Experience
    ) -> Situation:
        """What `decide` is to see of a call.

        Raises:
            NoCandidate: The named model resolves to nothing.
        """
        baselines = self.baselines(request, caller)
        first = baselines[0]
        passage = None if first.candidate in self.rulebook.positions else first
        return Situation(
            at=conditions.now,
            operation=request.operation,
            model=request.model,
            need=Need(
                dialect=request.dialect,
                input_tokens=min(reading.features.input_tokens, MAX_TOKENS),
                max_tokens=None if request.max_tokens is None else min(max(request.max_tokens, 0), MAX_TOKENS),
                has_images=request.has_images,
                has_tools=bool(request.tool_names),
            ),
            baselines=tuple(entry.candidate for entry in baselines),
            passage=passage,
            authorised=self.authorised(credential_of(request.headers, request.target), first.candidate.provider),
            unavailable=tuple(sorted(conditions.unhealthy)),
            stream=request.stream,
            spent_pusd=conditions.spent_pusd,
            queues=dict(conditions.queues),
            pin=conditions.pin,
            conversation=experience.conversation(reading),
            turns=experience.turns(reading),
            growth_tokens=experience.growth_tokens(reading),
            evidence=experience.evidence(reading, self.rulebook.table(passage), conditions.now),
            failing=experience.failing(reading),
            caller_need=experience.caller_need(caller, reading, conditions.now),
        )


def _key_policy(row: KeySettings) -> KeyPolicy:
    budget = row.budget_usd_per_day
    return KeyPolicy(
        lanes=row.lanes,
        tier=row.tier,
        mode=row.mode,
        models=row.models,
        regions=row.regions,
        budget_pusd=None if budget is None else int(budget * PUSD_PER_USD),
    )
