"""Placeholder until the table lands."""
from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from lanewise.journey import Skill

Numbers = npt.NDArray[np.float64]
class Columns(NamedTuple):
    success: Numbers
    weight: Numbers
    output_tokens: Numbers
class Priors:
    @classmethod
    def load(cls) -> Priors:
        return cls()
    @classmethod
    def none(cls) -> Priors:
        return cls()
    def columns(self, models: Sequence[str], skill: Skill, band: str) -> Columns:
        n = len(models)
        return Columns(np.full(n, np.nan), np.zeros(n), np.full(n, np.nan))
