"""Every mistake of a config file is told with its line, all of them at once, and with what to do."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lanewise.config import load
from lanewise.errors import ConfigError
from lanewise.journey import Skill

PROVIDER = '[providers.p]\nbase_url = "http://127.0.0.1:1"\ndialects = ["chat"]\n'


def problems(folder: Path, text: str, env: dict[str, str] | None = None) -> list[str]:
    """The problems of a file, without its folder."""
    file = folder / "lanewise.toml"
    file.write_text(text)
    with pytest.raises(ConfigError) as caught:
        load(env=env or {}, config=file)
    return [problem.removeprefix(f"{folder}/") for problem in caught.value.problems]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        # wrong type, out of range, not in the set
        ('[server]\nport = "abc"\n', ["2: `server.port`: Expected `int`, got `str`"]),
        ("\n\n[server]\n\nport = 70000\n", ["5: `server.port`: Expected `int` <= 65535"]),
        ("[upstream]\nbackoff_s = 0\n", ["2: `upstream.backoff_s`: Expected `float` > 0.0"]),
        (
            '[routing]\nmode = "activ"\n',
            ["2: `routing.mode`: Invalid enum value 'activ'; hint: use one of observe, split, active"],
        ),
        (
            '[capture]\nlevel = "full"\n',
            ["2: `capture.level`: Invalid enum value 'full'; hint: use one of metadata"],
        ),
        # unknown names, with what may have been meant
        ("[servr]\nport = 1\n", ["1: unknown setting `servr`; hint: did you mean `server`?"]),
        ("[server]\nprt = 1\n", ["2: unknown setting `server.prt`; hint: did you mean `port`?"]),
        ("zzz = 1\n", ["1: unknown setting `zzz`; hint: see `lanewise config schema`"]),
        # dotted and quoted keys
        (
            'routing.mode = "on"\n',
            ["1: `routing.mode`: Invalid enum value 'on'; hint: use one of observe, split, active"],
        ),
        ('[server]\n"port" = -1\n', ["2: `server.port`: Expected `int` >= 0"]),
        (
            '[models."qwen/3.8"]\nprovider = "p"\ntier = "best"\n',
            ["3: `models.qwen/3.8.tier`: Invalid enum value 'best'; hint: use one of cheap, frontier"],
        ),
        # inline tables
        (
            '[models]\nok = { provider = "p" }\nm = { provider = "p", tiers = "cheap" }\n' + PROVIDER,
            ["3: unknown setting `models.m.tiers`; hint: did you mean `tier`?"],
        ),
        (
            'models = { m = { provider = "p", tier = 3 } }\n',
            ["1: `models.m.tier`: Expected `str`, got `int`"],
        ),
        (
            '[models.m]\nprovider = "p"\nprice = { input_usd_per_mtok = "a lot", output_usd_per_mtok = 3 }\n',
            ["3: `models.m.price.input_usd_per_mtok`: Invalid decimal string"],
        ),
        # a value over several lines is told where it begins
        (
            '[providers.a]\nbase_url = "http://x"\ndialects = [\n  "chat",\n  "mail",\n]\n',
            [
                "3: `providers.a.dialects`: Invalid enum value 'mail'; hint: use one of messages, chat, responses, gemini"
            ],
        ),
        # what is missing is told at the row
        (
            '\n[providers.a]\nbase_url = "http://x"\n',
            ["2: `providers.a`: Object missing required field `dialects`"],
        ),
        # not a table
        ("server = 3\n", ["1: `server`: Expected `object`, got `int`"]),
        ("[providers]\na = 3\n", ["2: `providers.a`: Expected `object`, got `int`"]),
        # secrets are names of variables, never values
        (
            PROVIDER + 'api_key = "sk-proj-secret"\n',
            ["4: unknown setting `providers.p.api_key`; hint: did you mean `api_key_env`?"],
        ),
        ('[keys.ci]\nhash = "plain"\n', ["2: `keys.ci.hash`: Expected `str` matching regex '^sha256:[0-9a-f]{64}$'"]),
        # not TOML at all
        ("[server]\nport = \n", ["2: Invalid value; hint: this is not TOML"]),
        ("[server]\nport = 1\nport = 2\n", ["3: Cannot overwrite a value; hint: this is not TOML"]),
        (
            "[server]\nport = 1\n[server.x",
            ["3: Expected ']' at the end of a table declaration; hint: this is not TOML"],
        ),
    ],
)
def test_a_mistake_is_told_with_its_line(text: str, expected: list[str], tmp_path: Path):
    assert problems(tmp_path, text) == [f"lanewise.toml:{line}" for line in expected]


def test_a_skill_that_does_not_exist_is_told_with_those_that_do(tmp_path: Path):
    assert problems(tmp_path, '[skills.debuging]\nmode = "active"\n') == [
        f"lanewise.toml:1: `skills.debuging`: Invalid enum value 'debuging'; hint: use one of {', '.join(get_args(Skill))}"
    ]


def test_a_value_that_looks_like_our_wording_is_quoted_whole(tmp_path: Path):
    assert problems(tmp_path, '[routing]\nmode = "look - at `this`"\n') == [
        "lanewise.toml:2: `routing.mode`: Invalid enum value 'look - at `this`'; hint: use one of observe, split, active"
    ]


def test_all_mistakes_of_a_file_are_told_at_once_in_its_order(tmp_path: Path):
    text = (
        "[server]\n"  # 1
        "port = 99999\n"
        'hots = "127.0.0.1"\n'
        "[providers.a]\n"  # 4
        'base_url = "ftp://x"\n'
        "dialects = []\n"
        "[providers.b]\n"  # 7
        'base_url = "http://x"\n'
        'dialects = ["chat"]\n'
        'lane = "lokal"\n'
        "slots = 0\n"
        "[models.m]\n"  # 12
        'tier = "best"\n'
        "[skills.debugging]\n"  # 14
        'deadline = "8 hours"\n'
    )
    assert [problem.split(":")[1] for problem in problems(tmp_path, text)] == [
        "2", "3", "5", "6", "10", "11", "13", "12", "15",
    ]  # fmt: skip


def test_a_required_setting_that_is_wrong_is_not_told_as_missing_too(tmp_path: Path):
    assert problems(tmp_path, "[models.m]\nprovider = 3\n") == [
        "lanewise.toml:2: `models.m.provider`: Expected `str | array`, got `int`"
    ]


def test_names_that_point_nowhere_are_told_with_what_may_have_been_meant(tmp_path: Path):
    text = (
        '[models.m]\nprovider = "gpuu"\n[providers.gpu]\nbase_url = "http://x"\ndialects = ["chat"]\n'
        '[models.n]\nprovider = ["gpu", "cloud"]\n[aliases]\nz = "q"\nok = "m"\n'
    )
    assert problems(tmp_path, text) == [
        "lanewise.toml:2: `models.m.provider` names provider 'gpuu', which is not there; hint: did you mean `gpu`?",
        "lanewise.toml:7: `models.n.provider` names provider 'cloud', which is not there; hint: add [providers.cloud]",
        "lanewise.toml:9: `aliases.z` names model 'q', which is not there; hint: add [models.q]",
    ]


def test_a_section_that_is_no_table_does_not_hide_behind_the_environment(tmp_path: Path):
    assert problems(tmp_path, "server = 3\n", env={"LANEWISE_PORT": "1"}) == [
        "lanewise.toml:1: `server`: Expected `object`, got `int`"
    ]


def test_a_file_that_is_not_there_is_told_by_its_name(tmp_path: Path):
    with pytest.raises(ConfigError) as caught:
        load(env={"LANEWISE_CONFIG": str(tmp_path / "none.toml")})
    assert caught.value.problems == [
        f"{tmp_path / 'none.toml'}: no such file; hint: check --config or write one, `lanewise config schema` helps"
    ]


def test_a_file_that_is_no_text_or_no_file_is_told_so(tmp_path: Path):
    binary = tmp_path / "binary.toml"
    binary.write_bytes(b"\xff\xfe")
    for path in (binary, tmp_path):
        with pytest.raises(ConfigError) as caught:
            load(env={}, config=path)
        assert caught.value.problems[0].startswith(f"{path}: cannot be read: ")


_WORDS = st.sampled_from(
    ["server", "providers", "models", "skills", "keys", "aliases", "port", "a", "debugging", "x.y"]
)
_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 99999) | st.floats(allow_nan=False) | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(_WORDS, inner, max_size=3),
    max_leaves=8,
)


def _toml(value: object) -> str:
    """An inline TOML value; null has none and becomes a string."""
    if isinstance(value, dict):
        return "{" + ", ".join(f'"{key}" = {_toml(inner)}' for key, inner in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_toml, value)) + "]"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return repr(value)
    return '"' + "".join(c if c.isalnum() and c.isascii() else "_" for c in str(value)) + '"'


@settings(max_examples=200, deadline=None)
@given(st.dictionaries(_WORDS, _VALUES, max_size=3), st.booleans())
def test_no_file_makes_the_reader_raise_anything_but_a_config_error_with_lines(tmp_path_factory, document, environment):
    file = tmp_path_factory.getbasetemp() / "any.toml"
    file.write_text("\n".join(f'"{key}" = {_toml(value)}' for key, value in document.items()))
    try:
        load(env={"LANEWISE_PORT": "1"} if environment else {}, config=file)
    except ConfigError as error:
        assert error.problems
        for problem in error.problems:
            number = problem.removeprefix(f"{file}:").partition(":")[0]
            assert 1 <= int(number) <= len(document)
