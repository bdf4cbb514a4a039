"""The rows that a student learns from, out of data files, and how much each counts.

Real agent turns (texts from a pool outside this repository, labels from `labels/`, joined by id and hash) and turns
written for this purpose (`labels/written_turns.jsonl`), some of which retell a real one in another world. Prompts of
public benchmarks are not among them: with 2,400 of them beside the rest, accuracy on repositories left out fell by two
points. It does not know the network.
"""

from __future__ import annotations

import gzip
import hashlib
from collections import Counter, defaultdict
from pathlib import Path
from typing import Final, Literal, TypeVar

import msgspec

from lanewise.classify import harness
from lanewise.errors import InputError
from lanewise.journey import Skill, Value
from lanewise.learn.turns import Label, Turn

Kind = Literal["real", "retold", "invented"]

LARGEST_SHARE: Final = 1 / 3
"""Most of the weight that one repository may have, its retold turns included."""

KIND_WEIGHT: Final[dict[Kind, float]] = {"real": 1.0, "retold": 0.7, "invented": 0.7}
UNSURE_WEIGHT: Final = 0.5
"""What a label counts that its reader called a coin toss."""

OWN_GROUP: Final = "invented"
EARLIER: Final = 3
"""Earlier prompts that are read."""

T = TypeVar("T")


class Row(Value, frozen=True, kw_only=True):
    """One labelled turn."""

    text: str
    """What the user wrote, harness text removed."""
    earlier: tuple[str, ...] = ()
    """The user's prompts before it, oldest first."""
    answer: str = ""
    """What the model had said last; head and tail of a long one."""
    skill: Skill
    second: Skill | None = None
    followup: bool
    sure: Literal[1, 2, 3] = 3
    kind: Kind
    group: str
    """Repository or source: what is left out together when a score is taken."""
    key: str = ""
    """Id of the real turn."""


class _OfRepository(Turn, frozen=True, kw_only=True):
    repo: str


class _Written(msgspec.Struct):
    text: str
    skill: Skill
    turn: Literal["main", "followup"]
    history: list[str] = []
    answer: str = ""
    second: Skill | None = None
    of: str | None = None


def real_turns(pool: Path, labels: Path) -> list[Row]:
    """The turns of `pool` that `labels` has a label for.

    Half of the answers are cut to their heads, since that is all that some callers have.

    Raises:
        InputError: a file cannot be read, or a text is not the one that was labelled.
    """
    by_id = {label.id: label for label in lines_of(labels, Label)}
    rows = []
    for turn in lines_of(pool, _OfRepository):
        label = by_id.get(turn.id)
        if label is None:
            continue
        if turn.sha256 != label.sha256:
            raise InputError(
                f"{pool}: turn {turn.id!r} is not the text that was labelled", hint="get the pool it names"
            )
        head, tail = turn.prev_answer_head, turn.prev_answer_tail
        whole = head if tail in head or int(turn.id[-1], 16) % 2 else f"{head}\n{tail}"
        rows.append(
            Row(
                text=harness.spoken(turn.prompt),
                earlier=tuple(map(harness.spoken, turn.prev_prompts[-EARLIER:])),
                answer=whole,
                skill=label.skill,
                second=label.second,
                followup=label.turn == "followup",
                sure=label.sure,
                kind="real",
                group=turn.repo,
                key=turn.id,
            )
        )
    return rows


def written_turns(path: Path, groups: dict[str, str]) -> list[Row]:
    """The turns of `path`; a retold one belongs to the group of the turn it retells.

    Args:
        path: The data file.
        groups: Group of each real turn by its id.
    """
    return [
        Row(
            text=harness.spoken(turn.text),
            earlier=tuple(turn.history[-EARLIER:]),
            answer=turn.answer,
            skill=turn.skill,
            second=turn.second if turn.second != turn.skill else None,
            followup=turn.turn == "followup",
            kind="retold" if turn.of else "invented",
            group=groups.get(turn.of or "", OWN_GROUP),
        )
        for turn in lines_of(path, _Written)
    ]


class Agreement(Value, frozen=True, kw_only=True):
    """How far two readers of the same turns agree."""

    turns: int
    skill: float
    """Share of turns with the same skill."""
    kappa: float
    """The same, chance taken out (Cohen 1960)."""


def agreement_of(first: Path, second: Path) -> Agreement:
    """Agreement of two label files on the turns that both have.

    Raises:
        InputError: a file cannot be read, or they share no turn.
    """
    by_id = {label.id: label.skill for label in lines_of(first, Label)}
    pairs = [(by_id[label.id], label.skill) for label in lines_of(second, Label) if label.id in by_id]
    if not pairs:
        raise InputError(f"{second} labels no turn of {first}", hint="give a second pass over the same turns")
    same = sum(one == two for one, two in pairs) / len(pairs)
    ones, twos = Counter(one for one, _ in pairs), Counter(two for _, two in pairs)
    chance = sum(ones[skill] * twos[skill] for skill in ones) / len(pairs) ** 2
    return Agreement(turns=len(pairs), skill=same, kappa=(same - chance) / (1 - chance) if chance < 1 else 1.0)


def lines_of(path: Path, kind: type[T]) -> list[T]:
    """The JSON lines of `path`, which may be gzipped.

    Raises:
        InputError: with the line that cannot be read.
    """
    try:
        content = path.read_bytes()
        content = gzip.decompress(content) if path.suffix == ".gz" else content
    except (OSError, EOFError) as error:
        raise InputError(
            f"cannot read {path}: {error}", hint="`lanewise learn student --help` says what each file is"
        ) from error
    decoder = msgspec.json.Decoder(kind)
    found = []
    for number, line in enumerate(content.split(b"\n"), start=1):
        if line.strip():
            try:
                found.append(decoder.decode(line))
            except msgspec.MsgspecError as error:
                raise InputError(f"{path}:{number}: {error}", hint="one JSON object a line") from error
    return found


def weights_of(rows: list[Row]) -> list[float]:
    """What each row counts, 1 on average: by kind and certainty, no repository above `LARGEST_SHARE`."""
    weights = [KIND_WEIGHT[row.kind] * (UNSURE_WEIGHT if row.sure == 1 else 1.0) for row in rows]
    members: defaultdict[str, list[int]] = defaultdict(list)
    for at, row in enumerate(rows):
        if row.group != OWN_GROUP:
            members[row.group].append(at)
    for _ in range(20):  # cutting one group raises the others' shares; a few rounds settle it
        total = sum(weights)
        for group in members.values():
            share = sum(weights[at] for at in group) / total
            if share > LARGEST_SHARE and len(members) > 2:
                for at in group:
                    weights[at] *= LARGEST_SHARE / share
    mean = sum(weights) / len(weights)
    return [weight / mean for weight in weights]


def shares_of(rows: list[Row], weights: list[float]) -> dict[str, float]:
    """Each group's share of the weight, largest first."""
    sums: Counter[str] = Counter()
    for row, weight in zip(rows, weights, strict=True):
        sums[row.group] += weight  # type: ignore[assignment]  # a Counter adds floats as well
    total = sum(sums.values())
    return {group: share / total for group, share in sums.most_common()}


def fingerprint(rows: list[Row]) -> str:
    """SHA-256 over all rows in order: what the student has seen."""
    digest = hashlib.sha256()
    for row in rows:
        digest.update(msgspec.json.encode(row) + b"\n")
    return digest.hexdigest()
