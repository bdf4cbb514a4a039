"""Name the skill of a user's words by a small learned model: rules as its prior, hashed n-grams and context on top.

One table of weights, read by hash: a feature is a bucket, a bucket a row of 16 numbers, one for each skill and one for
"this turn carries no skill of its own". A text costs a few thousand row look-ups and no matrix product, which is why
the model answers in less than a millisecond without a vocabulary. Rules stand in as an offset and not as a
feature: where the training data are silent, the answer is what the rules say.

This file knows how features are made and how weights are asked, not how they were learned: that is
`learn.student`, which makes the artefact out of the very functions below. Nothing on the request path uses it yet:
`docs/concepts/model-card.md` has the figures and the reason.
"""

from __future__ import annotations

import io
import math
import re
import zlib
from importlib import resources
from typing import TypeAlias, get_args

import numpy as np
import numpy.typing as npt

from lanewise.classify.harness import HEAD_CHARS, TAIL_CHARS
from lanewise.classify.prose import part
from lanewise.classify.rules import Rules
from lanewise.classify.structure import is_followup
from lanewise.errors import StartError
from lanewise.journey import Skill, Value

SKILLS: tuple[Skill, ...] = get_args(Skill)
OUTPUTS = len(SKILLS) + 1
"""A column for each skill; the last one is the follow-up gate."""

RULE_WEIGHT = 1.2
"""Log-odds per point of the rules. Of 0.4, 0.8 and 1.2 the best on repositories left out."""

STAY = 0.3
"""How much of a session's previous skill is believed of the next turn; with `STAY_POWER` set by hand, see the card."""

STAY_POWER = 0.3

_DEFAULT_POINTS = 0.75
_CONTEXT_CHARS = 300
_CHAR_NGRAM_CHARS = 700
"""How much text is cut into character n-grams: they catch typos and word forms, and heads and tails have enough."""

_BLOCKS = {"words": 1 << 15, "chars": 1 << 15, "asked": 1 << 14, "head": 1 << 13, "tail": 1 << 13, "tools": 1 << 10}
"""Buckets of each kind of feature; sizes follow how many distinct features 3,000 turns have."""

_SHARES = {"words": 1.0, "chars": 1.0, "asked": 0.5, "head": 0.5, "tail": 0.5, "tools": 0.3}
"""Squared length of each block's part of the feature vector: what the user writes outweighs what came before."""

_STARTS = dict(zip(_BLOCKS, np.cumsum([0, *_BLOCKS.values()]).tolist(), strict=False))
BUCKETS = sum(_BLOCKS.values())

_DENSE_SHARE = math.sqrt(0.1)

_WORD = re.compile(r"[a-z0-9_/.#+'-]*[a-z0-9_/#+]|[?!]|[^\x00-\x7f]+")
_SHAPES = tuple(
    re.compile(pattern)
    for pattern in (
        r"\?",
        r"\?\s*\Z",
        r"```",
        r"Traceback|Error:|Exception|error\[",
        r"\S:\d+",
        r"@\w",
        r"https?://",
        r"\A\s*[/$>]",
        r"\.(?:md|mdx|rst|txt)\b",
        r"\.(?:py|ts|js|go|tsx|jsx|rs)\b",
        r"\A\s*\d+[.)]|\n\s*[-*\d]",
        r"\[?[Ii]mage",
        r"(?i)\btest",
        r"[{};]\s*\n",
        r"\A(?i:yes|no|ok|yep|sure|go)\b",
        r"(?i:please)",
        r"\A\s*[A-Z]",
        r"(?i:not work|doesn|don't|still|wrong|broken|fail|missing|empty)",
        r"\$|npm |pip |git |docker",
    )
)
_LENGTHS = (15, 40, 80, 160, 400, 1_000)
DENSE = 2 * len(SKILLS) + len(_SHAPES) + 3 + len(_LENGTHS) + 1 + 4

Floats: TypeAlias = npt.NDArray[np.float32]
Indices: TypeAlias = npt.NDArray[np.int64]


class Context(Value, frozen=True, kw_only=True):
    """What came before a turn. All of it may be absent; texts are cut to their nearest ends."""

    prompts: tuple[str, ...] = ()
    """Earlier prompts of the session, oldest first; the last one is read."""
    answer_head: str = ""
    answer_tail: str = ""
    """Both ends of the agent's last answer."""
    tools: tuple[str, ...] = ()
    """Tools that the last answer called."""
    previous: tuple[float, ...] = ()
    """What `Student.probabilities` said of the turn before; empty at the start of a session."""


NO_CONTEXT = Context()


class Marks(Value, frozen=True, kw_only=True):
    """A turn as the model reads it."""

    buckets: Indices
    values: Floats
    """The value of each bucket, equal within a block."""
    dense: Floats
    offset: Floats
    """Log-odds the rules give each skill; 0 for the gate."""


class Student:
    """A trained table, ready to be asked. Immutable after construction and safe to share."""

    def __init__(self, *, table: Floats, dense: Floats, bias: Floats, temperature: float, rules: Rules) -> None:
        self._table = table
        self._dense = dense
        self._bias = bias
        self._temperature = temperature
        self._rules = rules

    @classmethod
    def load(cls, rules: Rules | None = None) -> Student:
        """The student that ships with the package.

        Raises:
            StartError: The artefact was made for other features than these.
        """
        raw = resources.files(__package__).joinpath("student.npz").read_bytes()
        return cls.of(raw, rules or Rules.load())

    @classmethod
    def of(cls, artefact: bytes, rules: Rules) -> Student:
        """The student in the bytes of an `.npz` made by `learn.student`; raises as `load`."""
        with np.load(io.BytesIO(artefact), allow_pickle=False) as parts:
            table, dense, bias = (parts[name].astype(np.float32) for name in ("table", "dense", "bias"))
            temperature = float(parts["temperature"])
        if table.shape != (BUCKETS, OUTPUTS) or dense.shape != (DENSE, OUTPUTS):
            raise StartError(
                f"the student's tables have shapes {table.shape} and {dense.shape}, "
                f"not {(BUCKETS, OUTPUTS)} and {(DENSE, OUTPUTS)}",
                hint="build it again with `lanewise learn student`",
            )
        return cls(table=table, dense=dense, bias=bias, temperature=temperature, rules=rules)

    def probabilities(self, text: str, context: Context = NO_CONTEXT) -> tuple[float, ...]:
        """The calibrated probability of each skill, in the order of `SKILLS`; they sum to 1. Never raises on a text.

        Args:
            text: What the user wrote, harness text removed; only head and tail of a long one are read.
            context: What came before in the session.
        """
        found = marks(text, context, self._rules)
        scores = found.values @ self._table[found.buckets] + found.dense @ self._dense + self._bias + found.offset
        return tuple(carried(scores, context.previous, self._temperature).tolist())


def carried(scores: Floats, previous: tuple[float, ...], temperature: float) -> Floats:
    """Probabilities from the 16 scores of a turn and the probabilities of the turn before it.

    A skill that went before is likelier, and to the degree the gate takes the turn for a follow-up it is inherited:
    `(1 - gate) x own + gate x previous`. The temperature is applied last, so that what leaves is calibrated.
    """
    own = softmax(scores[:-1])
    if previous:
        before = np.asarray(previous, np.float32)
        own = own * ((1 - STAY) / len(SKILLS) + STAY * before) ** STAY_POWER
        gate = 1 / (1 + math.exp(-max(-30.0, min(30.0, float(scores[-1])))))
        own = (1 - gate) * own / own.sum() + gate * before
    return softmax(np.log(own + 1e-9) / temperature)


def softmax(scores: Floats) -> Floats:
    """Probabilities along the last axis."""
    powers = np.exp(scores - scores.max(axis=-1, keepdims=True))
    shares: Floats = (powers / powers.sum(axis=-1, keepdims=True)).astype(np.float32)
    return shares


def marks(text: str, context: Context, rules: Rules) -> Marks:
    """The features of a turn."""
    if len(text) > HEAD_CHARS + TAIL_CHARS:
        text = text[:HEAD_CHARS] + "\n" + text[-TAIL_CHARS:]
    asked = context.prompts[-1][:_CONTEXT_CHARS] if context.prompts else ""
    tail = context.answer_tail[-_CONTEXT_CHARS:]
    points = _points(rules, text)
    blocks = {
        "words": _word_hashes(text, ends=3),
        "chars": _char_hashes(text),
        "asked": _word_hashes(asked, ends=2),
        "head": _word_hashes(context.answer_head[:_CONTEXT_CHARS], ends=4),
        "tail": _word_hashes(tail, ends=4),
        "tools": np.unique(np.array([_hash(name) for name in context.tools], np.int64)),
    }
    buckets, values = [], []
    for name, hashes in blocks.items():
        if len(hashes):
            buckets.append(_STARTS[name] + hashes % _BLOCKS[name])
            values.append(np.full(len(hashes), math.sqrt(_SHARES[name] / len(hashes)), np.float32))
    offset = np.zeros(OUTPUTS, np.float32)
    offset[:-1] = RULE_WEIGHT * points
    offset[SKILLS.index("code_generation")] += RULE_WEIGHT * _DEFAULT_POINTS
    earlier = _points(rules, asked) if asked else np.zeros(len(SKILLS))
    said = (bool(asked), "?" in tail[-80:], "```" in context.answer_head, bool(context.tools))
    dense = np.concatenate([np.log1p(points), np.log1p(earlier), _shape(text), np.array(said, float)])
    return Marks(
        buckets=np.concatenate(buckets) if buckets else np.zeros(0, np.int64),
        values=np.concatenate(values) if values else np.zeros(0, np.float32),
        dense=(dense * _DENSE_SHARE).astype(np.float32),
        offset=offset,
    )


def _points(rules: Rules, text: str) -> npt.NDArray[np.float64]:
    found = rules.points(text)
    return np.array([found.get(skill, 0.0) for skill in SKILLS])


def _shape(text: str) -> npt.NDArray[np.float64]:
    parted = part(text)
    size = len(text)
    bounds = (0, *_LENGTHS, 1 << 60)
    return np.array(
        [
            *(bool(shape.search(text)) for shape in _SHAPES),
            is_followup(text),
            min(1.0, math.log1p(size) / 7),
            parted.code_chars / max(1, parted.chars),
            *(low <= size < high for low, high in zip(bounds, bounds[1:], strict=False)),
        ],
        float,
    )


def _hash(text: str) -> int:
    return zlib.crc32(text.encode("utf-8", "surrogatepass"))


def _word_hashes(text: str, *, ends: int) -> Indices:
    """Hashes of the distinct words and word pairs of `text`, and of its first and last `ends` words as such."""
    words = _WORD.findall(text.lower().replace("\u2019", "'"))
    grams = {*words, *map(" ".join, zip(words, words[1:], strict=False))}
    grams.update("^" + word for word in words[:ends])
    grams.update("$" + word for word in words[-ends:])
    if words:
        grams.update(("^^" + words[0], "^^" + " ".join(words[:2])))
    return np.unique(np.fromiter(map(_hash, grams), np.int64, len(grams)))


def _char_hashes(text: str) -> Indices:
    """Hashes of the distinct runs of 3 to 5 bytes of the words of `text`."""
    joined = " ".join(_WORD.findall(text.lower().replace("\u2019", "'")))
    if len(joined) > _CHAR_NGRAM_CHARS:
        joined = joined[: _CHAR_NGRAM_CHARS * 2 // 3] + " " + joined[-_CHAR_NGRAM_CHARS // 3 :]
    data = np.frombuffer(f" {joined} ".encode("utf-8", "surrogatepass"), np.uint8).astype(np.uint32)
    found = []
    for size in range(3, 6):
        count = len(data) - size + 1
        if count < 1:
            break
        # FNV's multiply and xor, then a finaliser: the low bits, which choose the bucket, must depend on every byte.
        run = np.full(count, size, np.uint32)
        for at in range(size):
            run = run * np.uint32(0x01000193) ^ data[at : at + count]
        run ^= run >> np.uint32(15)
        run *= np.uint32(0x85EBCA6B)
        found.append(run ^ run >> np.uint32(13))
    return np.unique(np.concatenate(found)).astype(np.int64) if found else np.zeros(0, np.int64)
