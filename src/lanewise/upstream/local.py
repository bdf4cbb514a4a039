"""Asking local engines how long their queues are, while there is traffic, beside the calls and never before one.

Our own calls in flight (`health`) are the first signal: they are exact and come at once. What an engine says of itself
lags by 3 to 6 s (vllm#49538) and corrects it for traffic that is not ours:
``others = max(0, running + waiting - our own in flight then)``. Any fault leaves the last reading to age; past
`STALE_S` it is unknown again, which is not zero.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping

from lanewise.errors import UpstreamError
from lanewise.journey import Value
from lanewise.upstream.health import Endpoint, Health
from lanewise.upstream.providers import Provider
from lanewise.upstream.readings import READERS, QueueReading, Reader, merged
from lanewise.upstream.transport import Answer, Sending, Transport

log = logging.getLogger("lanewise")

EVERY_S = 3.0
"""Between two readings; the engines' own gauges are no fresher than that."""

TIMEOUT_S = 2.0
"""A server on the same network answers its metrics in milliseconds; one that is too busy to is not waited for."""

ACTIVE_S = 60.0
"""After the last call or decision an idle gateway asks nobody anything."""

STALE_S = 15.0
"""A reading older than this is unknown: five were missed, or nobody asked for it until now."""

ANSWER_BYTES = 4 << 20
"""Largest answer that is read; vLLM's metrics of many models take less than 1 MB."""


class Observed(Value, frozen=True, kw_only=True):
    """One engine's queue as it was last seen."""

    reading: QueueReading
    others: int | None
    """Calls there that are not ours; None where the engine does not say how many it has."""
    age_s: float


class _Seen(Value, frozen=True, kw_only=True):
    reading: QueueReading
    others: int | None
    at: float


class QueueWatch:
    """Reads the queues of the local engines that say something about them."""

    def __init__(
        self,
        *,
        transport: Transport,
        health: Health,
        monotonic: Callable[[], float],
        every_s: float = EVERY_S,
    ) -> None:
        self._transport = transport
        self._health = health
        self._now = monotonic
        self._every_s = every_s
        self._engines: dict[str, tuple[Provider, Mapping[str, Reader], str]] = {}
        self._seen: dict[str, _Seen] = {}
        self._own_before: dict[str, int] = {}
        self._asked_at = -ACTIVE_S
        self._wanted = asyncio.Event()

    def use(self, providers: Iterable[Provider], env: Mapping[str, str]) -> None:
        """Watch these from now on; what is known of those that stay, stays known."""
        before = self._engines
        self._engines = {
            row.name: (row, readers, env.get(row.api_key_env, "") if row.api_key_env else "")
            for row in providers
            if row.lane == "local" and (readers := READERS.get(row.metrics))
        }
        self._seen = {
            name: seen
            for name, seen in self._seen.items()
            if name in self._engines and before[name][0].base_url == self._engines[name][0].base_url
        }

    def observed(self) -> dict[str, Observed]:
        """What is known now, by provider; whoever is about to decide asks, so readings are wanted from here on."""
        now = self._now()
        if now - self._asked_at >= ACTIVE_S:
            self._wanted.set()
        self._asked_at = now
        return self.known()

    def known(self) -> dict[str, Observed]:
        """The same for whoever only looks on."""
        now = self._now()
        return {
            name: Observed(reading=seen.reading, others=seen.others, age_s=now - seen.at)
            for name, seen in self._seen.items()
            if now - seen.at <= STALE_S
        }

    async def run(self) -> None:
        """Read on until cancelled."""
        while True:
            await self.look()
            try:
                async with asyncio.timeout(self._every_s):
                    await self._wanted.wait()
            except TimeoutError:
                continue
            self._wanted.clear()

    async def look(self) -> None:
        """Read if there is traffic."""
        if self._active():
            await self.read()

    def _active(self) -> bool:
        now = self._now()
        return now - self._asked_at < ACTIVE_S or any(_used(self._health.of(name), now) for name in self._engines)

    async def read(self) -> None:
        """One reading of every engine, all at once."""
        async with asyncio.TaskGroup() as group:
            for provider, readers, key in list(self._engines.values()):
                group.create_task(self._read(provider, readers, key))

    async def _read(self, provider: Provider, readers: Mapping[str, Reader], key: str) -> None:
        """One engine's reading; a fault leaves the one before."""
        own = self._health.of(provider.name).in_flight
        found: QueueReading | None = None
        for path, reader in readers.items():
            part = await self._part(provider, path, reader, key)
            if part is not None:
                found = part if found is None else merged(found, part)
        own_before = self._own_before.get(provider.name, 0)
        self._own_before[provider.name] = own
        if found is None or provider.name not in self._engines:
            return
        # The gauge may still show calls of ours that ended since the last reading: those are not somebody else's.
        others = None
        if found.running is not None:
            others = max(0, found.running + (found.waiting or 0) - max(own, own_before))
        self._seen[provider.name] = _Seen(reading=found, others=others, at=self._now())

    async def _part(self, provider: Provider, path: str, reader: Reader, key: str) -> QueueReading | None:
        """What one path says, None where it says nothing that can be read."""
        sending = Sending(
            method="GET",
            url=_address(provider, path),
            headers=[("accept-encoding", "identity"), *([("authorization", f"Bearer {key}")] if key else [])],
            body=b"",
            first_byte_s=TIMEOUT_S,
        )
        try:
            async with asyncio.timeout(TIMEOUT_S):
                answer = await self._transport.send(sending)
                try:
                    return reader(await _whole(answer)) if answer.status == 200 else None
                finally:
                    answer.close()
        except (TimeoutError, UpstreamError, ValueError):
            return None
        except Exception:
            log.exception("the queue of provider %r could not be read", provider.name)  # a bug must not end the watch
            return None


def _address(provider: Provider, path: str) -> str:
    """Where `path` is: beside `/v1`, also where the row's base ends in it."""
    return provider.url(path) if path.startswith("/v1/") else provider.base_url.rstrip("/").removesuffix("/v1") + path


def _used(endpoint: Endpoint, now: float) -> bool:
    """A call is there, or was sent within the last minute."""
    return bool(endpoint.in_flight) or (endpoint.last_sent_at is not None and now - endpoint.last_sent_at < ACTIVE_S)


async def _whole(answer: Answer) -> bytes:
    """The body.

    Raises:
        ValueError: It is larger than `ANSWER_BYTES`.
        StreamCut: It broke off.
    """
    parts: list[bytes] = []
    size = 0
    while (chunk := await answer.chunk()) is not None:
        parts.append(chunk)
        size += len(chunk)
        if size > ANSWER_BYTES:
            raise ValueError("the answer is too large")
    return b"".join(parts)
