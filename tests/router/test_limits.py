"""What nobody may do for a caller, whatever the mode: regions, models, lanes, tier and budget of a key."""

from __future__ import annotations

import asyncio
import json
from decimal import Decimal
from typing import Any

import pytest
from router_kit import (
    MODELS,
    NOW,
    PROVIDERS,
    Client,
    House,
    Said,
    candidate,
    conditions_of,
    decided,
    provider,
    reading_of,
    reasons,
    request_of,
    usd,
    world_of,
)

from lanewise.config import KeySettings, ModelSettings, RoutingSettings
from lanewise.errors import BudgetSpent, LanewiseError, NotAllowed
from lanewise.journey import Caller, Decision
from lanewise.router import World

ANN = Caller(key_id="ann", session="one")
BUDGET_PUSD = 10**12
"""A dollar."""

HERE = {
    **PROVIDERS,
    "cloud": provider(api_key_env="CLOUD_KEY", region="us"),
    "spare": provider(api_key_env="CLOUD_KEY", region="eu"),
    "gpu": provider(lane="local", slots=2),
}
"""`cloud` in the US, `spare` in Europe, `gpu` on the premises, the others nowhere that anybody states."""


def key(**changes: Any) -> dict[str, Any]:
    return {"keys": {"ann": KeySettings(hash=f"sha256:{'0' * 64}", **changes)}}


def regions(*allowed: str, mode: Any = "active") -> dict[str, Any]:
    return {"providers": HERE, "routing": RoutingSettings(mode=mode, explore=0.0, regions=allowed)}


FREE = {"models": {**MODELS, "own": ModelSettings(provider="gpu", tier="cheap")}}
"""The engine on the premises costs nothing."""

DAY_BUDGET = key(budget_usd_per_day=Decimal(1))
HARD = reading_of(skill="debugging", complexity=0.9)
"""Work that the frontier does."""


def asked(world: World, model: str = "big", *, spent_pusd: int = 0, **changes: Any) -> Decision:
    fields: dict[str, Any] = {"caller": ANN, "conditions": conditions_of(spent_pusd=spent_pusd), **changes}
    return decided(fields.pop("request", request_of(model=model)), world=world, **fields)


# -- what limits forbid -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "spent_pusd", "model", "where", "reason"),
    [
        ({}, 0, "big", "cloud", ""),
        ({}, 10**18, "big", "cloud", ""),
        (regions("us"), 0, "big", "cloud", ""),
        (regions("us"), 0, "big", "spare", "residency"),
        (regions("us"), 0, "own", "gpu", "residency"),
        (regions("local"), 0, "own", "gpu", ""),
        (regions("us", "eu"), 0, "big", "spare", ""),
        ({"providers": HERE, **key(regions=("eu",))}, 0, "big", "cloud", "residency"),
        ({"providers": HERE, **key(regions=("eu",))}, 0, "big", "spare", ""),
        ({**regions("us"), **key(regions=("eu",))}, 0, "big", "spare", "residency"),
        ({**regions("us"), **key(regions=("eu",))}, 0, "big", "cloud", "residency"),
        (key(models=("small",)), 0, "small", "cloud", ""),
        (key(models=("small",)), 0, "big", "cloud", "key_policy"),
        (key(lanes=("local",)), 0, "own", "gpu", ""),
        (key(lanes=("local",)), 0, "big", "cloud", "key_policy"),
        (key(tier="cheap"), 0, "small", "cloud", ""),
        (key(tier="cheap"), 0, "big", "cloud", "key_policy"),
        (key(tier="frontier"), 0, "small", "cloud", "key_policy"),
        (DAY_BUDGET, BUDGET_PUSD - 1, "big", "cloud", ""),
        (DAY_BUDGET, BUDGET_PUSD, "big", "cloud", "budget_spent"),
        (DAY_BUDGET, BUDGET_PUSD, "own", "gpu", "budget_spent"),  # it has a price
        ({**DAY_BUDGET, **FREE}, BUDGET_PUSD, "own", "gpu", ""),
        ({**key(budget_usd_per_day=Decimal(0)), **FREE}, 0, "big", "cloud", "budget_spent"),
        ({**key(budget_usd_per_day=Decimal(0), models=("big",)), **FREE}, 0, "own", "gpu", "key_policy"),
    ],
)
def test_limits_forbid_a_candidate_for_this_reason(
    settings: dict[str, Any], spent_pusd: int, model: str, where: str, reason: str
):
    world = world_of(**settings)
    limits = world.limits(ANN, spent_pusd)
    at = candidate(model, where, world)
    assert limits.forbids(at) == reason
    if limits.demands_region:
        table = world.rulebook.table(None)
        assert bool(limits.resident(table)[table.positions[at]]) is (reason != "residency")


def test_a_caller_without_a_key_is_held_to_the_regions_of_the_configuration_alone():
    world = world_of(**regions("us"), **key(models=("small",), lanes=("local",), regions=("eu",)))
    limits = world.limits(Caller(), 10**18)
    assert limits.forbids(candidate("big", "cloud", world)) == ""
    assert limits.forbids(candidate("big", "spare", world)) == "residency"


@pytest.mark.parametrize(
    ("settings", "spent_pusd", "error", "says"),
    [
        (regions("eu"), 0, NotAllowed, "provider 'cloud' is in us"),
        (key(models=("small",)), 0, NotAllowed, "key 'ann' may not use model 'big'"),
        (DAY_BUDGET, BUDGET_PUSD, BudgetSpent, "the budget of key 'ann' for today is spent"),
    ],
)
def test_a_refusal_says_what_and_what_to_do(settings: dict[str, Any], spent_pusd: int, error: type, says: str):
    world = world_of(**settings)
    refusal = world.limits(ANN, spent_pusd).refusal(candidate("big", "cloud", world))
    assert type(refusal) is error
    assert refusal.message.startswith(says)
    assert refusal.hint


# -- routed calls -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "spent_pusd", "model", "where"),
    [
        (key(models=("small", "own")), 0, "own", "gpu"),
        (key(models=("small",)), 0, "small", "cloud"),
        (key(lanes=("realtime",)), 0, "small", "cloud"),
        (key(tier="frontier"), 0, "big", "cloud"),
        (regions("us"), 0, "small", "cloud"),
        (regions("local"), 0, "own", "gpu"),
        ({**DAY_BUDGET, **FREE}, BUDGET_PUSD, "own", "gpu"),
    ],
)
def test_a_routed_call_goes_to_the_cheapest_that_the_limits_leave(
    settings: dict[str, Any], spent_pusd: int, model: str, where: str
):
    world = world_of(**settings)
    decision = asked(world, spent_pusd=spent_pusd)
    assert decision.chosen == decision.preferred == candidate(model, where, world)
    limits = world.limits(ANN, spent_pusd)
    assert [limits.forbids(row) for row in decision.plan] == [""] * len(decision.plan)  # nor does anybody stand in


def test_whom_the_key_may_not_use_is_told():
    assert reasons(asked(world_of(**key(models=("small",))))) == {
        "big@cloud": "key_policy",
        "big@spare": "key_policy",
        "own@gpu": "key_policy",
    }


@pytest.mark.parametrize(
    ("settings", "spent_pusd", "error"),
    [
        (regions("moon"), 0, NotAllowed),
        (key(models=("unheard-of",)), 0, NotAllowed),
        (key(models=("own",), lanes=("realtime",)), 0, NotAllowed),
        (DAY_BUDGET, BUDGET_PUSD, BudgetSpent),
    ],
)
@pytest.mark.parametrize("mode", ["observe", "active", "split"])
def test_where_the_limits_leave_nobody_the_caller_gets_an_error(
    mode: Any, settings: dict[str, Any], spent_pusd: int, error: type[LanewiseError]
):
    if "routing" in settings:
        settings = {**settings, "routing": RoutingSettings(mode=mode, regions=settings["routing"].regions)}
    else:
        settings = {**settings, "mode": mode}
    with pytest.raises(error):
        asked(world_of(**settings), spent_pusd=spent_pusd)


def test_a_key_of_the_cheap_tier_gets_no_frontier_for_hard_work():
    world = world_of(**key(tier="cheap"))
    assert asked(world, reading=HARD).chosen.tier == "cheap"


def test_a_pinned_task_does_not_outlive_what_its_key_may():
    world = world_of(**key(models=("own",)))
    loop = reading_of(kind="continuation", new_task=False)
    pinned = conditions_of(pin=candidate("small", "cloud", world))
    decision = asked(world, reading=loop, conditions=pinned)
    assert decision.chosen.model == "own"
    assert (decision.rejected[0].candidate.model, decision.rejected[0].reason) == ("small", "key_policy")


# -- observe ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "spent_pusd", "model", "where"),
    [
        (key(models=("small",)), 0, "small", "cloud"),
        (key(lanes=("local",)), 0, "own", "gpu"),
        (key(tier="cheap"), 0, "own", "gpu"),
        (regions("eu", "local", mode="observe"), 0, "own", "gpu"),
        ({**DAY_BUDGET, **FREE}, BUDGET_PUSD, "own", "gpu"),
    ],
)
def test_in_observe_somebody_allowed_serves_where_the_baseline_is_not(
    settings: dict[str, Any], spent_pusd: int, model: str, where: str
):
    world = world_of(**({"mode": "observe"} | settings))
    decision = asked(world, spent_pusd=spent_pusd)
    assert (decision.mode, decision.baseline.model) == ("observe", "big")
    assert decision.chosen == candidate(model, where, world)
    assert decision.baseline not in decision.plan


def test_in_observe_a_baseline_that_is_allowed_serves_as_ever():
    decision = asked(world_of(mode="observe", **key(models=("big",))))
    assert (decision.chosen, decision.preferred) == (candidate("big", "cloud"), candidate("big", "cloud"))


# -- calls that are not routed ----------------------------------------------------------------------------

UNROUTED = [
    {"caller": Caller(key_id="ann", pin="big")},
    {"request": request_of(operation="count_tokens")},
    {"request": request_of(operation="embeddings")},
    {"request": request_of(operation="other")},
]


@pytest.mark.parametrize("call", UNROUTED)
@pytest.mark.parametrize(
    ("settings", "spent_pusd", "error"),
    [
        (regions("moon"), 0, NotAllowed),
        (key(models=("small",)), 0, NotAllowed),
        (key(lanes=("local",)), 0, NotAllowed),
        (key(tier="cheap"), 0, NotAllowed),
        ({**DAY_BUDGET, **FREE}, BUDGET_PUSD, BudgetSpent),
    ],
)
def test_what_is_not_routed_is_refused_and_nobody_else_is_asked(
    call: dict[str, Any], settings: dict[str, Any], spent_pusd: int, error: type[LanewiseError]
):
    with pytest.raises(error):
        asked(world_of(**settings), spent_pusd=spent_pusd, **call)


@pytest.mark.parametrize("call", UNROUTED)
def test_what_is_not_routed_goes_to_the_named_models_endpoints_that_are_allowed(call: dict[str, Any]):
    world = world_of(**regions("eu"))
    assert asked(world, **call).plan == (candidate("big", "spare", world),)


def test_a_pinned_engine_that_costs_nothing_serves_when_the_budget_is_spent():
    world = world_of(**DAY_BUDGET, **FREE)
    decision = asked(world, spent_pusd=BUDGET_PUSD, caller=Caller(key_id="ann", pin="own"))
    assert decision.plan == (candidate("own", "gpu", world),)


# -- whole calls ------------------------------------------------------------------------------------------


def body(model: str = "big", text: str = "Why does it crash? Find the bug.") -> bytes:
    return json.dumps({"model": model, "max_tokens": 100, "messages": [{"role": "user", "content": text}]}).encode()


def answer(input_tokens: int = 10, output_tokens: int = 5) -> Said:
    usage = {"input_tokens": input_tokens, "output_tokens": output_tokens}
    content = [{"type": "text", "text": "Done."}]
    return Said(
        json.dumps(
            {"type": "message", "role": "assistant", "content": content, "stop_reason": "end_turn", "usage": usage}
        ).encode()
    )


@pytest.mark.parametrize(
    ("settings", "error", "code", "status"),
    [
        (key(models=("unheard-of",)), NotAllowed, "not_allowed", 403),
        (regions("moon"), NotAllowed, "not_allowed", 403),
        (key(budget_usd_per_day=Decimal(0)), BudgetSpent, "budget_spent", 429),
    ],
)
@pytest.mark.parametrize("call", [{}, {"operation": "count_tokens"}, {"caller": Caller(key_id="ann", pin="big")}])
def test_a_call_that_nobody_may_serve_reaches_nobody(
    call: dict[str, Any], settings: dict[str, Any], error: type[LanewiseError], code: str, status: int
):
    house = House(world_of(**settings))
    with pytest.raises(error) as caught:
        house.ask(body(), **{"caller": ANN, **call})
    assert (caught.value.code, caught.value.status) == (code, status)
    assert (house.upstream.sent, house.books.calls, house.books.routing_failures) == ([], [], 0)


def test_a_limit_is_no_bug_and_holds_where_there_is_one(monkeypatch: pytest.MonkeyPatch):
    def bug(*_: object, **__: object) -> Any:
        raise RuntimeError

    house = House(world_of(**key(models=("small",))))
    monkeypatch.setattr(house.classifier, "read", bug)
    with pytest.raises(NotAllowed):
        house.ask(body(), caller=ANN)
    assert (house.books.routing_failures, house.upstream.sent) == (1, [])


PRICEY = {"models": {"big": ModelSettings(provider="cloud", price=usd(100_000, 0))}}
"""Ten cents a prompt token: ten of them are a dollar."""


def test_bills_add_up_until_the_budget_is_spent_and_midnight_begins_anew():
    house = House(world_of(**PRICEY, **key(budget_usd_per_day=Decimal(2))))
    for _ in range(2):
        assert house.ask(body(), answer(10), caller=ANN).status == 200
    assert house.last.outcome.cost is not None
    assert house.last.outcome.cost.total_pusd == BUDGET_PUSD
    with pytest.raises(BudgetSpent):
        house.ask(body(), caller=ANN)
    assert house.ask(body(), answer(10), caller=Caller(session="two")).status == 200  # another's budget
    house.clock.seconds = 15 * 3600 - 1  # a second before midnight
    with pytest.raises(BudgetSpent):
        house.ask(body(), caller=ANN)
    house.clock.seconds += 1
    assert house.ask(body(), answer(10), caller=ANN).status == 200
    house.clock.seconds -= 3600  # a clock set back
    assert house.router._spending.today("ann", NOW) == BUDGET_PUSD


def test_an_attempt_that_failed_costs_nothing_and_reserves_nothing():
    house = House(world_of(**PRICEY, **key(budget_usd_per_day=Decimal(2))))
    house.upstream.down = 1
    house.ask(body(), caller=ANN)
    assert house.last.outcome.status == 502
    assert house.router._spending.today("ann", NOW) == 0


def test_many_calls_at_once_cannot_all_take_the_last_dollar():
    house = House(world_of(**PRICEY, **key(budget_usd_per_day=Decimal(2))))
    house.upstream.hangs = True

    async def crowd() -> list[Any]:
        running = [asyncio.create_task(house.serve(body(), Client(), caller=ANN)) for _ in range(30)]
        for _ in range(20):
            await asyncio.sleep(0)
        assert house.router._spending.today("ann", NOW) >= 2 * BUDGET_PUSD
        for task in running:
            task.cancel()
        return await asyncio.gather(*running, return_exceptions=True)

    ends = asyncio.run(crowd())
    expected_pusd = 100_000 * 10**6 * house.books.calls[0].reading.features.input_tokens
    may_run = -(-2 * BUDGET_PUSD // expected_pusd)  # the last one begins with less than its cost left
    assert len(house.upstream.sent) == may_run < 30
    assert sum(isinstance(end, BudgetSpent) for end in ends) == 30 - may_run
    assert house.router._spending.today("ann", NOW) == 0  # who left was not billed


@pytest.mark.parametrize("pin", ["", "big"])
def test_a_call_that_is_not_compared_reserves_its_prompt_and_a_usual_answer(pin: str):
    """A pinned call spends like any other."""
    house = House(world_of(**PRICEY, **key(budget_usd_per_day=Decimal(2))))
    house.upstream.hangs = True

    async def begin() -> int:
        caller = Caller(key_id="ann", session="one", pin=pin)
        running = asyncio.create_task(house.serve(body(), Client(), caller=caller))
        for _ in range(20):
            await asyncio.sleep(0)
        reserved = house.router._spending.today("ann", NOW)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        return reserved

    assert asyncio.run(begin()) > 0
