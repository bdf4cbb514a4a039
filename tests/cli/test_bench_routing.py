"""`lanewise bench routing`: files in, a proof out, and an exit code that says whether the saving counts."""

from __future__ import annotations

import json

import pytest

from evaluate.evaluate_kit import MODELS, row, world, write_csv, write_lines


@pytest.fixture
def files(tmp_path):
    """Options that name made-up files, by option."""
    rows, prompts = world()
    test_rows, test_prompts = world(60, seed=2)
    return {
        "--outcomes": write_csv(tmp_path / "outcomes.csv.gz", rows),
        "--prompts": write_lines(tmp_path / "prompts.jsonl.gz", prompts),
        "--test": write_csv(tmp_path / "test.csv", test_rows),
        "--test-prompts": write_lines(tmp_path / "test_prompts.jsonl", test_prompts),
        "--baseline": "big",
    }


def arguments(files):
    return ["bench", "routing", *(part for pair in files.items() for part in pair)]


def test_json_has_the_saving_end_on_top_and_everything_else_beside_it(run, files):
    result = run(*arguments(files), "--json")
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    ends = [found, found["quality_end"], found["by_given_label"], found["by_given_label"]["quality_end"]]
    for end in ends:
        assert {"saving", "quality_difference", "quality_lower_bound", "score", "cost_usd", "valid"} <= end.keys()
        assert sum(end["models"].values()) == pytest.approx(1)
    assert found["baseline"] == "big"
    assert found["tasks"] == found["tasks_with_text"] == 180
    assert "nothing was chosen on it" in found["data"]
    assert set(found["baselines"]) == {
        "random",
        "cheapest",
        "best_single",
        "always_baseline",
        "skill_table",
        "skill_table_saving_end",
        "knn",
        "oracle",
    }
    assert "luck" in found["baselines"]["oracle"]["meaning"]
    assert found["saving"] == pytest.approx(1 - found["cost_usd"] / found["baselines"]["always_baseline"]["cost_usd"])


def test_the_table_fits_a_hundred_columns_and_names_baseline_and_data(run, files):
    result = run(*arguments(files))
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert max(map(len, lines)) <= 100
    assert lines[0].startswith("baseline big; 180 tasks, 180 with a text; on: the test file")
    assert any(line.startswith("skill given: saving end") for line in lines)
    assert any("oracle is luck" in line for line in lines)


def test_without_a_test_file_it_says_what_the_figures_were_taken_on(run, files):
    del files["--test"], files["--test-prompts"]
    found = json.loads(run(*arguments(files), "--json").stdout)
    assert "cross-validation" in found["data"]
    assert found["tasks"] == 360


def test_a_saving_that_does_not_count_is_printed_and_exits_1(run, files, tmp_path):
    rows = [one | {"score": float(one["model"] == "big")} for one in world(60, seed=2)[0]]
    files["--test"] = write_csv(tmp_path / "worse.csv", rows)
    result = run(*arguments(files), "--json")
    assert result.exit_code == 1
    assert json.loads(result.stdout)["valid"] is False
    assert "below -0.03: the saving does not count" in result.stderr
    assert "hint:" in result.stderr


def test_what_may_be_lost_is_an_option(run, files, tmp_path):
    rows = [one | {"score": float(one["model"] == "big")} for one in world(60, seed=2)[0]]
    files["--test"] = write_csv(tmp_path / "worse.csv", rows)
    result = run(*arguments(files), "--max-loss", "1", "--json")
    assert result.exit_code == 0
    assert json.loads(result.stdout)["valid"] is True


def test_labels_alone_are_enough(run, files):
    del files["--prompts"], files["--test-prompts"]
    found = json.loads(run(*arguments(files), "--json").stdout)
    assert found["tasks_with_text"] == 0
    assert found["skill_agreement"] is None
    assert found["saving"] == found["by_given_label"]["saving"]


def test_tokens_are_priced_with_a_file_of_costs(run, files, tmp_path):
    for option in ("--outcomes", "--test"):
        rows = [row(f"dim1_x_{at}", "a", model, at % 2, tokens=1000) for at in range(40) for model in MODELS]
        files[option] = write_csv(tmp_path / f"tokens{option}.csv", rows)
    del files["--prompts"], files["--test-prompts"]
    result = run(*arguments(files), "--json")
    assert result.exit_code == 1
    assert "no price is known of model 'big'" in result.stderr
    spent = [
        {"dimension": "a", "model": model, "cost_usd": cost, "input_tokens": 50, "output_tokens": 50}
        for model, cost in zip(MODELS, (0.2, 0.1, 0.01), strict=True)
    ]
    files["--costs"] = write_csv(tmp_path / "costs.csv", spent)
    found = json.loads(run(*arguments(files), "--json").stdout)
    assert found["costs_estimated"] is True
    assert found["baselines"]["always_baseline"]["cost_usd"] == pytest.approx(40 * 2.0)
    assert found["saving"] == pytest.approx(0.95)  # all three score alike, the cheapest is a twentieth


@pytest.mark.parametrize(
    ("option", "content", "said"),
    [
        ("--outcomes", "task_id,model,score\n", "outcomes.csv:1: no column dimension"),
        ("--outcomes", "", "no column task_id"),
        ("--test", "task_id,dimension,model,score\nt,a,big,1\n", "task 't' has no row of model 'mid'"),
        ("--test", "task_id,dimension,model,score\nt,a,big,x\n", "test.csv:2: score 'x'"),
        ("--prompts", '{"task_id": 1}\n', "prompts.csv:1: "),
        ("--test-prompts", "", "no prompts"),
        ("--baseline", None, "no model 'huge' in the outcomes"),
    ],
)
def test_bad_input_is_named_and_exits_1(run, files, tmp_path, option, content, said):
    if content is None:
        files[option] = "huge"
    else:
        path = tmp_path / f"bad{option}.csv".replace("bad--", "")
        path.write_text(content)
        files[option] = path
    result = run(*arguments(files), "--json")
    assert result.exit_code == 1
    assert said in result.stderr
    assert "hint:" in result.stderr
    assert result.stdout == ""


def test_texts_of_a_test_without_the_test_are_a_mistake_of_usage(run, files):
    del files["--test"]
    assert run(*arguments(files)).exit_code == 2


def test_a_missing_file_is_a_mistake_of_usage(run, files, tmp_path):
    files["--test"] = tmp_path / "none.csv"
    assert run(*arguments(files)).exit_code == 2
