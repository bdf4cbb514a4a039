"""Every reason code of a decision in words: for `explain`, and the source of docs/reference/reasons.md.

A test compares the table with the codes that route, select and the router emit.
"""

from __future__ import annotations

from typing import Final

DECISION: Final = {
    "cheapest_allowed": "the cheapest candidate that may serve, by expected cost of this call",
    "baseline_is_cheapest": "no allowed candidate is expected to cost less than the model that was named",
    "no_cheaper_candidate": "no candidate may serve this call, so the model that was named answers",
    "sealed": "it holds thinking that only its maker can read, and no other model of that vendor may serve",
    "explored": "one of those that are not inferior, drawn so that what is known of it stays fresh",
    "escalated": "the task shows failures, so it moves up one step, once",
    "held_out": "the task shows failures, and is left where it is to learn how many recover alone",
    "task_pin": "the task is under way: its calls stay with the model that it began with",
    "caller_pin": "`x-lanewise-pin` named this model, so nothing was routed",
    "not_routed": "only generating calls are routed; token counts, embeddings and the rest go to the named model",
    "routing_error": "a bug of ours: routing failed and the named model answers; it is in the log and in the metrics",
}
"""Why `preferred` won."""

REJECTION: Final = {
    "dialect": "its provider does not speak the dialect of the client",
    "tier": "configuration or caller ask for a tier that this model is not in",
    "residency": "its provider is in no region that is allowed for this call",
    "key_policy": "the caller's key may not use it",
    "flex_refused": "its slower queue is for work that nobody waits for",
    "rule": "a rule names another model",
    "not_proven": "by what is known of both, it could be worse than the model that was named by more than is tolerated",
    "judgement": "nothing is known of how it does such work, and by judgement the work is too hard for its tier",
    "caller_history": "cheap models were often not enough for this caller's tasks of late",
    "task_failing": "the task shows failures, or was asked for once more: a cheap model is not to repeat that",
    "slower_than_cloud": "somebody waits, and its queue is full or expected to make it later than the cloud",
    "unreliable": "at least a fifth of its latest calls failed",
    "too_slow": "somebody waits, and it is expected to take several times as long as the model that was named",
    "switch_promise": "moving there would leave a warm cache behind, and this session has spent what switches may cost",
    "context_window": "prompt and largest answer together do not fit its context window",
    "vision": "the request holds images and the model takes none",
    "tools": "the request offers tools and the model cannot call any",
    "sealed": "the conversation holds thinking that only its maker can read, and this is another vendor's model",
    "no_credential": "there is no credential that may be sent to its provider",
    "breaker_open": "its provider failed several times in a row and is avoided for a while",
    "unknown_price": "its price is unknown, so it cannot be shown to be cheaper",
    "unknown_baseline_price": "the price of the named model is unknown, so nothing can be shown to be cheaper",
    "dearer_than_baseline": "it is expected to cost more than the model that was named",
    "not_cheapest": "it may serve, and another candidate is expected to cost less",
}
"""Why a candidate was not preferred. ``lane:LANE:WHY`` stands for a refused lane."""

LANE: Final = {
    "queue_full": "every slot of the local engines is taken, and the deadline does not let the call stand in line",
    "tool_loop": "the call is a step of a conversation: a batch would lose the prompt cache and wait at every step",
    "tools_offered": "the request offers tools, so more steps may follow",
    "no_deadline": "nobody said that the answer can wait",
    "deadline_too_short": "the deadline is nearer than a batch can be",
    "user_waits": "somebody waits for the answer",
    "residency": "no provider of the lane lies in a region that is demanded",
    "key_policy": "the configuration gives the caller's key other lanes or no tier that is left",
    "rule_policy": "a rule of the configuration gives such calls other lanes or no tier that is left",
    "budget_spent": "the budget of the caller's key is used up until midnight UTC",
    "skill_policy": "the configuration gives this skill other lanes",
    "caller_lane": "the caller asked for another lane",
    "refused": "the lane was refused without a reason of its own",
}
"""Why a lane was refused."""

SWITCH_POINT: Final = {
    "independent_call": "a call of the harness itself, on which no other call depends",
    "subagent_start": "a sub-agent begins with a context of its own",
    "new_session": "a conversation begins",
    "compacted": "the client has rewritten its history, so that no cache holds it",
    "cache_cold": "the pause was longer than the cache keeps a prompt",
    "failure_escalation": "the task shows failures",
    "new_task": "the user asked for something new",
}
"""Why the model was allowed to change at this call."""


def words(code: str) -> str:
    """`code` in words; the code itself where a newer or older version wrote one that is not listed."""
    if code.startswith("lane:"):
        _, lane, why = (*code.split(":", 2), "", "")[:3]
        return f"lane {lane} is refused: {LANE.get(why, why)}"
    if code.startswith("rule:"):
        return f"the rule {code.removeprefix('rule:')} of the configuration says so"
    for table in (DECISION, REJECTION, LANE, SWITCH_POINT):
        if code in table:
            return table[code]
    return code
