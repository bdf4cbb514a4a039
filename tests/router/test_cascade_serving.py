"""The verified cascade as calls see it: a bad answer of a cheap model is not delivered, and nothing is ever lost by it."""

from __future__ import annotations

import asyncio
import json
import logging
from typing import Any

import pytest
from router_kit import MODELS, Client, House, Said, candidate, usd, world_of

from lanewise.config import ModelSettings
from lanewise.errors import StreamCut
from lanewise.journey import CallRecord
from lanewise.router import cascade
from lanewise.upstream.relay import HELD_BYTES

PUSD = 1_000_000  # a dollar per million tokens is 10^6 pico-dollars per token
CHEAP_PUSD = 15 * PUSD // 10  # 10 + 5 tokens at a tenth of a dollar per million
FRONTIER_PUSD = (10 * 10 + 5 * 50) * PUSD
CANARY = "canary-of-the-user"
EDIT = {"name": "Edit", "input_schema": {"type": "object", "properties": {"path": {"type": "string"}}, "required": ["path"]}}  # fmt: skip


def body(*, stream: bool = False, max_tokens: int = 100, **more: Any) -> bytes:
    turns = [{"role": "user", "content": f"Write the documentation of this function. {CANARY}"}]
    return json.dumps({"model": "big", "max_tokens": max_tokens, "messages": turns, "stream": stream, **more}).encode()


def message(
    *blocks: dict[str, Any], text: str = "", stop: str = "end_turn", output_tokens: int = 5, model: str = "m"
) -> bytes:
    content = [*blocks, *([{"type": "text", "text": text}] if text else [])]
    usage = {"input_tokens": 10, "output_tokens": output_tokens}
    fields = {"id": "msg", "type": "message", "role": "assistant", "model": model, "stop_reason": stop}
    return json.dumps({**fields, "content": content, "usage": usage}).encode()


GOOD = message(text="It adds two numbers.", model="frontier")
CUT = message(text="It adds", stop="max_tokens")
BAD = {
    "not_truncated": CUT,
    "not_refusal": message(text="I'm sorry, but I can't help with that."),
    "not_empty": message(),
    "tool_arguments": message({"type": "tool_use", "id": "t", "name": "Edit", "input": {"path": 3}}, stop="tool_use"),
    "parses": message(text="```python\ndef f(:\n```"),
}


class Torn(Said):
    """An answer whose connection breaks after its first bytes."""

    async def chunk(self) -> bytes | None:
        if self._chunks[0] is None:
            raise StreamCut("the connection broke")
        return await super().chunk()


def house_of(**changes: Any) -> House:
    return House(world_of(**{"verify": True, **changes}))


def ask(house: House, sent: bytes, *said: Said, **wire: Any) -> Client:
    """One call; every answer that was given out is closed once, and all that were prepared were asked for."""
    house.upstream.answers += said
    client = house.ask(sent, **wire)
    assert house.upstream.answers == []
    assert all(each.closed for each in said)
    return client


def trail(call: CallRecord) -> list[tuple[str, str, int | None]]:
    """(model, refused by, what a discarded answer cost) of each attempt."""
    return [(a.candidate.model, a.refused_by, a.cost_pusd) for a in call.attempts]


# -- a refused answer ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("check", BAD)
def test_an_answer_that_a_check_refuses_is_not_seen_and_the_frontier_answers(check: str):
    house = house_of()
    client = ask(house, body(tools=[EDIT]), Said(BAD[check]), Said(GOOD))
    assert (client.status, client.body) == (200, GOOD)
    assert trail(house.last) == [("own", check, CHEAP_PUSD), ("big", "", None)]
    assert house.last.outcome.served == candidate("big", "cloud")
    assert client.headers["x-lanewise-model"] == "big"
    assert client.headers["x-lanewise-attempts"] == "2"


def test_both_answers_are_in_the_bill_and_the_saving_is_negative():
    house = house_of()
    client = ask(house, body(), Said(CUT), Said(GOOD))
    outcome = house.last.outcome
    assert outcome.cost is not None
    assert outcome.baseline_cost is not None
    assert (outcome.cost.total_pusd, outcome.cost.discarded_pusd) == (FRONTIER_PUSD + CHEAP_PUSD, CHEAP_PUSD)
    assert outcome.baseline_cost.total_pusd == FRONTIER_PUSD
    assert client.headers["x-lanewise-cost-usd"] == "0.0003515"  # 0.00035 and 0.0000015
    assert client.headers["x-lanewise-saved-usd"] == "-0.0000015"


def test_the_head_of_the_refused_answer_is_not_the_clients_either():
    house = house_of()
    refused = Said(CUT)
    refused.headers.append(("request-id", "of-the-cheap-one"))
    client = ask(house, body(), refused, Said(GOOD))
    assert "request-id" not in client.headers
    assert client.headers["content-length"] == str(len(GOOD))


def test_an_answer_that_passes_is_delivered_as_it_came_and_the_frontier_is_not_asked():
    house = house_of()
    answer = message(text="It adds two numbers.")
    client = ask(house, body(), Said(answer))
    assert client.body == answer
    assert trail(house.last) == [("own", "", None)]


def test_the_frontiers_own_answer_is_not_checked():
    house = house_of()
    client = ask(house, body(), Said(CUT), Said(CUT))
    assert (client.status, client.body) == (200, CUT)
    assert trail(house.last) == [("own", "not_truncated", CHEAP_PUSD), ("big", "", None)]


def test_the_loop_goes_on_with_the_one_whose_answer_the_client_got():
    house = house_of()
    ask(house, body(tools=[EDIT]), Said(BAD["tool_arguments"]), Said(GOOD))
    call = {"type": "tool_use", "id": "t1", "name": "Edit", "input": {"path": "a"}}
    turns = [
        {"role": "user", "content": f"Write the documentation of this function. {CANARY}"},
        {"role": "assistant", "content": [call]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t1", "content": "ok"}]},
    ]
    ask(house, body(tools=[EDIT], messages=turns), Said(GOOD))
    assert (house.last.decision.reason, house.last.decision.chosen.model) == ("task_pin", "big")


# -- the frontier fails: a refused answer is better than none -----------------------------------------------


@pytest.mark.parametrize("how", ["no connection", "status 500", "cut"])
def test_where_the_frontier_fails_the_held_answer_is_delivered_after_all(how: str):
    house = house_of(models={**MODELS, "big": ModelSettings(provider="cloud", price=usd(10, 50))})
    prepared = {"no connection": [], "status 500": [Said(b"{}", status=500)], "cut": [Torn(GOOD[:40])]}[how]
    first, send = Said(CUT), house.upstream.send

    async def failing(sending: Any) -> Said:
        house.upstream.down = how == "no connection" and len(house.upstream.sent) == 1
        return await send(sending)

    house.upstream.send = failing  # type: ignore[method-assign]
    client = ask(house, body(), first, *prepared)
    assert (client.status, client.body, client.headers["x-lanewise-model"]) == (200, CUT, "own")
    assert trail(house.last) == [("own", "not_truncated", None), ("big", "", None)]
    told = {"no connection": "connect_failed", "status 500": "", "cut": "stream_cut"}
    assert house.last.attempts[-1].error == told[how]
    outcome = house.last.outcome
    assert (outcome.served, outcome.status, outcome.error) == (candidate("own", "gpu"), 200, "")
    assert outcome.cost is not None
    assert (outcome.cost.total_pusd, outcome.cost.discarded_pusd) == (CHEAP_PUSD, 0)
    assert outcome.stop_reason == "max_tokens"


def test_the_second_endpoint_of_the_frontier_is_tried_before_the_held_answer_is_given():
    house = house_of()
    client = ask(house, body(), Said(CUT), Said(b"{}", status=500), Said(GOOD))
    assert client.body == GOOD
    assert [(a.candidate.provider, a.status) for a in house.last.attempts] == [
        ("gpu", 200),
        ("cloud", 500),
        ("spare", 200),
    ]


def test_a_frontier_whose_giant_answer_breaks_after_its_head_was_sent_cannot_be_replaced_any_more():
    house = house_of()
    house.upstream.answers += [Said(CUT), Torn(b"x" * (HELD_BYTES + 1))]
    client = Client()
    asyncio.run(house.serve(body(), client))
    assert (client.status, client.ended, len(client.body)) == (200, False, HELD_BYTES + 1)
    assert (house.last.outcome.error, house.last.outcome.served) == ("stream_cut", candidate("big", "cloud"))


# -- what is not held, and what is not refused ---------------------------------------------------------------


@pytest.mark.parametrize(("output_tokens", "asked"), [(100, 1), (98, 1), (97, 2), (20, 2)])
def test_a_cut_at_the_clients_own_limit_is_passed_on(output_tokens: int, asked: int):
    house = house_of()
    cut = message(text="It adds", stop="max_tokens", output_tokens=output_tokens)
    client = ask(house, body(max_tokens=100), Said(cut), *([Said(GOOD)] if asked == 2 else []))
    assert client.body == (cut if asked == 1 else GOOD)
    assert len(house.last.attempts) == asked


def test_a_stream_is_never_held():
    house = house_of()
    events = b'event: message_start\ndata: {"type":"message_start"}\n\nevent: message_stop\ndata: {"type":"message_stop"}\n\n'
    client = ask(house, body(stream=True), Said(events, kind="text/event-stream"))
    assert client.body == events
    assert trail(house.last) == [("own", "", None)]


def test_a_client_that_asked_for_a_stream_and_got_a_whole_answer_keeps_it():
    house = house_of()
    client = ask(house, body(stream=True), Said(CUT))
    assert client.body == CUT


def test_the_harness_own_calls_are_never_held():
    house = house_of()
    title = body(system="Generate a short title for this conversation.")
    client = ask(house, title, Said(CUT))
    assert house.last.reading.turn.kind == "housekeeping"
    assert client.body == CUT


def test_an_error_of_the_cheap_one_is_passed_on_and_not_checked():
    house = house_of()
    client = ask(house, body(), Said(b'{"type":"error"}', status=400))
    assert (client.status, client.body) == (400, b'{"type":"error"}')


@pytest.mark.parametrize("changes", [{"verify": False}, {"mode": "observe"}])
def test_nothing_is_held_where_the_configuration_says_so_or_the_baseline_serves(changes: dict[str, Any]):
    house = house_of(**changes)
    client = ask(house, body(), Said(CUT))
    assert client.body == CUT


def test_where_the_caller_insists_on_the_cheap_lane_there_is_nobody_to_step_up_to():
    house = house_of(baseline="big")
    client = ask(house, body(model="lane:local"), Said(CUT))
    assert client.body == CUT
    assert trail(house.last) == [("own", "", None)]


def test_a_giant_answer_is_passed_on_as_it_comes():
    house = house_of()
    giant = message(text="x" * HELD_BYTES, stop="max_tokens")
    client = ask(house, body(), Said(giant))
    assert client.body == giant
    assert trail(house.last) == [("own", "", None)]


def test_what_cannot_be_read_as_an_answer_is_passed_on():
    house = house_of()
    assert ask(house, body(), Said(b"not json")).body == b"not json"


# -- leaving, and bugs of ours -------------------------------------------------------------------------------


def leave_when(house: House, ready: Any) -> None:
    """Serve one call, and cancel it as soon as `ready` holds."""

    async def run() -> None:
        serving = asyncio.create_task(house.serve(body(), Client()))
        while not ready():
            await asyncio.sleep(0)
        serving.cancel()
        with pytest.raises(asyncio.CancelledError):
            await serving

    asyncio.run(run())


def test_a_client_that_leaves_while_the_frontier_is_asked_owes_the_answer_that_was_refused():
    house = house_of()
    first, send = Said(CUT), house.upstream.send
    house.upstream.answers.append(first)

    async def slow(sending: Any) -> Said:
        house.upstream.hangs = bool(house.upstream.sent)
        return await send(sending)

    house.upstream.send = slow  # type: ignore[method-assign]
    leave_when(house, lambda: len(house.upstream.sent) == 2)
    assert first.closed
    assert not any(house.router.health.in_flight().values())
    outcome = house.last.outcome
    assert (outcome.status, outcome.error, outcome.served) == (499, "client_left", None)
    assert [(a.refused_by, a.error) for a in house.last.attempts] == [("not_truncated", ""), ("", "client_left")]
    assert outcome.cost is not None
    assert (outcome.cost.total_pusd, outcome.cost.discarded_pusd) == (CHEAP_PUSD, CHEAP_PUSD)


def test_a_client_that_leaves_while_the_frontiers_body_arrives_closes_both_and_is_in_the_books():
    house = house_of()
    first, second = Said(CUT), Said(GOOD)
    arriving = False

    async def never() -> bytes | None:
        nonlocal arriving
        arriving = True
        await asyncio.Event().wait()
        return None

    second.chunk = never  # type: ignore[method-assign]
    house.upstream.answers += [first, second]
    leave_when(house, lambda: arriving)
    assert first.closed
    assert second.closed
    assert not any(house.router.health.in_flight().values())
    assert (house.last.outcome.status, house.last.outcome.served) == (499, candidate("big", "cloud"))
    assert trail(house.last) == [("own", "not_truncated", CHEAP_PUSD), ("big", "", None)]


class Bug(Exception):
    """Its message quotes the prompt, as a stranger's may."""


@pytest.mark.parametrize("what", ["checked", "asked_of", "answer_of"])
def test_a_bug_in_a_check_never_costs_the_answer(what: str, monkeypatch, caplog):
    def bug(*_: object) -> Any:
        raise Bug(CANARY)

    monkeypatch.setattr(cascade, what, bug)
    house = house_of()
    client = ask(house, body(), Said(CUT))
    assert (client.status, client.body) == (200, CUT)
    assert trail(house.last) == [("own", "", None)]
    assert [record.levelno for record in caplog.records] == [logging.ERROR]
    assert "Bug" in caplog.text
    assert CANARY not in caplog.text


def test_no_record_of_a_refused_answer_holds_a_word_of_it():
    house = house_of()
    ask(house, body(), Said(BAD["not_refusal"]), Said(GOOD))
    kept = repr(house.books.calls)
    assert CANARY not in kept
    assert "sorry" not in kept
