"""The questions a ledger answers, each with the arithmetic of its answer."""

import datetime as dt

import msgspec
import pytest
from made_calls import HAIKU, OPUS, QWEN, START, USAGE, USD, made_call

from lanewise.errors import StoreError
from lanewise.journey import Usage
from lanewise.ledger import call, recent, report
from lanewise.ledger.reports import CostError, Latency
from lanewise.ledger.save import save

CENT = USD // 100
LATER = START + dt.timedelta(days=1)


def _keep(database, *calls):
    with database.write() as connection:
        save(connection, calls)


def _report(database, by="skill"):
    return report(database, START, LATER, by)


# -- single calls ------------------------------------------------------------------------------------------


def test_a_call_is_found_by_a_prefix_that_only_it_has(database):
    _keep(database, made_call(10), made_call(20))
    assert call(database, "0199f000-0000-7000-8000-00000000001") == made_call(10)


def test_a_prefix_of_several_calls_is_an_error_that_names_two(database):
    _keep(database, made_call(1), made_call(2), made_call(3))
    with pytest.raises(StoreError, match=r"several calls begin with '0199', among them '.*01' and '.*02'"):
        call(database, "0199")


def test_a_whole_id_is_found_although_another_begins_with_it(database):
    short, long = (msgspec.structs.replace(made_call(), call_id=call_id) for call_id in ("abc", "abcd"))
    _keep(database, short, long)
    assert call(database, "abc") == short


@pytest.mark.parametrize("prefix", ["", "0199f", "%", "_", "0199F000"])
def test_no_call_is_found_by_nothing_wildcards_or_strangers(database, prefix):
    _keep(database, msgspec.structs.replace(made_call(), call_id="0199e000"))
    assert call(database, prefix) is None


def test_recent_calls_come_newest_first_and_page_backwards(database):
    made = [made_call(number, seconds=number) for number in range(5)]
    _keep(database, *made)
    assert recent(database, 2) == (made[4], made[3])
    assert recent(database, 2, before=made[3].started_at) == (made[2], made[1])
    assert recent(database, 0) == ()


# -- reports -----------------------------------------------------------------------------------------------


def test_an_empty_period_has_zeros_and_no_rows(database):
    found = _report(database)
    assert (found.rows, found.baselines, found.total.calls) == ((), (), 0)
    assert (found.total.cost_pusd, found.total.baseline_cost_pusd, found.total.saved_share) == (0, None, None)
    assert found.total.overhead == Latency(p50_us=None, p95_us=None)


def test_a_period_takes_its_first_moment_and_leaves_its_last(database):
    _keep(database, made_call(1, seconds=-1), made_call(2), made_call(3, seconds=86_399), made_call(4, seconds=86_400))
    assert _report(database).total.calls == 2


def test_spent_and_saved_are_sums_over_the_calls(database):
    _keep(database, made_call(1), made_call(2), made_call(3, skill="planning", cost_pusd=12 * CENT))
    found = _report(database)
    assert [(row.group, row.calls, row.cost_pusd) for row in found.rows] == [
        ("planning", 1, 12 * CENT),
        ("debugging", 2, 4 * CENT),
    ]
    total = found.total
    assert (total.cost_pusd, total.baseline_cost_pusd, total.saved_pusd) == (16 * CENT, 30 * CENT, 14 * CENT)
    assert total.saved_share == pytest.approx(14 / 30)
    assert found.rows[0].saved_pusd == -2 * CENT  # dearer than the baseline: a loss is shown as one


def test_unknown_costs_are_counted_and_never_zero(database):
    _keep(
        database,
        made_call(1),
        made_call(2, cost_pusd=None),
        made_call(3, baseline_pusd=None, cost_pusd=5 * CENT),
        made_call(4, skill="planning", cost_pusd=None),
    )
    found = _report(database)
    rows = {row.group: row for row in found.rows}
    assert (rows["planning"].cost_pusd, rows["planning"].unknown_cost_calls) == (None, 1)
    assert (rows["planning"].baseline_cost_pusd, rows["planning"].saved_pusd) == (None, None)
    debugging = rows["debugging"]
    assert (debugging.unknown_cost_calls, debugging.cost_pusd) == (1, 7 * CENT)
    assert (debugging.compared_calls, debugging.baseline_cost_pusd, debugging.saved_pusd) == (1, 10 * CENT, 8 * CENT)


def test_a_group_of_unbilled_failures_costs_zero_not_unknown(database):
    _keep(database, made_call(1, status=529, usage=None, cost_pusd=None, baseline_pusd=None))
    total = _report(database).total
    assert (total.failed_calls, total.unknown_cost_calls, total.cost_pusd) == (1, 0, 0)


def test_sums_beyond_64_bits_are_exact(database):
    largest = 2**63 - 1
    _keep(database, *(made_call(n, session=f"s-{n}", cost_pusd=largest, baseline_pusd=largest) for n in range(3)))
    total = _report(database).total
    assert (total.cost_pusd, total.baseline_cost_pusd, total.saved_pusd) == (3 * largest, 3 * largest, 0)


def test_tokens_are_summed_by_bucket(database):
    usage = Usage(
        input_tokens=100,
        cache_read_tokens=600,
        cache_write_5m_tokens=200,
        cache_write_1h_tokens=100,
        output_tokens=7,
        reasoning_tokens=3,
    )
    _keep(database, made_call(1, usage=usage), made_call(2, usage=usage), made_call(3, usage=None))
    total = _report(database).total
    assert (total.input_tokens, total.cache_read_tokens) == (200, 1200)
    assert (total.cache_write_tokens, total.output_tokens) == (600, 14)
    assert total.cache_hit_share == 0.6  # 1200 of 200 + 1200 + 600


@pytest.mark.parametrize(
    ("by", "groups"),
    [
        ("skill", {"debugging": 1, "planning": 1}),
        ("lane", {"local": 1, "": 1}),
        ("model", {"qwen3-coder": 1, "": 1}),
        ("session", {"s-1": 1, "s-2": 1}),
        ("key", {"ci": 1, "": 1}),
        ("client", {"claude-code": 1, "codex": 1}),
        ("turn", {"main": 1, "subagent": 1}),
    ],
)
def test_calls_can_be_grouped_by(database, by, groups):
    other = made_call(2, skill="planning", served=None, session="s-2", key="", client="codex", turn="subagent")
    _keep(database, made_call(1), other)
    found = _report(database, by)
    assert {row.group: row.calls for row in found.rows} == groups
    assert (found.by, found.total.calls) == (by, 2)


def test_the_baselines_are_named_the_most_frequent_first(database):
    rare = made_call(3)
    rare = msgspec.structs.replace(rare, decision=msgspec.structs.replace(rare.decision, baseline=HAIKU))
    _keep(database, made_call(1), made_call(2), rare)
    assert _report(database).baselines == (("claude-opus-5-5", 2), ("claude-haiku-5-5", 1))


def test_percentiles_are_by_nearest_rank_within_the_group_and_over_all(database):
    # Ranks of 20 values: the median is the 10th, the 95th percentile the 19th.
    slow = [made_call(number, overhead_us=number * 10, duration_us=number) for number in range(1, 21)]
    _keep(database, *slow, made_call(21, skill="planning", overhead_us=9_999, duration_us=7))
    found = _report(database)
    rows = {row.group: row for row in found.rows}
    assert rows["debugging"].overhead == Latency(p50_us=100, p95_us=190)
    assert rows["planning"].overhead == Latency(p50_us=9_999, p95_us=9_999)
    assert found.total.overhead == Latency(p50_us=110, p95_us=200)  # 11th and 20th of 21
    assert found.total.duration == Latency(p50_us=10, p95_us=19)  # 1..20 and another 7


def test_calls_that_were_not_routed_are_priced_where_the_policy_would_have_sent_them(database):
    def unrouted(number, paid_pusd, would_be_pusd):
        made = made_call(number, cost_pusd=paid_pusd)
        return msgspec.structs.replace(
            made, outcome=msgspec.structs.replace(made.outcome, preferred_cost_pusd=would_be_pusd)
        )

    _keep(database, unrouted(1, 900, 100), unrouted(2, 300, 200), unrouted(3, 50, None))
    total = _report(database).total
    assert (total.unrouted_calls, total.unrouted_cost_pusd, total.preferred_cost_pusd) == (2, 1200, 300)


@pytest.mark.parametrize(
    ("chosen", "served", "failovers", "escalations"),
    [
        (QWEN, QWEN, 0, 0),
        (QWEN, HAIKU, 1, 0),  # another cheap one
        (QWEN, OPUS, 1, 1),
        (OPUS, QWEN, 1, 0),
        (OPUS, msgspec.structs.replace(OPUS, provider="openrouter"), 1, 0),  # same model, other endpoint
        (QWEN, None, 0, 0),
    ],
)
def test_failovers_and_escalations_are_counted(database, chosen, served, failovers, escalations):
    _keep(database, made_call(1, chosen=chosen, served=served))
    total = _report(database).total
    assert (total.failovers, total.escalations) == (failovers, escalations)


def test_our_costs_stand_beside_what_providers_reported(database):
    reported = msgspec.structs.replace(USAGE, reported_cost_pusd=4 * CENT)
    _keep(
        database,
        made_call(1, cost_pusd=5 * CENT, usage=reported),
        made_call(2, cost_pusd=4 * CENT, usage=reported),
        made_call(3),  # nothing reported
        made_call(4, cost_pusd=None, usage=reported),  # nothing computed
    )
    error = _report(database).total.cost_error
    assert error == CostError(calls=2, computed_pusd=9 * CENT, reported_pusd=8 * CENT)
    assert error.relative == 0.125


def test_what_was_paid_for_a_label_is_no_error_of_ours(database):
    made = made_call(1, cost_pusd=5 * CENT, usage=msgspec.structs.replace(USAGE, reported_cost_pusd=4 * CENT))
    cost = msgspec.structs.replace(made.outcome.cost, classify_pusd=CENT)
    _keep(database, msgspec.structs.replace(made, outcome=msgspec.structs.replace(made.outcome, cost=cost)))
    total = _report(database).total
    assert total.cost_error == CostError(calls=1, computed_pusd=4 * CENT, reported_pusd=4 * CENT)
    assert total.cost_pusd == 5 * CENT


def test_no_reported_cost_gives_no_error(database):
    _keep(database, made_call(1))
    assert _report(database).total.cost_error.relative is None
