"""What a model can do comes from the price list or from its row, and not from a price set by hand."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from lanewise.config import FixedPrice, ModelSettings, ProviderSettings, Settings
from lanewise.money import PriceBook
from lanewise.select import Catalog
from lanewise.upstream import providers

BY_HAND = FixedPrice(input_usd_per_mtok=Decimal(1), output_usd_per_mtok=Decimal(2))


@pytest.mark.parametrize(
    ("row", "vision"),
    [
        (ModelSettings(provider="p"), None),
        (ModelSettings(provider="p", price=BY_HAND), None),
        (ModelSettings(provider="p", price=BY_HAND, vision=False), False),
        (ModelSettings(provider="p", price=BY_HAND, vision=True), True),
    ],
)
def test_a_price_set_by_hand_says_nothing_about_images(row: ModelSettings, vision: bool | None) -> None:
    rows = {"p": ProviderSettings(base_url="http://p", dialects=("chat",))}
    settings = Settings(providers=rows, models={"m": row})
    [entry] = Catalog(settings, providers(settings), PriceBook.load(Path("nowhere"))).entries
    assert entry.vision is vision
    assert (entry.price is not None) == (row.price is not None)
