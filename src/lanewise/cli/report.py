"""`lanewise report`: what the ledger says was spent, against the baseline named beside it.

Prints and nothing else: the sums are `ledger.report`'s, and a number that is unknown stays "unknown".
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import click
import msgspec

from lanewise.cli.settings import ledger_name, open_ledger, read
from lanewise.config import Settings
from lanewise.errors import LanewiseError
from lanewise.ledger import By, Report, ReportRow, report
from lanewise.ledger.reports import GROUPS
from lanewise.money import format_usd, to_usd

_SECONDS: Final = {"m": 60, "h": 3_600, "d": 86_400, "w": 604_800}

# A table of sessions can have thousands of rows; `--json` has them all.
_TABLE_ROWS: Final = 30
_TABLE_CHARS: Final = 100


class _Since(click.ParamType[dt.datetime]):
    """A span before now (``7d``, ``24h``, ``30m``, ``2w``) or an ISO date or time, UTC unless it says otherwise."""

    name = "span or date"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> dt.datetime:
        """`value` is what click read from the command line: text, or a default already converted."""
        if isinstance(value, dt.datetime):
            return value
        text = str(value)
        if span := re.fullmatch(r"(\d{1,6})([mhdw])", text):
            return dt.datetime.now(dt.UTC) - dt.timedelta(seconds=int(span[1]) * _SECONDS[span[2]])
        try:
            moment = dt.datetime.fromisoformat(text)
        except ValueError:
            self.fail(f"{text!r} is neither a span such as `7d`, `24h` nor a date such as `2026-11-22`", param, ctx)
        return moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)


@click.command("report")
@click.option("--since", type=_Since(), default="7d", show_default=True, help="Span (30m, 24h, 7d, 2w) or ISO date.")
@click.option("--by", type=click.Choice(tuple(GROUPS)), default="skill", show_default=True, help="How to group.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON; money in pico-dollars and in US dollars.")
@click.option("--config", type=click.Path(path_type=Path), help="Read only this file.")
@click.option("--data", metavar="DIR", help="Folder of the ledger instead of the configured one [env: LANEWISE_DATA].")
def command(since: dt.datetime, by: By, as_json: bool, config: Path | None, data: str | None) -> None:
    """Sum up the ledger: spent, saved against the baseline, failures, cache use and our own overhead.

    A cost that is unknown is never counted as zero: such calls have a column of their own.

    \b
    Example:
      lanewise report --since 30d --by model

    \b
    --json prints one object:
      since, until   ISO times, UTC; calls that started in [since, until)
      by             the grouping
      baselines      [[model, calls], ...] what savings are measured against
      simulated_calls   calls that `lanewise demo` made
      total, rows[]  one object for all calls, one per group, most expensive first:
        group                       "" where a call has none (nobody served it, no key)
        calls, failed_calls, unknown_cost_calls, compared_calls, unrouted_calls, failovers, escalations
        input_tokens (cache excluded), cache_read_tokens, cache_write_tokens, output_tokens
        cost_pusd, baseline_cost_pusd, saved_pusd          integers of 10^-12 USD, null if unknown
        cost_usd, baseline_cost_usd, saved_usd             the same in US dollars
        unrouted_cost_pusd, preferred_cost_pusd            calls that were not routed: what they cost, and
        unrouted_cost_usd, preferred_cost_usd              would have cost where the policy prefers
        saved_share, cache_hit_share                       0..1 or null
        overhead, duration          {p50_us, p95_us}
        cost_error                  {calls, computed_pusd, reported_pusd, ..._usd, relative}: our
                                    cost beside what providers reported, where they do
    """  # noqa: D301  click reads the character itself: it keeps the lines of the paragraph that follows
    try:
        settings = _settings(config, data)
        found = _read(since, by, settings)
    except LanewiseError as fault:
        raise click.ClickException(str(fault)) from fault
    if as_json:
        click.echo(_as_json(found))
        return
    if not found.total.calls:
        click.echo(_nothing_yet(ledger_name(settings), since))
        return
    click.echo("\n".join([*_table(found), "", *_notes(found)]))


def _settings(config: Path | None, data: str | None) -> Settings:
    """The configuration; a folder given by name is the ledger's, whatever database is configured."""
    flags = {"server.data": data, "server.database_url": ""} if data else {}
    return read(config=config, flags=flags, discover=False).settings


def _read(since: dt.datetime, by: By, settings: Settings) -> Report:
    until = dt.datetime.now(dt.UTC)
    database = open_ledger(settings)
    if database is None:
        return Report.empty(since, until, by)
    try:
        return report(database, since, until, by)
    finally:
        database.close()


def _nothing_yet(ledger: str, since: dt.datetime) -> str:
    return (
        f"No calls since {since:%Y-%m-%d %H:%M} UTC in {ledger}\n"
        "Start `lanewise serve`, point a client at it, and this report fills"
    )


# -- for programs ------------------------------------------------------------------------------------------


def _as_json(found: Report) -> str:
    plain = msgspec.to_builtins(found)
    for row, target in zip((found.total, *found.rows), (plain["total"], *plain["rows"]), strict=True):
        _add_dollars(target)
        _add_dollars(target["cost_error"])
        target["saved_share"] = row.saved_share
        target["cache_hit_share"] = row.cache_hit_share
        target["cost_error"]["relative"] = row.cost_error.relative
    return msgspec.json.format(msgspec.json.encode(plain), indent=2).decode()


def _add_dollars(fields: dict[str, Any]) -> None:
    """Beside each `..._pusd` a `..._usd`. Any: the mixed values of a JSON object."""
    for name in [name for name in fields if name.endswith("_pusd")]:
        value = fields[name]
        fields[name.removesuffix("pusd") + "usd"] = None if value is None else to_usd(value)


# -- for people --------------------------------------------------------------------------------------------


def _table(found: Report) -> list[str]:
    """Lines of at most 100 columns: a header, the groups, the total. Long names give way to numbers."""
    header = (found.by, "calls", "failed", "in", "cached", "out", "cost", "baseline", "saved", "unknown", "own p95")
    shown = found.rows[:_TABLE_ROWS]
    lines = [header, *(_cells(row.group or "(none)", row) for row in shown), _cells("total", found.total)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(header))]
    widths[0] = min(widths[0], _TABLE_CHARS - sum(1 + width for width in widths[1:]))
    text = [_line(line, widths) for line in lines]
    rule = "-" * len(text[0])
    return [text[0], rule, *text[1:-1], rule, text[-1]]


def _cells(name: str, row: ReportRow) -> tuple[str, ...]:
    prompt = row.input_tokens + row.cache_read_tokens + row.cache_write_tokens
    return (
        name,
        _short(row.calls),
        _short(row.failed_calls),
        _short(prompt),
        _percent(row.cache_hit_share),
        _short(row.output_tokens),
        format_usd(row.cost_pusd),
        format_usd(row.baseline_cost_pusd),
        _percent(row.saved_share),
        _short(row.unknown_cost_calls),
        "-" if row.overhead.p95_us is None else _time(row.overhead.p95_us),
    )


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    name, *numbers = cells
    room = widths[0]
    shown = name if len(name) <= room else name[: room - 1] + "…"
    return f"{shown:<{room}}" + "".join(f" {cell:>{width}}" for cell, width in zip(numbers, widths[1:], strict=True))


def _notes(found: Report) -> list[str]:
    """What the table means and what it leaves out."""
    total = found.total
    models = ", ".join(f"{model} ({calls} calls)" for model, calls in found.baselines[:3])
    more = len(found.baselines) - 3
    notes = [f"baseline: {models}" + (f" and {more} more" if more > 0 else "")]
    if found.simulated_calls:
        notes.append(f"simulated: {found.simulated_calls} of {total.calls} calls were made by `lanewise demo`")
    if total.saved_pusd is not None:
        notes.append(
            f"saved: {format_usd(total.saved_pusd)} over {total.compared_calls} of {total.calls} calls,"
            " those whose cost and baseline cost are known"
        )
    if total.unknown_cost_calls:
        notes.append(f"cost unknown for {total.unknown_cost_calls} calls: not in `cost`, not counted as zero")
    if total.unrouted_calls:
        notes.append(
            f"not routed: {total.unrouted_calls} calls that cost {format_usd(total.unrouted_cost_pusd)} would have"
            f" cost {format_usd(total.preferred_cost_pusd)} where the policy preferred to send them"
        )
    if total.failovers:
        notes.append(f"failovers: {total.failovers}, of them from the cheap tier to the frontier: {total.escalations}")
    if total.cost_error.relative is not None:
        notes.append(
            f"our costs differ by {total.cost_error.relative:+.2%} from what providers reported"
            f" ({total.cost_error.calls} calls)"
        )
    if len(found.rows) > _TABLE_ROWS:
        notes.append(f"{len(found.rows) - _TABLE_ROWS} more rows: `--json` prints all")
    return notes


def _short(number: int) -> str:
    """A count in at most six characters: 999, 12.3k, 4.5M."""
    for size, unit in ((10**12, "T"), (10**9, "G"), (10**6, "M"), (10**3, "k")):
        if number >= size:
            return f"{number / size:.1f}{unit}"
    return str(number)


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{share:.1%}"


def _time(span_us: int) -> str:
    return f"{span_us}us" if span_us < 10_000 else f"{span_us / 1000:.0f}ms"
