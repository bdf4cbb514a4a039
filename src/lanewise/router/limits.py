"""What nobody may do for a caller, whatever the mode: regions, what the key may use, what it may still spend.

Limits hold for routed calls, for the baseline, for pinned calls and for those that are never routed. They refuse: where
they leave nobody, the caller gets an error and no other model.
"""

from __future__ import annotations

import numpy as np

from lanewise.errors import BudgetSpent, LanewiseError, NotAllowed
from lanewise.journey import Caller, Candidate, Value
from lanewise.route import resident
from lanewise.router.situation import KeyPolicy, Policy
from lanewise.select import Flags, Table


class Limits(Value, frozen=True, kw_only=True):
    """The limits of one call."""

    key: KeyPolicy
    key_id: str
    regions: dict[str, str]
    """Provider -> region."""
    demanded: tuple[str, ...]
    """Regions that the configuration allows; empty for all."""
    spent: bool
    """Nothing is left of the key's budget."""
    free: frozenset[Candidate]
    """Candidates that cost nothing."""

    @property
    def demands_region(self) -> bool:
        """Whether regions matter at all."""
        return bool(self.demanded or self.key.regions)

    def resident(self, table: Table) -> Flags:
        """Which entries are in a region that is allowed."""
        flags: Flags = np.array([self._resident(candidate) for candidate in table.candidates], dtype=np.bool_)
        return flags

    def forbids(self, candidate: Candidate) -> str:
        """The reason code for which `candidate` may not serve; empty if it may."""
        if self.demands_region and not self._resident(candidate):
            return "residency"
        key = self.key
        if (key.models and candidate.model not in key.models) or (key.lanes and candidate.lane not in key.lanes):
            return "key_policy"
        if key.tier and candidate.tier != key.tier:
            return "key_policy"
        return "budget_spent" if self.spent and candidate not in self.free else ""

    def refusal(self, candidate: Candidate) -> LanewiseError:
        """The error for a call that `candidate` would have answered, and nobody else may."""
        why = self.forbids(candidate)
        if why == "budget_spent":
            return BudgetSpent(
                f"the budget of key {self.key_id!r} for today is spent",
                hint="it begins anew at 00:00 UTC; `lanewise report --by key` shows what it went to",
            )
        if why == "residency":
            where = self.regions.get(candidate.provider) or "no stated region"
            return NotAllowed(
                f"provider {candidate.provider!r} is in {where}, and nobody in an allowed region can serve this call",
                hint="name a model of an allowed region, or see `routing.regions` and the key's `regions`",
            )
        return NotAllowed(
            f"key {self.key_id!r} may not use model {candidate.model!r}",
            hint="name one that it may use; the key's `models`, `lanes` and `tier` say which",
        )

    def _resident(self, candidate: Candidate) -> bool:
        return resident(self.regions.get(candidate.provider, ""), candidate.lane, self.demanded, self.key.regions)


def limits_of(policy: Policy, caller: Caller, spent_pusd: int) -> Limits:
    """The limits of a call by `caller`, who has spent this much today."""
    key = policy.keys.get(caller.key_id, KeyPolicy())
    spent = key.budget_pusd is not None and spent_pusd >= key.budget_pusd
    free = [e.candidate for e in policy.entries if e.price is None and e.candidate.lane == "local"] if spent else []
    return Limits(
        key=key,
        key_id=caller.key_id,
        regions=policy.regions,
        demanded=policy.routing.regions,
        spent=spent,
        free=frozenset(free),
    )
