"""The one line per call: labels and numbers, in two styles, and nothing a person wrote."""

from __future__ import annotations

import json
import logging
import shlex
import types
import typing

import msgspec
import pytest
from telemetry_kit import CLOUD, GPU, RETRIED, made_call

from lanewise import journey
from lanewise.errors import MalformedBody
from lanewise.journey import CallRecord, Turn
from lanewise.telemetry import line_of, log_call, log_refusal

FIELDS = {
    "event": "call",
    "call_id": "0199f000-0000-7000-8000-000000000001",
    "status": 200,
    "error": "",
    "client": "claude-code",
    "turn": "main",
    "skill": "debugging",
    "lane": "local",
    "model": "small",
    "provider": "gpu",
    "reason": "cheapest_allowed",
    "attempts": 2,
    "duration_ms": 1500,
    "overhead_us": 200,
    "cost_usd": 0.02,
    "baseline_usd": 0.1,
}


def logged(caplog: pytest.LogCaptureFixture, call: CallRecord, style: str) -> list[str]:
    with caplog.at_level(logging.INFO, logger="lanewise.calls"):
        log_call(call, style=style)
    return [record.getMessage() for record in caplog.records]


def test_the_json_style_is_one_object_with_all_fields(caplog):
    (line,) = logged(caplog, made_call(served=GPU, attempts=RETRIED), "json")
    assert json.loads(line) == FIELDS
    assert "\n" not in line


def test_the_text_style_is_one_line_without_empty_fields(caplog):
    (line,) = logged(caplog, made_call(served=GPU, attempts=RETRIED), "text")
    assert line == (
        "event=call call_id=0199f000-0000-7000-8000-000000000001 status=200 client=claude-code turn=main "
        "skill=debugging lane=local model=small provider=gpu reason=cheapest_allowed attempts=2 duration_ms=1500 "
        "overhead_us=200 cost_usd=0.02 baseline_usd=0.1"
    )


def test_the_style_off_logs_nothing(caplog):
    assert logged(caplog, made_call(), "off") == []


def test_an_unknown_price_is_null_in_json_and_absent_in_text(caplog):
    call = made_call(cost_pusd=None, baseline_pusd=None)
    assert (line_of(call)["cost_usd"], line_of(call)["baseline_usd"]) == (None, None)
    (line,) = logged(caplog, call, "text")
    assert "usd" not in line


def test_a_free_call_is_told_as_zero(caplog):
    (line,) = logged(caplog, made_call(cost_pusd=0), "text")
    assert "cost_usd=0.0 " in line


def test_a_call_that_nobody_served_names_who_was_chosen():
    line = line_of(made_call(chosen=GPU, served=None, status=502, error="connect_failed"))
    assert (line["status"], line["error"], line["model"], line["provider"]) == (502, "connect_failed", "small", "gpu")


def test_housekeeping_is_told_by_its_name():
    assert line_of(made_call(turn=Turn(kind="housekeeping", housekeeping="title")))["turn"] == "title"


@pytest.mark.parametrize("style", ["text", "json"])
@pytest.mark.parametrize("name", ["m\nevent=call", "m\r\x00", "m status=500", 'm" status=500', "m\u2028n"])
def test_a_hostile_model_name_forges_neither_a_line_nor_a_field(style: str, name: str, caplog):
    hostile = msgspec.structs.replace(CLOUD, model=name)
    (line,) = logged(caplog, made_call(chosen=hostile, served=hostile), style)
    assert "\n" not in line
    assert "\r" not in line
    if style == "text":
        fields = dict(part.split("=", 1) for part in shlex.split(line))
        assert (fields["status"], len(fields)) == ("200", 15)
        assert json.loads(line[line.index("model=") + 6 : line.index(" provider=")]) == name
    else:
        assert json.loads(line)["model"] == name


def test_the_record_of_a_call_has_no_field_that_could_hold_a_prompt():
    """Only `Request` and `Message` hold text, and no record reaches them."""
    reached: set[type] = set()
    pending: list[object] = [CallRecord]
    while pending:
        kind = pending.pop()
        if isinstance(kind, type) and issubclass(kind, msgspec.Struct) and kind not in reached:
            reached.add(kind)
            pending.extend(typing.get_type_hints(kind).values())
        elif isinstance(kind, types.UnionType) or typing.get_args(kind):
            pending.extend(typing.get_args(kind))
    assert journey.Outcome in reached
    assert reached & {journey.Request, journey.Message} == set()


@pytest.mark.parametrize(
    ("style", "lines"),
    [
        ("text", ["event=refused call_id=c1 dialect=chat status=400 error=malformed_body"]),
        ("json", ['{"event":"refused","call_id":"c1","dialect":"chat","status":400,"error":"malformed_body"}']),
        ("off", []),
    ],
)
def test_a_refusal_before_routing_is_one_line_without_its_message(caplog, style: str, lines: list[str]):
    with caplog.at_level(logging.INFO, logger="lanewise.calls"):
        log_refusal("c1", "chat", MalformedBody("`model` is 'a prompt'"), style=style)
    assert [record.getMessage() for record in caplog.records] == lines
