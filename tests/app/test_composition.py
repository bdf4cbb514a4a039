"""The composition root on a real socket: what it refuses, what it says of itself, and what a reload keeps."""

from __future__ import annotations

import asyncio
import http.client
import json
import logging
import os
import socket
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from doubles import Recorded, Reply, ScriptedUpstream, json_reply, replies, says
from lanewise import app as root
from lanewise.app import App, database_url, running
from lanewise.config import (
    ClassifySettings,
    HostedSettings,
    KeySettings,
    Loaded,
    ModelSettings,
    Origin,
    ProviderSettings,
    RoutingSettings,
    ServerSettings,
    Settings,
    UpstreamSettings,
    load,
)
from lanewise.demo.answers import Answer
from lanewise.errors import ConfigError, StartError, StoreError
from lanewise.journey import Usage

ANSWER = Answer(model="m", text="An answer.", usage=Usage(input_tokens=30, output_tokens=19))


@pytest.fixture
def upstream() -> Iterator[ScriptedUpstream]:
    with ScriptedUpstream(says(ANSWER)) as server:
        yield server


def settings_of(data: Path, url: str = "http://127.0.0.1:9", *, mode: Any = "observe", **changes: Any) -> Settings:
    fields: dict[str, Any] = {
        "server": ServerSettings(port=0, data=str(data), log="off", drain_s=1.0),
        "upstream": UpstreamSettings(retries=0, backoff_s=0.001),
        "routing": RoutingSettings(mode=mode),
        "providers": {"gpu": ProviderSettings(base_url=url, dialects=("chat",), lane="local")},
        "models": {"big": ModelSettings(provider="gpu"), "small": ModelSettings(provider="gpu", tier="cheap")},
        **changes,
    }
    return Settings(**fields)


def run(main: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
    with asyncio.Runner() as runner:
        return runner.run(main())


def fetched(url: str, method: str, path: str, body: bytes | None = None, **headers: str) -> tuple[int, Any, str]:
    """Status, body and the session's decision header of one request."""
    connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=10)
    try:
        connection.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
        response = connection.getresponse()
        data = response.read()
        is_json = "json" in response.getheader("content-type", "")
        return response.status, json.loads(data) if is_json else data, response.getheader("x-lanewise-reason", "")
    finally:
        connection.close()


async def get(url: str, path: str) -> tuple[int, Any]:
    status, body, _ = await asyncio.to_thread(fetched, url, "GET", path)
    return status, body


async def chat(url: str, text: str = "Fix the bug.", model: str = "big", turns: int = 1) -> tuple[int, Any, str]:
    messages: list[dict[str, Any]] = [{"role": "user", "content": text}]
    if turns > 1:
        call = {"id": "c1", "type": "function", "function": {"name": "ls", "arguments": "{}"}}
        messages += [{"role": "assistant", "content": None, "tool_calls": [call]}]
        messages += [{"role": "tool", "tool_call_id": "c1", "content": "a.py"}]
    body = json.dumps({"model": model, "messages": messages}).encode()
    return await asyncio.to_thread(
        fetched, url, "POST", "/v1/chat/completions", body, x_lanewise_session="one", content_type="application/json"
    )


# -- start ------------------------------------------------------------------------------------------------


def test_a_provider_that_points_at_ourselves_is_refused_before_anything_is_made(tmp_path: Path):
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    server = ServerSettings(port=port, data=str(tmp_path / "data"), log="off")

    async def main() -> None:
        async with running(settings_of(tmp_path, f"http://localhost:{port}/v1", server=server), env={}):
            pytest.fail("it runs")

    with pytest.raises(StartError, match=r"provider 'gpu' has the base_url .* which is this gateway itself") as caught:
        run(main)
    assert caught.value.hint == "give it the provider's own address"
    assert not (tmp_path / "data").exists()
    socket.create_server(("127.0.0.1", port)).close()  # the address is free again


def test_a_ledger_that_cannot_be_opened_frees_the_address(tmp_path: Path):
    (tmp_path / "ledger.db").write_bytes(b"this is no database, but long enough to be looked at" * 100)
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    server = ServerSettings(port=port, data=str(tmp_path), log="off")

    async def main() -> None:
        async with running(settings_of(tmp_path, server=server), env={}):
            pytest.fail("it runs")

    with pytest.raises(StoreError):
        run(main)
    socket.create_server(("127.0.0.1", port)).close()


def test_a_port_that_is_taken_is_told_with_another_one(tmp_path: Path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        server = ServerSettings(port=port, data=str(tmp_path), log="off")

        async def main() -> None:
            async with running(settings_of(tmp_path, server=server), env={}):
                pytest.fail("it runs")

        with pytest.raises(StartError, match=f"port {port} on 127.0.0.1 is taken"):
            run(main)


def test_the_ledger_lies_in_the_data_folder_unless_an_url_is_configured(tmp_path: Path):
    assert database_url(settings_of(tmp_path)) == str(tmp_path / "ledger.db")
    elsewhere = ServerSettings(database_url="postgresql://db/lanewise")
    assert database_url(settings_of(tmp_path, server=elsewhere)) == "postgresql://db/lanewise"


# -- what it says of itself -------------------------------------------------------------------------------


@asynccontextmanager
async def started(settings: Settings) -> AsyncIterator[tuple[App, str]]:
    async with running(settings, env={}) as (app, url):
        yield app, url


def test_a_gateway_with_a_provider_is_ready(tmp_path: Path):
    async def main() -> None:
        async with started(settings_of(tmp_path)) as (app, url):
            assert app.problems() == []
            assert await get(url, "/readyz") == (200, {"ready": True, "problems": []})
            assert await get(url, "/livez") == (200, b"ok\n")

    run(main)


def test_a_gateway_without_a_provider_is_alive_but_not_ready(tmp_path: Path):
    async def main() -> None:
        async with started(settings_of(tmp_path, providers={}, models={})) as (_, url):
            assert await get(url, "/readyz") == (503, {"ready": False, "problems": ["no provider is configured"]})
            assert (await get(url, "/livez"))[0] == 200

    run(main)


def test_calls_that_the_ledger_lost_are_a_problem_and_a_metric(tmp_path: Path):
    async def main() -> None:
        async with started(settings_of(tmp_path)) as (app, url):
            app.writer._dropped = 3
            assert (await get(url, "/readyz"))[1]["problems"] == ["the ledger lost 3 calls; see the log"]
            assert b"lanewise_ledger_dropped 3.0\n" in (await get(url, "/metrics"))[1]

    run(main)


def test_a_served_call_is_in_the_metrics(tmp_path: Path, upstream: ScriptedUpstream):
    async def main() -> None:
        async with started(settings_of(tmp_path, upstream.url)) as (_, url):
            assert (await chat(url))[0] == 200
            text = (await get(url, "/metrics"))[1].decode()
            assert 'lanewise_attempts_total{model="big",outcome="ok",provider="gpu"} 1.0' in text
            assert "Fix the bug" not in text

    run(main)


# -- reload -----------------------------------------------------------------------------------------------


def test_a_reload_swaps_the_world_and_keeps_the_sessions(tmp_path: Path, upstream: ScriptedUpstream):
    async def main() -> None:
        with ScriptedUpstream(says(ANSWER)) as other:
            async with started(settings_of(tmp_path, upstream.url)) as (app, url):
                await chat(url, "Write the documentation of this function.")
                app.use(settings_of(tmp_path, other.url, mode="active"))
                status, _, reason = await chat(url, "Write the documentation of this function.", turns=2)
                assert (status, reason) == (200, "task_pin")  # the task began before the reload
                assert (len(upstream.requests), len(other.requests)) == (1, 1)

    run(main)


def test_a_reload_serves_new_models_and_forgets_old_ones(tmp_path: Path, upstream: ScriptedUpstream):
    async def main() -> None:
        async with started(settings_of(tmp_path, upstream.url)) as (app, url):
            app.use(settings_of(tmp_path, upstream.url, models={"fresh": ModelSettings(provider="gpu")}))
            listed = (await get(url, "/v1/models"))[1]["data"]
            assert [row["id"] for row in listed] == ["fresh"]

    run(main)


def test_a_reload_that_would_call_ourselves_is_refused_and_the_old_world_stays(
    tmp_path: Path, upstream: ScriptedUpstream
):
    async def main() -> None:
        async with started(settings_of(tmp_path, upstream.url)) as (app, url):
            before = app.router.world
            with pytest.raises(StartError, match="which is this gateway itself"):
                app.use(settings_of(tmp_path, url))
            assert app.router.world is before

    run(main)


def test_a_reload_that_would_leave_a_public_gateway_without_keys_is_refused(tmp_path: Path, upstream: ScriptedUpstream):
    key = {"ci": KeySettings(hash="sha256:" + "0" * 64)}

    async def main() -> None:
        settings = settings_of(tmp_path, upstream.url)
        public = msgspec.structs.replace(
            settings, server=msgspec.structs.replace(settings.server, host="0.0.0.0"), keys=key
        )
        async with started(public) as (app, _):
            with pytest.raises(StartError, match="no keys are left"):
                app.use(msgspec.structs.replace(public, keys={}))
            assert app.router.world.settings.keys == key

    run(main)


class Reloading:
    """The reload loop beside a stand-in for the application, with the configuration on disk."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.used: list[Settings] = []
        self.changed = asyncio.Event()
        self.again = asyncio.Event()

    def use(self, settings: Settings) -> None:
        self.used.append(settings)
        self.changed.set()

    def read(self) -> Loaded:
        try:
            return load(env={}, config=self.file)
        except ConfigError:
            self.changed.set()
            raise

    @asynccontextmanager
    async def watching(self) -> AsyncIterator[None]:
        watch = root._reloading(self, self.read(), self.read, self.again)  # type: ignore[arg-type]
        task = asyncio.create_task(watch)
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def seen(self) -> None:
        async with asyncio.timeout(10):
            await self.changed.wait()
        self.changed.clear()


def test_a_signal_reloads_the_file(tmp_path: Path):
    file = tmp_path / "lanewise.toml"
    file.write_text('[routing]\nmode = "observe"\n')

    async def main() -> list[str]:
        reloading = Reloading(file)
        async with reloading.watching():
            file.write_text('[routing]\nmode = "active"\n')
            reloading.again.set()
            await reloading.seen()
        return [settings.routing.mode for settings in reloading.used]

    assert run(main) == ["active"]


def test_a_changed_file_is_noticed_without_a_signal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(root, "RELOAD_CHECK_S", 0.01)
    file = tmp_path / "lanewise.toml"
    file.write_text('[routing]\nmode = "observe"\n')

    async def main() -> str:
        reloading = Reloading(file)
        async with reloading.watching():
            await asyncio.sleep(0)  # the loop notes how the file looks now
            file.write_text('[routing]\nmode = "split"\n')
            os.utime(file, (1, 1))
            await reloading.seen()
        return reloading.used[0].routing.mode

    assert run(main) == "split"


def test_a_bad_file_keeps_the_old_settings_and_says_why_and_a_good_one_mends_it(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    file = tmp_path / "lanewise.toml"
    file.write_text("")

    async def main() -> list[str]:
        reloading = Reloading(file)
        async with reloading.watching():
            file.write_text('\n[routing]\nmode = "activ"\n')
            reloading.again.set()
            await reloading.seen()
            assert reloading.used == []
            file.write_text('[routing]\nmode = "active"\n')
            reloading.again.set()
            await reloading.seen()
        return [settings.routing.mode for settings in reloading.used]

    with caplog.at_level(logging.INFO, logger="lanewise"):
        assert run(main) == ["active"]
    messages = [record.getMessage() for record in caplog.records]
    assert "config not reloaded, the old one stays" in messages[0]
    assert f"{file}:3: `routing.mode`: Invalid enum value 'activ'" in messages[0]


def test_a_file_that_vanishes_and_an_origin_that_is_no_file_do_not_end_the_watch(tmp_path: Path):
    gone = Loaded(settings=Settings(), origins={"a": Origin("LANEWISE_PORT")}, files=(tmp_path / "gone.toml",))
    assert root._stamps(gone) == (0.0,)


# -- second opinions --------------------------------------------------------------------------------------

UNCLEAR = "Something about the parser"


def labelled(skill: str) -> Any:
    return replies(json_reply(json.dumps([{"label": skill, "score": 1.0}]).encode()))


def hosted(url: str, **changes: Any) -> ClassifySettings:
    return ClassifySettings(
        hosted=HostedSettings(**{"shape": "huggingface", "url": f"{url}/classify", "timeout_s": 5.0, **changes})
    )


def unsure(app: App) -> None:
    student = app.router._classifier._student
    student.facts = msgspec.structs.replace(student.facts, abstain_below=0.9999)


def test_by_default_nobody_but_the_chosen_provider_is_called(tmp_path: Path, upstream: ScriptedUpstream):
    """Whatever leaves the process leaves by the transport."""
    sent: list[str] = []

    async def main() -> None:
        async with started(settings_of(tmp_path, upstream.url)) as (app, url):
            unsure(app)
            send = app._transport.send
            app._transport.send = lambda sending: (sent.append(sending.url), send(sending))[1]  # type: ignore[method-assign]
            assert (await chat(url, UNCLEAR))[0] == 200

    run(main)
    assert sent == [f"{upstream.url}/v1/chat/completions"]
    assert len(upstream.requests) == 1


def test_a_configured_classifier_is_asked_and_a_reload_replaces_it(tmp_path: Path, upstream: ScriptedUpstream):
    async def main() -> None:
        with ScriptedUpstream(labelled("data_sql")) as first, ScriptedUpstream(labelled("planning")) as second:
            async with started(settings_of(tmp_path, upstream.url, classify=hosted(first.url))) as (app, url):
                unsure(app)
                await chat(url, UNCLEAR)
                assert [request.json["inputs"] for request in first.requests] == [UNCLEAR]
                app.use(settings_of(tmp_path, upstream.url, classify=hosted(second.url)))
                await chat(url, "Another thing")
                app.use(settings_of(tmp_path, upstream.url))
                await chat(url, "A third thing")
                text = (await get(url, "/metrics"))[1].decode()
                assert 'lanewise_second_opinions_total{outcome="labelled",source="hosted"} 2.0' in text
            assert (len(first.requests), len(second.requests), len(upstream.requests)) == (1, 1, 3)

    run(main)


def test_a_classifier_without_its_key_stops_the_start_and_frees_the_address(tmp_path: Path):
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    settings = settings_of(
        tmp_path / "data",
        server=ServerSettings(port=port, data=str(tmp_path / "data"), log="off"),
        classify=hosted("http://127.0.0.1:9", api_key_env="CLASSIFY_KEY"),
    )

    async def main() -> None:
        async with running(settings, env={}):
            pytest.fail("it runs")

    with pytest.raises(StartError, match="CLASSIFY_KEY is not set"):
        run(main)
    assert not (tmp_path / "data").exists()
    socket.create_server(("127.0.0.1", port)).close()


def test_a_reload_to_a_classifier_without_its_key_keeps_the_old_world(tmp_path: Path, upstream: ScriptedUpstream):
    async def main() -> None:
        async with started(settings_of(tmp_path, upstream.url)) as (app, _):
            before = app.router.world
            with pytest.raises(StartError, match="CLASSIFY_KEY is not set"):
                app.use(settings_of(tmp_path, classify=hosted(upstream.url, api_key_env="CLASSIFY_KEY")))
            assert app.router.world is before

    run(main)


# -- local engines ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("reloaded", [False, True])
def test_the_queues_of_local_engines_are_read_while_calls_are_there_and_shown(tmp_path: Path, reloaded: bool):
    def engine(request: Recorded) -> Reply:
        gauges = b"vllm:num_requests_running 3\nvllm:num_requests_waiting 2\n"
        return Reply(pieces=(gauges,)) if request.path == "/metrics" else says(ANSWER)(request)

    async def main(url: str) -> bytes:
        rows = {"gpu": ProviderSettings(base_url=url, dialects=("chat",), lane="local", metrics="vllm")}
        known = settings_of(tmp_path, providers=rows)
        async with running(settings_of(tmp_path) if reloaded else known, env={}) as (app, at):
            if reloaded:
                app.use(known)
            assert (await chat(at))[0] == 200
            app.queues.observed()  # as a decision does
            async with asyncio.timeout(10):
                while not app.queues.known():
                    await asyncio.sleep(0)
            return (await get(at, "/metrics"))[1]

    with ScriptedUpstream(engine) as server:
        shown = run(lambda: main(server.url)).decode().splitlines()
    assert 'lanewise_engine_calls{provider="gpu",state="running"} 3.0' in shown
    assert 'lanewise_engine_calls{provider="gpu",state="waiting"} 2.0' in shown
    assert 'lanewise_refusing{provider="gpu"} 0.0' in shown
