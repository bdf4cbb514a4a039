"""Runs the OpenAI SDK on both of its dialects and prints what the SDK understood as JSON.

``python sdk_openai.py BASE_URL`` (without `/v1`).
"""

from __future__ import annotations

import json
import sys

import openai

SCHEMA = {"type": "object", "properties": {"file_path": {"type": "string"}}}
CHAT_TOOL = {"type": "function", "function": {"name": "write_file", "parameters": SCHEMA}}
RESPONSES_TOOL = {"type": "function", "name": "write_file", "parameters": SCHEMA, "strict": False}
ASKED = {"role": "user", "content": "Create /home/dev/hello.txt"}
MODEL = "gpt-5"


def chat(client: openai.OpenAI) -> dict[str, object]:
    options = {"include_usage": True}
    with client.chat.completions.stream(
        model=MODEL, messages=[ASKED], tools=[CHAT_TOOL], stream_options=options
    ) as stream:
        streamed = stream.get_final_completion()
    [call] = streamed.choices[0].message.tool_calls
    result = {"role": "tool", "tool_call_id": call.id, "content": "written"}
    answer = {"role": "assistant", "tool_calls": [call.model_dump(include={"id", "type", "function"})]}
    whole = client.chat.completions.create(model=MODEL, messages=[ASKED, answer, result], tools=[CHAT_TOOL])
    return {
        "arguments": json.loads(call.function.arguments),
        "stop": streamed.choices[0].finish_reason,
        "output_tokens": streamed.usage.completion_tokens,
        "text": whole.choices[0].message.content,
    }


def responses(client: openai.OpenAI) -> dict[str, object]:
    with client.responses.stream(model=MODEL, input=[ASKED], tools=[RESPONSES_TOOL], store=False) as stream:
        streamed = stream.get_final_response()
    [call] = [item for item in streamed.output if item.type == "function_call"]
    result = {"type": "function_call_output", "call_id": call.call_id, "output": "written"}
    answer = {"type": "function_call", "call_id": call.call_id, "name": call.name, "arguments": call.arguments}
    whole = client.responses.create(model=MODEL, input=[ASKED, answer, result], tools=[RESPONSES_TOOL], store=False)
    return {
        "arguments": json.loads(call.arguments),
        "stop": streamed.status,
        "output_tokens": streamed.usage.output_tokens,
        "text": whole.output_text,
    }


def main() -> None:
    client = openai.OpenAI(base_url=f"{sys.argv[1]}/v1", api_key="sk-dummy", max_retries=0)
    said = {
        "models": [model.id for model in client.models.list()],
        "chat": chat(client),
        "responses": responses(client),
    }
    print(json.dumps(said))


main()
