"""Layer 1 as one object: a request in, its turn, skill, features and identity out.

Structure first, because most calls of an agent are continuations and housekeeping and need no words read; then the
session, which hands a task's label on; then, where the user has said something, the student, with the cues of the
rules and what the session was about. Pure but for the session book: no sockets, no files after construction, no clock
of its own.
"""

from __future__ import annotations

import datetime as dt

import msgspec

from lanewise.classify import harness
from lanewise.classify.features import Ask, Course, features, measure
from lanewise.classify.prose import Parted, part
from lanewise.classify.rules import Rules
from lanewise.classify.session import Memory, SessionBook
from lanewise.classify.signals import Signals
from lanewise.classify.structure import ANSWER_ROLES, Sighting, Structure, has_history
from lanewise.classify.student import SKILLS, Student
from lanewise.journey import Caller, Housekeeping, Identity, Reading, Request, SignalCode, Skill, SkillLabel

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

WORDS_CHARS = harness.HEAD_CHARS + harness.TAIL_CHARS
"""Most of a user's words that anybody else is sent; `harness.spoken` leaves head and tail of longer ones."""

_SDKS = frozenset({"unknown", "litellm", "langchain", "openai-sdk", "anthropic-sdk"})
"""Clients that are somebody's own program, not a coding agent."""


class Classifier:
    """Reads requests. One per process: it remembers the sessions it has seen."""

    def __init__(
        self, *, structure: Structure, rules: Rules, student: Student, signals: Signals, sessions: SessionBook
    ) -> None:
        self._structure = structure
        self._rules = rules
        self._student = student
        self._signals = signals
        self._sessions = sessions

    @classmethod
    def load(cls) -> Classifier:
        """A classifier with the data that ships with the package and an empty session book."""
        return cls(
            structure=Structure.load(),
            rules=Rules.load(),
            student=Student.load(),
            signals=Signals.load(),
            sessions=SessionBook(),
        )

    def forgetful(self) -> Classifier:
        """The same with a session book of its own, for a conversation that has nothing to do with the others."""
        return Classifier(
            structure=self._structure,
            rules=self._rules,
            student=self._student,
            signals=self._signals,
            sessions=SessionBook(),
        )

    def read(self, request: Request, caller: Caller, now: dt.datetime) -> Reading:
        """All that layer 1 says of `request`. Never raises on what a client sends.

        Args:
            request: The call, peeked at by `wire`.
            caller: Who asks.
            now: The time of the call, aware; it enters the id of a new task.
        """
        seen = self._structure.look(request)
        identity, memory = self._sessions.place(request, seen, caller, now)
        signals: tuple[SignalCode, ...] = ()
        if memory is None:
            label, ask, course = _housekeeping_label(seen), Ask(), Course()
        else:
            signals = self._newly(request, seen, memory)
            label = self._label(request, seen, identity, memory)
            ask = memory.ask
            course = Course(depth=identity.depth, tasks=memory.tasks, failures=memory.failures, history=memory.history)
        return Reading(
            turn=seen.turn,
            label=label,
            features=features(request, seen.turn, ask, course, caller, headless=seen.headless),
            identity=identity,
            signals=signals,
            failing=self._signals.failing(signals),
        )

    def _newly(self, request: Request, seen: Sighting, memory: Memory) -> tuple[SignalCode, ...]:
        """What the call newly says of how its task goes."""
        if request.operation != "generate":
            return ()
        found = self._signals.read(request, seen.turn, edited_before=memory.edited)
        memory.edited = memory.edited or self._signals.edits(request)
        return tuple(signal.code for signal in found)

    @property
    def sure_from(self) -> float:
        """The confidence from which a label may be acted on, whoever gives it."""
        return self._student.facts.abstain_below

    def words_of(self, request: Request) -> str:
        """What a label of `request` is read from: the user's last words, without the harness's, for somebody else.

        At most `WORDS_CHARS` characters, always valid Unicode.
        """
        words = self._structure.look(request).spoken or _task_words(request)
        return words[:WORDS_CHARS].encode("utf-8", "replace").decode()

    def correct(self, request: Request, caller: Caller, reading: Reading, label: SkillLabel) -> Reading:
        """`reading` with a better `label`, which the calls that serve the same task inherit.

        A task that has ended or found a label of its own in the meantime keeps what it has.
        """
        memory = self._sessions.find(request, self._structure.look(request), caller)
        open_still = memory is not None and memory.task_id == reading.identity.task_id
        if memory is not None and open_still and memory.label is not None and memory.label.abstained:
            memory.label = msgspec.structs.replace(label, asked_pusd=0)
        return msgspec.structs.replace(reading, label=label)

    def _label(self, request: Request, seen: Sighting, identity: Identity, memory: Memory) -> SkillLabel:
        """The task's label: read where the user speaks, handed on to the calls that serve what was said."""
        kept = memory.label
        if kept is not None and not memory.unread:
            if not identity.new_task and kept.source != "inherited":
                kept = memory.label = msgspec.structs.replace(kept, source="inherited")
            return kept
        words = seen.spoken or _task_words(request)
        parted = part(words)
        if kept is None:
            memory.ask = measure(words, parted)
        memory.label = self._read_skill(request, seen, words, parted, memory)
        return memory.label

    def _read_skill(self, request: Request, seen: Sighting, words: str, parted: Parted, memory: Memory) -> SkillLabel:
        if not memory.state and has_history(request):
            memory.state = self._student.recall([part(text).prose or text for text in _earlier_words(request)])
        points = self._rules.points(words, parted)
        guess = self._student.read(words, parted, points, answer=_last_answer(request), state=memory.state)
        before, memory.state = memory.state, guess.state
        if seen.skill is not None:
            return SkillLabel(skill=seen.skill, confidence=1.0, source="structure")
        if any(_PLAN_MODE in message.text for message in request.recent[-2:]):
            return SkillLabel(skill="planning", confidence=1.0, source="structure")
        if not points and not _agentic(request, seen):
            return SkillLabel(skill="general_chat", confidence=0.5, abstained=True, source="default")
        probabilities = guess.probabilities
        if seen.turn.kind == "followup" and before:
            probabilities = tuple(map(_mean, probabilities, before[: len(SKILLS)]))
        return self._concluded(probabilities, memory.label)

    def _concluded(self, probabilities: tuple[float, ...], kept: SkillLabel | None) -> SkillLabel:
        """The label that a guess comes to; a follow-up that the guess does not move keeps its task's label."""
        ranked = sorted(zip(probabilities, SKILLS, strict=True), key=lambda pair: -pair[0])
        (confidence, skill), (_, second) = ranked[:2]
        abstained = confidence < self._student.facts.abstain_below
        if kept is not None and (abstained or kept.skill == skill):
            return msgspec.structs.replace(kept, source="inherited")
        return SkillLabel(
            skill=skill, confidence=round(confidence, 3), second=second, abstained=abstained, source="student"
        )


def _agentic(request: Request, seen: Sighting) -> bool:
    """Whether an agent speaks; a script's text without any cue of work is chat."""
    return bool(request.tool_names) or seen.turn.client not in _SDKS or has_history(request)


def _mean(one: float, two: float) -> float:
    return (one + two) / 2


def _task_words(request: Request) -> str:
    """What the user last wrote, for a tool loop met in its middle; the first message where that scrolled off."""
    for message in reversed(request.recent):
        if message.role == "user" and (words := harness.spoken(message.text)):
            return words
    return harness.spoken(request.first_user.text) if request.first_user else ""


def _last_answer(request: Request) -> str:
    """What the model had said before the user spoke; empty where it had not."""
    earlier = reversed(request.recent)
    for message in earlier:
        if message.role not in ANSWER_ROLES:
            break
    for message in earlier:
        if message.role in ANSWER_ROLES and message.text:
            return message.text
        if message.role == "user" and "text" in message.block_kinds:
            break
    return ""


def _earlier_words(request: Request) -> list[str]:
    """What the user wrote before, in a conversation that is met in its middle."""
    said = [harness.spoken(message.text) for message in request.recent if message.role == "user"]
    return [words for words in said if words][:-1]


def _housekeeping_label(seen: Sighting) -> SkillLabel:
    kind = seen.turn.housekeeping
    skill = _HOUSEKEEPING_SKILL.get(kind, "general_chat") if kind else "general_chat"
    return SkillLabel(skill=skill, confidence=1.0, source="structure")
