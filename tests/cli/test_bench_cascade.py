"""`lanewise bench cascade`: its figures with their yardsticks, and what it says of files that it cannot use."""

from __future__ import annotations

import csv
import gzip
import json
import random
from pathlib import Path

import pytest

OUTCOMES = Path(__file__).parents[2].parent / "shared" / "data" / "routing" / "openhands_swebench_verified.csv.gz"


@pytest.fixture
def outcomes(home):
    rng = random.Random(3)
    path = home / "outcomes.csv"
    with path.open("w", newline="") as file:
        out = csv.writer(file)
        out.writerow(["instance_id", "model", "resolved", "cost"])
        for model, success, cost in (("big", 0.8, 1.0), ("small", 0.7, 0.05), ("other", 0.7, 0.1)):
            for task in range(60):
                out.writerow([f"t{task}", model, int(rng.random() < success), cost])
    return path


def test_the_table_names_baseline_pool_and_yardsticks_in_a_hundred_columns(run, outcomes):
    found = run("bench", "cascade", "--outcomes", outcomes, "--baseline", "big", "--splits", 2)
    assert found.exit_code == 0
    lines = found.stdout.splitlines()
    assert max(map(len, lines)) <= 100
    assert lines[1].startswith("baseline big: solves ")
    checks = [line.split()[0] for line in lines if "|" in line]
    assert checks == ["check", "perfect", "0.95/0.05", "0.90/0.20", "0.90/0.40", "shipped", "none"]


def test_json_holds_every_pool_and_the_doubted_model_is_left_out_of_the_second(run, outcomes):
    found = run(
        "bench", "cascade", "--outcomes", outcomes, "--baseline", "big", "--doubted", "small", "--splits", 2, "--json"
    )
    result = json.loads(found.stdout)
    assert [pool["models"] for pool in result["pools"]] == [["big", "other", "small"], ["big", "other"]]
    assert (result["tasks"], result["halves"], result["baseline_cost_usd"]) == (60, 4, 1.0)
    assert result["pools"][0]["cells"][0]["saving"]["mean"] > result["pools"][1]["cells"][0]["saving"]["mean"] > 0.5


def test_a_pool_can_be_named(run, outcomes):
    found = run(
        "bench", "cascade", "--outcomes", outcomes, "--baseline", "big", "--models", "other", "--splits", 1, "--json"
    )
    assert [pool["models"] for pool in json.loads(found.stdout)["pools"]] == [["big", "other"]]


def test_a_packed_file_is_read(run, outcomes, home):
    packed = home / "outcomes.csv.gz"
    packed.write_bytes(gzip.compress(outcomes.read_bytes()))
    assert run("bench", "cascade", "--outcomes", packed, "--baseline", "big", "--splits", 1).exit_code == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "no outcomes were given"),
        (["--outcomes", "none.csv"], "none.csv is not there"),
        (["--outcomes", "bad.csv"], "bad.csv has no column"),
        (["--outcomes", "bad.csv.gz"], "bad.csv.gz cannot be read"),
        (["--outcomes", "outcomes.csv", "--baseline", "huge"], "'huge' did not try every task"),
        (["--outcomes", "outcomes.csv", "--baseline", "big", "--models", "huge"], "'huge' did not try every task"),
    ],
)
def test_what_cannot_be_used_ends_with_one_and_a_hint(run, outcomes, arguments, message):
    (outcomes.parent / "bad.csv").write_text("a,b\n1,2\n")
    (outcomes.parent / "bad.csv.gz").write_text("a,b\n1,2\n")
    found = run("bench", "cascade", *arguments)
    assert found.exit_code == 1
    assert message in found.stderr
    assert "hint: " in found.stderr


def test_a_wrong_option_is_a_usage_error(run):
    assert run("bench", "cascade", "--stages", 9).exit_code == 2


@pytest.mark.slow
@pytest.mark.skipif(not OUTCOMES.exists(), reason="the OpenHands outcomes are not here")
def test_a_perfect_check_saves_81_percent_on_swe_bench_verified_without_loss(run):
    found = run("bench", "cascade", "--outcomes", OUTCOMES, "--json")
    perfect, *_, shipped, none = json.loads(found.stdout)["pools"][0]["cells"]
    assert perfect["saving"]["mean"] >= 0.81
    assert perfect["quality_difference"]["mean"] >= 0
    # Most failures there are well formed: the cheap checks do not see them, and the baseline is kept.
    assert shipped["saving"]["mean"] == none["saving"]["mean"] == 0
