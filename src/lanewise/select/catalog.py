"""Every model that may answer, with its endpoints, capabilities and price; and what a caller's model name means.

Built once per config. Knows no request: names in, entries out.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from typing import Protocol

import msgspec

from lanewise.config import ModelSettings, Settings
from lanewise.errors import NoCandidate
from lanewise.journey import Candidate, Dialect, Lane, Tier, Value
from lanewise.money import ModelPrice, PriceBook, fixed_price

LANE_NAMES = frozenset({"lane:local", "lane:batch", "lane:realtime"})
"""Names by which a caller insists on one lane."""

AUTO = frozenset({"auto", "auto:cheap"}) | LANE_NAMES
"""Names by which a caller asks to be routed, whatever the mode."""


FLEX_VENDORS = frozenset({"openai"})
"""Vendors that take `service_tier: "flex"` in the body (OpenAI's reference, checked 2026-11)."""

REMEMBERED_NAMES = 1000
"""Unconfigured model names whose entry is kept: callers name a few, hostile ones many."""


class Endpoint(Protocol):
    """What the catalog needs to know of a provider."""

    @property
    def name(self) -> str:
        """Name of its row."""

    @property
    def dialects(self) -> tuple[Dialect, ...]:
        """Dialects it speaks."""

    @property
    def lane(self) -> Lane:
        """Lane of its models."""

    @property
    def vendor(self) -> str:
        """Whose prices apply; empty for a private endpoint."""


class Entry(Value, frozen=True, kw_only=True):
    """One model at one endpoint."""

    candidate: Candidate
    dialects: tuple[Dialect, ...]
    context_tokens: int | None
    """None where nobody states it: then it refuses nothing."""
    vision: bool | None
    tools: bool
    price: ModelPrice | None
    """None = unknown."""
    vendor: str = ""
    """Whose prompt cache it has; `local` for an engine of one's own."""


class Catalog:
    """The models of one configuration."""

    def __init__(self, settings: Settings, endpoints: Mapping[str, Endpoint], prices: PriceBook) -> None:
        self._endpoints = endpoints
        self._aliases = settings.aliases
        self._baseline = settings.routing.baseline
        self._prices = prices
        self._passages: dict[tuple[str, str], Entry] = {}
        self._fixed = {name: _fixed(name, row) for name, row in settings.models.items() if row.price is not None}
        self._by_model = {name: tuple(self._entries(name, row)) for name, row in settings.models.items()}
        named = [entry for entries in self._by_model.values() for entry in entries]
        self.entries = tuple(variant for entry in named for variant in self._variants(entry))
        self._of = {entry.candidate: entry for entry in self.entries}

    def _variants(self, entry: Entry) -> Iterator[Entry]:
        """The entry and, where its vendor sells a slower queue by a word in the body, the same one there."""
        yield entry
        price = entry.price
        sold = price is not None and any(level.flex for level in price.levels)
        if sold and self._endpoints[entry.candidate.provider].vendor in FLEX_VENDORS:
            yield msgspec.structs.replace(entry, candidate=msgspec.structs.replace(entry.candidate, service="flex"))

    @functools.cached_property
    def names(self) -> tuple[str, ...]:
        """Names a caller may use: models, aliases, and the routed names if a baseline stands for them.

        Without configured models, those that the vendors of the providers have a price for.
        """
        lanes = {f"lane:{entry.candidate.lane}" for entry in self.entries}
        offered = sorted(AUTO - (LANE_NAMES - lanes))
        routed = offered if self._baseline else []
        return (*(self._by_model or self._priced()), *self._aliases, *routed)

    def _priced(self) -> list[str]:
        vendors = {endpoint.vendor for endpoint in self._endpoints.values() if endpoint.vendor}
        found: dict[str, list[str]] = {vendor: [] for vendor in sorted(vendors)}
        for name in self._prices.names():
            price = self._prices.find(name) if "/" not in name else None
            if price is not None and price.vendor in vendors and price.mode != "embedding":
                found[price.vendor].append(name)
        return [name for names in found.values() for name in sorted(names)]

    def baseline(self, name: str, dialect: Dialect) -> tuple[Entry, ...]:
        """The endpoints that answer for `name` in `dialect`, in failover order.

        A name nobody configured goes, as named, to the first provider of the dialect.

        Raises:
            NoCandidate: `name` needs a configured baseline and there is none, or nobody speaks the dialect.
        """
        name = self._aliases.get(name, name)
        if name in AUTO or not name:
            if not self._baseline:
                raise NoCandidate(
                    f"model {name or '(none)'!r} needs a baseline", hint="set routing.baseline, or name a model"
                )
            name = self._aliases.get(self._baseline, self._baseline)
        configured = tuple(entry for entry in self._by_model.get(name, ()) if dialect in entry.dialects)
        if configured:
            return configured
        if name in self._by_model:
            spoken = sorted({d for entry in self._by_model[name] for d in entry.dialects})
            raise NoCandidate(
                f"model {name!r} is served in {', '.join(spoken)} only, not in {dialect}",
                hint=f"give its provider the dialect {dialect!r}, or name another model",
            )
        return self.passage(name, dialect)

    def passage(self, name: str, dialect: Dialect) -> tuple[Entry, ...]:
        """The first provider of `dialect`, asked for `name` as it stands; empty for calls that name no model.

        Raises:
            NoCandidate: Nobody speaks the dialect.
        """
        for endpoint in self._endpoints.values():
            if dialect in endpoint.dialects:
                return (self._unconfigured(name, endpoint.name),)
        raise NoCandidate(
            f"no provider speaks the dialect {dialect!r}", hint=f'add one with dialects = ["{dialect}"] to the config'
        )

    def entry_of(self, candidate: Candidate) -> Entry | None:
        """The entry behind a candidate, also of one that was made for an unconfigured name; None if its row is gone."""
        found = self._of.get(candidate)
        if found is not None:
            return found
        return (
            self._unconfigured(candidate.model, candidate.provider) if candidate.provider in self._endpoints else None
        )

    def _unconfigured(self, name: str, provider: str) -> Entry:
        """An entry for a name that only callers know; kept for the next call, up to a bound."""
        found = self._passages.get((name, provider))
        if found is None:
            if len(self._passages) >= REMEMBERED_NAMES:
                self._passages.clear()
            found = self._entry(name, ModelSettings(provider=provider), self._endpoints[provider])
            self._passages[name, provider] = found
        return found

    def _entries(self, name: str, row: ModelSettings) -> Iterator[Entry]:
        for provider in (row.provider,) if isinstance(row.provider, str) else row.provider:
            yield self._entry(name, row, self._endpoints[provider])

    def _entry(self, name: str, row: ModelSettings, endpoint: Endpoint) -> Entry:
        listed = self._listed(name, row.upstream_model, endpoint)
        tier: Tier = row.tier
        return Entry(
            candidate=Candidate(
                lane=endpoint.lane,
                tier=tier,
                model=name,
                upstream_model=row.upstream_model or name,
                provider=endpoint.name,
            ),
            dialects=endpoint.dialects,
            context_tokens=row.context_tokens or (listed.context_tokens if listed else None),
            vision=row.vision if row.vision is not None else (listed.vision if listed else None),
            tools=row.tools,
            vendor="local" if endpoint.lane == "local" else endpoint.vendor,
            price=self._fixed.get(name, listed),  # one set by hand says what it costs, not what it can do
        )

    def _listed(self, name: str, upstream_model: str, endpoint: Endpoint) -> ModelPrice | None:
        """The vendor's price and capabilities; an engine of one's own has none of them."""
        if endpoint.lane == "local":
            return None
        found = self._prices.find(name, endpoint.vendor)
        return found or (self._prices.find(upstream_model, endpoint.vendor) if upstream_model else None)


def _fixed(name: str, row: ModelSettings) -> ModelPrice:
    stated = row.price
    assert stated is not None
    read, write = stated.cache_read_usd_per_mtok, stated.cache_write_usd_per_mtok
    return fixed_price(
        name,
        vendor="",
        input_usd_per_mtok=str(stated.input_usd_per_mtok),
        output_usd_per_mtok=str(stated.output_usd_per_mtok),
        cache_read_usd_per_mtok=None if read is None else str(read),
        cache_write_usd_per_mtok=None if write is None else str(write),
    )
