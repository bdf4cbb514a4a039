"""Files of outcomes: what is read, and how each mistake is named."""

from __future__ import annotations

import numpy as np
import pytest

from evaluate.evaluate_kit import csv_text, row, write_csv, write_lines
from lanewise.errors import InputError
from lanewise.evaluate.outcomes import problem_of, read_costs, read_outcomes, read_prompts, source_of

ROWS = [
    row("t1", "a", "big", 1.0, cost=0.5, tokens=10),
    row("t1", "a", "small", 0.25, cost=0.1, tokens=20),
    row("t2", "b", "small", 0.0, cost=0.2, tokens=30),
    row("t2", "b", "big", 0.5, cost=0.6, tokens=40),
]


@pytest.mark.parametrize("name", ["outcomes.csv", "outcomes.csv.gz"])
def test_outcomes_become_matrices_whatever_the_order_of_the_rows(tmp_path, name):
    found = read_outcomes(write_csv(tmp_path / name, ROWS))
    assert found.tasks == ("t1", "t2")
    assert found.labels == ("a", "b")
    assert found.models == ("big", "small")
    np.testing.assert_array_equal(found.scores, [[1.0, 0.25], [0.5, 0.0]])
    np.testing.assert_array_equal(found.cost_usd, [[0.5, 0.1], [0.6, 0.2]])
    np.testing.assert_array_equal(found.tokens, [[10, 20], [40, 30]])
    np.testing.assert_array_equal(found.seconds, np.full((2, 2), 1.5))


def test_models_can_be_named_and_others_are_left_out(tmp_path):
    found = read_outcomes(write_csv(tmp_path / "o.csv", ROWS), ["small"])
    assert found.models == ("small",)
    np.testing.assert_array_equal(found.scores, [[0.25], [0.0]])


@pytest.mark.parametrize("said", ["", "-1", "none"])
def test_a_time_that_was_not_measured_is_no_mistake(tmp_path, said):
    found = read_outcomes(write_csv(tmp_path / "o.csv", [one | {"latency_ms": said} for one in ROWS]))
    assert not found.seconds.any()


def test_costs_and_tokens_may_be_missing(tmp_path):
    rows = [{name: one[name] for name in ("task_id", "dimension", "model", "score")} for one in ROWS]
    found = read_outcomes(write_csv(tmp_path / "o.csv", rows))
    assert not found.cost_usd.any()
    assert not found.tokens.any()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "no column task_id, dimension, model, score"),
        ("task_id,dimension,model\n", ":1: no column score"),
        ("task_id,dimension,model,score\n", "no rows"),
        ("task_id,dimension,model,score\nt,a,m,good\n", ":2: score 'good' is not a number"),
        ("task_id,dimension,model,score\nt,a,m,\n", ":2: score '' is not a number"),
        ("task_id,dimension,model,score\nt,a,m,nan\n", ":2: score 'nan' is not a number"),
        ("task_id,dimension,model,score\nt,a,m,7\n", ":2: score 7 is not in 0..1"),
        ("task_id,dimension,model,score,cost_usd\nt,a,m,1,-2\n", ":2: cost_usd '-2' is not a number"),
        ("task_id,dimension,model,score\nt,a,m,1\nt,a,m\n", ":3: not 4 fields"),
        ("task_id,dimension,model,score\nt,a,m,1,5\n", ":2: not 4 fields"),
        ('task_id,dimension,model,score\nt,a,m,"1"5\n', ":2: ',' expected after '\"'"),
        ("task_id,dimension,model,score\nt,a,m,1\nt,a,m,1\n", ":3: a second row of model 'm' for task 't'"),
        ("task_id,dimension,model,score\nt,a,m,1\nt,b,n,1\n", ":3: task 't' has two dimensions"),
        ("task_id,dimension,model,score\nt,a,m,1\nu,a,n,1\n", "task 't' has no row of model 'n'"),
    ],
)
def test_each_mistake_is_named_with_its_place(tmp_path, content, said):
    path = tmp_path / "o.csv"
    path.write_text(content)
    with pytest.raises(InputError) as caught:
        read_outcomes(path)
    assert str(path) in caught.value.message
    assert said in caught.value.message
    assert caught.value.hint


@pytest.mark.parametrize(("name", "content"), [("o.csv.gz", b"no gzip"), ("o.csv", b"\xff\xfe\x00a")])
def test_a_file_that_is_no_text_is_refused(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=r"cannot read|not UTF-8"):
        read_outcomes(tmp_path / name)


def test_a_cut_gzip_is_refused(tmp_path):
    path = write_csv(tmp_path / "o.csv.gz", ROWS)
    path.write_bytes(path.read_bytes()[:-12])
    with pytest.raises(InputError, match="cannot read"):
        read_outcomes(path)


def test_rows_of_costs_without_tokens_are_skipped(tmp_path):
    path = tmp_path / "c.csv"
    path.write_text("dimension,model,cost_usd,input_tokens,output_tokens\na,m,0.5,30,70\na,m,0.1,,\n")
    assert read_costs(path) == [("a", "m", 30.0, 70.0, 0.5)]
    path.write_text("dimension,model,cost_usd,input_tokens,output_tokens\na,m,0.1,,\n")
    with pytest.raises(InputError, match="no row has tokens"):
        read_costs(path)
    path.write_text(csv_text(ROWS))
    with pytest.raises(InputError, match="no column input_tokens, output_tokens"):
        read_costs(path)


@pytest.mark.parametrize("name", ["p.jsonl", "p.jsonl.gz"])
def test_prompts_are_read_by_task(tmp_path, name):
    path = write_lines(tmp_path / name, [{"task_id": "t", "prompt": "do", "split": "x"}])
    assert read_prompts(path) == {"t": "do"}


@pytest.mark.parametrize(
    ("content", "said"),
    [("\n", "no prompts"), ('{"task_id": "t"}\n', ":1: "), ('{"task_id": "t", "prompt": "do"}\n[1]\n', ":2: ")],
)
def test_a_broken_line_of_prompts_is_named(tmp_path, content, said):
    path = tmp_path / "p.jsonl"
    path.write_text(content)
    with pytest.raises(InputError) as caught:
        read_prompts(path)
    assert f"{path}" in caught.value.message
    assert said in caught.value.message


@pytest.mark.parametrize(
    ("task", "source", "problem"),
    [
        ("dim1_humaneval_HumanEval_51", "humaneval", "HumanEval/51"),
        ("dim4_he_completion_HumanEval_51", "he_completion", "HumanEval/51"),
        ("dim7_hex_cpp_CPP/51", "hex_cpp", "HumanEval/51"),
        ("dim7_multiple_rs_HumanEval_51_has_close", "multiple_rs", "HumanEval/51"),
        ("dim9_he_testgen_HumanEval_51", "he_testgen", "HumanEval/51"),
        ("dim1_bcb_BigCodeBench/767", "bcb", "BigCodeBench/767"),
        ("dim1_bcb_v014_BigCodeBench/767", "bcb", "BigCodeBench/767"),
        ("dim1_mbpp_760", "mbpp", "mbpp_760"),
        ("dim4_mbpp_completion_760", "mbpp_completion", "mbpp_760"),
        ("dim3_debugbench_sup_1004", "debugbench_sup", "debugbench_1004"),
        ("dim2_lcb_abc346_a", "lcb", "lcb_abc346_a"),
        ("dim9_lcb_testgen_abc346_a", "lcb_testgen", "lcb_abc346_a"),
        ("dim3_swebench_sympy__sympy-15346", "swebench_sympy", "swebench_sympy__sympy-15346"),
        ("django__django-11099", "django", "django__django-11099"),
        ("plain", "plain", "plain"),
    ],
)
def test_source_and_problem_are_read_off_the_id(task, source, problem):
    assert source_of(task) == source
    assert problem_of(task) == problem
