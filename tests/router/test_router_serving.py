"""Whole calls through the router with an upstream in memory: failures, pins, and what the ledger is told."""

from __future__ import annotations

import asyncio
import importlib
import json
import logging
import random
import uuid
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from router_kit import MODELS, NOW, PROVIDERS, Client, House, Said, provider, reading_of, usd, world_of

from lanewise.classify import Classifier
from lanewise.config import ModelSettings, UpstreamSettings
from lanewise.errors import ConnectFailed, FirstByteTimeout, LanewiseError, NoCandidate
from lanewise.journey import Caller, Dialect, Usage
from lanewise.router import uuid7
from lanewise.wire import peek

SECRET = "canary-of-the-user"
EASY = f"Write the documentation of this function. {SECRET}"
PUSD = 1_000_000  # a dollar per million tokens is a millionth of a dollar per token: 10^6 pico-dollars


def ask_body(text: str = EASY, *, model: str = "big", loop: bool = False, **more: Any) -> bytes:
    """A Messages request; with `loop`, its last message brings a tool's result."""
    turns: list[dict[str, Any]] = [{"role": "user", "content": text}]
    if loop:
        call = {"type": "tool_use", "id": "t1", "name": "Read", "input": {}}
        turns.append({"role": "assistant", "content": [call]})
        turns.append({"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t1", "content": "ok"}]})
    return json.dumps({"model": model, "max_tokens": 100, "messages": turns, **more}).encode()


def answer(**usage: int) -> Said:
    """A whole Messages answer with this usage; without any, it reports none."""
    body: dict[str, Any] = {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "m",
        "content": [{"type": "text", "text": "Done."}],
        "stop_reason": "end_turn",
    }
    if usage:
        body["usage"] = usage
    return Said(json.dumps(body).encode())


# -- a bug of ours costs the saving, never the answer ------------------------------------------------------


class Bug(Exception):
    """Anything that should not happen; its message quotes the prompt, as a stranger's may."""


def bug(*_: object, **__: object) -> Any:
    raise Bug(f"cannot cope with {SECRET}")


LAYERS = {
    "classify": (Classifier, "read"),
    "route": (importlib.import_module("lanewise.router.case"), "allowed_lanes"),
    "select": (importlib.import_module("lanewise.router.prefer"), "choose"),
}


@pytest.mark.parametrize("layer", LAYERS)
def test_a_layer_that_fails_lets_the_baseline_serve_and_is_counted(layer: str, monkeypatch, caplog):
    house = House()
    monkeypatch.setattr(*LAYERS[layer], bug)
    client = house.ask(ask_body(), answer(input_tokens=10, output_tokens=5))
    assert (client.status, json.loads(client.body)["content"][0]["text"]) == (200, "Done.")
    assert client.headers["x-lanewise-reason"] == house.last.decision.reason == "routing_error"
    assert house.last.outcome.served == house.last.decision.baseline
    assert house.books.routing_failures == 1
    assert [record.levelno for record in caplog.records] == [logging.ERROR]
    assert "routing failed with Bug" in caplog.text
    assert SECRET not in caplog.text


@pytest.mark.parametrize("layer", LAYERS)
def test_a_layer_that_fails_does_not_send_a_call_out_of_the_lane_it_insists_on(layer: str, monkeypatch):
    house = House()
    monkeypatch.setattr(*LAYERS[layer], bug)
    with pytest.raises(NoCandidate, match="nothing in lane 'local'"):
        house.ask(ask_body(), caller=Caller(lane="local"))
    assert house.upstream.sent == []


def test_a_layer_that_fails_does_not_hide_that_nobody_can_answer(monkeypatch):
    house = House()
    monkeypatch.setattr(*LAYERS["classify"], bug)
    with pytest.raises(NoCandidate):
        house.ask(ask_body(model="auto"))
    assert house.books.calls == []


def test_a_name_that_resolves_to_nothing_is_no_bug_of_ours():
    house = House()
    with pytest.raises(NoCandidate):
        house.ask(ask_body(model="auto"))
    assert (house.books.routing_failures, house.upstream.sent) == (0, [])


# -- pins --------------------------------------------------------------------------------------------------


def test_a_tool_loop_rides_the_model_its_task_began_with():
    house = House()
    house.ask(ask_body(), answer(input_tokens=10, output_tokens=5))
    house.router.use(
        world_of(models={**MODELS, "bargain": ModelSettings(provider="gpu", tier="cheap", price=usd(0, 0))})
    )
    house.ask(ask_body(loop=True), answer(input_tokens=10, output_tokens=5))
    assert [call.decision.chosen.model for call in house.books.calls] == ["own", "own"]
    assert (house.last.decision.reason, house.last.decision.switch_point) == ("task_pin", "")


def test_the_next_task_is_decided_anew():
    house = House()
    house.ask(ask_body(), answer(input_tokens=10, output_tokens=5))
    house.router.use(
        world_of(models={**MODELS, "bargain": ModelSettings(provider="gpu", tier="cheap", price=usd(0, 0))})
    )
    house.ask(ask_body("Write the documentation of another function."), answer(input_tokens=10, output_tokens=5))
    assert (house.last.decision.chosen.model, house.last.decision.switch_point) == ("bargain", "new_task")


def test_a_loop_stays_with_the_one_that_stood_in():
    house = House()
    house.upstream.down = 1
    house.ask(ask_body(), answer(input_tokens=10, output_tokens=5))
    assert house.last.outcome.served is not None
    assert (house.last.decision.chosen.model, house.last.outcome.served.model) == ("own", "big")
    house.ask(ask_body(loop=True), answer(input_tokens=10, output_tokens=5))
    assert (house.last.decision.reason, house.last.decision.chosen.model) == ("task_pin", "big")


def test_a_loop_goes_on_with_whom_the_caller_named_for_its_first_call():
    house = House()
    house.ask(ask_body(), answer(input_tokens=10, output_tokens=5), caller=Caller(session="one", pin="small"))
    house.ask(ask_body(loop=True), answer(input_tokens=10, output_tokens=5))
    assert house.books.calls[0].decision.reason == "caller_pin"
    assert (house.last.decision.reason, house.last.decision.chosen.model) == ("task_pin", "small")


@pytest.mark.parametrize("down", [0, 1])
def test_housekeeping_inside_a_task_moves_nothing_but_itself(down: int, monkeypatch):
    """It carries the ids of its conversation and is served apart, by whoever was chosen or stood in."""
    house = House()
    readings = [
        reading_of(skill="debugging"),
        reading_of(kind="housekeeping"),
        reading_of(kind="continuation", new_task=False),
    ]
    monkeypatch.setattr(house.classifier, "read", lambda *_: readings.pop(0))
    served = []
    for number in range(3):
        house.upstream.down = down if number == 1 else 0
        house.ask(ask_body(), answer(input_tokens=10, output_tokens=5))
        served.append(house.last.outcome.served.model)
    assert served == ["big", "big" if down else "own", "big"]
    assert house.last.decision.reason == "task_pin"


def test_a_stand_in_for_housekeeping_serves_no_task(monkeypatch):
    house = House()
    readings = [reading_of(), reading_of(kind="housekeeping"), reading_of(kind="continuation", new_task=False)]
    monkeypatch.setattr(house.classifier, "read", lambda *_: readings.pop(0))
    chosen = []
    for number in range(3):
        house.upstream.down = int(number == 1)
        house.ask(ask_body(), answer(input_tokens=10, output_tokens=5))
        chosen.append((house.last.decision.chosen.model, house.last.outcome.served.model))
    assert chosen == [("own", "own"), ("own", "big"), ("own", "own")]


# -- what the ledger is told -------------------------------------------------------------------------------


def test_a_call_costs_its_tokens_at_the_price_of_who_served():
    house = House(world_of(mode="observe"))
    usage = {
        "input_tokens": 100,
        "cache_read_input_tokens": 3000,
        "cache_creation_input_tokens": 20,
        "output_tokens": 50,
    }
    client = house.ask(ask_body(), answer(**usage))
    outcome = house.last.outcome
    assert outcome.cost is not None
    # dollars per million: input 10, read 1, write 12.5, output 50
    assert outcome.cost.total_pusd == (100 * 10 + 3000 * 1 + 50 * 50) * PUSD + 20 * 12_500_000
    assert outcome.baseline_cost == outcome.cost
    assert client.headers["x-lanewise-saved-usd"] == "0"
    assert client.headers["x-lanewise-cost-usd"] == "0.00675"


def test_what_was_not_routed_is_told_with_what_routing_would_have_cost():
    house = House(world_of(mode="observe"))
    house.ask(ask_body(), answer(input_tokens=1000, output_tokens=100))
    assert house.last.decision.preferred.model == "own"
    assert house.last.outcome.preferred_cost_pusd == (1000 + 100) * PUSD // 10


def test_a_call_that_the_preferred_one_served_says_nothing_of_what_it_would_have_cost():
    house = House()
    house.ask(ask_body(), answer(input_tokens=1000, output_tokens=100))
    assert house.last.outcome.preferred_cost_pusd is None


def test_the_first_call_of_a_conversation_is_measured_against_a_cold_baseline():
    house = House()
    client = house.ask(ask_body(), answer(input_tokens=2000, output_tokens=100))
    outcome = house.last.outcome
    assert outcome.cost is not None
    assert outcome.baseline_cost is not None
    assert outcome.cost.total_pusd == (2000 + 100) * PUSD // 10
    assert outcome.baseline_cost.total_pusd == (2000 * 10 + 100 * 50) * PUSD
    assert client.headers["x-lanewise-cost-usd"] == "0.00021"
    assert client.headers["x-lanewise-saved-usd"] == "0.02479"  # 0.025 less 0.00021


def test_a_later_call_is_measured_against_a_warm_baseline():
    house = House()
    house.ask(ask_body(), answer(input_tokens=2000, output_tokens=100))
    house.clock.seconds += 299.0
    house.ask(ask_body(loop=True), answer(input_tokens=2600, output_tokens=100))
    assert house.last.outcome.baseline_cost is not None
    # 2,000 tokens of the last prompt would have been read from the cache, 600 were new
    assert house.last.outcome.baseline_cost.total_pusd == (2000 * 1 + 600 * 10 + 100 * 50) * PUSD


def test_a_client_that_marks_its_prompt_for_caching_would_have_paid_for_writing_it():
    house = House()
    marked = [{"type": "text", "text": "rules", "cache_control": {"type": "ephemeral"}}]
    house.ask(ask_body(system=marked), answer(input_tokens=2000, output_tokens=0))
    assert house.last.outcome.baseline_cost is not None
    assert house.last.outcome.baseline_cost.total_pusd == 2000 * 12_500_000


def test_after_five_minutes_the_baselines_cache_is_cold_again():
    house = House()
    house.ask(ask_body(), answer(input_tokens=2000, output_tokens=100))
    house.clock.seconds += 300.1
    house.ask(ask_body(loop=True), answer(input_tokens=2600, output_tokens=100))
    assert house.last.outcome.baseline_cost is not None
    assert house.last.outcome.baseline_cost.total_pusd == (2600 * 10 + 100 * 50) * PUSD


def test_an_answer_without_usage_is_estimated_from_its_bytes_and_marked():
    house = House(world_of(mode="observe"))
    client = house.ask(ask_body(), answer())
    usage = house.last.outcome.usage
    assert usage == Usage(
        input_tokens=house.last.reading.features.input_tokens,
        output_tokens=round(len(client.body) / 3.7),
        estimated=True,
    )
    assert house.last.outcome.cost is not None
    assert house.last.outcome.cost.total_pusd == (usage.input_tokens * 10 + usage.output_tokens * 50) * PUSD


def test_counting_tokens_is_neither_estimated_nor_priced():
    house = House()
    body = json.dumps({"model": "big", "messages": [{"role": "user", "content": "hi"}]}).encode()
    house.ask(body, Said(b'{"input_tokens": 9}'), operation="count_tokens", target="/v1/messages/count_tokens")
    outcome = house.last.outcome
    assert (outcome.status, outcome.usage, outcome.cost, house.last.decision.reason) == (200, None, None, "not_routed")


def test_an_error_of_the_upstream_is_passed_on_and_costs_nothing():
    house = House(world_of(mode="observe"))
    client = house.ask(ask_body(), Said(b'{"type":"error"}', status=400))
    assert (client.status, client.body) == (400, b'{"type":"error"}')
    assert (house.last.outcome.usage, house.last.outcome.cost, house.last.outcome.error) == (None, None, "")
    assert "x-lanewise-cost-usd" not in client.headers


def test_an_unknown_price_is_absent_and_not_zero():
    house = House(world_of(mode="observe"))
    client = house.ask(ask_body(model="nobody-lists-this"), answer(input_tokens=10, output_tokens=5))
    assert (house.last.outcome.cost, house.last.outcome.baseline_cost) == (None, None)
    assert house.last.outcome.usage == Usage(input_tokens=10, output_tokens=5)
    assert "x-lanewise-cost-usd" not in client.headers


def test_when_nobody_answers_the_client_is_told_in_its_dialect_and_every_attempt_is_kept():
    house = House()
    house.upstream.down = 3
    client = house.ask(ask_body())
    assert client.status == 502
    assert json.loads(client.body)["type"] == "error"
    assert [(a.number, a.candidate.model, a.error) for a in house.last.attempts] == [
        (1, "own", "connect_failed"),
        (2, "big", "connect_failed"),
        (3, "big", "connect_failed"),
    ]
    assert (house.last.outcome.status, house.last.outcome.served, house.last.outcome.usage) == (502, None, None)


def test_times_run_from_the_requests_last_byte():
    house = House(world_of(mode="observe"))
    said = answer(input_tokens=10, output_tokens=5)
    said.takes_s = 1.5
    house.ask(ask_body(), said)
    outcome = house.last.outcome
    assert (outcome.overhead_us, outcome.first_byte_us, outcome.duration_us) == (0, 1_500_000, 1_500_000)
    assert house.last.started_at == NOW


def test_a_client_that_leaves_is_recorded_as_gone():
    house = House(world_of(mode="observe"))
    house.upstream.hangs = True

    async def leave() -> None:
        serving = asyncio.create_task(house.serve(ask_body(), Client()))
        while not house.upstream.sent:
            await asyncio.sleep(0)
        serving.cancel()
        with pytest.raises(asyncio.CancelledError):
            await serving

    asyncio.run(leave())
    assert (house.last.outcome.status, house.last.outcome.error) == (499, "client_left")
    assert [attempt.error for attempt in house.last.attempts] == ["client_left"]


def test_no_record_holds_a_word_of_the_prompt_or_the_answer():
    house = House()
    house.ask(ask_body(), answer(input_tokens=10, output_tokens=5))
    house.upstream.down = 3
    house.ask(ask_body(loop=True))
    assert SECRET not in repr(house.books.calls)
    assert "Done." not in repr(house.books.calls)


def test_the_response_says_who_decided_what():
    house = House()
    client = house.ask(ask_body(), answer(input_tokens=10, output_tokens=5))
    found = {name: value for name, value in client.headers.items() if name.startswith("x-lanewise-")}
    assert found.pop("x-lanewise-call-id") == house.last.call_id
    assert found == {
        "x-lanewise-turn": "main",
        "x-lanewise-skill": "documentation",
        "x-lanewise-lane": "local",
        "x-lanewise-model": "own",
        "x-lanewise-reason": "cheapest_allowed",
        "x-lanewise-attempts": "1",
        "x-lanewise-overhead-us": "0",
        "x-lanewise-cost-usd": "0.0000015",  # 15 tokens at a tenth of a dollar per million
        "x-lanewise-saved-usd": "0.0003485",  # 10 * 10 + 5 * 50 dollars per million tokens, less that
    }


# -- reload ------------------------------------------------------------------------------------------------


def test_a_call_under_way_finishes_under_the_world_it_began_in():
    house = House(world_of(mode="observe"))
    said = answer(input_tokens=10, output_tokens=5)
    dearer = world_of(mode="observe", models={"big": ModelSettings(provider="cloud", price=usd(1000, 5000))})
    read = said.chunk

    async def reload_then_read() -> bytes | None:
        house.router.use(dearer)
        return await read()

    said.chunk = reload_then_read  # type: ignore[method-assign]
    house.ask(ask_body(), said)
    house.ask(ask_body(), answer(input_tokens=10, output_tokens=5))
    costs = [call.outcome.cost.total_pusd for call in house.books.calls if call.outcome.cost]
    assert costs == [350 * PUSD, 35_000 * PUSD]


# -- any bytes ---------------------------------------------------------------------------------------------

_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["role", "content", "type", "text", "tool_use_id", "name", "x"]), inner, max_size=4
        )
    ),
    max_leaves=12,
)
_TOP = st.dictionaries(
    st.sampled_from(["messages", "input", "contents", "system", "tools", "stream", "max_tokens", "metadata", "stop"]),
    _JSON,
    max_size=5,
)
ANY_ROUTER = House(
    world_of(providers={"all": provider("messages", "chat", "responses", "gemini", lane="local")}, models={})
)


@settings(max_examples=200, deadline=None)
@given(_TOP, st.sampled_from(["big", "auto", ""]), st.sampled_from(["messages", "chat", "responses", "gemini"]))
def test_whatever_json_comes_is_decided_or_refused_and_never_trips_a_layer(document, model, dialect: Dialect):
    body = json.dumps({**document, "model": model}).encode()
    failures = ANY_ROUTER.books.routing_failures
    try:
        request = peek(
            dialect=dialect,
            operation="generate",
            method="POST",
            target="/v1/any",
            headers=(),
            body=body,
            max_body_bytes=1 << 20,
        )
        ANY_ROUTER.router.decide(request, Caller())
    except LanewiseError as error:
        assert error.message
    assert ANY_ROUTER.books.routing_failures == failures


# -- ids ---------------------------------------------------------------------------------------------------


@given(st.datetimes(min_value=NOW.replace(tzinfo=None), timezones=st.just(NOW.tzinfo)), st.integers())
def test_a_call_id_is_a_version_7_uuid_of_its_millisecond(now, seed):
    found = uuid.UUID(uuid7(now, random.Random(seed)))
    assert (found.version, found.variant) == (7, uuid.RFC_4122)
    assert found.int >> 80 == int(now.timestamp() * 1000)


@pytest.mark.parametrize(
    ("failure", "tries"),
    [
        (ConnectFailed("no connection"), 3),
        (FirstByteTimeout("nothing came"), 1),  # it may be at work on the call still, and bill a second one beside it
    ],
)
def test_only_a_call_that_did_not_arrive_is_tried_again_at_the_same_endpoint(failure, tries: int, monkeypatch):
    cloud = {"cloud": PROVIDERS["cloud"]}
    world = world_of(
        mode="observe",
        providers=cloud,
        models={"big": ModelSettings(provider="cloud")},
        upstream=UpstreamSettings(retries=2, backoff_s=0.001),
    )
    house = House(world)

    async def fails(sending):
        house.upstream.sent.append(sending)
        raise failure

    monkeypatch.setattr(house.upstream, "send", fails)
    client = house.ask(ask_body())
    assert (client.status, len(house.upstream.sent)) == (failure.status, tries)
