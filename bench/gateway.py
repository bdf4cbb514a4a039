"""What the gateway costs per call, beside a direct call and nginx, in one run: `uv run python bench/gateway.py`.

Rounds are interleaved: every cell (size, streaming or not, connections) visits each target before the next cell, so
that a machine that slows down slows all of them. A figure is the median over the rounds. Knows nothing of the
gateway's inside: it starts the command that users start.
"""

from __future__ import annotations

import argparse
import http.client
import itertools
import json
import statistics
import sys
import tempfile
import time
from pathlib import Path

import msgspec

import bodies
from load import Job
from processes import HOST, Bench, BenchError, LoadGenerator, Target, machine

SIZES_KB = (1, 64, 512)
CONNECTIONS = (1, 32)
MOST_REQUESTS = 20_000
"""Per cell and round: bounds the ledger that a fast machine would write."""

NAMES = ("direct", "nginx", "lanewise")


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """How long to measure."""

    rounds: int
    seconds: float


FULL = Plan(rounds=3, seconds=1.2)
QUICK = Plan(rounds=1, seconds=0.6)


class Cell(msgspec.Struct, frozen=True, kw_only=True):
    """One kind of traffic."""

    size_kb: int
    stream: bool
    connections: int


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """One target under one kind of traffic. CPU of `direct` is the mock's own."""

    target: str
    cell: Cell
    requests: int
    requests_per_s: float
    cpu_us: float
    """CPU of the server's process tree per request."""
    p50_us: float
    p99_us: float
    added_p50_us: float
    """Over the direct call of the same round."""
    added_p99_us: float


class Sample(msgspec.Struct, frozen=True, kw_only=True):
    """One visit of a cell to a target."""

    count: int
    seconds: float
    cpu_s: float
    p50_us: float
    p99_us: float


def check(target: Target) -> None:
    """One whole and one streamed answer must arrive as the mock sent them, from the model that routing should choose.

    Raises:
        BenchError: Else; what follows would measure something that does not work.
    """
    for stream, expected in ((False, bodies.whole_answer()), (True, b"".join(bodies.events()))):
        head, _, body = bodies.requests(bodies.KIB, stream=stream)[0].partition(b"\r\n\r\n")
        headers = dict(line.split(": ", 1) for line in head.decode().split("\r\n")[1:])
        connection = http.client.HTTPConnection(HOST, target.port, timeout=10)
        connection.request("POST", bodies.PATH, body, headers)
        answer = connection.getresponse()
        found, model = answer.read(), answer.headers.get("x-lanewise-model", "")
        connection.close()
        if answer.status != 200 or found != expected:
            raise BenchError(
                f"{target.name} answers {answer.status} with other bytes than the mock sent: {found[:300]!r}"
            )
        if target.name == "lanewise" and model != bodies.CHEAP:
            raise BenchError(f"lanewise asked {model!r} instead of {bodies.CHEAP!r}: the bodies are not spliced")


def visit(load: LoadGenerator, target: Target, cell: Cell, plan: Plan) -> Sample:
    """Measure one cell on one target; what it writes afterwards belongs to the cell."""
    job = Job(
        port=target.port,
        size=cell.size_kb * bodies.KIB,
        stream=cell.stream,
        connections=cell.connections,
        seconds=plan.seconds,
        most=MOST_REQUESTS,
    )
    before_s = target.cpu_s()
    result = load.run(job)
    target.settle()
    return Sample(
        count=result.count,
        seconds=result.seconds,
        cpu_s=target.cpu_s() - before_s,
        p50_us=result.p50_us,
        p99_us=result.p99_us,
    )


def measure(load: LoadGenerator, targets: list[Target], plan: Plan) -> list[Figures]:
    """All cells on all targets."""
    cells = [
        Cell(size_kb=size_kb, stream=stream, connections=connections)
        for stream, size_kb, connections in itertools.product((False, True), SIZES_KB, CONNECTIONS)
    ]
    samples: dict[tuple[Cell, str], list[Sample]] = {}
    for target, cell in itertools.product(targets, cells):
        if cell.connections == 1:
            visit(load, target, cell, Plan(rounds=1, seconds=0.05))
    for number in range(plan.rounds):
        for cell in cells:
            for target in targets[number % len(targets) :] + targets[: number % len(targets)]:
                samples.setdefault((cell, target.name), []).append(visit(load, target, cell, plan))
        print(f"round {number + 1} of {plan.rounds} done", file=sys.stderr)
    return [_figures(cell, target.name, samples) for cell in cells for target in targets]


def _figures(cell: Cell, name: str, samples: dict[tuple[Cell, str], list[Sample]]) -> Figures:
    own, direct = samples[cell, name], samples[cell, "direct"]
    pairs = list(zip(own, direct, strict=True))
    return Figures(
        target=name,
        cell=cell,
        requests=sum(sample.count for sample in own),
        requests_per_s=statistics.median(sample.count / sample.seconds for sample in own),
        cpu_us=statistics.median(sample.cpu_s / sample.count * 1e6 for sample in own),
        p50_us=statistics.median(sample.p50_us for sample in own),
        p99_us=statistics.median(sample.p99_us for sample in own),
        added_p50_us=statistics.median(mine.p50_us - other.p50_us for mine, other in pairs),
        added_p99_us=statistics.median(mine.p99_us - other.p99_us for mine, other in pairs),
    )


# -- printing ---------------------------------------------------------------------------------------------


class Goal(msgspec.Struct, frozen=True, kw_only=True):
    """A figure that the project holds itself to."""

    what: str
    measured: float | None
    """None where nginx, which it is measured against, is not installed."""
    at_most: float


def goals(figures: list[Figures]) -> list[Goal]:
    """The goals of the request path that this bench can tell."""
    found = {(f.target, f.cell.size_kb, f.cell.stream, f.cell.connections): f for f in figures}
    nginx = found.get(("nginx", 64, False, 32))
    ratio = found["lanewise", 64, False, 32].cpu_us / nginx.cpu_us if nginx else None
    return [
        Goal(what="added p50 at 64 KB, us", measured=found["lanewise", 64, False, 1].added_p50_us, at_most=200),
        Goal(what="CPU at 64 KB, times nginx", measured=ratio, at_most=4),
        Goal(
            what="CPU per event of a 1 KB stream, us",
            measured=found["lanewise", 1, True, 32].cpu_us / bodies.EVENTS,
            at_most=25,
        ),
    ]


def table(figures: list[Figures]) -> str:
    """CPU, then latency; ratios to nginx and to the direct call stand beside the gateway's figures."""
    found = {(f.cell.stream, f.cell.size_kb, f.cell.connections, f.target): f for f in figures}
    rows = sorted({key[:3] for key in found})
    lines = ["CPU of the server, us per request", f"{'':22}{'direct*':>9}{'nginx':>15}{'lanewise':>10}   ratio to both"]
    for row in rows:
        direct, nginx, own = (found.get((*row, name)) for name in NAMES)
        assert direct is not None
        assert own is not None
        ratio = f"{own.cpu_us / nginx.cpu_us:.1f} x nginx, " if nginx else ""
        lines.append(
            f"{_label(row)}{direct.cpu_us:>9.0f}{_cpu(nginx)}{own.cpu_us:>10.0f}   "
            f"{ratio}{own.cpu_us / direct.cpu_us:.1f} x direct"
        )
    lines += [
        "",
        "latency, us p50 / p99; direct whole, the others what they add to it (at 32 it is the queue's: see --json)",
    ]
    lines.append(f"{'':22}{'direct':>15}{'nginx':>15}{'lanewise':>15}   p50 with it")
    for row in [row for row in rows if row[2] == 1]:
        direct, nginx, own = (found.get((*row, name)) for name in NAMES)
        assert direct is not None
        assert own is not None
        ratio = f"{own.added_p50_us / nginx.added_p50_us:.1f} x nginx's, " if nginx and nginx.added_p50_us > 0 else ""
        added = f"{nginx.added_p50_us:.0f} / {nginx.added_p99_us:.0f}" if nginx else "not installed"
        lines.append(
            f"{_label(row)}{f'{direct.p50_us:.0f} / {direct.p99_us:.0f}':>15}{added:>15}"
            f"{f'{own.added_p50_us:.0f} / {own.added_p99_us:.0f}':>15}"
            f"   {ratio}{own.p50_us / direct.p50_us:.1f} x direct"
        )
    lines += [
        "* the mock's own CPU: what an answer costs without anything in between",
        "",
    ]
    lines += [_goal_line(goal) for goal in goals(figures)]
    return "\n".join(lines)


def _label(row: tuple[bool, int, int]) -> str:
    stream, size_kb, connections = row
    return f"{size_kb:>4} KB {'SSE' if stream else '   '} {connections:>3} conn. "


def _cpu(nginx: Figures | None) -> str:
    return f"{nginx.cpu_us:>15.0f}" if nginx else f"{'not installed':>15}"


def _goal_line(goal: Goal) -> str:
    if goal.measured is None:
        return f"goal: {goal.what} <= {goal.at_most:g}: nginx is not installed"
    verdict = "met" if goal.measured <= goal.at_most else "NOT met"
    return f"goal: {goal.what} <= {goal.at_most:g}: {goal.measured:.1f}, {verdict}"


def main() -> int:
    parser = argparse.ArgumentParser(description="CPU and added latency of the gateway beside nginx and a direct call.")
    parser.add_argument("--quick", action="store_true", help="one short round: less than a minute, and rougher")
    parser.add_argument("--json", action="store_true", help="all figures as one JSON object")
    parser.add_argument("--port", type=int, default=18470, help="first of three free ports [%(default)s]")
    options = parser.parse_args()
    plan, started = QUICK if options.quick else FULL, time.monotonic()
    told = machine()
    print(told, file=sys.stderr if options.json else sys.stdout, flush=True)
    try:
        with tempfile.TemporaryDirectory() as folder, Bench(Path(folder), options.port) as bench:
            servers = [bench.mock(), bench.nginx(), bench.lanewise()]
            targets = [server for server in servers if server is not None]
            for target in targets:
                check(target)
            figures = measure(bench.load(), targets, plan)
    except BenchError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    if options.json:
        answer = {"machine": told, "plan": plan, "figures": figures, "goals": goals(figures)}
        print(json.dumps(msgspec.to_builtins(answer), indent=2))
        return 0
    requests = sum(figure.requests for figure in figures)
    took_s = time.monotonic() - started
    print(f"{plan.rounds} rounds of {plan.seconds:g} s per cell, {requests:,} requests, {took_s:.0f} s\n")
    print(table(figures))
    return 0


if __name__ == "__main__":
    sys.exit(main())
