"""Usage times price. Integers in, integers out; this file knows neither models nor where prices come from."""

from __future__ import annotations

import datetime as dt

from lanewise.journey import Cost, Usage
from lanewise.money.values import ModelPrice


def cost(usage: Usage, price: ModelPrice, *, at: dt.datetime, lane_batch: bool = False) -> Cost:
    """What `usage` costs at `price`, in pico-dollars; the total is the sum of the parts.

    Reasoning tokens are charged inside output. A batch without a published batch price is charged at the standard
    rates, so that a missing figure never looks like a saving.

    Args:
        usage: tokens in disjoint buckets; its service tier picks the rates.
        price: what the model costs.
        at: when the call was made, timezone-aware.
        lane_batch: the call went through a provider's batch, whatever tier its usage names.

    Raises:
        ValueError: `at` has no timezone.
    """
    rates = price.rates(
        prompt_tokens=usage.prompt_tokens,
        at=at,
        service_tier="batch" if lane_batch else usage.service_tier,
    )
    input_pusd = usage.input_tokens * rates.input_pusd
    cache_read_pusd = usage.cache_read_tokens * rates.cache_read_pusd
    cache_write_pusd = (
        usage.cache_write_5m_tokens * rates.cache_write_5m_pusd
        + usage.cache_write_1h_tokens * rates.cache_write_1h_pusd
    )
    output_pusd = usage.output_tokens * rates.output_pusd
    return Cost(
        total_pusd=input_pusd + cache_read_pusd + cache_write_pusd + output_pusd,
        input_pusd=input_pusd,
        cache_read_pusd=cache_read_pusd,
        cache_write_pusd=cache_write_pusd,
        output_pusd=output_pusd,
        snapshot=price.snapshot,
    )
