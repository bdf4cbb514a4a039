"""What each check sees, what it lets pass, and that a hostile answer cannot make it long."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lanewise.verify import CHECKS, checked
from lanewise.verify.blocks import BLOCKS, blocks_of
from lanewise.verify.schema import fault
from lanewise.verify.syntax import parses
from lanewise.wire.answer import AnswerView, ToolCall
from lanewise.wire.asked import AskedView, OfferedTool

ROOT = Path(__file__).parents[2]
WRITTEN = tomllib.loads((ROOT / "labels" / "answers.toml").read_text())["answers"]


def verdict(check, text="", *, calls=(), end="done", **asked):
    found = CHECKS[check](AnswerView(text=text, tool_calls=calls, end=end), AskedView(**asked))
    assert found.check == check
    return found.result, found.reason


def code(tag, text):
    return f"Here:\n\n```{tag}\n{text}\n```\n"


def test_an_answer_says_something_or_calls_something():
    assert verdict("not_empty", " \n") == ("fail", "empty")
    assert verdict("not_empty", calls=(ToolCall(name="ls", arguments="{}"),)) == ("pass", "")


@pytest.mark.parametrize(
    ("end", "expected"),
    [
        ("done", ("pass", "")),
        ("tools", ("pass", "")),
        ("cut", ("fail", "cut")),
        ("failed", ("fail", "failed")),
        ("unknown", ("unknown", "no_stop_reason")),
    ],
)
def test_a_limit_or_a_fault_ends_an_answer_too_early(end, expected):
    assert verdict("not_truncated", "Yes.", end=end) == expected


@pytest.mark.parametrize(
    "text", ["I'm sorry, but I can't help with that.", "I cannot do this.", "As an AI model, I can't run code."]
)
def test_a_short_refusal_is_seen(text):
    assert verdict("not_refusal", text) == ("fail", "refusal")


def test_an_apology_with_work_behind_it_is_no_refusal():
    assert verdict("not_refusal", "Sorry about that, it is fixed now.") == ("pass", "")
    assert verdict("not_refusal", "I'm sorry, I misread it.\n" + code("python", "x = 1")) == ("pass", "")
    assert verdict("not_refusal", "I'm sorry. " + "So here is the whole story. " * 40) == ("pass", "")
    assert verdict("not_refusal", "Yes.", end="refused") == ("fail", "stop_reason")


TOOL = OfferedTool(
    name="edit",
    schema={
        "type": "object",
        "properties": {"path": {"type": "string"}, "n": {"type": "integer"}},
        "required": ["path"],
    },
)


@pytest.mark.parametrize(
    ("name", "arguments", "expected"),
    [
        ("edit", '{"path": "a", "n": 3}', ("pass", "")),
        ("edit", '{"n": 3}', ("fail", "missing_key")),
        ("edit", '{"path": 3}', ("fail", "wrong_type")),
        ("edit", '{"path": "a", "n": true}', ("fail", "wrong_type")),
        ("edit", '{"path": "a"', ("fail", "not_an_object")),
        ("edit", '["a"]', ("fail", "not_an_object")),
        ("remove", '{"path": "a"}', ("fail", "unknown_tool")),
    ],
)
def test_calls_name_an_offered_tool_and_fit_its_schema(name, arguments, expected):
    assert verdict("tool_arguments", calls=(ToolCall(name=name, arguments=arguments),), tools=(TOOL,)) == expected


def test_free_text_for_a_tool_has_no_schema():
    free = ToolCall(name="edit", arguments="*** Begin Patch", free=True)
    assert verdict("tool_arguments", calls=(free,), tools=(TOOL,)) == ("pass", "")
    assert verdict("tool_arguments", "no call") == ("unknown", "no_call")


SCHEMAS = [
    ({"type": "object", "additionalProperties": False, "properties": {"a": {}}}, {"b": 1}, "unknown_key"),
    ({"enum": ["a", "b"]}, "c", "not_in_enum"),
    ({"const": 1}, 2, "not_in_enum"),
    ({"type": ["string", "null"]}, None, ""),
    ({"type": "number"}, 3, ""),
    ({"type": "integer"}, 3.0, ""),
    ({"type": "integer"}, 3.5, "wrong_type"),
    ({"type": "STRING", "nullable": True}, None, ""),
    ({"type": "array", "items": {"type": "string"}}, ["a", 1], "wrong_type"),
    ({"anyOf": [{"type": "string"}, {"type": "null"}]}, 3, "wrong_type"),
    ({"anyOf": [{"type": "string"}, {"type": "integer"}]}, 3, ""),
    ({"allOf": [{"type": "object"}, {"required": ["a"]}]}, {}, "missing_key"),
    ({"$defs": {"x": {"type": "string"}}, "properties": {"a": {"$ref": "#/$defs/x"}}}, {"a": 1}, "wrong_type"),
    ({"$ref": "#"}, {}, ""),
    ({"pattern": "^a", "type": "string"}, "b", ""),
]


@pytest.mark.parametrize(("schema", "value", "expected"), SCHEMAS)
def test_the_common_part_of_json_schema_is_held(schema, value, expected):
    assert fault(value, schema) == expected


@pytest.mark.parametrize(
    ("text", "asked", "expected"),
    [
        ('{"a": 1}', {"json_wanted": True}, ("pass", "")),
        ('Here: {"a": 1}', {"json_wanted": True}, ("fail", "not_json")),
        ('```json\n{"a": 1}\n```', {"json_wanted": True}, ("fail", "not_json")),
        ('```json\n{"a": 1}\n```', {"words": "reply with only JSON"}, ("pass", "")),
        ('{"a": 1}', {"json_wanted": True, "schema": {"required": ["b"]}}, ("fail", "missing_key")),
        ("It is a format.", {"words": "what is JSON?"}, ("unknown", "not_asked")),
    ],
)
def test_wanted_json_is_json_alone(text, asked, expected):
    assert verdict("schema", text, **asked) == expected


PARSED = [
    ("python", "def f():\n    return 1", "pass"),
    ("python", "    def f(self):\n        return 1", "pass"),
    ("python", "return await x", "pass"),
    ("python", '    def f(self):\n        return """\nx\n"""', "pass"),
    ("python", "def f(:\n    return 1", "fail"),
    ("python", "print('a)", "fail"),
    ("python", ">>> 1 +", "unknown"),
    ("python", "(" * 60_000, "unknown"),
    ("python", "-" * 60_000 + "1", "unknown"),
    ("json", '{"a": 1}', "pass"),
    ("json", '{"a": 1}\n{"a": 2}', "pass"),
    ("json", '{"a": 1,}', "fail"),
    ("json", '{"a": ...}', "unknown"),
    ("toml", "[a]\nb = 1", "pass"),
    ("toml", "[a\nb = 1", "fail"),
    ("rust", "fn f<'a>(x: &'a str) -> char { '{' }", "pass"),
    ("js", "const r = /[{(]/; // {\nf(`}`);", "pass"),
    ("js", "function f() {\n  return [1;\n}", "fail"),
    ("ts", "class A {\n  // ...\n", "unknown"),
    ("go", 'if x { fmt.Println("}") ', "fail"),
    ("yaml", "a: [", "unknown"),
    ("js", "x" * 70_000 + "(", "unknown"),
]


@pytest.mark.parametrize(("tag", "text", "expected"), PARSED)
def test_a_block_fails_only_where_no_surroundings_could_make_it_right(tag, text, expected):
    assert parses(tag, text) == expected


def test_an_open_fence_is_a_cut_answer():
    assert verdict("parses", "Here:\n\n```python\nx = 1\n") == ("fail", "unclosed_fence")
    assert verdict("parses", code("python", "x = 1")) == ("pass", "")
    assert verdict("parses", "No code.") == ("unknown", "no_code")


def test_a_fence_closes_with_as_many_marks_as_it_opened():
    found = blocks_of("````md\n```python\nx\n```\n````\n~~~js title=a\ny\n~~~\n")
    assert [(block.tag, block.code, block.closed) for block in found] == [
        ("md", "```python\nx\n```\n", True),
        ("js", "y\n", True),
    ]


@pytest.mark.parametrize(
    ("words", "tag", "expected"),
    [
        ("write a parser in Rust", "rust", ("pass", "")),
        ("write a parser in Rust", "rs", ("pass", "")),
        ("write a parser in Rust", "python", ("fail", "other_language")),
        ("write a parser in Rust", "bash", ("unknown", "no_code")),
        ("write a parser in Rust", "", ("unknown", "no_code")),
        ("translate it from Python to Go", "go", ("pass", "")),
        ("translate it from Python to Go", "python", ("fail", "other_language")),
        ("do it in Rust or in Go", "python", ("unknown", "not_asked")),
        ("how to go on?", "python", ("unknown", "not_asked")),
        ("in C++ please", "c", ("fail", "other_language")),
        ("in C please", "c", ("pass", "")),
        ("in JavaScript", "java", ("fail", "other_language")),
    ],
)
def test_code_is_in_the_language_asked_for(words, tag, expected):
    assert verdict("language", code(tag, "x"), words=words) == expected


GIVEN = "def total(items):\n    result = 0\n    for item in items:\n        result += item.price\n    return result\n"
DIFF = (
    "```diff\n--- a/x.py\n+++ b/x.py\n@@ -1,4 +1,4 @@\n def total(items):\n     result = 0\n     for item in items:\n"
    "-        result += item.price\n+        result += item.net\n```"
)


@pytest.mark.parametrize(
    ("text", "given", "expected"),
    [
        (DIFF, GIVEN, ("pass", "")),
        (DIFF, "\n".join(f"{n:6}\t{line}" for n, line in enumerate(GIVEN.split("\n"), 1)), ("pass", "")),
        (DIFF, GIVEN.replace("price", "cost"), ("fail", "not_found")),
        (DIFF, GIVEN.replace("    result = 0\n", "    result = 0\n    log()\n"), ("fail", "not_found")),
        (DIFF, "another file\n", ("unknown", "no_patch")),
        (DIFF, "", ("unknown", "no_patch")),
        ("<<<<<<< SEARCH\n    result = 0\n=======\n    result = 1\n>>>>>>> REPLACE", GIVEN, ("pass", "")),
        ("<<<<<<< SEARCH\n    result = 0\n    return 1\n=======\nx\n>>>>>>> REPLACE", GIVEN, ("fail", "not_found")),
        ("<<<<<<< SEARCH\n=======\nnew file\n>>>>>>> REPLACE", GIVEN, ("unknown", "no_patch")),
        (
            "*** Begin Patch\n*** Update File: x.py\n@@\n-    result = 0\n+    result = 1\n*** End Patch",
            GIVEN,
            ("pass", ""),
        ),
        ("No patch.", GIVEN, ("unknown", "no_patch")),
    ],
)
def test_a_patch_stands_on_the_text_that_was_given(text, given, expected):
    assert verdict("patch_applies", text, given=given) == expected


def test_an_edit_tools_old_text_may_begin_in_the_middle_of_a_line():
    def edit(old):
        arguments = json.dumps({"file_path": "x.py", "old_string": old, "new_string": "y"})
        return verdict("patch_applies", calls=(ToolCall(name="Edit", arguments=arguments),), given=GIVEN)

    assert edit("item in items:\n        result") == ("pass", "")
    assert edit("    result = 0\n    return result") == ("fail", "not_found")


@pytest.mark.parametrize(
    "mark",
    [
        "# ... rest of the code remains the same",
        "// ... existing code ...",
        "# TODO: implement",
        "// your code here",
        "/* ... */",
        "todo!()",
        "<!-- rest of the file unchanged -->",
    ],
)
def test_code_that_was_left_out_is_seen(mark):
    assert verdict("placeholder", code("python", f"x = 1\n    {mark}\ny = 2")) == ("fail", "left_out")


def test_a_placeholder_may_be_asked_for_or_stand_in_the_given_text():
    text = code("python", "# TODO: implement rounding\nx = 1")
    assert verdict("placeholder", text, words="give me a skeleton") == ("unknown", "asked_for")
    assert verdict("placeholder", text, given="# TODO: implement rounding\nx = 0") == ("pass", "")
    assert verdict("placeholder", code("python", "# the rest is history\nx = 1")) == ("pass", "")
    assert verdict("placeholder", "# TODO: implement it, said the issue") == ("unknown", "no_code")


def test_what_a_tool_is_to_write_is_read_for_placeholders():
    arguments = json.dumps({"file_path": "a.py", "content": "def f():\n    # TODO: implement\n    pass\n"})
    assert verdict("placeholder", calls=(ToolCall(name="Write", arguments=arguments),)) == ("fail", "left_out")


@pytest.mark.parametrize("row", WRITTEN, ids=[row["name"] for row in WRITTEN])
def test_every_right_answer_of_the_labels_is_accepted(row):
    calls = (ToolCall(name=row["call"], arguments=row["arguments"]),) if "call" in row else ()
    tools = (OfferedTool(name=row["call"], schema=json.loads(row["tool"])),) if "call" in row else ()
    asked = AskedView(
        tools=tools,
        schema=json.loads(row["schema"]) if "schema" in row else None,
        json_wanted=row.get("json", False),
        words=row["ask"],
        given=row.get("given", ""),
    )
    assert checked(AnswerView(text=row.get("text", ""), tool_calls=calls, end="done"), asked).failed == ""


def test_the_first_check_that_fails_ends_the_look_and_is_named():
    found = checked(AnswerView(text="", end="cut"), AskedView())
    assert (found.accepted, found.failed, len(found.verdicts)) == (False, "not_empty:empty", 1)
    assert checked(AnswerView(text="Yes.", end="done"), AskedView()).failed == ""


HOSTILE = [
    "```js\n" + "/*" * 32_000 + "\n```",
    "```js\n" + "=/[" * 21_000 + "\n```",
    "```js\n" + "\n" * 64_000 + "x\n```",
    "```python\n" + "# " + " " * 64_000 + "x\n```",
    "```python\n" + "lambda:" * 9_000 + "1\n```",
    "```json\n" + "[" * 64_000 + "\n```",
    "```toml\na=" + "[" * 64_000 + "\n```",
    "<<<<<<< SEARCH\n" * 26_000,
    "```\nx\n```\n" * 90_000,
    "--- a\n+++ b\n" + "@@\n-x\n y\n" * 40_000,
    "x" * 4_000_000,
]


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_a_hostile_answer_gets_a_verdict(text):
    # A pattern that goes back over what it read would take minutes here, and the suite would not end.
    asked = AskedView(words=text[:4_000] + " in Rust, only JSON", given=text[:200_000])
    assert [check(AnswerView(text=text, end="done"), asked).check for check in CHECKS.values()] == list(CHECKS)


def test_no_more_than_so_many_blocks_are_read():
    assert len(blocks_of("```\nx\n```\n" * (BLOCKS + 9))) == BLOCKS


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["type", "a", "items", "$ref"]), inner),
)


@given(st.text(), st.dictionaries(st.text(max_size=5), JSON), JSON)
def test_any_answer_and_any_schema_get_a_verdict(text, schema, arguments):
    calls = (ToolCall(name="t", arguments=json.dumps(arguments)),)
    asked = AskedView(tools=(OfferedTool(name="t", schema=schema),), schema=schema, words=text, given=text)
    for answer in (AnswerView(text=text), AnswerView(text=f"```python\n{text}\n```", tool_calls=calls)):
        assert isinstance(checked(answer, asked).accepted, bool)
