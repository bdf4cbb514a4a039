"""Plays a day's sessions against a gateway over real HTTP, a bounded number at a time.

Each session waits for its own answers, as a user's agent does. A session whose call fails ends there: its agent would
have shown the error to the user. Knows no lanes, models or prices.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from lanewise.demo.agents import Exchange, Reply
from lanewise.demo.replies import UnusableAnswerError, read_reply
from lanewise.demo.sessions import Script
from lanewise.errors import UpstreamError
from lanewise.journey import Value
from lanewise.upstream import HttpTransport, Transport
from lanewise.upstream.transport import Sending

CONCURRENCY = 16
"""Sessions that run at once: enough to fill the local engine's queue, few enough for two cores."""

ANSWER_TIMEOUT_S = 60.0
"""Longest wait for an answer's head; the slowest simulated one takes about a second."""

CONNECT_TIMEOUT_S = 5.0

TAGS_HEADER = "x-lanewise-tags"
SIMULATED = "simulated"
"""Tag of every call of the demo."""


class Failure(Value, frozen=True, kw_only=True):
    """A call that its agent could not use."""

    task: str
    what: str


class Driven(Value, frozen=True, kw_only=True):
    """What was sent and what failed."""

    calls: int
    body_bytes: int
    failures: tuple[Failure, ...]


class Driver:
    """Sends sessions to the gateway at `url`."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._calls = self._body_bytes = 0
        self._failures: list[Failure] = []

    async def drive(self, scripts: Iterable[Script]) -> Driven:
        """Play all sessions to their end."""
        waiting = iter(scripts)
        client = HttpTransport(connect_s=CONNECT_TIMEOUT_S)
        try:
            async with asyncio.TaskGroup() as workers:
                for _ in range(CONCURRENCY):
                    workers.create_task(self._worker(client, waiting))
        finally:
            await client.close()
        return Driven(calls=self._calls, body_bytes=self._body_bytes, failures=tuple(self._failures))

    async def _worker(self, client: Transport, waiting: Iterable[Script]) -> None:
        for script in waiting:
            await self._play(client, script)

    async def _play(self, client: Transport, script: Script) -> None:
        try:
            wanted = next(script)
            while True:
                try:
                    reply = await self._send(client, wanted)
                except (UnusableAnswerError, UpstreamError) as error:
                    self._failures.append(Failure(task=wanted.label.task, what=str(error)))
                    script.close()
                    return
                wanted = script.send(reply)
        except StopIteration:
            return

    async def _send(self, client: Transport, wanted: Exchange) -> Reply:
        self._calls += 1
        self._body_bytes += len(wanted.body)
        sending = Sending(
            method="POST",
            url=self._url + wanted.path,
            headers=_tagged(wanted.headers),
            body=wanted.body,
            first_byte_s=ANSWER_TIMEOUT_S,
        )
        answer = await client.send(sending)
        chunks = []
        try:
            while (chunk := await answer.chunk()) is not None:
                chunks.append(chunk)
        finally:
            answer.close()
        body = b"".join(chunks)
        if answer.status != 200:
            raise UnusableAnswerError(f"status {answer.status}: {body[:300].decode(errors='replace')}")
        return read_reply(wanted.dialect, body, streamed=wanted.stream)


def _tagged(headers: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """The call's headers with the tag by which a report can tell it from a real one."""
    tags = [value for name, value in headers if name == TAGS_HEADER]
    return [pair for pair in headers if pair[0] != TAGS_HEADER] + [(TAGS_HEADER, ",".join([*tags, SIMULATED]))]
