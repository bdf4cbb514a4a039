"""Any decision can be made again from what the ledger keeps: the same one, on any machine, without a word of a prompt."""

from __future__ import annotations

import datetime as dt
import json
from decimal import Decimal
from typing import Any, get_args

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from router_kit import (
    ENV,
    MODELS,
    NOW,
    PROVIDERS,
    House,
    Said,
    candidate,
    conditions_of,
    provider,
    reading_of,
    request_of,
    situation_of,
    usd,
    world_of,
)

from lanewise.config import KeySettings, ModelSettings, RuleSettings, SkillSettings
from lanewise.errors import LanewiseError, StoreError
from lanewise.journey import Caller, Decision, Dialect, Lane, Operation, Skill, TurnKind
from lanewise.route import QueueState
from lanewise.router import Policy, Rulebook, Situation, World, decide
from lanewise.select import Caches, Conversation, Evidence, Pin, SwitchLedger
from lanewise.select.warmth import Warmth

CANARY = "canary-of-the-user"
SECRET = "sk-ant-canary-of-the-key"
HASH = f"sha256:{'c0ffee' * 10}0000"

MANY = {
    **MODELS,
    "night-owl": ModelSettings(provider="night", tier="cheap", price=usd(0.5, 2)),
    "unpriced": ModelSettings(provider="strangers", tier="cheap"),
    "gpt-5": ModelSettings(provider="openai"),
}
ROWS = {
    **PROVIDERS,
    "openai": provider("chat", "responses", base_url="https://api.openai.com", api_key_env="CLOUD_KEY", region="us"),
}
WORLDS: tuple[World, ...] = (
    world_of(),
    world_of(mode="observe", explore=0.5),
    world_of(mode="split", split=0.5, explore=0.5, baseline="big", models=MANY, providers=ROWS),
    world_of(
        baseline="small",
        models=MANY,
        providers=ROWS,
        explore=0.02,
        aliases={"best": "big"},
        skills={"debugging": SkillSettings(tier="frontier", deadline="8h"), "documentation": SkillSettings(lanes=("batch", "local"), mode="split")},
        keys={
            "ci": KeySettings(hash=HASH, lanes=("local", "realtime"), budget_usd_per_day=Decimal("0.5"), models=("small", "own", "big")),
            "eu": KeySettings(hash=HASH, regions=("us",), mode="active", tier="cheap"),
        },
        rules=(
            RuleSettings(name="night", when="hour < 6 and 'nightly' in tags", model="best"),
            RuleSettings(when="complexity > 0.6 and waiting", tier="frontier", deadline="30s"),
            RuleSettings(when="local_in_flight > 3", lanes=("realtime",), mode="active"),
        ),
    ),
)  # fmt: skip

_SECONDS = st.floats(0, 1e7, allow_nan=False)
_TOKENS = st.integers(0, 10**7)
_CANDIDATES = st.sampled_from([candidate("small", "cloud"), candidate("own", "gpu"), candidate("big", "spare")])

_conversations = st.builds(
    Conversation,
    caches=st.builds(
        Caches,
        warm=st.lists(
            st.builds(
                Warmth,
                provider=st.sampled_from(["cloud", "gpu", "spare", "gone"]),
                model=st.sampled_from(["big", "small", "own"]),
                tokens=_TOKENS,
                used_at_s=st.floats(NOW.timestamp() - 4000, NOW.timestamp()),
                ttl_s=st.sampled_from([300.0, 3600.0]),
            ),
            max_size=3,
        ).map(tuple),
    ),
    ledger=st.builds(
        SwitchLedger,
        never_switch_pusd=st.integers(0, 10**15),
        overhead_pusd=st.integers(0, 10**14),
        forced_pusd=st.integers(0, 10**14),
    ),
    server=st.none() | _CANDIDATES,
    prompt_tokens=_TOKENS,
    task_calls=st.integers(0, 99),
    compacted=st.booleans(),
)
_requests = st.builds(
    request_of,
    dialect=st.sampled_from(get_args(Dialect)),
    operation=st.just("generate") | st.sampled_from(get_args(Operation)),
    model=st.sampled_from(["big", "small", "own", "best", "auto", "auto:cheap", "lane:local", "new-model", ""])
    | st.text(max_size=8),
    max_tokens=st.none() | st.integers(-(2**63), 2**63),
    has_images=st.booleans(),
    tool_names=st.sampled_from([(), ("Edit",)]),
    stream=st.booleans(),
    headers=st.sampled_from([(), (("authorization", f"Bearer {SECRET}"),), (("x-api-key", SECRET),)]),
)
_callers = st.builds(
    Caller,
    key_id=st.sampled_from(["", "ci", "eu", "gone"]),
    pin=st.just("") | st.sampled_from(["big", "small", "best"]),
    lane=st.none() | st.sampled_from(get_args(Lane)),
    deadline_s=st.none() | st.floats(0, 1e9),
    tags=st.sampled_from([(), ("nightly",)]),
)
_readings = st.builds(
    reading_of,
    kind=st.sampled_from(get_args(TurnKind)),
    skill=st.sampled_from(get_args(Skill)),
    complexity=st.floats(0, 1),
    tokens=_TOKENS,
    waiting=st.booleans(),
    tools=st.integers(0, 30),
    abstained=st.booleans(),
    tool_errors=st.integers(0, 3),
    session=st.text(max_size=8),
    new_session=st.booleans(),
    new_task=st.booleans(),
)
_conditions = st.builds(
    conditions_of,
    now=st.datetimes(dt.datetime(2026, 1, 1), dt.datetime(2027, 1, 1), timezones=st.just(dt.UTC)),
    queues=st.dictionaries(
        st.sampled_from(["gpu"]),
        st.builds(
            QueueState,
            ages_s=st.lists(_SECONDS, max_size=4).map(tuple),
            slots=st.none() | st.integers(1, 8),
            waiting=st.none() | st.integers(0, 50),
        ),
    ),
    spent_pusd=st.integers(0, 10**13),
    unhealthy=st.sets(st.sampled_from(["cloud", "gpu", "night", "gone"])).map(frozenset),
    pin=st.none() | st.builds(Pin, candidate=_CANDIDATES, escalation=st.sampled_from(["", "moved", "held_out"])),
)


@settings(max_examples=400, deadline=None)
@given(
    world=st.sampled_from(WORLDS),
    request=_requests,
    caller=_callers,
    reading=_readings,
    conditions=_conditions,
    conversation=st.none() | _conversations,
    turns=st.floats(1, 500),
    growth=st.floats(0, 1e5),
    failing=st.floats(0, 1),
    need=st.floats(0, 1),
    seed=st.none() | st.integers(0, 2**32),
)
def test_policy_and_situation_survive_json_and_the_decision_is_the_same(
    world, request, caller, reading, conditions, conversation, turns, growth, failing, need, seed
):
    try:
        situation = situation_of(request, caller=caller, reading=reading, world=world, conditions=conditions)
    except LanewiseError:
        return  # nobody to ask, so nothing to keep
    width = len(world.rulebook.table(situation.passage))
    situation = msgspec.structs.replace(
        situation,
        conversation=conversation,
        turns=turns,
        growth_tokens=growth,
        failing=failing,
        caller_need=need,
        evidence=situation.evidence if seed is None else _beliefs(width, seed),
    )
    document = situation.document()
    assert Situation.read(document) == situation
    again = Rulebook(Policy.read(world.rulebook.document))
    assert again.policy == world.rulebook.policy
    assert again.policy_id == world.rulebook.policy_id
    first = _decided(world.rulebook, caller, reading, situation)
    assert _decided(again, caller, reading, Situation.read(document)) == first
    assert SECRET not in document


def _beliefs(width: int, seed: int) -> bytes:
    """What might be believed of so many entries; of some of them nothing is known."""
    rng = np.random.default_rng(seed)

    def known(values: Any) -> Any:
        return np.where(rng.random(width) < 0.2, np.nan, values)

    success = known(rng.random(width))
    return Evidence(
        success=success,
        weight=np.where(np.isnan(success), 0.0, rng.choice([0.0, 20.0, 30.0, 500.0], width)),
        output_tokens=known(rng.integers(1, 20_000, width)),
        first_token_s=known(rng.random(width) * 10),
        tokens_per_s=known(rng.random(width) * 300 + 0.01),
        failure_rate=known(rng.random(width)),
    ).packed()


def _decided(rulebook: Rulebook, caller: Caller, reading: Any, situation: Situation) -> Decision | str:
    """The decision, or what is told instead of one."""
    try:
        return decide(rulebook, caller, reading, situation)
    except LanewiseError as error:
        return repr(error)


# -- what is kept, and what is not -------------------------------------------------------------------------


def body(loop: int = 0) -> bytes:
    turns: list[dict[str, Any]] = [{"role": "user", "content": f"Write the documentation of {CANARY}.py"}]
    for number in range(loop):
        call = {"type": "tool_use", "id": f"t{number}", "name": "Edit", "input": {"path": CANARY}}
        turns.append({"role": "assistant", "content": [{"type": "text", "text": CANARY}, call]})
        result = {"type": "tool_result", "tool_use_id": f"t{number}", "content": f"1 failed {CANARY}", "is_error": True}
        turns.append({"role": "user", "content": [result]})
    tools = [{"name": "Edit", "description": CANARY, "input_schema": {"type": "object"}}]
    fields = {"model": "big", "max_tokens": 100, "system": CANARY, "metadata": {"user_id": CANARY}}
    return json.dumps({**fields, "messages": turns, "tools": tools}).encode()


def answer() -> Said:
    content = [{"type": "text", "text": f"Done, {CANARY}."}]
    fields = {"id": "m", "type": "message", "role": "assistant", "model": "m", "stop_reason": "end_turn"}
    return Said(json.dumps({**fields, "content": content, "usage": {"input_tokens": 10, "output_tokens": 5}}).encode())


def test_neither_situation_nor_policy_holds_a_word_of_a_prompt_or_anything_of_a_key():
    keys = {"ci": KeySettings(hash=HASH, budget_usd_per_day=Decimal(5))}
    house = House(world_of(keys=keys))
    caller = Caller(key_id="ci", session=CANARY)
    for loop in range(4):
        house.ask(body(loop), answer(), caller=caller, headers=(("x-api-key", SECRET), ("x-mark", CANARY)))
    assert len(house.books.policies) == 1
    kept = [*house.books.policies.values(), *(call.situation for call in house.books.calls)]
    assert all(kept)
    for text in kept:
        for word in (CANARY, SECRET, "c0ffee", "sha256", "documentation of", *ENV.values()):
            assert f'"{word}"' not in text
            assert len(word) < 4 or word not in text


def test_each_call_of_a_house_is_decided_again_from_its_record():
    house = House(world_of(explore=0.5, models=MANY, providers=ROWS))
    for loop in range(6):
        house.clock.seconds += 20
        house.ask(body(loop), answer())
    assert {call.decision.reason for call in house.books.calls} > {"task_pin"}
    for call in house.books.calls:
        rulebook = Rulebook(Policy.read(house.books.policies[call.policy_id]))
        assert decide(rulebook, call.caller, call.reading, Situation.read(call.situation)) == call.decision


def test_another_configuration_has_another_id_and_the_same_one_has_the_same():
    one, same, other = world_of(), world_of(), world_of(explore=0.1)
    assert one.rulebook.policy_id == same.rulebook.policy_id != other.rulebook.policy_id


@pytest.mark.parametrize("read", [Policy.read, Situation.read])
@pytest.mark.parametrize("document", ["", "{}", "null", '{"of_a_newer": "version"}', "not json"])
def test_what_a_newer_version_wrote_is_refused_with_what_to_do(read: Any, document: str):
    with pytest.raises(StoreError) as caught:
        read(document)
    assert "upgrade" in caught.value.hint
