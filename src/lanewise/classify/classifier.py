"""Layer 1 as one object: a request in, its turn, skill, features and identity out.

Structure first, because most calls of an agent are continuations and housekeeping and need no words read; then the
session, which hands a task's label on; then, for a new task only, the words. Pure but for the session book: no
sockets, no files after construction, no clock of its own.
"""

from __future__ import annotations

import datetime as dt

from lanewise.classify import harness
from lanewise.classify.features import Ask, features, measure
from lanewise.classify.rules import Rules
from lanewise.classify.session import Memory, SessionBook
from lanewise.classify.structure import Sighting, Structure
from lanewise.journey import Caller, Housekeeping, Identity, Reading, Request, Skill, SkillLabel

_HOUSEKEEPING_SKILL: dict[Housekeeping, Skill] = {
    "title": "summarization",
    "topic": "summarization",
    "summary": "summarization",
    "compaction": "summarization",
    "memory": "summarization",
    "commit_message": "commit_changelog",
}
"""What a harness call is about; the rest are small questions without a skill of their own."""

_PLAN_MODE = "Plan mode is active"
"""Claude Code's reminder to the model while the user plans; it decides the skill whatever the words are."""

_SDKS = frozenset({"unknown", "litellm", "langchain", "openai-sdk", "anthropic-sdk"})
"""Clients that are somebody's own program, not a coding agent."""


class Classifier:
    """Reads requests. One per process: it remembers the sessions it has seen."""

    def __init__(self, *, structure: Structure, rules: Rules, sessions: SessionBook) -> None:
        self._structure = structure
        self._rules = rules
        self._sessions = sessions

    @classmethod
    def load(cls) -> Classifier:
        """A classifier with the sentinels that ship with the package and an empty session book."""
        return cls(structure=Structure.load(), rules=Rules.load(), sessions=SessionBook())

    def read(self, request: Request, caller: Caller, now: dt.datetime) -> Reading:
        """All that layer 1 says of `request`. Never raises on what a client sends.

        Args:
            request: The call, peeked at by `wire`.
            caller: Who asks.
            now: The time of the call, aware; it enters the id of a new task.
        """
        seen = self._structure.look(request)
        identity, memory = self._sessions.place(request, seen, caller, now)
        if memory is None:
            label, ask = _housekeeping_label(seen), Ask()
        else:
            label, ask = self._label_and_ask(request, seen, identity, memory)
        return Reading(
            turn=seen.turn,
            label=label,
            features=features(request, seen.turn, ask, identity, caller, headless=seen.headless),
            identity=identity,
        )

    def _label_and_ask(
        self, request: Request, seen: Sighting, identity: Identity, memory: Memory
    ) -> tuple[SkillLabel, Ask]:
        """The task's label and measures: read once where the task begins, handed on to the calls that serve it."""
        if memory.label is not None:
            kept = memory.label
            if not identity.new_task and kept.source != "inherited":
                kept = memory.label = SkillLabel(
                    skill=kept.skill,
                    confidence=kept.confidence,
                    second=kept.second,
                    abstained=kept.abstained,
                    source="inherited",
                )
            return kept, memory.ask
        words = seen.spoken or _task_words(request)
        memory.ask = measure(words)
        memory.label = self._read_skill(request, seen, words)
        return memory.label, memory.ask

    def _read_skill(self, request: Request, seen: Sighting, words: str) -> SkillLabel:
        if seen.skill is not None:
            return SkillLabel(skill=seen.skill, confidence=1.0, source="structure")
        if any(_PLAN_MODE in message.text for message in request.recent[-2:]):
            return SkillLabel(skill="planning", confidence=1.0, source="structure")
        return self._rules.label(words, agentic=bool(request.tool_names) or seen.turn.client not in _SDKS)


def _task_words(request: Request) -> str:
    """What the user last wrote, for a tool loop met in its middle; the first message where that scrolled off."""
    for message in reversed(request.recent):
        if message.role == "user" and (words := harness.spoken(message.text)):
            return words
    return harness.spoken(request.first_user.text) if request.first_user else ""


def _housekeeping_label(seen: Sighting) -> SkillLabel:
    kind = seen.turn.housekeeping
    skill = _HOUSEKEEPING_SKILL.get(kind, "general_chat") if kind else "general_chat"
    return SkillLabel(skill=skill, confidence=1.0, source="structure")
