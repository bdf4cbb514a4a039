"""Textual edits of agents' settings files: whatever else is in them, only our value changes."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lanewise.cli.agents.json_text import JsonText
from lanewise.cli.agents.lines_text import DotenvText
from lanewise.cli.agents.text import CannotEdit
from lanewise.cli.agents.toml_text import TomlText

names = st.text(st.characters(exclude_categories=("Cs",)), max_size=4) | st.sampled_from(["env", "a", "b"])
leaves = st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.just([{"a": "}"}]) | st.just("// no, \\")
documents = st.dictionaries(
    names, st.recursive(leaves, lambda inner: st.dictionaries(names, inner, max_size=3), max_leaves=6), max_size=4
)
paths = st.lists(names, min_size=1, max_size=3).map(tuple)


def expected(document, path, value):
    """The document with `value` at `path`, None where something else than an object stands on the way."""
    result = json.loads(json.dumps(document))
    inner = result
    for name in path[:-1]:
        inner = inner.setdefault(name, {})
        if not isinstance(inner, dict):
            return None
    inner[path[-1]] = value
    return result


@given(documents, paths, st.sampled_from([None, 2, "\t"]), st.booleans())
def test_json_put_changes_one_value_and_drop_takes_it_away(document, path, indent, comments):
    editor = JsonText(comments=comments)
    text = json.dumps(document, indent=indent)
    wanted = expected(document, path, "http://x/v1")
    if wanted is None:
        with pytest.raises(CannotEdit):
            editor.put(text, path, "http://x/v1")
        return
    after = editor.put(text, path, "http://x/v1")
    assert editor.read(after) == wanted
    inner = wanted
    for name in path[:-1]:
        inner = inner[name]
    del inner[path[-1]]
    assert editor.read(editor.drop(after, path)) == wanted


@pytest.mark.parametrize(
    ("text", "after"),
    [
        ("{}", '{\n  "a": "v"\n}'),
        ("", '{\n  "a": "v"\n}\n'),
        ('{"b": 1}', '{"b": 1, "a": "v"}'),
        ('{\n\t"b": 1\n}', '{\n\t"b": 1,\n\t"a": "v"\n}'),
        ('{"a": 1}', '{"a": "v"}'),
        ('{\r\n  "b": 1\r\n}', '{\r\n  "b": 1,\r\n  "a": "v"\r\n}'),
    ],
)
def test_a_new_json_member_is_laid_out_as_its_neighbours(text, after):
    assert JsonText(comments=False).put(text, ("a",), "v") == after


@pytest.mark.parametrize(
    ("text", "after"),
    [
        ('{"b": 1, /* , */ }', '{"b": 1, "a": "v", /* , */ }'),
        ('{\n  // {"a": 1}\n  "b": "//", // end\n}', '{\n  // {"a": 1}\n  "b": "//",\n  "a": "v", // end\n}'),
    ],
)
def test_comments_and_trailing_commas_stay_where_they_are_allowed(text, after):
    assert JsonText(comments=True).put(text, ("a",), "v") == after


@pytest.mark.parametrize(
    ("text", "path", "after"),
    [
        ("", ("k",), 'k = "v"\n'),
        ("#:schema x\n[t]\na = 1\n", ("k",), '#:schema x\nk = "v"\n[t]\na = 1\n'),
        ("k = 'old' # why\n[k]\n", ("k",), 'k = "v" # why\n[k]\n'),
        ("[t]\na = 1", ("t", "k"), '[t]\na = 1\nk = "v"\n'),
        ("[t]\na = 1\n\n[u]\n", ("t", "k"), '[t]\na = 1\nk = "v"\n\n[u]\n'),
        ('["t" . x] # c\nk = 1\n[[l]]\n', ("t", "x", "k"), '["t" . x] # c\nk = "v"\n[[l]]\n'),
        ("a = 1", ("t", "k"), 'a = 1\n\n[t]\nk = "v"\n'),
    ],
)
def test_a_toml_value_goes_where_a_person_would_write_it(text, path, after):
    assert TomlText().put(text, path, "v") == after


def test_a_variable_that_is_exported_or_stands_twice_is_set_where_it_counts():
    assert DotenvText().put("A=1\nexport A='2'\nB=3\n", ("A",), "v") == "A=1\nA=v\nB=3\n"
    assert DotenvText().drop("A=1\nexport A='2'\nB=3", ("A",)) == "B=3"
