"""The watch over local engines on real ports: when it asks, what it makes of the answers, and that nothing hangs on it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
import pytest
from upstream_kit import connected

from doubles import Fault, Recorded, Reply, Script, ScriptedUpstream, json_reply
from lanewise.upstream import Health, Provider, QueueWatch
from lanewise.upstream.local import ACTIVE_S, STALE_S, Observed
from lanewise.upstream.readings import QueueReading

NOT_HERE = json_reply(b'{"error": "not here"}', status=501)


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Engine:
    """A local server whose words for each path can be changed; what it has no words for is 501."""

    def __init__(self, **words: Any) -> None:
        self.words: dict[str, Reply] = {}
        self.say(**words)

    def say(self, running: int | None = None, waiting: int | None = None, slots: int | None = None) -> None:
        self.words.clear()
        gauges = [f"llamacpp:requests_processing {running}"] if running is not None else []
        gauges += [f"llamacpp:requests_deferred {waiting}"] if waiting is not None else []
        if gauges:
            self.words["/metrics"] = Reply(pieces=("\n".join(gauges).encode(),))
        if slots is not None:
            rows = [{"is_processing": slot < (running or 0)} for slot in range(slots)]
            self.words["/slots"] = json_reply(json.dumps(rows).encode())

    def __call__(self, request: Recorded) -> Reply:
        return self.words.get(request.path, NOT_HERE)


def row(url: str, **changes: Any) -> Provider:
    fields = {"name": "gpu", "base_url": url, "dialects": ("chat",), "lane": "local", "metrics": "llamacpp"}
    return Provider(**{**fields, "first_byte_s": 5.0, "idle_s": 5.0, **changes})


class Scene(msgspec.Struct):
    """A watch, and what it watches."""

    watch: QueueWatch
    health: Health
    clock: Clock
    server: ScriptedUpstream


def watching(
    script: Script, then: Callable[[Scene], Awaitable[None]], *, env: dict[str, str] | None = None, **changes: Any
) -> ScriptedUpstream:
    """Let `then` play on a watch over one engine that answers by `script`."""

    async def main(server: ScriptedUpstream) -> None:
        clock = Clock()
        health = Health(threshold=5, open_s=30.0, monotonic=clock)
        async with connected() as transport:
            watch = QueueWatch(transport=transport, health=health, monotonic=clock, every_s=0.001)
            watch.use([row(server.url, **changes)], env or {})
            await then(Scene(watch=watch, health=health, clock=clock, server=server))

    with ScriptedUpstream(script) as server:
        asyncio.run(main(server))
    return server


# -- what is made of the answers --------------------------------------------------------------------------


def test_a_reading_says_what_the_engine_said_whose_calls_those_are_and_when():
    async def play(scene: Scene) -> None:
        sent_at = scene.clock.now
        scene.health.of("gpu").sent(sent_at)
        await scene.watch.read()
        scene.clock.now += 4.0
        seen = scene.watch.observed()["gpu"]
        assert seen == Observed(reading=QueueReading(running=2, waiting=3, slots=2), others=4, age_s=4.0)

    watching(Engine(running=2, waiting=3, slots=2), play)  # 2 + 3 there, one of them ours


def test_calls_of_ours_that_ended_since_the_last_reading_are_not_taken_for_somebody_elses():
    engine = Engine(running=2, waiting=0)

    async def play(scene: Scene) -> None:
        endpoint = scene.health.of("gpu")
        endpoint.sent(1.0)
        endpoint.sent(2.0)
        await scene.watch.read()
        endpoint.left(1.0)
        endpoint.left(2.0)
        await scene.watch.read()  # the gauge lags: it still shows both
        assert scene.watch.observed()["gpu"].others == 0
        await scene.watch.read()
        assert scene.watch.observed()["gpu"].others == 2

    watching(engine, play)


def test_where_the_engine_shows_fewer_calls_than_we_have_there_nobody_elses_are():
    async def play(scene: Scene) -> None:
        for at in range(5):
            scene.health.of("gpu").sent(float(at))
        await scene.watch.read()
        assert scene.watch.observed()["gpu"].others == 0

    watching(Engine(running=1, waiting=1), play)


@pytest.mark.parametrize(
    ("engine", "expected"),
    [
        (Engine(running=1, slots=4), (QueueReading(running=1, slots=4), 1)),
        (Engine(waiting=0), (QueueReading(waiting=0), None)),
    ],
    ids=["slots alone", "no running"],
)
def test_what_one_path_does_not_say_another_one_does_or_nobody(engine: Engine, expected: tuple[QueueReading, int]):
    if engine.words.get("/slots"):
        del engine.words["/metrics"]

    async def play(scene: Scene) -> None:
        await scene.watch.read()
        seen = scene.watch.observed()["gpu"]
        assert (seen.reading, seen.others) == expected

    watching(engine, play)


GARBLED = Reply(pieces=(b"{",))
FAULTS: dict[str, Reply] = {
    "not offered": NOT_HERE,
    "a server error": json_reply(b"{}", status=500),
    "not JSON": GARBLED,
    "closed": msgspec.structs.replace(GARBLED, fault=Fault(what="close", after="nothing")),
    "reset in the middle": msgspec.structs.replace(GARBLED, fault=Fault(what="reset", after="head")),
    "too large": Reply(pieces=(b'{"loads": [{"num_running_reqs": 9}]}' + b" " * (5 << 20),)),
}


@pytest.mark.parametrize("fault", FAULTS.values(), ids=list(FAULTS))
def test_after_a_fault_the_last_reading_ages_until_it_is_unknown(fault: Reply):
    good = json_reply(b'{"loads": [{"num_running_reqs": 1, "num_waiting_reqs": 2}]}')
    words = {"/v1/loads": good}

    async def play(scene: Scene) -> None:
        await scene.watch.read()
        words["/v1/loads"] = fault
        scene.clock.now += STALE_S
        await scene.watch.read()
        assert scene.watch.observed()["gpu"].age_s == STALE_S
        scene.clock.now += 0.001
        assert scene.watch.observed() == {}
        words["/v1/loads"] = good
        await scene.watch.read()
        assert scene.watch.observed()["gpu"].age_s == 0.0

    watching(lambda request: words.get(request.path, NOT_HERE), play, metrics="sglang")


def test_an_engine_that_hangs_is_given_up_and_the_others_are_read(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("lanewise.upstream.local.TIMEOUT_S", 0.05)
    stalled = Reply(pieces=(b"x",), fault=Fault(what="stall", after="nothing"))

    async def play(scene: Scene) -> None:
        with ScriptedUpstream(Engine(running=1, waiting=0)) as well:
            scene.watch.use([row(scene.server.url), row(well.url, name="well")], {})
            await scene.watch.read()
        assert set(scene.watch.observed()) == {"well"}

    server = watching(lambda _: stalled, play)
    server_saw = [request.path for request in server.requests]
    assert server_saw == ["/metrics", "/slots"]


# -- how it is asked --------------------------------------------------------------------------------------


@pytest.mark.parametrize("base", ["", "/", "/v1", "/v1/"])
def test_metrics_are_beside_v1_and_the_key_goes_with_the_question(base: str):
    async def play(scene: Scene) -> None:
        url = scene.server.url + base
        for engine in ("vllm", "sglang", "ollama"):
            scene.watch.use([row(url, metrics=engine, api_key_env="GPU_KEY")], {"GPU_KEY": "k1"})
            await scene.watch.read()

    server = watching(lambda _: NOT_HERE, play)
    assert [request.target for request in server.requests] == ["/metrics", "/v1/loads", "/metrics", "/api/ps"]
    assert {request.header("authorization") for request in server.requests} == {"Bearer k1"}
    assert {request.method for request in server.requests} == {"GET"}


@pytest.mark.parametrize("changes", [{"lane": "realtime"}, {"metrics": "none"}])
def test_what_is_not_local_or_says_nothing_is_not_asked(changes: dict[str, str]):
    async def play(scene: Scene) -> None:
        await scene.watch.read()

    assert watching(Engine(running=1), play, **changes).requests == []


def test_a_reload_keeps_what_is_known_of_an_engine_that_stays_and_forgets_one_that_moved():
    async def play(scene: Scene) -> None:
        await scene.watch.read()
        scene.watch.use([row(scene.server.url, slots=7)], {})
        assert set(scene.watch.observed()) == {"gpu"}
        scene.watch.use([row("http://127.0.0.1:9")], {})
        assert scene.watch.observed() == {}

    watching(Engine(running=1), play)


# -- when it asks -----------------------------------------------------------------------------------------


def test_it_asks_nobody_until_a_call_is_there_and_stops_a_minute_after_the_last():
    async def play(scene: Scene) -> None:
        asked = []

        async def look(after_s: float) -> None:
            scene.clock.now += after_s
            before = len(scene.server.requests)
            await scene.watch.look()
            asked.append(len(scene.server.requests) - before)

        await look(0.0)
        endpoint = scene.health.of("gpu")
        endpoint.sent(sent_at := scene.clock.now)
        await look(0.0)
        await look(10 * ACTIVE_S)  # it is still there
        endpoint.left(sent_at)
        await look(0.0)
        endpoint.sent(sent_at := scene.clock.now)
        endpoint.left(sent_at)
        await look(ACTIVE_S - 1)
        await look(1.0)
        assert asked == [0, 2, 2, 0, 2, 0]

    watching(Engine(running=1, waiting=0), play)


def test_a_decision_wakes_it_though_no_call_went_there():
    async def play(scene: Scene) -> None:
        scene.watch._every_s = 3600.0
        running = asyncio.create_task(scene.watch.run())
        for _ in range(3):
            await asyncio.sleep(0)  # it has looked, and waits
        assert scene.watch.known() == {}
        assert scene.watch.observed() == {}
        async with asyncio.timeout(10):
            while not scene.watch.known():
                await asyncio.sleep(0)
        assert len(scene.server.requests) == 2
        running.cancel()

    watching(Engine(running=1, waiting=0), play)


def test_it_is_woken_once_and_then_waits_again(monkeypatch: pytest.MonkeyPatch):
    async def play(scene: Scene) -> None:
        readings = 0

        async def read() -> None:
            nonlocal readings
            readings += 1

        monkeypatch.setattr(scene.watch, "read", read)
        scene.watch._every_s = 3600.0
        running = asyncio.create_task(scene.watch.run())
        for _ in range(3):
            await asyncio.sleep(0)
        scene.watch.observed()
        for _ in range(20):
            await asyncio.sleep(0)
        assert readings == 1
        running.cancel()

    watching(Engine(), play)


def test_it_reads_again_and_again_while_there_is_traffic():
    async def play(scene: Scene) -> None:
        scene.health.of("gpu").sent(scene.clock.now)
        running = asyncio.create_task(scene.watch.run())
        await asyncio.to_thread(scene.server.wait_for_request, 6)
        running.cancel()

    watching(Engine(running=1, waiting=0), play)


def test_a_bug_in_a_reader_is_told_and_the_watch_goes_on(monkeypatch: pytest.MonkeyPatch, caplog):
    def broken(_: bytes) -> QueueReading:
        raise RuntimeError("a bug")

    async def play(scene: Scene) -> None:
        monkeypatch.setattr("lanewise.upstream.local.READERS", {"llamacpp": {"/metrics": broken}})
        scene.watch.use([row(scene.server.url)], {})
        await scene.watch.read()
        assert scene.watch.observed() == {}

    watching(Engine(running=1), play)
    assert "the queue of provider 'gpu' could not be read" in caplog.text
