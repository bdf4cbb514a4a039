"""`lanewise connect`: one setting in one file, and back again byte for byte."""

import json
import os
import stat
import tomllib

import pytest

from lanewise.cli.agents import AGENTS

URL = "http://127.0.0.1:4311"

# agent, its file under the home folder, a file somebody already has, what has to be in it afterwards
FILES = [
    (
        "claude",
        ".claude/settings.json",
        '{\n    "model": "opus",\n    "env": {"FOO": "1"},\n    "big": 1.0e5\n}',
        ['"env": {"FOO": "1", "ANTHROPIC_BASE_URL": "http://127.0.0.1:4311"}', '"big": 1.0e5'],
    ),
    (
        "codex",
        ".codex/config.toml",
        '# mine\nmodel = "gpt-6"  # fast\n\n[mcp_servers.x]\ncommand = "y"\n',
        [
            "# mine\n",
            "# fast\n",
            'model_provider = "lanewise"\n',
            '[model_providers.lanewise]\nname = "Lanewise"\nbase_url = "http://127.0.0.1:4311/v1"\n',
            'wire_api = "responses"\n',
        ],
    ),
    (
        "opencode",
        ".config/opencode/opencode.json",
        '{\n\t// mine\n\t"theme": "dark",\n\t"provider": {"openai": {"options": {"timeout": 5}}},\n}\n',
        ["// mine", '"timeout": 5, "baseURL": "http://127.0.0.1:4311/v1"', '"theme": "dark"'],
    ),
    (
        "aider",
        ".aider.conf.yml",
        "# mine\ndark-mode: true\nset-env:\n  - FOO=1\nread:\n  - CONVENTIONS.md",
        [
            "# mine\n",
            "  - ANTHROPIC_API_BASE=http://127.0.0.1:4311\n  - FOO=1\n",
            "openai-api-base: http://127.0.0.1:4311/v1\n",
        ],
    ),
    (
        "qwen",
        ".qwen/settings.json",
        '{"ui": {"theme": "x"}}',
        ['"OPENAI_BASE_URL": "http://127.0.0.1:4311/v1"', '"ANTHROPIC_BASE_URL": "http://127.0.0.1:4311"'],
    ),
    (
        "gemini",
        ".gemini/.env",
        "# mine\nGEMINI_API_KEY=abc",
        ["# mine\nGEMINI_API_KEY=abc\nGOOGLE_GEMINI_BASE_URL=http://127.0.0.1:4311\n"],
    ),
]
AGENT_FILES = [pytest.param(*row, id=row[0]) for row in FILES]
BROKEN = {
    "claude": ('{\n "env": {,\n}', 2),
    "codex": ('model = "x"\nmodel_provider = \n', 2),
    "opencode": ('{"provider": }', 1),
    "aider": ("dark-mode: true\n\tbroken\n", 2),
    "qwen": ("[1]", 1),
    "gemini": ("A=1\nwhat is this\n", 2),
}


def written(home, name, content):
    path = home / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode())
    return path


def beside(path):
    """Every file in the folder of `path`, but it."""
    return sorted(other.name for other in path.parent.iterdir() if other != path and other.is_file())


def test_the_table_covers_every_agent_that_has_a_file():
    assert {row[0] for row in FILES} == {name for name, agent in AGENTS.items() if agent.place}


@pytest.mark.parametrize(("agent", "name", "content", "expected"), AGENT_FILES)
def test_connect_adds_our_setting_and_keeps_everything_else(run, home, agent, name, content, expected):
    path = written(home, name, content)
    result = run("connect", agent)
    assert result.exit_code == 0, result.stderr
    after = path.read_text()
    for piece in expected:
        assert piece in after
    assert AGENTS[agent].editor.read(after).keys() >= AGENTS[agent].editor.read(content).keys()
    assert result.stdout == ""
    assert path.with_name(path.name + ".lanewise-backup").read_text() == content


@pytest.mark.parametrize(("agent", "name", "content", "expected"), AGENT_FILES)
def test_undo_restores_the_bytes_and_leaves_nothing_behind(run, home, agent, name, content, expected):
    path = written(home, name, content)
    run("connect", agent)
    run("connect", agent, "--url", "http://10.0.0.7:9")
    result = run("connect", agent, "--undo")
    assert result.exit_code == 0, result.stderr
    assert path.read_bytes() == content.encode()
    assert beside(path) == []


@pytest.mark.parametrize(("agent", "name", "content", "expected"), AGENT_FILES)
def test_undo_removes_a_file_that_connect_made(run, home, agent, name, content, expected):
    path = home / name
    assert run("connect", agent).exit_code == 0
    assert AGENTS[agent].editor.read(path.read_text())
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert run("connect", agent, "--undo").exit_code == 0
    assert not path.exists()
    assert beside(path) == []


@pytest.mark.parametrize(("agent", "name", "content", "expected"), AGENT_FILES)
def test_connecting_twice_is_connecting_once(run, home, agent, name, content, expected):
    path = written(home, name, content)
    run("connect", agent)
    once = path.read_bytes(), path.stat().st_ino
    result = run("connect", agent)
    assert (path.read_bytes(), path.stat().st_ino) == once
    assert "already connected" in result.stderr
    assert path.with_name(path.name + ".lanewise-backup").read_text() == content


@pytest.mark.parametrize(("agent", "name", "content", "expected"), AGENT_FILES)
def test_print_shows_the_change_and_writes_nothing(run, home, agent, name, content, expected):
    path = written(home, name, content)
    result = run("connect", agent, "--print")
    assert f"+++ {path}" in result.stdout
    assert "127.0.0.1:4311" in result.stdout
    assert path.read_bytes() == content.encode()
    assert beside(path) == []


@pytest.mark.parametrize(("agent", "name", "content", "expected"), AGENT_FILES)
def test_a_broken_file_is_refused_by_line_and_left_alone(run, home, agent, name, content, expected):
    content, line = BROKEN[agent]
    path = written(home, name, content)
    for option in ((), ("--undo",), ("--print",)):
        result = run("connect", agent, *option)
        assert result.exit_code == 1
        assert f"{path}:{line}: " in result.stderr
    assert path.read_text() == content
    assert beside(path) == []


@pytest.mark.parametrize(("agent", "name", "content", "expected"), AGENT_FILES)
def test_undo_of_a_file_edited_since_takes_only_our_settings_out(run, home, agent, name, content, expected):
    path = written(home, name, content)
    run("connect", agent)
    later = {"claude": ("opus", "haiku"), "codex": ("gpt-6", "gpt-7"), "opencode": ("dark", "light")}
    old, new = later.get(agent, ("", ""))
    edited = path.read_text().replace(old, new) if old else path.read_text() + ("\n" if path.suffix else "B=2\n")
    path.write_text(edited)
    result = run("connect", agent, "--undo")
    assert result.exit_code == 0
    assert "changed since" in result.stderr
    read = AGENTS[agent].editor.read
    wanted = content.replace(old, new) if old else content + ("\n" if path.suffix else "\nB=2\n")
    assert read(path.read_text()) == read(wanted)
    assert beside(path) == []


def test_the_users_own_address_comes_back_when_they_edited_the_file_since(run, home):
    path = written(home, ".claude/settings.json", '{"env": {"ANTHROPIC_BASE_URL": "https://proxy.example"}}')
    run("connect", "claude")
    path.write_text(path.read_text().replace("{", '{"model": "opus", ', 1))
    run("connect", "claude", "--undo")
    assert json.loads(path.read_text()) == {"model": "opus", "env": {"ANTHROPIC_BASE_URL": "https://proxy.example"}}


def test_undo_leaves_an_address_of_somebody_else_alone(run, home):
    content = '{"env": {"ANTHROPIC_BASE_URL": "https://proxy.example"}}'
    path = written(home, ".claude/settings.json", content)
    result = run("connect", "claude", "--undo")
    assert result.exit_code == 0
    assert "nothing to undo" in result.stderr
    assert path.read_text() == content


def test_connecting_again_after_an_edit_backs_up_the_edited_file(run, home):
    path = written(home, ".codex/config.toml", 'model = "a"\n')
    run("connect", "codex")
    path.write_text(path.read_text().replace('"a"', '"b"'))
    run("connect", "codex", "--url", "http://127.0.0.1:5000")
    assert tomllib.loads(path.read_text())["model_providers"]["lanewise"]["base_url"] == "http://127.0.0.1:5000/v1"
    run("connect", "codex", "--undo")
    assert path.read_text() == 'model = "b"\n'


def test_a_symbolic_link_is_followed_and_stays_a_link(run, home):
    real = written(home, "dotfiles/claude.json", "{}\n")
    link = home / ".claude" / "settings.json"
    link.parent.mkdir()
    link.symlink_to(real)
    run("connect", "claude")
    assert link.is_symlink()
    assert json.loads(real.read_text())["env"] == {"ANTHROPIC_BASE_URL": URL}
    run("connect", "claude", "--undo")
    assert link.is_symlink()
    assert real.read_bytes() == b"{}\n"


def test_the_mode_of_the_file_and_its_line_endings_stay(run, home):
    path = written(home, ".codex/config.toml", '# mine\r\n[a]\r\nb = "c"\r\n')
    path.chmod(0o640)
    run("connect", "codex")
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert b"\r\n" in path.read_bytes()
    assert path.read_bytes().count(b"\n") == path.read_bytes().count(b"\r\n")


@pytest.mark.parametrize(
    ("agent", "name", "content"),
    [
        ("claude", ".claude/settings.json", '{"env": []}'),
        ("codex", ".codex/config.toml", 'model_providers = { x = { name = "y" } }\n'),
        ("aider", ".aider.conf.yml", "set-env: [A=1]\n"),
    ],
)
def test_a_layout_that_cannot_be_edited_is_refused_with_what_to_set_by_hand(run, home, agent, name, content):
    path = written(home, name, content)
    result = run("connect", agent)
    assert result.exit_code == 1
    assert "by hand" in result.stderr
    assert path.read_text() == content
    assert beside(path) == []


@pytest.mark.parametrize("agent", [name for name, row in AGENTS.items() if row.place is None])
def test_an_agent_without_a_file_is_explained_on_stdout(run, home, agent):
    result = run("connect", agent)
    assert result.exit_code == 0
    assert f"{URL}/v1" in result.stdout
    assert list(home.iterdir()) == []


def test_the_address_comes_from_the_config_and_an_agents_v1_is_added_where_it_belongs(run, home):
    (home / "lanewise.toml").write_text('[server]\nhost = "0.0.0.0"\nport = 5123\n')
    run("connect", "claude")
    run("connect", "opencode", "--url", "https://gateway.example/team/v1/")
    claude = json.loads((home / ".claude/settings.json").read_text())
    opencode = json.loads((home / ".config/opencode/opencode.json").read_text())
    assert claude["env"]["ANTHROPIC_BASE_URL"] == "http://127.0.0.1:5123"
    assert opencode["provider"]["openai"]["options"]["baseURL"] == "https://gateway.example/team/v1"


def test_json_says_what_was_done(run, home):
    done = json.loads(run("connect", "gemini", "--json").stdout)
    assert (done["action"], done["url"], done["path"]) == ("written", URL, str(home / ".gemini" / ".env"))
    assert json.loads(run("connect", "gemini", "--json").stdout)["action"] == "unchanged"
    assert json.loads(run("connect", "gemini", "--json", "--undo").stdout)["action"] == "removed"


def test_an_address_that_is_none_is_a_usage_error(run):
    result = run("connect", "claude", "--url", "localhost:4311")
    assert result.exit_code == 2
    assert "http://127.0.0.1:4311" in result.stderr


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_cannot_be_written_is_told(run, home):
    path = written(home, ".claude/settings.json", "{}")
    path.parent.chmod(0o500)
    result = run("connect", "claude")
    path.parent.chmod(0o700)
    assert result.exit_code == 1
    assert path.read_text() == "{}"


def test_undo_without_the_backup_takes_our_setting_out_and_never_the_file(run, home):
    path = written(home, ".claude/settings.json", '{"model": "opus"}')
    run("connect", "claude")
    path.with_name(path.name + ".lanewise-backup").unlink()
    run("connect", "claude", "--url", "http://127.0.0.1:9")
    path.with_name(path.name + ".lanewise-backup").unlink()
    result = run("connect", "claude", "--undo")
    assert "backup is gone" in result.stderr
    assert json.loads(path.read_text()) == {"model": "opus"}
    assert beside(path) == []
