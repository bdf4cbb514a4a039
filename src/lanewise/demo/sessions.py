"""A session as a generator: it yields the requests its agent sends and is sent the answers.

Who drives it decides about sockets, waiting and concurrency; the session decides what is said next. It ends when its
tasks are done or a model stops calling tools, whatever model that was.
"""

from __future__ import annotations

import random
import uuid
from collections.abc import Generator
from typing import Literal, TypeAlias

from lanewise.demo.agents import Agent, Aider, ClaudeCode, Codex, Exchange, OpenCode, QwenCode, Reply, ToolResult, job
from lanewise.demo.script import Label, Purpose
from lanewise.demo.toolbox import DELEGATES, perform
from lanewise.demo.truth import Task
from lanewise.demo.workspace import Workspace, diff, paths_in
from lanewise.journey import Dialect, Value

Client: TypeAlias = Literal["claude-code", "codex", "opencode", "qwen-code", "aider", "pipeline"]

Script: TypeAlias = Generator[Exchange, Reply, None]

MAX_STEPS = 16
"""A loop is cut here, so that a model that never stops cannot hold the demo."""


class Session(Value, frozen=True, kw_only=True):
    """One conversation of the day, before it is played."""

    key: str
    client: Client
    tasks: tuple[Task, ...]
    followups: tuple[str, ...] = ()
    """What the user types after each task; an empty text means nothing."""
    search: Task | None = None
    """A sub-agent's task, where the first task hands one out."""
    compacts: bool = False
    """The conversation is summarised after its last task and goes on with one more follow-up."""
    version: str = ""
    """The client's version where the demo knows two."""


class Player:
    """Plays sessions for one seed, model and date."""

    def __init__(self, seed: int, model: str, date: str) -> None:
        self._seed = seed
        self._model = model
        self._date = date

    def play(self, session: Session) -> Script:
        """The session's requests, in order."""
        rng = random.Random(f"{self._seed}:{session.key}")  # noqa: S311 - a replayable day, not a secret
        if session.client == "pipeline":
            return self._jobs(session, rng)
        if session.client == "aider":
            return self._aider(session, rng)
        return self._loop(session, self._agent(session, rng), rng)

    def _jobs(self, session: Session, rng: random.Random) -> Script:
        dialects: tuple[Dialect, ...] = ("chat", "responses")
        for number, task in enumerate(session.tasks):
            yield job(task, self._model, dialects[number % 2], rng, Label(task=task.key))

    def _aider(self, session: Session, rng: random.Random) -> Script:
        agent = Aider(session.key, self._model, paths_in(session.tasks[0].ask, rng, 1)[0])
        for task in session.tasks:
            agent.say(task.ask)
            agent.hear((yield agent.call(Label(task=task.key))))
            yield agent.commit(diff(rng, 1), Label(task=task.key, purpose="commit"))

    def _agent(self, session: Session, rng: random.Random) -> Agent:
        session_id = _uuid(rng)
        match session.client:
            case "codex":
                return Codex(session_id, self._model, self._date)
            case "opencode":
                return OpenCode(f"ses_{session_id.hex[:24]}", self._model)
            case "qwen-code":
                return QwenCode(session_id.hex, self._model, self._date)
            case _:
                return ClaudeCode(session_id, self._model, session.version)

    def _loop(self, session: Session, agent: Agent, rng: random.Random) -> Script:
        workspace = Workspace(rng)
        first = session.tasks[0]
        if title := agent.title(first.ask, Label(task=first.key, purpose="title")):
            yield title
        search = session.search
        for task, followup in zip(session.tasks, session.followups, strict=True):
            agent.say(task.ask)
            yield from self._work(agent, workspace, task, "work", search, rng)
            search = None
            if followup:
                agent.say(followup)
                yield from self._work(agent, workspace, task, "followup", None, rng)
        last = session.tasks[-1]
        if session.compacts and (summary := agent.compaction(Label(task=last.key, purpose="compaction"))):
            agent.resume((yield summary).text)
            agent.say("go on")
            yield from self._work(agent, workspace, last, "followup", None, rng)

    def _work(
        self,
        agent: Agent,
        workspace: Workspace,
        task: Task,
        purpose: Purpose,
        search: Task | None,
        rng: random.Random,
    ) -> Script:
        """Ask, run the tools that the answer calls, report, and so on until an answer calls none."""
        failures = 0
        for step in range(MAX_STEPS):
            label = Label(task=task.key, purpose=purpose, step=step, failures=failures, search=search is not None)
            reply = yield agent.call(label)
            agent.hear(reply)
            if not reply.tool_calls:
                return
            results = []
            for call in reply.tool_calls:
                if call.name in DELEGATES and search is not None:
                    text, failed = (yield from self._delegate(search, rng)), False
                else:
                    text, failed = perform(workspace, call)
                failures += failed
                results.append(ToolResult(call_id=call.id, text=text, failed=failed))
            agent.report(results)

    def _delegate(self, task: Task, rng: random.Random) -> Generator[Exchange, Reply, str]:
        """A sub-agent's own conversation; returns what it reports."""
        agent = ClaudeCode(_uuid(rng), self._model, "2.1.330", agent_id=f"a{rng.randrange(16**12):012x}")
        workspace = Workspace(rng)
        agent.say(task.ask)
        for step in range(MAX_STEPS):
            reply = yield agent.call(Label(task=task.key, purpose="search", step=step))
            agent.hear(reply)
            if not reply.tool_calls:
                return reply.text
            agent.report([ToolResult(call_id=c.id, text=perform(workspace, c)[0]) for c in reply.tool_calls])
        return "The search was stopped."


def _uuid(rng: random.Random) -> uuid.UUID:
    return uuid.UUID(int=rng.getrandbits(128), version=4)
