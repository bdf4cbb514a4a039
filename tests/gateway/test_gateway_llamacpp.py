"""A running gateway in front of llama.cpp's own server: answers, counts against reality, and what spills to a cloud."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest
from gateway_kit import ANSWER, RunningGateway, ask, head_of, provider, raw, settings_for, until

from doubles import ScriptedUpstream, says
from engines.install import llama_server
from engines.llamacpp import SLOTS, LlamaServer, body, serving
from lanewise.config import FixedPrice, ModelSettings
from lanewise.route import QueueState, Speed, now_spilled, predicted_completion_s
from lanewise.router.queues import LocalQueues
from lanewise.upstream.local import Observed
from lanewise.upstream.readings import QueueReading

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not llama_server().exists(), reason="no llama-server; `python tests/engines/install.py` brings it"
    ),
]

LONG = 7000
"""Tokens of an answer that is under way for as long as a test needs it: some 3 s on one core."""

EASY = "Write the documentation of this function."


def usd(both: str) -> FixedPrice:
    return FixedPrice(input_usd_per_mtok=Decimal(both), output_usd_per_mtok=Decimal(both))


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LlamaServer]:
    with serving(tmp_path_factory.mktemp("llamacpp")) as server:
        yield server


@pytest.fixture
def cloud() -> Iterator[ScriptedUpstream]:
    with ScriptedUpstream(says(ANSWER)) as server:
        yield server


@pytest.fixture
def house(gateway: RunningGateway, engine: LlamaServer, cloud: ScriptedUpstream) -> Iterator[RunningGateway]:
    """A gateway that routes, with the engine as its local lane and a scripted cloud; the engine is idle after."""
    rows = {
        "gpu": provider(engine.url, lane="local", slots=SLOTS, metrics="llamacpp"),
        "cloud": provider(cloud.url, api_key_env="K"),
    }
    models = {
        "tiny": ModelSettings(provider="gpu", tier="cheap", context_tokens=8192, price=usd("0.01")),
        "big": ModelSettings(provider="cloud", price=usd("10")),
    }
    data = Path(gateway._settings.server.data)
    routing = {"mode": "active", "baseline": "big"}
    gateway.use(settings_for(data, rows, models=models, routing=routing), {"K": "key"})
    yield gateway
    engine.wait_for_load(0, 0)


@contextlib.contextmanager
def under_way(port: int, calls: int, model: str = "lane:local") -> Iterator[list[socket.socket]]:
    """So many long calls, each with the head of its answer read where it has one; leaving ends them."""
    with contextlib.ExitStack() as stack:
        peers = [stack.enter_context(raw(port)) for _ in range(calls)]
        for peer in peers:
            peer.sendall(head_of("chat", body(LONG, model=model, stream=True)))
        yield peers


def in_loop(house: RunningGateway, doing: object) -> None:
    """Run a coroutine on the gateway's loop."""
    asyncio.run_coroutine_threadsafe(doing, house.loop).result(30)  # type: ignore[arg-type]


def test_the_local_lane_answers_in_whole_with_the_engines_own_usage(house: RunningGateway):
    got = ask(house.port, "chat", body(40, model="lane:local"))
    assert (got.status, got.headers["x-lanewise-lane"], got.headers["x-lanewise-model"]) == (200, "local", "tiny")
    assert len(got.json["choices"][0]["message"]["content"]) > 0
    usage = got.json["usage"]
    assert usage["completion_tokens"] == 40
    call = house.record()
    assert call.outcome.served is not None
    assert call.outcome.usage is not None
    assert (call.outcome.served.provider, call.outcome.usage.output_tokens) == ("gpu", 40)
    assert call.outcome.usage.prompt_tokens == usage["prompt_tokens"]
    assert call.outcome.cost is not None
    assert call.outcome.cost.total_pusd == (usage["prompt_tokens"] + 40) * 10_000  # $0.01 per million tokens


def test_the_local_lane_streams_to_its_end(house: RunningGateway):
    got = ask(house.port, "chat", body(40, model="lane:local", stream=True, stream_options={"include_usage": True}))
    events = [line.removeprefix(b"data: ") for line in got.body.splitlines() if line.startswith(b"data: ")]
    assert events[-1] == b"[DONE]"
    assert json.loads(events[-2])["usage"]["completion_tokens"] == 40
    call = house.record()
    assert call.outcome.usage is not None
    assert (call.outcome.error, call.outcome.usage.output_tokens) == ("", 40)


def test_our_count_and_the_reading_agree_with_what_the_engine_has(house: RunningGateway, engine: LlamaServer):
    queues = house.app.queues
    with under_way(house.port, 5):
        engine.wait_for_load(SLOTS, 3)
        in_loop(house, queues.read())
        assert house.app.health.in_flight()["gpu"] == 5
        seen = queues.known()["gpu"]
        assert seen == Observed(reading=QueueReading(running=SLOTS, waiting=3, slots=SLOTS), others=0, age_s=seen.age_s)
    engine.wait_for_load(0, 0)  # the clients left, and so did we
    for _ in range(5):
        assert house.record().outcome.status == 499
    assert house.app.health.in_flight()["gpu"] == 0


def test_calls_that_are_not_ours_are_seen(house: RunningGateway, engine: LlamaServer):
    with under_way(engine.port, 3, "tiny"), under_way(house.port, 1):
        engine.wait_for_load(SLOTS, 2)
        for _ in range(2):  # calls of ours that were there at a reading before could still be in the gauge
            in_loop(house, house.app.queues.read())
        assert house.app.queues.known()["gpu"].others == 3
        queues = LocalQueues(health=house.app.health, watch=house.app.queues, monotonic=house.app.queues._now)
        state = queues.states(house.app.router.world.providers.values())["gpu"]
        assert (state.ahead, state.full, state.slots) == (4, True, SLOTS)


def test_a_longer_queue_is_predicted_later_and_loses_against_the_cloud(house: RunningGateway, engine: LlamaServer):
    """With the speed that the engine itself has just shown."""
    got = ask(house.port, "chat", body(400, model="lane:local"))
    timings = got.json["timings"]
    house.record()
    speed = Speed(
        prefill_tokens_per_s=timings["prompt_per_second"],
        decode_tokens_per_s=timings["predicted_per_second"],
        service_s=LONG / timings["predicted_per_second"],
    )
    queues = LocalQueues(health=house.app.health, watch=house.app.queues, monotonic=house.app.queues._now)

    def predicted() -> tuple[QueueState, float]:
        state = queues.states(house.app.router.world.providers.values())["gpu"]
        seconds = predicted_completion_s(state, speed, input_tokens=100, output_tokens=400.0)
        assert seconds is not None
        return state, seconds

    idle, idle_s = predicted()
    with under_way(house.port, 4):
        engine.wait_for_load(SLOTS, 2)
        busy, busy_s = predicted()
    cloud_s = 1.5 * idle_s
    assert not now_spilled(idle, local_s=idle_s, cloud_s=cloud_s)
    assert now_spilled(busy, local_s=busy_s, cloud_s=cloud_s)


def test_a_waiting_caller_goes_to_the_cloud_while_the_engine_is_full_and_back_when_it_is_not(
    house: RunningGateway, engine: LlamaServer, cloud: ScriptedUpstream
):
    question = body(40, model="big", text=EASY)
    assert ask(house.port, "chat", question).headers["x-lanewise-lane"] == "local"
    with under_way(house.port, SLOTS) as peers:
        for peer in peers:
            until(peer, b"\r\n\r\n")
        engine.wait_for_load(SLOTS, 0)
        spilled = ask(house.port, "chat", question)
        assert (spilled.status, spilled.headers["x-lanewise-lane"]) == (200, "realtime")
        assert len(cloud.requests) == 1
    engine.wait_for_load(0, 0)
    for _ in range(SLOTS + 2):
        house.record()
    assert house.app.health.in_flight()["gpu"] == 0
    assert ask(house.port, "chat", question).headers["x-lanewise-lane"] == "local"
    assert len(cloud.requests) == 1
