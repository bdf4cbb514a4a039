"""What a rule of the configuration may ask about a call: labels, numbers and states, each with its type.

`VARIABLES` is the one table behind the type check of rules and their documentation; `Facts` holds the values.
"""

from __future__ import annotations

import datetime as dt
from typing import Literal, TypeAlias, get_args

from lanewise.journey import Caller, Dialect, Housekeeping, Reading, Skill, TurnKind, Value
from lanewise.route.states import Queues, Spend

PUSD_PER_USD = 10**12

Kind: TypeAlias = Literal["text", "number", "flag", "list"]


class Variable(Value, frozen=True, kw_only=True):
    """A name that rules may use."""

    kind: Kind
    words: str
    """What it means, for the guide."""
    choices: tuple[str, ...] = ()
    """All the texts it may be; empty where any text is possible."""
    seconds: bool = False
    """A number of seconds, which may be compared with a duration such as ``8h``."""


class Facts(Value, frozen=True, kw_only=True):
    """A call as rules see it. None is unknown or absent: every comparison with it is false."""

    turn: TurnKind
    housekeeping: str
    client: str
    skill: Skill
    second_skill: str
    confidence: float
    abstained: bool
    complexity: float
    input_tokens: int
    max_tokens: int | None
    message_count: int
    tools_offered: int
    files_named: int
    code_share: float
    has_images: bool
    tool_errors: int
    waiting: bool
    deadline_s: float | None
    key: str
    tags: tuple[str, ...]
    session_depth: int
    new_session: bool
    new_task: bool
    requested_model: str
    dialect: Dialect
    stream: bool
    hour: int
    weekday: int
    spend_usd_today: float
    local_in_flight: int
    local_waiting: int | None


_SKILLS: tuple[str, ...] = get_args(Skill)

VARIABLES: dict[str, Variable] = {
    "turn": Variable(kind="text", choices=get_args(TurnKind), words="what the call is, from its structure"),
    "housekeeping": Variable(
        kind="text", choices=("", *get_args(Housekeeping)), words="which call of the harness itself; `''` for others"
    ),
    "client": Variable(kind="text", words="the agent, e.g. `claude-code`, `codex`, `aider`, or `unknown`"),
    "skill": Variable(kind="text", choices=_SKILLS, words="the kind of work"),
    "second_skill": Variable(kind="text", choices=("", *_SKILLS), words="the next likely kind; `''` for none"),
    "confidence": Variable(kind="number", words="how sure the skill is, 0 to 1"),
    "abstained": Variable(kind="flag", words="the skill is too unsure to act on"),
    "complexity": Variable(kind="number", words="how hard the task looks, 0 to 1"),
    "input_tokens": Variable(kind="number", words="estimated tokens of the prompt"),
    "max_tokens": Variable(kind="number", words="the caller's limit of the answer; absent where none was sent"),
    "message_count": Variable(kind="number", words="messages in the request"),
    "tools_offered": Variable(kind="number", words="tools the request offers"),
    "files_named": Variable(kind="number", words="files the user's words name"),
    "code_share": Variable(kind="number", words="share of the user's text that looks like code, 0 to 1"),
    "has_images": Variable(kind="flag", words="the request holds images"),
    "tool_errors": Variable(kind="number", words="failed tool results in the recent messages"),
    "waiting": Variable(kind="flag", words="somebody waits for the answer"),
    "deadline_s": Variable(
        kind="number", seconds=True, words="seconds until the answer is needed; absent where nobody said"
    ),
    "key": Variable(kind="text", words="name of the caller's key; `''` without keys"),
    "tags": Variable(kind="list", words="tags of the key and of the call"),
    "session_depth": Variable(kind="number", words="calls of this session before this one"),
    "new_session": Variable(kind="flag", words="a conversation begins"),
    "new_task": Variable(kind="flag", words="the user asked for something new"),
    "requested_model": Variable(kind="text", words="the model that the caller named"),
    "dialect": Variable(kind="text", choices=get_args(Dialect), words="the wire language of the client"),
    "stream": Variable(kind="flag", words="the answer is streamed"),
    "hour": Variable(kind="number", words="hour of the day in UTC, 0 to 23"),
    "weekday": Variable(kind="number", words="day of the week in UTC, 1 (Monday) to 7"),
    "spend_usd_today": Variable(kind="number", words="what the caller's key has spent today, in USD"),
    "local_in_flight": Variable(kind="number", words="calls under way at the local engines"),
    "local_waiting": Variable(kind="number", words="calls queued at the local engines; absent where unknown"),
}
"""Name -> type and meaning, in the order of the guide. A test compares it with the fields of `Facts`."""


def facts_of(
    reading: Reading,
    caller: Caller,
    *,
    requested_model: str,
    dialect: Dialect,
    stream: bool,
    max_tokens: int | None,
    now: dt.datetime,
    spend: Spend,
    queues: Queues,
) -> Facts:
    """The facts of one call; `now` is aware and is read in UTC."""
    at = now.astimezone(dt.UTC)
    turn, label, features, identity = reading.turn, reading.label, reading.features, reading.identity
    return Facts(
        turn=turn.kind,
        housekeeping=turn.housekeeping or "",
        client=turn.client,
        skill=label.skill,
        second_skill=label.second or "",
        confidence=label.confidence,
        abstained=label.abstained,
        complexity=features.complexity,
        input_tokens=features.input_tokens,
        max_tokens=max_tokens,
        message_count=features.message_count,
        tools_offered=features.tools_offered,
        files_named=features.files_named,
        code_share=features.code_share,
        has_images=features.has_images,
        tool_errors=features.tool_errors,
        waiting=features.waiting,
        deadline_s=caller.deadline_s,
        key=caller.key_id,
        tags=caller.tags,
        session_depth=identity.depth,
        new_session=identity.new_session,
        new_task=identity.new_task,
        requested_model=requested_model,
        dialect=dialect,
        stream=stream,
        hour=at.hour,
        weekday=at.isoweekday(),
        spend_usd_today=spend.spent_pusd / PUSD_PER_USD,
        local_in_flight=queues.local.in_flight,
        local_waiting=queues.local.waiting,
    )
