"""Files, environment and flags -> `Settings`, with the origin of each value and all mistakes at once.

Order, later wins: /etc/lanewise/lanewise.toml, ~/.config/lanewise/lanewise.toml, ./lanewise.toml (or only the file
of ``--config``), environment, flags. Errors read ``lanewise.toml:10: what``; the line comes from `Lines`, since the
standard TOML reader keeps no positions. Knows nothing of what the settings mean.
"""

from __future__ import annotations

import copy
import difflib
import re
import tomllib
from collections.abc import Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import msgspec

from lanewise.config.settings import Settings
from lanewise.errors import ConfigError

ENVIRONMENT = {
    "LANEWISE_DATA": "server.data",
    "LANEWISE_DATABASE_URL": "server.database_url",
    "LANEWISE_HOST": "server.host",
    "LANEWISE_PORT": "server.port",
    "LANEWISE_LOG": "server.log",
    "LANEWISE_MODE": "routing.mode",
    "LANEWISE_BASELINE": "routing.baseline",
}
"""Environment variable -> setting. Secrets are not here: config holds only the names of their variables."""

ROWS = ("providers", "models", "skills", "keys")
"""Sections whose entries are rows named by the user."""

_KEY = r"""(?:"(?:[^"\\]|\\.)*"|'[^']*'|[A-Za-z0-9_-]+)"""
_DOTTED = rf"{_KEY}(?:\s*\.\s*{_KEY})*"
_HEADER = re.compile(rf"^\s*(\[\[?)\s*({_DOTTED})\s*\]\]?")
_PAIR = re.compile(rf"^\s*({_DOTTED})\s*=")
_PATH = re.compile(r"`\$(?P<path>[^`]*)`")
_MISSING = re.compile(r"Object missing required field `(?P<field>[^`]*)`")
_UNKNOWN = re.compile(r"Object contains unknown field `(?P<field>[^`]*)`")


class Origin(msgspec.Struct, frozen=True):
    """Where a value came from, e.g. ``./lanewise.toml:3`` or ``LANEWISE_PORT``."""

    source: str


class Loaded(msgspec.Struct, frozen=True, kw_only=True):
    """Settings with the origin of every value that is not a default, by dotted path."""

    settings: Settings
    origins: dict[str, Origin]
    files: tuple[Path, ...]
    """Files that were read; the reload watches them."""


class Lines:
    """Dotted path -> line number of a TOML text, found by reading its headers and keys.

    The tables of an array count from 1: the second ``[[rules]]`` is `rules.2`.
    """

    def __init__(self, text: str) -> None:
        self._lines: dict[str, int] = {}
        table = ""
        counts: dict[str, int] = {}
        for number, line in enumerate(text.splitlines(), start=1):
            if header := _HEADER.match(line):
                table = _plain(header[2])
                if header[1] == "[[":
                    self._lines.setdefault(table, number)
                    counts[table] = counts.get(table, 0) + 1
                    table = f"{table}.{counts[table]}"
                self._lines.setdefault(table, number)
            elif pair := _PAIR.match(line):
                path = f"{table}.{_plain(pair[1])}".lstrip(".")
                self._lines.setdefault(path, number)

    def of(self, path: str) -> int:
        """Line of `path` or of its nearest known parent; 1 where none is known."""
        while path:
            if path in self._lines:
                return self._lines[path]
            path = path.rpartition(".")[0]
        return 1


def _plain(dotted: str) -> str:
    return ".".join(part.strip("\"'") for part in re.findall(_KEY, dotted))


def load(
    *,
    env: Mapping[str, str],
    config: Path | None = None,
    flags: Mapping[str, Any] | None = None,
    cwd: Path | None = None,
    home: Path | None = None,
) -> Loaded:
    """Merge all sources and check them.

    Args:
        env: The process environment.
        config: Only this file is read; otherwise the three usual places, or ``LANEWISE_CONFIG``.
        flags: Dotted path -> value of command-line flags that were given.
        cwd: Folder of the project file, the current one by default.
        home: Home folder, the user's by default.

    Raises:
        ConfigError: With every problem of every source, each as ``file:line: what``.
    """
    if config is None and env.get("LANEWISE_CONFIG"):
        config = Path(env["LANEWISE_CONFIG"])
    found = [config] if config else [p for p in _usual(cwd or Path(), home or Path.home()) if p.is_file()]
    problems: list[str] = []
    merged: dict[str, Any] = {}
    origins: dict[str, Origin] = {}
    for path in found:
        _read(path, merged, origins, problems)
    if problems := problems or _checked(merged, origins):
        raise ConfigError(problems)
    for name, dotted in ENVIRONMENT.items():
        if value := env.get(name):
            _put(merged, dotted, _as_number(value) if dotted.endswith(".port") else value)
            origins[dotted] = Origin(name)
    for dotted, value in (flags or {}).items():
        _put(merged, dotted, value)
        origins[dotted] = Origin("--" + dotted.rpartition(".")[2].replace("_", "-"))
    if problems := _checked(merged, origins):
        raise ConfigError(problems)
    settings = msgspec.convert(merged, Settings)
    _check_references(settings, origins)
    return Loaded(settings=settings, origins=origins, files=tuple(found))


def schema() -> dict[str, Any]:
    """JSON Schema of the file, for editors (``#:schema``)."""
    return msgspec.json.schema(Settings)


def _usual(cwd: Path, home: Path) -> list[Path]:
    return [
        Path("/etc/lanewise/lanewise.toml"),
        home / ".config" / "lanewise" / "lanewise.toml",
        cwd / "lanewise.toml",
    ]


def _read(path: Path, merged: dict[str, Any], origins: dict[str, Origin], problems: list[str]) -> None:
    """Merge one file over those before it; a row of it may change one setting of a row that an earlier file began."""
    try:
        text = path.read_text(encoding="utf-8")
        document = tomllib.loads(text)
    except FileNotFoundError:
        problems.append(f"{path}: no such file; hint: check --config or write one, `lanewise config schema` helps")
        return
    except (OSError, UnicodeDecodeError) as error:
        problems.append(f"{path}: cannot be read: {error}")
        return
    except tomllib.TOMLDecodeError as error:
        at = re.search(r"at line (\d+)", str(error))
        number = at[1] if at else str(text.count("\n") + 1)
        what = re.sub(r" \(at .*\)", "", str(error))
        problems.append(f"{path}:{number}: {what}; hint: this is not TOML")
        return
    lines = Lines(text)
    _merge(merged, document)
    origins.update({dotted: Origin(f"{path}:{lines.of(dotted)}") for dotted in _paths(document)})


def _checked(merged: dict[str, Any], origins: Mapping[str, Origin]) -> list[str]:
    """Every mistake, each with the place that its value came from."""
    return [
        f"{_origin(dotted, origins)}: {what}"
        for prefix, piece in _pieces(merged)
        for dotted, what in _mistakes(prefix, piece)
    ]


def _origin(dotted: str, origins: Mapping[str, Origin]) -> str:
    """Where the value at `dotted`, or the nearest one around it, came from."""
    while dotted:
        if dotted in origins:
            return origins[dotted].source
        dotted = dotted.rpartition(".")[0]
    return "settings"


def _pieces(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """The document as one-row documents, since the checker's paths do not name the row of a table of rows."""
    for section, content in document.items():
        if section in ROWS and isinstance(content, dict):
            for row, value in content.items():
                yield f"{section}.{row}", {section: {row: value}}
        elif section == "rules" and isinstance(content, list):
            for number, value in enumerate(content, start=1):
                yield f"rules.{number}", {section: [value]}
        else:
            yield section, {section: content}


def _mistakes(prefix: str, piece: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """All mistakes of one piece as (dotted path, what), by mending each and looking again."""
    piece = copy.deepcopy(piece)
    mended: set[str] = set()
    for _ in range(50):
        try:
            msgspec.convert(piece, Settings)
        except msgspec.ValidationError as error:
            dotted, what = _explain(str(error), prefix)
            absent = _MISSING.search(what)
            if absent and f"{dotted}.{absent['field']}" in mended:  # missing because it was wrong: told already
                return
            yield dotted, what
            if not _remove(piece, dotted):
                return
            mended.add(dotted)
        else:
            return


def _explain(message: str, prefix: str = "") -> tuple[str, str]:
    """A checker's message as (dotted path, what and hint)."""
    located = _PATH.search(message)
    dotted = re.sub(r"\[\d+\]", "", located["path"]).strip(".") if located else ""
    if prefix:
        dotted = re.sub(r"^\w+(\[\.\.\.\])?", prefix, dotted) or prefix
    if unknown := _UNKNOWN.search(message):
        field = unknown["field"]
        dotted = f"{dotted}.{field}" if located else field
        close = difflib.get_close_matches(field, sorted({found.name for found in _fields()}), n=1)
        hint = f"did you mean `{close[0]}`?" if close else "see `lanewise config schema`"
        return dotted, f"unknown setting `{dotted}`; hint: {hint}"
    what = message.rpartition(" - at `")[0] or message
    names_row = " - at `key` in `$" in message  # the row's own name is what is wrong, e.g. a skill's
    closed = dotted.rpartition(".")[0] if names_row else dotted
    allowed = _allowed(closed) if what.startswith("Invalid enum value") else ()
    hint = f"; hint: use one of {', '.join(allowed)}" if allowed else ""
    return dotted, f"`{dotted}`: {what}{hint}" if dotted else what


def _allowed(dotted: str) -> tuple[str, ...]:
    """The values that the setting with the last name of `dotted` may have, where it is a closed set."""
    last = dotted.rpartition(".")[2]
    for field in _fields():
        if field.name == last:
            pending: list[Any] = [field.type]  # a type expression has no type of its own
            while pending:
                kind = pending.pop()
                if get_origin(kind) is Literal:
                    return get_args(kind)
                pending.extend(get_args(kind))
    return ()


def _remove(document: dict[str, Any], dotted: str) -> bool:
    """Take the value at `dotted` away; False where there is none (a missing one cannot be mended)."""
    inner: Any = document
    rest = dotted
    while isinstance(inner, dict):
        if rest in inner:
            del inner[rest]
            return True
        key = next((k for k in inner if rest.startswith(f"{k}.")), None)
        if key is None:
            return False
        inner, rest = inner[key], rest[len(key) + 1 :]
        if isinstance(inner, list) and inner:  # one rule: its piece holds no other
            inner, rest = inner[0], rest.partition(".")[2]
    return False


def _fields() -> list[msgspec.structs.FieldInfo]:
    """Every setting of every section."""
    found: list[msgspec.structs.FieldInfo] = []
    pending: list[Any] = [Settings]  # a type expression has no type of its own
    while pending:
        kind = pending.pop()
        if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
            fields = msgspec.structs.fields(kind)
            found.extend(fields)
            pending.extend(field.type for field in fields)
        pending.extend(get_args(kind))
    return found


def _paths(document: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    """Dotted path of every value, tables included: what is missing in a table is told at the table."""
    for key, value in document.items():
        yield f"{prefix}{key}"
        if isinstance(value, dict):
            yield from _paths(value, f"{prefix}{key}.")
        elif isinstance(value, list):
            rows = {str(number): row for number, row in enumerate(value, start=1) if isinstance(row, dict)}
            yield from _paths(rows, f"{prefix}{key}.")


def _merge(into: dict[str, Any], other: Mapping[str, Any]) -> None:
    for key, value in other.items():
        if isinstance(value, dict) and isinstance(into.get(key), dict):
            _merge(into[key], value)
        else:
            into[key] = copy.deepcopy(value)


def _put(into: dict[str, Any], dotted: str, value: Any) -> None:
    *parents, last = dotted.split(".")
    for parent in parents:
        into = into.setdefault(parent, {})
    into[last] = value


def _as_number(text: str) -> int | str:
    return int(text) if text.isascii() and text.isdigit() else text


def _check_references(settings: Settings, origins: dict[str, Origin]) -> None:
    """Names that point at rows which do not exist, and what one row alone cannot show to be wrong."""
    problems = [*_misnamed(settings, origins)]
    for dotted, amount, most in _amounts(settings):
        if not (amount.is_finite() and 0 <= amount <= most):
            problems.append(f"{_origin(dotted, origins)}: `{dotted}`: Expected a number of USD from 0 to {most:,}")
    for number, rule in enumerate(settings.rules, start=1):
        if not (rule.model or rule.lanes or rule.tier or rule.mode or rule.deadline):
            dotted = f"rules.{number}"
            hint = "add model, lanes, tier, mode or deadline"
            problems.append(f"{_origin(dotted, origins)}: `{dotted}` has no action; hint: {hint}")
    if problems:
        raise ConfigError(problems)


def _amounts(settings: Settings) -> Iterator[tuple[str, Decimal, int]]:
    """(dotted path, USD, most that it may be) of every amount: beyond these nothing is meant and integers overflow."""
    for name, key in settings.keys.items():
        if key.budget_usd_per_day is not None:
            yield f"keys.{name}.budget_usd_per_day", key.budget_usd_per_day, 1_000_000
    for name, model in settings.models.items():
        for field in () if model.price is None else model.price.__struct_fields__:
            amount = getattr(model.price, field)
            if amount is not None:
                yield f"models.{name}.price.{field}", amount, 100_000


def _misnamed(settings: Settings, origins: Mapping[str, Origin]) -> Iterator[str]:
    """Each reference to a row that is not there."""
    nameable = {**settings.models, **settings.aliases}
    for dotted, name, kind, known in _references(settings):
        rows: Mapping[str, object] = nameable if known == "nameable" else getattr(settings, kind)
        if name not in rows:
            close = difflib.get_close_matches(name, list(rows), n=1)
            hint = f"did you mean `{close[0]}`?" if close else f"add [{kind}.{name}]"
            where = _origin(dotted, origins)
            yield f"{where}: `{dotted}` names {kind[:-1]} {name!r}, which is not there; hint: {hint}"


def _references(settings: Settings) -> Iterator[tuple[str, str, str, str]]:
    """(dotted path, name, section of the row, `nameable` where an alias serves too) of every reference."""
    for model, row in settings.models.items():
        for provider in (row.provider,) if isinstance(row.provider, str) else row.provider:
            yield f"models.{model}.provider", provider, "providers", ""
    for alias, target in settings.aliases.items():
        yield f"aliases.{alias}", target, "models", ""
    for name, key in settings.keys.items():
        for model in key.models:
            yield f"keys.{name}.models", model, "models", ""
    for number, rule in enumerate(settings.rules, start=1):
        if rule.model:
            yield f"rules.{number}.model", rule.model, "models", "nameable"
