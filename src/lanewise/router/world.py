"""What one configuration says: who can answer, at what price. A reload replaces it as a whole."""

from __future__ import annotations

from collections.abc import Mapping

from lanewise.config import Settings
from lanewise.money import PriceBook
from lanewise.route import Load
from lanewise.router.opinions import SecondOpinion
from lanewise.select import Catalog
from lanewise.upstream import Provider, can_authorise, providers


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

    def authorised(self, credential: str, addressed: str) -> frozenset[str]:
        """Providers that a call with this client credential may be sent to."""
        return frozenset(
            name
            for name, provider in self.providers.items()
            if can_authorise(provider, self.env, credential, addressed=name == addressed)
        )

    def local_load(self, in_flight: Mapping[str, int]) -> Load:
        """The queue of the local lane as a whole; slots are unknown as soon as one engine's are."""
        local = [provider for provider in self.providers.values() if provider.lane == "local"]
        slots = [provider.slots for provider in local]
        known = sum(count for count in slots if count is not None)
        return Load(
            in_flight=sum(in_flight.get(provider.name, 0) for provider in local),
            slots=known if local and None not in slots else None,
        )
