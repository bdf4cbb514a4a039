"""The top level of a body: where each value lies, what is refused, and that a splice changes one value only."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lanewise.errors import DuplicateKey, MalformedBody
from lanewise.wire.body import ROUTING_KEYS, TopLevel, replaced, with_key

VALUES = {
    "a space around everything": b' \n{ "model" :\t"m" ,\r\n "x" : [ 1 , 2 ] } ',
    "a nested key of the same name": b'{"a":{"model":"no"},"b":["model"],"model":"m"}',
    "an escaped key": b'{"\\u006dodel":"m"}',
    "escapes in the value": b'{"model":"m","text":"a\\"b\\\\","model_":"\\""}',
    "a key that ends in a backslash": b'{"a\\\\":1,"model":"m"}',
    "a value that looks like a key": b'{"a":"\\"model\\":\\"no\\"","model":"m"}',
    "a value with braces and commas": b'{"a":"},{,","model":"m"}',
    "numbers as they are written": b'{"a":1.0,"b":1e400,"c":-0.00,"d":12345678901234567890123,"model":"m"}',
    "text beyond ASCII": '{"ä":"€","model":"m","z":"😀"}'.encode(),
    "bytes that are no UTF-8 in a value nobody reads": b'{"a":"\xff","model":"m"}',
    "one key that is not for routing twice": b'{"a":1,"a":"longer than before","model":"m"}',
    "one key twice whose number is too long to convert": b'{"a":1,"a":' + b"7" * 5000 + b',"model":"m"}',
}


@pytest.mark.parametrize("body", VALUES.values(), ids=VALUES.keys())
def test_the_span_of_the_model_is_exact(body: bytes) -> None:
    top = TopLevel(body)
    start, stop = top.spans["model"]
    assert top.string("model") == "m"
    assert body[start:stop] == b'"m"'


def test_every_top_level_value_has_its_span() -> None:
    body = b'{"a": {"b": [1, 2]}, "c" :null,"d":"x,y" , "e":true}'
    spans = TopLevel(body).spans
    assert {key: body[start:stop] for key, (start, stop) in spans.items()} == {
        "a": b'{"b": [1, 2]}',
        "c": b"null",
        "d": b'"x,y"',
        "e": b"true",
    }


REFUSED = {
    "nothing": (b"", "not JSON"),
    "an array": (b'[{"model":"m"}]', "not an object"),
    "a word": (b"null", "not an object"),
    "half an object": (b'{"model":"m"', "not JSON"),
    "two objects": (b"{}{}", "not JSON"),
    "a trailing comma": (b'{"model":"m",}', "not JSON"),
    "a byte order mark": (b"\xef\xbb\xbf{}", "not JSON"),
    "UTF-16": ("{}".encode("utf-16"), "not JSON"),
    "NaN": (b'{"a":NaN}', "not JSON"),
    "a control character": (b'{"a":"\n"}', "not JSON"),
    "a key that is no UTF-8": (b'{"\xff":1}', "not JSON"),
    "100,000 arrays in each other": (b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}", "nested too deeply"),
    "100,000 objects in each other": (b'{"a":' * 100_000 + b"1" + b"}" * 100_000, "nested too deeply"),
    "deep values in a key that stands twice": (
        b'{"a":1,"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        "nested too deeply",
    ),
}


@pytest.mark.parametrize(("body", "what"), REFUSED.values(), ids=REFUSED.keys())
def test_what_is_not_one_json_object_is_refused_and_said(body: bytes, what: str) -> None:
    with pytest.raises(MalformedBody, match=what):
        TopLevel(body)


@pytest.mark.parametrize("key", sorted(ROUTING_KEYS))
@pytest.mark.parametrize(
    ("first", "last"), [("1", "2"), ('"a"', '"a much longer value"'), ('"a much longer one"', '""')]
)
def test_a_routing_key_that_stands_twice_is_refused(key: str, first: str, last: str) -> None:
    with pytest.raises(DuplicateKey, match=f"`{key}` stands twice"):
        TopLevel(f'{{"{key}":{first},"b":[1,"x"],"{key}":{last}}}'.encode())


@pytest.mark.parametrize(
    "body",
    [
        b'{"model":"a","\\u006dodel":"b"}',
        b'{"\\u006dodel":"b","model":"a"}',
        # The hop over the first value, by the length of the last, lands inside a text that imitates an object.
        b'{"model":"a","k":"\\",\\"x","model":"0123456789"}',
        b'{"model":"a","k":"n","model":"b"}',
        b'{"model":{},"a":{"p":1,"k":2},"k":3,"model":"0123456789"}',
    ],
)
def test_a_doubled_model_is_found_however_it_is_hidden(body: bytes) -> None:
    with pytest.raises(DuplicateKey):
        TopLevel(body)


@pytest.mark.parametrize(
    ("key", "value"), [("model", b"7"), ("stream", b'"yes"'), ("model", b'"\xff"'), ("model", b"[]")]
)
def test_a_routing_key_of_the_wrong_type_is_refused_by_its_name(key: str, value: bytes) -> None:
    top = TopLevel(b'{"%b":%b}' % (key.encode(), value))
    with pytest.raises(MalformedBody, match=f"`{key}`"):
        top.string(key) if key == "model" else top.boolean(key)


def test_a_null_model_is_no_model() -> None:
    assert TopLevel(b'{"model":null,"stream":null}').string("model") == ""


def test_a_limit_of_the_wrong_type_is_left_to_the_provider() -> None:
    assert TopLevel(b'{"max_tokens":"many"}').integer("max_tokens") is None


def test_a_body_of_many_megabytes_is_walked_to_its_end() -> None:
    body = b'{"messages":"' + b"x" * (32 << 20) + b'","model":"m"}'
    start, stop = TopLevel(body).spans["model"]
    assert body[start:stop] == b'"m"'


def test_a_key_is_added_as_the_first_one() -> None:
    assert with_key(b' { "a":1}', "b", {"c": True}) == b' {"b":{"c":true}, "a":1}'
    assert with_key(b"{ }", "b", 1) == b'{"b":1 }'


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=20,
)
_OBJECTS = st.dictionaries(st.text(max_size=8) | st.sampled_from(["stream", "input", "a"]), _JSON, max_size=8)


def _written(pairs: list[tuple[str, Any]], *, ascii_only: bool, indent: int | None) -> bytes:
    comma, colon = (",", ":") if indent is None else (" ,\n" + " " * indent, " : ")
    written = [
        f"{json.dumps(k, ensure_ascii=ascii_only)}{colon}{json.dumps(v, ensure_ascii=ascii_only)}" for k, v in pairs
    ]
    return ("{" + comma.join(written) + "}").encode("utf-8", "surrogatepass")


@given(_OBJECTS, st.text(), st.integers(0, 8), st.booleans(), st.none() | st.integers(0, 3))
def test_replacing_the_model_changes_that_value_and_no_other_byte(
    others: dict[str, Any], model: str, place: int, ascii_only: bool, indent: int | None
) -> None:
    pairs = [(key, value) for key, value in others.items() if key != "model"]
    pairs.insert(min(place, len(pairs)), ("model", "named"))
    body = _written(pairs, ascii_only=ascii_only, indent=indent)
    start, stop = TopLevel(body).spans["model"]
    changed = replaced(body, (start, stop), model)
    assert changed[:start] == body[:start]
    assert changed[len(changed) - (len(body) - stop) :] == body[stop:]
    assert json.loads(changed) == {**dict(pairs), "model": model}


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["a", "b", ",", "model", '"', "k", ":", "}"]),
            st.sampled_from(["", "a", '","', '":', '\\",\\"model\\":', "},", {"k": 1, "model": "n"}, [":", ","], 17])
            | _JSON,
        ),
        max_size=8,
    )
)
def test_a_body_with_doubled_keys_is_read_exactly_or_refused(pairs: list[tuple[str, Any]]) -> None:
    body = _written(pairs, ascii_only=True, indent=None)
    models = sum(key == "model" for key, _ in pairs)
    if models > 1:
        with pytest.raises(DuplicateKey):
            TopLevel(body)
        return
    spans = TopLevel(body).spans
    assert {key: json.loads(body[slice(*span)]) for key, span in spans.items()} == dict(pairs)


@given(st.binary(max_size=200) | st.text(alphabet='{}[]",:\\ 01eu-model', max_size=60).map(str.encode))
def test_no_bytes_at_all_raise_anything_but_our_own_errors(body: bytes) -> None:
    try:
        top = TopLevel(body)
        top.string("model"), top.boolean("stream"), top.integer("max_tokens")
    except (MalformedBody, DuplicateKey):
        pass
