"""Durations, and the table of all settings as others see it: frozen values and a JSON Schema."""

from __future__ import annotations

import json
import re

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lanewise.config import Settings, duration_s, schema
from lanewise.config.durations import PATTERN


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90s", 90.0),
        ("15m", 900.0),
        ("8h", 28_800.0),
        ("2d", 172_800.0),
        ("1.5h", 5_400.0),
        ("0s", 0.0),
        (" 8h ", 28_800.0),
    ],
)
def test_a_duration_is_a_number_and_a_unit(text: str, seconds: float):
    assert duration_s(text) == seconds


@pytest.mark.parametrize("text", ["", "8", "h", "8 h", "8H", "-8h", "8h30m", "1e3s", ".5h", "5.h", "nan", "infs", "8w"])
def test_anything_else_is_no_duration(text: str):
    assert duration_s(text) is None


@given(st.text(alphabet="0123456789.smhd- ", max_size=8))
def test_what_the_config_accepts_as_a_duration_can_be_read(text: str):
    if text and re.search(PATTERN, text):
        assert duration_s(text) is not None


def test_settings_cannot_be_changed_in_place():
    with pytest.raises(AttributeError):
        Settings().server.port = 1  # type: ignore[misc]


def test_the_schema_names_every_section_and_forbids_unknown_keys():
    sections = schema()["$defs"]
    assert set(sections["Settings"]["properties"]) == {field.name for field in msgspec.structs.fields(Settings)}
    assert {name for name, section in sections.items() if section["additionalProperties"] is not False} == set()


def test_the_schema_describes_every_setting_and_is_json():
    nameless = [
        f"{section}.{name}"
        for section, row in schema()["$defs"].items()
        if section != "Settings"
        for name, field in row["properties"].items()
        if not field.get("description")
    ]
    assert nameless == []
    assert json.loads(json.dumps(schema()))["$ref"] == "#/$defs/Settings"


def test_the_schema_holds_the_same_limits_as_the_reader():
    server = schema()["$defs"]["ServerSettings"]["properties"]
    assert (server["port"]["minimum"], server["port"]["maximum"], server["port"]["default"]) == (0, 65535, 4311)
    assert schema()["$defs"]["RoutingSettings"]["properties"]["mode"]["enum"] == ["active", "observe", "split"]
