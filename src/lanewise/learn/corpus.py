"""Labels joined to the texts they were made of: what the student learns from and is scored on.

Texts are never part of the project: the caller names the folder that has them, and a label whose text is missing
or has changed is refused. Benchmark prompts are taken for skills that real turns rarely show, and only where
the licence lets derived weights be given away. Knows files and weights of rows; knows no model.
"""

from __future__ import annotations

import gzip
import hashlib
import random
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path

import msgspec
import numpy as np

from lanewise.classify import harness
from lanewise.classify.student import SKILLS, Context, Floats
from lanewise.errors import LanewiseError
from lanewise.journey import Skill, Value

POOL = "wild_pool.jsonl.gz"
BENCHMARK = "labelled.jsonl.gz"
LABELS = "agent_turns.jsonl"

SEED = 7
_PER_RARE_SKILL = 60
_BENCHMARK_SHARE = 0.03
"""Of the weight before the cap. Benchmark prompts look unlike real turns: 3 % scored above 6 % and 12 %."""

_SMALL_REPOSITORY_FACTOR = 2.0
"""A turn of a repository with few turns says more about the unseen ones than the thousandth turn of one."""

_SMALL_TURNS = 200
LARGEST_SHARE = 1 / 3
_OPEN = frozenset({"MIT", "Apache-2.0", "CC-BY-4.0", "CC0-1.0"})
_RARE = frozenset(
    {
        "test_writing",
        "documentation",
        "commit_changelog",
        "code_translation",
        "data_sql",
        "codebase_search",
        "summarization",
        "general_chat",
    }
)
_COARSE = {
    "translation": "code_translation",
    "sql_data": "data_sql",
    "code_search": "codebase_search",
    "commit_message": "commit_changelog",
}


class CorpusError(LanewiseError):
    """Texts and labels do not fit each other."""

    code = "corpus_error"


class Example(Value, frozen=True, kw_only=True):
    """One labelled turn."""

    source: str
    """The repository of a real turn, or `benchmark:` and the name of the set."""
    licence: str
    session: str = ""
    turn_index: int = 0
    text: str
    context: Context = Context()
    skill: Skill
    second: Skill | None = None
    sure: int = 3
    followup: bool = False

    @property
    def real(self) -> bool:
        """A turn somebody really wrote to an agent."""
        return not self.source.startswith("benchmark:")


class _Label(msgspec.Struct, frozen=True):
    id: str
    sha256: str
    turn: str
    skill: Skill
    second: Skill | None = None
    sure: int = 3


class _Turn(msgspec.Struct, frozen=True):
    id: str
    repo: str
    license: str
    session: str
    turn_index: int
    prompt: str
    prev_prompts: list[str] = []
    prev_answer_head: str = ""
    prev_answer_tail: str = ""
    prev_tools: dict[str, int] = {}


class _Row(msgspec.Struct, frozen=True):
    text: str
    skill: str
    source: str
    license: str


class Corpus(Value, frozen=True, kw_only=True):
    """All examples, real ones first in the order of their sessions."""

    examples: tuple[Example, ...]
    data_sha256: str
    """Over the bytes of the pool, the benchmark file and the labels."""

    def weights(self) -> Floats:
        """The share of each example in training; no repository holds more than `LARGEST_SHARE`."""
        turns = Counter(example.source for example in self.examples)
        rows = [
            _SMALL_REPOSITORY_FACTOR if example.real and turns[example.source] < _SMALL_TURNS else 1.0
            for example in self.examples
        ]
        weights = np.array(rows)
        real = np.array([example.real for example in self.examples])
        if not real.all():
            weights[~real] *= _BENCHMARK_SHARE / (1 - _BENCHMARK_SHARE) * weights[real].sum() / weights[~real].sum()
        sources = np.array([example.source for example in self.examples])
        return _capped(weights, [sources == name for name in turns if not name.startswith("benchmark:")])


def _capped(weights: np.ndarray, groups: list[np.ndarray]) -> Floats:
    """`weights` with sum 1 and no group above its cap, which shrinks to the group's even share where need be."""
    cap = max(LARGEST_SHARE, 1 / max(1, len(groups)))
    for _ in range(100):
        for group in groups:
            held, rest = weights[group].sum(), weights[~group].sum()
            if rest and held > cap * (held + rest):
                weights[group] *= cap * rest / (1 - cap) / held
    shares: Floats = (weights / weights.sum()).astype(np.float32)
    return shares


def read(data: Path, labels: Path) -> Corpus:
    """The corpus of the folder with the texts and the folder with the labels.

    Raises:
        CorpusError: A file is missing, or a label does not belong to the text of its id.
    """
    paths = (data / POOL, data / BENCHMARK, labels / LABELS)
    for path in paths:
        if not path.is_file():
            raise CorpusError(f"no file {path.name!r} in {str(path.parent)!r}", hint="see `--data` and `--labels`")
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in paths)).hexdigest()
    real = sorted(_real(paths[0], paths[2]), key=lambda one: (one.source, one.session, one.turn_index))
    return Corpus(examples=(*real, *_benchmark(paths[1])), data_sha256=digest)


def _real(pool: Path, labels: Path) -> Iterator[Example]:
    with gzip.open(pool) as lines:
        turns = {turn.id: turn for turn in map(msgspec.json.Decoder(_Turn).decode, lines)}
    for line in labels.read_bytes().splitlines():
        label = msgspec.json.decode(line, type=_Label)
        turn = turns.get(label.id)
        if turn is None or hashlib.sha256(turn.prompt.encode()).hexdigest()[:16] != label.sha256:
            raise CorpusError(
                f"label {label.id!r} has no text of its hash in {pool.name!r}", hint="use the pool it names"
            )
        yield Example(
            source=turn.repo,
            licence=turn.license,
            session=turn.session,
            turn_index=turn.turn_index,
            text=harness.spoken(turn.prompt),
            context=Context(
                prompts=tuple(map(harness.spoken, turn.prev_prompts)),
                answer_head=turn.prev_answer_head,
                answer_tail=turn.prev_answer_tail,
                tools=tuple(sorted(turn.prev_tools)),
            ),
            skill=label.skill,
            second=label.second,
            sure=label.sure,
            followup=label.turn == "followup",
        )


def _benchmark(path: Path) -> Iterator[Example]:
    by_skill: dict[str, list[_Row]] = defaultdict(list)
    with gzip.open(path) as lines:
        for row in map(msgspec.json.Decoder(_Row).decode, lines):
            skill = _COARSE.get(row.skill, row.skill)
            if skill in _RARE and row.license in _OPEN and not row.source.startswith("wild"):
                by_skill[skill].append(row)
    chance = random.Random(SEED)  # noqa: S311  a draw of training rows, repeatable on purpose
    for skill in SKILLS:
        rows = by_skill.get(skill, [])
        for row in chance.sample(rows, min(_PER_RARE_SKILL, len(rows))):
            yield Example(
                source=f"benchmark:{row.source}", licence=row.license, text=harness.spoken(row.text), skill=skill
            )
