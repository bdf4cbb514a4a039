"""Where a setting's value comes from: files, environment and flags, and who wins."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest

from lanewise.config import Loaded, Settings, load
from lanewise.errors import ConfigError

SOURCES = ("default", "user file", "project file", "environment", "flag")
PORTS = {"default": 4311, "user file": 1001, "project file": 1002, "environment": 1003, "flag": 1004}


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "home" / ".config" / "lanewise").mkdir(parents=True)
    return tmp_path / "home"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "project").mkdir()
    return tmp_path / "project"


def user_file(home: Path) -> Path:
    return home / ".config" / "lanewise" / "lanewise.toml"


def origin(loaded: Loaded, dotted: str) -> str:
    return loaded.origins[dotted].source


@pytest.mark.parametrize("last", range(len(SOURCES)), ids=SOURCES)
def test_the_last_source_that_names_a_setting_wins_and_is_its_origin(last: int, home: Path, project: Path):
    given = SOURCES[1 : last + 1]
    if "user file" in given:
        user_file(home).write_text(f"[server]\nport = {PORTS['user file']}\n")
    if "project file" in given:
        (project / "lanewise.toml").write_text(f"[server]\nport = {PORTS['project file']}\n")
    env = {"LANEWISE_PORT": str(PORTS["environment"])} if "environment" in given else {}
    flags = {"server.port": PORTS["flag"]} if "flag" in given else {}
    loaded = load(env=env, flags=flags, cwd=project, home=home)
    assert loaded.settings.server.port == PORTS[SOURCES[last]]
    origins = {
        "default": None,
        "user file": f"{user_file(home)}:2",
        "project file": f"{project / 'lanewise.toml'}:2",
        "environment": "LANEWISE_PORT",
        "flag": "--port",
    }
    found = loaded.origins.get("server.port")
    assert (found and found.source) == origins[SOURCES[last]]


def test_the_machines_file_is_read_before_the_users_and_the_projects(tmp_path: Path):
    usual = importlib.import_module("lanewise.config.load")._usual
    assert usual(tmp_path / "p", tmp_path / "h") == [
        Path("/etc/lanewise/lanewise.toml"),
        tmp_path / "h" / ".config" / "lanewise" / "lanewise.toml",
        tmp_path / "p" / "lanewise.toml",
    ]


def test_files_are_merged_setting_by_setting(home: Path, project: Path):
    user_file(home).write_text('[server]\nport = 1\nlog = "json"\n[routing]\nmode = "split"\n')
    (project / "lanewise.toml").write_text("[server]\nport = 2\n")
    loaded = load(env={}, cwd=project, home=home)
    assert (loaded.settings.server.port, loaded.settings.server.log, loaded.settings.routing.mode) == (
        2,
        "json",
        "split",
    )
    assert loaded.files == (user_file(home), project / "lanewise.toml")
    assert origin(loaded, "server.log") == f"{user_file(home)}:3"


def test_rows_of_both_files_are_there(home: Path, project: Path):
    row = 'base_url = "http://127.0.0.1:1"\ndialects = ["chat"]\n'
    user_file(home).write_text(f"[providers.mine]\n{row}")
    (project / "lanewise.toml").write_text(f'[providers.ours]\n{row}[models.m]\nprovider = ["mine", "ours"]\n')
    settings = load(env={}, cwd=project, home=home).settings
    assert tuple(settings.providers) == ("mine", "ours")
    assert settings.models["m"].provider == ("mine", "ours")


def test_a_project_may_change_one_setting_of_a_row_that_the_user_began(home: Path, project: Path):
    user_file(home).write_text('[providers.gpu]\nbase_url = "http://127.0.0.1:8000"\ndialects = ["chat"]\n')
    (project / "lanewise.toml").write_text("[providers.gpu]\nslots = 2\n")
    loaded = load(env={}, cwd=project, home=home)
    assert (loaded.settings.providers["gpu"].slots, loaded.settings.providers["gpu"].dialects) == (2, ("chat",))


def test_a_setting_that_all_files_leave_out_is_told_at_its_row(home: Path, project: Path):
    (project / "lanewise.toml").write_text("[server]\nport = 1\n\n[providers.gpu]\nslots = 2\n")
    with pytest.raises(ConfigError) as raised:
        load(env={}, cwd=project, home=home)
    assert raised.value.problems[0].startswith(
        f"{project / 'lanewise.toml'}:4: `providers.gpu`: Object missing required"
    )


def test_every_mistake_of_the_environment_is_told(home: Path, project: Path):
    with pytest.raises(ConfigError) as raised:
        load(env={"LANEWISE_PORT": "abc", "LANEWISE_MODE": "fast"}, cwd=project, home=home)
    assert [problem.partition(":")[0] for problem in raised.value.problems] == ["LANEWISE_PORT", "LANEWISE_MODE"]


def test_a_named_file_is_the_only_one_that_is_read(home: Path, project: Path, tmp_path: Path):
    user_file(home).write_text("[server]\nport = 1\n")
    (project / "lanewise.toml").write_text('[server]\nlog = "off"\n')
    named = tmp_path / "other.toml"
    named.write_text('[routing]\nmode = "active"\n')
    loaded = load(env={}, config=named, cwd=project, home=home)
    assert loaded.files == (named,)
    assert loaded.settings == load(env={"LANEWISE_MODE": "active"}, cwd=tmp_path / "no", home=tmp_path / "no").settings


def test_the_environment_may_name_the_file_and_the_flag_overrides_it(tmp_path: Path):
    first, second = tmp_path / "a.toml", tmp_path / "b.toml"
    first.write_text("[server]\nport = 1\n")
    second.write_text("[server]\nport = 2\n")
    env = {"LANEWISE_CONFIG": str(first)}
    assert load(env=env).settings.server.port == 1
    assert load(env=env, config=second).settings.server.port == 2


@pytest.mark.parametrize(
    ("name", "value", "dotted", "expected"),
    [
        ("LANEWISE_DATA", "/srv/lanewise", "server.data", "/srv/lanewise"),
        ("LANEWISE_DATABASE_URL", "postgresql://db/l", "server.database_url", "postgresql://db/l"),
        ("LANEWISE_HOST", "::1", "server.host", "::1"),
        ("LANEWISE_PORT", "0", "server.port", 0),
        ("LANEWISE_LOG", "json", "server.log", "json"),
        ("LANEWISE_MODE", "split", "routing.mode", "split"),
        ("LANEWISE_BASELINE", "claude-opus-5-5", "routing.baseline", "claude-opus-5-5"),
    ],
)
def test_each_variable_of_the_environment_sets_its_setting(name, value, dotted, expected, tmp_path: Path):
    loaded = load(env={name: value}, cwd=tmp_path, home=tmp_path)
    section, field = dotted.split(".")
    assert getattr(getattr(loaded.settings, section), field) == expected
    assert {dotted: found.source for dotted, found in loaded.origins.items()} == {dotted: name}


def test_every_variable_that_is_read_is_tested_above():
    environment = importlib.import_module("lanewise.config.load").ENVIRONMENT
    mark = next(mark for mark in test_each_variable_of_the_environment_sets_its_setting.pytestmark)  # type: ignore[attr-defined]
    assert {row[0]: row[2] for row in mark.args[1]} == environment


def test_an_empty_variable_says_nothing(tmp_path: Path):
    assert load(env={"LANEWISE_PORT": ""}, cwd=tmp_path, home=tmp_path).settings == Settings()


def test_without_any_source_everything_is_a_default(tmp_path: Path):
    assert load(env={}, cwd=tmp_path, home=tmp_path) == Loaded(settings=Settings(), origins={}, files=())


@pytest.mark.parametrize(
    ("env", "flags", "problem"),
    [
        ({"LANEWISE_PORT": "http"}, {}, "LANEWISE_PORT: `server.port`: Expected `int`, got `str`"),
        ({"LANEWISE_PORT": "70000"}, {}, "LANEWISE_PORT: `server.port`: Expected `int` <= 65535"),
        ({}, {"server.port": 70000}, "--port: `server.port`: Expected `int` <= 65535"),
        (
            {"LANEWISE_MODE": "on"},
            {},
            "LANEWISE_MODE: `routing.mode`: Invalid enum value 'on'; hint: use one of observe, split, active",
        ),
    ],
)
def test_a_mistake_outside_the_files_names_the_variable_or_the_flag(env, flags, problem: str, tmp_path: Path):
    with pytest.raises(ConfigError) as caught:
        load(env=env, flags=flags, cwd=tmp_path, home=tmp_path)
    assert caught.value.problems == [problem]


def test_the_mistakes_of_all_files_are_told_at_once(home: Path, project: Path):
    user_file(home).write_text("[server]\nport = -1\n")
    (project / "lanewise.toml").write_text("[server]\ndrain_s = -1\n")
    with pytest.raises(ConfigError) as caught:
        load(env={}, cwd=project, home=home)
    assert caught.value.problems == [
        f"{user_file(home)}:2: `server.port`: Expected `int` >= 0",
        f"{project / 'lanewise.toml'}:2: `server.drain_s`: Expected `float` >= 0.0",
    ]
