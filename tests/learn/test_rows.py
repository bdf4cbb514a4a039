"""Rows out of data files: joins, hashes, weights, and what is said of a bad file."""

from __future__ import annotations

import json

import pytest
from learn_kit import rows, write_files

from lanewise.errors import InputError
from lanewise.learn.student import agreement_of, real_turns, written_turns
from lanewise.learn.student.rows import LARGEST_SHARE, fingerprint, shares_of, weights_of


@pytest.fixture
def files(tmp_path):
    write_files(tmp_path, {"one": 30, "two": 20})
    return tmp_path


def test_turns_are_joined_to_their_labels_with_their_context(files):
    found = real_turns(files / "pool.jsonl.gz", files / "labels.jsonl")
    assert len(found) == 50
    followup = next(row for row in found if row.followup)
    assert (followup.text, followup.answer, len(followup.earlier)) == ("yes, go on", "Shall I?", 1)
    assert {row.group for row in found} == {"one", "two"}


def test_a_text_that_is_not_the_labelled_one_is_refused(files):
    labels = files / "labels.jsonl"
    labels.write_text(labels.read_text().replace('"sha256": "', '"sha256": "0', 1))
    with pytest.raises(InputError, match="is not the text that was labelled"):
        real_turns(files / "pool.jsonl.gz", labels)


def test_a_retold_turn_belongs_to_the_repository_of_its_turn(tmp_path):
    path = tmp_path / "w.jsonl"
    turns = [
        {"text": "a", "skill": "planning", "turn": "main", "of": "id1"},
        {"text": "b", "skill": "planning", "turn": "main"},
    ]
    path.write_text("\n".join(map(json.dumps, turns)))
    assert [(row.kind, row.group) for row in written_turns(path, {"id1": "repo"})] == [
        ("retold", "repo"),
        ("invented", "invented"),
    ]


@pytest.mark.parametrize(
    ("content", "said"),
    [('{"text": "a"}', r"w\.jsonl:1: .*skill"), ('\n{"text"', r"w\.jsonl:2: "), (None, "cannot read")],
)
def test_a_bad_file_is_refused_with_its_line(tmp_path, content, said):
    path = tmp_path / "w.jsonl"
    if content is not None:
        path.write_text(content)
    with pytest.raises(InputError, match=said):
        written_turns(path, {})


def test_no_repository_has_more_than_its_share_of_the_weight():
    mixed = (
        rows(400, group="large")
        + rows(60, group="a")
        + rows(50, group="b")
        + rows(60, group="invented", kind="invented")
    )
    weights = weights_of(mixed)
    shares = shares_of(mixed, weights)
    assert shares["large"] == pytest.approx(LARGEST_SHARE, abs=0.01)
    assert sum(weights) / len(weights) == pytest.approx(1.0)


def test_agreement_of_two_readers_is_counted_on_what_both_read(files):
    same = agreement_of(files / "labels.jsonl", files / "second.jsonl")
    assert (same.turns, same.skill, same.kappa) == (10, 1.0, 1.0)


def test_the_fingerprint_changes_with_any_row():
    one = rows(10, group="a")
    assert fingerprint(one) == fingerprint(rows(10, group="a")) != fingerprint(one[1:])
