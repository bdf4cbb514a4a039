"""The price book: one question, "what does this model cost at this vendor?", answered exactly or not at all.

Layers a dated price list (shipped, or a later one of the user's), our corrections, and prices from the config. It
never guesses: a name that is not listed has no price, and an unknown price is None, not zero.
"""

from __future__ import annotations

import re
from pathlib import Path

from lanewise.money import overrides as corrections
from lanewise.money import snapshot as files
from lanewise.money.amounts import pusd_per_token
from lanewise.money.snapshot import Snapshot
from lanewise.money.values import Level, ModelPrice, Rates, Rise

USER_FILE = "prices.json"
"""Name of the user's own price list in the data directory."""

_HERE = Path(__file__).parent

_MAKERS = ("gemini", "xai", "moonshot", "zai", "mistral", "minimax", "deepseek")
"""Vendors listed with a prefix that sell only models of their own, so that a bare name says whose list price it is."""

_DATED = re.compile(r"^(?P<name>.+?)(-latest|-20\d{6}|-20\d\d-\d\d-\d\d)$")
"""The ways a vendor names one dated build of a model, or the newest."""


class PriceBook:
    """Prices by model name; immutable, safe to share, and lazy: a model is built when first asked for."""

    def __init__(self, prices: Snapshot, overrides: corrections.Overrides) -> None:
        self.prices = prices
        """The price list without our corrections."""
        self.snapshot = f"{prices.id}+lanewise.{overrides.revision}"
        """Id of this state of prices, on each row that was computed with it."""
        self._overrides = overrides
        self._amendments = {entry.model: entry for entry in overrides.price}
        self._built: dict[str, ModelPrice | None] = {}

    @classmethod
    def load(cls, data_dir: Path | None = None) -> PriceBook:
        """The shipped prices, or the user's list in `data_dir` where that one is not older.

        Raises:
            ConfigError: a file cannot be read.
        """
        shipped = files.read(_HERE / "snapshot.json")
        overrides = corrections.read(_HERE / "overrides.toml")
        own = None if data_dir is None else data_dir / USER_FILE
        if own is not None and own.exists():
            updated = files.read(own)
            if updated.date >= shipped.date:
                return cls(updated, overrides)
        return cls(shipped, overrides)

    def find(self, model: str, vendor: str = "") -> ModelPrice | None:
        """The price of `model`, or None where nobody lists it.

        Tried in order, and once more without a dated ending such as ``-20251001`` or ``-latest``:
        with a vendor, ``vendor/model`` and `model`, of that vendor only; without one, `model`, a
        ``vendor/model`` whose vendor lists the bare name, and the list of the model's own maker.

        Args:
            model: the name as the provider, the client or the config spells it.
            vendor: who serves it, in the price list's words (`anthropic`, `openai`, `gemini`, `together_ai`...). Give
                the provider's name for a server of your own: an open model that runs on your GPU must not be priced
                at what a cloud asks for the same name.

        Raises:
            ConfigError: the model's line of the price list cannot be read.
        """
        dated = _DATED.match(model)
        for name in (model, dated["name"]) if dated else (model,):
            found = self._at_vendor(name, vendor) if vendor else self._anywhere(name)
            if found is not None:
                return found
        return None

    def names(self) -> tuple[str, ...]:
        """Every model with a price, in alphabetical order."""
        amended = (name for name in self._amendments if self._exact(name) is not None)
        return tuple(sorted({*self.prices.models, *amended}))

    def _at_vendor(self, name: str, vendor: str) -> ModelPrice | None:
        for spelling in (f"{vendor}/{name}", name, name.removeprefix(f"{vendor}/")):
            price = self._exact(spelling)
            if price is not None and price.vendor == vendor:
                return price
        return None

    def _anywhere(self, name: str) -> ModelPrice | None:
        exact = self._exact(name)
        if exact is not None:
            return exact
        vendor, slash, rest = name.partition("/")
        if slash:
            return self._at_vendor(rest, vendor)
        for maker in _MAKERS:
            price = self._exact(f"{maker}/{name}")
            if price is not None:
                return price
        return None

    def _exact(self, name: str) -> ModelPrice | None:
        if name not in self._built:
            self._built[name] = self._build(name)
        return self._built[name]

    def _build(self, name: str) -> ModelPrice | None:
        row = self.prices.row(name)
        rises: tuple[Rise, ...] = ()
        entry = self._amendments.get(name)
        if entry is not None:
            row = entry.amend(row, listed_on=self.prices.date)
            rises = entry.pending(listed_on=self.prices.date)
        return None if row is None else files.price(name, row, snapshot_id=self.snapshot, rises=rises)


def fixed_price(
    model: str,
    *,
    vendor: str,
    input_usd_per_mtok: str | float,
    output_usd_per_mtok: str | float,
    cache_read_usd_per_mtok: str | float | None = None,
    cache_write_usd_per_mtok: str | float | None = None,
    context_tokens: int | None = None,
) -> ModelPrice:
    """A price the user states in the config, in US dollars per million tokens; zero is allowed, it is their word.

    Cache figures that are left out cost the input price.

    Raises:
        ConfigError: a figure is not an exact price.
    """
    paid = pusd_per_token(input_usd_per_mtok)
    read = paid if cache_read_usd_per_mtok is None else pusd_per_token(cache_read_usd_per_mtok)
    write = paid if cache_write_usd_per_mtok is None else pusd_per_token(cache_write_usd_per_mtok)
    rates = Rates(
        input_pusd=paid,
        cache_read_pusd=read,
        cache_write_5m_pusd=write,
        cache_write_1h_pusd=write,
        output_pusd=pusd_per_token(output_usd_per_mtok),
    )
    return ModelPrice(
        model=model,
        vendor=vendor,
        levels=(Level(standard=rates),),
        context_tokens=context_tokens,
        snapshot="config",
    )
