"""When a call would be done here, and whether that is too late: predicted completion, and spilling with hysteresis.

Prediction is dead reckoning, not a queueing formula: the calls ahead are laid onto the engine's slots in their order
and the time is read off at which one is free. Formulas want arrival and service rates that a gateway of a few callers
never has (ROUTING.md section 6 item 7). What is not known makes the prediction None, never zero.

Numbers only; no clock: ages and times are seconds that the caller took.
"""

from __future__ import annotations

import heapq

from lanewise.journey import Value

OVERDUE_SHARE = 0.25
"""A call past its expected time is taken to need this share of it again: lengths of answers have a long tail, so it
is not about to end, and nothing is known of how long it goes on. By judgement; a share of 0 would predict a queue
away that is still there."""

COLD_START_S = 10.0
"""Loading a model that is not in memory: about 5 s for 5 GB from a local disk, and the engine's own start. A guess on
the safe side of nothing; the first answer's measured time replaces it."""

KV_FULL = 0.95
"""From here an engine that pages contexts preempts instead of admitting (vLLM recomputes what it preempted)."""

RETURN_BELOW = 0.65
"""Calls come back when local is predicted below this share of the cloud's time. Two predictions that are each off by
10 % move their ratio by up to (1.1 / 0.9)^2 = 1.49 between two looks; 1 / 0.65 = 1.54 is beyond that."""

HOLD_S = 60.0
"""After this long any win brings them back: an engine that is a little faster than the cloud when idle would otherwise
never see a waiting caller again. So noise moves calls to and fro at most once a minute."""


class Speed(Value, frozen=True, kw_only=True):
    """How fast one model at one endpoint answers once it has begun; from beliefs, None where nothing was seen."""

    first_token_s: float | None = None
    """From begin to the first token, for a prompt of usual length; stands in where `prefill_tokens_per_s` is None."""
    prefill_tokens_per_s: float | None = None
    decode_tokens_per_s: float | None = None
    service_s: float | None = None
    """Mean time of a whole answer, for the calls ahead; where None they are taken to be like this one."""


class QueueState(Value, frozen=True, kw_only=True):
    """An endpoint's queue as far as it is known."""

    ages_s: tuple[float, ...] = ()
    """Since when our own calls are there, one entry each, longest first."""
    others: int | None = None
    """Calls there that are not ours; None where the engine does not say, or said it too long ago."""
    slots: int | None = None
    """Calls it works on at once, from the config or the engine."""
    running: int | None = None
    waiting: int | None = None
    """As the engine last said, everybody's."""
    kv_used_share: float | None = None
    loaded: frozenset[str] | None = None
    """What is in memory there, by the endpoint's own names; None where it does not say."""
    refuses_for_s: float = 0.0
    """It lately refused a call for lack of room, and counts as full for so long."""
    spilled_for_s: float | None = None
    """Since when waiting callers go elsewhere; None while they do not."""

    def cold(self, name: str) -> bool:
        """The engine says what it has loaded, and `name` is not among it."""
        return self.loaded is not None and name not in self.loaded

    @property
    def ahead(self) -> int:
        """Calls that are known to be there."""
        return len(self.ages_s) + (self.others or 0)

    @property
    def full(self) -> bool:
        """A further call is known to wait, or was lately refused."""
        limit = concurrency(self)
        return self.refuses_for_s > 0 or (limit is not None and self.ahead >= limit)


def concurrency(queue: QueueState) -> int | None:
    """How many calls the endpoint works on at once; None is unknown.

    Where nobody says, the engine shows it by letting calls wait: what it works on then is what it can.
    """
    crowded = bool(queue.waiting) or (queue.kv_used_share is not None and queue.kv_used_share >= KV_FULL)
    if crowded and queue.running and (queue.slots is None or queue.running < queue.slots):
        return queue.running
    return queue.slots


def predicted_wait_s(queue: QueueState, service_s: float | None) -> float | None:
    """Seconds until a slot is free for one more call.

    Args:
        queue: Who is ahead.
        service_s: Expected time of each of their answers.

    Returns:
        None where it is unknown: nobody says how many slots there are, and calls are ahead of this one.
    """
    least_s = queue.refuses_for_s
    limit = concurrency(queue)
    if limit is None:
        # Room for one is certain; an engine that says nobody waits has room for more than it has.
        roomy = queue.ahead == 0 or queue.waiting == 0
        return least_s if roomy else None
    if queue.ahead < limit:
        return least_s
    if service_s is None:
        return None
    return max(least_s, _first_free_s(queue, limit, service_s))


def _first_free_s(queue: QueueState, limit: int, service_s: float) -> float:
    """When the first of `limit` slots is free after all that are ahead, in the order of their ages.

    Strangers are taken to be halfway: nobody says when they came.
    """
    ages_s = sorted((*queue.ages_s, *[service_s / 2] * (queue.others or 0)), reverse=True)
    free_s = [max(service_s - age_s, service_s * OVERDUE_SHARE) for age_s in ages_s[:limit]]
    heapq.heapify(free_s)
    for _ in ages_s[limit:]:
        heapq.heapreplace(free_s, free_s[0] + service_s)
    return free_s[0]


def predicted_completion_s(
    queue: QueueState, speed: Speed, *, input_tokens: int, output_tokens: float, cold: bool = False
) -> float | None:
    """Seconds until an answer of so many tokens to such a prompt would be complete: wait, prefill, decode.

    None where any of the three is unknown. Grows with each of queue, prompt and answer. A model that is `cold` is
    loaded first.
    """
    if speed.prefill_tokens_per_s is not None:
        prefill_s: float | None = input_tokens / speed.prefill_tokens_per_s
    else:
        prefill_s = speed.first_token_s
    if prefill_s is None or speed.decode_tokens_per_s is None:
        return None
    own_s = prefill_s + output_tokens / speed.decode_tokens_per_s
    wait_s = predicted_wait_s(queue, own_s if speed.service_s is None else speed.service_s)
    if wait_s is None:
        return None
    return wait_s + (COLD_START_S if cold else 0.0) + own_s


def spills(
    queue: QueueState, *, local_s: float | None, cloud_s: float | None, waiting: bool, deadline_s: float | None
) -> bool:
    """Whether this call should go elsewhere because of the queue.

    Args:
        queue: The local endpoint's, with since when it is spilled.
        local_s: Predicted completion there.
        cloud_s: The best predicted completion elsewhere.
        waiting: A user waits for the answer.
        deadline_s: Until when it is needed; None where nobody said.

    Nobody waits, or the deadline leaves time for the local one: it stays, however long the queue. Where one of the
    predictions is unknown, what is known decides: a queue that is full, a refusal.
    """
    if deadline_s is not None and local_s is not None:
        return local_s > deadline_s and (cloud_s is None or cloud_s < local_s)
    if not waiting:
        return False
    return now_spilled(queue, local_s=local_s, cloud_s=cloud_s)


def now_spilled(queue: QueueState, *, local_s: float | None, cloud_s: float | None) -> bool:
    """The endpoint's state after a look at a call that somebody waits for; keep since when, for the next look.

    Spilled as soon as local loses against the cloud (latency inversion); back when it wins by `RETURN_BELOW`, or at
    all after `HOLD_S`.
    """
    if queue.refuses_for_s > 0:
        return True
    if local_s is None or cloud_s is None:
        return queue.full
    held = queue.spilled_for_s is not None and queue.spilled_for_s < HOLD_S
    return local_s > cloud_s * (RETURN_BELOW if held else 1.0)
