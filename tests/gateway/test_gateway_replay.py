"""Recorded calls of real agents through a running gateway: what arrives is what was sent, byte for byte.

A sample lies beside this file; the whole set is replayed where the project's shared data is there too.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import zstandard
from gateway_kit import Got, RunningGateway, request

from doubles import ScriptedUpstream, agents_job

HERE = Path(__file__).parent / "recordings"
SHARED = Path(__file__).parents[2].parent / "shared" / "data" / "wire"
SOURCE = SHARED if SHARED.is_dir() else HERE
CALLS = sorted(SOURCE.glob("*/*.json"))

# Between two neighbours on the way, or written anew by whoever sends the request on.
NOT_END_TO_END = {
    *("connection", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade", "proxy-authorization", "expect"),
    *("host", "content-length", "accept-encoding"),
}


def packed(call: dict[str, Any]) -> bytes | None:
    """The body as the client would send it; recordings hold it decoded."""
    if call["body"] is None:
        return None
    body = json.dumps(call["body"], ensure_ascii=False, separators=(",", ":")).encode()
    if call["content_encoding"] is None:
        return body
    assert call["content_encoding"] == "zstd"
    return zstandard.ZstdCompressor().compress(body)


def sent(gateway: RunningGateway, call: dict[str, Any], body: bytes | None) -> tuple[Got, list[tuple[str, str]]]:
    headers = [(name, value) for name, value in call["headers"] if name.lower() not in {"host", "content-length"}]
    return request(gateway.port, call["method"], call["path"], body, headers), headers


@pytest.mark.parametrize("path", CALLS, ids=[f"{p.parent.name}-{p.stem}" for p in CALLS])
def test_a_recorded_call_passes_untouched(path: Path, gateway: RunningGateway, upstream: ScriptedUpstream) -> None:
    call = json.loads(path.read_bytes())
    if call["method"] == "WS-MSG":
        pytest.skip("a message over WebSocket, which is answered with 426")
    upstream.script = agents_job
    body = packed(call)
    got, headers = sent(gateway, call, body)
    where = call["path"].partition("?")[0]
    if any(name.lower() == "upgrade" for name, _ in headers):
        assert (got.status, upstream.requests) == (426, [])
        assert got.json["error"]["code"] == "upgrade_required"
        return
    if where in {"/", "/api/hello", "/v1/models"}:
        assert (got.status, upstream.requests) == (200, [])
        return
    arrived = upstream.wait_for_request()
    assert (arrived.method, arrived.target, arrived.body) == (call["method"], call["path"], body)
    assert end_to_end(list(arrived.headers)) == end_to_end(headers)
    assert (arrived.header("accept-encoding"), got.status) == ("identity", 200)
    assert len(upstream.requests) == 1
    assert gateway.record().outcome.error == ""
    assert b"".join(agents_job(arrived).pieces) == got.body


def end_to_end(headers: list[tuple[str, str]]) -> list[tuple[str, str]]:
    return [(name.lower(), value) for name, value in headers if name.lower() not in NOT_END_TO_END]


def test_the_sample_is_part_of_the_whole() -> None:
    if SOURCE is HERE:
        pytest.skip("the shared recordings are not here; the sample beside this file was replayed")
    for path in HERE.glob("*/*.json"):
        assert json.loads(path.read_bytes()) == json.loads((SHARED / path.relative_to(HERE)).read_bytes())


@pytest.mark.parametrize(
    ("method", "target", "body"),
    [
        ("GET", "/v1/files?limit=2&after=a%20b", None),
        ("GET", "/v1/responses/resp_1", None),
        ("POST", "/v1/responses/resp_1/cancel", b""),
        ("DELETE", "/v1/files/f-1", None),
        ("POST", "/v1/messages/batches", b'{"requests": [ ]}'),
        ("POST", "/v1/files", b"--x\r\ncontent-disposition: form-data\r\n\r\n\x00\xff\r\n--x--"),
        ("POST", "/v1/audio/speech", b"not JSON"),
    ],
)
def test_paths_that_nobody_here_reads_pass_to_the_dialects_first_provider(
    method: str, target: str, body: bytes | None, gateway: RunningGateway, upstream: ScriptedUpstream
) -> None:
    got = request(gateway.port, method, target, body, [("authorization", "Bearer x")])
    arrived = upstream.wait_for_request()
    assert (arrived.method, arrived.target, arrived.body) == (method, target, body or b"")
    assert got.status == 200


def test_a_body_that_need_not_be_read_passes_in_any_coding(gateway: RunningGateway, upstream: ScriptedUpstream) -> None:
    headers = [("authorization", "Bearer x"), ("content-encoding", "compress")]
    assert request(gateway.port, "POST", "/v1/files", b"\x1f\x9d\x90", headers).status == 200
    assert upstream.wait_for_request().body == b"\x1f\x9d\x90"


@pytest.mark.parametrize("target", ["/v1/files/../../admin", "/v1/files/%2e%2e/x", "/v1/./files", "/v1beta/..\\x"])
def test_a_path_that_climbs_out_of_the_providers_address_is_refused(
    target: str, gateway: RunningGateway, upstream: ScriptedUpstream
) -> None:
    got = request(gateway.port, "GET", target, None, [("authorization", "Bearer x")])
    assert (got.status, upstream.requests) == (404, [])
    assert "dot segments" in got.body.decode()
