"""client -> tee (keeps what the client sent) -> `lanewise serve` -> scripted upstream (keeps what arrived)."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from agents.serving import serving
from doubles import ScriptedUpstream, Tee, agents_job

pytest.register_assert_rewrite("agents.passing")  # its failures show both sides


@pytest.fixture
def upstream() -> Iterator[ScriptedUpstream]:
    with ScriptedUpstream(agents_job) as server:
        yield server


@pytest.fixture
def gateway_url(upstream: ScriptedUpstream, tmp_path: Path) -> Iterator[str]:
    if os.environ.get("LANEWISE_AGENTS_DIRECT"):
        yield upstream.url
        return
    folder = tmp_path / "gateway"
    folder.mkdir()
    with serving(upstream.url, folder) as url:
        yield url


@pytest.fixture
def tee(gateway_url: str) -> Iterator[Tee]:
    with Tee(gateway_url) as proxy:
        yield proxy
