"""The shipped student: a small network that reads a user's words in the light of the conversation before them.

DESIGN
    A word is a vector: its own where training knew it, the mean of its pieces where not. One convolution over three
    neighbours lets "run the tests" and "the tests fail" differ; attention and a maximum over the words make one
    vector of a text. To it come the form of the text with the cues of the rules (`shape`), the words of the answer
    it replies to, and the state of the session: the skills of the earlier texts, each weighed by how much it said
    on its own, since "yes, go on" says nothing. Two layers turn these into a probability per skill; a last output, that
    the text is a follow-up, is learnt along with them and not read here. Beside them words and pairs of words vote for
    skills directly, which a network of this size cannot learn as well from as few rows. All of it is about a dozen
    products of small matrices, in numpy and nothing else.

    Vectors are kept as 8-bit numbers, weights as 16-bit ones. `learn.student` makes the artefact; `words` and
    `shape` are shared with it. It holds no text: a state is sixteen numbers.
"""

from __future__ import annotations

import io
import itertools
import math
from importlib import resources
from typing import Any, Final, TypeAlias, get_args

import msgspec
import numpy as np
import numpy.typing as npt

from lanewise.classify import words
from lanewise.classify.prose import Parted
from lanewise.classify.shape import shape
from lanewise.journey import Skill, Value

SKILLS: Final[tuple[Skill, ...]] = get_args(Skill)
COUNT: Final = len(SKILLS)

HEAD_TOKENS: Final = 40
TAIL_TOKENS: Final = 24
ANSWER_HEAD_TOKENS: Final = 8
ANSWER_TAIL_TOKENS: Final = 24
ANSWER_TAIL_CHARS: Final = 200
"""How much of a text and of the answer before it is read. People ask first or last and paste between; half as much
again cost a third more time and changed the accuracy on repositories left out by less than a point."""

CONTEXT_SIZE: Final = 3
"""Numbers about the context, see `context_of`."""

REMEMBERED_WORDS: Final = 20_000
"""Words outside the vocabulary whose vectors are kept: about 5 MB, then forgotten at once."""

REMEMBERED_TEXTS: Final = 2_048
"""Earlier texts whose numbers are kept: about 0.5 MB."""

Floats: TypeAlias = npt.NDArray[Any]
"""Any: 32 bits when serving, 64 where tests check gradients."""

State: TypeAlias = tuple[float, ...]
"""A probability per skill and a 1, or empty: what the session was about before this text."""


_EIGHT_BIT: Final = ("pieces", "vectors", "votes")
_GATHERED: Final = frozenset({"pieces", "votes"})
"""Large tables of which a text touches a few rows: kept in 16 bits, which halves their memory and costs nothing."""


class Facts(Value, frozen=True, kw_only=True):
    """What an artefact says of itself."""

    version: str
    data_sha256: str
    """Hash of the rows it learnt from."""
    temperature: float
    """Divides the logits, so that a confidence is the share of right answers on repositories left out."""
    abstain_below: float
    """Confidence under which a label should not be acted on."""


class Weights(Value, frozen=True, kw_only=True):
    """The network's parameters as numpy arrays; `d` is the size of a word's vector. Any: numpy's own types."""

    pieces: Any
    """(BUCKETS, d)"""
    vectors: Any
    """(vocabulary, d): whole words, the mean of their pieces included."""
    votes: Any
    """(PHRASES, skills): what words and pairs of words speak for, whatever the network says."""
    measure_votes: Any
    """(measures, skills)"""
    votes_bias: Any
    convolution: Any
    """(3, d, d): the word before, the word, the word after."""
    convolution_bias: Any
    attention: Any
    """(d, heads)"""
    answer_attention: Any
    """(d, heads for the answer)"""
    alone: Any
    """(text, skills + 1): what a text says on its own, and whether it is a follow-up."""
    alone_bias: Any
    hidden: Any
    hidden_bias: Any
    output: Any
    output_bias: Any


class Guess(Value, frozen=True, kw_only=True):
    """What the student makes of a text."""

    probabilities: tuple[float, ...]
    """One per skill, in the order of `SKILLS`."""
    state: State
    """The session's state for the text that comes next."""


class Student:
    """A trained network, ready to read. Safe to share within one thread."""

    def __init__(self, *, facts: Facts, weights: Weights, vocabulary: list[str]) -> None:
        self.facts = facts
        self._weights = weights
        known = len(vocabulary)
        self._table: Floats = np.zeros((known + REMEMBERED_WORDS, weights.vectors.shape[1]), np.float32)
        self._table[:known] = weights.vectors
        self._known = vocabulary
        self._row = {word: row for row, word in enumerate(vocabulary)}
        self._heard: dict[int, Floats] = {}
        self._convolution: Floats = np.concatenate(weights.convolution, axis=1)

    @classmethod
    def load(cls) -> Student:
        """The student that ships with the package."""
        return cls.from_bytes(resources.files(__package__).joinpath("student.npz").read_bytes())

    @classmethod
    def from_bytes(cls, content: bytes) -> Student:
        """The student in an artefact of `to_bytes`."""
        with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
            loaded = {name: arrays[name] for name in arrays.files}
        facts = msgspec.json.decode(loaded.pop("facts").tobytes(), type=Facts)
        vocabulary = loaded.pop("vocabulary").tobytes().decode().split("\x00")
        for name in _EIGHT_BIT:
            loaded[name] = loaded[name] * loaded.pop(f"{name}_scale")
        kept = {name: np.float16 if name in _GATHERED else np.float32 for name in loaded}
        weights = Weights(**{name: np.ascontiguousarray(array, kept[name]) for name, array in loaded.items()})
        return cls(facts=facts, weights=weights, vocabulary=vocabulary)

    def read(
        self,
        text: str,
        parted: Parted,
        points: dict[Skill, float],
        *,
        answer: str = "",
        state: State = (),
    ) -> Guess:
        """The skills of `text`.

        Args:
            text: What the user wrote, harness text removed.
            parted: The same as prose and code.
            points: The cues of the rules.
            answer: What the model had last said; empty where it had not.
            state: `Guess.state` of the text before, empty where there was none.
        """
        w = self._weights
        text_read, answer_read = text_tokens(parted.prose or text), answer_tokens(answer)
        vectors = self._vectors(text_read + answer_read)
        encoded = self._encode(vectors[: len(text_read)])
        heard = _attended(vectors[len(text_read) :], w.answer_attention)
        alone = encoded @ w.alone + w.alone_bias
        before: Floats = np.asarray(state, np.float32) if state else np.zeros(COUNT + 1, np.float32)
        context = context_of(earlier=bool(state), answer=answer)
        measures = np.asarray(shape(text, parted, points, SKILLS) + context, np.float32)
        read = np.concatenate((encoded, measures, heard, before))
        hidden = np.maximum(read @ w.hidden + w.hidden_bias, 0.0)
        logits = hidden @ w.output + w.output_bias
        phrases = words.phrases(text_read)
        votes = (
            np.add.reduce(w.votes[phrases], dtype=np.float32) / math.sqrt(len(phrases))
            + measures @ w.measure_votes
            + w.votes_bias
        )
        probabilities = softmax((logits[:COUNT] + votes) / self.facts.temperature)
        return Guess(
            probabilities=tuple(probabilities.tolist()),
            state=_next_state(alone, before),
        )

    def recall(self, proses: list[str]) -> State:
        """The state after a conversation's earlier texts, oldest first."""
        state: State = ()
        for prose in proses:
            before: Floats = np.asarray(state, np.float32) if state else np.zeros(COUNT + 1, np.float32)
            state = _next_state(self._alone(prose), before)
        return state

    def _alone(self, prose: str) -> Floats:
        """What a text says on its own; kept by its hash, since each turn of a conversation recalls the same ones."""
        key = hash(prose)
        if key not in self._heard:
            if len(self._heard) >= REMEMBERED_TEXTS:
                self._heard.clear()
            encoded = self._encode(self._vectors(text_tokens(prose)))
            self._heard[key] = encoded @ self._weights.alone + self._weights.alone_bias
        return self._heard[key]

    def _encode(self, vectors: Floats) -> Floats:
        w = self._weights
        size = vectors.shape[1]
        products = vectors @ self._convolution
        mixed = products[:, size : 2 * size] + w.convolution_bias
        mixed[1:] += products[:-1, :size]
        mixed[:-1] += products[1:, 2 * size :]
        np.maximum(mixed, 0.0, out=mixed)
        heard = np.add(mixed, vectors, out=mixed)
        return np.concatenate((_attended(heard, w.attention), np.maximum.reduce(heard)))

    def _vectors(self, found: list[str]) -> Floats:
        row = self._row
        try:
            rows = [row[word] for word in found]
        except KeyError:
            self._learn_words(found)
            rows = [self._row[word] for word in found]
        return self._table[rows]

    def _learn_words(self, found: list[str]) -> None:
        """Give the words outside the vocabulary a row of the table: the mean of their pieces."""
        new = [word for word in dict.fromkeys(found) if word not in self._row]
        if len(self._row) + len(new) > len(self._table):
            self._row = {word: row for row, word in enumerate(self._known)}
            new = [word for word in dict.fromkeys(found) if word not in self._row]
        buckets = [words.pieces(word) for word in new]
        starts = [0, *itertools.accumulate(map(len, buckets[:-1]))]
        rows = self._weights.pieces[[one for many in buckets for one in many]].astype(np.float32)
        sums = np.add.reduceat(rows, starts, axis=0)
        first = len(self._row)
        self._table[first : first + len(new)] = sums / np.asarray([[len(many)] for many in buckets], np.float32)
        self._row.update(zip(new, range(first, first + len(new)), strict=True))


def context_of(*, earlier: bool, answer: str) -> list[float]:
    """The numbers of a text's surroundings: texts before it, an answer, which ends in a question."""
    return [float(earlier), float(bool(answer)), float(answer.rstrip().endswith("?"))]


def text_tokens(prose: str) -> list[str]:
    """The tokens read of what a user wrote."""
    return words.tokens(prose, head=HEAD_TOKENS, tail=TAIL_TOKENS)


def answer_tokens(answer: str) -> list[str]:
    """The tokens read of an answer: its beginning, a mark, and its end, where agents ask what to do next."""
    opening = words.tokens(answer, head=ANSWER_HEAD_TOKENS, tail=0) if len(answer) > ANSWER_TAIL_CHARS else []
    return [*opening, words.END, *words.tokens(answer[-ANSWER_TAIL_CHARS:], head=0, tail=ANSWER_TAIL_TOKENS)]


def to_bytes(facts: Facts, weights: Weights, vocabulary: list[str]) -> bytes:
    """The artefact: the same bytes for the same parameters, on any day and machine."""
    arrays: dict[str, npt.NDArray[Any]] = {
        "facts": np.frombuffer(msgspec.json.encode(facts), np.uint8),
        "vocabulary": np.frombuffer("\x00".join(vocabulary).encode(), np.uint8),
    }
    for name in weights.__struct_fields__:
        array = getattr(weights, name)
        if name in _EIGHT_BIT:
            scale = np.maximum(np.abs(array).max(axis=0), 1e-6) / 127
            arrays[name] = np.rint(array / scale).astype(np.int8)
            arrays[f"{name}_scale"] = scale.astype(np.float32)
        else:
            arrays[name] = array.astype(np.float16)
    out = io.BytesIO()
    np.savez(out, allow_pickle=False, **arrays)
    return out.getvalue()


def softmax(logits: Floats) -> Floats:
    """Probabilities of `logits` along the last axis."""
    powers = np.exp(logits - np.maximum.reduce(logits, axis=-1, keepdims=True))
    shares: Floats = powers / np.add.reduce(powers, axis=-1, keepdims=True)
    return shares


def sigmoid(logit: Any) -> Any:  # Any: a number or an array, the same out as in
    """Probability of a logit, without overflow at either end."""
    return 0.5 * (1.0 + (math.tanh if isinstance(logit, float) else np.tanh)(0.5 * logit))


def _attended(vectors: Floats, attention: Floats) -> Floats:
    """One vector per head, weighted by what the head looks for, side by side."""
    scores = vectors @ attention
    powers = np.exp(scores - np.maximum.reduce(scores))
    found: Floats = ((powers / np.add.reduce(powers)).T @ vectors).ravel()
    return found


def _next_state(alone: Floats, before: Floats) -> State:
    """The skills of a text; where it is a follow-up, the session's skills as they were."""
    carried = sigmoid(float(alone[COUNT]))
    mixed = (1.0 - carried) * softmax(alone[:COUNT]) + carried * before[:COUNT]
    return (*mixed.tolist(), 1.0)
