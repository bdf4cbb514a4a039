"""Runs the Anthropic SDK, whichever major its interpreter has, and prints what the SDK understood as JSON.

``python sdk_anthropic.py BASE_URL``. It is a program because two majors cannot live in one interpreter.
"""

from __future__ import annotations

import json
import sys

import anthropic

TOOLS = [
    {
        "name": "write_file",
        "description": "Write a file.",
        "input_schema": {"type": "object", "properties": {"file_path": {"type": "string"}}},
    }
]
ASKED = {"role": "user", "content": "Create /home/dev/hello.txt"}


def main() -> None:
    client = anthropic.Anthropic(base_url=sys.argv[1], api_key="sk-ant-dummy", max_retries=0)
    common = {"model": "claude-opus-5-5", "max_tokens": 2048, "tools": TOOLS}
    thinking = {"type": "enabled", "budget_tokens": 1024}
    with client.messages.stream(messages=[ASKED], thinking=thinking, **common) as stream:
        streamed = stream.get_final_message()
    [call] = [block for block in streamed.content if block.type == "tool_use"]
    result = {"type": "tool_result", "tool_use_id": call.id, "content": "written"}
    history = [ASKED, {"role": "assistant", "content": streamed.content}, {"role": "user", "content": [result]}]
    whole = client.messages.create(messages=history, **common)
    said = {
        "version": anthropic.__version__,
        "models": [model.id for model in client.models.list()],
        "counted": client.messages.count_tokens(model="claude-opus-5-5", messages=[ASKED]).input_tokens,
        "streamed": {
            "blocks": [block.type for block in streamed.content],
            "arguments": call.input,
            "stop": streamed.stop_reason,
            "output_tokens": streamed.usage.output_tokens,
        },
        "whole": {"text": whole.content[0].text, "stop": whole.stop_reason},
    }
    print(json.dumps(said))


main()
