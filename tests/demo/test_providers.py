"""The simulated providers on their real sockets."""

from __future__ import annotations

import asyncio
import contextlib
import random

import msgspec
import pytest

from lanewise.demo.day import day
from lanewise.demo.minds import STRANGER, Minds
from lanewise.demo.providers import PROFILES, Provider, until_window
from lanewise.demo.replies import read_reply
from lanewise.demo.script import HEADER, Label
from lanewise.demo.toolbox import NAMES, calls, client_of, perform
from lanewise.demo.truth import chance
from lanewise.demo.workspace import Workspace
from lanewise.upstream import HttpTransport
from lanewise.upstream.transport import Sending


@contextlib.asynccontextmanager
async def asking():
    """A client: ask(method, url, body, headers) -> (status, body)."""
    transport = HttpTransport(connect_s=5)

    async def ask(method, url, body=b"", headers=()):
        sending = Sending(method=method, url=url, headers=list(dict(headers).items()), body=body, first_byte_s=30)
        answer = await transport.send(sending)
        chunks = []
        while (chunk := await answer.chunk()) is not None:
            chunks.append(chunk)
        answer.close()
        return answer.status, b"".join(chunks)

    try:
        yield ask
    finally:
        await transport.close()


PATHS = {"messages": "/v1/messages", "chat": "/v1/chat/completions", "responses": "/v1/responses"}
ASK = [{"role": "user", "content": "Hello?"}]
BODIES = {
    "messages": {"model": "qwen3-coder", "max_tokens": 9, "messages": ASK},
    "chat": {"model": "qwen3-coder", "messages": ASK},
    "responses": {"model": "qwen3-coder", "input": "Hello?"},
}


def profile(name):
    return next(p for p in PROFILES if p.name == name)


def asked(name, *requests):
    """Send (method, path, body, headers) to a fresh provider, all at once; returns (status, body) pairs."""

    async def run():
        provider = Provider(profile(name), Minds(day(7)))
        url = await provider.start()
        try:
            async with asking() as ask:
                return await asyncio.gather(
                    *(
                        ask(method, url + path, b"" if body is None else msgspec.json.encode(body), headers)
                        for method, path, body, headers in requests
                    )
                )
        finally:
            await provider.close()

    return asyncio.run(run())


@pytest.mark.parametrize("dialect", PATHS)
@pytest.mark.parametrize("stream", [True, False])
def test_a_stranger_is_told_that_the_model_is_simulated(dialect, stream):
    [(status, body)] = asked("local", ("POST", PATHS[dialect], {**BODIES[dialect], "stream": stream}, {}))
    assert status == 200
    assert read_reply(dialect, body, streamed=stream).text == STRANGER


def test_a_model_that_is_not_served_here_is_an_error_in_the_dialect():
    [(status, body)] = asked("local", ("POST", "/v1/messages", {"model": "gpt-6-luna", "messages": []}, {}))
    assert status == 404
    assert msgspec.json.decode(body)["error"] == {
        "type": "not_found_error",
        "message": "local serves no model 'gpt-6-luna'",
    }


@pytest.mark.parametrize(("method", "path"), [("GET", "/v1/messages"), ("POST", "/v1/embeddings")])
def test_other_endpoints_are_not_there(method, path):
    [(status, _)] = asked("cloud", (method, path, None, {}))
    assert status == 404


class Gate:
    """A clock that stands still until it is opened: every wait of a provider ends then."""

    def __init__(self):
        self.asked_s = []
        self._open = asyncio.Event()
        self._asked = asyncio.Condition()

    async def sleep(self, seconds):
        async with self._asked:
            self.asked_s.append(seconds)
            self._asked.notify_all()
        await self._open.wait()

    async def asked(self, times):
        async with self._asked:
            await self._asked.wait_for(lambda: len(self.asked_s) >= times)

    def open(self):
        self._open.set()


async def gauges(ask, url):
    _, text = await ask("GET", f"{url}/metrics")
    return {line.partition("{")[0]: int(line.rpartition(" ")[2]) for line in text.decode().splitlines()}


def test_the_local_engine_runs_as_many_calls_as_it_has_slots_and_queues_the_rest():
    async def run():
        gate = Gate()
        provider = Provider(profile("local"), Minds(day(7)), sleep=gate.sleep)
        url = await provider.start()
        body = msgspec.json.encode(BODIES["chat"])
        async with asking() as ask:
            posts = [asyncio.create_task(ask("POST", f"{url}/v1/chat/completions", body)) for _ in range(6)]
            await gate.asked(4)
            while (seen := await gauges(ask, url))["vllm:num_requests_waiting"] < 2:
                pass
            gate.open()
            await asyncio.gather(*posts)
            after = await gauges(ask, url)
        await provider.close()
        return seen, after

    seen, after = asyncio.run(run())
    assert seen == {"vllm:num_requests_running": 4, "vllm:num_requests_waiting": 2}
    assert after == {"vllm:num_requests_running": 0, "vllm:num_requests_waiting": 0}


@pytest.mark.parametrize(
    ("now_s", "expected_s"),
    [(0.0, 60.0), (1.0, 59.0), (59.5, 0.5), (60.0, 60.0), (150.0, 30.0)],
)
def test_a_window_closes_at_the_next_multiple_of_its_length(now_s, expected_s):
    assert until_window(now_s, 60.0) == expected_s


def test_the_batch_service_holds_a_call_until_its_window_closes():
    async def run():
        gate = Gate()
        provider = Provider(profile("batch"), Minds(day(7)), sleep=gate.sleep)
        url = await provider.start()
        body = msgspec.json.encode({"model": "gpt-6-luna", "input": "Hello?"})
        async with asking() as ask:
            post = asyncio.create_task(ask("POST", f"{url}/v1/responses", body))
            await gate.asked(1)
            held = await gauges(ask, url)
            gate.open()
            told = msgspec.json.decode((await post)[1])["service_tier"]
        await provider.close()
        return held, gate.asked_s[0], told

    held, wait_s, told = asyncio.run(run())
    assert held == {"vllm:num_requests_running": 0, "vllm:num_requests_waiting": 1}
    assert 0 < wait_s <= 0.6  # 60 simulated seconds
    assert told == "flex"


@pytest.mark.parametrize("client", sorted(NAMES))
@pytest.mark.parametrize("move", ["look", "read", "edit", "check", "log", "shell"])
def test_every_clients_tools_can_make_every_move_and_be_run(client, move):
    rng = random.Random(3)
    task = next(iter(day(7).tasks().values()))
    call = calls(client, move, task, "call_1", rng, sound=True)
    assert call.name in NAMES[client].values()
    text, failed = perform(Workspace(rng), call)
    assert text
    assert not failed


@pytest.mark.parametrize("client", sorted(NAMES))
def test_an_unsound_edit_makes_the_next_test_run_fail_and_a_sound_one_mends_it(client):
    rng = random.Random(3)
    workspace = Workspace(rng)
    task = next(iter(day(7).tasks().values()))
    outcomes = []
    for sound in (False, True):
        perform(workspace, calls(client, "edit", task, "call_1", rng, sound=sound))
        outcomes.append(perform(workspace, calls(client, "check", task, "call_2", rng, sound=sound))[1])
    assert outcomes == [True, False]


def test_a_client_is_known_by_its_tools():
    assert {client: client_of(set(names.values())) for client, names in NAMES.items()} == {c: c for c in NAMES}
    assert client_of(set()) == ""


def test_the_verdict_depends_on_the_model_that_was_asked_not_on_who_chose_it():
    minds = Minds(day(7))
    hard = max(day(7).tasks().values(), key=lambda t: chance(t, "claude-opus-5-5") - chance(t, "qwen3-coder"))
    for model in ("qwen3-coder", "claude-opus-5-5"):
        minds.say(Label(task=hard.key, step=99), model, "", "call_1", wants_json=False)
        assert minds.verdicts[hard.key].model == model


def test_a_title_is_json_where_the_request_demands_it():
    label = Label(task="debugging-2", purpose="title")
    minds = Minds(day(7))
    said = minds.say(label, "qwen3-coder", "", "c", wants_json=True).text
    assert msgspec.json.decode(said) == {"title": "GET /parcels/99 returns a 500 instead"}
    assert minds.say(label, "qwen3-coder", "", "c", wants_json=False).text == "GET /parcels/99 returns a 500 instead"


def test_usage_is_kept_for_the_baselines_bill():
    async def run():
        provider = Provider(profile("cloud"), Minds(day(7)))
        url = await provider.start()
        async with asking() as ask:
            body = msgspec.json.encode({"model": "claude-opus-5-5", "max_tokens": 9, "messages": ASK})
            headers = {HEADER: Label(task="debugging-0").header()}
            _, answer = await ask("POST", f"{url}/v1/messages", body, headers)
            told = msgspec.json.decode(answer)["usage"]
        await provider.close()
        return told, provider.usages

    told, [kept] = asyncio.run(run())
    assert told["output_tokens"] == kept.output_tokens
    assert told["cache_creation_input_tokens"] == kept.cache_write_5m_tokens > 0
