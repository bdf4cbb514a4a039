"""What `decide` sees: the policy of a configuration, and the situation of one call. Values that the ledger keeps.

A policy is kept once, a situation with each call: labels, numbers and names, never a text. With both, the same
decision can be made again on any machine, long after queues, beliefs and prices have moved on.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections import OrderedDict
from collections.abc import Mapping
from typing import Final, TypeVar

import msgspec

from lanewise.config import RoutingSettings, RuleSettings, SkillSettings
from lanewise.errors import StoreError
from lanewise.journey import Candidate, Lane, Mode, Operation, Skill, Tier, Value
from lanewise.route import QueueState, compiled
from lanewise.select import Conversation, Entry, Need, Pin, Table

_PASSAGES: Final = 16
"""Tables kept for baselines that nobody configured: clients name a few, hostile ones many."""


_Kept = TypeVar("_Kept")


def _read(document: str, kind: type[_Kept], what: str) -> _Kept:
    """A value of `kind` from the ledger; `what` names it in the error."""
    try:
        return msgspec.json.decode(document, type=kind)
    except msgspec.MsgspecError as fault:
        raise StoreError(
            f"the ledger's copy of {what} cannot be read: {fault}",
            hint="a newer Lanewise may have written it: `pip install --upgrade lanewise`",
        ) from fault


class KeyPolicy(Value, frozen=True, kw_only=True):
    """What a key may; nothing that names or proves its owner."""

    lanes: tuple[Lane, ...] | None = None
    tier: Tier | None = None
    mode: Mode | None = None
    models: tuple[str, ...] = ()
    """Empty allows all."""
    regions: tuple[str, ...] = ()
    budget_pusd: int | None = None
    """Per UTC day; None is no limit."""


class Policy(Value, frozen=True, kw_only=True):
    """What a configuration lets `decide` do."""

    entries: tuple[Entry, ...]
    routing: RoutingSettings
    skills: dict[Skill, SkillSettings]
    keys: dict[str, KeyPolicy]
    rules: tuple[RuleSettings, ...]
    aliases: dict[str, str]
    """Name that rules may use -> model."""
    regions: dict[str, str]
    """Provider -> its region; empty where none is stated."""

    @classmethod
    def read(cls, document: str) -> Policy:
        """Back from `document`.

        Raises:
            StoreError: A newer version wrote it.
        """
        return _read(document, cls, "the policy")


class Situation(Value, frozen=True, kw_only=True):
    """What `decide` needs of the moment beside caller and reading."""

    at: dt.datetime
    operation: Operation
    model: str
    """What the client named."""
    need: Need
    baselines: tuple[Candidate, ...]
    """Who answers for that name, in failover order."""
    passage: Entry | None = None
    """The first of them where nobody configured it."""
    authorised: tuple[str, ...]
    """Providers that a credential may be sent to."""
    unavailable: tuple[str, ...] = ()
    """Providers whose breaker is open."""
    stream: bool = False
    spent_pusd: int = 0
    """What the caller's key has spent this UTC day, calls under way included."""
    queues: dict[str, QueueState]
    """Queue of each local provider."""
    pin: Pin | None = None
    """Who serves the task so far."""
    conversation: Conversation | None = None
    """What came before; None for the first call and for those of the harness, which stand alone."""
    turns: float = 1.0
    """Calls that the task is expected to need still, this one included."""
    growth_tokens: float = 0.0
    """By which its prompts are expected to grow from call to call."""
    evidence: bytes
    """See `select.Evidence.packed`; for the entries of the policy and, behind them, `passage`."""
    failing: float = 0.0
    """Probability that the task is failing, by the signals of its calls so far, this one's included."""
    caller_need: float = 0.0
    """Share of the caller's cheap tasks that needed the frontier, see `select.Callers`."""

    def document(self) -> str:
        """The situation as the ledger keeps it."""
        return msgspec.json.encode(self).decode()

    @classmethod
    def read(cls, document: str) -> Situation:
        """Back from `document`.

        Raises:
            StoreError: A newer version wrote it.
        """
        return _read(document, cls, "what was decided on")


class Rulebook:
    """A policy made ready: its entries as columns. Build once per configuration."""

    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        self.document = msgspec.json.encode(policy).decode()
        self.policy_id = hashlib.sha256(self.document.encode()).hexdigest()[:16]
        self.rules = compiled(policy.rules, {})
        self._table = Table(policy.entries)
        self._with: OrderedDict[Candidate, Table] = OrderedDict()

    @property
    def positions(self) -> Mapping[Candidate, int]:
        """Where each configured candidate stands in the table."""
        return self._table.positions

    def table(self, passage: Entry | None) -> Table:
        """The entries as columns, `passage` behind them."""
        if passage is None:
            return self._table
        found = self._with.get(passage.candidate)
        if found is None:
            found = self._with[passage.candidate] = Table((*self.policy.entries, passage))
            if len(self._with) > _PASSAGES:
                self._with.popitem(last=False)
        return found
