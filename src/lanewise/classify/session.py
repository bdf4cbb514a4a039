"""Keep which conversation and which task a call belongs to, so that a tool loop inherits what its request was.

In memory and bounded: the least recently used session is forgotten first, and a forgotten one simply starts anew.
It holds ids, counts, labels and the student's numbers, never a text: the words that open a task are kept as a number
to recognise a client's retry. It does not know how labels are made.

Of each caller it keeps how hard the tasks were so far, as a mean in which a task counts half as much as the one after
it: people stay with one kind of work for a while.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections import OrderedDict

from lanewise.classify.features import Ask, hardness
from lanewise.classify.structure import Sighting, has_history, holds_results
from lanewise.classify.student import State
from lanewise.journey import Caller, Identity, Request, SkillLabel

CAPACITY = 10_000
"""Sessions kept. About 600 bytes each, so 6 MB; an agent's session is idle for minutes, not for 10,000 others."""


_RECENT_SHARE = 0.5
"""What the latest task counts in a caller's history."""


class Memory:
    """What a session remembers between two of its calls."""

    __slots__ = (
        "ask",
        "caller",
        "calls",
        "edited",
        "failures",
        "history",
        "label",
        "opening",
        "session_id",
        "state",
        "task_calls",
        "task_id",
        "tasks",
        "unread",
    )  # fmt: skip

    def __init__(self, session_id: str, caller: str) -> None:
        self.session_id = session_id
        self.task_id = ""
        self.tasks = 0
        self.calls = 0
        self.opening = 0
        """Hash of what the user last said; only compared within this process."""
        self.unread = True
        """The call at hand says something that has not been read yet: no tool result, no client's retry."""
        self.label: SkillLabel | None = None
        """The task's skill, once the classifier has set it."""
        self.ask = Ask()
        self.state: State = ()
        """What the student makes of the texts so far."""
        self.task_calls = 0
        """Calls of the task under way."""
        self.edited = False
        """A call of the task edited a file."""
        self.failures = 0
        """Most failed tool results that one call of the task showed."""
        self.caller = caller
        self.history = 0.0
        """How hard the caller's tasks were before this one, 0..1."""


class SessionBook:
    """Sessions by key. Not for several threads at once; the gateway asks from one event loop."""

    def __init__(self, *, capacity: int = CAPACITY) -> None:
        self._capacity = max(1, capacity)
        self._sessions: OrderedDict[str, Memory] = OrderedDict()
        self._callers: OrderedDict[str, float] = OrderedDict()

    def __len__(self) -> int:
        return len(self._sessions)

    def place(
        self, request: Request, seen: Sighting, caller: Caller, now: dt.datetime
    ) -> tuple[Identity, Memory | None]:
        """Say where a call belongs, and open sessions and tasks as needed.

        A main turn and the start of a sub-agent open a task, unless they repeat the message that opened the current
        one (a client's retry). Continuations and follow-ups stay in the task. Housekeeping opens nothing, counts
        as no call and gets no memory: it shares its conversation's ids where there is one.
        """
        key = _key(request, seen, caller)
        memory = self._sessions.get(key)
        if seen.turn.kind == "housekeeping":
            task_id = memory.task_id if memory else _digest(key, "housekeeping")
            session_id = memory.session_id if memory else key
            return Identity(session_id=session_id, task_id=task_id, depth=memory.calls if memory else 0), None
        new_session = memory is None or _starts_over(request, seen, caller)
        if memory is None or new_session:
            session_id = key if _is_named(request, caller) else _digest(key, now.isoformat())
            memory = self._open(key, session_id, _digest("caller", caller.key_id, seen.turn.client))
        else:
            self._sessions.move_to_end(key)
        opening = _opening(request, seen)
        spoke = seen.turn.kind != "continuation" and memory.opening != opening
        new_task = memory.tasks == 0 or (spoke and seen.turn.kind in {"main", "subagent"})
        memory.unread = new_task or spoke
        if memory.unread:
            memory.opening = opening
        if new_task:
            self._close_task(memory)
            memory.tasks += 1
            # The time keeps ids apart across restarts, where a session's count begins again.
            memory.task_id = _digest(memory.session_id, str(memory.tasks), now.isoformat())
            memory.label, memory.ask, memory.edited = None, Ask(), False
        identity = Identity(
            session_id=memory.session_id,
            task_id=memory.task_id,
            new_session=new_session,
            new_task=new_task,
            depth=memory.calls,
        )
        memory.calls += 1
        memory.task_calls += 1
        memory.failures = max(memory.failures, _failures_since_asked(request))
        return identity, memory

    def find(self, request: Request, seen: Sighting, caller: Caller) -> Memory | None:
        """The memory of the conversation that `request` belongs to, without placing a call in it."""
        return self._sessions.get(_key(request, seen, caller))

    def _open(self, key: str, session_id: str, caller: str) -> Memory:
        left = self._sessions.pop(key, None)
        if left is not None:
            self._close_task(left)
        while len(self._sessions) >= self._capacity:
            self._close_task(self._sessions.popitem(last=False)[1])
        memory = self._sessions[key] = Memory(session_id, caller)
        return memory

    def _close_task(self, memory: Memory) -> None:
        """Add the task under way, if there is one, to its caller's history, and begin with a clean one."""
        history = self._callers.pop(memory.caller, 0.0)
        if memory.task_calls:
            history = _RECENT_SHARE * hardness(memory.task_calls, memory.failures) + (1 - _RECENT_SHARE) * history
        self._callers[memory.caller] = history
        if len(self._callers) > self._capacity:
            self._callers.popitem(last=False)
        memory.history, memory.task_calls, memory.failures = history, 0, 0


def _failures_since_asked(request: Request) -> int:
    """Failed tool results since the user last spoke: what failed before is another task's."""
    failures = 0
    for message in reversed(request.recent):
        if message.role == "user" and not holds_results(message):
            break
        failures += message.tool_errors
    return failures


def _is_named(request: Request, caller: Caller) -> bool:
    """Whether somebody gave the conversation a name; without one it is known by its first words only."""
    return bool(caller.session or request.session_hint)


def _starts_over(request: Request, seen: Sighting, caller: Caller) -> bool:
    """A conversation without a name that has no answer yet is a new one, though another began with the same words.

    Otherwise a script that sends one prompt a thousand times would look like one long session. The SDKs count their
    own retries in a header.
    """
    if _is_named(request, caller) or seen.turn.kind not in {"main", "subagent"} or has_history(request):
        return False
    return request.header("x-stainless-retry-count") in {"", "0"}


def _opening(request: Request, seen: Sighting) -> int:
    """What a retry repeats: the words and the length of the conversation.

    System messages do not count, since a client may fold them into others before it tries again.
    """
    asides = sum(1 for message in request.recent if message.role in {"system", "developer"})
    return hash((request.message_count - asides, seen.spoken))


def _key(request: Request, seen: Sighting, caller: Caller) -> str:
    """A hash of whatever names the conversation best, and of the sub-agent that speaks in it."""
    if caller.session:
        base = ["named", caller.key_id, caller.session]
    elif request.session_hint:
        base = ["hint", caller.key_id, seen.turn.client, request.session_hint]
    else:
        base = ["first", caller.key_id, seen.turn.client, request.first_user.text if request.first_user else ""]
    if not seen.subagent:
        return _digest(*base)
    agent = request.agent_id or (request.first_user.text if request.first_user else "")
    return _digest(*base, request.parent_agent_id, agent)


def _digest(*parts: str) -> str:
    """16 hex digits of SHA-256 over `parts`: 64 bits, one clash expected after four thousand million sessions."""
    joined = "\x1f".join(parts).encode("utf-8", "surrogatepass")
    return hashlib.sha256(joined).hexdigest()[:16]
