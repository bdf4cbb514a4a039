"""Many sessions of every profile under every policy, added up, and whether ours held what it must."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lanewise.journey import Value
from lanewise.money import PriceBook
from lanewise.select.turns import Turns
from lanewise.simulate.profiles import PROFILES, Profile, World, session
from lanewise.simulate.sessions import POLICIES, Play, Policy, Pool, Tally


class Sum(Value, frozen=True, kw_only=True):
    """All sessions of one profile under one policy."""

    cost_pusd_per_session: int
    calls: int
    retries: int
    switches: int
    unsafe: int
    overhead_share_max: float
    """Of all sessions at all calls."""
    forced_share: float
    """Overhead of forced switches in the never-switch bill, of all sessions together."""


class Compared(Value, frozen=True, kw_only=True):
    """One profile."""

    client: str
    sessions: int
    policies: dict[Policy, Sum]

    def failures(self, share: float) -> tuple[str, ...]:
        """What ours does not hold; empty if it holds all."""
        ours = self.policies["ours"]
        found = [
            f"not cheaper than {name}"
            for name in ("never", "scorer")
            if ours.cost_pusd_per_session >= self.policies[name].cost_pusd_per_session
        ]
        if ours.unsafe:
            found.append("switches inside a tool loop")
        if ours.overhead_share_max > share:
            found.append("breaks the promise")
        return tuple(found)


def compare(*, sessions: int, seed: int, share: float, world: World, book: PriceBook) -> tuple[Compared, ...]:
    """Play `sessions` sessions, spread evenly over the profiles; the same seed gives the same figures anywhere."""
    counts = [len(range(number, sessions, len(PROFILES))) for number in range(len(PROFILES))]
    return tuple(
        _profile(profile, count, (seed, number), share, world, book)
        for number, (profile, count) in enumerate(zip(PROFILES, counts, strict=True))
        if count
    )


def _profile(
    profile: Profile, count: int, seed: Sequence[int], share: float, world: World, book: PriceBook
) -> Compared:
    pool = Pool(profile, book)
    learnt = {policy: Turns() for policy in POLICIES}
    tallies: dict[Policy, list[Tally]] = {policy: [] for policy in POLICIES}
    for number in range(count):
        tasks = session(profile, world, np.random.default_rng([*seed, number]))
        for policy in POLICIES:
            tallies[policy].append(Play(policy, profile, pool, share, learnt[policy]).run(tasks))
    return Compared(
        client=profile.client, sessions=count, policies={policy: _sum(rows) for policy, rows in tallies.items()}
    )


def _sum(rows: Sequence[Tally]) -> Sum:
    return Sum(
        cost_pusd_per_session=sum(row.cost_pusd for row in rows) // len(rows),
        calls=sum(row.calls for row in rows),
        retries=sum(row.retries for row in rows),
        switches=sum(row.switches for row in rows),
        unsafe=sum(row.unsafe for row in rows),
        overhead_share_max=max(row.overhead_share for row in rows),
        forced_share=sum(row.forced_pusd for row in rows) / sum(row.never_switch_pusd for row in rows),
    )
