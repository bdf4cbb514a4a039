"""The catalog as columns: what each entry is, and what it charges by prompt size, queue, cache and clock."""

from __future__ import annotations

import datetime as dt
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from select_kit import DAY_S, NOW, candidate_of, entry_of, later, price_of, rates_of

from lanewise.money.values import Level, OffPeak, Rise, Window
from lanewise.select import Caches, Entry, Table, service_of
from lanewise.select.warmth import rules_of

BASE, LONG, NIGHT = rates_of(1000), rates_of(2000), rates_of(500)
BATCH, FLEX = rates_of(400), rates_of(600)
PRICE = price_of(
    BASE,
    batch=BATCH,
    flex=FLEX,
    levels=(Level(above_prompt_tokens=200_000, standard=LONG), Level(above_prompt_tokens=500_000, standard=BATCH)),
)
BY_CLOCK = price_of(
    BASE, off_peak=OffPeak(rates=NIGHT, windows=(Window(weekdays=(2,), start_minute=0, end_minute=600),))
)
"""Half price on Tuesdays until 10:00 UTC."""


def inputs(entries: list[Entry], tokens: int = 1000, at: dt.datetime = NOW) -> list[int]:
    return Table(entries).rates(tokens, at).input.tolist()


# -- prices -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("tokens", "paid"),
    [(0, 1000), (200_000, 1000), (200_001, 2000), (500_000, 2000), (500_001, 400), (10**9, 400)],
)
def test_a_prompt_is_charged_by_its_size_class(tokens: int, paid: int):
    assert inputs([entry_of(candidate_of(), PRICE)], tokens) == [paid]


def test_the_size_classes_of_one_model_do_not_touch_another():
    table = Table([entry_of(candidate_of("a"), PRICE), entry_of(candidate_of("b"), price_of(NIGHT))])
    assert table.rates(200_001, NOW).input.tolist() == [2000, 500]


def test_all_four_rates_are_those_of_the_price():
    found = Table([entry_of(candidate_of(), PRICE)]).rates(1000, NOW)
    assert [column.tolist() for column in found] == [[1000], [100], [1250], [5000]]


@pytest.mark.parametrize(
    ("changes", "service", "paid"),
    [
        ({}, "standard", 1000),
        ({"lane": "batch"}, "batch", 400),
        ({"service": "flex"}, "flex", 600),
        ({"lane": "batch", "service": "flex"}, "batch", 400),
    ],
)
def test_a_queue_of_the_provider_has_its_own_price(changes: dict[str, Any], service: str, paid: int):
    candidate = candidate_of(**changes)
    assert service_of(candidate) == service
    assert inputs([entry_of(candidate, PRICE)]) == [paid]


def test_a_queue_without_a_price_of_its_own_has_the_usual_one():
    assert inputs([entry_of(candidate_of(lane="batch"), price_of(BASE))]) == [1000]


def test_what_has_no_price_is_listed_at_nothing_and_flagged():
    table = Table(
        [
            entry_of(candidate_of("cloud"), None),
            entry_of(candidate_of("own", lane="local"), None),
            entry_of(candidate_of("own-priced", lane="local"), PRICE),
        ]
    )
    assert table.rates(1000, NOW).output.tolist() == [0, 0, 5000]
    assert table.unpriced.tolist() == [True, False, False]
    assert table.free.tolist() == [False, True, False]


def test_a_price_by_the_clock_changes_at_its_minute_and_not_before():
    table = Table([entry_of(candidate_of(), BY_CLOCK)])
    at = {second: table.rates(1000, later(second)).input.tolist()[0] for second in (0, 3599, 3599.999, 3600, 3601)}
    assert at == {0: 500, 3599: 500, 3599.999: 500, 3600: 1000, 3601: 1000}


def test_a_price_that_rises_on_a_day_does_so_at_midnight():
    table = Table([entry_of(candidate_of(), price_of(BASE, rises=(Rise(since=dt.date(2026, 11, 25), factor=2),)))])
    midnight = 15 * 3600
    assert table.rates(1000, later(midnight - 1)).input.tolist() == [1000]
    assert table.rates(1000, later(midnight)).input.tolist() == [2000]


def test_prices_are_looked_up_once_a_size_class_while_no_clock_moves_them_and_not_kept_for_ever():
    table = Table([entry_of(candidate_of(), PRICE)])
    first = table.rates(1000, NOW)
    assert table.rates(200_000, later(1e9)) is first
    assert table.rates(200_001, NOW) is not first
    clocked = Table([entry_of(candidate_of(), BY_CLOCK)])
    first = clocked.rates(1000, NOW)
    assert clocked.rates(1000, later(59.9)) is first
    assert clocked.rates(1000, later(60)) is not first
    for minute in range(500):
        clocked.rates(1000, later(60 * minute))
    assert len(clocked._rates) <= 32
    risen = Table([entry_of(candidate_of(), price_of(BASE, rises=(Rise(since=later(DAY_S).date(), factor=2),)))])
    assert risen.rates(1000, later(14.9 * 3600)) is risen.rates(1000, NOW)  # 23:54 of the same UTC day
    assert risen.rates(1000, later(15 * 3600)).input[0] == 2 * risen.rates(1000, NOW).input[0]


_PRICES = st.sampled_from([PRICE, BY_CLOCK, price_of(LONG, flex=FLEX), None])


@given(
    st.lists(st.tuples(_PRICES, st.sampled_from(["realtime", "batch"]), st.sampled_from(["standard", "flex"]))),
    st.lists(st.tuples(st.integers(0, 600_000), st.integers(-(10**6), 10**6)), min_size=1, max_size=8),
)
def test_columns_are_the_prices_asked_one_by_one(rows, moments):
    entries = [
        entry_of(candidate_of(f"m{n}", lane=lane, service=service), price)
        for n, (price, lane, service) in enumerate(rows)
    ]
    table = Table(entries)
    for tokens, seconds in moments:
        found = table.rates(tokens, later(seconds))
        for at, entry in enumerate(entries):
            tier = service_of(entry.candidate)
            alone = entry.price and entry.price.rates(prompt_tokens=tokens, at=later(seconds), service_tier=tier)
            wanted = (
                (alone.input_pusd, alone.cache_read_pusd, alone.cache_write_5m_pusd, alone.output_pusd)
                if alone
                else (0, 0, 0, 0)
            )
            assert tuple(int(column[at]) for column in found) == wanted


# -- caches -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("vendor", "tokens", "marked", "caches"),
    [
        ("anthropic", 1024, True, True),
        ("anthropic", 1023, True, False),
        ("anthropic", 1024, False, False),
        ("openai", 1024, False, True),
        ("openai", 1023, False, False),
        ("gemini", 2047, False, False),
        ("nobody-knows", 1024, False, True),
    ],
)
def test_only_what_the_vendor_caches_is_read_and_written_at_cache_prices(
    vendor: str, tokens: int, marked: bool, caches: bool
):
    found = Table([entry_of(candidate_of(), PRICE, vendor=vendor)]).caching(tokens, NOW, marked=marked)
    read, fresh = (100, 1250) if caches else (1000, 1000)
    assert (found.read.tolist(), found.again.tolist(), found.fresh.tolist()) == ([read], [read], [fresh])
    assert found.output.tolist() == [5000]


def test_a_cache_is_warm_at_every_queue_of_its_model_and_provider_and_nowhere_else():
    candidates = [
        candidate_of("big"),
        candidate_of("big", service="flex"),
        candidate_of("big", "spare"),
        candidate_of("small"),
    ]
    table = Table([entry_of(candidate, PRICE) for candidate in candidates])
    at_s = NOW.timestamp()
    caches = Caches().served("cloud", "big", prompt_tokens=5000, now_s=at_s, rules=rules_of("openai"))
    assert table.warm(caches, 6000, at_s).tolist() == [5000, 5000, 0, 0]
    assert table.warm(caches, 4000, at_s).tolist() == [4000, 4000, 0, 0]
    assert table.warm(caches, 6000, at_s + 301).tolist() == [0, 0, 0, 0]
    gone = Caches().served("gone", "big", prompt_tokens=5000, now_s=at_s, rules=rules_of("openai"))
    assert not table.warm(gone, 6000, at_s).any()


# -- who is who -------------------------------------------------------------------------------------------

TABLE = Table(
    [
        entry_of(candidate_of("big", "cloud"), PRICE, vendor="acme", dialects=("chat",)),
        entry_of(candidate_of("small", "cloud", tier="cheap"), PRICE, vendor="acme", vision=False),
        entry_of(candidate_of("big", "spare", service="flex"), PRICE, vendor="acme", tools=False),
        entry_of(candidate_of("own", "gpu", lane="local"), None, vendor="local", context_tokens=4096),
        entry_of(candidate_of("own", "gpu2", lane="local"), None, vendor="local", vision=True),
        entry_of(candidate_of("odd", "elsewhere", lane="batch"), PRICE, vendor=""),
        entry_of(candidate_of("odder", "nowhere"), PRICE, vendor=""),
    ]
)


def test_each_model_is_counted_at_its_first_entry():
    assert TABLE.once.tolist() == [True, True, False, True, False, True, True]
    assert TABLE.of_model == {"big": [0, 2], "small": [1], "own": [3, 4], "odd": [5], "odder": [6]}
    assert [TABLE.positions[candidate] for candidate in TABLE.candidates] == list(range(7))


def test_flags_say_what_an_entry_is_and_can():
    assert np.flatnonzero(TABLE.cheap).tolist() == [1]
    assert np.flatnonzero(TABLE.flex).tolist() == [2]
    assert np.flatnonzero(TABLE.local).tolist() == [3, 4]
    assert np.flatnonzero(TABLE.blind).tolist() == [1]  # unknown is not blind
    assert np.flatnonzero(TABLE.handless).tolist() == [2]
    assert np.flatnonzero(~TABLE.speaks["messages"]).tolist() == [0]
    assert TABLE.speaks["chat"].all()
    assert TABLE.context_tokens[3] == 4096
    assert TABLE.context_tokens[0] > 10**12  # where nobody states it, it refuses nothing
    assert TABLE.lane.tolist() == [2, 2, 2, 0, 0, 1, 2]


@pytest.mark.parametrize(
    ("names", "at"), [((), []), (("cloud",), [0, 1]), (("gpu2", "nowhere"), [4, 6]), (("unheard-of",), [])]
)
def test_entries_are_found_by_provider(names: tuple[str, ...], at: list[int]):
    assert np.flatnonzero(TABLE.at_providers(names)).tolist() == at


@pytest.mark.parametrize(
    ("position", "at"),
    [(0, [0, 1, 2]), (2, [0, 1, 2]), (3, [3]), (5, [5])],
)
def test_who_reads_a_makers_seal_is_who_sells_it_or_stands_at_the_same_provider(position: int, at: list[int]):
    assert np.flatnonzero(TABLE.at_vendor(position)).tolist() == at


def test_rejections_name_each_entry_with_the_word_of_its_number_in_order():
    numbers = np.array([0, 2, 1, 0, 2, 0, 1], dtype=np.int16)
    rows = TABLE.rejections(numbers, ("", "one", "two"))
    assert [(TABLE.positions[row.candidate], row.reason) for row in rows] == [
        (1, "two"),
        (2, "one"),
        (4, "two"),
        (6, "one"),
    ]


def test_ever_new_words_are_not_kept_for_ever():
    for number in range(300):
        rows = TABLE.rejections(np.ones(7, dtype=np.int16), ("", f"rule:{number}"))
        assert {row.reason for row in rows} == {f"rule:{number}"}
    assert len(TABLE._rejections) <= 100


def test_an_empty_catalog_is_a_table_too():
    table = Table([])
    assert len(table) == 0
    assert table.rates(1, NOW).input.tolist() == []
    assert table.at_providers(("cloud",)).tolist() == []
