"""When a second request may go out beside a slow first one: the learnt p95 of first bytes, and a cap.

For short housekeeping calls only, and only where `upstream.hedge_housekeeping` says so: they run no tools, and an
agent stands still until its title or summary is there. A request that is slower to begin than 95 % of its like is sent
once more elsewhere, the first good head wins, the other is cancelled and stays in the bill (Dean and Barroso, "The
Tail at Scale", 2013: 5 % more requests for most of the tail). In memory, per process; knows no HTTP.
"""

from __future__ import annotations

import asyncio
import math
from collections import OrderedDict, deque
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, TypeAlias, TypeVar

from lanewise.journey import Candidate, Features, Request, Turn

T = TypeVar("T")

Try: TypeAlias = Callable[[], Coroutine[Any, Any, T]]  # what a coroutine takes and yields is asyncio's own business

LOST = "hedge_lost"
"""Error of an attempt that another one overtook."""

SEEN = 200
"""First bytes kept per endpoint, and calls that the cap looks back on: the p95 stands on its ten slowest."""

SEEN_LEAST = 20
"""Fewer say nothing of a p95: its nearest rank would be the slowest of all."""

CAP_SHARE = 0.05
"""Hedges per such call, at most."""

SHORT_TOKENS = 8_000
"""Prompts up to this are sent twice: at $5 per million tokens a hedge costs at most 4 cents."""

KINDS = 256
"""Endpoints remembered; the one unused for longest goes. A client can name models that no config lists."""


class Hedges:
    """First-byte times of hedgeable calls by endpoint, and how many of them were hedged."""

    def __init__(self) -> None:
        self._first_bytes_s: OrderedDict[tuple[str, str, bool], deque[float]] = OrderedDict()
        self._hedged: deque[bool] = deque(maxlen=SEEN)

    def seen(self, candidate: Candidate, first_byte_s: float, *, stream: bool) -> None:
        """An endpoint took so long to begin; also at least so long, where it was not waited for any longer."""
        key = (candidate.provider, candidate.upstream_model, stream)
        times = self._first_bytes_s.get(key)
        if times is None:
            times = self._first_bytes_s[key] = deque(maxlen=SEEN)
            if len(self._first_bytes_s) > KINDS:
                self._first_bytes_s.popitem(last=False)
        self._first_bytes_s.move_to_end(key)
        times.append(first_byte_s)

    def patience_s(self, candidate: Candidate, *, stream: bool) -> float | None:
        """The p95 (nearest rank) of what was seen of it; None while that is too little."""
        times = self._first_bytes_s.get((candidate.provider, candidate.upstream_model, stream), ())
        if len(times) < SEEN_LEAST:
            return None
        return sorted(times)[math.ceil(0.95 * len(times)) - 1]

    def began(self) -> None:
        """One more hedgeable call goes out."""
        self._hedged.append(False)

    def take(self) -> bool:
        """Whether one may be hedged now, counted if so."""
        if sum(self._hedged) + 1 > CAP_SHARE * len(self._hedged):
            return False
        self._hedged[-1] = True
        return True


def hedgeable(request: Request, turn: Turn, features: Features) -> bool:
    """Whether the call may be sent twice: short housekeeping without tools, so that nothing is done twice."""
    return (
        turn.kind == "housekeeping"
        and request.operation == "generate"
        and not request.tool_names
        and not features.has_images
        and features.input_tokens <= SHORT_TOKENS
    )


def second_of(first: Candidate, plan: Sequence[Candidate]) -> Candidate | None:
    """Who is asked beside `first`: the next of the plan at another endpoint, else the next at the same one."""
    rest = [candidate for candidate in plan if candidate != first]
    return next((candidate for candidate in rest if candidate.provider != first.provider), next(iter(rest), None))


async def race(
    first: Try[T],
    second: Try[T],
    *,
    patience_s: float,
    may: Callable[[], bool],
    good: Callable[[T], bool],
    lost: Callable[[int], None],
    discard: Callable[[T], None],
) -> T:
    """What comes of `first`, or of `second` where that is good sooner.

    Args:
        first: Starts at once.
        second: Starts where `first` is not done within `patience_s`.
        patience_s: Seconds.
        may: Asked before `second` starts.
        good: Ends the race; a result that is not good is returned only if it is `first`'s and `second` has no better.
        lost: Told the index, 0 or 1, of the one that a good result leaves behind, before it is cancelled.
        discard: Given a result that is not returned.

    However it ends, by cancellation too, both have ended by then.
    """
    tasks = [asyncio.create_task(first())]
    chosen: asyncio.Task[T] | None = None
    try:
        await asyncio.wait(tasks, timeout=patience_s)
        if not tasks[0].done() and may():
            tasks.append(asyncio.create_task(second()))
        chosen = await _first_good(tasks, good)
        for index, task in enumerate(tasks):
            if task is not chosen and good(chosen.result()):
                lost(index)
        return chosen.result()
    finally:
        beaten = [task for task in tasks if task is not chosen]
        for task in beaten:
            task.cancel()
        for result in await asyncio.gather(*beaten, return_exceptions=True):
            if not isinstance(result, BaseException):
                discard(result)


async def _first_good(tasks: list[asyncio.Task[T]], good: Callable[[T], bool]) -> asyncio.Task[T]:
    """The first task with a good result, the first in order where several have one; else the first of all."""
    pending = set(tasks)
    while pending:
        _, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
        for task in tasks:
            if task.done() and good(task.result()):
                return task
    return tasks[0]
