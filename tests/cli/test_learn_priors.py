"""The cold-start table: aggregates of public outcomes, and nothing else of them."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from evaluate.evaluate_kit import row, write_csv
from lanewise.select.priors import Priors, normalised, shipped

PUBLIC = Path(__file__).parents[3] / "shared" / "data" / "routing"
SHIPPED = Path(__file__).parents[2] / "src" / "lanewise" / "select" / "priors.json"


def issue(model, name, resolved, cost, harness="openhands"):
    return {
        "harness": harness,
        "benchmark": "swe-bench-verified",
        "instance_id": name,
        "model": model,
        "resolved": resolved,
        "cost": cost,
        "api_calls": "",
    }


@pytest.fixture
def files(tmp_path):
    tasks = [
        row("dim1_humaneval_HumanEval_1", "code_generation", "GPT-5.4", 1.0, tokens=1000),
        row("dim4_he_completion_HumanEval_1", "code_completion", "GPT-5.4", 0.5, tokens=3000),
        row("dim5_bugs2fix_7", "code_refactoring", "GPT-5.4", 0.2, tokens=100),
    ]
    spent = [{"dimension": "other", "model": "GPT-5.4", "cost_usd": 1.0, "input_tokens": 40, "output_tokens": 60}]
    spent[0]["cost_usd"] = 100 * 2e-6
    issues = [
        issue("GPT-5.4", "a__a-1", 1, 0.4),
        issue("GPT-5.4", "a__a-2", 0, 0.2),
        issue("GPT-5.4", "a__a-1", 0, 9.0, harness="another"),
        issue("claude-fable-5", "a__a-1", 1, 0.1),
    ]
    models = [
        {"agent": agent, "model": "GPT-5.4", "benchmark": benchmark, "runtime_s": seconds}
        for agent, benchmark, seconds in [
            ("openhands", "swe-bench", 284),
            ("another", "swe-bench", 1),
            ("openhands", "gaia", 2),
        ]
    ]
    return {
        "--coderouterbench": write_csv(tmp_path / "tasks.csv", tasks),
        "--costs": write_csv(tmp_path / "costs.csv", spent),
        "--openhands": write_csv(tmp_path / "issues.csv.gz", issues),
        "--openhands-models": write_csv(tmp_path / "models.csv", models),
        "--out": tmp_path / "out.json",
    }


@pytest.fixture
def made(run, files):
    """The table made from `files`, by (model, skill, band)."""
    result = run("learn", "priors", *(part for pair in files.items() for part in pair))
    assert result.exit_code == 0, result.output
    table = msgspec.json.decode(files["--out"].read_bytes(), type=Priors)
    return {(one.model, one.skill, one.band): one for one in table.rows}


def test_scores_of_skills_that_are_one_of_ours_are_taken_together(made):
    cell = made["gpt-5.4", "code_generation", "single"]
    assert cell.mean == 0.75
    assert cell.weight == 1  # both tasks are of one HumanEval problem
    assert cell.output_tokens == 1200  # 60 % of 2,000
    assert cell.seconds == 1.5
    assert cell.cost_usd == 0.004  # 2,000 tokens at 2e-6


def test_a_model_has_a_level_over_all_skills_of_a_band(made):
    whole = made["gpt-5.4", None, "single"]
    assert whole.mean == pytest.approx(1.7 / 3, abs=1e-4)
    assert whole.weight == 2
    assert made["gpt-5.4", "refactoring", "single"].mean == 0.2


def test_issues_count_for_debugging_and_as_the_level_of_tool_loops(made):
    for skill in ("debugging", None):
        found = made["gpt-5.4", skill, "agentic"]
        assert (found.mean, found.weight, found.seconds) == (0.5, 2, 284)
        assert found.cost_usd == pytest.approx(0.3)
        assert found.output_tokens is None


def test_other_harnesses_and_models_that_cannot_be_had_are_left_out(made):
    assert {model for model, _, _ in made} == {"gpt-5.4"}


def test_a_skill_without_a_counterpart_is_refused(run, files, tmp_path):
    files["--coderouterbench"] = write_csv(tmp_path / "t.csv", [row("x", "poetry", "GPT-5.4", 1.0)])
    result = run("learn", "priors", *(part for pair in files.items() for part in pair))
    assert result.exit_code == 1
    assert "no skill of ours stands for 'poetry'" in result.stderr
    assert not files["--out"].exists()


@pytest.mark.parametrize("option", ["--openhands", "--openhands-models"])
def test_a_file_with_other_columns_is_refused(run, files, tmp_path, option):
    files[option] = write_csv(tmp_path / "t.csv", [{"a": 1}])
    result = run("learn", "priors", *(part for pair in files.items() for part in pair))
    assert result.exit_code == 1
    assert "t.csv:1: no column" in result.stderr


@pytest.mark.parametrize(
    ("name", "bare"),
    [("anthropic/Claude-Opus-4-6", "claude-opus-4-6"), ("Qwen3-Max", "qwen3-max"), ("a/b/C", "c")],
)
def test_names_are_normalised(name, bare):
    assert normalised(name) == bare


def test_the_shipped_table_is_small_and_each_row_stands_once():
    table = shipped()
    keys = [(one.model, one.skill, one.band) for one in table.rows]
    assert len(set(keys)) == len(keys) == 130
    assert SHIPPED.stat().st_size < 100_000
    assert all(one.model == normalised(one.model) and 0 <= one.mean <= 1 and one.weight > 0 for one in table.rows)
    assert "claude-fable-5" not in {one.model for one in table.rows}
    assert {source.licence for source in table.sources} == {"MIT"}


def test_the_shipped_table_has_an_overall_row_for_every_model_and_band():
    table = shipped()
    bands = {(one.model, one.band) for one in table.rows}
    assert {(one.model, one.band) for one in table.rows if one.skill is None} == bands


@pytest.mark.skipif(not PUBLIC.exists(), reason="public outcomes are not at hand")
def test_the_shipped_table_is_what_the_command_makes(run, tmp_path):
    result = run(
        "learn",
        "priors",
        *("--coderouterbench", PUBLIC / "coderouterbench_probing.csv.gz"),
        *("--costs", PUBLIC / "coderouterbench_val_cost.csv.gz"),
        *("--openhands", PUBLIC / "openhands_swebench_verified.csv.gz"),
        *("--openhands-models", PUBLIC / "openhands_models.csv"),
        *("--out", tmp_path / "out.json"),
    )
    assert result.exit_code == 0, result.output
    assert (tmp_path / "out.json").read_bytes() == SHIPPED.read_bytes()
