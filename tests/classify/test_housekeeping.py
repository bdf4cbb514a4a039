"""Calls that harnesses make on their own, by every published row and by the general ones, and what only looks alike."""

from __future__ import annotations

import time

import pytest
from classify_kit import CLAUDE_CODE, answer, request, user

from lanewise.classify import sentinels
from lanewise.classify.structure import Structure

STRUCTURE = Structure.load()
NO_TOOLS = {"tool_names": ()}
SMALL = {"tool_names": (), "max_tokens": 64}


def agent(name: str) -> dict[str, object]:
    return {"headers": (("user-agent", name),)}


def codex(subagent: str) -> dict[str, object]:
    return {"headers": (("originator", "codex_cli_rs"), ("x-openai-subagent", subagent))}


# (section, row, what the user says, system text, more fields of the request)
ROWS = [
    ("claude-code", "tip", "<eligible_ids>", "You are watching someone use Claude Code. Occasionally", {}),
    ("claude-code", "web-search", "Perform a web search", "You are an assistant for performing a web search tool use", {}),
    ("claude-code", "web-page", "Web page content:\n---\n# Docs", "", {"headers": CLAUDE_CODE, **NO_TOOLS}),
    ("claude-code", "dream", "# Dream: Memory Consolidation\n\nYou are", "", {"headers": CLAUDE_CODE}),
    (
        "claude-code",
        "session-notes",
        "IMPORTANT: This message and these instructions are NOT part of the actual user conversation.",
        "",
        {"headers": CLAUDE_CODE},
    ),
    ("claude-code", "plan-agent", "Plan it", "You are a software architect and planning specialist for Claude Code.", {}),
    ("claude-code", "guide-agent", "Can it?", "You are the Claude guide agent. Your primary", {}),
    ("claude-code", "status-line-agent", "Set it up", "You are a status line setup agent for Claude Code.", {}),
    ("codex", "guardian-header", "x", "", codex("guardian")),
    ("codex", "guardian", "x", "You are judging one planned coding-agent action.\nAssess", {}),
    ("codex", "memory-agent", "x", "## Memory Writing Agent: Phase 1 (Single Rollout)", {}),
    ("codex", "memory-agent-user", "## Memory Writing Agent: Phase 2 (Consolidation)", "", codex("")),
    ("opencode", "compaction-anchored", "x", "You are an anchored context summarization assistant for coding", {}),
    ("opencode", "new-agent", "A reviewer", "You are an elite AI agent architect specializing in", NO_TOOLS),
    ("opencode", "explore-agent", "Find it", "You are a file search specialist. You excel at", {}),
    ("crush", "title", "Fix it", "You will generate a short title based on the first message a user", NO_TOOLS),
    ("crush", "compaction", "x", "You are summarizing a conversation to preserve context for continuing work later.", {}),
    ("crush", "agent", "Find it", "You are an agent for Crush. Given the user's prompt", {}),
    ("crush", "fetch-agent", "Find it", "You are a web content analysis agent for Crush.", {}),
    ("gemini-cli", "compression-component", "x", "You are the component that summarizes internal chat history", {}),
    (
        "gemini-cli",
        "compression-specialized",
        "x",
        "You are a specialized system component responsible for distilling chat history into",
        {},
    ),
    ("gemini-cli", "loop-check", "x", "You are a sophisticated AI diagnostic agent specializing in", NO_TOOLS),
    ("gemini-cli", "edit-fixer", "x", "You are an expert code-editing assistant specializing in debugging and", NO_TOOLS),
    ("gemini-cli", "router", "x", "You are a specialized Task Routing AI. Your sole", NO_TOOLS),
    (
        "gemini-cli",
        "tool-output",
        "Summarize the following tool output to be a maximum of 2000 tokens.",
        "",
        {**agent("GeminiCLI/0.61.0"), **NO_TOOLS},
    ),
    (
        "gemini-cli",
        "completion",
        "You are a professional prompt engineering assistant. Complete the user's partial prompt",
        "",
        {**agent("GeminiCLI/0.61.0"), **NO_TOOLS},
    ),
    ("gemini-cli", "investigator", "Find it", "You are **Codebase Investigator**, a hyper-specialized", {}),
    ("qwen-code", "recap", "x", "You generate session recaps for a programming assistant CLI.", {}),
    ("qwen-code", "memory", "x", "You are now acting as the managed memory extraction subagent for an AI", {}),
    ("qwen-code", "dream", "x", "You are performing a managed memory dream.", {}),
    (
        "qwen-code",
        "project-summary",
        "Please analyze the conversation history above and generate a comprehensive project summary",
        "",
        agent("QwenCode/0.15.10"),
    ),
    (
        "qwen-code",
        "tool-output",
        "Summarize the following tool output to be a maximum of 2000 tokens.",
        "",
        {**agent("QwenCode/0.15.10"), **NO_TOOLS},
    ),
    ("qwen-code", "status-line-agent", "Set it up", "You are a status line setup agent for Qwen Code.", {}),
    ("qwen-code", "agent", "Find it", "You are a general-purpose agent. Given the user's message, use", {}),
    (
        "cline",
        "condense",
        '<explicit_instructions type="summarize_task">\nThe current conversation is rapidly running out',
        "",
        agent("Cline/3.74.0"),
    ),
    ("roo", "condense-old", "x", "Your task is to create a detailed summary of the conversation so far, paying", {}),
    (
        "roo",
        "condense-asked",
        "Summarize the conversation so far, as described in the prompt instructions.",
        "",
        agent("RooCode/3.30.0"),
    ),
    (
        "kilo",
        "condense-asked",
        "Summarize the conversation so far, as described in the prompt instructions.",
        "",
        agent("Kilo-Code/4.100.0"),
    ),
    ("kilo", "enhance", "Generate an enhanced version of this prompt", "", {**agent("Kilo-Code/4.100.0"), **NO_TOOLS}),
    (
        "continue",
        "title",
        "Given the following... please reply with a title for the chat that is 3-4 words",
        "",
        {**agent("Continue/1.2"), **SMALL},
    ),
    (
        "continue",
        "compaction",
        "Create a comprehensive summary of this conversation that captures all essential",
        "",
        {**agent("Continue/1.2"), **NO_TOOLS},
    ),
    ("copilot", "title", "x", "You are an expert in crafting pithy titles for chatbot conversations.", NO_TOOLS),
    (
        "copilot",
        "commit",
        "diff",
        "You are an AI programming assistant, helping a software developer to come with the best git commit message",
        NO_TOOLS,
    ),
    ("openhands", "title-first", "x", "Generate a concise, descriptive title (maximum 50 characters) for", NO_TOOLS),
    (
        "openhands",
        "condenser",
        "You are maintaining a context-aware state summary for an interactive agent.",
        "",
        agent("OpenHands/1.0"),
    ),
    ("goose", "title", "x", "Generate a short title (four words or less) for this conversation.", NO_TOOLS),
    ("goose", "title-old", "x", "Reply with only a description in four words or less", NO_TOOLS),
    ("goose", "compaction", "x", "## Task Context\n- An llm context limit was reached when a user was", NO_TOOLS),
    ("goose", "compaction-old", "x", "## Summary Task\nGenerate detailed summary of conversation to date.", NO_TOOLS),
    (
        "goose",
        "title-asked",
        "Based on the conversation so far, provide a concise description of this session in 4 words",
        "You are a general-purpose AI agent called goose, created by Block",
        NO_TOOLS,
    ),
    ("goose", "agent", "Find it", "You are a specialized subagent within the goose AI framework", {}),
    ("zed", "title", "Generate a concise 3-7 word title for this", "", {**agent("Zed/0.210.0 (linux; x86_64)"), **NO_TOOLS}),
    ("zed", "summary", "Generate a detailed summary of this conversation. Include:", "", {**agent("Zed/0.210.0"), **NO_TOOLS}),
    ("zed", "commit", "You are an expert at writing Git commits. Your job", "", {**agent("Zed/0.210.0"), **NO_TOOLS}),
    ("zed", "commit-system", "diff", "You are an expert at writing Git commits. Your job", NO_TOOLS),
    ("amp", "title", "x", "You are an assistant that generates short, descriptive titles (maximum 5 words", {}),
    ("kimi-cli", "compaction", "## Message 1", "You are a helpful assistant that compacts conversation context.", NO_TOOLS),
    ("plandex", "name", "x", "You are an AI namer that creates a name for the plan.", {}),
    ("plandex", "summary", "x", "You are an AI summarizer that summarizes the conversation so far.", NO_TOOLS),
    ("plandex", "summary-short", "x", "You are an AI summarizer that summarizes text, including programs", {}),
    ("plandex", "commit", "x", "You are an AI parser. You turn an AI's plan for a programming task", {}),
    ("plandex", "commit-pending", "x", "You are an AI commit message summarizer. You take", {}),
    ("pi", "compaction", "<conversation>", "You are a context summarization assistant. Your task is", {}),
    ("any", "title-trade", "Fix it", "You generate a session title. Reply with ONLY a short title.", NO_TOOLS),
    ("any", "title-summary", "Fix it", "You turn a chat into a short title.", NO_TOOLS),
    ("any", "title-generator", "Fix it", "You are a thread title generator. Output ONLY the title string.", NO_TOOLS),
    ("any", "title-name", "Fix it", "Come up with a two-word name for the coding session.", NO_TOOLS),
    ("any", "title-naming", "Fix it", "You name chat sessions. Reply with ONE short name.", NO_TOOLS),
    ("any", "title-task", "Fix it", "You create short titles for coding tasks.", NO_TOOLS),
    ("any", "title-first", "Fix it", "Reply with a title of four words for the user's message.", SMALL),
    ("any", "commit-trade", "diff", "You are a commit message generator. Given a git diff, write one.", NO_TOOLS),
    ("any", "commit-task", "diff", "Write a short, imperative commit message for the diff below.", NO_TOOLS),
    (
        "any",
        "compaction-trade",
        "User: hi",
        "You are a conversation summarizer. Keep what is needed to continue the work.",
        NO_TOOLS,
    ),
    (
        "any",
        "compaction-ordered",
        "User: hi",
        "Create a handoff summary of the conversation between the user and an AI assistant.",
        NO_TOOLS,
    ),
    ("any", "compactor", "User: hi", "You are a conversation compactor. Output only the summary.", NO_TOOLS),
    ("any", "topic", "hi", "Analyze whether this message starts a new conversation topic.", SMALL),
    ("any", "topic-schema", "hi", "", {**NO_TOOLS, "output_schema_keys": ("isNewTopic", "title")}),
    ("any", "suggestion-next", "User: hi", "You predict what the USER will type next into their coding agent.", NO_TOOLS),
    (
        "any",
        "suggestion-follow-up",
        "User: hi",
        "Suggest three short follow-up questions that the user might ask next.",
        NO_TOOLS,
    ),
    ("any", "guard-trade", "rm -rf /", "You are a shell command safety classifier.", NO_TOOLS),
    ("any", "guard-agent", "rm -rf /", "You are a security classifier for AI agent tool calls.", NO_TOOLS),
    (
        "any",
        "guard",
        "rm -rf /",
        "You are a security reviewer. Judge whether the shell command is dangerous for the agent to run.",
        SMALL,
    ),
    ("any", "memory-trade", "User: hi", "You are a memory extraction system for an AI assistant.", NO_TOOLS),
    ("any", "memory-facts", "User: hi", "You extract durable memory facts from chats. JSON only.", NO_TOOLS),
    ("any", "memory", "User: hi", "Extract durable memories from the conversation below.", NO_TOOLS),
    ("any", "next-speaker", "x", "", {**NO_TOOLS, "output_schema_keys": ("reasoning", "next_speaker")}),
    ("any", "next-speaker-asked", "Analyze *only* the content and structure of your immediately preceding response", "", {}),
    (
        "any",
        "enhance",
        "Generate an enhanced version of this prompt (reply with only the enhanced prompt)",
        "",
        NO_TOOLS,
    ),
    ("any", "condenser", "You are maintaining a context-aware state summary for an interactive agent.", "", {}),
    ("any", "web-ui-title", "### Task:\nGenerate a concise, 3-5 word title with an emoji", "", NO_TOOLS),
    ("any", "web-ui-tags", "### Task:\nGenerate 1-3 broad tags categorizing", "", NO_TOOLS),
    ("any", "web-ui-follow-ups", "### Task:\nSuggest 3-5 relevant follow-up questions", "", NO_TOOLS),
    (
        "any",
        "title-small",
        "Give a title to a chat that begins with the message below. Return only the title.\n\nFix it",
        "",
        SMALL,
    ),
]  # fmt: skip


@pytest.mark.parametrize(
    ("section", "row", "said", "system", "fields"), ROWS, ids=[f"{section}:{row}" for section, row, *_ in ROWS]
)
def test_a_published_call_is_known_by_its_row(section, row, said, system, fields):
    turn = STRUCTURE.turn_of(request(user(said), system=(system,) if system else (), **fields))
    assert turn.reason == f"sentinel:{section}:{row}"
    assert turn.kind in {"housekeeping", "subagent"}


# Prompts of small public programs that no row was written for: (system text, housekeeping).
STRANGERS = [
    ("You are a helpful assistant that generates concise, descriptive titles for chat threads.", "title"),
    ("You are an assistant that generates short, descriptive conversation titles. Keep the title concise", "title"),
    ("You are a specialist in summarizing conversations into short titles.\nGiven the first user message", "title"),
    ("Write a concise title (max 6 words) for this conversation. Reply with the title only", "title"),
    ("Generate a concise title for this coding session based on the user's first message.", "title"),
    ("You generate a concise session title (<=40 chars) from the user's first message in a coding", "title"),
    ("You generate short titles for conversations. Respond with ONLY the title, nothing else.", "title"),
    ("You are an expert Git commit message generator. Generate commit messages following", "commit_message"),
    ("You are an expert git commit message generator. Your ONLY job is to output a perfect git", "commit_message"),
    ("You are an expert Git commit message assistant. Your job is to generate clear, concise", "commit_message"),
    ("Generate a concise git commit message for the following diff.", "commit_message"),
    ("You are a context summarization assistant for a coding agent session.", "compaction"),
    ("You are a conversation summarizer. Create a summary of what the next agent needs.", "compaction"),
    ("Summarize the conversation so far so that another LLM can continue the task.", "compaction"),
    ("You are a diagnostic agent. Predict the next user message.", "suggestion"),
    ("You are a memory extraction specialist for an AI agent system.", "memory"),
    ("You create short titles for coding-agent chat sessions.", "title"),
    ("You are a precise assistant that condenses a user's first message into a\nshort chat title.", "title"),
    ("Create a title for this chat session, based on the user question.", "title"),
    ("You compact conversation history for another assistant.\nTreat the supplied conversation as", "compaction"),
    ("Generate a single context handoff that lets the same coding agent continue this conversation.", "compaction"),
    ("Create a checkpoint summary for an agent context window.\n\nPreserve user goals", "compaction"),
    ("You are the semantic history compactor for a coding agent.\nProduce one concise", "compaction"),
    ("You are an expert software engineer writing git commit messages.\n\nGenerate a", "commit_message"),
    ("You generate follow-up suggestions for a conversation.\nSuggest 2-3 the user might want to ask next.", "suggestion"),
    ("You write concise, conventional-commit-style git commit messages. Output ONLY the message", "commit_message"),
    ("You are an expert at writing clear, concise git commit messages following the", "commit_message"),
    ("You are the long-term memory curator for the user. Keep only what is durable.", "memory"),
    ("You name chat sessions for a warehouse operations app. Given the user's first message", "title"),
    ("You write git commit messages. Output ONLY the commit message", "commit_message"),
    ("You write concise commit messages. Reply with ONLY the commit message: a short", "commit_message"),
    ("You summarize coding agent conversations so work can continue seamlessly.", "compaction"),
    ("You summarize coding agent transcripts. Produce a compact summary that preserves:", "compaction"),
    ("You are a conversation summarizer. Capture key facts, decisions, tool results, and user requests", "compaction"),
    ("You are a command safety reviewer for an AI coding assistant.", "guard"),
    ("You are a command safety auditor. Decide whether the following shell command may run", "guard"),
    ("You are a security classifier for an autonomous coding agent.", "guard"),
    ("You extract durable user memories from chats. Return JSON with arrays", "memory"),
    ("You extract durable, long-term facts about the USER from a conversation, to save\nto their memory.", "memory"),
    ("You are a memory extraction assistant. From the conversation below, extract", "memory"),
]  # fmt: skip


@pytest.mark.parametrize(("system", "housekeeping"), STRANGERS, ids=[system[:48] for system, _ in STRANGERS])
def test_a_client_nobody_has_heard_of_is_known_by_what_it_tells_its_model(system, housekeeping):
    turn = STRUCTURE.turn_of(request(user("Fix the login page"), system=(system,), **NO_TOOLS))
    assert (turn.kind, turn.housekeeping) == ("housekeeping", housekeeping)


@pytest.mark.parametrize(
    "system",
    [row[3] for row in ROWS if row[0] == "any" and row[3]] + [system for system, _ in STRANGERS],
)
def test_a_general_row_needs_a_call_without_tools(system):
    known = ("You are an assistant that generates short, descriptive", "You are a context summarization assistant")
    if system.startswith(known):
        pytest.skip("a published opening, which decides whatever the tools")
    assert STRUCTURE.turn_of(request(user("Fix the login page"), system=(system,))).kind == "main"


NEAR_MISSES = [
    "Write a title for my blog post about Rust lifetimes",
    "Suggest a title for the conversation page of the chat app, it says Untitled today",
    "Generate a title generator component for the settings page",
    "Create a title and description for this pull request",
    "Give me five titles for a talk about compilers",
    "Rename the session title field to session_name in the whole repository",
    "Add a conversation title column to the chats table",
    "Summarize this conversation between the client and the server code",
    "Summarize the conversation model in src/chat/models.py",
    "Summarise the last three commits for the release notes",
    "Compact the history table, it has grown to 40 GB",
    "Create a detailed summary of the architecture of this repository",
    "Your task is to create a detailed summary of the billing module",
    "Write a commit message for the staged changes",
    "Generate a commit message for this diff:\n- a\n+ b",
    "Write a git hook that checks commit messages against the conventional format",
    "Commit this with a good message",
    "Predict what the user will type next: implement autocomplete for the search box",
    "Suggest follow-up questions in the chat widget after each answer",
    "Suggest what to do next on the migration",
    "Is this command safe? rm -rf build/*",
    "Classify each shell command in audit.log as safe or dangerous",
    "Write a permission check for the shell command endpoint",
    "Extract the memories table into its own schema",
    "Find the memory leak in the session store",
    "Detect whether a message starts a new topic and write tests for it",
    "Analyze the conversation log in fixtures/ and fix the parser",
    "Improve this prompt: you are a helpful assistant that answers in French",
    "You are an expert in SQL. Write a query that counts sessions by day",
    "Web page content is not rendered, fix the layout",
    "Critical: respond with text only in the API, no HTML",
    "Name the new session handler",
    "count",
    "Warm up the cache before the load test",
]
AROUND = [
    ("a stranger with tools", {}),
    ("a stranger without tools", NO_TOOLS),
    ("a stranger with room", {"tool_names": (), "max_tokens": 4096, "system": ("You are a helpful assistant.",)}),
    ("a small answer", SMALL),
    ("claude code", {"headers": CLAUDE_CODE, "system": ("You are Claude Code, Anthropic's official CLI for Claude.",)}),
    ("goose", {"system": ("You are a general-purpose AI agent called goose, created by Block",)}),
    ("zed", agent("Zed/0.210.0 (linux; x86_64)")),
    ("zed asked without tools", {**agent("Zed/0.210.0"), **NO_TOOLS}),
    ("aider", {"system": ("Act as an expert software developer.\nAlways use best practices when coding.",), **NO_TOOLS}),
    ("roo", {"system": ("You are Roo, a highly skilled software engineer with extensive knowledge",), **NO_TOOLS}),
    ("a roo mode", {"system": ("You are Roo, who generates commit messages and code",), **NO_TOOLS}),
    ("sdk", {**agent("AsyncAnthropic/Python 0.80"), **SMALL}),
]  # fmt: skip


@pytest.mark.parametrize("fields", [fields for _, fields in AROUND], ids=[name for name, _ in AROUND])
@pytest.mark.parametrize("said", NEAR_MISSES)
def test_a_request_that_sounds_like_housekeeping_is_still_the_users(said, fields):
    assert STRUCTURE.turn_of(request(user(said), **fields)).kind == "main"
    later = request(user("Add a page"), answer(), user(said), **fields)
    assert STRUCTURE.turn_of(later).kind == "main"


# Programs of the user's own that do in earnest what a harness does on the side, or only mention it.
OWN_PROGRAMS = [
    "You are a coding assistant that generates code, tests and commit messages.",
    "You are a coding assistant. You can explain, refactor and summarize code in this chat session.",
    "You are a helpful AI assistant. Answer briefly. If the conversation is long, summarize what was said.",
    "You are a support bot. Use the conversation history to answer. Suggest three follow-up questions.",
    "You are a tutor who teaches juniors how to write commit messages.",
    "You are an expert in git. Explain how commits and rebases work.",
    "You help users choose names for chat rooms.",
    "You write titles for blog posts. Return only the title.",
    "You are a copywriter. Suggest titles for articles about the user's question.",
    "You are a quiz master. Generate the next question for the player.",
    "You are an expert in C++ memory management and session handling.",
    "You are a security engineer who explains shell commands to students.",
    "You summarize doctors' notes for patients.",
    "You are a summarization assistant for customer calls.",
    "Extract the book title and the author from the text.",
    "Classify the support ticket by topic.",
    "Translate the user's message to French.",
    "You write code and commit messages for a team of four.",
    "You are a conversation summarizer for customer calls.",
    "You are a security classifier for enterprise prompts. Answer ALLOW, MASK or BLOCK.",
    "You create short titles for player-made games. Respond with only the title.",
    "You extract key facts from contracts.",
    "You name new products.",
    "You are a coding assistant. You write functions, tests, docs and commit messages.",
    "You write functions, tests and commit messages.",
    "You summarize tool results into a concise user-facing answer. Output plain text only.",
    "You are a movie recommendation assistant. Given a user query, return 8 movie titles that match the intent.",
    "You are a startup naming expert. Given a product idea summary, generate 5 brand names.",
    "You are a meeting copilot. You listen to meeting conversations. Generate a key insight and a next question.",
    "You are a security classifier for a bank AI assistant. Detect prompt injection attacks.",
    "You are an autocomplete engine for notes.",
    "You compress images for the web.",
]


@pytest.mark.parametrize("limit", [None, 64, 1024])
@pytest.mark.parametrize("system", OWN_PROGRAMS)
def test_a_program_of_the_users_own_is_no_housekeeping(system, limit):
    call = request(user("Here is the text"), system=(system,), tool_names=(), max_tokens=limit)
    assert STRUCTURE.turn_of(call).kind == "main"


def test_copilot_and_gemini_say_when_nobody_sits_in_front():
    for system in (
        "You are the GitHub Copilot CLI, a terminal assistant. You are running in non-interactive mode and have",
        "You are Gemini CLI, an autonomous CLI agent specializing in software engineering tasks.",
    ):
        assert STRUCTURE.look(request(user("x"), system=(system,))).headless


# (user agent or system text, client)
CLIENTS = [
    ("Charm Crush/0.48.0", "crush"),
    ("Charm-Crush/v0.97.1 (https://charm.land/crush)", "crush"),
    ("Zed/0.210.0 (linux; x86_64)", "zed"),
    ("KimiCLI/1.41.0", "kimi-cli"),
    ("factory-cli/0.213.0", "droid"),
    ("Kilo-Code/4.100.0", "kilo"),
    ("You are Gemini CLI, an interactive CLI agent", "gemini-cli"),
    ("You are a general-purpose AI agent called goose, created by Block", "goose"),
    ("You are goose, an autonomous AI agent created by Block", "goose"),
    ("You are the Zed coding agent running inside the Zed editor.", "zed"),
    ("You are Amp, a powerful AI coding agent.", "amp"),
    ("You are Kimi CLI, an interactive general AI agent", "kimi-cli"),
    ("You are Droid, an AI software engineering agent built by Factory.", "droid"),
    ("You are Plandex, an AI programming and system administration assistant.", "plandex"),
    ("You are Buffy, the strategic coding assistant.", "codebuff"),
    ("# Role\nYou are Augment Agent developed by Augment Code", "augment"),
    ("You are an expert coding assistant operating inside pi, a coding agent harness.", "pi"),
    ("You are Kilo Code, a highly skilled software engineer", "kilo"),
]


@pytest.mark.parametrize(("sign", "client"), CLIENTS)
def test_a_client_is_named_by_its_user_agent_or_its_system_text(sign, client):
    told = {"system": (sign,)} if sign.startswith(("You", "#")) else agent(sign)
    turn = STRUCTURE.turn_of(request(user("Fix the login page"), **told))
    assert (turn.client, turn.kind) == (client, "main")


HOSTILE = ["title " * 100, "You are " + "summarize " * 60, "generate a " * 55, "you are a " + "memory " * 85,
           "a" * 600, "write " * 100, "You are" + " " * 590, "\n" * 600, "commit " * 86, "generate session " * 36]  # fmt: skip


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_no_pattern_takes_long_on_a_hostile_text(text):
    for client in sentinels.load().clients:
        for row in (*client.signs, *client.headless, *client.turns):
            if row.pattern:
                sentinels.text_holds(row, "warm the cache of compiled patterns")
                start = time.perf_counter()
                sentinels.text_holds(sentinels.Sign(where="system", pattern=row.pattern), text[:600])
                assert time.perf_counter() - start < 0.05, (client.name, row)
