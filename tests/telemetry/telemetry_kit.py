"""One ordinary call, and the same with named differences."""

from __future__ import annotations

import datetime as dt
from typing import Any

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
    Reading,
    SkillLabel,
    Turn,
    Usage,
)

STARTED_AT = dt.datetime(2026, 11, 24, 9, 0, tzinfo=dt.UTC)
CLOUD = Candidate(lane="realtime", tier="frontier", model="big", upstream_model="big-20260901", provider="cloud")
GPU = Candidate(lane="local", tier="cheap", model="small", upstream_model="small", provider="gpu")
USAGE = Usage(input_tokens=100, cache_read_tokens=300, cache_write_5m_tokens=7, output_tokens=50, reasoning_tokens=20)
RETRIED = (
    Attempt(number=1, candidate=CLOUD, started_at=STARTED_AT, status=429, error="upstream_status"),
    Attempt(number=2, candidate=GPU, started_at=STARTED_AT, status=200),
)


def made_call(
    *,
    status: int = 200,
    error: str = "",
    chosen: Candidate = CLOUD,
    served: Candidate | None = CLOUD,
    usage: Usage | None = USAGE,
    cost_pusd: int | None = 2 * 10**10,
    baseline_pusd: int | None = 10**11,
    attempts: tuple[Attempt, ...] = (),
    overhead_us: int = 200,
    first_byte_us: int | None = 250_000,
    duration_us: int = 1_500_000,
    operation: Any = "generate",
    stream: bool = True,
    requested_model: str = "big",
    session: str = "s-1",
    turn: Turn | None = None,
) -> CallRecord:
    """Two cents at the cloud's big model, where the baseline costs ten."""
    return CallRecord(
        call_id="0199f000-0000-7000-8000-000000000001",
        started_at=STARTED_AT,
        dialect="messages",
        operation=operation,
        stream=stream,
        requested_model=requested_model,
        caller=Caller(key_id="ci"),
        reading=Reading(
            turn=turn or Turn(kind="main", client="claude-code"),
            label=SkillLabel(skill="debugging", confidence=0.9),
            features=Features(
                input_tokens=400,
                body_bytes=1600,
                message_count=1,
                tools_offered=0,
                code_share=0.0,
                files_named=0,
                has_images=False,
                tool_errors=0,
                complexity=0.5,
                waiting=True,
            ),
            identity=Identity(session_id=session, task_id="t-1"),
        ),
        decision=Decision(
            mode="active",
            baseline=CLOUD,
            chosen=chosen,
            preferred=chosen,
            plan=(chosen,),
            ruling=LaneRuling(allowed=("local", "realtime")),
            reason="cheapest_allowed",
            propensity=0.9,
        ),
        attempts=attempts,
        outcome=Outcome(
            status=status,
            error=error,
            served=served,
            usage=usage,
            cost=None if cost_pusd is None else Cost(total_pusd=cost_pusd),
            baseline_cost=None if baseline_pusd is None else Cost(total_pusd=baseline_pusd),
            first_byte_us=first_byte_us,
            duration_us=duration_us,
            overhead_us=overhead_us,
        ),
    )
