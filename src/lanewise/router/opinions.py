"""Asking somebody else for a skill that the student is unsure of. Nobody is asked unless the config names them.

Whoever is asked sees the user's words and nothing else, never fails and never waits long: the call comes first.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Protocol

import msgspec

from lanewise.journey import Opinion, SkillLabel

log = logging.getLogger("lanewise")


class SecondOpinion(Protocol):
    """Somebody who may know the skill."""

    async def label(self, words: str) -> Opinion:
        """What `words` are about. Does not raise; ends within a time of its own."""


class Threaded:
    """A model of this process behind the same protocol: its arithmetic runs beside the event loop."""

    def __init__(self, read: Callable[[str], SkillLabel]) -> None:
        self._read = read

    async def label(self, words: str) -> Opinion:
        """See `SecondOpinion`."""
        try:
            return Opinion(source="encoder", label=await asyncio.to_thread(self._read, words))
        except Exception as error:  # noqa: BLE001 - a stranger's runtime: whatever it is, somebody else may know
            log.error("the encoder failed with %s", type(error).__name__)  # noqa: TRY400 - it may quote the prompt
            return Opinion(source="encoder", fault="failed")


async def ask(
    words: str,
    label: SkillLabel,
    opinions: Sequence[SecondOpinion],
    *,
    sure_from: float,
    told: Callable[[str, str], None],
) -> SkillLabel:
    """The label of the first who is sure, otherwise `label`; either with what asking cost.

    Args:
        words: What the user said.
        label: What the student makes of it.
        opinions: Who is asked, in this order, until one is sure.
        sure_from: The confidence from which somebody counts as sure.
        told: Told source and outcome of each question.
    """
    paid_pusd = 0
    for asked in opinions:
        opinion = await asked.label(words)
        paid_pusd += opinion.cost_pusd
        sure = opinion.label is not None and opinion.label.confidence >= sure_from
        told(opinion.source, opinion.fault or ("labelled" if sure else "unsure"))
        if opinion.fault:
            log.warning("no second opinion by %s: %s", opinion.source, opinion.fault)
        if opinion.label is not None and sure:
            return msgspec.structs.replace(opinion.label, asked_pusd=paid_pusd)
    return msgspec.structs.replace(label, asked_pusd=paid_pusd)
