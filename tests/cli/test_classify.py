"""`lanewise classify` says of a text or a request what the gateway would say of it."""

import json
from pathlib import Path

import pytest

WIRE = Path(__file__).parents[2].parent / "shared" / "data" / "wire"
BODY = {"model": "gpt-6", "messages": [{"role": "user", "content": "Write unit tests for parser.py"}]}


def classified(result):
    assert result.exit_code == 0, result.stderr
    return json.loads(result.stdout)


def test_a_text_is_classified_for_people_and_for_programs(run):
    lines = run("classify", "Write unit tests for parser.py").stdout.splitlines()
    assert [line.split()[0] for line in lines] == ["skill", "turn", "complexity", "waiting"]
    found = classified(run("classify", "Write unit tests for parser.py", "--json"))
    assert (found["skill"], found["turn"], found["waiting"]) == ("test_writing", "main", True)


def test_text_file_and_standard_input_give_the_same_answer(run, home):
    (home / "ask.txt").write_text("Explain this function to me")
    text = run("classify", "Explain this function to me", "--json").stdout
    assert run("classify", "ask.txt", "--json").stdout == text
    assert run("classify", "-", "--json", stdin="Explain this function to me").stdout == text
    assert run("classify", "--json", stdin="Explain this function to me").stdout == text


@pytest.mark.parametrize(
    "body",
    [
        BODY,
        {"model": "claude-x", "max_tokens": 9, "messages": BODY["messages"]},
        {"model": "gpt-6", "input": "Write unit tests for parser.py"},
        {"contents": [{"role": "user", "parts": [{"text": "Write unit tests for parser.py"}]}]},
        {"method": "POST", "path": "/v1/chat/completions", "headers": {"User-Agent": "x/1"}, "body": BODY},
        {"method": "POST", "path": "/v1/messages?beta=true", "headers": [["A", "b"]], "body": json.dumps(BODY)},
    ],
    ids=["chat", "messages", "responses", "gemini", "recorded", "recorded with a body of text"],
)
def test_a_request_of_any_dialect_is_read_as_the_gateway_reads_it(run, home, body):
    (home / "request.json").write_text(json.dumps(body))
    assert classified(run("classify", "request.json", "--json"))["skill"] == "test_writing"


def test_jsonl_answers_line_by_line_in_order(run):
    lines = [{"text": "Write unit tests for parser.py"}, BODY, {"text": "Explain this function to me"}]
    result = run("classify", "--jsonl", stdin="\n\n".join(map(json.dumps, lines)))
    skills = [json.loads(line)["skill"] for line in result.stdout.splitlines()]
    assert skills == ["test_writing", "test_writing", "code_explanation"]


@pytest.mark.parametrize(
    "history",
    [["Write unit tests for parser.py"], [{"role": "user", "content": "Write unit tests for parser.py"}]],
)
def test_a_follow_up_inherits_the_skill_of_its_history(run, history):
    row = {"text": "yes, go ahead", "history": history, "answer_head": "Shall I cover the errors too?"}
    found = json.loads(run("classify", "--jsonl", stdin=json.dumps(row)).stdout)
    assert (found["turn"], found["skill"]) == ("followup", "test_writing")


def test_a_row_may_name_its_client_system_text_and_tools(run):
    row = {"text": "hi", "client": "claude-code", "system": "Be short", "tools": ["Read"], "unknown": 1}
    found = json.loads(run("classify", "--jsonl", stdin=json.dumps(row)).stdout)
    assert found["client"] == "claude-code"
    assert found["complexity_parts"]["chained_calls"] > 0


def test_a_bad_line_has_its_error_in_its_place_and_the_exit_code_tells(run):
    result = run("classify", "--jsonl", stdin='{"text": "hi"}\nnope\n{"text": 1}\n{"text": "ho"}\n')
    answers = [json.loads(line) for line in result.stdout.splitlines()]
    assert ["error" in answer for answer in answers] == [False, True, True, False]
    assert [answer["line"] for answer in answers if "error" in answer] == [2, 3]
    assert result.exit_code == 1


@pytest.mark.parametrize("text", ["", "  \n"])
def test_empty_input_is_refused(run, text):
    result = run("classify", "-", stdin=text)
    assert (result.exit_code, result.stdout) == (1, "")
    assert "empty" in result.stderr


def test_an_unknown_path_in_a_recorded_request_is_told_with_what_to_do(run):
    result = run("classify", "-", stdin='{"path": "/nope", "body": {}}')
    assert result.exit_code == 1
    assert "/nope" in result.stderr
    assert "hint: " in result.stderr


@pytest.mark.skipif(not WIRE.exists(), reason="the recorded requests are not part of the project")
def test_every_recorded_request_of_a_real_agent_can_be_classified(run):
    paths = sorted(WIRE.glob("*/*.json"))
    recorded = [document for document in map(json.loads, (p.read_bytes() for p in paths)) if document.get("body")]
    wanted = [document for document in recorded if document["path"].startswith("/v1/messages?")]
    result = run("classify", "--jsonl", stdin="\n".join(map(json.dumps, wanted)))
    assert result.exit_code == 0, result.stderr
    clients = {json.loads(line)["client"] for line in result.stdout.splitlines()}
    assert clients == {"claude-code"}
