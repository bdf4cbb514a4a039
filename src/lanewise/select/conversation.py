"""What a conversation has in which cache, who served it last, and what its switches have cost: one frozen value.

It follows the path that routing would take. Where a call was not routed (mode observe, or the share of a split that is
not), the preferred candidate counts as the server, so that the next preference is judged by its own past and not by
the baseline's.
"""

from __future__ import annotations

from lanewise.journey import CallRecord, Candidate, Value
from lanewise.select.stay import SwitchLedger
from lanewise.select.warmth import Caches, rules_of


class Conversation(Value, frozen=True, kw_only=True):
    """The state between two calls."""

    caches: Caches = Caches()
    ledger: SwitchLedger = SwitchLedger()
    server: Candidate | None = None
    """Who served last."""
    prompt_tokens: int = 0
    """Of the last call."""
    task_calls: int = 0
    """Calls of the task under way."""
    compacted: bool = False
    """The client has just rewritten its history."""

    def rewritten(self) -> Conversation:
        """After a compaction: no old prompt is a prefix of the next one."""
        return Conversation(
            caches=self.caches.compacted(),
            ledger=self.ledger,
            server=self.server,
            task_calls=self.task_calls,
            compacted=True,
        )

    def after(self, call: CallRecord, vendor: str) -> Conversation:
        """After a call of the conversation that was answered.

        Args:
            call: The call.
            vendor: Of who served it, see `Entry.vendor`.
        """
        server = path_of(call)
        usage, features = call.outcome.usage, call.reading.features
        prompt_tokens = usage.prompt_tokens if usage else features.input_tokens
        caches = self.caches
        if server is not None:
            caches = caches.served(
                server.provider,
                server.model,
                prompt_tokens=prompt_tokens,
                now_s=call.started_at.timestamp(),
                rules=rules_of(vendor),
                marked=features.marks_cache,
                hour=features.marks_hour,
            )
        baseline = call.outcome.baseline_cost
        ledger = self.ledger.called(baseline.total_pusd if baseline else 0)
        if server == call.decision.preferred and call.decision.switch_pusd:
            ledger = ledger.switched(call.decision.switch_pusd, forced=call.decision.switch_forced)
        return Conversation(
            caches=caches,
            ledger=ledger,
            server=server or self.server,
            prompt_tokens=prompt_tokens,
            task_calls=1 if call.reading.identity.new_task else self.task_calls + 1,
        )


def path_of(call: CallRecord) -> Candidate | None:
    """Who served on the path of routing: the preferred one where the call was not routed."""
    served = call.outcome.served
    if served is not None and served == call.decision.chosen:
        return call.decision.preferred
    return served
