"""What finished calls teach: speeds, lengths, how tasks went, whose tasks need the frontier. A fold over call records.

The same fold runs live, call by call, and at a start over the ledger's latest calls, so that a restart forgets nothing
that matters. Bounded, in memory; no clock of its own: times are those of the records. Not for several threads.
"""

from __future__ import annotations

import datetime as dt
from collections import OrderedDict
from typing import Final

from lanewise.classify.signals import of_stop
from lanewise.journey import Attempt, Caller, CallRecord, Candidate, Reading, Skill, Usage
from lanewise.select import (
    Band,
    Beliefs,
    Callers,
    CallResult,
    Conversation,
    Priors,
    Table,
    TaskResult,
    Turns,
    band_of,
)
from lanewise.upstream import LOST

CAPACITY: Final = 10_000
"""Open tasks kept, as many as the classifier keeps sessions."""

WITHOUT_SIGNALS: Final = 0.9
"""Success of a task that showed no failure before the user asked for something else. By judgement; its level does not
matter, since public differences are moved to it (see `select.beliefs`), only that it is the same for all models."""

GROWTH_TOKENS: Final = 1_500.0
"""By which a tool loop's prompt grows from call to call before any was seen: a tool's result of some 4 KB and the call
that asked for it. Assumed; learnt per client from the first loops on."""

_GROWTH_SHARE: Final = 0.05
_CLIENTS: Final = 1_000

_BAD_STOP: Final = 0.35
"""Weight of an answer that was cut off or refused, as `classify.signals` gives a signal of medium trust."""

_NEEDED_FROM: Final = 0.5
"""Probability of failing from which a task that a cheap model did counts as one that needed the frontier."""

_COMPLAINTS: Final = frozenset({"re_ask", "interrupted"})
"""Signals by which a new task speaks of the one before it."""

_LEAST_TOKENS_FOR_SPEED: Final = 20
"""Shorter answers say more about the network than about decoding."""


class _Task:
    """The task under way in one session."""

    __slots__ = ("band", "began_cheap", "caller", "calls", "escalation", "failing", "model", "skill", "task_id")

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
        self.calls = 0
        self.escalation = False


class Experience:
    """The fold and what it knows."""

    def __init__(self, priors: Priors) -> None:
        self._beliefs = Beliefs(priors)
        self._callers = Callers()
        self._turns = Turns()
        self._growth: OrderedDict[str, float] = OrderedDict()
        self._conversations: OrderedDict[str, Conversation] = OrderedDict()
        self._tasks: OrderedDict[str, _Task] = OrderedDict()

    def learn(self, call: CallRecord, *, vendor: str = "") -> None:
        """Take one finished call.

        Args:
            call: The call.
            vendor: Of who served it on the path of routing (`select.path_of`); cautious rules for its cache if empty.
        """
        if call.operation != "generate":
            return
        answered = next((row for row in reversed(call.attempts) if row.candidate == call.outcome.served), None)
        for attempt in call.attempts:
            self._learn_speed(call, attempt, call.outcome.usage if attempt is answered else None)
        served = _answered_by(call)
        if served is None:
            return
        if call.reading.turn.kind == "housekeeping":
            self._learn_rewriting(call)
        else:
            self._learn_conversation(call, vendor)
            self._learn_task(call, served)

    def evidence(self, reading: Reading, table: Table, at: dt.datetime) -> bytes:
        """What is believed of each entry of `table` at this kind of work, packed."""
        return self._beliefs.evidence(reading.label.skill, band_of(reading.features), table, at).packed()

    def conversation(self, reading: Reading) -> Conversation | None:
        """What came before in the session of a call; None for the harness's own calls, which stand alone."""
        if reading.turn.kind == "housekeeping":
            return None
        return self._conversations.get(reading.identity.session_id)

    def turns(self, reading: Reading) -> float:
        """Calls that the task is expected to need still, this one included."""
        if reading.turn.kind == "housekeeping" or not reading.features.tools_offered:
            return 1.0
        before = self._conversations.get(reading.identity.session_id)
        made = 0 if before is None or reading.identity.new_task else before.task_calls
        return self._turns.remaining(reading.turn.client, "main", made)

    def growth_tokens(self, reading: Reading) -> float:
        """By which the prompts of such a client grow from call to call."""
        return self._growth.get(reading.turn.client, GROWTH_TOKENS)

    def failing(self, reading: Reading) -> float:
        """Probability that the task of a call fails, by all its signals so far, and by a complaint that opens it."""
        task = self._tasks.get(reading.identity.session_id)
        before = task.failing if task is not None and task.task_id == reading.identity.task_id else 0.0
        return 1 - (1 - before) * (1 - reading.failing)

    def caller_need(self, caller: Caller, reading: Reading, at: dt.datetime) -> float:
        """Share of the caller's cheap tasks of this skill that needed the frontier."""
        return self._callers.need(caller_of(caller, reading), reading.label.skill, at.timestamp())

    def _learn_speed(self, call: CallRecord, attempt: Attempt, usage: Usage | None) -> None:
        """How fast and how sound the endpoint of one attempt was; one that we cut off says nothing of either."""
        if attempt.error in {"client_left", LOST}:
            return
        failed = attempt.status is None or attempt.status >= 500 or attempt.error in {"stream_cut", "idle_timeout"}
        # errors and whole answers come at once: their first byte says nothing of prefill
        began = call.stream and attempt.status is not None and attempt.status < 400
        first_us = attempt.first_byte_us if began else None
        first_s = None if first_us is None or first_us < 0 else first_us / 1e6
        tokens = usage.output_tokens if usage else None
        per_s = None
        if tokens and tokens >= _LEAST_TOKENS_FOR_SPEED and first_s is not None:
            decoding_s = attempt.duration_us / 1e6 - first_s
            per_s = tokens / decoding_s if decoding_s > 0 else None
        self._beliefs.call_ended(
            CallResult(
                skill=call.reading.label.skill,
                band=band_of(call.reading.features),
                candidate=attempt.candidate,
                failed=failed,
                output_tokens=tokens,
                first_token_s=first_s,
                tokens_per_s=per_s,
                at=call.started_at,
            )
        )

    def _learn_rewriting(self, call: CallRecord) -> None:
        """A compaction: the conversation begins anew for every cache."""
        before = self._conversations.get(call.reading.identity.session_id)
        if before is not None and call.reading.turn.housekeeping == "compaction":
            self._conversations[call.reading.identity.session_id] = before.rewritten()

    def _learn_conversation(self, call: CallRecord, vendor: str) -> None:
        """Follow the caches and the bill of the session."""
        session_id, client = call.reading.identity.session_id, call.reading.turn.client
        before = self._conversations.pop(session_id, Conversation())
        now = before.after(call, vendor)
        self._conversations[session_id] = now
        if len(self._conversations) > CAPACITY:
            self._conversations.popitem(last=False)
        grown = now.prompt_tokens - before.prompt_tokens
        if call.reading.turn.kind == "continuation" and before.prompt_tokens and grown > 0:
            mean = self._growth.pop(client, GROWTH_TOKENS)
            self._growth[client] = mean + _GROWTH_SHARE * (grown - mean)
            if len(self._growth) > _CLIENTS:
                self._growth.popitem(last=False)

    def _learn_task(self, call: CallRecord, served: Candidate) -> None:
        """Follow the session's task; where another begins, the one before is over."""
        session_id = call.reading.identity.session_id
        task = self._tasks.pop(session_id, None)
        if task is not None and task.task_id != call.reading.identity.task_id:
            self._close(task, call)
            task = None
        if task is None:
            task = _Task(call, served)
        task.calls += 1
        if not call.reading.identity.new_task:
            task.failing = 1 - (1 - task.failing) * (1 - call.reading.failing)
        if of_stop(call.outcome.stop_reason) is not None:
            task.failing = 1 - (1 - task.failing) * (1 - _BAD_STOP)
        task.escalation = task.escalation or call.decision.reason == "escalated"
        self._tasks[session_id] = task
        if len(self._tasks) > CAPACITY:
            self._tasks.popitem(last=False)
        for attempt in call.attempts:
            if attempt.refused_by and attempt.candidate != served:
                self._learn_refusal(call, task, attempt.candidate)

    def _learn_refusal(self, call: CallRecord, task: _Task, refused: Candidate) -> None:
        """A check refused an answer, and another model gave the one that the client got: that counts at once."""
        self._beliefs.task_ended(
            TaskResult(skill=task.skill, band=task.band, model=refused.model, success=0.0, at=call.started_at)
        )
        if refused.tier == "cheap":
            self._callers.task_ended(task.caller, task.skill, needed=True, at_s=call.started_at.timestamp())

    def _close(self, task: _Task, after: CallRecord) -> None:
        at = after.started_at
        if _COMPLAINTS.intersection(after.reading.signals):
            task.failing = 1 - (1 - task.failing) * (1 - after.reading.failing)
        needed = task.escalation or task.failing > _NEEDED_FROM
        self._turns.finished(after.reading.turn.client, "main", task.calls)
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


def _answered_by(call: CallRecord) -> Candidate | None:
    """Who gave an answer; an error that was relayed is none, one that the client left before its end is."""
    outcome = call.outcome
    return outcome.served if outcome.status < 400 or outcome.error == "client_left" else None


def caller_of(caller: Caller, reading: Reading) -> str:
    """Whose habits count together: a key's, and a client family's on it."""
    return f"{caller.key_id}\x1f{reading.turn.client}"
