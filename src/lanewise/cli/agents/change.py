"""What `connect` would change in an agent's settings file, and how that is written and taken back.

Before the first change the file is copied to ``FILE.lanewise-backup``; ``FILE.lanewise-connected`` says what was
written, so that `--undo` can tell an untouched file (its old bytes come back, or it is removed if there was none) from
one the user has edited since (only our settings go). Every edit is read back before it is believed.
"""

from __future__ import annotations

import contextlib
import copy
import hashlib
import os
import stat
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import msgspec

from lanewise.cli.agents.table import Agent
from lanewise.cli.agents.text import BrokenText, CannotEdit, Path_
from lanewise.cli.refused import Refused

_NEW_FILE_MODE = 0o600
"""Settings of agents hold keys more often than not."""


class _Written(msgspec.Struct, frozen=True, kw_only=True):
    """Content of the note beside a connected file."""

    sha256: str
    url: str
    existed: bool


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """A file before and after."""

    path: Path
    before: bytes | None
    """None: the file is not there."""
    after: bytes | None
    """None: the file goes."""
    what: str
    """One line for the user."""
    url: str = ""
    """Set when this connects."""
    base: bytes | None = None
    """What an undo would bring back; None where that is no file."""

    @property
    def changes(self) -> bool:
        """Whether anything would be written."""
        return self.before != self.after


def connecting(agent: Agent, url: str, env: Mapping[str, str], home: Path) -> Change:
    """The change that points `agent` at the gateway.

    Raises:
        Refused: the file is broken, or laid out in a way that cannot be edited.
    """
    path = _file(agent, env, home)
    before = _bytes(path)
    text = _text(agent, path, before)
    after = text
    for where, value in agent.values(url):
        after = _put(agent, path, after, where, value)
    written = _note(path)
    if written is not None and before is not None and _is_untouched(path, before, written):
        base = _bytes(_backup(path)) if written.existed else None
    elif written is not None and before is not None:
        base = _taken_out(agent, path, text, written.url, _original(agent, path)).encode()
    else:
        base = before
    what = f"{agent.title} speaks to {url} from its next start" if after != text else "already connected"
    return Change(path=path, before=before, after=after.encode(), what=what, url=url, base=base)


def undoing(agent: Agent, url: str, env: Mapping[str, str], home: Path) -> Change:
    """The change that takes the connection back.

    Raises:
        Refused: the file is broken.
    """
    path = _file(agent, env, home)
    before = _bytes(path)
    written = _note(path)
    if before is None:
        return Change(path=path, before=None, after=None, what="there is no such file, nothing to undo")
    if written is not None and _is_untouched(path, before, written):
        after = _bytes(_backup(path)) if written.existed else None
        what = "the file is as it was before" if written.existed else "the file is gone, as it was before"
        return Change(path=path, before=before, after=after, what=what)
    text = _text(agent, path, before)
    after_text = _taken_out(agent, path, text, written.url if written else url, _original(agent, path))
    if after_text == text:
        what = "it does not point at this gateway, nothing to undo"
    else:
        what = "the file has changed since it was connected, or its backup is gone: only our settings were taken out"
    return Change(path=path, before=before, after=after_text.encode(), what=what)


def apply(change: Change) -> None:
    """Write `change`, keeping what an undo needs while it connects and dropping that when it undoes.

    Raises:
        Refused: the file cannot be written; it is as it was.
    """
    backup, note = _backup(change.path), _connected(change.path)
    try:
        if not change.url:
            if change.changes:
                _write(change.path, change.after)
            backup.unlink(missing_ok=True)
            note.unlink(missing_ok=True)
        elif change.changes:
            change.path.parent.mkdir(parents=True, exist_ok=True)
            if change.base is not None:
                _write(backup, change.base, like=change.path)
            assert change.after is not None
            written = _Written(sha256=_digest(change.after), url=change.url, existed=change.base is not None)
            _write(note, msgspec.json.encode(written))
            _write(change.path, change.after)
    except OSError as error:
        raise Refused(
            f"cannot write {change.path}: {error.strerror}", hint=f"`ls -ld {change.path.parent}` shows who may"
        ) from error


def state(agent: Agent, env: Mapping[str, str], home: Path) -> tuple[Literal["none", "set", "broken"], str]:
    """Whether the agent's base URL is set, with the URL, or with ``file:line: what`` of a file it cannot read."""
    try:
        path = _file(agent, env, home)
        document = agent.editor.read(_text(agent, path, _bytes(path)))
    except Refused as refusal:
        return "broken", refusal.message
    found = _at(document, agent.address)
    if not isinstance(found, str) or not found:
        return "none", ""
    url = found.rstrip("/").removesuffix("/v1")
    # Codex can have our provider's rows and use another provider.
    whole = all(_at(document, where) == value for where, value in agent.values(url))
    return ("set" if whole else "none"), url


# -- the text ----------------------------------------------------------------------------------------------


def _text(agent: Agent, path: Path, content: bytes | None) -> str:
    """`content` as valid text of the agent's format."""
    try:
        text = (content or b"").decode("utf-8")
    except UnicodeDecodeError as error:
        line = (content or b"").count(b"\n", 0, error.start) + 1
        raise _broken(path, line, "not UTF-8") from None
    try:
        agent.editor.read(text)
    except BrokenText as error:
        raise _broken(path, error.line, error.what) from None
    return text


def _broken(path: Path, line: int, what: str) -> Refused:
    return Refused(f"{path}:{line}: {what}", hint="mend the file first; it was left as it is")


def _put(agent: Agent, path: Path, text: str, where: Path_, value: str) -> str:
    """`text` with one setting, read back and compared."""
    document = agent.editor.read(text)
    if _at(document, where) == value:
        return text
    try:
        after = agent.editor.put(text, where, value)
        found = agent.editor.read(after)
    except (CannotEdit, BrokenText) as error:
        raise _cannot(path, where, value, str(error)) from None
    if found != _with(document, where, value):
        raise _cannot(path, where, value, "its layout cannot be edited safely")
    return after


def _cannot(path: Path, where: Path_, value: str, why: str) -> Refused:
    return Refused(f"{path}: {why}", hint=f"set `{'.'.join(where)}` to {value!r} by hand; the file was left as it is")


def _taken_out(agent: Agent, path: Path, text: str, url: str, original: dict[str, Any]) -> str:
    """`text` with the settings that we wrote as they were in `original`, or gone. Any: an agent's document."""
    for where, value in agent.values(url):
        if _at(agent.editor.read(text), where) != value:
            continue
        before = _at(original, where)
        if isinstance(before, str):
            text = _put(agent, path, text, where, before)
            continue
        text = agent.editor.drop(text, where)
        for depth in range(len(where) - 1, 0, -1):
            parent = where[:depth]
            if _at(original, parent) is None and not _at(agent.editor.read(text), parent):
                text = agent.editor.drop(text, parent)
    return text


def _original(agent: Agent, path: Path) -> dict[str, Any]:
    """The document before it was connected; empty where there was none or it cannot be read."""
    with contextlib.suppress(BrokenText, UnicodeDecodeError):
        return agent.editor.read((_bytes(_backup(path)) or b"").decode("utf-8"))
    return {}


def _at(document: dict[str, Any], where: Path_) -> Any:
    """What stands at `where`, None where nothing does. Any: an agent's document."""
    found: Any = document
    for name in where:
        if not isinstance(found, dict) or name not in found:
            return None
        found = found[name]
    return found


def _with(document: dict[str, Any], where: Path_, value: str) -> dict[str, Any]:
    result = copy.deepcopy(document)
    inner = result
    for name in where[:-1]:
        inner = inner.setdefault(name, {})
    inner[where[-1]] = value
    return result


# -- the files ---------------------------------------------------------------------------------------------


def _file(agent: Agent, env: Mapping[str, str], home: Path) -> Path:
    path = agent.file(env, home)
    assert path is not None, "only agents with a settings file are edited"
    return path


def _is_untouched(path: Path, content: bytes, written: _Written) -> bool:
    """Whether the file is as it was written and what stood there before is still known."""
    return _digest(content) == written.sha256 and (not written.existed or _backup(path).exists())


def _backup(path: Path) -> Path:
    return path.with_name(path.name + ".lanewise-backup")


def _connected(path: Path) -> Path:
    return path.with_name(path.name + ".lanewise-connected")


def _note(path: Path) -> _Written | None:
    content = _bytes(_connected(path))
    if content is None:
        return None
    try:
        return msgspec.json.decode(content, type=_Written)
    except msgspec.MsgspecError:
        return None


def _bytes(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise Refused(f"cannot read {path}: {error.strerror}", hint=f"`ls -ld {path}` shows what it is") from error


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _write(path: Path, content: bytes | None, *, like: Path | None = None) -> None:
    """Replace the file in one step, with the mode it had, or that of `like`; None removes it."""
    if content is None:
        path.unlink(missing_ok=True)
        return
    model = path if path.exists() or like is None else like
    mode = stat.S_IMODE(model.stat().st_mode) if model.exists() else _NEW_FILE_MODE
    descriptor, part = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(file.fileno(), mode)
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(part).replace(path)
    except BaseException:
        Path(part).unlink(missing_ok=True)
        raise
