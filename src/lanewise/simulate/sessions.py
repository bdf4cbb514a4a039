"""One session under several policies, billed call by call through the same model of prompt caches.

All policies meet the same tasks with the same luck, and a task that a too weak model fails is done again by the
baseline, in the same conversation and at full cost. Ours asks `select.stay`, the functions that serve requests.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

import numpy as np

from lanewise.journey import Value
from lanewise.money import ModelPrice, PriceBook, Rates
from lanewise.select.stay import (
    SwitchLedger,
    SwitchPoint,
    expected_totals,
    overheads,
    rate_table,
    stay_or_switch,
)
from lanewise.select.turns import Turns
from lanewise.select.warmth import CacheRules, Caches, rules_of
from lanewise.simulate.profiles import STRENGTH, Profile, Task

Policy: TypeAlias = Literal["baseline", "never", "scorer", "ours"]
POLICIES: tuple[Policy, ...] = ("baseline", "never", "scorer", "ours")

COMPACT_AT_TOKENS = 160_000
"""Where a client with a window of 200,000 tokens rewrites its history."""

COMPACTED_TOKENS = 5_000
"""Of the summary that it then carries, beside its first prompt."""

GROWTH_TOKENS = 2_500.0
"""What ours expects of every client alike, whatever the profile says; the worked session's figure."""

OUTPUT_TOKENS = 700.0
"""Likewise."""


class Pool:
    """The models of a profile with their shipped prices and their vendors' rules."""

    def __init__(self, profile: Profile, book: PriceBook) -> None:
        self.models = profile.models
        self.prices = [_priced(book, model) for model in profile.models]
        self.rules = [rules_of(price.vendor) for price in self.prices]
        self.strengths = np.array([STRENGTH[model] for model in profile.models])
        self.last = len(profile.models) - 1

    def rates(self, index: int, prompt_tokens: int) -> Rates:
        """Standard rates for a prompt; prices by the clock at their peak."""
        return self.prices[index].level(prompt_tokens).standard

    def suited(self, score: float) -> int:
        """The weakest model that a scorer trusts with a difficulty, else the strongest."""
        return min(int(np.searchsorted(self.strengths, score)), self.last)


def _priced(book: PriceBook, model: str) -> ModelPrice:
    price = book.find(model)
    if price is None:
        raise LookupError(f"no price for {model!r}: a profile names a model that the price list has dropped")
    return price


def bill_pusd(rates: Rates, rules: CacheRules, *, prompt_tokens: int, warm: int, output: int, marked: bool) -> int:
    """What a call costs that finds `warm` tokens of its prompt cached."""
    if not rules.caches(prompt_tokens=prompt_tokens, marked=marked):
        return prompt_tokens * rates.input_pusd + output * rates.output_pusd
    fresh = (prompt_tokens - warm) * rates.cache_write_5m_pusd
    return warm * rates.cache_read_pusd + fresh + output * rates.output_pusd


class Tally(Value, frozen=True, kw_only=True):
    """What one session cost under one policy."""

    cost_pusd: int
    calls: int
    retries: int
    switches: int
    unsafe: int
    """Changes of model inside an open tool loop."""
    overhead_share: float
    """Largest share, at any call, of overhead in the never-switch bill: of switches that were chosen, as promised."""
    forced_pusd: int
    """Overhead of switches that a failure or a harder task forced."""
    never_switch_pusd: int


class _Conversation:
    """One context: what its prompt holds and which caches are warm. A sub-agent has its own."""

    def __init__(self, prompt_tokens: int) -> None:
        self.prompt_tokens = prompt_tokens
        self.caches = Caches()
        self.reference = Caches()
        self.ledger = SwitchLedger()
        self.pin: int | None = None
        self.compacted = False


class Play:
    """One session under one policy; `turns` is what ours has learnt from the sessions before."""

    def __init__(self, policy: Policy, profile: Profile, pool: Pool, share: float, turns: Turns) -> None:
        self._policy, self._profile, self._pool, self._share, self._turns = policy, profile, pool, share, turns
        self._now_s = 0.0
        self._home: int | None = None
        self._cost = self._calls = self._retries = self._switches = self._unsafe = 0
        self._overhead_share = 0.0

    def run(self, tasks: tuple[Task, ...]) -> Tally:
        """Play all tasks."""
        main = _Conversation(self._profile.first_tokens)
        talks = [main]
        for task in tasks:
            self._now_s += task.idle_s
            talk = _Conversation(self._profile.first_tokens) if task.subagent else main
            if task.subagent:
                talks.append(talk)
            self._play(task, talk)
        return Tally(
            cost_pusd=self._cost,
            calls=self._calls,
            retries=self._retries,
            switches=self._switches,
            unsafe=self._unsafe,
            overhead_share=self._overhead_share,
            forced_pusd=sum(talk.ledger.forced_pusd for talk in talks),
            never_switch_pusd=sum(talk.ledger.never_switch_pusd for talk in talks),
        )

    def _play(self, task: Task, talk: _Conversation) -> None:
        chosen = self._open(task, talk)
        served = []
        for number in range(len(task.scores)):
            if self._policy == "scorer":
                chosen = self._pool.suited(task.scores[number])
            self._call(task, number, talk, chosen, point="new_task" if number == 0 else "")
            served.append(chosen)
        self._turns.finished(self._profile.client, "subagent" if task.subagent else "main", len(served))
        strength = float(self._pool.strengths[served].mean())
        chance = 1 / (1 + np.exp(-12 * (strength - task.difficulty)))
        if task.luck >= chance and set(served) != {self._pool.last}:
            self._retries += 1
            for number in range(len(task.scores)):
                self._call(task, number, talk, self._pool.last, point="escalation" if number == 0 else "")

    def _open(self, task: Task, talk: _Conversation) -> int:
        """Who does the task."""
        if self._policy == "baseline":
            return self._pool.last
        suited = self._pool.suited(task.score)
        if self._home is None:
            self._home = suited
        if self._policy == "never":
            return self._home
        return self._ours(task, talk, suited) if self._policy == "ours" else suited

    def _warm(self, talk: _Conversation, index: int, prompt_tokens: int) -> int:
        return talk.caches.tokens("", self._pool.models[index], prompt_tokens=prompt_tokens, now_s=self._now_s)

    def _ours(self, task: Task, talk: _Conversation, suited: int) -> int:
        """Ask `select.stay` among the models that hold the quality: the suited one and the stronger ones."""
        indices = range(suited, self._pool.last + 1)
        prompt = talk.prompt_tokens
        table = rate_table(
            [self._pool.rates(index, prompt) for index in indices],
            [self._pool.rules[index] for index in indices],
            prompt_tokens=prompt,
            marked=self._profile.marked,
        )
        warm = np.array([self._warm(talk, index, prompt) for index in indices], np.int64)
        kind: Literal["subagent", "main"] = "subagent" if task.subagent else "main"
        totals = expected_totals(
            table,
            warm,
            prompt_tokens=prompt,
            growth_tokens=GROWTH_TOKENS,
            output_tokens=np.full(len(warm), OUTPUT_TOKENS),
            turns=self._turns.remaining(self._profile.client, kind, 0),
        )
        left = 0 if talk.pin is None else self._warm(talk, talk.pin, prompt)
        point: SwitchPoint = "compacted" if talk.compacted else "new_task"
        verdict = stay_or_switch(
            totals,
            overheads(table, warm, abandoned_tokens=left),
            pin=talk.pin - suited if talk.pin is not None and talk.pin >= suited else None,
            point=point,
            lock="",
            ledger=talk.ledger,
            share=self._share,
        )
        return verdict.chosen + suited

    def _call(self, task: Task, number: int, talk: _Conversation, chosen: int, *, point: SwitchPoint) -> None:
        """Bill one call and keep what it leaves behind."""
        if number:
            self._now_s += self._profile.loop_gap_s
        if talk.pin is not None and chosen != talk.pin:
            self._switch(talk, chosen, point, harder=self._pool.suited(task.score) > talk.pin)
        output = task.output_tokens[number]
        cost, talk.caches = self._served(talk.caches, chosen, talk.prompt_tokens, output)
        baseline, talk.reference = self._served(talk.reference, self._pool.last, talk.prompt_tokens, output)
        self._cost += cost
        self._calls += 1
        talk.ledger = talk.ledger.called(baseline)
        share = talk.ledger.overhead_pusd / talk.ledger.never_switch_pusd
        self._overhead_share = max(self._overhead_share, share)
        talk.pin = chosen
        self._grow(task, number, talk, output)

    def _served(self, caches: Caches, index: int, prompt_tokens: int, output: int) -> tuple[int, Caches]:
        """Pico-dollars of a call to one model, and the caches after it."""
        model, rules, marked = self._pool.models[index], self._pool.rules[index], self._profile.marked
        warm = caches.tokens("", model, prompt_tokens=prompt_tokens, now_s=self._now_s)
        cost = bill_pusd(
            self._pool.rates(index, prompt_tokens),
            rules,
            prompt_tokens=prompt_tokens,
            warm=warm,
            output=output,
            marked=marked,
        )
        after = caches.served("", model, prompt_tokens=prompt_tokens, now_s=self._now_s, rules=rules, marked=marked)
        return cost, after

    def _grow(self, task: Task, number: int, talk: _Conversation, output: int) -> None:
        talk.prompt_tokens += task.growth_tokens[number] + output
        talk.compacted = talk.prompt_tokens > COMPACT_AT_TOKENS
        if talk.compacted:
            talk.prompt_tokens = self._profile.first_tokens + COMPACTED_TOKENS
            talk.caches, talk.reference = talk.caches.compacted(), talk.reference.compacted()

    def _switch(self, talk: _Conversation, chosen: int, point: SwitchPoint, *, harder: bool) -> None:
        assert talk.pin is not None
        prompt = talk.prompt_tokens
        table = rate_table(
            [self._pool.rates(chosen, prompt)],
            [self._pool.rules[chosen]],
            prompt_tokens=prompt,
            marked=self._profile.marked,
        )
        warm = np.array([self._warm(talk, chosen, prompt)], np.int64)
        lost = int(overheads(table, warm, abandoned_tokens=self._warm(talk, talk.pin, prompt))[0])
        forced = point == "escalation" or (harder and self._policy == "ours")
        talk.ledger = talk.ledger.switched(lost, forced=forced)
        self._switches += 1
        self._unsafe += point == ""
