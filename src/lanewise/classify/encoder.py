"""A sentence encoder on this machine with a head that names skills: a second opinion that leaves nothing.

The folder is that of any sentence transformer: `tokenizer.json`, and `model.onnx` or `onnx/model.onnx`. It knows no
skills; the head that does is `lanewise-head.npz`, which `lanewise learn encoder FOLDER` puts beside them. Needs the
extra `onnx`, whose packages are imported here and only when a folder is loaded. Pure after that: a text in, a label
out, on the thread that asks.
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any, Final

import numpy as np

from lanewise.classify.student import SKILLS, Floats, softmax
from lanewise.errors import InputError
from lanewise.journey import SkillLabel, Value

HEAD_FILE: Final = "lanewise-head.npz"
MODEL_FILES: Final = ("model.onnx", "onnx/model.onnx")
MAX_TOKENS: Final = 128
"""Of a longer text only the beginning is read: twice the tokens take more than twice the time."""

_INPUTS: Final = frozenset({"input_ids", "attention_mask", "token_type_ids"})


class Head(Value, frozen=True, kw_only=True):
    """A multinomial logistic regression over an encoder's vectors. Any: numpy's own types."""

    weights: Any
    """(size of a vector, skills)"""
    bias: Any

    def probabilities(self, vectors: Floats) -> Floats:
        """One per skill, in the order of `SKILLS`, for one vector or for rows of them."""
        return softmax(vectors @ self.weights + self.bias)

    def to_bytes(self) -> bytes:
        """The head as it lies in the folder."""
        out = io.BytesIO()
        names = np.frombuffer("\x00".join(SKILLS).encode(), np.uint8)
        np.savez(out, allow_pickle=False, weights=self.weights, bias=self.bias, skills=names)
        return out.getvalue()


class Encoder:
    """Texts to vectors of length 1: the mean of the model's last layer over the tokens."""

    def __init__(self, session: Any, tokenizer: Any) -> None:  # Any: types of an extra that may not be installed
        self._session = session
        self._tokenizer = tokenizer
        self._inputs = [found.name for found in session.get_inputs()]

    @classmethod
    def load(cls, folder: Path) -> Encoder:
        """The encoder in `folder`.

        Raises:
            InputError: The extra is not installed, or the folder holds no sentence encoder.
        """
        try:
            import onnxruntime  # noqa: PLC0415 - an extra
            from tokenizers import Tokenizer  # noqa: PLC0415 - an extra
        except ImportError as error:
            raise InputError(
                f"an encoder needs the package {error.name!r}, which is not installed",
                hint="pip install 'lanewise[onnx]'",
            ) from None
        names = folder / "tokenizer.json"
        model = next((folder / name for name in MODEL_FILES if (folder / name).is_file()), folder / MODEL_FILES[0])
        for path in (names, model):
            if not path.is_file():
                raise InputError(f"{path} is not there", hint=_WANTED)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1  # the other cores serve requests
        try:
            tokenizer = Tokenizer.from_file(str(names))
            session = onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
        except Exception as error:  # both libraries raise bare exceptions of their own
            raise InputError(f"{folder} cannot be loaded: {error}", hint=_WANTED) from error
        # A padding fixed in the file would make every prompt as long as the longest: 17 ms each, measured 2026-11.
        tokenizer.no_padding()
        tokenizer.enable_truncation(MAX_TOKENS)
        return cls._checked(cls(session, tokenizer), model)

    @classmethod
    def _checked(cls, encoder: Encoder, model: Path) -> Encoder:
        strange = sorted(set(encoder._inputs) - _INPUTS)
        if strange:
            raise InputError(f"{model} asks for {', '.join(strange)}, which is not given", hint=_WANTED)
        rank = len(encoder._session.get_outputs()[0].shape)
        if rank != 3:
            raise InputError(f"{model} gives {rank} axes, not one vector per token", hint=_WANTED)
        return encoder

    def embed(self, text: str) -> Floats:
        """The vector of `text`; zero where the tokenizer finds no token in it."""
        read = self._tokenizer.encode(text)
        given = {"input_ids": read.ids, "attention_mask": read.attention_mask, "token_type_ids": read.type_ids}
        feed = {name: np.asarray([given[name]], np.int64) for name in self._inputs}
        tokens = self._session.run(None, feed)[0][0]
        mask = np.asarray(read.attention_mask, np.float32)
        mean: Floats = mask @ tokens / max(float(mask.sum()), 1.0)
        return mean / max(float(np.linalg.norm(mean)), 1e-9)


class SkillEncoder:
    """An encoder with its head."""

    def __init__(self, encoder: Encoder, head: Head) -> None:
        self._encoder = encoder
        self._head = head

    @classmethod
    def load(cls, folder: Path) -> SkillEncoder:
        """The encoder and the head in `folder`; its first text is read here, which takes longer than the others.

        Raises:
            InputError: The extra is not installed, a file is missing, or the head was learnt for another encoder.
        """
        encoder = Encoder.load(folder)
        head = _head(folder)
        size = len(encoder.embed("?"))
        if head.weights.shape != (size, len(SKILLS)):
            raise InputError(f"{folder / HEAD_FILE} was learnt for another encoder", hint=_learn(folder))
        return cls(encoder, head)

    def read(self, words: str) -> SkillLabel:
        """The skill of `words`."""
        probabilities = self._head.probabilities(self._encoder.embed(words))
        first, second = np.argsort(-probabilities, kind="stable")[:2]
        return SkillLabel(
            skill=SKILLS[first],
            confidence=round(float(probabilities[first]), 3),
            second=SKILLS[second],
            source="encoder",
        )


_WANTED: Final = "give the folder of a sentence transformer with tokenizer.json and model.onnx or onnx/model.onnx"


def _learn(folder: Path) -> str:
    return f"lanewise learn encoder {folder} --pool FILE"


def _head(folder: Path) -> Head:
    path = folder / HEAD_FILE
    try:
        with np.load(path, allow_pickle=False) as arrays:
            head = Head(weights=arrays["weights"], bias=arrays["bias"])
            skills = tuple(arrays["skills"].tobytes().decode().split("\x00"))
    except FileNotFoundError:
        raise InputError(f"{path} is not there: the encoder knows no skills yet", hint=_learn(folder)) from None
    except Exception as error:  # whatever a broken archive makes numpy and zipfile raise
        raise InputError(f"{path} cannot be read: {error}", hint=_learn(folder)) from error
    if skills != SKILLS:
        raise InputError(f"{path} was learnt for other skills", hint=_learn(folder))
    return head
