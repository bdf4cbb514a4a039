"""`[[rules]]`: the first that a call meets, and the facts it is asked about."""

from __future__ import annotations

import datetime as dt

import pytest
from route_kit import CALLER, FACTS, FEATURES, LABEL, TURN, changed

from lanewise.config import Origin, RuleSettings
from lanewise.errors import ConfigError
from lanewise.journey import Identity, Reading
from lanewise.route import LaneQueue, Queues, Spend, compiled, facts_of, first_match


def test_the_first_rule_that_matches_decides():
    rules = compiled(
        (
            RuleSettings(when="skill == 'planning'", model="a"),
            RuleSettings(when="input_tokens < 500", lanes=("local",), tier="cheap", deadline="8h", name="small"),
            RuleSettings(when="true", mode="observe"),
        ),
        {},
    )
    assert [rule.reason for rule in rules] == ["rule:1", "rule:small", "rule:3"]
    small = first_match(rules, FACTS)
    assert small is rules[1]
    assert (small.lanes, small.tier, small.deadline_s) == (("local",), "cheap", 28_800.0)
    assert first_match(rules, changed(FACTS, skill="planning")) is rules[0]
    assert first_match(rules, changed(FACTS, input_tokens=500)) is rules[2]
    assert first_match(rules[:2], changed(FACTS, input_tokens=500)) is None


def test_every_condition_that_is_not_understood_is_told_with_its_place():
    rows = (
        RuleSettings(when="skil == 'x'", tier="cheap"),
        RuleSettings(when="true", tier="cheap"),
        RuleSettings(when="", tier="cheap"),
    )
    with pytest.raises(ConfigError) as caught:
        compiled(rows, {"rules.1.when": Origin("lanewise.toml:2")})
    assert caught.value.problems == [
        "lanewise.toml:2: `rules.1.when`: unknown variable 'skil' at column 1; hint: did you mean `skill`?",
        "settings: `rules.3.when`: a value is missing before the end at column 1",
    ]


def test_the_facts_of_a_call_are_its_labels_numbers_and_states():
    reading = Reading(
        turn=changed(TURN, kind="housekeeping", housekeeping="title", client="codex"),
        label=changed(LABEL, second="planning"),
        features=FEATURES,
        identity=Identity(session_id="s", task_id="t", new_session=True, depth=3),
    )
    found = facts_of(
        reading,
        changed(CALLER, key_id="ci", tags=("x",)),
        requested_model="opus",
        dialect="messages",
        stream=True,
        max_tokens=9,
        now=dt.datetime(2026, 11, 23, 1, 30, tzinfo=dt.timezone(dt.timedelta(hours=2))),  # Sunday, 23:30 UTC
        spend=Spend(spent_pusd=2_500_000_000_000),
        queues=Queues(local=LaneQueue(in_flight=4, waiting=1)),
    )
    assert found == changed(
        FACTS, turn="housekeeping", housekeeping="title", skill="documentation", second_skill="planning",
        input_tokens=100, max_tokens=9, tools_offered=0, code_share=0.0, waiting=False, deadline_s=3_600.0, tags=("x",),
        session_depth=3, new_session=True, new_task=False, dialect="messages", hour=23, weekday=7, spend_usd_today=2.5,
        local_in_flight=4, local_waiting=1,
    )  # fmt: skip
