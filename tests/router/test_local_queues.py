"""What the router makes of counts and readings: one state per local engine, and since when it is passed over."""

from __future__ import annotations

import asyncio
from typing import Any

from router_kit import Clock

from doubles import Recorded, Reply, ScriptedUpstream
from lanewise.route import QueueState
from lanewise.router.queues import LocalQueues
from lanewise.upstream import Health, HttpTransport, Provider, QueueWatch

SAYS = b"vllm:num_requests_running 3\nvllm:num_requests_waiting 2\nvllm:kv_cache_usage_perc 0.5\n"


def row(name: str, url: str = "http://127.0.0.1:9", **changes: Any) -> Provider:
    fields = {"base_url": url, "dialects": ("chat",), "lane": "local", "first_byte_s": 5.0, "idle_s": 5.0}
    return Provider(name=name, **{**fields, **changes})


class Scene:
    """Queues of a process without traffic."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.clock.seconds = 100.0
        self.health = Health(threshold=5, open_s=30.0, monotonic=self.clock.monotonic)
        self.transport = HttpTransport(connect_s=5.0)
        self.watch = QueueWatch(transport=self.transport, health=self.health, monotonic=self.clock.monotonic)
        self.queues = LocalQueues(health=self.health, watch=self.watch, monotonic=self.clock.monotonic)


def test_an_engine_that_says_nothing_is_known_by_our_own_calls_alone():
    scene = Scene()
    scene.health.of("gpu").sent(93.0)
    scene.health.of("gpu").sent(98.0)
    states = scene.queues.states([row("gpu", slots=2), row("idle"), row("cloud", lane="realtime")])
    assert states == {"gpu": QueueState(ages_s=(7.0, 2.0), slots=2), "idle": QueueState()}
    assert (states["gpu"].full, states["idle"].full) == (True, False)


def test_a_refusal_makes_it_full_for_its_time():
    scene = Scene()
    scene.health.of("gpu").refused(98.0, 3.0)
    assert scene.queues.states([row("gpu")])["gpu"].refuses_for_s == 1.0
    scene.clock.seconds = 101.0
    assert scene.queues.states([row("gpu")])["gpu"] == QueueState()


def test_since_when_it_is_passed_over_is_kept_until_a_look_finds_it_good():
    scene = Scene()
    scene.queues.looked({"gpu": True, "other": False})
    scene.clock.seconds = 104.0
    scene.queues.looked({"gpu": True})
    scene.clock.seconds = 110.0
    states = scene.queues.states([row("gpu"), row("other")])
    assert (states["gpu"].spilled_for_s, states["other"].spilled_for_s) == (10.0, None)
    scene.queues.looked({"other": True})
    scene.queues.looked({"gpu": False})
    states = scene.queues.states([row("gpu"), row("other")])
    assert (states["gpu"].spilled_for_s, states["other"].spilled_for_s) == (None, 0.0)


def test_what_the_engine_says_completes_it_and_the_config_has_the_last_word_on_slots():
    def says(request: Recorded) -> Reply:
        return Reply(pieces=(SAYS,))

    async def play(url: str) -> dict[str, QueueState]:
        scene = Scene()
        rows = [row("gpu", url, metrics="vllm", slots=4), row("unsized", url, metrics="vllm")]
        scene.watch.use(rows, {})
        scene.health.of("gpu").sent(99.0)
        await scene.watch.read()
        states = scene.queues.states(rows)
        await scene.transport.close()
        for _ in range(10):
            await asyncio.sleep(0)
        return states

    with ScriptedUpstream(says) as server:
        states = asyncio.run(play(server.url))
    said = {"running": 3, "waiting": 2, "kv_used_share": 0.5}
    assert states == {
        "gpu": QueueState(ages_s=(1.0,), others=4, slots=4, **said),
        "unsized": QueueState(others=5, **said),
    }
