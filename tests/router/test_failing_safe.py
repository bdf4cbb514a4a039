"""Whatever of ours breaks, the answer comes: the baseline serves, the bug is counted and told without a word of a prompt."""

from __future__ import annotations

import importlib
import json
import logging
from typing import Any

import pytest
from router_kit import Client, House, Said, candidate, world_of

from lanewise.classify import Classifier
from lanewise.classify.signals import Signals
from lanewise.journey import Caller, CallRecord
from lanewise.router import Experience, Situation, World

CANARY = "canary-of-the-user"
CASE, PREFER = (importlib.import_module(f"lanewise.router.{name}") for name in ("case", "prefer"))


class Bug(Exception):
    """Its message quotes the prompt, as a stranger's may."""


def bug(*_: object, **__: object) -> Any:
    raise Bug(f"cannot cope with {CANARY}")


def body(*, model: str = "big", loop: bool = False) -> bytes:
    turns: list[dict[str, Any]] = [{"role": "user", "content": f"Write the documentation of this function. {CANARY}"}]
    if loop:
        call = {"type": "tool_use", "id": "t1", "name": "Read", "input": {}}
        turns.append({"role": "assistant", "content": [call]})
        turns.append({"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t1", "content": "ok"}]})
    return json.dumps({"model": model, "max_tokens": 100, "messages": turns}).encode()


def answer() -> Said:
    content = [{"type": "text", "text": "Done."}]
    fields = {"id": "m", "type": "message", "role": "assistant", "model": "m", "stop_reason": "end_turn"}
    return Said(json.dumps({**fields, "content": content, "usage": {"input_tokens": 10, "output_tokens": 5}}).encode())


BEFORE = {
    "classify": (Classifier, "read"),
    "signals": (Signals, "read"),
    "route": (CASE, "allowed_lanes"),
    "rules": (CASE, "first_match"),
    "select": (PREFER, "choose"),
    "beliefs": (Experience, "evidence"),
    "situation": (World, "situation"),
}
"""Where an error comes before anybody was asked."""


def told(caplog: Any, house: House) -> None:
    """One line of the log, with the kind of the bug and its place, and nothing of what anybody wrote."""
    assert [record.levelno for record in caplog.records] == [logging.ERROR]
    assert "Bug" in caplog.text
    assert 'File "' in caplog.text
    assert CANARY not in caplog.text
    assert CANARY not in repr(house.books.calls)


@pytest.mark.parametrize("where", BEFORE)
def test_a_bug_before_the_decision_lets_the_baseline_serve_once(where: str, monkeypatch, caplog):
    rules = world_of().settings.rules or _rules()
    house = House(world_of(rules=rules))
    monkeypatch.setattr(*BEFORE[where], bug)
    client = house.ask(body(), answer())
    assert (client.status, json.loads(client.body)["content"][0]["text"]) == (200, "Done.")
    assert client.headers["x-lanewise-reason"] == "routing_error"
    assert (house.last.outcome.served, len(house.upstream.sent)) == (candidate("big", "cloud"), 1)
    assert house.books.routing_failures == 1
    assert (house.last.policy_id, house.last.situation) == ("", "")  # nothing was decided
    told(caplog, house)


def _rules() -> Any:
    settings = importlib.import_module("lanewise.config")
    return (settings.RuleSettings(when="stream", tier="cheap"),)


def test_each_call_that_meets_a_bug_counts_once_and_the_next_is_tried_again(monkeypatch, caplog):
    house = House()
    with monkeypatch.context() as broken:
        broken.setattr(*BEFORE["select"], bug)
        for _ in range(3):
            house.ask(body(), answer())
    assert (house.books.routing_failures, len(house.upstream.sent)) == (3, 3)
    house.ask(body(), answer())
    assert (house.last.decision.reason, house.last.decision.chosen.model) == ("cheapest_allowed", "own")
    assert house.books.routing_failures == 3


def test_a_loop_that_a_bug_sent_to_the_baseline_stays_there(monkeypatch, caplog):
    house = House()
    with monkeypatch.context() as broken:
        broken.setattr(*BEFORE["select"], bug)
        house.ask(body(), answer())
    house.ask(body(loop=True), answer())
    assert (house.last.decision.reason, house.last.decision.chosen.model) == ("task_pin", "big")


def test_a_bug_in_learning_costs_neither_answer_nor_record(monkeypatch, caplog):
    house = House()
    monkeypatch.setattr(Experience, "learn", bug)
    client = house.ask(body(), answer())
    assert (client.status, house.last.outcome.status, house.last.decision.reason) == (200, 200, "cheapest_allowed")
    assert house.books.routing_failures == 0  # routing was fine
    told(caplog, house)


@pytest.mark.parametrize("error", [Bug(CANARY), OverflowError(CANARY), TypeError(CANARY)])
def test_a_situation_that_cannot_be_written_down_costs_only_that_copy(error: Exception, monkeypatch, caplog):
    def fails(_: Situation) -> str:
        raise error

    house = House()
    monkeypatch.setattr(Situation, "document", fails)
    client = house.ask(body(), answer())
    assert (client.status, len(house.books.calls)) == (200, 1)
    call: CallRecord = house.last
    assert (call.situation, call.outcome.status, call.decision.chosen.model) == ("", 200, "own")
    assert [record.levelno for record in caplog.records] == [logging.ERROR]
    assert CANARY not in caplog.text
    assert not any(house.router.health.in_flight().values())


def test_a_bug_leaves_no_money_reserved(monkeypatch, caplog):
    house = House()
    monkeypatch.setattr(Situation, "document", bug)
    house.ask(body(), answer(), caller=Caller(session="one", key_id="k"))
    spent = house.router._spending.today("k", house.clock.utcnow())
    assert house.last.outcome.cost is not None
    assert spent == house.last.outcome.cost.total_pusd


def test_a_bug_in_telling_of_queues_is_a_bug_in_routing_and_the_client_is_served(monkeypatch, caplog):
    house = House()
    monkeypatch.setattr(type(house.router._queues), "states", bug)
    client = Client()
    client = house.ask(body(), answer())
    assert (client.status, client.headers["x-lanewise-reason"]) == (200, "routing_error")
    told(caplog, house)
