"""`lanewise explain`: why a call of the ledger went where it went, or where a request would go. Sends nothing."""

from __future__ import annotations

import datetime as dt
import os
import re
from pathlib import Path
from typing import Literal, get_args

import click
import msgspec

from lanewise import app
from lanewise.classify import Classifier
from lanewise.cli import reasons
from lanewise.cli.explained import lines
from lanewise.cli.given import content_of, document_of, request_of
from lanewise.cli.refused import Refused
from lanewise.cli.settings import ledger_name, open_ledger, read
from lanewise.config import Settings
from lanewise.errors import Unauthorized
from lanewise.gateway.keys import caller_of
from lanewise.journey import Attempt, Caller, CallRecord, Decision, Dialect, Operation, Outcome, Reading, Request, Value
from lanewise.ledger import call as call_of
from lanewise.ledger import policy as policy_of
from lanewise.money import PriceBook
from lanewise.router import Conditions, Experience, Policy, Rulebook, Situation, World, decide
from lanewise.select import Priors

_AGAIN = {
    "same": "decided again from the ledger alone: the same decision",
    "different": "decided again from the ledger alone: ANOTHER decision; please report it with `--json`",
    "not_kept": "what this was decided from was not kept, so it cannot be decided again",
}

_WHAT = "the id of a call, or a file with a request body"
_CALL_ID = re.compile(r"[0-9a-f][0-9a-f-]{0,35}")


class Explanation(Value, frozen=True, kw_only=True):
    """Schema of `--json`."""

    call_id: str | None
    """None for a request that was not sent."""
    started_at: dt.datetime | None
    dialect: Dialect
    operation: Operation
    requested_model: str
    caller: Caller
    reading: Reading
    decision: Decision
    attempts: tuple[Attempt, ...] = ()
    outcome: Outcome | None = None
    situation: Situation | None = None
    """What the decision was made from, beside caller and reading; None where it was not kept."""
    reasons: dict[str, str]
    """Every reason code above, in words."""
    again: Literal["same", "different", "not_kept", ""] = ""
    """Whether deciding again from what the ledger kept gives this very decision; `not_kept` for calls of before that
    was kept, or that were not decided. Empty for a request that was not sent."""


@click.command("explain")
@click.argument("what", required=False, metavar="[CALL_ID|FILE|-]")
@click.option("--dialect", type=click.Choice(get_args(Dialect)), help="Dialect of a request body, if its keys mislead.")
@click.option("--config", type=click.Path(path_type=Path), help="Read only this file.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON; money in pico-dollars.")
def command(what: str | None, *, dialect: Dialect | None, config: Path | None, as_json: bool) -> None:
    """Say why a call went where it went, or where a request would go.

    A CALL_ID, or the first characters of one, is looked up in the ledger: what was decided then, what was tried, what
    it cost. It stands in the response header x-lanewise-call-id and in the log. A FILE (or - for standard input) holds
    a request body, or a recorded request {method, path, headers, body}: it is decided under the current configuration
    as the first call of its conversation, and nothing is sent.

    \b
    Example:
      lanewise explain 0198c2d4
      lanewise explain request.json --json
    """  # noqa: D301  click reads the character itself: it keeps the lines that follow
    settings = read(config=config).settings
    if what is not None and what != "-" and not Path(what).is_file() and _CALL_ID.fullmatch(what):
        found = _from_ledger(what, settings)
    else:
        found = _offline(_request(what, dialect), settings)
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(found), indent=2).decode())
    else:
        told = lines(
            found.call_id,
            found.reading,
            found.decision,
            attempts=found.attempts,
            outcome=found.outcome,
            situation=found.situation,
        )
        click.echo("\n".join(told))
        if found.again:
            click.echo(f"again       {_AGAIN[found.again]}")


def _from_ledger(call_id: str, settings: Settings) -> Explanation:
    database = open_ledger(settings)
    if database is None:
        raise Refused(f"there is no ledger yet at {ledger_name(settings)}", hint="`lanewise serve` writes one")
    try:
        record = call_of(database, call_id)
        document = policy_of(database, record.policy_id) if record and record.policy_id else None
    finally:
        database.close()
    if record is None:
        where = ledger_name(settings)
        raise Refused(f"no call begins with {call_id!r} in {where}", hint="`lanewise report` says what is there")
    return _of_record(record, document)


def _again(record: CallRecord, document: str | None) -> Literal["same", "different", "not_kept"]:
    """Decide once more, from the ledger alone."""
    if document is None or not record.situation:
        return "not_kept"
    rulebook = Rulebook(Policy.read(document))
    decision = decide(rulebook, record.caller, record.reading, Situation.read(record.situation))
    return "same" if decision == record.decision else "different"


def _of_record(record: CallRecord, document: str | None) -> Explanation:
    return Explanation(
        call_id=record.call_id,
        started_at=record.started_at,
        dialect=record.dialect,
        operation=record.operation,
        requested_model=record.requested_model,
        caller=record.caller,
        reading=record.reading,
        decision=record.decision,
        attempts=record.attempts,
        outcome=record.outcome,
        situation=Situation.read(record.situation) if record.situation else None,
        reasons=_in_words(record.decision),
        again=_again(record, document),
    )


def _request(what: str | None, dialect: Dialect | None) -> Request:
    if what is not None and what != "-" and not Path(what).is_file():
        raise Refused(f"{what!r} is neither a file nor the id of a call", hint=f"give {_WHAT}")
    content = content_of(what, what=_WHAT)
    return request_of(document_of(content, "-" if what is None else what), content, dialect=dialect)


def _offline(request: Request, settings: Settings) -> Explanation:
    """What the router would decide now, with an empty session book and every provider healthy and idle."""
    now = dt.datetime.now(dt.UTC)
    try:
        caller, _ = caller_of(request.headers, settings.keys, now)
    except Unauthorized:  # a body has no headers: then it is nobody's, and no key's policy holds
        caller, _ = caller_of(request.headers, {}, now)
    reading = Classifier.load().read(request, caller, now)
    world = World(settings, os.environ, PriceBook.load(app.data_dir(settings)))
    conditions = Conditions(now=now)
    situation = world.situation(request, caller, reading, conditions, Experience(Priors.load()))
    decision = decide(world.rulebook, caller, reading, situation)
    return Explanation(
        call_id=None,
        started_at=None,
        dialect=request.dialect,
        operation=request.operation,
        requested_model=request.model,
        caller=caller,
        reading=reading,
        decision=decision,
        situation=situation,
        reasons=_in_words(decision),
    )


def _in_words(decision: Decision) -> dict[str, str]:
    codes = [decision.reason, decision.switch_point, *(rejection.reason for rejection in decision.rejected)]
    codes += [f"lane:{lane}:{why}" for lane, why in decision.ruling.refused]
    return {code: reasons.words(code) for code in codes if code}
