"""A hosted classifier on a real port: what it is sent, what is read of its answers, and that no fault of it escapes."""

from __future__ import annotations

import asyncio
import json
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from upstream_kit import connected

from doubles import Fault, Reply, Script, ScriptedUpstream, json_reply, replies
from lanewise.config import HostedSettings
from lanewise.errors import ConfigError, StartError
from lanewise.journey import Opinion, SkillLabel
from lanewise.upstream import Hosted

PRICE_PUSD = 250_000_000  # $0.00025
WORDS = "why does “the login” crash?"


def settings_of(url: str, **changes: Any) -> HostedSettings:
    fields = {"shape": "cohere", "url": url, "price_usd_per_call": Decimal("0.00025"), "timeout_s": 5.0}
    return HostedSettings(**{**fields, **changes})


def asked(script: Script, *, env: dict[str, str] | None = None, **changes: Any) -> tuple[Opinion, ScriptedUpstream]:
    """The opinion of an endpoint that answers by `script`, and the endpoint."""

    async def main(url: str) -> Opinion:
        async with connected() as transport:
            return await Hosted.of(settings_of(url, **changes), env or {}, transport).label(WORDS)

    with ScriptedUpstream(script) as endpoint:
        return asyncio.run(main(f"{endpoint.url}/v1/classify?version=1")), endpoint


def says(document: object) -> Script:
    return replies(json_reply(json.dumps(document).encode()))


def cohere(**labels: float) -> dict[str, object]:
    """An answer of Classify as its reference documents it."""
    best = max(labels, key=lambda name: labels[name])
    found = {name: {"confidence": confidence} for name, confidence in labels.items()}
    row = {"id": "1", "input": WORDS, "prediction": best, "predictions": [best], "confidence": labels[best]}
    return {"id": "2", "classifications": [{**row, "confidences": [labels[best]], "labels": found}]}


def scored(**labels: float) -> list[dict[str, object]]:
    return [{"label": name, "score": score} for name, score in labels.items()]


def label(skill: Any, confidence: float, second: Any = None) -> SkillLabel:
    return SkillLabel(skill=skill, confidence=confidence, second=second, source="hosted")


# -- what is read ------------------------------------------------------------------------------------------

READ = {
    "cohere": ("cohere", cohere(debugging=0.71, planning=0.2, spam=0.09), label("debugging", 0.71, "planning")),
    "cohere, a stranger is surest": ("cohere", cohere(spam=0.6, debugging=0.4), label("debugging", 0.4)),
    "cohere, the prediction alone": (
        "cohere",
        {"classifications": [{"prediction": "data_sql", "confidence": 0.5}]},
        label("data_sql", 0.5),
    ),
    "hugging face": ("huggingface", scored(planning=0.25, debugging=0.75), label("debugging", 0.75, "planning")),
    "hugging face, nested": ("huggingface", [scored(debugging=0.9)], label("debugging", 0.9)),
    "hugging face, zero shot": (
        "huggingface",
        {"sequence": WORDS, "labels": ["spam", "debugging", "planning"], "scores": [0.5, 0.3, 0.2]},
        label("debugging", 0.3, "planning"),
    ),
    "rounded up by the server": ("huggingface", scored(debugging=1.0000001), label("debugging", 1.0)),
}


@pytest.mark.parametrize(("shape", "document", "expected"), READ.values(), ids=list(READ))
def test_the_surest_of_our_skills_is_the_label_and_the_answer_is_paid_for(shape, document, expected):
    opinion, _ = asked(says(document), shape=shape)
    assert opinion == Opinion(source="hosted", label=expected, cost_pusd=PRICE_PUSD)


# -- what is sent ------------------------------------------------------------------------------------------


def test_cohere_is_sent_the_model_and_the_words_with_the_key():
    env = {"CLASSIFY_KEY": "k1", "OTHER": "k2"}
    _, endpoint = asked(says(cohere(debugging=1.0)), model="tuned-1", api_key_env="CLASSIFY_KEY", env=env)
    (request,) = endpoint.requests
    assert (request.method, request.target) == ("POST", "/v1/classify?version=1")
    assert request.json == {"model": "tuned-1", "inputs": [WORDS]}
    assert request.header("authorization") == "Bearer k1"
    assert request.header("content-type") == "application/json"


def test_without_a_model_and_a_key_neither_is_sent():
    _, endpoint = asked(says(cohere(debugging=1.0)))
    assert endpoint.requests[0].json == {"inputs": [WORDS]}
    assert endpoint.requests[0].header("authorization") == ""


def test_hugging_face_is_sent_the_words_and_asked_for_three_labels():
    _, endpoint = asked(says(scored(debugging=1.0)), shape="huggingface")
    assert endpoint.requests[0].json == {"inputs": WORDS, "parameters": {"top_k": 3}}


# -- faults ------------------------------------------------------------------------------------------------

GOOD = json_reply(json.dumps(cohere(debugging=1.0)).encode())


def failing(fault: Fault) -> Script:
    return replies(msgspec.structs.replace(GOOD, fault=fault))


FAULTS: dict[str, tuple[Script, str, int]] = {
    "no answer in time": (failing(Fault(what="stall", after="nothing")), "timeout", 0),
    "an answer that does not end in time": (failing(Fault(what="stall", after="bytes", count=9)), "timeout", 1),
    "closed": (failing(Fault(what="close", after="nothing")), "unreached", 0),
    "broken off": (failing(Fault(what="reset", after="bytes", count=9)), "unreached", 1),
    "429": (replies(json_reply(b"{}", status=429)), "refused", 0),
    "503": (replies(json_reply(b"{}", status=503)), "refused", 0),
    "a redirect": (replies(Reply(status=307, headers=((b"location", b"http://127.0.0.1:9/"),))), "refused", 0),
    "no JSON": (replies(json_reply(b"<html>")), "unreadable", 1),
    "no Unicode": (replies(json_reply(b'{"classifications": [{"prediction": "\xff"}]}')), "unreadable", 1),
    "another shape": (says(scored(debugging=1.0)), "unreadable", 1),
    "no share of 1": (says(cohere(debugging=7.0)), "unreadable", 1),
    "too large": (replies(json_reply(b" " * (1 << 17))), "unreadable", 1),
    "strangers only": (says(cohere(spam=0.9, ham=0.1)), "no_skill", 1),
    "nothing": (says({"classifications": []}), "no_skill", 1),
}


@pytest.mark.parametrize(("script", "fault", "calls"), FAULTS.values(), ids=list(FAULTS))
def test_a_fault_is_told_and_paid_for_only_where_a_200_came_back(script, fault, calls):
    opinion, endpoint = asked(script, timeout_s=0.3 if fault == "timeout" else 5.0)
    assert opinion == Opinion(source="hosted", fault=fault, cost_pusd=calls * PRICE_PUSD)
    assert len(endpoint.requests) == 1


def test_lists_of_different_lengths_are_unreadable():
    opinion, _ = asked(says({"labels": ["debugging"], "scores": []}), shape="huggingface")
    assert opinion.fault == "unreadable"


def test_an_endpoint_that_is_away_is_told():
    async def main() -> Opinion:
        async with connected() as transport:
            return await Hosted.of(settings_of("http://127.0.0.1:9"), {}, transport).label(WORDS)

    assert asyncio.run(main()) == Opinion(source="hosted", fault="unreached")


# -- set-up ------------------------------------------------------------------------------------------------


def test_a_key_that_is_not_set_is_told_at_the_start():
    settings = settings_of("http://127.0.0.1:9", api_key_env="CLASSIFY_KEY")
    with pytest.raises(StartError, match="needs a key, and CLASSIFY_KEY is not set") as caught:
        Hosted.of(settings, {}, None)  # type: ignore[arg-type]  # nothing is sent
    assert caught.value.hint == "set CLASSIFY_KEY, or take [classify.hosted] out of the config"


def test_a_price_that_is_none_is_told_at_the_start():
    settings = settings_of("http://127.0.0.1:9", price_usd_per_call=Decimal(-1))
    with pytest.raises(ConfigError, match="amount -1: must be zero or more US dollars"):
        Hosted.of(settings, {}, None)  # type: ignore[arg-type]  # nothing is sent
