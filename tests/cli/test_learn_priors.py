"""`lanewise learn priors`: files of outcomes in, the table of the first day out."""

from __future__ import annotations

import gzip
from pathlib import Path

import msgspec
import pytest

from lanewise.select import priors
from lanewise.select.priors import Measured, Row, Table

SHARED = Path(__file__).parents[2].parent / "shared" / "data" / "routing"

FILES = {
    "--coderouterbench": (
        "probing.csv.gz",
        """task_id,split,dimension,model,score
t1,train,bug_fixing,Model-A,0.25
t2,train,bug_fixing,Model-A,1.0
t3,train,bug_fixing,Model-A,1.0
t4,train,algorithm,Model-A,1.0
t5,train,code_generation,Model-A,0.0
t6,train,bug_fixing,claude-fable-5,1.0
""",
    ),
    "--costs": (
        "costs.csv",
        """task_id,dimension,model,output_tokens
t1,bug_fixing,Model-A,100
t2,bug_fixing,Model-A,201
t3,bug_fixing,Model-A,
t4,algorithm,Model-A,10
""",
    ),
    "--openhands": (
        "outcomes.csv.gz",
        """harness,benchmark,instance_id,model,resolved,cost
openhands,swe-bench-verified,i1,model-a,1,0.1
openhands,swe-bench-verified,i2,model-a,0,0.1
other,swe-bench-verified,i2,model-a,1,0.1
openhands,gaia,i3,model-a,1,0.1
openhands,swe-bench-verified,i1,B/Model.2,1,0.1
openhands,swe-bench-verified,i1,claude-fable-5,1,0.1
""",
    ),
    "--openhands-models": (
        "models.csv",
        """agent,model,benchmark,score,release
openhands,Model-A,swe-bench,99.0,2026-02-03
openhands,Model-A,swt-bench,50.0,2026-02-03
openhands,Model-A,commit0,25.0,2026-02-03
other,Model-A,commit0,100.0,2026-02-03
openhands,claude-fable-5,commit0,100.0,2026-06-09
openhands,model-2,gaia,10.0,2026-01-01
""",
    ),
}


def write(folder, option, text):
    path = folder / FILES[option][0]
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())


@pytest.fixture
def files(tmp_path):
    for option, (_, text) in FILES.items():
        write(tmp_path, option, text)
    return tmp_path


def arguments(folder):
    given = [part for option, (name, _) in FILES.items() for part in (option, folder / name)]
    return ["learn", "priors", *given, "--out", folder / "out.json"]


def test_it_writes_means_per_model_and_skill(run, files):
    result = run(*arguments(files))
    assert result.exit_code == 0, result.output
    table = msgspec.json.decode((files / "out.json").read_bytes(), type=Table)
    assert table.models == {
        "model-a": Measured(
            single={
                "debugging": Row(success=0.75, tasks=3, output_tokens=150),  # 150.5 to even; one task has no tokens
                "code_generation": Row(success=0.5, tasks=2, output_tokens=10),  # two dimensions pooled
            },
            loops={
                "debugging": Row(success=0.5, tasks=2),
                "test_writing": Row(success=0.5, tasks=433),
                "code_generation": Row(success=0.25, tasks=16),
            },
            # (2 * .5 + 433 * .5 + 16 * .25) / 451 = .4911; the issues of SWT-bench are SWE-bench's
            loops_mean=Row(success=0.4911, tasks=18),
        ),
        "model-2": Measured(loops={"debugging": Row(success=1.0, tasks=1)}, loops_mean=Row(success=1.0, tasks=1)),
    }
    assert table.version == "2026-02-03"  # the newest that is not left out
    assert set(table.left_out) == {"claude-fable-5"}
    assert "version 2026-02-03, 2 models" in result.stdout


def test_the_same_files_give_the_same_bytes_with_keys_in_order(run, files):
    run(*arguments(files))
    first = (files / "out.json").read_bytes()
    run(*arguments(files))
    assert (files / "out.json").read_bytes() == first
    table = msgspec.json.decode(first)
    assert msgspec.json.encode(table) == msgspec.json.encode(table, order="sorted")


def test_the_dates_are_those_that_were_given(run, files):
    run(*arguments(files), "--date", "2026-07-01", "--retrieved", "2026-07-02")
    table = msgspec.json.decode((files / "out.json").read_bytes(), type=Table)
    assert table.version == "2026-07-01"
    assert {source.retrieved for source in table.sources} == {"2026-07-02"}


def test_neither_tasks_nor_single_rows_are_in_it(run, files):
    run(*arguments(files))
    text = (files / "out.json").read_text()
    assert [name for name in ("t1", "i1", "instance_id", "task_id") if f'"{name}"' in text] == []


@pytest.mark.parametrize(
    ("option", "column"),
    [
        *(("--coderouterbench", name) for name in ("dimension", "model", "score")),
        *(("--costs", name) for name in ("dimension", "model", "output_tokens")),
        *(("--openhands", name) for name in ("harness", "benchmark", "model", "resolved")),
        *(("--openhands-models", name) for name in ("agent", "model", "benchmark", "score", "release")),
    ],
)
def test_a_missing_column_is_named_with_its_file(run, files, option, column):
    header, rest = FILES[option][1].split("\n", 1)
    names = ["gone" if name == column else name for name in header.split(",")]
    write(files, option, f"{','.join(names)}\n{rest}")
    result = run(*arguments(files))
    assert result.exit_code == 1
    assert f"{FILES[option][0]}: no column `{column}`" in result.stderr
    assert "hint: its columns are" in result.stderr
    assert not (files / "out.json").exists()


@pytest.mark.parametrize("option", list(FILES))
@pytest.mark.parametrize("kept", [0, 1], ids=["nothing", "the header alone"])
def test_an_empty_file_is_named(run, files, option, kept):
    write(files, option, "".join(FILES[option][1].splitlines(keepends=True)[:kept]))
    result = run(*arguments(files))
    assert result.exit_code == 1
    assert f"{FILES[option][0]}: no rows" in result.stderr


@pytest.mark.parametrize("option", list(FILES))
def test_a_file_that_is_not_there_is_named(run, files, option):
    (files / FILES[option][0]).unlink()
    result = run(*arguments(files))
    assert result.exit_code == 1
    assert FILES[option][0] in result.stderr
    assert "hint:" in result.stderr


def test_what_is_not_gzipped_is_told(run, files):
    (files / "probing.csv.gz").write_text(FILES["--coderouterbench"][1])
    result = run(*arguments(files))
    assert result.exit_code == 1
    assert "probing.csv.gz: Not a gzipped file" in result.stderr


@pytest.mark.parametrize(
    ("option", "before", "after", "said"),
    [
        ("--coderouterbench", "Model-A,0.25", "Model-A,1.25", "probing.csv.gz:2: `score` is '1.25'"),
        ("--coderouterbench", "Model-A,0.25", "Model-A,nan", "probing.csv.gz:2: `score` is 'nan'"),
        ("--coderouterbench", "Model-A,0.25", "Model-A", "probing.csv.gz:2: `score` is ''"),
        ("--coderouterbench", "t4,train,algorithm", "t4,train,poetry", "probing.csv.gz:5: `dimension` is 'poetry'"),
        ("--costs", "201", "many", "costs.csv:3: `output_tokens` is 'many'"),
        ("--openhands", "i2,model-a,0", "i2,model-a,-1", "outcomes.csv.gz:3: `resolved` is '-1'"),
        ("--openhands-models", "commit0,25.0", "commit0,101", "models.csv:4: `score` is '101'"),
        ("--openhands-models", "50.0,2026-02-03", "50.0,soon", "models.csv:3: `release` is 'soon'"),
    ],
)
def test_a_cell_that_makes_no_sense_is_told_with_its_line(run, files, option, before, after, said):
    write(files, option, FILES[option][1].replace(before, after, 1))
    result = run(*arguments(files))
    assert result.exit_code == 1
    assert said in result.stderr


def test_the_table_that_ships_is_what_the_command_makes(run, tmp_path):
    if not SHARED.is_dir():
        pytest.skip("the outcomes are not here: ../shared/data/routing")
    names = {
        "--coderouterbench": "coderouterbench_probing.csv.gz",
        "--costs": "coderouterbench_val_cost.csv.gz",
        "--openhands": "openhands_swebench_verified.csv.gz",
        "--openhands-models": "openhands_models.csv",
    }
    given = [part for option, name in names.items() for part in (option, SHARED / name)]
    result = run("learn", "priors", *given, "--out", tmp_path / "made.json")
    assert result.exit_code == 0, result.output
    shipped = Path(priors.__file__).with_name(priors.FILE)
    assert (tmp_path / "made.json").read_bytes() == shipped.read_bytes()
