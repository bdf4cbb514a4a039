"""How often the checks err, as measured and shipped (`rates.toml`).

The figures say which answers a check was shown. What decides a cascade is `together`: of the wrong answers of real
work most are well formed, so the checks accept nearly all of them.
"""

from __future__ import annotations

import functools
from importlib import resources

import msgspec

from lanewise.journey import Value
from lanewise.verify.verdict import CheckName


class CheckRates(Value, frozen=True, kw_only=True):
    """One check on the answers that it was shown."""

    check: CheckName
    right: int
    """Right answers shown that it could judge."""
    true_accept: float
    """Share of these that it accepted."""
    wrong: int
    """Wrong answers of the kind it is made for."""
    false_accept: float
    """Share of these that it accepted all the same."""


class FailureClass(Value, frozen=True, kw_only=True):
    """A way in which answers of real work are wrong."""

    name: str
    share: float
    """Of all wrong answers, 0..1."""
    caught: float
    """Share that some check rejects."""
    source: str


class Together(Value, frozen=True, kw_only=True):
    """All checks, one after another."""

    true_accept: float
    """Share of right answers that none rejects."""
    false_accept: float
    """Share of the wrong answers of real work that none rejects: the sum of share x (1 - caught)."""


class Rates(Value, frozen=True, kw_only=True):
    """The whole data file."""

    date: str
    source: str
    checks: tuple[CheckRates, ...]
    failures: tuple[FailureClass, ...]
    together: Together

    @classmethod
    @functools.cache
    def load(cls) -> Rates:
        """The rates that ship with the package."""
        text = resources.files(__package__).joinpath("rates.toml").read_bytes()
        return msgspec.toml.decode(text, type=cls)
