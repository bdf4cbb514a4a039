"""What a conversation leaves in which cache, along the path that routing takes, and what its switches cost."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from select_kit import DAY_S, NOW, candidate_of, later

from lanewise.journey import (
    Caller,
    CallRecord,
    Candidate,
    Cost,
    Decision,
    Features,
    Identity,
    LaneRuling,
    Outcome,
    Reading,
    SkillLabel,
    Turn,
    Usage,
)
from lanewise.select import Conversation, SwitchLedger, path_of

BIG, SMALL, OTHER = candidate_of("big"), candidate_of("small", tier="cheap"), candidate_of("other", "elsewhere")


def call_of(
    chosen: Candidate = BIG,
    *,
    preferred: Candidate | None = None,
    served: Candidate | None = BIG,
    tokens: int = 5000,
    usage: Usage | None = None,
    baseline_pusd: int | None = 1000,
    seconds: float = 0.0,
    new_task: bool = False,
    marked: bool = True,
    hour: bool = False,
    **switch: Any,
) -> CallRecord:
    features = Features(
        input_tokens=tokens,
        body_bytes=4 * tokens,
        message_count=1,
        tools_offered=3,
        code_share=0.0,
        files_named=0,
        has_images=False,
        tool_errors=0,
        complexity=0.1,
        waiting=True,
        marks_cache=marked,
        marks_hour=hour,
    )
    return CallRecord(
        call_id="c",
        started_at=later(seconds),
        dialect="messages",
        operation="generate",
        stream=True,
        requested_model="big",
        caller=Caller(),
        reading=Reading(
            turn=Turn(kind="main"),
            label=SkillLabel(skill="debugging", confidence=0.9),
            features=features,
            identity=Identity(session_id="s", task_id="t", new_task=new_task),
        ),
        decision=Decision(
            mode="active",
            baseline=BIG,
            chosen=chosen,
            preferred=preferred or chosen,
            plan=(chosen,),
            ruling=LaneRuling(allowed=("realtime",)),
            reason="cheapest_allowed",
            **switch,
        ),
        attempts=(),
        outcome=Outcome(
            status=200,
            served=served,
            usage=usage,
            baseline_cost=None if baseline_pusd is None else Cost(total_pusd=baseline_pusd),
        ),
    )


def warm(conversation: Conversation, candidate: Candidate, *, seconds: float = 0.0, tokens: int = 10**6) -> int:
    now_s = NOW.timestamp() + seconds
    return conversation.caches.tokens(candidate.provider, candidate.model, prompt_tokens=tokens, now_s=now_s)


# -- whose path -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("chosen", "preferred", "served", "path"),
    [
        (BIG, BIG, BIG, BIG),
        (BIG, SMALL, BIG, SMALL),  # observe, or the share of a split that is not routed
        (SMALL, SMALL, SMALL, SMALL),
        (SMALL, SMALL, BIG, BIG),  # another one stood in
        (BIG, SMALL, OTHER, OTHER),
        (BIG, SMALL, None, None),
    ],
)
def test_the_path_is_the_preferred_ones_unless_another_stood_in(chosen, preferred, served, path):
    call = call_of(chosen, preferred=preferred, served=served)
    assert path_of(call) == path
    assert Conversation().after(call, "openai").server == path


def test_where_nobody_answered_who_served_before_still_counts():
    before = Conversation(server=SMALL)
    assert before.after(call_of(served=None), "openai").server == SMALL


# -- caches -----------------------------------------------------------------------------------------------


def test_the_prompt_lies_in_the_cache_of_who_served_on_the_path_of_routing():
    after = Conversation().after(call_of(BIG, preferred=SMALL), "openai")
    assert (warm(after, SMALL), warm(after, BIG)) == (5000, 0)


def test_the_prompt_is_as_long_as_it_was_billed_and_as_estimated_where_nobody_says():
    usage = Usage(input_tokens=1000, cache_read_tokens=3000, cache_write_5m_tokens=400, output_tokens=99)
    billed = Conversation().after(call_of(usage=usage), "openai")
    assert (billed.prompt_tokens, warm(billed, BIG)) == (4400, 4400)
    assert Conversation().after(call_of(), "openai").prompt_tokens == 5000


@pytest.mark.parametrize(
    ("vendor", "changes", "seconds", "tokens"),
    [
        ("openai", {}, 300, 5000),
        ("openai", {}, 301, 0),
        ("anthropic", {}, 300, 5000),
        ("anthropic", {"marked": False}, 0, 0),
        ("anthropic", {"hour": True}, 3600, 5000),
        ("anthropic", {"hour": True}, 3601, 0),
        ("openai", {"hour": True}, 301, 0),
        ("openai", {"tokens": 1023}, 0, 0),
        ("", {}, 300, 5000),
    ],
)
def test_how_long_it_lies_there_is_the_vendors_rule(vendor: str, changes: dict[str, Any], seconds: float, tokens: int):
    assert warm(Conversation().after(call_of(**changes), vendor), BIG, seconds=seconds) == tokens


def test_a_switch_leaves_the_old_cache_where_it_is():
    after = Conversation().after(call_of(BIG), "openai").after(call_of(SMALL, served=SMALL, tokens=7000), "openai")
    assert (warm(after, BIG), warm(after, SMALL)) == (5000, 7000)
    assert after.server == SMALL


def test_a_compaction_empties_the_caches_and_keeps_the_bill():
    before = Conversation().after(call_of(BIG, new_task=True), "openai").after(call_of(BIG), "openai")
    after = before.rewritten()
    assert (warm(after, BIG), after.prompt_tokens) == (0, 0)
    assert (after.compacted, after.server, after.task_calls) == (True, BIG, 2)
    assert after.ledger == before.ledger != SwitchLedger()


def test_the_call_after_a_compaction_ends_it():
    after = Conversation().after(call_of(BIG), "openai").rewritten().after(call_of(BIG, tokens=3000), "openai")
    assert (after.compacted, warm(after, BIG)) == (False, 3000)


def test_calls_are_counted_by_task():
    conversation, counts = Conversation(), []
    for new in (True, False, False, True, False):
        conversation = conversation.after(call_of(new_task=new), "openai")
        counts.append(conversation.task_calls)
    assert counts == [1, 2, 3, 1, 2]


# -- what switches cost -----------------------------------------------------------------------------------


def test_the_never_switch_bill_is_the_baselines():
    after = Conversation().after(call_of(baseline_pusd=1000), "openai").after(call_of(baseline_pusd=250), "openai")
    assert after.ledger == SwitchLedger(never_switch_pusd=1250)


def test_a_call_whose_baseline_has_no_price_adds_nothing_to_it():
    assert Conversation().after(call_of(baseline_pusd=None), "openai").ledger == SwitchLedger()


@pytest.mark.parametrize(("forced", "field"), [(False, "overhead_pusd"), (True, "forced_pusd")])
def test_chosen_and_forced_switches_are_booked_apart(forced: bool, field: str):
    call = call_of(SMALL, served=SMALL, switch_pusd=70, switch_forced=forced)
    after = Conversation().after(call, "openai").after(call, "openai")
    assert after.ledger == msgspec.structs.replace(SwitchLedger(never_switch_pusd=2000), **{field: 140})


def test_a_switch_that_routing_would_have_made_is_booked_on_its_path():
    observed = call_of(BIG, preferred=SMALL, served=BIG, switch_pusd=70)
    assert Conversation().after(observed, "openai").ledger.overhead_pusd == 70


@pytest.mark.parametrize("served", [OTHER, None])
def test_a_switch_that_did_not_come_about_costs_nothing(served: Candidate | None):
    call = call_of(SMALL, served=served, switch_pusd=70)
    assert Conversation().after(call, "openai").ledger.overhead_pusd == 0


def test_a_conversation_survives_the_ledger():
    after = Conversation().after(call_of(SMALL, served=SMALL, switch_pusd=7, seconds=DAY_S), "anthropic").rewritten()
    assert msgspec.json.decode(msgspec.json.encode(after), type=Conversation) == after
