"""A `CallRecord` as rows of `store.schema`, and back, without loss.

What came of a call becomes columns: prefix and field name. Who asked, what it was and what was decided become
documents, with the labels that reports need copied beside them; reading back uses the documents, so a label can
be shortened (see `_tidy`) and the record stays complete.

It runs no statement, and decides two things only: whether a call failed and whether its cost is known.
"""

from __future__ import annotations

import datetime as dt
import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Literal, NamedTuple, TypeAlias, TypeVar

import msgspec

from lanewise.errors import StoreError
from lanewise.journey import (
    Attempt,
    Caller,
    CallRecord,
    Candidate,
    Cost,
    Decision,
    Outcome,
    Reading,
    Usage,
    Value,
)

# A column's type is the schema's business: SQLAlchemy takes and gives rows as mappings to Any.
Row: TypeAlias = Mapping[str, Any]

CostState: TypeAlias = Literal["known", "unknown", "none"]
"""`unknown`: something was or may have been billed and we cannot say how much. `none`: nothing was billed."""

CLIENT_LEFT: Final = 499
"""Status of a call whose client went away first: not a failure, and the provider may still bill it."""

MAX_IDENTIFIER_CHARS: Final = 256
"""Postgres refuses an index entry above 2,704 bytes; two identifiers of 4-byte characters stay below it."""

_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_MICROSECOND = dt.timedelta(microseconds=1)

# Copied out of the documents for reports; the value's place in a CallRecord.
_LABELS: Final = {
    "key_id": "caller.key_id",
    "client": "reading.turn.client",
    "turn": "reading.turn.kind",
    "skill": "reading.label.skill",
    "skill_confidence": "reading.label.confidence",
    "complexity": "reading.features.complexity",
    "session_id": "reading.identity.session_id",
    "task_id": "reading.identity.task_id",
    "mode": "decision.mode",
    "reason": "decision.reason",
    "switch_point": "decision.switch_point",
    "propensity": "decision.propensity",
    "baseline_model": "decision.baseline.model",
    "preferred_model": "decision.preferred.model",
    "chosen_tier": "decision.chosen.tier",
    "chosen_model": "decision.chosen.model",
    "chosen_provider": "decision.chosen.provider",
}
_labels = operator.attrgetter(*_LABELS.values())

# Columns that hold what a client or a provider sent, as opposed to names from our config or our own codes.
_FOREIGN_TEXT = ("requested_model", "client", "session_id", "task_id", "stop_reason")

_V = TypeVar("_V", bound=Value)


class Rows(NamedTuple):
    """What one call adds to each table: values in the order of `CALL_COLUMNS` and `ATTEMPT_COLUMNS`."""

    call: tuple[Any, ...]
    attempts: list[tuple[Any, ...]]


class _Part:
    """The columns of one struct within a row."""

    def __init__(self, prefix: str, kind: type[Value], *, other: Sequence[str] = ()) -> None:
        """Take all fields of `kind` except `other`, which are kept elsewhere."""
        self.fields = tuple(name for name in kind.__struct_fields__ if name not in other)
        self.columns = tuple(prefix + name for name in self.fields)
        self._values: Callable[[Value], tuple[Any, ...]] = operator.attrgetter(*self.fields)
        self._nothing: tuple[Any, ...] = (None,) * len(self.fields)

    def lower(self, value: Value | None) -> tuple[Any, ...]:
        """The values of `columns`. Positions, not names: a call has eighty values, and naming each doubles the cost."""
        return self._nothing if value is None else self._values(value)

    def lift(self, row: Row) -> dict[str, Any]:
        """The fields; one that is NULL, as in rows older than its column, is left to its default."""
        found = {name: row[column] for column, name in zip(self.columns, self.fields, strict=True)}
        return {name: value for name, value in found.items() if value is not None}


_CALL = _Part("", CallRecord, other=("started_at", "caller", "reading", "decision", "attempts", "outcome"))
_OUTCOME = _Part("", Outcome, other=("served", "usage", "cost", "baseline_cost"))
_SERVED = _Part("served_", Candidate)
_USAGE = _Part("usage_", Usage)
_COST = _Part("cost_", Cost)
_BASELINE_COST = _Part("baseline_cost_", Cost)
_CANDIDATE = _Part("candidate_", Candidate)
_ATTEMPT = _Part("", Attempt, other=("candidate", "started_at"))

CALL_COLUMNS: Final = (
    *_CALL.columns,
    *_LABELS,
    *_OUTCOME.columns,
    *_SERVED.columns,
    *_USAGE.columns,
    *_COST.columns,
    *_BASELINE_COST.columns,
    "started_us",
    "failed",
    "cost_state",
    "caller",
    "reading",
    "decision",
)
ATTEMPT_COLUMNS: Final = ("call_id", *_ATTEMPT.columns, *_CANDIDATE.columns, "started_us")

_FOREIGN_AT: Final = tuple(CALL_COLUMNS.index(name) for name in _FOREIGN_TEXT)
_REQUEST_ID_AT: Final = ATTEMPT_COLUMNS.index("upstream_request_id")


def to_us(moment: dt.datetime) -> int:
    """Microseconds since 1970-01-01 UTC of an aware `moment`.

    Raises:
        TypeError: `moment` has no time zone.
    """
    return (moment - _EPOCH) // _MICROSECOND


def from_us(moment_us: int) -> dt.datetime:
    """The moment, aware UTC, that `to_us` made into `moment_us`."""
    return _EPOCH + moment_us * _MICROSECOND


def failed(outcome: Outcome) -> bool:
    """Whether the client was let down: an error, before or after the head; not when the client left first."""
    return outcome.status != CLIENT_LEFT and (outcome.status >= 400 or outcome.error != "")


def cost_state(call: CallRecord) -> CostState:
    """Whether the cost of `call` is known, unknown, or none because nothing was billed.

    Nothing is billed where no provider answered, where it answered with an error, and for operations that are
    free. A call whose client left counts as unknown: the provider may go on and bill.
    """
    outcome = call.outcome
    if outcome.cost is not None:
        return "known"
    if outcome.usage is not None:
        return "unknown"
    unanswered = outcome.served is None or (outcome.status >= 400 and outcome.status != CLIENT_LEFT)
    return "none" if unanswered or call.operation in {"count_tokens", "other"} else "unknown"


def to_rows(call: CallRecord) -> Rows:
    """The rows of `call`.

    Raises:
        TypeError: a time without a time zone.
    """
    outcome = call.outcome
    row = [
        *_CALL.lower(call),
        *_labels(call),
        *_OUTCOME.lower(outcome),
        *_SERVED.lower(outcome.served),
        *_USAGE.lower(outcome.usage),
        *_COST.lower(outcome.cost),
        *_BASELINE_COST.lower(outcome.baseline_cost),
        to_us(call.started_at),
        failed(outcome),
        cost_state(call),
        msgspec.json.encode(call.caller).decode(),
        msgspec.json.encode(call.reading).decode(),
        msgspec.json.encode(call.decision).decode(),
    ]
    for position in _FOREIGN_AT:
        row[position] = _tidy(row[position])
    return Rows(tuple(row), [_attempt_row(call.call_id, attempt) for attempt in call.attempts])


def from_rows(call: Row, attempts: Sequence[Row]) -> CallRecord:
    """The `CallRecord` that `to_rows` made these rows of; `attempts` in the order of their numbers.

    Raises:
        StoreError: the rows hold a value that this version does not know.
    """
    try:
        return _build(
            CallRecord,
            _CALL,
            call,
            started_at=from_us(call["started_us"]),
            caller=msgspec.json.decode(call["caller"], type=Caller),
            reading=msgspec.json.decode(call["reading"], type=Reading),
            decision=msgspec.json.decode(call["decision"], type=Decision),
            attempts=tuple(_attempt(row) for row in attempts),
            outcome=_outcome(call),
        )
    except (msgspec.ValidationError, msgspec.DecodeError) as fault:
        raise StoreError(
            f"call {call['call_id']!r} of the ledger cannot be read: {fault}",
            hint="a newer Lanewise may have written it: `pip install --upgrade lanewise`",
        ) from fault


def _attempt_row(call_id: str, attempt: Attempt) -> tuple[Any, ...]:
    row = [call_id, *_ATTEMPT.lower(attempt), *_CANDIDATE.lower(attempt.candidate), to_us(attempt.started_at)]
    row[_REQUEST_ID_AT] = _tidy(row[_REQUEST_ID_AT])
    return tuple(row)


def _attempt(row: Row) -> Attempt:
    return _build(
        Attempt,
        _ATTEMPT,
        row,
        candidate=_build(Candidate, _CANDIDATE, row),
        started_at=from_us(row["started_us"]),
    )


def _outcome(row: Row) -> Outcome:
    return _build(
        Outcome,
        _OUTCOME,
        row,
        served=None if row["served_model"] is None else _build(Candidate, _SERVED, row),
        usage=None if row["usage_input_tokens"] is None else _build(Usage, _USAGE, row),
        cost=None if row["cost_total_pusd"] is None else _build(Cost, _COST, row),
        baseline_cost=None if row["baseline_cost_total_pusd"] is None else _build(Cost, _BASELINE_COST, row),
    )


def _build(kind: type[_V], part: _Part, row: Row, **parsed: object) -> _V:
    return msgspec.convert({**part.lift(row), **parsed}, kind)


def _tidy(text: str) -> str:
    """`text` as both engines can keep and index it: no NUL (Postgres has none), no endless identifiers."""
    return text.replace("\x00", "\ufffd")[:MAX_IDENTIFIER_CHARS]
