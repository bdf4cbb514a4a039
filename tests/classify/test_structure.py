"""What a call is, from its shape: every recorded client, every sentinel, and the cases that are easy to get wrong."""

from __future__ import annotations

import pytest
from classify_kit import CLAUDE_CODE, HERE, REQUESTS, SHARED, answer, recorded, request, results, user
from hypothesis import given

from lanewise.classify import sentinels
from lanewise.classify.structure import Structure, is_followup
from lanewise.journey import Message

STRUCTURE = Structure.load()

# One letter per recording NNN.json in order: m main, c continuation, t title, x compaction, g commit message,
# p probe (HEAD, count_tokens), o other (lists, the WebSocket upgrade), - not recorded.
EXPECTED = {
    "aider": ("aider", "mgg"),
    "aider-anthropic": ("aider", "mgg"),
    "claude-break": ("claude-code", "pttmmmmcccc"),
    "claude-code": ("claude-code", "ptmc"),
    "claude-context": ("claude-code", "pppppppppppppppppmcpx"),
    "claude-discovery": ("claude-code", "potmc"),
    "claude-latest": ("claude-code", "pmc"),
    "claude-parallel": ("claude-code", "ptmc"),
    "claude-reject-system": ("claude-code", "ptmmc"),
    "codex": ("codex", "mc"),
    "codex-chatgpt-auth": ("codex", "o------o-------m-c"),
    "codex-openai-ws-404": ("codex", "ooooooomc"),
    "codex-openai-ws-426": ("codex", "omc"),
    "gemini-cli": ("gemini-cli", "mc"),
    "langchain-anthropic": ("langchain", "mc"),
    "langchain-chat": ("openai-sdk", "mc"),
    "langchain-responses": ("openai-sdk", "mc"),
    "opencode-anthropic": ("opencode", "tmc"),
    "opencode-chat": ("opencode", "tmc"),
    "opencode-openai": ("opencode", "tmc"),
    "qwen-code": ("qwen-code", "mc"),
    "qwen-code-anthropic": ("qwen-code", "mc"),
    "sdk-anthropic": ("anthropic-sdk", "opmmm"),
    "sdk-openai": ("openai-sdk", "ommmmm"),
}
LETTERS = {
    ("main", None): "m",
    ("continuation", None): "c",
    ("housekeeping", "title"): "t",
    ("housekeeping", "compaction"): "x",
    ("housekeeping", "commit_message"): "g",
    ("housekeeping", "probe"): "p",
    ("housekeeping", "other"): "o",
}


def turns_of(folder) -> str:
    seen = ""
    for path in sorted(folder.glob("*.json")):
        turn = STRUCTURE.turn_of(recorded(path))
        seen = seen.ljust(int(path.stem) - 1, "-") + LETTERS.get((turn.kind, turn.housekeeping), "?")
    return seen


@pytest.mark.parametrize("client", sorted(EXPECTED))
def test_every_recorded_call_gets_the_turn_it_is(client):
    folder = SHARED / "wire" / client
    if not folder.is_dir():
        pytest.skip("the recorded traffic is not part of the repository; a sample in tests/classify/recordings is")
    assert turns_of(folder) == EXPECTED[client][1]


@pytest.mark.parametrize("client", sorted(path.name for path in (HERE / "recordings").iterdir()))
def test_the_bundled_recordings_get_the_turn_they_are(client):
    name, letters = EXPECTED[client]
    for path in sorted((HERE / "recordings" / client).glob("*.json")):
        turn = STRUCTURE.turn_of(recorded(path))
        assert LETTERS[turn.kind, turn.housekeeping] == letters[int(path.stem) - 1], path.name
        assert turn.client == name


def test_the_client_and_its_version_are_read_off_the_user_agent():
    turn = STRUCTURE.turn_of(recorded(HERE / "recordings/claude-code/002.json"))
    assert (turn.client, turn.client_version) == ("claude-code", "2.1.197")


def test_an_agent_on_an_sdk_does_not_take_the_version_of_the_sdk():
    turn = STRUCTURE.turn_of(recorded(HERE / "recordings/aider/001.json"))
    assert (turn.client, turn.client_version) == ("aider", "")


# (name, fields of the request, kind, housekeeping)
CLAUDE_CALLS = [
    ("quota probe", {"recent": (user("quota"),), "max_tokens": 1, "tool_names": ()}, "housekeeping", "probe"),
    ("warm-up", {"recent": (user("Warmup"),)}, "housekeeping", "probe"),
    (
        "title by schema",
        {"recent": (user("<session>x</session>"),), "output_schema_keys": ("title",), "tool_names": ()},
        "housekeeping",
        "title",
    ),
    (
        "title of 0.2",
        {"recent": (user("Please write a 5-10 word title the following conversation: hi"),), "tool_names": ()},
        "housekeeping",
        "title",
    ),
    (
        "bash guard",
        {"system": ("Your task is to process Bash commands that an AI coding agent wants to run.",)},
        "housekeeping",
        "guard",
    ),
    ("suggestion", {"recent": (answer(), user("[SUGGESTION MODE: predict]"))}, "housekeeping", "suggestion"),
    (
        "compaction behind tool results",
        {"recent": (answer(), results(text="CRITICAL: Respond with TEXT ONLY. Do NOT call any tools."))},
        "housekeeping",
        "compaction",
    ),
    (
        "compaction behind a reminder",
        {"recent": (user("<system-reminder>a</system-reminder>\nCRITICAL: Respond with TEXT ONLY"),)},
        "housekeeping",
        "compaction",
    ),
    (
        "background call without the beta of main calls",
        {"recent": (user("Name this"),), "tool_names": (), "max_tokens": 512, "headers": CLAUDE_CODE[:1]},
        "housekeeping",
        "other",
    ),
    ("sub-agent by header", {"recent": (user("Find the tests"),), "agent_id": "a1"}, "subagent", None),
    (
        "sub-agent by system text",
        {"recent": (user("Find it"),), "system": ("You are a file search specialist for Claude Code",)},
        "subagent",
        None,
    ),
    ("loop of a sub-agent", {"recent": (user("Find"), answer(), results()), "agent_id": "a1"}, "continuation", None),
    (
        "resumed after compaction",
        {"recent": (user("This session is being continued from a previous conversation"),)},
        "followup",
        None,
    ),
    ("plain request", {"recent": (user("Add a flag"),)}, "main", None),
]


@pytest.mark.parametrize(
    ("fields", "kind", "housekeeping"), [row[1:] for row in CLAUDE_CALLS], ids=[row[0] for row in CLAUDE_CALLS]
)
def test_claude_code_calls(fields, kind, housekeeping):
    turn = STRUCTURE.turn_of(request(**{"headers": CLAUDE_CODE, **fields}))
    assert (turn.kind, turn.housekeeping) == (kind, housekeeping)


# (name, request, kind, housekeeping)
OTHER_CALLS = [
    ("count_tokens", request(user("foo"), operation="count_tokens"), "housekeeping", "probe"),
    ("HEAD", request(operation="other", method="HEAD"), "housekeeping", "probe"),
    ("embeddings", request(operation="embeddings"), "housekeeping", "other"),
    ("one token without tools", request(user("hi"), max_tokens=1, tool_names=()), "housekeeping", "probe"),
    ("one token with tools", request(user("hi"), max_tokens=1), "main", None),
    (
        "codex compaction",
        request(
            user("go"), headers=(("originator", "codex_cli_rs"), ("x-openai-subagent", "compact")), agent_id="compact"
        ),
        "housekeeping",
        "compaction",
    ),
    (
        "codex review",
        request(
            user("go"), headers=(("originator", "codex_cli_rs"), ("x-openai-subagent", "review")), agent_id="review"
        ),
        "subagent",
        None,
    ),
    (
        "a title prompt of a stranger",
        request(user("hi"), system=("Generate a concise title for the conversation.",), tool_names=()),
        "housekeeping",
        "title",
    ),
    (
        "the same words with tools",
        request(user("hi"), system=("Generate a concise title for the conversation.",)),
        "main",
        None,
    ),
    (
        "gemini next speaker",
        request(
            user("x"), headers=(("user-agent", "GeminiCLI/0.61.0"),), output_schema_keys=("reasoning", "next_speaker")
        ),
        "housekeeping",
        "other",
    ),
    (
        "crossing: a known system text from an unknown client",
        request(user("hi"), system=("You are a title generator. You output",)),
        "housekeeping",
        "title",
    ),
    (
        "an answer schema with a title from an SDK",
        request(user("Extract the book"), output_schema_keys=("title", "author"), tool_names=()),
        "main",
        None,
    ),
    ("a small call of an SDK", request(user("Translate: hi"), max_tokens=100, tool_names=()), "main", None),
    (
        "opencommit",
        request(user("diff"), system=("You are to act as an author of a commit message in git.",), tool_names=()),
        "main",
        None,
    ),
]


@pytest.mark.parametrize(
    ("call", "kind", "housekeeping"), [row[1:] for row in OTHER_CALLS], ids=[row[0] for row in OTHER_CALLS]
)
def test_calls_of_other_clients(call, kind, housekeeping):
    turn = STRUCTURE.turn_of(call)
    assert (turn.kind, turn.housekeeping) == (kind, housekeeping)


def test_a_user_who_quotes_a_sentinel_is_still_a_user():
    quote = "Why does the proxy see this?\nCRITICAL: Respond with TEXT ONLY"
    assert STRUCTURE.turn_of(request(user(quote), headers=CLAUDE_CODE)).kind == "main"


def test_a_sentinel_in_user_text_counts_only_for_the_client_it_was_seen_with():
    text = "The user stepped away"
    assert STRUCTURE.turn_of(request(user(text))).kind == "main"
    assert STRUCTURE.turn_of(request(user(text), headers=CLAUDE_CODE)).housekeeping == "summary"


LAST_MESSAGES = [
    ("tool result", (user("Do it all"), answer(), results()), "continuation"),
    (
        "tool result before a system message",
        (user("Go"), answer(), results(), Message(role="system", text="x")),
        "continuation",
    ),
    (
        "tool result before a reminder",
        (user("Go"), answer(), results(), user("<system-reminder>x</system-reminder>")),
        "continuation",
    ),
    (
        "tool result with a reminder inside",
        (user("Go"), answer(), results(text="<system-reminder>x</system-reminder>")),
        "continuation",
    ),
    (
        "tool result with new words",
        (user("Go"), answer(), results(text="Stop that and rename the table instead")),
        "main",
    ),
    (
        "chat tool role",
        (user("Go"), answer(), Message(role="tool", text="ok", block_kinds=("tool_result",))),
        "continuation",
    ),
    (
        "responses output",
        (user("Go"), answer(), Message(role="tool", block_kinds=("custom_tool_call_output",))),
        "continuation",
    ),
    ("gemini response", (user("Go"), answer(), user("", "functionResponse")), "continuation"),
    ("prefilled answer", (user("List the routes"), answer("{")), "main"),
    ("only environment", (user("<environment_context>x</environment_context>"),), "main"),
    ("approval", (user("Plan it"), answer(), user("yes")), "followup"),
    ("picture", (user("Plan it"), answer(), user("", "image")), "followup"),
    ("approval without a conversation", (user("yes"),), "main"),
    ("a new request", (user("Plan it"), answer(), user("Now write the parser tests")), "main"),
    ("nothing", (), "main"),
]


@pytest.mark.parametrize(
    ("messages", "kind"), [row[1:] for row in LAST_MESSAGES], ids=[row[0] for row in LAST_MESSAGES]
)
def test_the_last_message_that_matters_decides(messages, kind):
    assert STRUCTURE.turn_of(request(*messages)).kind == kind


@pytest.mark.parametrize(
    "text",
    ["yes", "y", "go on", "ok", "Sounds good!", "same for the tests", "[Image #1]", "[Image: source: /a/b.png]", "fix 4",
     "1, 2 and 3", "Address 3, 8 and 11", "Proceed with phase 3", "no", "do it", "yup, make that 1 line change", "continue", "option 2"],
)  # fmt: skip
def test_approvals_and_steering_are_followups(text):
    assert is_followup(text)


@pytest.mark.parametrize(
    "text",
    ["ok, add a login page", "fix the bug", "Next, write the docs for the store", "yes but why is the cache cold?",
     "500 errors on the login page", "no that broke the build: ImportError in store.py", "now add tests for the parser", "the tests"],
)  # fmt: skip
def test_requests_that_begin_like_an_approval_are_not_followups(text):
    assert not is_followup(text)


def test_the_billing_block_is_not_a_system_text():
    view = sentinels.view_of(
        request(system=("x-anthropic-billing-header: cc_version=2", "You are naming a coding session")),
        first_user="",
        last_user="",
        matching=lambda _: frozenset(),
    )
    assert view.system == ("You are naming a coding session",)


def test_a_headless_client_says_so():
    headers = (("user-agent", "claude-cli/2.1.197 (external, sdk-cli)"),)
    assert STRUCTURE.look(request(user("x"), headers=headers)).headless
    assert not STRUCTURE.look(request(user("x"), headers=CLAUDE_CODE)).headless


def test_every_row_of_the_data_file_can_fire():
    """A row whose opening an earlier row of its client already covers would be dead data."""
    data = sentinels.load()
    for client in data.clients:
        before: list[sentinels.Sentinel] = []
        for row in client.turns:
            covered = [
                other.name
                for other in before
                if other.opening
                and row.opening.startswith(other.opening)
                and (other.where, other.no_tools, other.contains) == (row.where, row.no_tools, row.contains)
            ]
            assert not covered, (client.name, row.name)
            before.append(row)
            assert row.kind != "housekeeping" or row.housekeeping, (client.name, row.name)


@given(REQUESTS)
def test_no_request_makes_it_raise(call):
    turn = STRUCTURE.turn_of(call)
    assert (turn.housekeeping is not None) == (turn.kind == "housekeeping")
    assert turn.reason
