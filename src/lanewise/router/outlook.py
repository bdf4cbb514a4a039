"""What each candidate is expected to cost and take, with caches and queues as they are.

Predictions only: one case in, columns over the candidates out. Whether they pay is the question of `select.choose`.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from lanewise.route import Speed, concurrency, now_spilled, predicted_completion_s, predicted_wait_s, spills
from lanewise.router.case import Case, server_of
from lanewise.select import EXPECTED_OUTPUT_TOKENS, LANES, Caches, Numbers, Outlook, expected_totals, overheads


class Queued(NamedTuple):
    """What the queues of local providers mean for a call."""

    past: tuple[str, ...]
    """Providers that it is sent past."""
    looked: tuple[tuple[str, bool], ...]
    """State of each for callers who wait, to be kept for the next look; empty where nobody does."""


def outlook_of(case: Case) -> Outlook:
    """What each entry is expected to cost and take, with the caches as they are."""
    situation, evidence, features, table = case.situation, case.evidence, case.reading.features, case.table
    # Who was never asked is taken to answer at the baseline's length: otherwise a baseline of short answers would
    # look cheaper than all that nobody has tried.
    known = evidence.output_tokens[case.baseline]
    unknown = EXPECTED_OUTPUT_TOKENS if np.isnan(known) else known
    output = np.where(np.isnan(evidence.output_tokens), unknown, evidence.output_tokens)
    if situation.need.max_tokens is not None:
        output = np.minimum(output, situation.need.max_tokens)
    prompt_tokens = situation.need.input_tokens
    rates = table.caching(prompt_tokens, situation.at, marked=features.marks_cache)
    before = situation.conversation
    warm = table.warm(before.caches if before else Caches(), prompt_tokens, situation.at.timestamp())
    server = server_of(case)
    own_s = evidence.first_token_s + output / evidence.tokens_per_s
    return Outlook(
        total_pusd=expected_totals(
            rates,
            warm,
            prompt_tokens=prompt_tokens,
            growth_tokens=situation.growth_tokens,
            output_tokens=output,
            turns=situation.turns,
        ),
        switch_pusd=overheads(rates, warm, abandoned_tokens=0 if server is None else int(warm[server])),
        completion_s=_completion_s(case, own_s, output),
        list_pusd=table.listed(prompt_tokens, EXPECTED_OUTPUT_TOKENS, situation.at),
    )


def _completion_s(case: Case, own_s: Numbers, output_tokens: Numbers) -> Numbers:
    """Predicted time of the next answer: as measured for the cloud, behind their queues for local engines."""
    table, situation, evidence = case.table, case.situation, case.evidence
    completion_s = own_s.copy()
    for provider, queue in situation.queues.items():
        there = table.local & table.at_providers((provider,))
        limit = concurrency(queue)
        if queue.loaded is None and (limit is None or queue.ahead < limit):
            wait_s = predicted_wait_s(queue, None)  # nobody ahead of it, or nobody knows: one wait for all its models
            completion_s[there] += np.nan if wait_s is None else wait_s
            continue
        for at in np.flatnonzero(there).tolist():
            found = predicted_completion_s(
                queue,
                Speed(
                    first_token_s=_known(evidence.first_token_s[at]),
                    decode_tokens_per_s=_known(evidence.tokens_per_s[at]),
                ),
                input_tokens=situation.need.input_tokens,
                output_tokens=float(output_tokens[at]),
                cold=queue.cold(table.candidates[at].upstream_model),
            )
            completion_s[at] = np.nan if found is None else found
    return completion_s


def _known(value: float) -> float | None:
    return None if np.isnan(value) else float(value)


def queued_of(case: Case, outlook: Outlook) -> Queued:
    """Which local providers the call is sent past because of their queue (latency inversion).

    The cloud's time is the best of those that could answer at all; a provider is judged by its fastest model. An engine
    at which the call would begin at once has no queue: that it decodes slower than the cloud is its price, up to
    `routing.max_slowdown`, and no reason to leave it idle.
    """
    table, situation, waits = case.table, case.situation, case.reading.features.waiting
    able = table.speaks[situation.need.dialect] & table.at_providers(situation.authorised)
    cloud_s = _least(outlook.completion_s[able & (table.lane == LANES.index("realtime"))])
    past, looked = [], []
    for provider, queue in situation.queues.items():
        local_s = _least(outlook.completion_s[table.at_providers((provider,))])
        if predicted_wait_s(queue, local_s) == 0:
            looked.append((provider, False))
            continue
        if spills(queue, local_s=local_s, cloud_s=cloud_s, waiting=waits, deadline_s=case.caller.deadline_s):
            past.append(provider)
        looked.append((provider, now_spilled(queue, local_s=local_s, cloud_s=cloud_s)))
    return Queued(tuple(past) if case.caller.lane != "local" else (), tuple(looked) if waits else ())


def _least(seconds: Numbers) -> float | None:
    """The smallest of those that are known."""
    known = seconds[np.isfinite(seconds)]
    return float(known.min()) if len(known) else None
