"""How often the checks err, as measured and shipped (`rates.toml`), and whether a cascade pays at such rates.

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


def accept_share(success: float, rates: Together) -> float:
    """Share of answers that a check accepts, of a model that is right with probability `success`."""
    return success * rates.true_accept + (1 - success) * rates.false_accept


def saves(*, first_pusd: int, check_pusd: int, next_pusd: int, accepted: float) -> bool:
    """Whether asking the cheap model first costs less in expectation than asking the next one at once.

    `c1 + c_v + (1 - a) * c2 < c2`, that is an accept share `a > (c1 + c_v) / c2` (FrugalGPT, arXiv 2305.05176).
    """
    return accepted * next_pusd > first_pusd + check_pusd


def loss(*, success: float, next_success: float, rates: Together) -> float:
    """Expected loss of quality against asking the next model at once, 0..1; negative where the cascade gains.

    Wrong answers that are accepted forgo what the next model would have made of them; right ones that are accepted
    where it would have failed are won. Successes of the two models are taken to be independent given nothing else,
    which errs towards too great a loss where they fail on the same tasks.
    """
    accepted_right = success * rates.true_accept
    escalated = 1 - accept_share(success, rates)
    return next_success - (accepted_right + escalated * next_success)
