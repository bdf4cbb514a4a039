"""A provider's slower and cheaper queue: for the loops that nobody waits for, asked for by a word in the body."""

from __future__ import annotations

import json
from typing import Any

import pytest
from router_kit import House, Said, provider, world_of

from lanewise.config import ModelSettings, UpstreamSettings
from lanewise.journey import Caller, Dialect
from lanewise.router import World

PATIENT = Caller(session="one", tags=("nightly",))
NEXT_WEEK = Caller(session="one", deadline_s=7 * 86_400.0)
STANDARD_PUSD = 1000 * 1_250_000 + 100 * 10_000_000
FLEX_PUSD = 1000 * 625_000 + 100 * 5_000_000
"""1,000 tokens in and 100 out of gpt-5: $1.25 and $10 per million, half of that in the flex queue."""


def openai(**changes: Any) -> World:
    """OpenAI's own address, a model that it sells in both queues, and nothing cheaper."""
    row = provider("chat", "responses", base_url="https://api.openai.com", api_key_env="CLOUD_KEY")
    return world_of(**{"providers": {"openai": row}, "models": {"gpt-5": ModelSettings(provider="openai")}, **changes})


@pytest.fixture
def house() -> House:
    return House(openai())


def sent_body(dialect: Dialect, **more: Any) -> bytes:
    turn = {"role": "user", "content": "Write the documentation of this function."}
    tool = {"name": "Edit", "parameters": {"type": "object"}}
    fields: dict[str, Any] = {"model": "gpt-5"}
    if dialect == "chat":
        fields |= {"messages": [turn], "tools": [{"type": "function", "function": tool}]}
    else:
        fields |= {"input": [turn], "tools": [{"type": "function", **tool}]}
    return json.dumps({**fields, **more}).encode()


def answer(dialect: Dialect, tier: str | None = "flex") -> Said:
    named = {} if tier is None else {"service_tier": tier}
    if dialect == "chat":
        choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "Done."}}
        usage = {"prompt_tokens": 1000, "completion_tokens": 100, "total_tokens": 1100}
        return Said(
            json.dumps({"id": "c", "object": "chat.completion", "choices": [choice], "usage": usage, **named}).encode()
        )
    part = {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Done."}]}
    usage = {"input_tokens": 1000, "output_tokens": 100, "total_tokens": 1100}
    fields = {"id": "r", "object": "response", "status": "completed", "output": [part], "usage": usage}
    return Said(json.dumps({**fields, **named}).encode())


PATHS: dict[str, str] = {"chat": "/v1/chat/completions", "responses": "/v1/responses"}


def ask(house: House, dialect: Dialect, *said: Said, caller: Caller = PATIENT, **more: Any) -> Any:
    house.upstream.answers += said or (answer(dialect),)
    return house.ask(sent_body(dialect, **more), caller=caller, dialect=dialect, target=PATHS[dialect])


def tiers(house: House) -> list[Any]:
    """The service tier that each sending asks for; None where the word is absent."""
    return [json.loads(sending.body).get("service_tier") for sending in house.upstream.sent]


@pytest.mark.parametrize("dialect", ["chat", "responses"])
@pytest.mark.parametrize("caller", [PATIENT, NEXT_WEEK])
def test_a_loop_that_nobody_waits_for_asks_for_the_slower_queue_and_is_billed_in_it(
    house: House, dialect: Dialect, caller: Caller
):
    ask(house, dialect, caller=caller)
    decision, outcome = house.last.decision, house.last.outcome
    assert tiers(house) == ["flex"]
    assert (decision.reason, decision.chosen.service, decision.baseline.service) == (
        "cheapest_allowed",
        "flex",
        "standard",
    )
    assert outcome.cost is not None
    assert outcome.baseline_cost is not None
    assert (outcome.cost.total_pusd, outcome.baseline_cost.total_pusd) == (FLEX_PUSD, STANDARD_PUSD)


@pytest.mark.parametrize("tier", ["default", None])
def test_what_the_provider_served_in_its_usual_queue_is_billed_at_its_usual_price(house: House, tier: str | None):
    ask(house, "chat", answer("chat", tier))
    assert house.last.outcome.cost is not None
    assert house.last.outcome.cost.total_pusd == STANDARD_PUSD


@pytest.mark.parametrize(
    "caller", [Caller(session="one"), Caller(session="one", deadline_s=60.0), Caller(session="one", deadline_s=899.0)]
)
def test_who_waits_or_cannot_wait_a_quarter_of_an_hour_never_does(house: House, caller: Caller):
    ask(house, "chat", answer("chat", "default"), caller=caller)
    assert tiers(house) == [None]
    refused = {row.candidate.service: row.reason for row in house.last.decision.rejected}
    assert refused == {"flex": "flex_refused"}


@pytest.mark.parametrize("named", ["auto", "default", "priority", "flex"])
def test_a_body_that_names_a_queue_itself_is_left_alone(house: House, named: str):
    ask(house, "chat", service_tier=named)
    assert tiers(house) == [named]
    assert house.upstream.sent[0].body == sent_body("chat", service_tier=named)


def test_a_prompt_in_the_slower_queue_differs_by_that_word_alone(house: House):
    ask(house, "chat")
    sent = json.loads(house.upstream.sent[0].body)
    assert sent.pop("service_tier") == "flex"
    assert sent == json.loads(sent_body("chat"))


def test_where_the_slower_queue_has_no_room_the_usual_one_answers():
    house = House(openai(upstream=UpstreamSettings(retries=0, backoff_s=0.001)))
    client = ask(house, "chat", Said(b'{"error":{}}', status=429), answer("chat", "default"))
    assert client.status == 200
    assert tiers(house) == ["flex", None]
    assert [(a.candidate.service, a.status) for a in house.last.attempts] == [("flex", 429), ("standard", 200)]
    assert house.last.outcome.served is not None
    assert house.last.outcome.served.service == "standard"
    assert house.last.outcome.cost is not None
    assert house.last.outcome.cost.total_pusd == STANDARD_PUSD


def test_observing_asks_for_no_queue_and_says_what_the_slower_one_would_have_cost():
    house = House(openai(mode="observe"))
    ask(house, "chat", answer("chat", "default"))
    assert tiers(house) == [None]
    assert house.last.decision.preferred.service == "flex"
    assert house.last.outcome.preferred_cost_pusd == FLEX_PUSD


def test_the_saving_of_the_slower_queue_is_in_the_answers_head(house: House):
    client = ask(house, "chat")
    assert client.headers["x-lanewise-cost-usd"] == "0.001125"
    assert client.headers["x-lanewise-saved-usd"] == "0.001125"


def test_no_other_vendor_is_sent_the_word():
    row = provider("chat", api_key_env="CLOUD_KEY")
    house = House(openai(providers={"reseller": row}, models={"gpt-5": ModelSettings(provider="reseller")}))
    ask(house, "chat", answer("chat", "default"))
    assert tiers(house) == [None]
