"""`lanewise learn student`: data files in, an artefact and its card out."""

from __future__ import annotations

from pathlib import Path

import pytest

from lanewise.classify.student import Student
from learn.learn_kit import write_files

CARD = Path(__file__).parents[2] / "docs" / "reference" / "student.md"
SHIPPED = Path(__file__).parents[2] / "src" / "lanewise" / "classify" / "student.npz"


def arguments(folder):
    files = {"--pool": "pool.jsonl.gz", "--labels": "labels.jsonl", "--second-pass": "second.jsonl"}
    files |= {"--written": "written.jsonl", "--out": "out.npz", "--card": "out.md"}
    return [part for name, file in files.items() for part in (name, folder / file)]


def test_it_writes_an_artefact_that_loads_and_a_card_with_its_figures(run, tmp_path):
    write_files(tmp_path, {"one": 520, "two": 60})
    result = run("learn", "student", *arguments(tmp_path), "--version", "mine")
    assert result.exit_code == 0, result.output
    student = Student.from_bytes((tmp_path / "out.npz").read_bytes())
    card = (tmp_path / "out.md").read_text()
    assert student.facts.version == "mine"
    for said in (
        student.facts.data_sha256,
        "| student, one | 520 |",
        "| student, 1 small repositories | 60 |",
        "## Confusions",
    ):
        assert said in card
    assert "left out: accuracy" in result.stdout


def test_turns_of_one_repository_are_refused(run, tmp_path):
    write_files(tmp_path, {"one": 40})
    result = run("learn", "student", *arguments(tmp_path))
    assert result.exit_code == 1
    assert "none can be left out" in result.stderr
    assert not (tmp_path / "out.npz").exists()


@pytest.mark.parametrize("missing", ["pool.jsonl.gz", "labels.jsonl", "written.jsonl"])
def test_a_missing_file_is_named(run, tmp_path, missing):
    write_files(tmp_path, {"one": 40})
    (tmp_path / missing).unlink()
    result = run("learn", "student", *arguments(tmp_path))
    assert result.exit_code == 1
    assert missing in result.stderr


def test_the_card_in_the_docs_is_that_of_the_student_that_ships():
    facts, card = Student.load().facts, CARD.read_text()
    assert f"`{facts.data_sha256}`" in card
    assert f"version {facts.version}" in card


def test_the_artefact_is_small():
    assert SHIPPED.stat().st_size <= 20e6
