"""The verified cascade: a cheap model's whole answer is looked at before the client sees it, and given up if it is bad.

Only where an answer is held complete anyway: calls that do not stream, routed to the cheap tier, with a frontier
candidate to go to. One step, once. What the checks see and miss stands in `verify/rates.toml`.
"""

from __future__ import annotations

import asyncio

from lanewise.journey import Candidate, Decision, Reading, Request, Usage
from lanewise.router.bugs import tell
from lanewise.verify import checked
from lanewise.wire.answer import answer_of
from lanewise.wire.asked import asked_of

BESIDE_BYTES = 16_384
"""Answers above this size take milliseconds to check (docs/concepts/checks.md), which other calls need not wait for."""

_LIMIT_REACHED = 0.98
"""Share of the client's own output limit from which an answer was cut by that: any model would have been."""


class Cascade:
    """What of one call's plan is checked, and where it goes then."""

    def __init__(self, request: Request, reading: Reading, decision: Decision, *, enabled: bool) -> None:
        self._request = request
        self.above = tuple(candidate for candidate in decision.plan if candidate.tier == "frontier")
        """Who is asked after a refusal, in order."""
        independent = reading.turn.kind != "housekeeping" and request.operation == "generate"
        self._applies = enabled and independent and not request.stream and bool(self.above)

    def checks(self, candidate: Candidate) -> bool:
        """Whether an answer of `candidate` is looked at before it is passed on."""
        return self._applies and candidate.tier == "cheap"

    async def refusal(self, body: bytes, usage: Usage | None) -> str:
        """Name of the check that refuses the answer in `body`; empty where all let it pass or nothing can be told.

        A bug in a check costs the check, never the answer; a large answer is looked at beside the event loop.
        """
        try:
            if len(body) > BESIDE_BYTES:
                return await asyncio.to_thread(self._refused_by, body, usage)
            return self._refused_by(body, usage)
        except Exception as error:  # noqa: BLE001 - whatever it is, the answer comes first
            tell("checking an answer failed with %s; it is passed on", error)
            return ""

    def _refused_by(self, body: bytes, usage: Usage | None) -> str:
        answer = answer_of(self._request.dialect, body)
        if answer is None:
            return ""
        failed = checked(answer, asked_of(self._request)).failed.partition(":")[0]
        return "" if failed == "not_truncated" and self._limit_reached(usage) else failed

    def _limit_reached(self, usage: Usage | None) -> bool:
        limit = self._request.max_tokens
        return limit is not None and usage is not None and usage.output_tokens >= _LIMIT_REACHED * limit
