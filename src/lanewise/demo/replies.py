"""A provider's answer as its client library reads it: JSON or an event stream -> `Reply`.

Reads the three dialects of the demo's agents and fails loudly on an answer that ended early, since an agent would act
on half of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from lanewise.demo.agents import Reply
from lanewise.demo.answers import ToolCall
from lanewise.journey import Dialect


class UnusableAnswerError(Exception):
    """An answer that no client could use: an error body, or a stream without its terminal event."""


def read_reply(dialect: Dialect, body: bytes, *, streamed: bool) -> Reply:
    """The answer in `body`.

    Raises:
        UnusableAnswerError: It reports an error or does not end as the dialect demands.
    """
    if not streamed:
        return _whole(dialect, msgspec.json.decode(body))
    events = list(_events(body))
    match dialect:
        case "messages":
            return _messages_events(events)
        case "chat":
            return _chat_events(events, done=b"data: [DONE]" in body)
        case _:
            return _responses_events(events)


def _events(body: bytes) -> Iterator[dict[str, Any]]:
    for line in body.splitlines():
        if line.startswith(b"data: {"):
            event = msgspec.json.decode(line[6:])
            if event.get("error"):
                raise UnusableAnswerError(f"the stream reports an error: {event['error']}")
            yield event


def _whole(dialect: Dialect, body: dict[str, Any]) -> Reply:
    if body.get("error"):
        raise UnusableAnswerError(f"the answer is an error: {body['error']}")
    match dialect:
        case "messages":
            return _blocks(body["id"], body["content"])
        case "chat":
            return _choice(body["id"], body["choices"][0]["message"])
        case _:
            return _items(body["id"], body["output"])


def _messages_events(events: list[dict[str, Any]]) -> Reply:
    if not events or events[-1]["type"] != "message_stop":
        raise UnusableAnswerError("the stream ended without `message_stop`")
    blocks: list[dict[str, Any]] = []
    for event in events:
        if event["type"] == "content_block_start":
            blocks.append({**event["content_block"], "arguments": ""})
        elif event["type"] == "content_block_delta":
            block, delta = blocks[-1], event["delta"]
            for key, value in delta.items():
                if key == "partial_json":
                    block["arguments"] += value
                elif key != "type":
                    block[key] = block.get(key, "") + value
    for block in blocks:
        if block["type"] == "tool_use":
            block["input"] = msgspec.json.decode(block["arguments"] or "{}")
    return _blocks(events[0]["message"]["id"], blocks)


def _blocks(answer_id: str, blocks: list[dict[str, Any]]) -> Reply:
    thinking = next((block for block in blocks if block["type"] == "thinking"), {})
    return Reply(
        id=answer_id,
        text="".join(block["text"] for block in blocks if block["type"] == "text"),
        thinking=thinking.get("thinking", ""),
        signature=thinking.get("signature", ""),
        tool_calls=tuple(
            ToolCall(id=block["id"], name=block["name"], arguments=msgspec.json.encode(block["input"]).decode())
            for block in blocks
            if block["type"] == "tool_use"
        ),
    )


def _chat_events(events: list[dict[str, Any]], *, done: bool) -> Reply:
    if not done:
        raise UnusableAnswerError("the stream ended without `[DONE]`")
    message: dict[str, Any] = {"content": "", "reasoning_content": "", "tool_calls": []}
    calls: list[dict[str, Any]] = message["tool_calls"]
    for event in events:
        for choice in event["choices"]:
            delta = choice["delta"]
            for key in ("content", "reasoning_content"):
                message[key] += delta.get(key) or ""
            for piece in delta.get("tool_calls") or ():
                if piece["index"] == len(calls):
                    calls.append({"id": piece["id"], "function": {"name": "", "arguments": ""}})
                for key, value in piece["function"].items():
                    calls[piece["index"]]["function"][key] += value or ""
    return _choice(events[0]["id"], message)


def _choice(answer_id: str, message: dict[str, Any]) -> Reply:
    return Reply(
        id=answer_id,
        text=message.get("content") or "",
        thinking=message.get("reasoning_content") or "",
        tool_calls=tuple(
            ToolCall(id=call["id"], name=call["function"]["name"], arguments=call["function"]["arguments"])
            for call in message.get("tool_calls") or ()
        ),
    )


def _responses_events(events: list[dict[str, Any]]) -> Reply:
    if not events or events[-1]["type"] != "response.completed":
        raise UnusableAnswerError("the stream ended without `response.completed`")
    response = events[-1]["response"]
    return _items(response["id"], response["output"])


def _items(answer_id: str, items: list[dict[str, Any]]) -> Reply:
    reasoning = next((item for item in items if item["type"] == "reasoning"), {})
    return Reply(
        id=answer_id,
        text="".join(part["text"] for item in items if item["type"] == "message" for part in item["content"]),
        thinking="".join(part["text"] for part in reasoning.get("summary", ())),
        signature=reasoning.get("encrypted_content") or "",
        tool_calls=tuple(
            ToolCall(id=item["call_id"], name=item["name"], arguments=item["arguments"])
            for item in items
            if item["type"] == "function_call"
        ),
    )
