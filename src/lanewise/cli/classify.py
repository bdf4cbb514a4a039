"""`lanewise classify`: what layer 1 says of a text or a request, without a gateway and without sending anything."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import get_args

import click
import msgspec

from lanewise.classify import Classifier
from lanewise.cli.given import Document, Row, content_of, conversation_of, document_of, is_request, request_of
from lanewise.cli.refused import Refused
from lanewise.gateway.keys import caller_of
from lanewise.journey import Dialect, Housekeeping, Reading, Request, Skill, TurnKind, Value

_WHAT = "a text, a file, or a request body"


class Classified(Value, frozen=True, kw_only=True):
    """Schema of `--json` and of one line of `--jsonl`."""

    skill: Skill
    second: Skill | None
    confidence: float
    abstained: bool
    """The confidence is too low to act on: the task stays in the frontier tier."""
    source: str
    """What decided the skill: structure, student or inherited."""
    turn: TurnKind
    housekeeping: Housekeeping | None
    client: str
    complexity: float
    complexity_parts: dict[str, float]
    waiting: bool
    waiting_reason: str
    reason: str
    """The rule that decided the turn."""


class Failure(Value, frozen=True, kw_only=True):
    """One line of `--jsonl` that could not be read."""

    line: int
    error: str


@click.command("classify")
@click.argument("text", required=False, metavar="[TEXT|-|FILE]")
@click.option("--dialect", type=click.Choice(get_args(Dialect)), help="Dialect of a request body, if its keys mislead.")
@click.option("--jsonl", is_flag=True, help="Read one JSON object a line, write one a line, in order.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(text: str | None, *, dialect: Dialect | None, jsonl: bool, as_json: bool) -> None:
    """Skill, turn and complexity of TEXT, of a FILE, or of standard input.

    A JSON request body of any dialect, or a recorded request {method, path, headers, body}, is read as the gateway
    reads it; anything else is a user's words. A line of --jsonl is one of these, or an object with `text` and any of
    `history`, `answer_head`, `system`, `tools`, `client`. A line that cannot be read gives {"line", "error"}, and
    exit 1 at the end.

    \b
    Example:
      lanewise classify "why does test_login fail since yesterday?"
      lanewise classify request.json --json
    """  # noqa: D301  click reads the character itself: it keeps the lines that follow
    content = content_of(text, what=_WHAT)
    reader = _Reader()
    if jsonl:
        failures = 0
        for answer in reader.lines(content):
            failures += isinstance(answer, Failure)
            click.echo(msgspec.json.encode(answer))
        if failures:
            raise Refused(f"{failures} lines could not be read", hint='they are the lines with an "error"')
        return
    found = _described(reader.one(content, dialect))
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(found), indent=2).decode())
    else:
        click.echo("\n".join(_lines(found)))


class _Reader:
    """Reads each input with a session book of its own, so that one line never changes another."""

    def __init__(self) -> None:
        self._classifier = Classifier.load()

    def one(self, content: bytes, dialect: Dialect | None) -> Reading:
        if content.lstrip().startswith(b"{"):
            try:
                document = document_of(content, "input")
            except Refused:
                if dialect is not None:
                    raise
            else:
                if dialect is not None or is_request(document):
                    return self._read(request_of(document, content, dialect=dialect))
        return self._read(conversation_of(Row(text=content.decode("utf-8", "replace"))))

    def lines(self, content: bytes) -> Iterator[Classified | Failure]:
        for number, line in enumerate(content.split(b"\n"), start=1):
            if not line.strip():
                continue
            try:
                yield _described(self._line(document_of(line, f"line {number}"), line))
            except (Refused, msgspec.ValidationError) as error:
                yield Failure(line=number, error=str(error))

    def _line(self, document: Document, line: bytes) -> Reading:
        if is_request(document):
            return self._read(request_of(document, line))
        return self._read(conversation_of(msgspec.convert(document, Row)))

    def _read(self, request: Request) -> Reading:
        now = dt.datetime.now(dt.UTC)
        caller, _ = caller_of(request.headers, {}, now)
        return self._classifier.forgetful().read(request, caller, now)


def _described(reading: Reading) -> Classified:
    label, turn, features = reading.label, reading.turn, reading.features
    return Classified(
        skill=label.skill,
        second=label.second,
        confidence=label.confidence,
        abstained=label.abstained,
        source=label.source,
        turn=turn.kind,
        housekeeping=turn.housekeeping,
        client=turn.client,
        complexity=round(features.complexity, 4),
        complexity_parts=features.complexity_parts,
        waiting=features.waiting,
        waiting_reason=features.waiting_reason,
        reason=turn.reason,
    )


def _lines(found: Classified) -> Iterator[str]:
    doubt = ", too low to act on" if found.abstained else ""
    second = f", then {found.second}" if found.second else ""
    yield f"skill       {found.skill} (confidence {found.confidence:.2f}{doubt}; by {found.source}){second}"
    kind = f"{found.turn}: {found.housekeeping}" if found.housekeeping else found.turn
    yield f"turn        {kind} ({found.reason}), client {found.client}"
    yield f"complexity  {found.complexity:.2f} ({_parts(found.complexity_parts)})"
    yield f"waiting     {'yes' if found.waiting else 'no'} ({found.waiting_reason})"


def _parts(parts: dict[str, float]) -> str:
    named = [f"{name} {share:.2f}" for name, share in sorted(parts.items(), key=lambda part: -part[1]) if share]
    return ", ".join(named) or "nothing adds to it"
