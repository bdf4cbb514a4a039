"""The summary as text: tables of at most 100 columns, plain for pipes, drawn by rich for a terminal.

Decides words and widths, computes nothing that is not in the summary. Everything simulated says so.
"""

from __future__ import annotations

from lanewise.demo.summary import Share, Summary
from lanewise.journey import Value


class Table(Value, frozen=True, kw_only=True):
    """A title, a header and rows of equal length; the first column is text, the others are numbers."""

    title: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def headline(summary: Summary) -> str:
    """What was played and where."""
    return (
        f"Simulated: {summary.calls} calls in {summary.sessions} sessions of five agents and a build pipeline, by "
        f"three\nproviders on loopback that run {summary.latency_scale} times faster than real ones. Prices are real."
    )


def tables(summary: Summary) -> tuple[Table, ...]:
    """Shares by lane, skill and model."""
    return (
        _shares("lane", summary.lanes),
        _shares("model", summary.models),
        _shares("skill", summary.skills),
    )


def closing(summary: Summary) -> str:
    """Money and quality against the named baseline."""
    quality = summary.quality
    solved, by_baseline, tasks = quality.solved, quality.baseline_solved, quality.tasks
    lines = [
        ("spent", f"${summary.cost_usd:.4f}"),
        (f"{summary.baseline} alone", f"${summary.baseline_cost_usd:.4f}, the baseline: the same day never routed"),
        ("saved", f"{summary.saved_share:.1%} (simulated traffic at list prices)"),
        ("tasks solved", f"{solved} of {tasks} routed, {by_baseline} of {tasks} by the baseline (simulated)"),
    ]
    if summary.failed_calls:
        lines.append(("failed calls", str(summary.failed_calls)))
    if summary.unknown_cost_calls:
        lines.append(("unknown price", f"{summary.unknown_cost_calls} calls, not in the sums above"))
    width = max(len(name) for name, _ in lines)
    return "\n".join(f"{name.ljust(width)}  {text}" for name, text in lines)


def plain(table: Table) -> str:
    """`table` in fixed columns."""
    rows = [table.header, *table.rows]
    widths = [max(len(row[column]) for row in rows) for column in range(len(table.header))]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if column == 0 else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    )


def _shares(name: str, shares: dict[str, Share]) -> Table:
    return Table(
        title=f"by {name} (simulated)",
        header=(name, "calls", "share", "cost"),
        rows=tuple((group, str(s.calls), f"{s.share:.1%}", _cost(s)) for group, s in shares.items()),
    )


def _cost(share: Share) -> str:
    if share.unknown_cost_calls:
        return f"unknown for {share.unknown_cost_calls}"
    return f"${share.cost_usd:.4f}"
