"""`lanewise demo` as its user runs it: one process, real ports, real exit codes."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

COMMAND = [sys.executable, "-c", "from lanewise.cli.demo import command; command(prog_name='lanewise demo')"]
LANES = ("local", "batch", "realtime")


def environment(tmp_path: Path, **extra: str) -> dict[str, str]:
    """The process's environment without any Lanewise setting, with an empty home."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("LANEWISE_")}
    return {**kept, "HOME": str(tmp_path / "home"), "TMPDIR": str(tmp_path), **extra}


def run(tmp_path: Path, *arguments: str, **extra: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *arguments],
        env=environment(tmp_path, **extra),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """One whole demo with its state in a folder of ours: (process, that folder)."""
    tmp_path = tmp_path_factory.mktemp("demo")
    data = tmp_path / "state"
    return run(tmp_path, "--once", "--json", LANEWISE_DATA=str(data)), data


@pytest.fixture(scope="module")
def result(finished):
    process, _ = finished
    assert process.returncode == 0, process.stderr
    return json.loads(process.stdout)


def test_the_result_says_that_it_is_simulated_and_names_its_baseline(result):
    assert result["simulated"] is True
    assert result["quality"]["simulated"] is True
    assert result["baseline"] == "claude-opus-5-5"


def test_no_call_fails_and_every_call_has_a_price(result):
    assert result["calls"] >= 300
    assert result["sessions"] >= 40
    assert result["failed_calls"] == 0
    assert result["unknown_cost_calls"] == 0


def test_all_three_lanes_are_used(result):
    assert result["lanes"].keys() == set(LANES)
    assert all(result["lanes"][lane]["calls"] > 0 for lane in LANES)


@pytest.mark.parametrize("group", ["lanes", "skills", "models"])
def test_each_grouping_covers_every_call_and_every_dollar(result, group):
    shares = result[group].values()
    assert sum(share["calls"] for share in shares) == result["calls"]
    assert sum(share["share"] for share in shares) == pytest.approx(1)
    assert sum(share["cost_usd"] for share in shares) == pytest.approx(result["cost_usd"])


def test_the_saved_share_is_what_the_two_sums_say(result):
    assert result["saved_share"] == pytest.approx(1 - result["cost_usd"] / result["baseline_cost_usd"])
    assert result["saved_share"] > 0


def test_quality_compares_the_same_tasks(result):
    quality = result["quality"]
    # One draw per task for all models and the baseline is the strongest: routing cannot solve more.
    assert 0 < quality["solved"] <= quality["baseline_solved"] <= quality["tasks"]


def test_the_state_is_where_the_environment_says(finished):
    _, data = finished
    assert {"demo.toml", "ledger.db"} <= {path.name for path in data.iterdir()}


def test_talk_goes_to_stderr(finished):
    process, data = finished
    assert process.stdout.startswith("{")
    assert str(data) in process.stderr


def test_no_prompt_is_in_the_state(finished):
    _, data = finished
    ledger = b"".join(path.read_bytes() for path in data.glob("ledger.db*"))
    assert b"nightly manifest import" not in ledger
    assert b"docker image of harbour" not in ledger


def test_a_busy_port_is_named_and_ends_the_demo_with_1(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        process = run(tmp_path, "--port", str(port))
    assert process.returncode == 1
    assert f"port {port} on 127.0.0.1 is taken" in process.stderr
    assert process.stdout == ""


def test_a_broken_config_is_named_with_its_line(tmp_path):
    (tmp_path / "lanewise.toml").write_text('[server]\nport = "many"\n')
    process = run(tmp_path, "--once")
    assert process.returncode == 1
    assert "lanewise.toml:2" in process.stderr


def test_a_data_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    process = run(tmp_path, "--once", LANEWISE_DATA=str(tmp_path / "file" / "state"))
    assert process.returncode == 1
    assert str(tmp_path / "file" / "state") in process.stderr
    assert "hint: set LANEWISE_DATA" in process.stderr


def test_an_interrupted_demo_ends_cleanly_and_leaves_no_temporary_state(tmp_path):
    process = subprocess.Popen(
        [*COMMAND, "--port", "0"],
        env=environment(tmp_path),
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    begun = process.stderr.readline()
    assert "playing a simulated day" in begun
    process.send_signal(signal.SIGINT)
    _, rest = process.communicate(timeout=60)
    assert process.returncode == 0
    assert rest == ""
    assert list(tmp_path.glob("lanewise-demo-*")) == []
