"""What finished calls teach: speeds, lengths, how tasks went, whose tasks need the frontier. A fold over call records.

The same fold runs live, call by call, and at a start over the ledger's latest calls, so that a restart forgets nothing
that matters. Bounded, in memory; no clock of its own: times are those of the records. Not for several threads.
"""

from __future__ import annotations

import datetime as dt
from collections import OrderedDict
from typing import Final

from lanewise.journey import Attempt, Caller, CallRecord, Candidate, Reading, Skill
from lanewise.select import Band, Beliefs, Callers, CallResult, Priors, Table, TaskResult, band_of

CAPACITY: Final = 10_000
"""Open tasks kept, as many as the classifier keeps sessions."""

WITHOUT_SIGNALS: Final = 0.9
"""Success of a task that showed no failure before the user asked for something else. By judgement; its level does not
matter, since public differences are moved to it (see `select.beliefs`), only that it is the same for all models."""

_LEAST_TOKENS_FOR_SPEED: Final = 20
"""Shorter answers say more about the network than about decoding."""


class _Task:
    """The task under way in one session."""

    __slots__ = ("band", "began_cheap", "caller", "escalation", "failing", "model", "skill", "task_id")

    def __init__(self, call: CallRecord, served: Candidate) -> None:
        reading = call.reading
        self.task_id = reading.identity.task_id
        self.skill: Skill = reading.label.skill
        self.band: Band = band_of(reading.features)
        self.caller = caller_of(call.caller, reading)
        self.model = served.model
        """Who began it: what comes after a move up is another's work on a harder half."""
        self.began_cheap = served.tier == "cheap"
        self.failing = 0.0
        self.escalation = False


class Experience:
    """The fold and what it knows."""

    def __init__(self, priors: Priors) -> None:
        self._beliefs = Beliefs(priors)
        self._callers = Callers()
        self._tasks: OrderedDict[str, _Task] = OrderedDict()

    def learn(self, call: CallRecord) -> None:
        """Take one finished call."""
        if call.operation != "generate":
            return
        for attempt in call.attempts:
            self._learn_speed(call, attempt)
        served = call.outcome.served
        if served is not None and call.reading.turn.kind != "housekeeping":
            self._learn_task(call, served)

    def evidence(self, reading: Reading, table: Table, at: dt.datetime) -> bytes:
        """What is believed of each entry of `table` at this kind of work, packed."""
        return self._beliefs.evidence(reading.label.skill, band_of(reading.features), table, at).packed()

    def caller_need(self, caller: Caller, reading: Reading, at: dt.datetime) -> float:
        """Share of the caller's cheap tasks of this skill that needed the frontier."""
        return self._callers.need(caller_of(caller, reading), reading.label.skill, at.timestamp())

    def _learn_speed(self, call: CallRecord, attempt: Attempt) -> None:
        """How fast and how sound the endpoint of one attempt was."""
        if attempt.error == "client_left":
            return
        last = attempt is call.attempts[-1]
        usage = call.outcome.usage if last else None
        failed = attempt.status is None or attempt.status >= 500 or attempt.error in {"stream_cut", "idle_timeout"}
        first_s = None if attempt.first_byte_us is None else attempt.first_byte_us / 1e6
        whole_s = attempt.duration_us / 1e6
        tokens = usage.output_tokens if usage else None
        per_s = None
        if tokens and tokens >= _LEAST_TOKENS_FOR_SPEED and first_s is not None:
            decoding_s = whole_s - first_s if call.stream else whole_s
            per_s = tokens / decoding_s if decoding_s > 0 else None
        self._beliefs.call_ended(
            CallResult(
                skill=call.reading.label.skill,
                band=band_of(call.reading.features),
                candidate=attempt.candidate,
                failed=failed,
                output_tokens=tokens,
                first_token_s=first_s if call.stream else None,
                tokens_per_s=per_s,
                at=call.started_at,
            )
        )

    def _learn_task(self, call: CallRecord, served: Candidate) -> None:
        """Follow the session's task; where another begins, the one before is over."""
        session_id = call.reading.identity.session_id
        task = self._tasks.pop(session_id, None)
        if task is not None and task.task_id != call.reading.identity.task_id:
            self._close(task, call)
            task = None
        if task is None:
            task = _Task(call, served)
        self._tasks[session_id] = task
        if len(self._tasks) > CAPACITY:
            self._tasks.popitem(last=False)

    def _close(self, task: _Task, after: CallRecord) -> None:
        at = after.started_at
        needed = task.escalation or task.failing > 0.5
        self._beliefs.task_ended(
            TaskResult(
                skill=task.skill,
                band=task.band,
                model=task.model,
                success=WITHOUT_SIGNALS * (1 - task.failing),
                at=at,
            )
        )
        if task.began_cheap:
            self._callers.task_ended(task.caller, task.skill, needed=needed, at_s=at.timestamp())


def caller_of(caller: Caller, reading: Reading) -> str:
    """Whose habits count together: a key's, and a client family's on it."""
    return f"{caller.key_id}\x1f{reading.turn.client}"
