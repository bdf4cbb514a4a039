"""The invented repository the demo's agents work in: its files, its searches, the result of its tests.

Everything follows from names and the seed, so that a day replays byte for byte. The one thing it remembers is whether
the last edit of a task was sound: an unsound one leaves `UNSOUND` in the code, and then the tests fail.
"""

from __future__ import annotations

import random
import re

UNSOUND = "raise NotImplementedError"
"""What the code of a model that failed the task contains; the simulated test run finds it."""

AREAS = ("manifests", "dispatch", "parcels", "billing", "routes", "depots", "events", "auth", "labels", "handheld")
NOUNS = (
    "parcel",
    "manifest",
    "depot",
    "courier",
    "route",
    "label",
    "scan",
    "window",
    "invoice",
    "slot",
    "leg",
    "event",
)
VERBS = ("load", "merge", "assign", "validate", "collect", "render", "publish", "split", "confirm", "resolve", "price")
TRAITS = ("open", "late", "pending", "damaged", "returned", "bulky", "insured", "local", "stale", "empty", "signed")
_PATH = re.compile(r"\b[\w.-]+(?:/[\w.-]+)+\.\w+\b")

FUNCTION = '''
def {verb}_{noun}s({noun}s: list[{Noun}], {trait}: bool = False) -> list[{Noun}]:
    """{Verb} every {noun} of the list and leave {trait} ones {fate}."""
    kept: list[{Noun}] = []
    for {noun} in {noun}s:
        if {noun}.is_{trait} and not {trait}:
            log.debug("{noun}.skipped", {noun}={noun}.id, reason="{trait}")
            continue
        {other} = {other}s.for_{noun}({noun}.{other}_id)
        if {other} is None:
            raise {Noun}Error(f"no {other} for {noun} {{{noun}.id}}")
        kept.append({noun}.with_{other}({other}))
    return kept
'''


def paths_in(text: str, rng: random.Random, count: int) -> list[str]:
    """`count` files that a task is about: those it names first, then likely ones."""
    named = list(dict.fromkeys(_PATH.findall(text)))
    while len(named) < count:
        named.append(f"harbour/{rng.choice(AREAS)}/{rng.choice(VERBS)}_{rng.choice(NOUNS)}.py")
    return named[:count]


def source(path: str, functions: int) -> str:
    """The text of the file at `path`: a module of about 620 characters per function."""
    rng = random.Random(path)  # noqa: S311 - invented text, not a secret
    area = path.split("/")[-2] if "/" in path else "harbour"
    head = f'"""{area.capitalize()}: {rng.choice(VERBS)} and {rng.choice(VERBS)} what the depots send."""\n\n'
    return (
        head
        + "import logging\n\nlog = logging.getLogger(__name__)\n\n"
        + "\n".join(function(rng) for _ in range(functions))
    )


def function(rng: random.Random) -> str:
    """One function of the invented code base."""
    noun, other = rng.sample(NOUNS, 2)
    verb, trait = rng.choice(VERBS), rng.choice(TRAITS)
    return FUNCTION.format(
        verb=verb,
        Verb=verb.capitalize(),
        noun=noun,
        Noun=noun.capitalize(),
        other=other,
        trait=trait,
        fate=rng.choice(("out", "untouched", "for the next run", "to the caller")),
    )


def numbered(text: str) -> str:
    """`text` as the agents' read tools return it."""
    return "\n".join(f"{number:>5}\t{line}" for number, line in enumerate(text.splitlines(), start=1))


def tree() -> str:
    """The folder listing that some agents put before the first question."""
    rng = random.Random("tree")  # noqa: S311 - invented text, not a secret
    lines = ["harbour/"]
    for area in AREAS:
        lines.append(f"  {area}/")
        lines += [
            f"    {verb}_{noun}.py" for verb, noun in zip(rng.sample(VERBS, 4), rng.sample(NOUNS, 4), strict=True)
        ]
    return "\n".join([*lines, "kiosk/src/", "  eta.ts", "  timeline.tsx", "ferry/cmd/", "  main.go", "docs/", "tests/"])


class Workspace:
    """What the tools of one session answer."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._unsound = False

    def read(self, path: str) -> str:
        """A file's content with line numbers."""
        return numbered(source(path, 4 + self._rng.randrange(6)))

    def search(self, pattern: str) -> str:
        """Hits of a search as path:line: text."""
        hits = []
        for _ in range(6 + self._rng.randrange(10)):
            path = paths_in("", self._rng, 1)[0]
            noun = self._rng.choice(NOUNS)
            hits.append(f"{path}:{self._rng.randrange(8, 240)}:    {pattern}({noun}, {self._rng.choice(TRAITS)}=True)")
        return "\n".join(hits)

    def edit(self, path: str, new_text: str) -> str:
        """Take a change; remembers whether it is sound."""
        self._unsound = UNSOUND in new_text
        return f"The file {path} has been updated."

    def run(self, command: str) -> tuple[str, bool]:
        """Output of a shell command, and whether it failed (only test runs can)."""
        if not re.search(r"pytest|npm test|go test", command):
            return self._listing(command), False
        passed = 12 + self._rng.randrange(60)
        if not self._unsound:
            return f"{'.' * passed}\n{passed} passed in {passed / 31:.2f}s", False
        noun = self._rng.choice(NOUNS)
        trace = (
            f"____ test_{noun}_is_kept ____\n\n    def test_{noun}_is_kept():\n>       result = run({noun})\n\n"
            f"E       NotImplementedError: {noun} without a depot\n"
        )
        return f"{'.' * passed}F\n{trace}\n1 failed, {passed} passed in {passed / 31:.2f}s", True

    def _listing(self, command: str) -> str:
        if "git" not in command:
            return "\n".join(f"{self._rng.randrange(900, 64_000):>7} {n}" for n in paths_in("", self._rng, 9))
        if "log" in command:
            return commits(self._rng, 14)
        return diff(self._rng, 3)


def commits(rng: random.Random, count: int) -> str:
    """`count` lines of a git log."""
    return "\n".join(
        f"{rng.randrange(16**7):07x} {rng.choice(AREAS)}: {rng.choice(VERBS)} {rng.choice(TRAITS)} {rng.choice(NOUNS)}s"
        for _ in range(count)
    )


def diff(rng: random.Random, files: int) -> str:
    """A unified diff over `files` files."""
    parts = []
    for path in paths_in("", rng, files):
        body = function(rng).strip("\n").splitlines()
        changed = [("+" if rng.random() < 0.4 else "-" if rng.random() < 0.2 else " ") + line for line in body]
        parts.append(
            f"diff --git a/{path} b/{path}\n--- a/{path}\n+++ b/{path}\n@@ -12,9 +12,13 @@\n" + "\n".join(changed)
        )
    return "\n".join(parts)
