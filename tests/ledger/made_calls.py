"""Calls for the ledger's tests: one ordinary call with named differences, and a strategy for all possible ones."""

import datetime as dt
from typing import get_args

from hypothesis import strategies as st

from lanewise import journey
from lanewise.journey import (
    Attempt,
    Caller,
    CallRecord,
    Candidate,
    Cost,
    Decision,
    Features,
    Identity,
    LaneRuling,
    Outcome,
    Quote,
    Reading,
    Rejection,
    SkillLabel,
    Turn,
    Usage,
)

START = dt.datetime(2026, 11, 22, 9, 0, tzinfo=dt.UTC)
USD = 10**12

OPUS = Candidate(
    lane="realtime", tier="frontier", model="claude-opus-5-5", upstream_model="claude-opus-5-5", provider="anthropic"
)
QWEN = Candidate(lane="local", tier="cheap", model="qwen3-coder", upstream_model="Qwen/Qwen3-Coder", provider="gpu")
HAIKU = Candidate(
    lane="realtime", tier="cheap", model="claude-haiku-5-5", upstream_model="claude-haiku-5-5", provider="anthropic"
)

USAGE = Usage(input_tokens=100, cache_read_tokens=300, output_tokens=50)


def cost(total_pusd):
    return Cost(total_pusd=total_pusd, input_pusd=total_pusd, snapshot="test-2026-11-22")


def made_call(
    number=0,
    *,
    session="s-1",
    task="t-1",
    skill="debugging",
    turn="main",
    key="ci",
    client="claude-code",
    seconds=0,
    operation="generate",
    requested_model="claude-opus-5-5",
    chosen=QWEN,
    served=QWEN,
    status=200,
    error="",
    usage=USAGE,
    cost_pusd=2 * USD // 100,
    baseline_pusd=10 * USD // 100,
    attempts=1,
    overhead_us=200,
    duration_us=1_000_000,
):
    """An ordinary call that a local model served for 2 cents instead of 10."""
    started_at = START + dt.timedelta(seconds=seconds)
    return CallRecord(
        call_id=f"0199f000-0000-7000-8000-{number:012d}",
        started_at=started_at,
        dialect="messages",
        operation=operation,
        stream=True,
        requested_model=requested_model,
        caller=Caller(key_id=key, tags=("nightly",)),
        reading=Reading(
            turn=Turn(kind=turn, client=client, reason="last message is the user's"),
            label=SkillLabel(skill=skill, confidence=0.75),
            features=Features(
                input_tokens=400,
                body_bytes=1600,
                message_count=3,
                tools_offered=12,
                code_share=0.25,
                files_named=1,
                has_images=False,
                tool_errors=0,
                complexity=0.5,
                complexity_parts={"input_tokens": 0.5},
                waiting=True,
            ),
            identity=Identity(session_id=session, task_id=task),
        ),
        decision=Decision(
            mode="active",
            baseline=OPUS,
            chosen=chosen,
            preferred=chosen,
            plan=(chosen, OPUS),
            rejected=(Rejection(candidate=HAIKU, reason="dearer"),),
            ruling=LaneRuling(allowed=("local", "realtime"), refused=(("batch", "user_waits"),)),
            reason="cheapest_not_inferior",
            switch_point="new_task",
        ),
        attempts=tuple(
            Attempt(number=n + 1, candidate=chosen, started_at=started_at, status=status) for n in range(attempts)
        ),
        outcome=Outcome(
            status=status,
            error=error,
            served=served,
            usage=usage,
            cost=None if cost_pusd is None else cost(cost_pusd),
            baseline_cost=None if baseline_pusd is None else cost(baseline_pusd),
            duration_us=duration_us,
            overhead_us=overhead_us,
        ),
    )


# -- all possible calls ------------------------------------------------------------------------------------

_WHOLE = st.integers(0, 2**63 - 1)
_REAL = st.floats(allow_nan=False, allow_infinity=False)
_TEXT = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\x00"), max_size=30)
_MOMENT = st.datetimes(
    dt.datetime(1970, 1, 1),
    dt.datetime(2200, 1, 1),
    timezones=st.sampled_from((dt.UTC, dt.timezone(dt.timedelta(hours=5)))),
)


def _one_of(literal):
    return st.sampled_from(get_args(literal))


def _strategy(kind, /, **given):
    """Every field of `kind`, also those with defaults: a column that is forgotten must show."""
    assert set(given) == set(kind.__struct_fields__), set(kind.__struct_fields__) ^ set(given)
    return st.builds(kind, **given)


_CANDIDATE = _strategy(
    Candidate,
    lane=_one_of(journey.Lane),
    tier=_one_of(journey.Tier),
    model=_TEXT,
    upstream_model=_TEXT,
    provider=_TEXT,
    service=st.sampled_from(("standard", "flex")),
)
_COST = _strategy(
    Cost,
    total_pusd=_WHOLE,
    input_pusd=_WHOLE,
    cache_read_pusd=_WHOLE,
    cache_write_pusd=_WHOLE,
    output_pusd=_WHOLE,
    classify_pusd=_WHOLE,
    discarded_pusd=_WHOLE,
    snapshot=_TEXT,
)
_USAGE = _strategy(
    Usage,
    input_tokens=_WHOLE,
    cache_read_tokens=_WHOLE,
    cache_write_5m_tokens=_WHOLE,
    cache_write_1h_tokens=_WHOLE,
    output_tokens=_WHOLE,
    reasoning_tokens=_WHOLE,
    service_tier=st.sampled_from(("standard", "batch", "flex", "priority")),
    estimated=st.booleans(),
    reported_cost_pusd=st.none() | _WHOLE,
)
_ATTEMPT = _strategy(
    Attempt,
    number=_WHOLE,
    candidate=_CANDIDATE,
    started_at=_MOMENT,
    status=st.none() | st.integers(100, 599),
    error=_TEXT,
    first_byte_us=st.none() | _WHOLE,
    duration_us=_WHOLE,
    upstream_request_id=_TEXT,
    hedge=st.booleans(),
    refused_by=_TEXT,
    cost_pusd=st.none() | _WHOLE,
)
_READING = _strategy(
    Reading,
    turn=_strategy(
        Turn,
        kind=_one_of(journey.TurnKind),
        housekeeping=st.none() | _one_of(journey.Housekeeping),
        client=_TEXT,
        client_version=_TEXT,
        reason=_TEXT,
    ),
    label=_strategy(
        SkillLabel,
        skill=_one_of(journey.Skill),
        confidence=_REAL,
        second=st.none() | _one_of(journey.Skill),
        abstained=st.booleans(),
        source=st.sampled_from(("structure", "student", "inherited", "encoder", "hosted", "default")),
        asked_pusd=_WHOLE,
    ),
    features=_strategy(
        Features,
        input_tokens=_WHOLE,
        body_bytes=_WHOLE,
        message_count=_WHOLE,
        tools_offered=_WHOLE,
        code_share=_REAL,
        files_named=_WHOLE,
        has_images=st.booleans(),
        tool_errors=_WHOLE,
        complexity=_REAL,
        complexity_parts=st.dictionaries(_TEXT, _REAL, max_size=3),
        waiting=st.booleans(),
        waiting_reason=_TEXT,
        marks_cache=st.booleans(),
        marks_hour=st.booleans(),
        sealed=st.booleans(),
        previous_response=st.booleans(),
    ),
    identity=_strategy(
        Identity,
        session_id=_TEXT,
        task_id=_TEXT,
        new_session=st.booleans(),
        new_task=st.booleans(),
        depth=_WHOLE,
    ),
    signals=st.lists(_one_of(journey.SignalCode), max_size=2).map(tuple),
    failing=_REAL,
)
_LANES = st.lists(_one_of(journey.Lane), max_size=3).map(tuple)
_DECISION = _strategy(
    Decision,
    mode=_one_of(journey.Mode),
    baseline=_CANDIDATE,
    chosen=_CANDIDATE,
    preferred=_CANDIDATE,
    plan=st.lists(_CANDIDATE, min_size=1, max_size=2).map(tuple),
    rejected=st.lists(_strategy(Rejection, candidate=_CANDIDATE, reason=_TEXT, detail=_TEXT), max_size=2).map(tuple),
    ruling=_strategy(
        LaneRuling,
        allowed=_LANES,
        refused=st.lists(st.tuples(_one_of(journey.Lane), _TEXT), max_size=2).map(tuple),
        tiers=st.lists(_one_of(journey.Tier), max_size=2).map(tuple),
        flex=st.booleans(),
    ),
    reason=_TEXT,
    propensity=_REAL,
    switch_point=_TEXT,
    switch_pusd=_WHOLE,
    switch_forced=st.booleans(),
    spilled=st.lists(st.tuples(_TEXT, st.booleans()), max_size=2).map(tuple),
    quotes=st.lists(
        _strategy(
            Quote,
            candidate=_CANDIDATE,
            total_pusd=st.none() | _WHOLE,
            success=st.none() | _REAL,
            success_low=st.none() | _REAL,
            weight=_REAL,
            completion_s=st.none() | _REAL,
        ),
        max_size=2,
    ).map(tuple),
)
_OUTCOME = _strategy(
    Outcome,
    status=st.integers(100, 599),
    error=_TEXT,
    served=st.none() | _CANDIDATE,
    usage=st.none() | _USAGE,
    cost=st.none() | _COST,
    baseline_cost=st.none() | _COST,
    preferred_cost_pusd=st.none() | st.integers(0, 2**62),
    stop_reason=_TEXT,
    response_bytes=_WHOLE,
    first_byte_us=st.none() | _WHOLE,
    duration_us=_WHOLE,
    overhead_us=_WHOLE,
)

any_call = _strategy(
    CallRecord,
    call_id=st.uuids().map(str),
    started_at=_MOMENT,
    dialect=_one_of(journey.Dialect),
    operation=_one_of(journey.Operation),
    stream=st.booleans(),
    requested_model=_TEXT,
    caller=_strategy(
        Caller,
        key_id=_TEXT,
        pin=_TEXT,
        lane=st.none() | _one_of(journey.Lane),
        deadline_s=st.none() | _REAL,
        session=_TEXT,
        tags=st.lists(_TEXT, max_size=3).map(tuple),
        has_credential=st.booleans(),
    ),
    reading=_READING,
    decision=_DECISION,
    attempts=st.lists(_ATTEMPT, max_size=3, unique_by=lambda attempt: attempt.number).map(
        lambda attempts: tuple(sorted(attempts, key=lambda attempt: attempt.number))
    ),
    outcome=_OUTCOME,
    policy_id=_TEXT,
    situation=_TEXT,
)
