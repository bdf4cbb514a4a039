"""Values of layer 1 for the tests of layer 2."""

from __future__ import annotations

import msgspec

from lanewise.journey import Caller, Features, SkillLabel, Turn
from lanewise.route import Facts

FEATURES = Features(
    input_tokens=100, body_bytes=400, message_count=1, tools_offered=0, code_share=0.0, files_named=0,
    has_images=False, tool_errors=0, complexity=0.2, waiting=False,
)  # fmt: skip
TURN = Turn(kind="main")
LABEL = SkillLabel(skill="documentation", confidence=0.9)
CALLER = Caller(deadline_s=3_600.0)
FACTS = Facts(
    turn="main", housekeeping="", client="codex", skill="data_sql", second_skill="", confidence=0.9, abstained=False,
    complexity=0.2, input_tokens=400, max_tokens=None, message_count=1, tools_offered=3, files_named=0, code_share=0.5,
    has_images=False, tool_errors=0, waiting=True, deadline_s=None, key="ci", tags=("nightly", "docs"),
    session_depth=2, new_session=False, new_task=True, requested_model="opus", dialect="chat", stream=True, hour=14,
    weekday=3, spend_usd_today=1.5, local_in_flight=2, local_waiting=None,
)  # fmt: skip


def changed(value, **changes):
    return msgspec.structs.replace(value, **changes)
