"""The cheapest that may serve: each reason and its cause, the gate's edge, ties, the promise, and a slow twin."""

from __future__ import annotations

import math
from typing import Any, get_args

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from select_kit import candidate_of, entry_of, price_of, rates_of

from lanewise.journey import Dialect, Lane, LaneRuling
from lanewise.select import LANES, Choice, Entry, Evidence, Need, Outlook, SwitchLedger, Table, Terms, choose, unable
from lanewise.select.choose import FLAT_CODES, MIN_EVIDENCE, QUOTES
from lanewise.select.shrink import bound

PRICE = price_of(rates_of(1_000_000))
ALL_LANES = LaneRuling(allowed=LANES, flex=True)
NEED = Need(dialect="messages", input_tokens=1000, max_tokens=None, has_images=False, has_tools=False)


def x_of(price: Any = PRICE, lane: Lane = "realtime", tier: Any = "cheap", service: Any = "standard", **changes: Any):
    """A candidate that wins if nothing speaks against it."""
    return entry_of(candidate_of("x", "there", lane=lane, tier=tier, service=service), price, **changes)


def weigh(
    *entries: Entry,
    total: Any = (),
    switch: Any = (),
    takes: Any = (),
    list_price: Any = None,
    failing: Any = (),
    success: Any = (),
    weight: Any = (),
    ruling: LaneRuling = ALL_LANES,
    need: Any = None,
    offered: Any = None,
    baseline_price: Any = PRICE,
    judge: Any = choose,
    **terms: Any,
) -> Any:
    """Choose among the baseline, at position 0 and a total of 1000, and `entries`, at 100 each.

    Flags of `terms` and the columns are given for `entries` alone or, where longer by one, for the baseline too.
    """
    table = Table([entry_of(candidate_of("big"), baseline_price), *entries])
    count = len(table)

    def column(values: Any, baseline: Any, other: Any) -> Any:
        row = [values] if isinstance(values, bool) else list(values) or [other] * (count - 1)
        return np.array(row if len(row) == count else [baseline, *row])

    fields: dict[str, Any] = {
        "readers": (),
        "authorised": (),
        "unavailable": (),
        "spilled": (),
        "resident": (),
        "listed": (),
        "cheap_judged": True,
        "barred": "",
        "wait_counts": True,
        "server": None,
        "switches": SwitchLedger(),
        "max_switch_overhead": 0.05,
        "max_loss": 0.03,
        "max_slowdown": 1.5,
        **terms,
    }
    for name, usual in {
        "readers": True,
        "authorised": True,
        "unavailable": False,
        "spilled": False,
        "resident": True,
        "listed": True,
    }.items():
        fields[name] = column(fields[name], usual, usual)
    unknown = np.full(count, np.nan)
    evidence = Evidence(
        success=column(success, math.nan, math.nan).astype(float),
        weight=column(weight, 0.0, 0.0).astype(float),
        output_tokens=unknown,
        first_token_s=unknown,
        tokens_per_s=unknown,
        failure_rate=column(failing, 0.0, 0.0).astype(float),
    )
    outlook = Outlook(
        total_pusd=column(total, 1000, 100).astype(np.int64),
        switch_pusd=column(switch, 0, 0).astype(np.int64),
        completion_s=column(takes, math.nan, math.nan).astype(float),
        list_pusd=column(total if list_price is None else list_price, 1000, 100).astype(np.int64),
    )
    if judge is not choose:
        return judge(table, 1, 0, ruling, need or NEED, Terms(**fields), outlook)
    some = None if offered is None else column(offered, False, False)
    return choose(table, 0, ruling, need or NEED, Terms(**fields), evidence, outlook, offered=some)


def reasons(choice: Choice) -> dict[str, str]:
    return {row.candidate.model: row.reason for row in choice.rejected}


def need(**changes: Any) -> Need:
    fields = {"dialect": "messages", "input_tokens": 1000, "max_tokens": None, "has_images": False, "has_tools": False}
    return Need(**{**fields, **changes})


# -- each reason ------------------------------------------------------------------------------------------

NO_REALTIME = LaneRuling(allowed=("local", "batch"), refused=(("realtime", "user_says_so"),), flex=True)
SHARED: dict[str, Any] = {"success": (0.9, 0.9), "weight": (1000.0, 1000.0)}
"""Evidence of both, good enough."""

CASES: list[tuple[str, Entry, dict[str, Any]]] = [
    ("", x_of(), {}),
    ("dialect", x_of(dialects=("chat", "responses", "gemini")), {}),
    ("residency", x_of(), {"resident": [False]}),
    ("key_policy", x_of(), {"listed": [False]}),
    ("lane:realtime:user_says_so", x_of(), {"ruling": NO_REALTIME}),
    ("", x_of(lane="batch"), {"ruling": NO_REALTIME}),
    ("lane:local:refused", x_of(lane="local"), {"ruling": LaneRuling(allowed=("batch", "realtime"))}),
    ("flex_refused", x_of(service="flex"), {"ruling": LaneRuling(allowed=LANES, flex=False)}),
    ("", x_of(service="flex"), {}),
    ("tier", x_of(tier="cheap"), {"ruling": LaneRuling(allowed=LANES, tiers=("frontier",))}),
    ("tier", x_of(tier="frontier"), {"ruling": LaneRuling(allowed=LANES, tiers=("cheap",))}),
    ("", x_of(tier="frontier"), {"ruling": LaneRuling(allowed=LANES, tiers=("frontier",))}),
    ("context_window", x_of(context_tokens=999), {}),
    ("", x_of(context_tokens=1000), {}),
    ("context_window", x_of(context_tokens=1000), {"need": need(max_tokens=1)}),
    ("", x_of(context_tokens=1001), {"need": need(max_tokens=1)}),
    ("vision", x_of(vision=False), {"need": need(has_images=True)}),
    ("", x_of(vision=None), {"need": need(has_images=True)}),
    ("", x_of(vision=False), {}),
    ("tools", x_of(tools=False), {"need": need(has_tools=True)}),
    ("", x_of(tools=False), {}),
    ("sealed", x_of(), {"readers": [False]}),
    ("no_credential", x_of(), {"authorised": [False]}),
    ("breaker_open", x_of(), {"unavailable": [True]}),
    ("slower_than_cloud", x_of(lane="local"), {"spilled": [True]}),
    ("rule", x_of(), {"offered": [True, False]}),
    ("", x_of(), {"offered": [False, True]}),
    ("not_proven", x_of(), {"success": (0.9, 0.8), "weight": (1000.0, 1000.0)}),
    ("not_proven", x_of(tier="frontier"), {"success": (0.9, 0.8), "weight": (1000.0, 1000.0)}),
    ("", x_of(), SHARED),
    ("judgement", x_of(), {"cheap_judged": False}),
    ("", x_of(tier="frontier"), {"cheap_judged": False}),
    ("", x_of(), {"cheap_judged": False, **SHARED}),
    ("caller_history", x_of(), {"barred": "caller_history"}),
    ("caller_history", x_of(), {"barred": "caller_history", **SHARED}),
    ("", x_of(tier="frontier"), {"barred": "caller_history"}),
    ("task_failing", x_of(), {"barred": "task_failing"}),
    ("unreliable", x_of(), {"failing": [0.2]}),
    ("unreliable", x_of(tier="frontier"), {"failing": [1.0]}),
    ("", x_of(), {"failing": [0.199]}),
    ("", x_of(), {"failing": (1.0, 0.0)}),  # the baseline is what it is measured against
    ("unknown_price", x_of(price=None), {}),
    ("", x_of(price=None, lane="local"), {}),
    ("unknown_price", x_of(price=None, lane="batch"), {}),
    ("unknown_baseline_price", x_of(), {"baseline_price": None}),
    ("", x_of(price=None, lane="local"), {"baseline_price": None}),
    ("dearer_than_baseline", x_of(), {"total": [1001]}),
    ("not_cheapest", x_of(), {"total": (100, 100)}),
    ("too_slow", x_of(), {"takes": (2.0, 3.01)}),
    ("", x_of(), {"takes": (2.0, 3.0)}),
    ("", x_of(), {"takes": (math.nan, 1e9)}),
    ("", x_of(), {"takes": (2.0, math.nan)}),
    ("", x_of(), {"takes": (2.0, 3.01), "wait_counts": False}),
    ("switch_promise", x_of(), {"server": 0, "switch": [1]}),
    ("", x_of(), {"server": 0, "switch": [5], "switches": SwitchLedger(never_switch_pusd=100)}),
    (
        "switch_promise",
        x_of(),
        {"server": 0, "switch": [5], "switches": SwitchLedger(never_switch_pusd=100, overhead_pusd=1)},
    ),
    ("", x_of(), {"server": None, "switch": [1]}),
    ("", x_of(), {"server": 0, "switch": [1], "authorised": (False, True)}),
]


def test_what_a_candidate_is_known_to_fail_is_done_over_by_the_baseline_and_in_its_price():
    # 0.90 - 0.80 of the tasks are done over for 1000 each: 100 + 100, against 150 + 0 for one as good as the baseline
    worse, better = x_of(), entry_of(candidate_of("y", "there"), PRICE)
    known = {"success": (0.9, 0.8, 0.95), "weight": (1e6, 1e6, 1e6), "max_loss": 0.5}
    assert weigh(worse, better, total=(100, 150), **known).preferred == 2
    assert weigh(worse, better, total=(100, 150), **{**known, "weight": (1e6, 29.0, 1e6)}).preferred == 1


@pytest.mark.parametrize(("reason", "x", "changes"), CASES)
def test_a_candidate_is_refused_for_exactly_this(reason: str, x: Entry, changes: dict[str, Any]):
    choice = weigh(x, **changes)
    assert reasons(choice).get("x", "") == reason
    assert choice.preferred == (1 if not reason else choice.preferred)
    assert (1 in choice.fit) is (reason in {"", "not_cheapest"})


def test_every_code_has_a_case():
    assert FLAT_CODES[0] == ""
    assert {reason for reason, _, _ in CASES if not reason.startswith("lane:")} == set(FLAT_CODES)


ORDER = [
    ("dialect", {"need": need(dialect="gemini", has_images=True, has_tools=True)}, {"dialects": ("messages",)}),
    ("residency", {"resident": [False]}, {}),
    ("key_policy", {"listed": [False]}, {}),
    ("lane:realtime:user_says_so", {"ruling": NO_REALTIME}, {}),
    ("context_window", {}, {"context_tokens": 1}),
    ("vision", {"need": need(has_images=True, has_tools=True)}, {"vision": False}),
    ("tools", {"need": need(has_images=True, has_tools=True)}, {"tools": False}),
    ("sealed", {"readers": [False]}, {}),
    ("no_credential", {"authorised": [False]}, {}),
    ("breaker_open", {"unavailable": [True]}, {}),
    ("slower_than_cloud", {"spilled": [True]}, {}),
    ("rule", {"offered": [True, False]}, {}),
    ("not_proven", {"success": (0.9, 0.1), "weight": (99.0, 99.0)}, {}),
    ("caller_history", {"barred": "caller_history"}, {}),
    ("dearer_than_baseline", {"total": [5000]}, {}),
    ("too_slow", {"takes": (1.0, 9.0)}, {}),
]


@pytest.mark.parametrize("first", range(len(ORDER)))
def test_of_several_reasons_the_first_of_the_order_is_told(first: int):
    changes: dict[str, Any] = {}
    abilities: dict[str, Any] = {}
    for _, terms, ability in reversed(ORDER[first:]):
        changes.update(terms)
        abilities.update(ability)
    assert reasons(weigh(x_of(**abilities), **changes))["x"] == ORDER[first][0]


# -- the gate ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("baseline", "reason"), [(0.869640, ""), (0.869645, "not_proven")])
def test_a_candidate_is_proven_where_its_lower_bound_holds_the_baseline_less_the_loss(baseline: float, reason: str):
    # 90 of 100, z^2/n = 1.6449^2 / 100 = 0.027057: Wilson's bound is
    # (0.9 + 0.013528 - 1.6449 x sqrt(0.09 / 100 + 0.027057 / 400)) / 1.027057 = 0.839642; with 0.03 it holds 0.869642
    choice = weigh(x_of(), success=(baseline, 0.9), weight=(1000.0, 100.0), max_loss=0.03)
    assert reasons(choice).get("x", "") == reason


def test_at_the_edge_itself_a_candidate_is_proven():
    edge = float(bound(np.array([0.75]), np.array([200.0]))[0])
    for success, reason in ((edge, ""), (math.nextafter(edge, 1), "not_proven")):
        choice = weigh(x_of(), success=(success, 0.75), weight=(1000.0, 200.0), max_loss=0.0)
        assert reasons(choice).get("x", "") == reason


@pytest.mark.parametrize("judged", [True, False])
@pytest.mark.parametrize(
    ("baseline", "own", "by"),
    [
        (MIN_EVIDENCE, MIN_EVIDENCE, "evidence"),
        (MIN_EVIDENCE - 0.1, 1e6, "judgement"),
        (1e6, MIN_EVIDENCE - 0.1, "judgement"),
        (0.0, 0.0, "judgement"),
    ],
)
def test_evidence_speaks_where_there_is_enough_of_both_and_judgement_elsewhere(
    baseline: float, own: float, by: str, judged: bool
):
    assert MIN_EVIDENCE == 30
    bad = weigh(x_of(), success=(1.0, 0.0), weight=(baseline, own), cheap_judged=judged)
    good = weigh(x_of(), success=(0.0, 1.0), weight=(baseline, own), cheap_judged=judged)
    by_judgement = "" if judged else "judgement"
    assert reasons(bad).get("x", "") == ("not_proven" if by == "evidence" else by_judgement)
    assert reasons(good).get("x", "") == ("" if by == "evidence" else by_judgement)


# -- the baseline -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "changes",
    [
        {"success": (0.5, 0.99), "weight": (1000.0, 1000.0), "max_loss": -1.0},
        {"cheap_judged": False, "barred": "caller_history"},
        {"baseline_price": None},
        {"takes": (9.0, 1.0), "max_slowdown": 0.1},
    ],
)
def test_the_baseline_is_not_held_to_what_others_are_measured_by(changes: dict[str, Any]):
    assert 0 in weigh(x_of(tier="frontier"), **changes).fit


def test_a_baseline_of_the_cheap_tier_may_serve_whatever_is_judged():
    table = Table([entry_of(candidate_of("small", tier="cheap"), PRICE)])
    one, unknown = np.array([True]), np.array([math.nan])
    terms = Terms(
        readers=one,
        authorised=one,
        unavailable=~one,
        spilled=~one,
        resident=one,
        listed=one,
        cheap_judged=False,
        barred="task_failing",
        wait_counts=True,
        server=None,
        switches=SwitchLedger(),
        max_switch_overhead=0.0,
        max_loss=0.0,
        max_slowdown=1.0,
    )
    evidence = Evidence(unknown, np.array([0.0]), unknown, unknown, unknown, np.array([0.0]))
    outlook = Outlook(np.array([7]), np.array([0]), unknown, np.array([7]))
    assert choose(table, 0, ALL_LANES, NEED, terms, evidence, outlook).preferred == 0


@pytest.mark.parametrize(
    ("reason", "changes"),
    [
        ("no_credential", {"authorised": (False, True)}),
        ("breaker_open", {"unavailable": (True, False)}),
        ("residency", {"resident": (False, True)}),
        ("key_policy", {"listed": (False, True)}),
        ("tier", {"ruling": LaneRuling(allowed=LANES, tiers=("cheap",))}),
        ("rule", {"offered": [False, True]}),
    ],
)
def test_what_may_not_be_holds_for_the_baseline_too(reason: str, changes: dict[str, Any]):
    assert reasons(weigh(x_of(), **changes))["big"] == reason


def test_where_nobody_may_serve_nobody_is_preferred():
    choice = weigh(x_of(), authorised=(False, False))
    assert (choice.preferred, choice.fit, choice.stays) == (None, (), False)
    assert [quote.candidate.model for quote in choice.quotes] == ["big"]


# -- ties and the promise ---------------------------------------------------------------------------------


def named(*models: str, **changes: Any) -> list[Entry]:
    return [entry_of(candidate_of(model, **changes), PRICE) for model in models]


def test_between_equals_the_own_engine_is_first_then_the_batch_then_the_order_of_the_config():
    lanes: tuple[Lane, ...] = ("realtime", "batch", "realtime", "local", "local")
    entries = [entry_of(candidate_of(f"m{n}", lane=lane), PRICE) for n, lane in enumerate(lanes)]
    choice = weigh(*entries)
    assert choice.preferred == 4
    assert choice.fit == (4, 5, 2, 1, 3, 0)


def test_a_candidate_at_the_baselines_price_may_serve_but_the_baseline_stands_first():
    choice = weigh(*named("a"), total=[1000])
    assert (choice.preferred, choice.fit) == (0, (0, 1))


def test_between_equals_who_served_goes_on():
    choice = weigh(*named("a", "b"), server=2)
    assert (choice.preferred, choice.fit, choice.stays) == (2, (2, 1, 0), True)


@pytest.mark.parametrize(("left", "preferred"), [(0, 1), (3, 1), (4, 2), (9, 2), (10, 3)])
def test_the_promise_takes_the_cheapest_whose_switch_it_allows(left: int, preferred: int):
    choice = weigh(
        *named("server", "near", "best"),
        total=[90, 60, 30],
        switch=(0, 0, 4, 10),
        server=1,
        switches=SwitchLedger(never_switch_pusd=left * 20),
    )
    assert choice.preferred == preferred
    refused = {model for model, reason in reasons(choice).items() if reason == "switch_promise"}
    assert refused == {name for name, lost in (("near", 4), ("best", 10)) if lost > left}


@pytest.mark.parametrize(
    "lost",
    [{"authorised": (True, False, True)}, {"unavailable": (False, True, False)}, {"listed": (True, False, True)}],
)
def test_where_who_served_may_not_go_on_no_promise_refuses_the_next(lost: dict[str, Any]):
    choice = weigh(*named("server", "best"), total=[90, 30], switch=(5, 0, 10), server=1, **lost)
    assert (choice.preferred, choice.stays) == (2, False)
    assert "switch_promise" not in reasons(choice).values()


# -- quotes -----------------------------------------------------------------------------------------------


def test_quotes_state_the_best_and_the_baseline_in_numbers():
    choice = weigh(
        x_of(), x_of(price=None), total=[100, 0], success=(0.8, 0.91234567, math.nan), weight=(50.0, 98.04, 0.0)
    )
    free, x, big = choice.quotes
    assert (free.total_pusd, free.success, free.success_low, free.weight, free.completion_s) == (
        None,
        None,
        None,
        0.0,
        None,
    )
    assert (x.total_pusd, x.success, x.weight) == (100, 0.91234567, 98.04)
    assert x.success_low == float(bound(np.array([0.91234567]), np.array([98.04]))[0])
    assert (big.candidate.model, big.total_pusd) == ("big", 1000)


def test_quotes_are_the_eight_cheapest_of_those_that_may_be_asked():
    models = [f"m{n}" for n in range(20)]
    choice = weigh(*named(*models), total=list(range(100, 120)), authorised=[n % 2 == 1 for n in range(20)])
    assert [quote.candidate.model for quote in choice.quotes] == [*[f"m{n}" for n in range(1, 16, 2)], "big"]
    assert QUOTES == 8


def test_who_is_preferred_is_quoted_even_where_eight_cheaper_ones_are_not_good_enough():
    poor = named(*[f"poor{n}" for n in range(10)], tier="cheap")
    choice = weigh(*poor, *named("good"), total=[*range(10), 50], cheap_judged=False)
    assert choice.preferred == 11
    assert [quote.candidate.model for quote in choice.quotes] == [*[f"poor{n}" for n in range(8)], "good", "big"]


# -- a task under way -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("why", "x", "changes"),
    [
        ("", x_of(), {}),
        ("no_credential", x_of(), {"authorised": [False]}),
        ("context_window", x_of(context_tokens=9), {}),
        ("dearer_than_baseline", x_of(), {"list_price": [1001]}),
        ("", x_of(), {"total": [1001], "list_price": [100]}),  # what beliefs move ends no task in the middle
        ("unknown_price", x_of(price=None), {}),
        ("", x_of(), {"takes": (1.0, 99.0)}),
        ("", x_of(), {"spilled": [True]}),
        ("", x_of(), {"cheap_judged": False, "barred": "task_failing"}),
        ("", x_of(service="flex"), {"ruling": LaneRuling(allowed=LANES, flex=False)}),
        ("", x_of(), {"ruling": LaneRuling(allowed=("local",), refused=(("realtime", "queue_full"),))}),
        *[
            (f"lane:realtime:{word}", x_of(), {"ruling": LaneRuling(allowed=(), refused=(("realtime", word),))})
            for word in ("caller_lane", "skill_policy", "key_policy", "residency", "budget_spent", "rule_policy")
        ],
    ],
)
def test_a_task_under_way_is_stopped_by_this_and_nothing_else(why: str, x: Entry, changes: dict[str, Any]):
    assert weigh(x, judge=unable, **changes) == why


# -- a slow twin ------------------------------------------------------------------------------------------


def low_of(success: float, weight: float) -> float:
    """Wilson's bound of a share."""
    square = 1.6449**2 / weight
    spread = 1.6449 * math.sqrt(success * (1 - success) / weight + square / (4 * weight))
    return max(0.0, (success + square / 2 - spread) / (1 + square))


def slow_reason(at: int, table: Table, ruling: LaneRuling, asked: Need, terms: Terms, evidence, outlook, offered):
    """Why the entry at `at` may not serve, the rules read one by one. Promise and price rank apart."""
    entry, base = table.entries[at], table.entries[0]
    candidate, why = entry.candidate, dict(ruling.refused)
    if asked.dialect not in entry.dialects:
        return "dialect"
    if not terms.resident[at]:
        return "residency"
    if not terms.listed[at]:
        return "key_policy"
    if candidate.lane not in ruling.allowed:
        return f"lane:{candidate.lane}:{why.get(candidate.lane, 'refused')}"
    if candidate.service == "flex" and not ruling.flex:
        return "flex_refused"
    if candidate.tier not in ruling.tiers:
        return "tier"
    if entry.context_tokens is not None and asked.input_tokens + (asked.max_tokens or 0) > entry.context_tokens:
        return "context_window"
    if asked.has_images and entry.vision is False:
        return "vision"
    if asked.has_tools and not entry.tools:
        return "tools"
    for flags, wanted, code in (
        (terms.readers, True, "sealed"),
        (terms.authorised, True, "no_credential"),
        (terms.unavailable, False, "breaker_open"),
        (terms.spilled, False, "slower_than_cloud"),
    ):
        if bool(flags[at]) is not wanted:
            return code
    if offered is not None and not offered[at]:
        return "rule"
    if at == 0:
        return ""
    proven = False
    if evidence.weight[at] >= 30 and evidence.weight[0] >= 30:
        if low_of(evidence.success[at], evidence.weight[at]) < evidence.success[0] - terms.max_loss:
            return "not_proven"
        proven = True
    if candidate.tier == "cheap" and not proven and not terms.cheap_judged:
        return "judgement"
    if candidate.tier == "cheap" and terms.barred:
        return terms.barred
    if evidence.failure_rate[at] >= 0.2:
        return "unreliable"
    free = entry.price is None and candidate.lane == "local"
    if entry.price is None and not free:
        return "unknown_price"
    if base.price is None and not free:
        return "unknown_baseline_price"
    if base.price is not None and outlook.total_pusd[at] > outlook.total_pusd[0]:
        return "dearer_than_baseline"
    takes, allowed = outlook.completion_s[at], terms.max_slowdown * outlook.completion_s[0]
    return "too_slow" if terms.wait_counts and takes > allowed else ""


def redone(evidence, outlook) -> list[int]:
    """Totals with what the baseline has to do over where a candidate is known to fail more often."""
    base, base_weight = evidence.success[0], evidence.weight[0]
    found = []
    for at, total in enumerate(outlook.total_pusd.tolist()):
        known = evidence.weight[at] >= 30 and base_weight >= 30
        short = max(0.0, base - evidence.success[at]) if known else 0.0
        found.append(total + round(short * outlook.total_pusd.tolist()[0]))
    return found


def slow_choice(table: Table, ruling: LaneRuling, asked: Need, terms: Terms, evidence, outlook, offered):
    """(preferred, candidates that fit, reason by position), as `choose` should find them."""
    outlook = outlook._replace(total_pusd=np.array(redone(evidence, outlook), dtype=np.int64))
    found = [
        slow_reason(at, table, ruling, asked, terms, evidence, outlook, offered) for at in range(len(table.entries))
    ]
    fit = [at for at, reason in enumerate(found) if not reason]
    ranks = {at: LANES.index(table.candidates[at].lane) for at in fit}
    totals = outlook.total_pusd.tolist()
    stays = terms.server in fit
    left = max(0, int(terms.max_switch_overhead * 1e6) * terms.switches.never_switch_pusd // 10**6)
    left = max(0, left - terms.switches.overhead_pusd)
    kept = [at for at in fit if not stays or outlook.switch_pusd[at] <= left]
    best = min(kept, key=lambda at: (totals[at], at != terms.server, ranks[at], at)) if kept else None
    for at in fit:
        found[at] = "switch_promise" if at not in kept else "" if at == best else "not_cheapest"
    order = sorted(kept, key=lambda at: (totals[at], at != best, ranks[at], at))
    return best, tuple(order), found


@st.composite
def moments(draw: st.DrawFn) -> tuple[Any, ...]:
    """Any catalog of up to 200 entries, need and terms; sizes and flags from one seed, so that many are tried."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    count = draw(st.integers(1, 12) | st.just(200))
    rare = draw(st.sampled_from([0.0, 0.05, 0.3]))

    def flags(share: float) -> Any:
        return rng.random(count) < share

    def entry(at: int) -> Entry:
        dialects = tuple(d for d in get_args(Dialect) if rng.random() >= rare)
        candidate = candidate_of(
            f"m{at}",
            f"p{at % 7}",
            lane=str(rng.choice(LANES)),
            tier=str(rng.choice(["cheap", "frontier"])),
            service="flex" if rng.random() < rare else "standard",
        )
        return entry_of(
            candidate,
            None if rng.random() < rare else PRICE,
            dialects=dialects,
            context_tokens=int(rng.choice([1000, 2000, 8000])) if rng.random() < 0.7 else None,
            vision=[True, False, None][int(rng.integers(3))],
            tools=bool(rng.random() >= rare),
        )

    table = Table([entry(at) for at in range(count)])
    ruling = draw(
        st.sampled_from(
            [
                ALL_LANES,
                NO_REALTIME,
                LaneRuling(allowed=LANES, tiers=("cheap",)),
                LaneRuling(allowed=("realtime",), refused=(("local", "queue_full"), ("batch", "user_waits"))),
                LaneRuling(allowed=(), refused=tuple((lane, "budget_spent") for lane in LANES)),
            ]
        )
    )
    asked = Need(
        dialect=draw(st.sampled_from(get_args(Dialect))),
        input_tokens=draw(st.sampled_from([500, 1000, 1500, 9000])),
        max_tokens=draw(st.sampled_from([None, 0, 500])),
        has_images=draw(st.booleans()),
        has_tools=draw(st.booleans()),
    )
    server = draw(st.none() | st.integers(0, count - 1))
    switch = rng.integers(0, 40, count) * flags(0.5)
    if server is not None:
        switch[server] = 0  # who serves already leaves no cache behind
    terms = Terms(
        readers=~flags(rare),
        authorised=~flags(rare),
        unavailable=flags(rare),
        spilled=flags(rare),
        resident=~flags(rare),
        listed=~flags(rare),
        cheap_judged=draw(st.booleans()),
        barred=draw(st.sampled_from(["", "", "caller_history", "task_failing"])),
        wait_counts=draw(st.booleans()),
        server=server,
        switches=SwitchLedger(never_switch_pusd=draw(st.integers(0, 900)), overhead_pusd=draw(st.integers(0, 20))),
        max_switch_overhead=draw(st.sampled_from([0.0, 0.05, 1.0])),
        max_loss=draw(st.sampled_from([0.0, 0.03, 0.5])),
        max_slowdown=draw(st.sampled_from([1.0, 1.5])),
    )
    known = flags(0.8)
    unknown = np.full(count, np.nan)
    evidence = Evidence(
        success=np.where(known, rng.random(count), np.nan),
        weight=np.where(known, rng.choice([5.0, 29.9, 30.0, 400.0], count), 0.0),
        output_tokens=unknown,
        first_token_s=unknown,
        tokens_per_s=unknown,
        failure_rate=rng.choice([0.0, 0.19, 0.2, 1.0], count, p=[0.7, 0.1, 0.1, 0.1]),
    )
    outlook = Outlook(
        total_pusd=rng.integers(0, 60, count),
        switch_pusd=switch.astype(np.int64),
        completion_s=np.where(flags(0.7), rng.random(count) * 10, np.nan),
        list_pusd=np.zeros(count, dtype=np.int64),
    )
    offered = flags(0.5) if draw(st.integers(0, 4)) == 0 else None
    return table, ruling, asked, terms, evidence, outlook, offered


@settings(max_examples=300, deadline=None)
@given(moments())
def test_columns_choose_as_rules_read_one_by_one(moment: tuple[Any, ...]):
    table, ruling, asked, terms, evidence, outlook, offered = moment
    preferred, fit, wanted = slow_choice(*moment)
    choice = choose(table, 0, ruling, asked, terms, evidence, outlook, offered=offered)
    assert (choice.preferred, choice.fit) == (preferred, fit)
    told = {row.candidate: row.reason for row in choice.rejected}
    assert [told.get(candidate, "") for candidate in table.candidates] == wanted
    assert len(choice.rejected) == len(table) - (preferred is not None)
    if preferred is not None and table.entries[0].price is not None:
        assert outlook.total_pusd[preferred] <= outlook.total_pusd[0]
    if preferred is not None:
        assert table.candidates[preferred] in [quote.candidate for quote in choice.quotes]
