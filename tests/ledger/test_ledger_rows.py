"""A call in the ledger is the call that was made: nothing is lost on the way in or out."""

import datetime as dt
import itertools
import random

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from made_calls import OPUS, START, USAGE, any_call, made_call

from lanewise.errors import StoreError
from lanewise.journey import CallRecord
from lanewise.ledger import call as read_call
from lanewise.ledger.rows import ATTEMPT_COLUMNS, CALL_COLUMNS, cost_state, failed, from_rows, from_us, to_rows, to_us
from lanewise.ledger.save import save
from lanewise.store.schema import ATTEMPTS, CALLS

_EXAMPLES = itertools.count()


def named(call):
    """The rows of a call by column."""
    rows = to_rows(call)
    attempts = [dict(zip(ATTEMPT_COLUMNS, attempt, strict=True)) for attempt in rows.attempts]
    return dict(zip(CALL_COLUMNS, rows.call, strict=True)), attempts


@given(any_call)
def test_every_call_survives_its_rows(call):
    assert from_rows(*named(call)) == call


@given(any_call)
def test_rows_have_exactly_the_columns_of_the_tables(call):
    row, attempts = named(call)
    assert set(row) == set(CALLS.c.keys())
    assert all(set(attempt) == set(ATTEMPTS.c.keys()) for attempt in attempts)


@given(call=any_call)
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_every_call_survives_the_database(database, call):
    # Examples share the database: each gets an id of its own, and a session, whose sums of such costs overflow.
    call = msgspec.structs.replace(call, call_id=f"example-{next(_EXAMPLES)}-")
    identity = msgspec.structs.replace(call.reading.identity, session_id=call.call_id)
    call = msgspec.structs.replace(call, reading=msgspec.structs.replace(call.reading, identity=identity))
    with database.write() as connection:
        save(connection, [call])
    assert read_call(database, call.call_id) == call


@given(st.datetimes(timezones=st.just(dt.UTC)))
def test_a_moment_survives_as_microseconds(moment):
    assert from_us(to_us(moment)) == moment


def test_a_moment_without_a_zone_is_refused():
    with pytest.raises(TypeError):
        to_us(dt.datetime(2026, 11, 22))


def test_times_are_kept_in_utc():
    assert from_us(to_us(START.astimezone(dt.timezone(dt.timedelta(hours=9))))).tzinfo is dt.UTC


def test_what_a_client_made_up_is_kept_as_both_engines_can(database):
    """Postgres has no NUL in text and no long index entries; the label gives way, the document does not."""
    noise = random.Random(1).randbytes(20_000).hex()  # what compresses would fit the index after all
    wild = made_call(session="s\x00" + noise, task="\U0001f600" * 5_000, requested_model="gpt\x005")
    with database.write() as connection:
        save(connection, [wild])
    found = read_call(database, wild.call_id)
    assert found.requested_model == "gpt\ufffd5"
    assert msgspec.structs.replace(found, requested_model=wild.requested_model) == wild


def test_a_row_from_a_newer_version_is_an_error_that_names_the_call():
    row, attempts = named(made_call(7))
    with pytest.raises(StoreError, match="call '0199f000-0000-7000-8000-000000000007' of the ledger cannot be read"):
        from_rows({**row, "dialect": "telepathy"}, attempts)


@pytest.mark.parametrize(
    ("status", "error", "expected"),
    [
        (200, "", False),
        (399, "", False),
        (400, "malformed_body", True),
        (503, "", True),
        (200, "stream_cut", True),  # the head was fine, the answer was not
        (499, "", False),  # the client left first
        (499, "client_left", False),
    ],
)
def test_a_call_failed_when_the_client_was_let_down(status, error, expected):
    assert failed(made_call(status=status, error=error).outcome) is expected


@pytest.mark.parametrize(
    ("differences", "expected"),
    [
        ({}, "known"),
        ({"cost_pusd": 0}, "known"),
        ({"cost_pusd": None}, "unknown"),  # tokens, but no price
        ({"cost_pusd": None, "usage": None}, "unknown"),  # answered, no usage read
        ({"cost_pusd": None, "usage": None, "status": 499}, "unknown"),  # the provider may go on and bill
        ({"cost_pusd": None, "usage": None, "status": 529}, "none"),
        ({"cost_pusd": None, "usage": USAGE, "status": 529}, "unknown"),
        ({"cost_pusd": None, "usage": None, "served": None}, "none"),
        ({"cost_pusd": None, "usage": None, "operation": "count_tokens"}, "none"),
        ({"cost_pusd": None, "usage": None, "operation": "embeddings"}, "unknown"),
    ],
)
def test_a_cost_is_known_unknown_or_none(differences, expected):
    assert cost_state(made_call(served=differences.pop("served", OPUS), **differences)) == expected


def test_no_value_that_the_ledger_keeps_can_hold_a_users_text():
    """`Request` and its messages are the nouns with texts; none is within reach of a CallRecord."""
    kept = set(msgspec.json.schema(CallRecord)["$defs"])
    assert "Decision" in kept
    assert kept.isdisjoint({"Request", "Message"})
