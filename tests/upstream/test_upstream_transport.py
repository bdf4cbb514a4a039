"""HTTP/1.1 towards providers: framing, pooling, TLS, the proxy, and an end at once where the caller gives up."""

from __future__ import annotations

import asyncio
import shutil
import ssl
import subprocess
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import pytest
from upstream_kit import Peer, Read, connected, read

from lanewise.errors import ConnectFailed, FirstByteTimeout, StreamCut
from lanewise.upstream.transport import HttpTransport, Sending

OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"


def run(scenario: Coroutine[Any, Any, Any]) -> Any:
    async def limited() -> Any:
        async with asyncio.timeout(10):
            return await scenario

    return asyncio.run(limited())


def answered(*answers: bytes, ends: bool = False, **sending: Any) -> tuple[list[Read], Peer]:
    """One exchange per answer with a fresh transport."""

    async def scenario() -> tuple[list[Read], Peer]:
        peer = Peer(*answers, ends=ends)
        async with connected() as transport, peer.listening() as port:
            found = [await read(transport, f"http://127.0.0.1:{port}/v1/x?y=%20", **sending) for _ in answers]
        return found, peer

    found: tuple[list[Read], Peer] = run(scenario())
    return found


FRAMINGS = {
    "a length": (OK, False),
    "chunks with an extension and a trailer": (
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1;a=b\r\no\r\n1\r\nk\r\n0\r\nx-trailer: 1\r\n\r\n",
        False,
    ),
    "the end of the connection": (b"HTTP/1.1 200 OK\r\n\r\nok", True),
    "HTTP/1.0": (b"HTTP/1.0 200 OK\r\n\r\nok", True),
    "an announcement first": (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n" + OK, False),
}


@pytest.mark.parametrize(("answer", "ends"), FRAMINGS.values(), ids=FRAMINGS.keys())
def test_a_body_is_read_to_its_end_however_that_is_told(answer: bytes, ends: bool) -> None:
    [found], _ = answered(answer, ends=ends)
    assert (found.status, found.body) == (200, b"ok")
    assert "link" not in dict(found.headers)
    assert "x-trailer" not in dict(found.headers)


@pytest.mark.parametrize("status", [204, 304])
def test_a_status_without_a_body_ends_with_its_head(status: int) -> None:
    [found], _ = answered(b"HTTP/1.1 %d X\r\ncontent-length: 5\r\n\r\n" % status)
    assert (found.status, found.body) == (status, b"")


def test_the_answer_to_head_has_no_body_whatever_it_announces() -> None:
    [found], peer = answered(b"HTTP/1.1 200 OK\r\ncontent-length: 500\r\n\r\n", method="HEAD", body=b"")
    assert (found.status, found.body) == (200, b"")
    assert b"content-length" not in peer.requests[0]


def test_a_request_is_written_exactly_as_given() -> None:
    headers = [("x-b", "2"), ("x-a", "caf\xe9"), ("x-b", "3")]
    _, peer = answered(OK, headers=headers, body=b"\x00\xff")
    head, _, body = peer.requests[0].partition(b"\r\n\r\n")
    lines = head.split(b"\r\n")
    assert lines[0] == b"POST /v1/x?y=%20 HTTP/1.1"
    assert lines[1].startswith(b"host: 127.0.0.1:")
    assert lines[2:] == [b"x-b: 2", b"x-a: caf\xe9", b"x-b: 3", b"content-length: 2"]
    assert body == b"\x00\xff"


def test_header_values_come_back_byte_by_byte() -> None:
    [found], _ = answered(b"HTTP/1.1 200 OK\r\nX-Name: caf\xc3\xa9\r\nX-Name: \xff\r\ncontent-length: 0\r\n\r\n")
    assert [value for name, value in found.headers if name == "x-name"] == ["caf\xc3\xa9", "\xff"]


def test_a_connection_is_used_again_while_both_sides_keep_it() -> None:
    found, peer = answered(OK, OK, OK)
    assert [each.body for each in found] == [b"ok"] * 3
    assert peer.connections == 1


@pytest.mark.parametrize(
    "last",
    [
        b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok",
        OK + b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nforged",
        OK + b"\r\njunk",
    ],
    ids=["close", "an answer nobody asked for", "junk"],
)
def test_a_connection_that_cannot_be_trusted_is_not_used_again(last: bytes) -> None:
    found, peer = answered(last, OK)
    assert [each.body for each in found] == [b"ok", b"ok"]
    assert peer.connections == 2


def test_a_pooled_connection_that_the_peer_gave_up_costs_no_failure() -> None:
    found, peer = answered(OK, OK, ends=True)
    assert [each.body for each in found] == [b"ok", b"ok"]
    assert peer.connections == 2


def test_a_connection_that_waited_too_long_is_not_used_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lanewise.upstream.transport.POOL_IDLE_S", -1.0)
    _, peer = answered(OK, OK)
    assert peer.connections == 2


CUT = {
    "a length": b"HTTP/1.1 200 OK\r\ncontent-length: 20\r\n\r\nok",
    "chunks": b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n",
    "a chunk": b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n9\r\nok",
    "a broken chunk": b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
}


@pytest.mark.parametrize("answer", CUT.values(), ids=CUT.keys())
def test_a_body_that_breaks_off_is_told(answer: bytes) -> None:
    with pytest.raises(StreamCut):
        answered(answer, ends=True)


NO_HEAD = {
    "nothing": b"",
    "half a head": b"HTTP/1.1 200 OK\r\nx-a",
    "another protocol": b"SSH-2.0-OpenSSH_9\r\n",
    "a switch of protocols": b"HTTP/1.1 101 Switching\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n",
    "two lengths": b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\nok",
    "a head without end": b"HTTP/1.1 200 OK\r\n" + b"x-a: b\r\n" * 60_000,
}


@pytest.mark.parametrize("answer", NO_HEAD.values(), ids=NO_HEAD.keys())
def test_without_a_head_the_connection_has_failed(answer: bytes) -> None:
    with pytest.raises(ConnectFailed, match=r"no answer from 127\.0\.0\.1"):
        answered(answer, ends=True)


def test_a_silent_peer_is_given_up_and_told_at_once() -> None:
    async def scenario() -> None:
        peer = Peer(b"")
        async with connected() as transport, peer.listening() as port:
            with pytest.raises(FirstByteTimeout, match="sent nothing within 0.05 s"):
                await read(transport, f"http://127.0.0.1:{port}/", first_byte_s=0.05)
            await peer.lost.wait()

    run(scenario())


@pytest.mark.parametrize("sent", [b"", b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nok"], ids=["head", "body"])
def test_a_cancelled_call_closes_its_connection(sent: bytes) -> None:
    async def scenario() -> None:
        peer = Peer(sent)
        async with connected() as transport, peer.listening() as port:
            call = asyncio.create_task(read(transport, f"http://127.0.0.1:{port}/"))
            while not peer.requests:
                await asyncio.sleep(0)
            call.cancel()
            with pytest.raises(asyncio.CancelledError):
                await call
            await peer.lost.wait()

    run(scenario())


def test_an_answer_nobody_reads_does_not_pile_up() -> None:
    async def scenario() -> None:
        piece = b"x" * (1 << 20)
        written = 0

        async def flood(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            nonlocal written
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % (64 << 20))
            while written < 64:
                writer.write(piece)
                try:
                    async with asyncio.timeout(0.3):
                        await writer.drain()
                except TimeoutError:
                    blocked.set()
                    await writer.drain()
                written += 1
            writer.close()

        blocked = asyncio.Event()
        server = await asyncio.start_server(flood, "127.0.0.1", 0)
        async with server, connected() as transport:
            port = server.sockets[0].getsockname()[1]
            sending = Sending(method="GET", url=f"http://127.0.0.1:{port}/", headers=[], body=b"", first_byte_s=5)
            answer = await transport.send(sending)
            await blocked.wait()
            assert written < 32
            size = 0
            while (chunk := await answer.chunk()) is not None:
                size += len(chunk)
            answer.close()
        assert size == 64 << 20

    run(scenario())


@pytest.mark.parametrize("value", ["a\r\nx-b: 1", "a\nb", "a\0", "\u20ac"])
def test_a_header_that_cannot_be_sent_fails_instead_of_splitting_the_request(value: str) -> None:
    with pytest.raises(ConnectFailed, match="the request cannot be sent"):
        answered(OK, headers=[("authorization", value)])


def test_nobody_listening_is_told() -> None:
    with pytest.raises(ConnectFailed, match=r"no answer from 127\.0\.0\.1:1"):
        run(read(HttpTransport(connect_s=5), "http://127.0.0.1:1/"))


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("no openssl command to make a certificate with")
    both = tmp_path_factory.mktemp("tls") / "both.pem"
    options = [
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
        "-nodes",
        "-days",
        "2",
        "-subj",
        "/CN=x",
    ]
    command = [
        openssl,
        "req",
        *options,
        "-addext",
        "subjectAltName=DNS:provider.test,IP:127.0.0.1",
        "-keyout",
        str(both),
    ]
    certificate = subprocess.run([*command, "-out", "-"], check=True, capture_output=True).stdout
    both.write_bytes(both.read_bytes() + certificate)
    return both


def secured(certificate: Path) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """(server's, client's) contexts."""
    server, client = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context(cafile=str(certificate))
    server.load_cert_chain(certificate)
    return server, client


def test_tls_is_verified_and_pooled(certificate: Path) -> None:
    async def scenario() -> None:
        server, client = secured(certificate)
        peer = Peer(OK, OK, OK)
        async with connected(tls=client) as transport, connected() as stranger, peer.listening(ssl=server) as port:
            for _ in range(2):
                assert (await read(transport, f"https://127.0.0.1:{port}/")).body == b"ok"
            assert peer.connections == 1
            with pytest.raises(ConnectFailed, match="certificate verify failed"):
                await read(stranger, f"https://127.0.0.1:{port}/")

    run(scenario())


@pytest.mark.parametrize("refuses", [False, True])
def test_the_proxy_of_the_environment_is_asked_for_a_tunnel(
    refuses: bool, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario() -> None:
        server, client = secured(certificate)
        peer = Peer(OK)
        asked: list[bytes] = []
        async with peer.listening(ssl=server) as inner:

            async def proxy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
                asked.append(await reader.readuntil(b"\r\n\r\n"))
                if refuses:
                    writer.write(b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n")
                    writer.close()
                    return
                there, back = await asyncio.open_connection("127.0.0.1", inner)
                writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
                await asyncio.gather(piped(reader, back), piped(there, writer))

            outer = await asyncio.start_server(proxy, "127.0.0.1", 0)
            async with outer, connected(tls=client) as transport:
                port = outer.sockets[0].getsockname()[1]
                monkeypatch.setenv("HTTPS_PROXY", f"http://me:p%40ss@127.0.0.1:{port}")
                monkeypatch.delenv("NO_PROXY", raising=False)
                monkeypatch.delenv("no_proxy", raising=False)
                call = read(transport, "https://provider.test/v1")
                if refuses:
                    with pytest.raises(ConnectFailed, match="the proxy 127.0.0.1 refused: HTTP/1.1 407"):
                        await call
                else:
                    assert (await call).body == b"ok"
        assert asked[0].startswith(b"CONNECT provider.test:443 HTTP/1.1\r\nhost: provider.test:443\r\n")
        assert b"proxy-authorization: Basic bWU6cEBzcw==" in asked[0]
        assert peer.requests == [] if refuses else b"host: provider.test\r\n" in peer.requests[0]

    run(scenario())


async def piped(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data)
    writer.close()


def test_the_proxy_is_never_asked_for_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    [found], _ = answered(OK)
    assert found.body == b"ok"
