"""A house whose student is unsure of what it reads, and a little conversation for it."""

from __future__ import annotations

import json
from typing import Any

import msgspec
from router_kit import House, Said, world_of

from lanewise.router import SecondOpinion

WORDS = "Something about the parser"


def house_of(*friends: SecondOpinion, sure_from: float = 0.9999, **changes: Any) -> House:
    """A house whose student is unsure of all it reads, unless `sure_from` says otherwise."""
    world = world_of(**changes)
    world.opinions = friends
    house = House(world)
    student = house.classifier._student
    student.facts = msgspec.structs.replace(student.facts, abstain_below=sure_from)
    return house


def body(text: str = WORDS, *, model: str = "big", loop: bool = False) -> bytes:
    turns: list[dict[str, Any]] = [{"role": "user", "content": text}]
    if loop:
        call = {"type": "tool_use", "id": "t1", "name": "Read", "input": {}}
        turns.append({"role": "assistant", "content": [call]})
        turns.append({"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t1", "content": "ok"}]})
    return json.dumps({"model": model, "max_tokens": 100, "messages": turns}).encode()


def answer(**usage: int) -> Said:
    content = [{"type": "text", "text": "Done."}]
    fields = {"id": "m", "type": "message", "role": "assistant", "model": "m", "stop_reason": "end_turn"}
    used = usage or {"input_tokens": 10, "output_tokens": 5}
    return Said(json.dumps({**fields, "content": content, "usage": used}).encode())
