"""Stay or switch: the arithmetic, the locks, and the promise over random sessions."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lanewise.money import PriceBook, Rates
from lanewise.select.stay import (
    SwitchLedger,
    allowance_pusd,
    expected_totals,
    locked,
    overheads,
    rate_table,
    stay_or_switch,
)
from lanewise.select.warmth import RULES, Caches, rules_of

ANTHROPIC = RULES["anthropic"]


def rates(read: int, fresh: int, paid: int, out: int) -> Rates:
    return Rates(
        input_pusd=paid,
        cache_read_pusd=read,
        cache_write_5m_pusd=fresh,
        cache_write_1h_pusd=2 * paid,
        output_pusd=out,
    )


def table(*rows: Rates, prompt: int = 20_000, marked: bool = True, hour: bool = False):
    return rate_table(rows, [ANTHROPIC] * len(rows), prompt_tokens=prompt, marked=marked, hour=hour)


def test_the_total_is_that_of_the_turns_added_up_one_by_one():
    # turn 1: 6k read, 4k fresh; turn 2 reads 10k, turn 3 reads 11k; each grows by 1k and answers with 100
    total = expected_totals(
        table(rates(1, 10, 8, 50), prompt=10_000),
        np.array([6_000]),
        prompt_tokens=10_000,
        growth_tokens=1_000,
        output_tokens=np.array([100.0]),
        turns=3,
    )
    by_hand = (6_000 * 1 + 4_000 * 10) + (10_000 * 1 + 1_000 * 10) + (11_000 * 1 + 1_000 * 10) + 3 * 100 * 50
    assert total.tolist() == [by_hand]


@pytest.mark.parametrize(
    ("prompt", "marked", "hour", "row"),
    [
        (20_000, True, False, (1, 10, 50, 1)),
        (20_000, True, True, (1, 16, 50, 1)),
        (20_000, False, False, (8, 8, 50, 8)),  # Anthropic caches only what is marked
        (1_000, True, False, (8, 8, 50, 8)),  # too short
    ],
)
def test_what_is_not_cached_is_paid_in_full_and_pays_no_premium(prompt, marked, hour, row):
    made = table(rates(1, 10, 8, 50), prompt=prompt, marked=marked, hour=hour)
    assert tuple(column[0] for column in (made.read, made.fresh, made.output, made.again)) == row


@pytest.mark.parametrize(
    ("abandoned", "warm", "expected"),
    [
        (10_000, 0, 10_000 * 9),  # all of it is rebuilt
        (0, 0, 0),  # the old cache is cold: nothing is left behind
        (10_000, 10_000, 0),  # back to a model that is as warm
        (10_000, 7_000, 3_000 * 9),  # only the part that is missing
        (3_000, 7_000, 0),
    ],
)
def test_overhead_is_the_rebuilding_of_what_was_warm(abandoned, warm, expected):
    cost = overheads(table(rates(1, 10, 8, 50)), np.array([warm]), abandoned_tokens=abandoned)
    assert cost.tolist() == [expected]


def test_a_cache_that_costs_more_than_it_saves_is_no_overhead():
    assert overheads(table(rates(10, 8, 8, 50)), np.array([0]), abandoned_tokens=9_000).tolist() == [0]


def test_with_the_shipped_prices_a_long_task_leaves_opus_and_a_single_call_does_not():
    book = PriceBook.load()
    opus, sonnet = (book.find(name).base for name in ("claude-opus-5-5", "claude-sonnet-5-5"))
    made = table(opus, sonnet, prompt=50_000)

    def best(turns: float) -> int:
        return int(
            expected_totals(
                made,
                np.array([50_000, 0]),
                prompt_tokens=50_000,
                growth_tokens=2_500,
                output_tokens=np.array([700.0, 700.0]),
                turns=turns,
            ).argmin()
        )

    assert [best(1), best(30)] == [0, 1]


@pytest.mark.parametrize(
    ("ledger", "overhead", "allowed"),
    [
        (SwitchLedger(never_switch_pusd=1_000), 50, True),
        (SwitchLedger(never_switch_pusd=1_000), 51, False),
        (SwitchLedger(never_switch_pusd=1_000, overhead_pusd=30), 21, False),
        (SwitchLedger(never_switch_pusd=1_000, forced_pusd=30), 21, True),  # forced ones are kept apart
        (SwitchLedger(), 1, False),
        (SwitchLedger(never_switch_pusd=1_000, overhead_pusd=5_000), 0, True),  # a free switch is always kept
    ],
)
def test_the_promise_counts_all_that_was_chosen(ledger, overhead, allowed):
    assert (overhead <= max(0, allowance_pusd(ledger, 0.05))) is allowed


def test_no_share_allows_only_free_switches():
    assert allowance_pusd(SwitchLedger(never_switch_pusd=10**15), 0.0) == 0


@pytest.mark.parametrize(
    ("loop", "response", "reason"),
    [
        (True, False, "open_tool_loop"),
        (True, True, "open_tool_loop"),
        (False, True, "provider_state"),
        (False, False, ""),
    ],
)
def test_tool_loops_and_state_at_the_provider_lock(loop, response, reason):
    assert locked(open_tool_loop=loop, previous_response=response) == reason


RICH = SwitchLedger(never_switch_pusd=10**12)


@pytest.mark.parametrize(
    ("totals", "overhead", "pin", "point", "lock", "ledger", "expected"),
    [
        ([9, 5], [0, 1], 0, "new_task", "open_tool_loop", RICH, (0, "locked")),
        ([9, 5], [0, 1], 0, "", "", RICH, (0, "no_switch_point")),
        ([9, 5], [0, 1], 0, "new_task", "", RICH, (1, "switch_pays")),
        ([5, 5], [0, 0], 1, "new_task", "", RICH, (1, "stays_cheapest")),  # between equals the pin
        ([9, 5], [0, 1], 0, "new_task", "", SwitchLedger(), (0, "promise")),
        ([9, 5, 7], [0, 1, 0], 0, "new_task", "", SwitchLedger(), (2, "switch_pays")),  # the second best is free
        ([9, 5, 9], [0, 1, 0], 0, "new_task", "", SwitchLedger(), (0, "promise")),
        ([9, 5], [0, 1], 0, "escalation", "", SwitchLedger(), (1, "forced")),
        ([9, 5], [0, 0], None, "new_session", "", SwitchLedger(), (1, "first_choice")),
        ([9, 5], [0, 3], None, "", "", SwitchLedger(), (1, "forced")),
    ],
)
def test_the_rule(totals, overhead, pin, point, lock, ledger, expected):
    verdict = stay_or_switch(
        np.array(totals), np.array(overhead), pin=pin, point=point, lock=lock, ledger=ledger, share=0.05
    )
    assert verdict[:2] == expected
    assert verdict.overhead_pusd == (0 if verdict.chosen == pin else overhead[verdict.chosen])


MODELS = 4
prices = st.builds(
    rates,
    read=st.integers(0, 10**6),
    fresh=st.integers(0, 10**7),
    paid=st.integers(0, 10**7),
    out=st.integers(0, 10**8),
)
calls = st.fixed_dictionaries(
    {
        "gap_s": st.one_of(st.floats(0, 30), st.floats(-5_000, 5_000)),  # clocks jump, back too
        "grows": st.integers(0, 40_000),
        "compacts": st.booleans(),
        "loop": st.booleans(),
        "response": st.booleans(),
        "point": st.sampled_from(["", "new_task", "compacted", "cache_cold", "escalation"]),
        "turns": st.floats(1, 60),
        "output": st.integers(0, 4_000),
        "marked": st.booleans(),
    }
)


def billed(rate: Rates, rules, *, prompt: int, warm: int, output: int, marked: bool) -> int:
    """The provider's bill, written anew: what the module computes in arrays must agree with it."""
    if not rules.caches(prompt_tokens=prompt, marked=marked):
        return prompt * rate.input_pusd + output * rate.output_pusd
    return warm * rate.cache_read_pusd + (prompt - warm) * rate.cache_write_5m_pusd + output * rate.output_pusd


@settings(max_examples=300, deadline=None)
@given(
    pool=st.lists(prices, min_size=MODELS, max_size=MODELS),
    vendors=st.lists(st.sampled_from([*RULES, "unheard-of"]), min_size=MODELS, max_size=MODELS),
    session=st.lists(calls, min_size=1, max_size=25),
    share=st.floats(0, 0.3),
)
def test_in_every_session_the_promise_holds_at_every_call_and_no_locked_call_changes_its_model(
    pool, vendors, session, share
):
    rules = [rules_of(vendor) for vendor in vendors]
    caches, reference, ledger = Caches(), Caches(), SwitchLedger()
    now, prompt, pin = 1_000_000.0, 2_000, None
    for call in session:
        now += call["gap_s"]
        if call["compacts"]:
            prompt, caches, reference = 1_500, caches.compacted(), reference.compacted()
        prompt += call["grows"]
        warm = np.array([caches.tokens(v, str(i), prompt_tokens=prompt, now_s=now) for i, v in enumerate(vendors)])
        made = rate_table(pool, rules, prompt_tokens=prompt, marked=call["marked"])
        totals = expected_totals(
            made,
            warm,
            prompt_tokens=prompt,
            growth_tokens=1_000,
            output_tokens=np.full(MODELS, float(call["output"])),
            turns=call["turns"],
        )
        abandoned = 0 if pin is None else int(warm[pin])
        lost = overheads(made, warm, abandoned_tokens=abandoned)
        lock = locked(open_tool_loop=call["loop"], previous_response=call["response"])
        before = ledger
        at_base = reference.tokens(vendors[0], "0", prompt_tokens=prompt, now_s=now)
        ledger = ledger.called(
            billed(pool[0], rules[0], prompt=prompt, warm=at_base, output=call["output"], marked=call["marked"])
        )
        verdict = stay_or_switch(totals, lost, pin=pin, point=call["point"], lock=lock, ledger=ledger, share=share)
        if verdict.chosen == pin:
            assert verdict.overhead_pusd == 0  # staying is never an overhead
        elif pin is not None:
            assert lock == ""
            assert call["point"] != ""
            there = {"prompt": prompt, "output": call["output"], "marked": call["marked"]}
            rate, rule = pool[verdict.chosen], rules[verdict.chosen]
            as_it_is = billed(rate, rule, warm=int(warm[verdict.chosen]), **there)
            as_warm = billed(rate, rule, warm=max(abandoned, int(warm[verdict.chosen])), **there)
            assert verdict.overhead_pusd == max(0, as_it_is - as_warm)
            assert verdict.forced == (call["point"] == "escalation")
            ledger = ledger.switched(verdict.overhead_pusd, forced=verdict.forced)
        pin = verdict.chosen
        assert ledger.overhead_pusd <= Fraction(share) * ledger.never_switch_pusd
        assert ledger.never_switch_pusd >= before.never_switch_pusd
        assert ledger.overhead_pusd >= before.overhead_pusd
        assert ledger.forced_pusd >= before.forced_pusd
        served = {"prompt_tokens": prompt, "now_s": now, "marked": call["marked"]}
        caches = caches.served(vendors[pin], str(pin), rules=rules[pin], **served)
        reference = reference.served(vendors[0], "0", rules=rules[0], **served)
