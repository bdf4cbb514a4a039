"""Passing an answer on while it arrives: status, headers, body or events, and what its bytes say of usage and end.

A stream goes on in whole events, so that a keep-alive or an error can stand between any two. A whole answer of
known kind is held until complete, so that a torn one becomes an error instead of half a JSON; a very large one is
passed on as it comes. Knows no policy and no money.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import NamedTuple, Protocol

from lanewise.errors import ClientError, IdleTimeout, LanewiseError, StreamCut
from lanewise.journey import Dialect, Usage
from lanewise.upstream.providers import downstream_headers
from lanewise.upstream.transport import Answer
from lanewise.wire import Facts, Framer, Meter, decoded, facts, keep_alive, last_event, meter, stream_decoder

HELD_BYTES = 4 << 20
"""Whole answers up to this size are held until complete."""


class Sink(Protocol):
    """Where an answer goes: one head, then bytes, then the end."""

    async def start(self, status: int, headers: Sequence[tuple[str, str]]) -> None:
        """Send the head."""
        ...

    async def write(self, data: bytes) -> None:
        """Send bytes of the body; returns when the client can take more."""
        ...

    async def end(self, data: bytes = b"") -> None:
        """Send the last bytes, if any: the body is complete."""
        ...


class Held(NamedTuple):
    """A complete answer of which the client has seen nothing."""

    answer: Answer
    """For its head; its body is read."""
    body: bytes
    usage: Usage | None
    stop_reason: str
    refused_by: str
    """Name of the check that refused it; empty where none did."""


class Relay:
    """Passes one answer on. Its fields tell what came of it, also after an exception."""

    def __init__(self, *, dialect: Dialect, call_id: str, monotonic: Callable[[], float]) -> None:
        self._dialect = dialect
        self._call_id = call_id
        self._monotonic = monotonic
        self.started = False
        """The head was sent: from here on an error can only be told inside the body."""
        self.status = 0
        self.error = ""
        self.usage: Usage | None = None
        self.stop_reason = ""
        self.sent_bytes = 0
        self.text_bytes = 0
        """Bytes of generated content, the base of an estimate where no usage came."""
        self.first_byte_at: float | None = None

    async def whole(
        self,
        answer: Answer,
        sink: Sink,
        describe: Callable[[Usage | None], Sequence[tuple[str, str]]],
        idle_s: float,
        *,
        refuses: Callable[[bytes, Usage | None], Awaitable[str]] | None = None,
    ) -> Held | None:
        """Pass on an answer that is not a stream, or hold it back.

        Args:
            answer: The provider's.
            sink: The client's.
            describe: Our own headers, given the usage where the answer was held; None where it is not known yet.
            idle_s: Longest silence.
            refuses: Given a good answer's readable body and its usage, why it is not good enough; empty if it is.

        Returns:
            The answer where `refuses` refused it: nothing was sent, and `deliver` can still do so.

        Raises:
            StreamCut: It broke off; nothing was sent unless `started`.
            IdleTimeout: It fell silent; likewise.
        """
        held: list[bytes] = []
        size = 0
        watch = _Watch(self._monotonic, sink, lambda: b"", idle_s=idle_s, ping_s=idle_s)
        with watch:
            while (chunk := await watch.reading(answer.chunk())) is not None:
                held.append(chunk)
                size += len(chunk)
                if size > HELD_BYTES and not self.started:
                    await self._start(sink, answer, describe(None))
                if self.started:
                    await self._send(sink, b"".join(held))
                    held.clear()
        if self.started:
            await sink.end()
            return None
        body = b"".join(held)
        readable = _readable(body, answer) if answer.status < 400 else b""
        found = facts(self._dialect, readable) if answer.status < 400 else Facts()
        why = await refuses(readable, found.usage) if refuses and answer.status < 400 else ""
        whole = Held(answer=answer, body=body, usage=found.usage, stop_reason=found.stop_reason, refused_by=why)
        if why:
            return whole
        await self.deliver(whole, sink, describe)
        return None

    async def deliver(
        self, held: Held, sink: Sink, describe: Callable[[Usage | None], Sequence[tuple[str, str]]]
    ) -> None:
        """Send an answer that is complete."""
        self.usage, self.stop_reason, self.text_bytes = held.usage, held.stop_reason, len(held.body)
        headers = [*describe(self.usage), ("content-length", str(len(held.body)))]
        await self._start(sink, held.answer, headers)
        self._sending(held.body)
        await sink.end(held.body)

    async def stream(
        self,
        answer: Answer,
        sink: Sink,
        headers: Sequence[tuple[str, str]],
        *,
        idle_s: float,
        ping_s: float,
        hide_usage: bool,
        count_text: bool,
    ) -> None:
        """Pass on a stream of events, with keep-alives in silence; a cut or silent one ends as the dialect's error.

        Raises:
            StreamCut, IdleTimeout: After the error event was sent, so that the caller can record it.
        """
        gauge = meter(self._dialect, hide_usage=hide_usage, count_text=count_text)
        framer = Framer()
        decode = stream_decoder(_coding(answer))
        await self._start(sink, answer, headers, decoded=decode is not None)
        ping = keep_alive(self._dialect)
        watch = _Watch(self._monotonic, sink, lambda: b"" if framer.torn else ping, idle_s=idle_s, ping_s=ping_s)
        try:
            with watch:
                while (chunk := await watch.reading(answer.chunk())) is not None:
                    if decode is not None:
                        chunk = decode(chunk)
                    if block := framer.feed(chunk):
                        if block := gauge.feed(block):
                            await self._send(sink, block)
                        self._note(gauge)
            await self._finish(sink, gauge, framer)
        except (StreamCut, IdleTimeout) as error:
            if not gauge.ended:
                await self._tell(sink, gauge, error)
            await sink.end()
            if not gauge.ended:
                raise
        finally:
            self._note(gauge)

    async def _finish(self, sink: Sink, gauge: Meter, framer: Framer) -> None:
        """The upstream closed cleanly: still a cut if the dialect's terminal event never came."""
        rest = framer.rest()
        if rest and not gauge.ended:
            gauge.feed(rest + b"\n\n")
        if not gauge.ended:
            raise StreamCut("the answer ended before its last event")
        if rest:
            await self._send(sink, rest)
        await sink.end()

    async def _tell(self, sink: Sink, gauge: Meter, error: LanewiseError) -> None:
        sequence, created = gauge.last_words()
        await self._send(sink, last_event(self._dialect, error, self._call_id, sequence, created))

    def _note(self, gauge: Meter) -> None:
        self.usage, self.stop_reason, self.text_bytes = gauge.usage, gauge.stop_reason, gauge.text_bytes
        self.error = self.error or gauge.error

    async def _start(
        self, sink: Sink, answer: Answer, headers: Sequence[tuple[str, str]], *, decoded: bool = False
    ) -> None:
        self.started, self.status = True, answer.status
        theirs = [
            pair for pair in downstream_headers(answer.headers) if not (decoded and pair[0] == "content-encoding")
        ]
        await sink.start(answer.status, [*theirs, *headers])

    async def _send(self, sink: Sink, data: bytes) -> None:
        self._sending(data)
        await sink.write(data)

    def _sending(self, data: bytes) -> None:
        if self.first_byte_at is None and data:
            self.first_byte_at = self._monotonic()
        self.sent_bytes += len(data)


def _coding(answer: Answer) -> str:
    """Its content-encodings: some providers compress although asked not to."""
    return ",".join(value for name, value in answer.headers if name == "content-encoding")


def _readable(body: bytes, answer: Answer) -> bytes:
    """The body without its coding, empty where that cannot be undone; the client gets it as it came."""
    try:
        return decoded(body, _coding(answer), limit=4 * HELD_BYTES)
    except ClientError:
        return b""


class _Watch:
    """One timer for a whole stream: keep-alives in silence, and an end to a silence that is too long.

    A timer per chunk would cost more than relaying the chunk.
    """

    def __init__(
        self, monotonic: Callable[[], float], sink: Sink, ping: Callable[[], bytes], *, idle_s: float, ping_s: float
    ) -> None:
        self._monotonic = monotonic
        self._sink = sink
        self._ping = ping
        self._idle_s = idle_s
        self._ping_s = ping_s
        self._heard_at = monotonic()
        self._pinged_at = self._heard_at
        self._reading = False
        self._silent = False
        self._pings: set[asyncio.Task[None]] = set()

    def __enter__(self) -> None:
        self._task = asyncio.current_task()
        self._loop = asyncio.get_running_loop()
        self._timer = self._loop.call_later(self._step_s(), self._check)

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()
        for ping in self._pings:
            ping.cancel()

    async def reading(self, chunk: Awaitable[bytes | None]) -> bytes | None:
        """Await a chunk under the watch."""
        self._reading, self._heard_at = True, self._monotonic()  # a client that reads slowly is no silence
        try:
            return await chunk
        except asyncio.CancelledError:
            if self._silent and self._task is not None and self._task.uncancel() == 0:
                raise IdleTimeout(f"the provider sent nothing for {self._idle_s:g} s") from None
            raise
        finally:
            self._reading = False

    def _step_s(self) -> float:
        return min(self._ping_s, self._idle_s) / 4

    def _check(self) -> None:
        now = self._monotonic()
        if self._reading and now - self._heard_at >= self._idle_s and self._task is not None:
            self._silent = True
            self._task.cancel()
            return
        if self._reading and now - max(self._heard_at, self._pinged_at) >= self._ping_s:
            self._pinged_at = now
            task = self._loop.create_task(self._write_ping())
            self._pings.add(task)
            task.add_done_callback(self._pings.discard)
        self._timer = self._loop.call_later(self._step_s(), self._check)

    async def _write_ping(self) -> None:
        if ping := self._ping():  # nothing may stand in the middle of an event
            await self._sink.write(ping)
