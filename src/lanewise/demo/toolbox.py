"""The clients' own tools for the moves of `script`, in both directions.

A simulated model turns a move into a tool call of the client that asked (`calls`); the client's side turns that call
into an action on its workspace (`perform`). Neither knows dialects.
"""

from __future__ import annotations

import random
from typing import TypeAlias

import msgspec

from lanewise.demo.answers import ToolCall
from lanewise.demo.script import Move
from lanewise.demo.truth import Task
from lanewise.demo.workspace import NOUNS, UNSOUND, VERBS, Workspace, function, paths_in

Arguments: TypeAlias = dict[str, str | bool]

READS = {"Read": "file_path", "read": "filePath", "read_file": "absolute_path"}
SEARCHES = {"Grep", "grep", "grep_search"}
EDITS = {"Edit": ("file_path", "old_string", "new_string"), "edit": ("filePath", "oldString", "newString")}
SHELLS = {"Bash": "command", "bash": "command", "run_shell_command": "command", "exec_command": "cmd"}
DELEGATES = {"Agent"}

NAMES: dict[str, dict[str, str]] = {
    "claude-code": {"look": "Grep", "read": "Read", "edit": "Edit", "shell": "Bash"},
    "codex": {"shell": "exec_command"},
    "opencode": {"look": "grep", "read": "read", "edit": "edit", "shell": "bash"},
    "qwen-code": {"look": "grep_search", "read": "read_file", "edit": "edit", "shell": "run_shell_command"},
}
"""Client -> the name of its tool per kind of action. Codex does everything by its shell."""


def client_of(tools: set[str]) -> str:
    """The client whose tools a request offers; empty where it offers none that we know."""
    for client, names in NAMES.items():
        if set(names.values()) <= tools:
            return client
    return ""


def calls(client: str, move: Move, task: Task, call_id: str, rng: random.Random, *, sound: bool) -> ToolCall:
    """The tool call by which `move` is made in `client`.

    Args:
        client: A key of `NAMES`.
        move: Anything but ``done``.
        task: What is worked on; its words name the files.
        call_id: Id of the tool call.
        rng: Decides files and texts.
        sound: Whether an edit is right; a wrong one leaves `UNSOUND` behind.
    """
    name, arguments = _action(client, move, task, rng, sound=sound)
    return ToolCall(id=call_id, name=name, arguments=msgspec.json.encode(arguments).decode())


def _action(client: str, move: Move, task: Task, rng: random.Random, *, sound: bool) -> tuple[str, Arguments]:
    path = rng.choice(paths_in(task.ask, rng, 2))
    if move == "delegate":
        return "Agent", {"description": "Search the code base", "prompt": ""}
    command = _command(move, path, rng, sound=sound)
    names = NAMES[client]
    if move not in names or client == "codex":
        return names["shell"], _shell(client, command)
    if move == "look":
        return names["look"], {"pattern": f"{rng.choice(VERBS)}_{rng.choice(NOUNS)}"}
    if move == "read":
        return names["read"], {READS[names["read"]]: f"/home/dev/{path}"}
    file_key, old_key, new_key = EDITS["Edit" if client != "opencode" else "edit"]
    old, new = _change(rng, sound=sound)
    return names["edit"], {file_key: f"/home/dev/{path}", old_key: old, new_key: new}


def _shell(client: str, command: str) -> Arguments:
    arguments: Arguments = {SHELLS[NAMES[client]["shell"]]: command}
    if client == "qwen-code":
        arguments["is_background"] = False
    return arguments


def _command(move: Move, path: str, rng: random.Random, *, sound: bool) -> str:
    match move:
        case "look":
            return f"rg -n '{rng.choice(VERBS)}_{rng.choice(NOUNS)}' harbour kiosk/src"
        case "read":
            return f"sed -n '1,200p' {path}"
        case "edit":
            new = "\n".join(f"+{line}" for line in _change(rng, sound=sound)[1].splitlines())
            return f"apply_patch <<'EOF'\n*** Begin Patch\n*** Update File: {path}\n{new}\n*** End Patch\nEOF"
        case "check":
            return "npm test -- --run" if path.startswith("kiosk") else "pytest -q tests"
        case "log":
            return rng.choice(("git log --oneline -n 14", "git diff --staged", "git diff main"))
        case _:
            return rng.choice(("ls -l deploy scripts", "docker images harbour", "systemctl list-units 'harbour*'"))


def _change(rng: random.Random, *, sound: bool) -> tuple[str, str]:
    """Old and new text of an edit."""
    old = function(rng).strip("\n")
    head, *rest = old.splitlines()
    extra = "    # reached for every row since depots may be missing" if sound else f"    {UNSOUND}"
    return "\n".join([head, *rest[:2]]), "\n".join([head, rest[0], extra, *rest[1:]])


def perform(workspace: Workspace, call: ToolCall) -> tuple[str, bool]:
    """Run a tool call of a model in `workspace`: what it printed, and whether it failed."""
    arguments: Arguments = msgspec.json.decode(call.arguments)
    if call.name in SEARCHES:
        return workspace.search(str(arguments["pattern"])), False
    if call.name in READS:
        return workspace.read(str(arguments[READS[call.name]])), False
    if call.name in EDITS:
        path_key = "filePath" if "filePath" in arguments else "file_path"
        return workspace.edit(str(arguments[path_key]), msgspec.json.encode(arguments).decode()), False
    command = str(arguments[SHELLS[call.name]])
    if command.startswith("rg "):
        return workspace.search(command.split("'")[1]), False
    if command.startswith("sed "):
        return workspace.read(command.rsplit(maxsplit=1)[-1]), False
    if command.startswith("apply_patch"):
        return workspace.edit(command.split("Update File: ")[1].split(maxsplit=1)[0], command), False
    return workspace.run(command)
