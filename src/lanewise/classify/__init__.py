"""Layer 1, "classify": what kind of call this is, what the task is about, how hard it looks, and who waits.

`Classifier.read` composes the files in the order of the work: `structure` (with `sentinels` and `harness`),
`session`, `student` (with `prose`, `rules`, `shape` and `words`), `features`.
"""

from __future__ import annotations

from lanewise.classify.classifier import Classifier
from lanewise.classify.features import complexity, input_tokens
from lanewise.classify.rules import Rules
from lanewise.classify.session import SessionBook
from lanewise.classify.structure import Structure
from lanewise.classify.student import Student

__all__ = ["Classifier", "Rules", "SessionBook", "Structure", "Student", "complexity", "input_tokens"]
