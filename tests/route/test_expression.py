"""The conditions of rules: what they mean, and what is said of those that mean nothing."""

from __future__ import annotations

import typing

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from route_kit import FACTS, changed

from lanewise.route.expression import MAX_DEPTH, compile_condition
from lanewise.route.facts import VARIABLES, Facts
from lanewise.route.tokens import MAX_LENGTH, ExpressionError


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("skill == 'data_sql' and input_tokens < 500", True),
        ('skill == "data_sql" and input_tokens < 400', False),
        ("input_tokens <= 400", True),
        ("input_tokens > 400", False),
        ("input_tokens >= 0.4k", True),
        ("input_tokens != 1M", True),
        ("skill in ['data_sql', 'planning']", True),
        ("skill not in ['data_sql']", False),
        ("weekday in [6, 7]", False),
        ("'nightly' in tags", True),
        ("'ci' not in tags", True),
        ("key in tags", False),
        ("waiting", True),
        ("not waiting", False),
        ("waiting == false", False),
        ("true", True),
        # `and` binds closer than `or`, `not` closer than both: true or (false and false)
        ("true or false and false", True),
        ("(true or false) and false", False),
        ("not false and false", False),
        ("not (false and false)", True),
        # absent values: every comparison with them is false, its negation therefore true
        ("deadline_s < 8h", False),
        ("deadline_s >= 8h", False),
        ("deadline_s != 8h", False),
        ("not (deadline_s < 8h)", True),
        ("max_tokens not in [1, 2]", False),
        ("local_waiting == 0", False),
        ("hour >= 9 and hour < 18", True),
        ("housekeeping == ''", True),
        ("\n input_tokens\t< 500 \n", True),
    ],
)
def test_a_condition_means_what_it_says(source, expected):
    assert compile_condition(source)(FACTS) is expected


@pytest.mark.parametrize(
    ("duration", "seconds"), [("90s", 90), ("15m", 900), ("8h", 28_800), ("2d", 172_800), ("1.5h", 5_400), ("7", 7)]
)
def test_a_deadline_is_compared_with_a_duration(duration, seconds):
    holds = compile_condition(f"deadline_s == {duration}")
    assert holds(changed(FACTS, deadline_s=float(seconds)))
    assert not holds(changed(FACTS, deadline_s=seconds + 1.0))


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("skil == 'x'", "unknown variable 'skil' at column 1; hint: did you mean `skill`?"),
        ("skill == 'datasql'", "`skill` is never 'datasql' at column 10; hint: did you mean 'data_sql'?"),
        ("skill in ['planning', 'plan']", "`skill` is never 'plan' at column 23; hint: did you mean 'planning'?"),
        ("'chatt' == dialect", "`dialect` is never 'chatt' at column 1; hint: did you mean 'chat'?"),
        ("skill == 3", "a text is compared with a number at column 10"),
        ("skill < 'x'", "'<' compares numbers, not a text at column 7"),
        ("input_tokens", "`input_tokens` is a number, not a condition at column 1; hint: compare it with a value"),
        ("waiting and 3", "this is a number, not a condition at column 13; hint: compare it with a value"),
        ("input_tokens < 8h", "a duration is compared with a count at column 16; hint: k and M count, s, m, h and d are times"),
        ("deadline_s < 8k", "a duration is compared with a count at column 14; hint: k and M count, s, m, h and d are times"),
        ("tags == 'x'", "a list is compared with a text at column 9"),
        ("tags == ['x']", "lists cannot be compared at column 6; hint: write `'value' in list`"),
        ("3 in tags", "a number is looked for in a list of texts at column 3"),
        ("'a' in key", "`in` needs a list on its right at column 8; hint: write ['a', 'b'], or compare with `==`"),
        ("hour in ['a', 3]", "a number in a list of texts at column 15"),
        ("waiting = true", "unexpected character '=' at column 9; hint: write `==`"),
        ("waiting && stream", "unexpected character '&' at column 9; hint: write `and`"),
        ("waiting AND stream", "unexpected 'AND' at column 9; hint: write `and`"),
        ("waiting stream", "unexpected 'stream' at column 9; hint: join conditions with `and` or `or`"),
        ("1 < hour < 3", "a second comparison '<' at column 10; hint: join two comparisons with `and`"),
        ("(waiting", "a `(` is not closed at column 1; hint: add `)`"),
        ("hour in [1, 2", "a `[` is not closed at column 9; hint: add `]`"),
        ("hour in []", "a value is missing before ']' at column 10"),
        ("skill == 'x", "a text is not closed at column 10; hint: end it with '"),
        ("", "a value is missing before the end at column 1"),
        ("hour <", "a value is missing before the end at column 7"),
        ("hour not 3", "`not` stands between two values at column 6; hint: write `not in`"),
        ("hour == 3x", "'3x' is no number at column 9; hint: write 500, 0.5, 8k, 1M, or a duration such as 8h"),
        ("hour == 1" + "0" * 15, "a number of more than 15 digits at column 9"),
        ("key.x == 'a'", "unexpected character '.' at column 4"),
        ("(" * (MAX_DEPTH + 1) + "true", f"nested deeper than {MAX_DEPTH} at column {MAX_DEPTH + 1}"),
        ("not " * (MAX_DEPTH + 1) + "true", f"nested deeper than {MAX_DEPTH} at column {4 * MAX_DEPTH + 1}"),
        (" " * MAX_LENGTH + "1", f"the condition is longer than {MAX_LENGTH} characters at column {MAX_LENGTH + 1}"),
    ],
)  # fmt: skip
def test_a_condition_that_means_nothing_is_told_with_its_column(source, message):
    with pytest.raises(ExpressionError) as caught:
        compile_condition(source)
    assert str(caught.value) == message


def test_the_deepest_allowed_condition_is_read():
    assert compile_condition("(" * MAX_DEPTH + "true" + ")" * MAX_DEPTH)(FACTS)


def test_conditions_beside_each_other_are_not_deep():
    beside = MAX_DEPTH + 1
    assert compile_condition(" and ".join(["not false"] * beside))(FACTS)
    assert compile_condition(" or ".join(["(false)"] * beside + ["true"]))(FACTS)


def test_the_variables_are_the_facts_with_their_types():
    assert list(VARIABLES) == [field.name for field in msgspec.structs.fields(Facts)]
    kinds = {str: "text", float: "number", int: "number", bool: "flag", tuple[str, ...]: "list"}
    for name, hint in typing.get_type_hints(Facts).items():
        if name not in VARIABLES:
            continue
        plain = next((part for part in typing.get_args(hint) if part in kinds), hint)
        literal = typing.get_args(hint) if typing.get_origin(hint) is typing.Literal else ()
        assert VARIABLES[name].kind == ("text" if literal else kinds[plain if hint not in kinds else hint]), name
        if literal:
            assert VARIABLES[name].choices == literal


_WORDS = st.sampled_from(
    [*VARIABLES, "and", "or", "not", "in", "not in", "==", "!=", "<", ">=", "(", ")", "[", "]", ",", "true", "false",
     "'data_sql'", "'x'", '""', "8h", "3", "0.5k", "9" * 400, "é", "'", "\x00", "__import__", "."]
)  # fmt: skip
_SOURCES = (
    st.text(max_size=2_100)
    | st.lists(_WORDS, max_size=80).map(" ".join)
    | st.integers(0, 2_100).map(lambda n: "(" * n)
    | st.integers(0, 700).map(lambda n: "hour in [" + "1," * n + "1]")
    | st.integers(0, 500).map(lambda n: "not " * n + "waiting")
    | st.integers(0, 300).map(lambda n: "waiting" + " or waiting" * n)
)


@settings(max_examples=500, deadline=None)
@given(_SOURCES, st.booleans())
def test_any_text_is_a_condition_or_an_error_with_a_column_inside_it(source, absent):
    try:
        holds = compile_condition(source)
    except ExpressionError as error:
        assert 1 <= error.column <= len(source) + 1
    else:
        facts = FACTS if absent else changed(FACTS, deadline_s=1.0, max_tokens=5, local_waiting=0)
        assert holds(facts) in {True, False}
