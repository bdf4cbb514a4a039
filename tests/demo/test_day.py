"""The day is the same for the same seed, large enough, and made of the turns that real agents make."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections import Counter

import msgspec
import pytest

from lanewise.classify import Classifier
from lanewise.demo.agents import Exchange, Reply
from lanewise.demo.day import day
from lanewise.demo.drive import Driver
from lanewise.demo.minds import Minds
from lanewise.demo.providers import PROFILES, Provider
from lanewise.demo.script import HEADER, PLANS, Label, moves
from lanewise.demo.sessions import Player, Session
from lanewise.demo.truth import Task
from lanewise.journey import Caller
from lanewise.wire.peek import peek

MODEL = "claude-opus-5-5"
MIB = 1 << 20


def played(seed: int) -> tuple[list[Exchange], Minds, tuple[str, ...]]:
    """Every exchange of the day of `seed`, all answered by the simulated cloud's strongest model."""

    async def play() -> tuple[list[Exchange], Minds, tuple[str, ...]]:
        day_ = day(seed)
        minds = Minds(day_)
        cloud = Provider(next(p for p in PROFILES if p.name == "cloud"), minds)
        url = await cloud.start()
        sent: list[Exchange] = []
        player = Player(seed, MODEL, "2026-11-23")

        def watched(session: Session):
            script = player.play(session)
            reply = None
            try:
                while True:
                    wanted = next(script) if reply is None else script.send(reply)
                    sent.append(wanted)
                    reply = yield wanted
            except StopIteration:
                return

        driven = await Driver(url).drive(map(watched, day_.sessions))
        await cloud.close()
        return sent, minds, tuple(failure.what for failure in driven.failures)

    return asyncio.run(play())


@pytest.fixture(scope="module")
def whole_day():
    return played(7)


def test_a_day_has_at_least_300_calls_in_40_sessions_of_at_most_12_mib_and_none_fails(whole_day):
    sent, _, failures = whole_day
    assert failures == ()
    assert len(sent) >= 300
    assert len(day(7).sessions) >= 40
    assert sum(len(exchange.body) for exchange in sent) <= 12 * MIB


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others(whole_day):
    def bodies(sent: list[Exchange]) -> Counter[bytes]:
        # Answer ids number the provider's answers in the order of arrival, which concurrency decides.
        return Counter(msgspec.json.encode((exchange.path, exchange.label, exchange.body[:400])) for exchange in sent)

    again, _, _ = played(7)
    other, _, _ = played(8)
    assert bodies(again) == bodies(whole_day[0])
    assert bodies(other) != bodies(whole_day[0])


def test_every_task_of_the_day_gets_a_verdict(whole_day):
    _, minds, _ = whole_day
    assert minds.verdicts.keys() == day(7).tasks().keys()
    assert {verdict.model for verdict in minds.verdicts.values()} == {MODEL}


def test_every_call_names_the_model_its_agent_is_set_up_with(whole_day):
    sent, _, _ = whole_day
    assert {request_of(exchange).model for exchange in sent} == {MODEL}


def test_all_six_clients_three_dialects_and_all_purposes_occur(whole_day):
    sent, _, _ = whole_day
    assert {exchange.dialect for exchange in sent} == {"messages", "chat", "responses"}
    assert {session.client for session in day(7).sessions} == {
        "claude-code",
        "codex",
        "opencode",
        "qwen-code",
        "aider",
        "pipeline",
    }
    purposes = {"work", "followup", "title", "commit", "compaction", "search"}
    assert {exchange.label.purpose for exchange in sent} == purposes


def test_all_fifteen_skills_are_asked_for():
    assert {task.skill for task in day(7).tasks().values()} == set(PLANS)
    assert len(PLANS) == 15


def test_a_tool_loop_sends_the_earlier_turns_again(whole_day):
    sent, _, _ = whole_day
    for exchange in sent:
        if exchange.label.purpose == "work" and exchange.label.step:
            recent = request_of(exchange).recent
            kinds = {kind for message in recent for kind in message.block_kinds} | {m.role for m in recent}
            assert kinds & {"tool_result", "tool", "function_call_output"}, exchange.label


def test_pipelines_send_no_tools_do_not_stream_and_have_eight_hours(whole_day):
    sent, _, _ = whole_day
    jobs = [exchange for exchange in sent if exchange.label.task.startswith("job-")]
    assert len(jobs) == 15
    for exchange in jobs:
        assert dict(exchange.headers)["x-lanewise-deadline"] == "8h"
        assert not exchange.stream
        assert request_of(exchange).tool_names == ()


def test_sub_agents_name_themselves(whole_day):
    sent, _, _ = whole_day
    agents = {bool(request_of(exchange).agent_id) for exchange in sent if exchange.label.purpose == "search"}
    others = {bool(request_of(exchange).agent_id) for exchange in sent if exchange.label.purpose != "search"}
    assert (agents, others) == ({True}, {False})


def test_encrypted_reasoning_and_signed_thinking_are_played_back(whole_day):
    sent, _, _ = whole_day
    assert any(b'"encrypted_content":"' in exchange.body for exchange in sent)
    assert any(b'"signature":"' in exchange.body for exchange in sent)


def test_the_classifier_sees_the_turns_that_the_day_means(whole_day):
    sent, _, _ = whole_day
    classifier = Classifier.load()
    seen = Counter()
    for exchange in sent:
        turn = classifier.read(request_of(exchange), Caller(), dt.datetime(2026, 11, 23, tzinfo=dt.UTC)).turn
        if exchange.label.purpose != "followup":  # short words are read as well as they can be
            seen[(exchange.label.purpose, exchange.label.step > 0, turn.kind, turn.housekeeping)] += 1
    assert seen.keys() == {
        ("work", False, "main", None),
        ("work", True, "continuation", None),
        ("search", False, "subagent", None),
        ("search", True, "continuation", None),
        ("title", False, "housekeeping", "title"),
        ("commit", False, "housekeeping", "commit_message"),
        ("compaction", False, "housekeeping", "compaction"),
    }


def test_a_session_goes_on_from_what_the_model_said():
    task = Task(key="x-0", skill="debugging", difficulty=0.1, ask="Why does it fail?")
    session = Session(key="s", client="codex", tasks=(task,), followups=("go on",))
    script = Player(1, MODEL, "2026-11-23").play(session)
    first = next(script)
    second = script.send(Reply(text="The answer of the model."))
    assert b"The answer of the model." not in first.body
    assert b"The answer of the model." in second.body
    assert second.label == Label(task="x-0", purpose="followup")
    with pytest.raises(StopIteration):
        script.send(Reply(text="Done."))


@pytest.mark.parametrize(
    ("purpose", "failures", "expected"),
    [
        ("work", 0, ("look", "read", "read", "edit", "check", "done")),
        ("work", 1, ("look", "read", "read", "edit", "check", "edit", "check", "done")),
        ("work", 9, ("look", "read", "read", "edit", "check", "edit", "check", "edit", "check", "done")),
        ("followup", 0, ("edit", "check", "done")),
        ("search", 0, ("look", "read", "done")),
        ("title", 0, ("done",)),
    ],
)
def test_a_failed_check_adds_a_repair_at_most_twice(purpose, failures, expected):
    assert moves("debugging", purpose, failures, delegates=False) == expected


def test_a_sub_agent_takes_the_first_search():
    assert moves("debugging", "work", 0, delegates=True)[0] == "delegate"


def test_a_label_survives_its_header_and_a_strangers_header_is_none():
    label = Label(task="debugging-3", purpose="followup", step=4, failures=1, search=True)
    assert Label.parse(label.header()) == label
    assert Label.parse("") is None
    assert Label.parse("a b c d e") is None
    assert Label.parse("debugging-3 lunch 0 0 0") is None
    assert HEADER == "x-demo-call"


def request_of(exchange: Exchange):
    return peek(
        dialect=exchange.dialect,
        operation="generate",
        method="POST",
        target=exchange.path,
        headers=exchange.headers,
        body=exchange.body,
        max_body_bytes=MIB,
    )
