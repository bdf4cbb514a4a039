"""The load generator of the bench as a process: reads a JSON job per line, writes a JSON result per line.

A closed loop: each connection sends its next request when the answer to the last one is complete. It looks at a
status, a length or the last chunk, and a clock; bodies are compared before the measurement, not in it.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
from time import perf_counter

import msgspec
import uvloop

import bodies

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_LAST_CHUNK = b"0\r\n\r\n"
GRACE_S = 20.0
"""How long answers under way may take after the time is up before the job counts as failed."""


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """What to send where; it ends when the time is up or `most` requests are answered."""

    port: int
    size: int
    stream: bool
    connections: int
    seconds: float
    most: int


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a job; times in microseconds, from the first byte sent to the last one received."""

    count: int
    seconds: float
    p50_us: float
    p99_us: float
    failure: str = ""
    """What the first wrong answer was; the other figures mean nothing then."""


class Run:
    """One job under way."""

    def __init__(self, job: Job, requests: list[bytes]) -> None:
        self.job = job
        self.requests = requests
        self.latencies_s: list[float] = []
        self.failure = ""
        self.left = job.most
        self.until = 0.0
        self.open = job.connections
        self.done = asyncio.Event()

    def may_send(self) -> bool:
        """Take one request from the budget."""
        if self.left <= 0 or self.failure or perf_counter() >= self.until:
            return False
        self.left -= 1
        return True

    def closed(self) -> None:
        """A connection has finished."""
        self.open -= 1
        if self.open == 0:
            self.done.set()


class Client(asyncio.Protocol):
    """One connection."""

    def __init__(self, run: Run, number: int) -> None:
        self._run = run
        self._number = number
        self._busy = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Connected: start at once."""
        self._transport = transport
        self._next()

    def _next(self) -> None:
        if not self._run.may_send():
            self._transport.close()
            return
        self._number += 1
        self._busy, self._head, self._left = True, b"", -1
        self._started = perf_counter()
        self._transport.write(self._run.requests[self._number % len(self._run.requests)])

    def data_received(self, data: bytes) -> None:
        """Bytes of an answer."""
        if self._left < 0:
            self._head += data
            end = self._head.find(b"\r\n\r\n")
            if end < 0:
                return
            if not self._head.startswith(b"HTTP/1.1 200"):
                self._fail(self._head[:300].decode("latin-1"))
                return
            found = _LENGTH.search(self._head[: end + 2])
            data = self._head[end + 4 :]
            self._chunked, self._left, self._tail = found is None, int(found[1]) if found else 0, b""
        if self._chunked:
            self._tail = (self._tail + data[-5:])[-5:]
            complete = self._tail == _LAST_CHUNK
        else:
            self._left -= len(data)
            complete = self._left == 0
        if complete:
            self._busy = False
            self._run.latencies_s.append(perf_counter() - self._started)
            self._next()

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is gone: as it should be after the last answer, else a failure."""
        if self._busy and not self._run.failure:
            self._fail(f"the connection closed in the middle of an answer ({exc})")
        self._run.closed()

    def _fail(self, what: str) -> None:
        self._run.failure = self._run.failure or what
        self._transport.close()


async def measure(job: Job, requests: list[bytes]) -> Result:
    """Run one job."""
    loop = asyncio.get_running_loop()
    run = Run(job, requests)
    started = perf_counter()
    run.until = started + job.seconds
    for number in range(job.connections):
        await loop.create_connection(lambda number=number: Client(run, number), "127.0.0.1", job.port)
    try:
        async with asyncio.timeout(job.seconds + GRACE_S):
            await run.done.wait()
    except TimeoutError:
        run.failure = f"no answer within {GRACE_S:g} s"
    found = sorted(run.latencies_s) or [0.0]
    return Result(
        count=len(run.latencies_s),
        seconds=perf_counter() - started,
        p50_us=found[len(found) // 2] * 1e6,
        p99_us=found[min(len(found) - 1, len(found) * 99 // 100)] * 1e6,
        failure=run.failure,
    )


def main() -> None:
    made: dict[tuple[int, bool], list[bytes]] = {}
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        for line in sys.stdin:
            job = msgspec.json.decode(line, type=Job)
            key = (job.size, job.stream)
            if key not in made:
                made[key] = bodies.requests(job.size, stream=job.stream)
            result = runner.run(measure(job, made[key]))
            print(json.dumps(msgspec.to_builtins(result)), flush=True)


if __name__ == "__main__":
    main()
