"""Asking somebody else for a skill: when it happens, what becomes of the answer, and who pays."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
import pytest
from opinion_kit import WORDS, answer, body, house_of
from router_kit import Client, world_of

from lanewise.errors import NoCandidate
from lanewise.journey import Caller, Opinion, SkillLabel

ASKED_PUSD = 1_000_000_000  # a tenth of a cent
PUSD = 1_000_000  # a dollar per million tokens is 10^6 pico-dollars per token


def sure(skill: Any = "documentation", confidence: float = 1.0, **changes: Any) -> Opinion:
    label = SkillLabel(skill=skill, confidence=confidence, source="hosted")
    return Opinion(**{"source": "hosted", "label": label, "cost_pusd": ASKED_PUSD, **changes})


FAILED = Opinion(source="hosted", fault="timeout")
USELESS = Opinion(source="hosted", fault="no_skill", cost_pusd=ASKED_PUSD)
UNSURE = sure(confidence=0.5)


class Friend:
    """Answers every question alike and keeps the words; `hangs` never answers."""

    def __init__(self, opinion: Opinion | None = None, *, hangs: bool = False) -> None:
        self.opinion = opinion
        self.hangs = hangs
        self.heard: list[str] = []

    async def label(self, words: str) -> Opinion:
        self.heard.append(words)
        if self.hangs:
            await asyncio.Event().wait()
        if self.opinion is None:
            raise ZeroDivisionError(words)
        return self.opinion


# -- who is asked ------------------------------------------------------------------------------------------


def test_nobody_is_asked_unless_somebody_is_configured():
    house = house_of()
    house.ask(body(), answer())
    assert house.last.reading.label.abstained
    assert house.last.reading.label.asked_pusd == 0
    assert [sending.url for sending in house.upstream.sent] == ["http://127.0.0.1:9/v1/messages"]
    assert house.books.questions == []


def test_nobody_is_asked_where_the_student_is_sure():
    friend = Friend(sure())
    house = house_of(friend, sure_from=0.0)
    house.ask(body("Fix the parser"), answer())
    assert (house.last.reading.label.source, friend.heard) == ("student", [])


@pytest.mark.parametrize(
    ("call", "reason"),
    [
        ({"caller": Caller(pin="small")}, "caller_pin"),
        ({"operation": "count_tokens", "target": "/v1/messages/count_tokens"}, "not_routed"),
    ],
)
def test_nobody_is_asked_about_a_call_that_is_not_routed(call, reason):
    friend = Friend(sure())
    house = house_of(friend)
    house.ask(body(), answer(), **call)
    assert (house.last.decision.reason, friend.heard) == (reason, [])


def test_nobody_is_asked_about_a_call_that_nobody_can_serve():
    friend = Friend(sure())
    house = house_of(friend)
    with pytest.raises(NoCandidate):
        house.ask(body(model="auto"))
    assert friend.heard == []


def test_nobody_is_asked_where_the_user_said_nothing_of_their_own():
    friend = Friend(sure())
    house_of(friend).ask(body("<system-reminder>Be brief.</system-reminder>"), answer())
    assert friend.heard == []


def test_the_user_s_words_are_all_that_is_told():
    friend = Friend(sure())
    house_of(friend).ask(body(f"<system-reminder>Be brief.</system-reminder>{WORDS}"), answer())
    assert friend.heard == [WORDS]


# -- what becomes of the answer ----------------------------------------------------------------------------


def test_a_better_label_decides_and_the_task_inherits_it_without_paying_again():
    friend = Friend(sure("documentation"))
    house = house_of(friend)
    client = house.ask(body(), answer())
    assert (client.headers["x-lanewise-skill"], client.headers["x-lanewise-model"]) == ("documentation", "own")
    assert house.last.reading.label == SkillLabel(
        skill="documentation", confidence=1.0, source="hosted", asked_pusd=ASKED_PUSD
    )
    house.ask(body(loop=True), answer())
    assert house.last.reading.label == SkillLabel(skill="documentation", confidence=1.0, source="inherited")
    assert house.last.decision.reason == "task_pin"
    assert friend.heard == [WORDS]
    assert house.books.questions == [("hosted", "labelled")]


def test_the_next_task_is_asked_about_anew():
    friend = Friend(sure())
    house = house_of(friend)
    house.ask(body(), answer())
    house.ask(body("Another thing"), answer())
    assert friend.heard == [WORDS, "Another thing"]


@pytest.mark.parametrize(
    ("opinion", "outcome"), [(FAILED, "timeout"), (USELESS, "no_skill"), (UNSURE, "unsure")], ids=str
)
def test_without_a_sure_answer_the_student_s_label_stands_and_asking_is_paid(opinion, outcome, caplog):
    alone, house = house_of(), house_of(Friend(opinion))
    alone.ask(body(), answer())
    house.ask(body(), answer())
    label = house.last.reading.label
    assert label.asked_pusd == opinion.cost_pusd
    assert msgspec.structs.replace(label, asked_pusd=0) == alone.last.reading.label
    assert house.last.decision == alone.last.decision
    assert house.books.questions == [("hosted", outcome)]
    told = [f"no second opinion by hosted: {outcome}"] if opinion.fault else []
    assert [record.getMessage() for record in caplog.records] == told
    house.ask(body(loop=True), answer())
    assert house.last.reading.label.asked_pusd == 0


def test_the_second_is_asked_only_where_the_first_is_not_sure_and_both_are_paid():
    first, second = Friend(sure(source="encoder", confidence=0.5)), Friend(sure("refactoring"))
    house = house_of(first, second)
    house.ask(body(), answer())
    label = house.last.reading.label
    assert (label.skill, label.asked_pusd) == ("refactoring", 2 * ASKED_PUSD)
    assert house.books.questions == [("encoder", "unsure"), ("hosted", "labelled")]
    first.opinion = sure()
    house.ask(body("Another thing"), answer())
    assert second.heard == [WORDS]


def test_a_bug_in_an_opinion_costs_the_opinion_and_quotes_nobody(caplog):
    house = house_of(Friend())
    client = house.ask(body(), answer())
    assert client.status == 200
    assert house.last.decision.reason != "routing_error"
    assert house.books.routing_failures == 0
    assert "a second opinion failed with ZeroDivisionError" in caplog.text
    assert WORDS not in caplog.text


def test_a_client_that_leaves_while_somebody_is_asked_is_in_the_ledger():
    friend = Friend(hangs=True)
    house = house_of(friend)

    async def main() -> None:
        call = asyncio.create_task(house.serve(body(), Client()))
        while not friend.heard:
            await asyncio.sleep(0)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call

    asyncio.run(main())
    assert (house.last.outcome.status, house.last.outcome.error) == (499, "client_left")
    assert house.upstream.sent == []


def test_a_reload_while_somebody_is_asked_leaves_the_call_to_its_own_world():
    friend = Friend(sure())
    house = house_of(friend)
    old = house.router.world

    class Reloading:
        async def label(self, words: str) -> Opinion:
            house.router.use(world_of(models={}, providers={}))
            return sure()

    old.opinions = (Reloading(),)
    client = house.ask(body(), answer())
    assert (client.status, client.headers["x-lanewise-model"]) == (200, "own")


# -- who pays ----------------------------------------------------------------------------------------------


def test_asking_is_in_the_cost_and_lessens_the_saving():
    house = house_of(Friend(sure()))
    client = house.ask(body(), answer())
    cost = house.last.outcome.cost
    assert cost is not None
    assert (cost.classify_pusd, cost.total_pusd) == (ASKED_PUSD, ASKED_PUSD + 15 * PUSD // 10)
    assert house.last.outcome.baseline_cost.total_pusd == (10 * 10 + 5 * 50) * PUSD
    assert house.last.outcome.baseline_cost.classify_pusd == 0
    assert client.headers["x-lanewise-cost-usd"] == "0.0010015"
    assert client.headers["x-lanewise-saved-usd"] == "-0.0006515"


def test_what_was_not_routed_would_have_been_asked_about_too():
    house = house_of(Friend(sure()), mode="observe")
    house.ask(body(), answer())
    outcome = house.last.outcome
    assert outcome.cost.total_pusd == ASKED_PUSD + (10 * 10 + 5 * 50) * PUSD
    assert outcome.preferred_cost_pusd == ASKED_PUSD + 15 * PUSD // 10


def test_a_call_without_a_known_price_has_an_unknown_cost_whatever_was_asked():
    models = {name: msgspec.structs.replace(row, price=None) for name, row in world_of().settings.models.items()}
    house = house_of(Friend(sure()), models=models)
    house.ask(body(), answer())
    assert house.last.reading.label.asked_pusd == ASKED_PUSD
    assert house.last.outcome.cost is None


def test_where_nobody_answers_the_question_is_all_that_is_paid():
    house = house_of(Friend(sure()))
    house.upstream.down = 9
    house.ask(body())
    cost = house.last.outcome.cost
    assert cost is not None
    assert (cost.total_pusd, cost.classify_pusd, cost.snapshot) == (ASKED_PUSD, ASKED_PUSD, "config")
