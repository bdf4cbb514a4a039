"""When a conversation may change its model, whether it pays, and the promise about what that may cost."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Any, NamedTuple

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from router_kit import (
    MODELS,
    NOW,
    Client,
    House,
    Said,
    candidate,
    prices,
    reading_of,
    reasons,
    request_of,
    situation_of,
    usd,
    world_of,
)

from lanewise.classify import Classifier
from lanewise.config import ModelSettings
from lanewise.journey import Caller, Decision
from lanewise.router import World, decide
from lanewise.select import Caches, Conversation, Pin, SwitchLedger
from lanewise.select.warmth import Warmth
from lanewise.upstream.transport import Sending

PUSD = 1_000_000  # a dollar per million tokens is 10^6 pico-dollars per token
BIG, SMALL = candidate("big", "cloud"), candidate("small", "cloud")
PAIR = {
    "big": ModelSettings(provider="cloud", price=usd(10, 50, read=1, write=10)),
    "mid": ModelSettings(provider="cloud", tier="cheap", price=usd(8, 40, read=0.8, write=8)),
}


def warm(model: str = "big", *, tokens: int = 20_000, idle_s: float = 10.0, bill_pusd: int = 10**13) -> Conversation:
    """A conversation that `model` served until `idle_s` seconds ago."""
    one = Warmth(provider="cloud", model=model, tokens=tokens, used_at_s=NOW.timestamp() - idle_s, ttl_s=300.0)
    world = world_of(models={**MODELS, **PAIR})
    return Conversation(
        caches=Caches(warm=(one,)),
        ledger=SwitchLedger(never_switch_pusd=bill_pusd),
        server=candidate(model, "cloud", world),
        prompt_tokens=tokens,
        task_calls=3,
    )


def next_call(
    conversation: Conversation | None,
    *,
    world: World | None = None,
    turns: float = 1.0,
    pin: Pin | None = None,
    **reading: Any,
) -> Decision:
    world = world or world_of(models={name: MODELS[name] for name in ("big", "small")})
    read = reading_of(**{"tokens": 20_000, **reading})
    situation = situation_of(request_of(), reading=read, world=world)
    situation = msgspec.structs.replace(situation, conversation=conversation, turns=turns, growth_tokens=0.0, pin=pin)
    return decide(world.rulebook, Caller(), read, situation)


# -- whether it pays, in numbers ----------------------------------------------------------------------------


@pytest.mark.parametrize(("turns", "model"), [(1, "big"), (13, "big"), (14, "mid"), (40, "mid")])
def test_a_new_task_moves_only_where_that_pays_over_the_turns_to_come(turns: float, model: str):
    # Thousandths of a dollar. Warm: 20,000 x 1 + 700 x 50 = 55 a turn. Cold at the other: 20,000 x 8 + 700 x 40 = 188,
    # then 20,000 x 0.8 + 28 = 44 a turn. 188 - 55 = 133 come back at 11 a turn: after 12.1 further turns.
    decision = next_call(warm(), world=world_of(models=PAIR), turns=turns)
    assert decision.chosen.model == model
    totals = {quote.candidate.model: quote.total_pusd for quote in decision.quotes}
    assert totals == {"big": int((55 + 55 * (turns - 1)) * 10**9), "mid": int((188 + 44 * (turns - 1)) * 10**9)}
    assert decision.switch_pusd == (0 if model == "big" else 20_000 * 7_200_000)


@pytest.mark.parametrize(("bill", "model"), [(0, "big"), (359_999, "big"), (360_000, "small"), (10**7, "small")])
def test_the_promise_holds_back_a_switch_that_pays(bill: int, model: str):
    # Leaving 20,000 warm tokens costs 20,000 x (1 - 0.1) = 18,000 of these; 5 % of the bill so far must cover it.
    decision = next_call(warm(bill_pusd=bill * PUSD))
    assert decision.chosen.model == model
    assert decision.switch_pusd == (0 if model == "big" else 18_000 * PUSD)
    assert not decision.switch_forced
    if model == "big":
        assert reasons(decision)["small@cloud"] == "switch_promise"


def test_what_was_spent_on_switches_before_counts_against_the_promise():
    before = warm(bill_pusd=720_000 * PUSD)
    spent = before.ledger.switched(18_001 * PUSD, forced=False)
    forced = before.ledger.switched(18_001 * PUSD, forced=True)
    assert next_call(before).chosen == SMALL
    assert next_call(msgspec.structs.replace(before, ledger=spent)).chosen == BIG
    assert next_call(msgspec.structs.replace(before, ledger=forced)).chosen == SMALL  # what quality forced does not


def test_a_return_to_a_model_that_is_still_warm_is_nearly_free():
    both = warm("small", bill_pusd=0)
    more = Warmth(provider="cloud", model="big", tokens=19_000, used_at_s=NOW.timestamp() - 60, ttl_s=300.0)
    both = msgspec.structs.replace(both, caches=Caches(warm=(more, *both.caches.warm)))
    decision = next_call(both, skill="debugging")  # not for cheap models, so it has to leave
    assert (decision.chosen, decision.switch_pusd) == (BIG, 1_000 * 11_500_000)
    assert decision.switch_forced


def test_leaving_a_model_that_may_not_do_the_task_is_forced_and_no_promise_refuses_it():
    decision = next_call(warm("small", bill_pusd=0), skill="debugging")
    assert (decision.chosen, decision.switch_forced) == (BIG, True)
    assert decision.switch_pusd == 20_000 * 11_500_000


# -- where it may change ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "idle_s", "compacted", "point"),
    [
        ("followup", 300.0, False, ""),
        ("followup", 300.1, False, "cache_cold"),
        ("followup", 10.0, True, "compacted"),
        ("main", 300.1, False, "cache_cold"),  # a client's retry, after a pause
        ("continuation", 300.1, False, ""),  # a tool's result belongs to whoever called the tool
        ("continuation", 10.0, True, ""),
    ],
)
def test_inside_a_task_only_a_cold_cache_or_a_compaction_opens_a_switch_point(kind, idle_s, compacted, point):
    before = warm(idle_s=idle_s, bill_pusd=0)
    before = before.rewritten() if compacted else before
    decision = next_call(before, kind=kind, new_task=False, pin=Pin(candidate=BIG))
    assert decision.switch_point == point
    assert decision.chosen == (SMALL if point else BIG)
    assert decision.switch_pusd == 0  # there is no warm cache to leave


def test_a_sub_agent_begins_without_its_parents_cache():
    decision = next_call(None, kind="subagent", new_session=True)
    assert (decision.switch_point, decision.chosen, decision.switch_pusd) == ("subagent_start", SMALL, 0)


def test_a_conversation_that_lies_at_its_provider_has_no_switch_point_while_its_pin_holds():
    world = world_of(models={name: MODELS[name] for name in ("big", "small")})
    reading = reading_of(new_task=True)
    features = msgspec.structs.replace(reading.features, previous_response=True)
    reading = msgspec.structs.replace(reading, features=features)
    situation = msgspec.structs.replace(situation_of(reading=reading, world=world), pin=Pin(candidate=BIG))
    decision = decide(world.rulebook, Caller(), reading, situation)
    assert (decision.chosen, decision.reason, decision.switch_point) == (BIG, "task_pin", "")


@pytest.mark.parametrize(
    ("kind", "ties", "who", "chosen"),
    [
        # an open loop goes on with whoever served it; where nobody is known, with the model that was named
        ("continuation", {}, "nobody", "big"),
        ("continuation", {}, "server", "small"),
        ("continuation", {"sealed": True}, "nobody", "big"),
        ("continuation", {"sealed": True}, "server", "small"),
        ("continuation", {"previous_response": True}, "server", "small"),
        # so does a conversation that lies at its provider
        ("main", {"previous_response": True}, "nobody", "big"),
        ("main", {"previous_response": True}, "server", "small"),
        ("main", {"previous_response": True}, "pin", "small"),
        # what is sealed may move to another model of its vendor: the cheapest of the vendor of `big` and `small`
        ("main", {"sealed": True}, "nobody", "small"),
        ("main", {"sealed": True}, "server", "small"),
        ("main", {}, "nobody", "own"),
        ("main", {}, "server", "own"),
    ],
)
def test_who_goes_on_with_what_only_its_maker_can_read(kind: Any, ties: dict[str, bool], who: str, chosen: str):
    reading = reading_of(kind=kind, new_task=kind == "main")
    reading = msgspec.structs.replace(reading, features=msgspec.structs.replace(reading.features, **ties))
    gone = Pin(candidate=candidate("own", "gpu"))
    situation = msgspec.structs.replace(
        situation_of(reading=reading),
        conversation=msgspec.structs.replace(warm("small"), caches=Caches()) if who == "server" else None,
        pin=msgspec.structs.replace(gone, candidate=SMALL) if who == "pin" else None,
    )
    decision = decide(world_of().rulebook, Caller(), reading, situation)
    assert decision.chosen.model == chosen
    if ties.get("sealed") and kind == "main":
        assert reasons(decision)["own@gpu"] == "sealed"


# -- whole sessions -----------------------------------------------------------------------------------------


class Task(NamedTuple):
    pause_s: float
    steps: int
    words: str
    fails: bool
    grows: int
    """Characters that each step adds."""


class Market(NamedTuple):
    """Dollars per million tokens, as shares of the baseline's."""

    cheap: tuple[float, float, float]
    other: tuple[float, float, float]
    read: float
    write: float


SHARED = Classifier.load()
WORDS = ("Write the documentation of it.", "Find out why it crashes.", "Summarize what was done.", "Plan the redesign.")
TTL_S = 300.0


def _market(market: Market) -> dict[str, ModelSettings]:
    def priced(share_in: float, share_out: float, share_cache: float) -> Any:
        into = 10 * share_in
        found = (into, 50 * share_out, into * share_cache, into * market.write)
        fresh, output, read, write = (round(each, 6) for each in found)
        return usd(fresh, output, read=read, write=write)

    return {
        "big": ModelSettings(provider="cloud", price=priced(1, 1, market.read)),
        "cheap": ModelSettings(provider="talker", tier="cheap", price=priced(*market.cheap)),
        "other": ModelSettings(provider="gpu", tier="cheap", price=priced(*market.other)),
    }


class Session:
    """A client whose provider caches what it was sent, as providers do."""

    def __init__(self, market: Market, share: float) -> None:
        base = world_of()
        routing = msgspec.structs.replace(base.settings.routing, max_switch_overhead=share, max_slowdown=1e9)
        rows = {
            name: msgspec.structs.replace(row, dialects=("messages",)) for name, row in base.settings.providers.items()
        }
        changed = msgspec.structs.replace(base.settings, routing=routing, models=_market(market), providers=rows)
        self.house = House(World(changed, base.env, prices()), classifier=SHARED.forgetful())
        self.house.upstream.send = self._send  # type: ignore[method-assign]
        self.cached: dict[str, tuple[int, float]] = {}
        self.turns: list[dict[str, Any]] = []

    async def _send(self, sending: Sending) -> Said:
        model = json.loads(sending.body)["model"]
        now, prompt = self.house.clock.seconds, len(sending.body) // 4
        tokens, used_at = self.cached.get(model, (0, -1e9))
        read = min(tokens, prompt) if now - used_at <= TTL_S else 0
        self.cached[model] = (prompt, now)
        usage = {
            "input_tokens": 0,
            "cache_read_input_tokens": read,
            "cache_creation_input_tokens": prompt - read,
            "output_tokens": 300,
        }
        content = [{"type": "text", "text": "So it is."}]
        fields = {"id": "m", "type": "message", "role": "assistant", "model": model, "stop_reason": "end_turn"}
        return Said(json.dumps({**fields, "content": content, "usage": usage}).encode())

    def calls(self, task: Task) -> Iterator[Decision]:
        """The task's calls, each made when it is asked for."""
        self.house.clock.seconds += task.pause_s
        if self.turns:
            self.turns.append({"role": "assistant", "content": [{"type": "text", "text": "So it is."}]})
        self.turns.append({"role": "user", "content": f"{task.words} {'x ' * (task.grows // 2)}"})
        yield self._call()
        for _ in range(task.steps):
            call_id = f"t{len(self.turns)}"
            call = {"type": "tool_use", "id": call_id, "name": "Edit", "input": {"n": len(self.turns)}}
            said = "<tool_use_error>String to replace not found in file." if task.fails else "ok " * (task.grows // 3)
            self.turns.append({"role": "assistant", "content": [call]})
            result = {"type": "tool_result", "tool_use_id": call_id, "content": said}
            self.turns.append({"role": "user", "content": [result]})
            self.house.clock.seconds += 5
            yield self._call()

    def _call(self) -> Decision:
        marked = [{"type": "text", "text": "Be brief. " * 600, "cache_control": {"type": "ephemeral"}}]
        tools = [{"name": "Edit", "input_schema": {"type": "object"}}]
        body = {"model": "big", "max_tokens": 400, "messages": self.turns, "tools": tools, "system": marked}
        client = Client()
        asyncio.run(self.house.serve(json.dumps(body).encode(), client, caller=Caller(session="one")))
        assert client.status == 200
        return self.house.last.decision


_share = st.sampled_from([0.02, 0.1, 0.3, 0.6, 0.9])
_markets = st.builds(
    Market,
    cheap=st.tuples(_share, _share, st.sampled_from([0.05, 0.1, 0.5])),
    other=st.tuples(_share, _share, st.sampled_from([0.05, 0.1, 0.5])),
    read=st.sampled_from([0.05, 0.1, 0.5]),
    write=st.sampled_from([1.0, 1.25]),
)
_tasks = st.builds(
    Task,
    pause_s=st.sampled_from([1.0, 60.0, 299.0, 301.0, 4000.0]),
    steps=st.integers(0, 4),
    words=st.sampled_from(WORDS),
    fails=st.booleans(),
    grows=st.sampled_from([30, 3_000, 30_000]),
)


@settings(max_examples=60, deadline=None)
@given(market=_markets, tasks=st.lists(_tasks, min_size=1, max_size=6), share=st.sampled_from([0.0, 0.01, 0.05, 0.2]))
def test_in_any_session_the_promise_holds_at_every_step_and_no_tool_loop_changes_its_model(market, tasks, share):
    session = Session(market, share)
    chosen_pusd = bill_pusd = 0
    served = None
    for task in tasks:
        for decision in session.calls(task):
            call = session.house.last
            if not decision.switch_forced:
                chosen_pusd += decision.switch_pusd
            # The promise is kept when a switch is made: by the bill of the calls before it.
            assert chosen_pusd <= share * bill_pusd
            assert call.outcome.baseline_cost is not None
            bill_pusd += call.outcome.baseline_cost.total_pusd
            unable = any(row.detail == "served this task until now" for row in decision.rejected)
            if call.reading.turn.kind == "continuation" and decision.reason != "escalated" and not unable:
                assert decision.chosen == served
            served = decision.chosen
            known = session.house.router._experience.conversation(call.reading)
            assert known is not None
            ledger = known.ledger
            assert (known.server, ledger.overhead_pusd, ledger.never_switch_pusd) == (served, chosen_pusd, bill_pusd)
    assert session.house.books.routing_failures == 0
