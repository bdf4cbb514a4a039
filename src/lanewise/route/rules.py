"""`[[rules]]` of the configuration: the first whose condition a call meets says lanes, tier, mode, deadline or model.

A rule narrows what policies allow and never widens it. Compiled once per configuration.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from lanewise.config import Origin, RuleSettings, duration_s
from lanewise.errors import ConfigError
from lanewise.journey import Lane, Mode, Tier, Value
from lanewise.route.expression import Condition, compile_condition
from lanewise.route.facts import Facts
from lanewise.route.tokens import ExpressionError


class Rule(Value, frozen=True, kw_only=True):
    """One rule, ready to be asked."""

    reason: str
    """``rule:NAME``, or ``rule:1`` by its place where it has no name."""
    when: str
    """The condition as written."""
    holds: Condition
    model: str = ""
    """A model of the catalog or an alias; empty where the rule names none."""
    lanes: tuple[Lane, ...] | None = None
    tier: Tier | None = None
    mode: Mode | None = None
    deadline_s: float | None = None


def compiled(rules: Sequence[RuleSettings], origins: Mapping[str, Origin]) -> tuple[Rule, ...]:
    """The rules of one configuration in their order.

    Args:
        rules: As the configuration states them.
        origins: Dotted path -> place, see `config.Loaded`; a place that is not there is told as ``settings``.

    Raises:
        ConfigError: With every condition that is not understood, each as ``file:line: what``.
    """
    found: list[Rule] = []
    problems: list[str] = []
    for number, row in enumerate(rules, start=1):
        try:
            holds = compile_condition(row.when)
        except ExpressionError as error:
            where = origins.get(f"rules.{number}.when") or Origin("settings")
            problems.append(f"{where.source}: `rules.{number}.when`: {error}")
            continue
        found.append(
            Rule(
                reason=f"rule:{row.name or number}",
                when=row.when,
                holds=holds,
                model=row.model,
                lanes=row.lanes,
                tier=row.tier,
                mode=row.mode,
                deadline_s=duration_s(row.deadline),
            )
        )
    if problems:
        raise ConfigError(problems)
    return tuple(found)


def first_match(rules: Sequence[Rule], facts: Facts) -> Rule | None:
    """The first rule whose condition `facts` meet; None if there is none. Cannot raise."""
    return next((rule for rule in rules if rule.holds(facts)), None)
