"""The driver plays sessions side by side, each in its own order, and a failed call ends its session only."""

from __future__ import annotations

import asyncio

from lanewise.demo.agents import Exchange
from lanewise.demo.answers import Answer, error, whole
from lanewise.demo.drive import Driver
from lanewise.demo.http import HttpRequest, Server, response, stream
from lanewise.demo.script import HEADER, Label
from lanewise.journey import Usage

USAGE = Usage(input_tokens=1, output_tokens=1)


def calls(task, count, heard):
    for step in range(count):
        label = Label(task=task, step=step)
        reply = yield Exchange(
            dialect="chat",
            path="/v1/chat/completions",
            headers=((HEADER, label.header()),),
            body=b'{"model":"m"}',
            stream=False,
            label=label,
        )
        heard.append((task, step, reply.text))


def driven(handle, *scripts):
    async def run():
        server = Server(handle)
        url = await server.start()
        try:
            return await Driver(url).drive(scripts)
        finally:
            await server.close()

    return asyncio.run(run())


def said(request: HttpRequest) -> bytes:
    return whole("chat", Answer(model="m", text=f"heard {request.headers[HEADER]}", usage=USAGE))


def test_every_session_gets_the_answers_to_its_own_calls_in_order():
    async def handle(request):
        await request.send(response(200, said(request)))

    heard = []
    result = driven(handle, *(calls(f"t{n}", 3, heard) for n in range(20)))
    assert (result.calls, result.body_bytes, result.failures) == (60, 60 * 13, ())
    for n in range(20):
        mine = [(step, text) for task, step, text in heard if task == f"t{n}"]
        assert mine == [(step, f"heard t{n} work {step} 0 0") for step in range(3)]


def test_a_failed_call_ends_its_session_and_no_other():
    async def handle(request):
        if Label.parse(request.headers[HEADER]) == Label(task="bad", step=1):
            await request.send(response(404, error("chat", 404, "not_found_error", "no")))
        else:
            await request.send(response(200, said(request)))

    heard = []
    result = driven(handle, calls("bad", 3, heard), calls("good", 3, heard))
    assert result.calls == 5
    [failure] = result.failures
    assert failure.task == "bad"
    assert failure.what.startswith("status 404: ")
    assert [entry[:2] for entry in heard if entry[0] == "bad"] == [("bad", 0)]


def test_a_connection_that_breaks_is_a_failed_call():
    async def handle(request):
        await request.send(stream())
        raise ConnectionResetError

    result = driven(handle, calls("t", 2, []))
    assert [failure.task for failure in result.failures] == ["t"]


def test_a_server_reads_chunked_requests_and_keeps_the_connection():
    async def run():
        bodies = []

        async def handle(request):
            bodies.append(request.body)
            await request.send(response(200, b"{}"))

        server = Server(handle)
        url = await server.start()
        reader, writer = await asyncio.open_connection("127.0.0.1", int(url.rpartition(":")[2]))
        writer.write(b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=1\r\nde\r\n0\r\n\r\n")
        writer.write(b"POST / HTTP/1.1\r\nContent-Length: 2\r\n\r\nfg")
        for _ in range(2):
            assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200 OK\r\n")
            assert await reader.readexactly(2) == b"{}"
        writer.close()
        await writer.wait_closed()
        await server.close()
        return bodies

    assert asyncio.run(run()) == [b"abcde", b"fg"]
