"""One gateway for a whole file of tests, in front of one scripted upstream whose script each test sets."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from gateway_kit import RunningGateway, provider, settings_for, stream_reply

from doubles import ScriptedUpstream


@pytest.fixture
def upstream() -> Iterator[ScriptedUpstream]:
    with ScriptedUpstream(lambda _: stream_reply("chat")) as server:
        yield server


@pytest.fixture(scope="module")
def shared_gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningGateway]:
    nobody = {"scripted": provider("http://127.0.0.1:9")}
    with RunningGateway(settings_for(tmp_path_factory.mktemp("data"), nobody)) as gateway:
        yield gateway


@pytest.fixture
def gateway(shared_gateway: RunningGateway, upstream: ScriptedUpstream) -> RunningGateway:
    """The file's gateway with the test's upstream as its only provider, under the kit's settings."""
    data = Path(shared_gateway._settings.server.data)
    shared_gateway.use(settings_for(data, {"scripted": provider(upstream.url)}))
    while not shared_gateway._records.empty():
        shared_gateway._records.get()
    return shared_gateway
