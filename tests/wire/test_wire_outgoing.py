"""The body that goes upstream: the client's bytes, or the same with the model or the wish for usage spliced in."""

from __future__ import annotations

import gzip
import json
from typing import Any

import pytest

from lanewise.errors import BodyTooLarge
from lanewise.journey import Dialect, Request
from lanewise.wire import outgoing, peek


def peeked(
    body: bytes, dialect: Dialect = "chat", *, target: str = "/v1/x", headers: Any = (), operation: Any = "generate"
) -> Request:
    return peek(
        dialect=dialect,
        operation=operation,
        method="POST",
        target=target,
        headers=headers,
        body=body,
        max_body_bytes=1 << 20,
    )


BODY = b'{ "messages":[{"role":"user","content":"x"}], "model" : "big", "n":1.0, "stream":false }'


def test_the_same_model_leaves_the_same_bytes() -> None:
    request = peeked(BODY)
    sent = outgoing(request, "big", ask_usage=True)
    assert sent.body is request.body
    assert (sent.rewritten, sent.hides_usage) == (False, False)


def test_another_model_changes_its_value_only() -> None:
    sent = outgoing(peeked(BODY), 'a "b"', ask_usage=False)
    assert sent.body == BODY.replace(b'"big"', b'"a \\"b\\""')
    assert sent.rewritten


def test_a_body_that_names_no_model_is_given_the_one_that_was_chosen() -> None:
    sent = outgoing(peeked(b'{ "messages":[] }'), "big", ask_usage=False)
    assert sent.body == b'{"model":"big", "messages":[] }'


def test_a_call_that_is_not_read_is_given_no_model() -> None:
    body = b'{"input_file_id":"f"}'
    assert outgoing(peeked(body, operation="other"), "big", ask_usage=False).body == body


def test_a_compressed_body_stays_compressed_until_it_changes() -> None:
    packed = gzip.compress(BODY)
    request = peeked(packed, headers=[("content-encoding", "gzip")])
    assert (request.model, request.body, request.plain) == ("big", packed, BODY)
    assert outgoing(request, "big", ask_usage=False).body == packed
    changed = outgoing(request, "small", ask_usage=False)
    assert (changed.body, changed.rewritten) == (BODY.replace(b"big", b"small"), True)


def test_two_headers_are_one_list_of_codings() -> None:
    packed = gzip.compress(gzip.compress(BODY))
    assert peeked(packed, headers=[("content-encoding", "gzip"), ("content-encoding", "gzip")]).plain == BODY


@pytest.mark.parametrize(
    ("options", "asked"),
    [
        (None, {"include_usage": True}),
        ("null", {"include_usage": True}),
        ('{"include_usage":false,"x":1}', {"include_usage": True, "x": 1}),
        ('{ "x" : 1 }', {"include_usage": True, "x": 1}),
    ],
)
def test_usage_is_asked_for_and_hidden_where_the_client_did_not(options: str | None, asked: dict[str, Any]) -> None:
    text = '{"model":"m","stream":true' + (f',"stream_options":{options}' if options else "") + "}"
    sent = outgoing(peeked(text.encode()), "m", ask_usage=True)
    assert sent.hides_usage
    assert json.loads(sent.body) == {"model": "m", "stream": True, "stream_options": asked}


@pytest.mark.parametrize(
    ("body", "dialect", "ask"),
    [
        (b'{"model":"m","stream":true,"stream_options":{"include_usage":true}}', "chat", True),
        (b'{"model":"m","stream":true}', "chat", False),
        (b'{"model":"m","stream":false}', "chat", True),
        (b'{"model":"m","stream":true}', "messages", True),
        (b'{"model":"m","stream":true}', "responses", True),
    ],
)
def test_usage_is_not_asked_for_without_need(body: bytes, dialect: Dialect, ask: bool) -> None:
    sent = outgoing(peeked(body, dialect), "m", ask_usage=ask)
    assert (sent.body, sent.hides_usage) == (body, False)


def test_geminis_model_is_changed_in_the_path() -> None:
    target = "/v1beta/models/gemini-2.5-pro:streamGenerateContent?alt=sse&models/gemini-2.5-pro"
    request = peeked(b"{}", "gemini", target=target)
    assert (request.model, request.stream) == ("gemini-2.5-pro", True)
    sent = outgoing(request, "a/b", ask_usage=False)
    assert sent.target == "/v1beta/models/a%2Fb:streamGenerateContent?alt=sse&models/gemini-2.5-pro"
    assert sent.body is request.body


@pytest.mark.parametrize("body", [b"", b"not JSON", b"[1]", b"\xff"])
def test_a_call_that_is_not_read_passes_whatever_its_body_is(body: bytes) -> None:
    request = peeked(body, operation="other")
    assert outgoing(request, request.model, ask_usage=True).body == body


def test_a_body_beyond_the_limit_is_refused() -> None:
    with pytest.raises(BodyTooLarge, match="larger than 1 MiB"):
        peeked(b" " * ((1 << 20) + 1))
