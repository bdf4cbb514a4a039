"""What a simulated model says to a call: the next move of the task's plan, sound or not, in sentences made up here.

The words are drawn from the invented code base and carry no meaning beyond their length and shape. Whether an edit is
sound follows from `truth` and the model that was asked, never from who asked or why it was chosen.
"""

from __future__ import annotations

import random

from lanewise.demo.answers import ToolCall
from lanewise.demo.day import Day
from lanewise.demo.script import PLANS, Label, moves
from lanewise.demo.toolbox import calls
from lanewise.demo.truth import Task, solves
from lanewise.demo.workspace import AREAS, NOUNS, TRAITS, VERBS, commits, function, paths_in
from lanewise.journey import Skill, Value

STRANGER = (
    "This is a simulated model of the Lanewise demo. It answers the demo's own traffic by script and everything else "
    "with this sentence."
)

OPENERS = (
    "Let me look at the code first.",
    "I will check how this is used.",
    "Next I look at the callers.",
    "Now the change itself.",
    "Running the tests.",
)

SENTENCES = (
    "The {noun} is read in {path} before the {other} is known, so a {trait} one slips through.",
    "`{verb}_{noun}s` keeps the order of its input and drops {trait} entries.",
    "{path} is the only caller that passes `{trait}=True`.",
    "Nothing else writes to the {other}, which makes the change safe to ship on its own.",
    "The {noun} comes in as text and leaves as a value with its {other} attached.",
    "When the {other} is missing, `{verb}_{noun}s` raises instead of guessing.",
    "Tests for {trait} {noun}s exist, those for an empty {other} do not.",
    "The lookup runs once per {noun}; with ten thousand of them that is the slow part.",
)

FINDINGS = (
    "- {path}:{line} (major): the {other} may be None here; `{verb}_{noun}s` would raise inside the transaction.",
    "- {path}:{line} (minor): `{trait}` shadows the argument of the same name.",
    "- {path}:{line} (major): the {noun} is logged with its address; leave it out.",
    "- {path}:{line} (minor): no test covers a {trait} {noun}.",
)

ENTRIES = (
    "- {Verb}ing {noun}s no longer fails when a {other} is {trait}.",
    "- New: {trait} {noun}s can be filtered in the list.",
    "- `ferry` prints the {other} of every {noun}.",
    "- {Noun}s show their {other} in local time.",
)

STEPS = (
    "{number}. Put the {noun} behind one interface, keep both stores written ({days} days).",
    "{number}. Move the readers of the {other} over, area by area, {area} first.",
    "{number}. Compare both for a week; stop when a {trait} {noun} differs.",
    "{number}. Remove the old path and its settings. Risk: late {other}s.",
)

TEMPLATES: dict[Skill, tuple[str, ...]] = {
    "code_review": FINDINGS,
    "commit_changelog": ENTRIES,
    "summarization": ENTRIES,
    "planning": STEPS,
}
"""Skills whose answers are lists; the rest is prose."""

CODE_SKILLS = {"documentation", "test_writing", "code_translation", "code_generation", "refactoring"}
"""Skills whose answer without tools is code."""


class Utterance(Value, frozen=True, kw_only=True):
    """What a model says, before usage and dialect."""

    text: str
    thinking: str = ""
    tool_calls: tuple[ToolCall, ...] = ()


class Verdict(Value, frozen=True, kw_only=True):
    """Which model gave the answer that decides a task, and whether that solved it."""

    model: str
    solved: bool


class Minds:
    """All simulated models of one day, and the verdicts on what they did."""

    def __init__(self, day: Day) -> None:
        self._seed = day.seed
        self._tasks = day.tasks()
        self.verdicts: dict[str, Verdict] = {}
        """Task key -> its latest verdict."""

    def say(self, label: Label | None, model: str, client: str, call_id: str, *, wants_json: bool) -> Utterance:
        """The answer of `model`.

        Args:
            label: What the call is for; None for a stranger's.
            model: The model the provider was asked for.
            client: The client whose tools the request offers, empty for none.
            call_id: Id of the tool call, if one follows.
            wants_json: The request demands an object with a title.
        """
        task = self._tasks.get(label.task) if label else None
        if label is None or task is None:
            return Utterance(text=STRANGER)
        rng = random.Random(f"{self._seed}:{label.header()}")  # noqa: S311 - invented words
        if label.purpose == "title":
            title = " ".join(task.ask.split()[:6]).rstrip(".,:")
            return Utterance(text=f'{{"title": "{title}"}}' if wants_json else title)
        if label.purpose == "commit":
            return Utterance(text=commits(rng, 1).partition(" ")[2])
        if label.purpose == "compaction":
            return Utterance(text=prose(rng, 24))
        return self._work(label, task, model, client, call_id, rng)

    def _work(self, label: Label, task: Task, model: str, client: str, call_id: str, rng: random.Random) -> Utterance:
        plan = moves(task.skill, label.purpose, label.failures, delegates=label.search)
        move = plan[min(label.step, len(plan) - 1)] if client else "done"
        sound = solves(task, model, self._seed)
        if label.purpose in {"work", "search"} and (
            move == "edit" or (move == "done" and not self._edits(task, client))
        ):
            self.verdicts[task.key] = Verdict(model=model, solved=sound)
        if move == "done":
            return Utterance(text=closing(task, rng, tools=bool(client)), thinking=prose(rng, 1))
        call = calls(client, move, task, call_id, rng, sound=sound)
        return Utterance(text=rng.choice(OPENERS), thinking=prose(rng, 2), tool_calls=(call,))

    @staticmethod
    def _edits(task: Task, client: str) -> bool:
        return bool(client) and "edit" in PLANS[task.skill]


def closing(task: Task, rng: random.Random, *, tools: bool) -> str:
    """The words that end a task: a report where tools did the work, else the work itself."""
    if task.skill in TEMPLATES:
        lines = TEMPLATES[task.skill]
        return "\n".join(fill(rng.choice(lines), rng, number) for number in range(1, 6 + rng.randrange(6)))
    if tools or task.skill not in CODE_SKILLS:
        return prose(rng, 3 + rng.randrange(5))
    path = paths_in(task.ask, rng, 1)[0]
    return f"{prose(rng, 2)}\n\n{path}\n```\n" + "\n".join(function(rng) for _ in range(4)) + "```"


def prose(rng: random.Random, sentences: int) -> str:
    """Sentences about the invented code base."""
    return " ".join(fill(rng.choice(SENTENCES), rng) for _ in range(sentences))


def fill(template: str, rng: random.Random, number: int = 1) -> str:
    """`template` with names of the invented code base."""
    noun, other = rng.sample(NOUNS, 2)
    verb = rng.choice(VERBS)
    return template.format(
        noun=noun,
        Noun=noun.capitalize(),
        other=other,
        verb=verb,
        Verb=verb.capitalize().rstrip("e"),
        trait=rng.choice(TRAITS),
        area=rng.choice(AREAS),
        path=paths_in("", rng, 1)[0],
        line=rng.randrange(9, 400),
        days=rng.randrange(1, 5),
        number=number,
    )
