"""A classification endpoint on the net, asked for the skill of words that the student is unsure of.

Two shapes: Cohere's Classify (docs.cohere.com/v1/reference/classify) and Hugging Face's text classification
(huggingface.co/docs/inference-providers/tasks/text-classification), whose zero-shot answers are read as well; both
as of 2026-11. Off unless `[classify.hosted]` names one. It is sent words and nothing that says whose they are, is
asked once, and whatever it does costs a call no more than `timeout_s`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Final, cast, get_args

import msgspec

from lanewise.config import HostedSettings
from lanewise.errors import FirstByteTimeout, StartError, UpstreamError
from lanewise.journey import Opinion, Skill, SkillLabel
from lanewise.money import pusd_of
from lanewise.upstream.transport import Answer, Sending, Transport

ANSWER_BYTES: Final = 64 << 10
"""Largest answer that is read; fifteen labels take less than 2 KB."""

_ROUNDING: Final = 1e-3
"""A confidence may exceed 1 by this much: servers add up 32-bit shares."""

_SKILLS: Final = frozenset(get_args(Skill))


class _Confidence(msgspec.Struct):
    confidence: float


class _Classification(msgspec.Struct):
    prediction: str | None = None
    confidence: float | None = None
    labels: dict[str, _Confidence] = {}


class _Cohere(msgspec.Struct):
    classifications: list[_Classification]


class _Scored(msgspec.Struct):
    label: str
    score: float


class _ZeroShot(msgspec.Struct):
    labels: list[str]
    scores: list[float]


_COHERE = msgspec.json.Decoder(_Cohere)
_HUGGING_FACE = msgspec.json.Decoder(_ZeroShot | list[_Scored | list[_Scored]])


class Hosted:
    """The endpoint of one configuration; a `router.SecondOpinion`."""

    def __init__(self, settings: HostedSettings, *, key: str, price_pusd: int, transport: Transport) -> None:
        self._settings = settings
        self._price_pusd = price_pusd
        self._transport = transport
        self._headers = [("content-type", "application/json"), ("accept-encoding", "identity")]
        if key:
            self._headers.append(("authorization", f"Bearer {key}"))

    @classmethod
    def of(cls, settings: HostedSettings, env: Mapping[str, str], transport: Transport) -> Hosted:
        """The endpoint that `settings` describe, with its key from `env`.

        Raises:
            StartError: The variable that should hold its key is not set.
            ConfigError: Its price is no amount of dollars.
        """
        key = env.get(settings.api_key_env, "")
        if settings.api_key_env and not key:
            raise StartError(
                f"[classify.hosted] needs a key, and {settings.api_key_env} is not set",
                hint=f"set {settings.api_key_env}, or take [classify.hosted] out of the config",
            )
        return cls(settings, key=key, price_pusd=pusd_of(settings.price_usd_per_call), transport=transport)

    async def label(self, words: str) -> Opinion:
        """See `router.SecondOpinion`. Paid for as soon as the status is 200, useful or not."""
        cost_pusd = 0
        try:
            async with asyncio.timeout(self._settings.timeout_s):
                answer = await self._transport.send(self._sending(words))
                try:
                    if answer.status != 200:
                        return Opinion(source="hosted", fault="refused")
                    cost_pusd = self._price_pusd
                    body = await _whole(answer)
                finally:
                    answer.close()
            label = _best(self._scores(body))
        except (TimeoutError, FirstByteTimeout):
            return Opinion(source="hosted", fault="timeout", cost_pusd=cost_pusd)
        except UpstreamError:
            return Opinion(source="hosted", fault="unreached", cost_pusd=cost_pusd)
        except ValueError:  # msgspec's errors are among them
            return Opinion(source="hosted", fault="unreadable", cost_pusd=cost_pusd)
        return Opinion(source="hosted", label=label, fault="" if label else "no_skill", cost_pusd=cost_pusd)

    def _sending(self, words: str) -> Sending:
        question: dict[str, object] = {"inputs": words, "parameters": {"top_k": 3}}
        if self._settings.shape == "cohere":
            named = {"model": self._settings.model} if self._settings.model else {}
            question = {**named, "inputs": [words]}
        return Sending(
            method="POST",
            url=self._settings.url,
            headers=self._headers,
            body=msgspec.json.encode(question),
            first_byte_s=self._settings.timeout_s,
        )

    def _scores(self, body: bytes) -> dict[str, float]:
        """Label -> confidence, as far as the answer tells.

        Raises:
            ValueError: It is no JSON of the shape.
        """
        if self._settings.shape == "cohere":
            first = next(iter(_COHERE.decode(body).classifications), _Classification())
            told = {first.prediction: first.confidence} if first.prediction and first.confidence is not None else {}
            return told | {name: found.confidence for name, found in first.labels.items()}
        answer = _HUGGING_FACE.decode(body)
        if isinstance(answer, _ZeroShot):
            return dict(zip(answer.labels, answer.scores, strict=True))
        rows = [row for entry in answer for row in (entry if isinstance(entry, list) else [entry])]
        return {row.label: row.score for row in rows}


async def _whole(answer: Answer) -> bytes:
    """The body.

    Raises:
        ValueError: It is larger than `ANSWER_BYTES`.
        StreamCut: It broke off.
    """
    body = b""
    while (chunk := await answer.chunk()) is not None:
        body += chunk
        if len(body) > ANSWER_BYTES:
            raise ValueError("the answer is too large")
    return body


def _best(scores: Mapping[str, float]) -> SkillLabel | None:
    """The skill with the highest confidence, None where no label names one.

    Raises:
        ValueError: A confidence is no share of 1.
    """
    ours = sorted(((score, name) for name, score in scores.items() if name in _SKILLS), reverse=True)
    if any(not 0 <= score <= 1 + _ROUNDING for score, _ in ours):
        raise ValueError("a confidence is outside 0..1")
    if not ours:
        return None
    (confidence, skill), *others = ours
    return SkillLabel(
        skill=cast("Skill", skill),
        confidence=round(min(confidence, 1.0), 3),
        second=cast("Skill", others[0][1]) if others else None,
        source="hosted",
    )
