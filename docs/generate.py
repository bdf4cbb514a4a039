"""Write the parts of docs/reference that the code already says: settings, commands, metrics, errors, reasons.

python docs/generate.py           write them
python docs/generate.py --check   exit 1 and name the files that differ from what would be written
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import click
import msgspec
from msgspec import inspect as types

from lanewise import errors
from lanewise.cli import COMMANDS, lanewise, reasons
from lanewise.cli.bench.routing import Proof
from lanewise.cli.classify import Classified
from lanewise.cli.connect import Connection
from lanewise.cli.doctor import Diagnosis
from lanewise.cli.explain import Explanation
from lanewise.cli.keys import Created
from lanewise.cli.models import Listing
from lanewise.cli.prices import PriceList
from lanewise.config.load import ENVIRONMENT, ROWS
from lanewise.config.settings import Settings
from lanewise.money import PriceDiff
from lanewise.select import priors
from lanewise.telemetry import Telemetry

REFERENCE: Final = Path(__file__).parent / "reference"
_NOTE: Final = "<!-- Written by docs/generate.py from the code: change it there. -->\n"
_COLUMNS: Final = 96


def pages() -> dict[str, str]:
    """File name -> content."""
    return {
        "settings.md": _page("Settings", _settings()),
        "commands.md": _page("Commands", _commands()),
        "metrics.md": _page("Metrics", _metrics()),
        "errors.md": _page("Errors", _errors()),
        "reasons.md": _page("Reason codes", _reasons()),
        "priors.md": _page("What public outcomes say of models", _priors()),
    }


def _page(title: str, lines: Iterator[str]) -> str:
    return f"{_NOTE}# {title}\n\n" + "\n".join(lines).rstrip() + "\n"


def _cell(text: object) -> str:
    return str(text).replace("|", "\\|").replace("\n", " ")


def _table(header: tuple[str, ...], rows: list[tuple[object, ...]]) -> Iterator[str]:
    yield f"| {' | '.join(header)} |"
    yield f"|{'---|' * len(header)}"
    for row in rows:
        yield f"| {' | '.join(_cell(cell) for cell in row)} |"
    yield ""


# -- settings ----------------------------------------------------------------------------------------------


def _settings() -> Iterator[str]:
    yield "Files are read in this order, later ones win: `/etc/lanewise/lanewise.toml`,"
    yield "`~/.config/lanewise/lanewise.toml`, `./lanewise.toml`. `--config FILE` or the variable `LANEWISE_CONFIG`"
    yield "reads only that file. Environment variables win over files, flags over both. Unknown keys are mistakes."
    yield "`lanewise config show --origin` says where each value comes from; a running gateway reloads a changed file"
    yield "within seconds, or on SIGHUP, and keeps the old settings when the new ones have a mistake."
    yield ""
    yield "Taken at the start only: `[server]` (but for `max_body_mb`), `upstream.connect_s` and the settings of the"
    yield "circuit breaker."
    yield ""
    for field in msgspec.structs.fields(Settings):
        kind = types.type_info(field.type)
        section = f"[{field.name}.NAME]" if field.name in ROWS else f"[{field.name}]"
        section = f"[[{field.name}]]" if isinstance(kind, types.VarTupleType) else section
        yield f"## `{section}`"
        yield ""
        inner = _inner(kind)
        if isinstance(inner, types.StructType):
            yield from _section(inner.cls)
        else:
            yield _description(kind)
            yield ""
    yield "## Environment variables"
    yield ""
    yield from _table(("variable", "setting"), [(f"`{name}`", f"`{path}`") for name, path in ENVIRONMENT.items()])


def _section(cls: type) -> Iterator[str]:
    yield f"{inspect.getdoc(cls)}"
    yield ""
    nested: list[type] = []
    rows: list[tuple[object, ...]] = []
    for field in msgspec.structs.fields(cls):
        kind = types.type_info(field.type)
        default = "required" if field.required else f"`{_toml(field.default)}`"
        rows.append((f"`{field.name}`", _values(kind), default, _description(kind)))
        nested += [part.cls for part in _parts(kind) if isinstance(part, types.StructType)]
    yield from _table(("key", "values", "default", "meaning"), rows)
    for struct in nested:
        yield f"Keys of `{{ ... }}` in this section ({inspect.getdoc(struct)}):"
        yield ""
        yield from list(_section(struct))[2:]


def _inner(kind: types.Type) -> types.Type:
    """What a section holds, or a row of it."""
    while isinstance(kind, types.Metadata):
        kind = kind.type
    if isinstance(kind, types.VarTupleType):
        return kind.item_type
    return _inner(kind.value_type) if isinstance(kind, types.DictType) else kind


def _parts(kind: types.Type) -> tuple[types.Type, ...]:
    if isinstance(kind, types.Metadata):
        return _parts(kind.type)
    return kind.types if isinstance(kind, types.UnionType) else (kind,)


def _description(kind: types.Type) -> str:
    if isinstance(kind, types.Metadata) and kind.extra_json_schema:
        return str(kind.extra_json_schema.get("description", ""))
    if isinstance(kind, types.UnionType):
        return next((text for text in map(_description, kind.types) if text), "")
    return ""


def _values(kind: types.Type) -> str:
    """A type in words: what may stand behind the `=`."""
    if isinstance(kind, types.Metadata):
        return _values(kind.type)
    if isinstance(kind, types.UnionType):
        return " or ".join(_values(part) for part in kind.types if not isinstance(part, types.NoneType))
    if isinstance(kind, types.LiteralType):
        return ", ".join(f"`{value}`" for value in kind.values)
    if isinstance(kind, types.VarTupleType):
        return f"list of {_values(kind.item_type)}"
    if isinstance(kind, types.StructType):
        return "`{ ... }`"
    names: dict[type, str] = {
        types.StrType: "text",
        types.IntType: "whole number",
        types.FloatType: "number",
        types.BoolType: "`true`, `false`",
        types.DecimalType: "number",
    }
    return names[type(kind)] + _range(kind)


def _range(kind: types.Type) -> str:
    """The limits of a number. Any: only number types have them."""
    limits: Any = kind
    signs = {"ge": "at least", "gt": "above", "le": "at most", "lt": "below"}
    found = [
        f"{words} {bound:g}" for name, words in signs.items() if (bound := getattr(limits, name, None)) is not None
    ]
    return f", {', '.join(found)}" if found else ""


def _toml(value: object) -> str:
    return "none" if value is None else msgspec.json.encode(value).decode()


# -- commands ----------------------------------------------------------------------------------------------


def _commands() -> Iterator[str]:
    yield "Data goes to stdout, talk to stderr. Exit code 0: done; 1: the input was refused, or a check failed;"
    yield "2: wrong usage, or a fault of ours. What `--json` prints is listed below each command that has it."
    yield ""
    top = click.Context(lanewise, info_name="lanewise", **_width())
    for name in COMMANDS:
        command = lanewise.get_command(top, name)
        assert command is not None
        yield from _command(command, name, top, level=2)


def _width() -> dict[str, Any]:
    """Keywords of click's Context, which is typed by each of them."""
    return {"terminal_width": _COLUMNS, "max_content_width": _COLUMNS, "help_option_names": ["-h", "--help"]}


def _command(command: click.Command, name: str, parent: click.Context, *, level: int) -> Iterator[str]:
    context = click.Context(command, info_name=name, parent=parent, **_width())
    yield f"{'#' * level} `{context.command_path}`"
    yield ""
    yield "```text"
    yield "\n".join(line.rstrip() for line in command.get_help(context).splitlines())
    yield "```"
    yield ""
    if context.command_path in SCHEMAS:
        yield "`--json` prints an object with these fields:"
        yield ""
        yield from _fields(SCHEMAS[context.command_path])
        yield ""
    if isinstance(command, click.Group):
        for inner in command.list_commands(context):
            found = command.get_command(context, inner)
            assert found is not None
            yield from _command(found, inner, context, level=level + 1)


SCHEMAS: Final[dict[str, type]] = {
    "lanewise connect": Connection,
    "lanewise doctor": Diagnosis,
    "lanewise explain": Explanation,
    "lanewise classify": Classified,
    "lanewise bench routing": Proof,
    "lanewise models": Listing,
    "lanewise prices show": PriceList,
    "lanewise prices diff": PriceDiff,
    "lanewise keys create": Created,
}
"""Commands whose `--json` is one struct; the others say it in their help."""


def _fields(struct: type, indent: str = "", seen: tuple[type, ...] = ()) -> Iterator[str]:
    """The fields of a struct as a nested list; a struct that was listed above is not repeated."""
    for field in msgspec.structs.fields(struct):
        kind = types.type_info(field.type)
        yield f"{indent}- `{field.encode_name}`: {_json(kind)}"
        inner = next((t.cls for t in _reached(kind) if isinstance(t, types.StructType)), None)
        if inner is not None and inner not in seen:
            yield from _fields(inner, indent + "  ", (*seen, struct, inner))


def _reached(kind: types.Type) -> Iterator[types.Type]:
    """A type and the types inside its lists, maps and unions."""
    yield kind
    if isinstance(kind, types.Metadata):
        yield from _reached(kind.type)
    elif isinstance(kind, types.UnionType):
        for part in kind.types:
            yield from _reached(part)
    elif isinstance(kind, types.VarTupleType):
        yield from _reached(kind.item_type)
    elif isinstance(kind, types.DictType):
        yield from _reached(kind.value_type)


def _json(kind: types.Type) -> str:
    """A type in the words of JSON."""
    if isinstance(kind, types.UnionType):
        return " or ".join(_json(part) for part in kind.types)
    if isinstance(kind, types.VarTupleType | types.FrozenSetType):
        return f"list of {_json(kind.item_type)}"
    if isinstance(kind, types.TupleType):
        return f"list of ({', '.join(_json(part) for part in kind.item_types)})"
    if isinstance(kind, types.DictType):
        return f"object of {_json(kind.value_type)}"
    named: dict[type, str] = {
        types.StructType: "object",
        types.NoneType: "null",
        types.DateTimeType: "ISO time",
        types.DateType: "ISO date",
        types.BytesType: "Base64",
    }
    return named.get(type(kind)) or _values(kind)


# -- metrics, errors, reasons ------------------------------------------------------------------------------


def _metrics() -> Iterator[str]:
    yield "`GET /metrics` in the Prometheus text format. Every label has a closed set of values from the code or from"
    yield "the configuration: a model that the configuration does not name counts as `other`. Histograms have the"
    yield "usual `_bucket`, `_sum` and `_count` series. Dollars are floats here and exact integers in the ledger."
    yield ""
    registry = Telemetry(models=tuple, providers=tuple).registry
    rows: list[tuple[object, ...]] = []
    for collector in registry._collector_to_names:  # noqa: SLF001 - families without a sample tell no labels
        family: Any = collector  # the library types a collector by `collect` alone
        labels = ", ".join(f"`{label}`" for label in family._labelnames) or "none"  # noqa: SLF001 - likewise
        suffix = "_total" if family._type == "counter" else ""  # noqa: SLF001 - likewise
        rows.append((f"`{family._name}{suffix}`", family._type, labels, family._documentation))  # noqa: SLF001
    yield from _table(("metric", "type", "labels", "meaning"), rows)


def _errors() -> Iterator[str]:
    yield "Errors of our own are told in the dialect of the client, with the code where the dialect has a place for"
    yield "one; an error answer of a provider is passed on unchanged. A call that was"
    yield "refused before it was routed stands in the log and in `lanewise_refused_total`, any other one also in the"
    yield "ledger. `client_left` (status 499) is no error: the client closed the connection first."
    yield ""
    found = [kind for kind in vars(errors).values() if inspect.isclass(kind) and issubclass(kind, errors.LanewiseError)]
    leaves = [kind for kind in found if "code" in vars(kind)]
    rows: list[tuple[object, ...]] = [
        (f"`{kind.code}`", _status(kind), inspect.getdoc(kind)) for kind in leaves if kind is not errors.LanewiseError
    ]
    rows.append((f"`{errors.LanewiseError.code}`", errors.LanewiseError.status, "A fault of ours without a leaf."))
    yield from _table(("code", "HTTP status", "meaning"), rows)


def _status(kind: type[errors.LanewiseError]) -> str:
    if kind is errors.UpstreamStatus:
        return "the provider's"
    if issubclass(kind, (errors.ConfigError, errors.StoreError, errors.StartError)):
        return "none: the command exits with 1"
    return str(kind.status)


def _reasons() -> Iterator[str]:
    yield "Every decision names its reasons by these codes: in the ledger, in the header `x-lanewise-reason` (the"
    yield "first table), in the log, and in words in `lanewise explain`."
    yield ""
    tables = (
        ("Why a candidate is preferred", reasons.DECISION),
        ("Why another candidate is rejected", reasons.REJECTION),
        ("Why a lane is refused: `lane:LANE:CODE` as a rejection", reasons.LANE),
        ("Why the model may change at a call", reasons.SWITCH_POINT),
    )
    for title, table in tables:
        yield f"## {title}"
        yield ""
        yield from _table(("code", "meaning"), [(f"`{code}`", meaning) for code, meaning in table.items()])


# -- priors ------------------------------------------------------------------------------------------------


def _priors() -> Iterator[str]:
    table = priors.read()
    yield f"The table that ships, version {table.version}. [Before anything was seen](../concepts/priors.md) says what"
    yield "it is for; `lanewise learn priors` makes it. A cell is the mean score in hundredths and the tasks behind it."
    yield ""
    for title, parts in (
        ("Single calls without tools", {name: of.single for name, of in table.models.items()}),
        ("Tool loops", {name: of.loops for name, of in table.models.items()}),
    ):
        skills = sorted({skill for part in parts.values() for skill in part})
        yield f"## {title}"
        yield ""
        yield from _table(
            ("model", *skills),
            [(name, *(_mean(part.get(skill)) for skill in skills)) for name, part in parts.items() if part],
        )
    yield "## Sources"
    yield ""
    yield from _table(
        ("source", "what", "licence", "retrieved"),
        [(source.name, source.what, source.licence, source.retrieved) for source in table.sources],
    )
    yield f"Left out: {'; '.join(f'`{name}` ({why})' for name, why in table.left_out.items())}."
    yield ""
    yield "## How to read it"
    yield ""
    yield from (f"- {note}" for note in table.notes)
    yield ""
    for name, skills_of in (("CodeRouterBench's dimension", table.dimensions), ("benchmark", table.benchmarks)):
        yield from _table((name, "skill"), list(skills_of.items()))


def _mean(row: priors.Row | None) -> str:
    return "" if row is None else f"{100 * row.success:.1f} ({row.tasks:,})"


# -- writing -----------------------------------------------------------------------------------------------


def stale() -> list[str]:
    """Names of the files that differ from what would be written."""
    return [
        name
        for name, content in pages().items()
        if not (REFERENCE / name).exists() or (REFERENCE / name).read_text(encoding="utf-8") != content
    ]


def main() -> None:
    """Write the files, or with `--check` only compare them."""
    names = stale()
    if "--check" in sys.argv[1:]:
        for name in names:
            click.echo(f"docs/reference/{name} is out of date: run `python docs/generate.py`", err=True)
        sys.exit(1 if names else 0)
    REFERENCE.mkdir(exist_ok=True)
    for name in names:
        (REFERENCE / name).write_text(pages()[name], encoding="utf-8")
        click.echo(f"wrote docs/reference/{name}", err=True)


if __name__ == "__main__":
    main()
