"""What starting costs and what staying costs: `uv run python bench/startup.py`.

The time of `lanewise --version` beside an interpreter that does nothing, alternating, and the gateway's memory idle
and after 10,000 calls of 64 KB with ledger, metrics and log on.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import msgspec

import bodies
from gateway import check
from load import Job
from processes import Bench, BenchError, machine

RUNS = 11
CALLS = 10_000
LONGEST_S = 120.0


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """All figures of one run."""

    machine: str
    version_ms: float
    """Median of `lanewise --version`."""
    python_ms: float
    """Median of `python -c pass`."""
    idle_mb: float
    """Resident memory once the gateway listens."""
    calls: int
    """Answered before the memory was read again; fewer than asked for only on a machine slower than its time limit."""
    after_mb: float
    highest_mb: float


def version_and_python_ms() -> tuple[float, float]:
    """Medians of both commands, in milliseconds of wall time."""
    lanewise = str(Path(sys.executable).with_name("lanewise"))
    commands = ([lanewise, "--version"], [sys.executable, "-c", "pass"])
    times: tuple[list[float], list[float]] = ([], [])
    for _ in range(RUNS):
        for command, found in zip(commands, times, strict=True):
            started = time.perf_counter()
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
            found.append((time.perf_counter() - started) * 1000)
    return statistics.median(times[0]), statistics.median(times[1])


def report(first_port: int) -> Report:
    """Measure everything.

    Raises:
        BenchError: A port is taken, or the gateway does not start or answers wrongly.
    """
    told = machine()
    version_ms, python_ms = version_and_python_ms()
    with tempfile.TemporaryDirectory() as folder, Bench(Path(folder), first_port) as bench:
        bench.mock()
        gateway = bench.lanewise()
        gateway.settle()
        idle_mb = gateway.memory_mb()
        check(gateway)
        job = Job(port=gateway.port, size=64 * bodies.KIB, stream=False, connections=32, seconds=LONGEST_S, most=CALLS)
        result = bench.load().run(job)
        gateway.settle()
        return Report(
            machine=told,
            version_ms=version_ms,
            python_ms=python_ms,
            idle_mb=idle_mb,
            calls=result.count,
            after_mb=gateway.memory_mb(),
            highest_mb=gateway.memory_mb("VmHWM"),
        )


def main() -> int:
    parser = argparse.ArgumentParser(description="Start-up time and memory of the gateway.")
    parser.add_argument("--json", action="store_true", help="all figures as one JSON object")
    parser.add_argument("--port", type=int, default=18470, help="first of three free ports [%(default)s]")
    options = parser.parse_args()
    try:
        found = report(options.port)
    except BenchError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    if options.json:
        print(json.dumps(msgspec.to_builtins(found), indent=2))
        return 0
    print(found.machine)
    ratio = found.version_ms / found.python_ms
    print(
        f"lanewise --version  {found.version_ms:6.0f} ms, python -c pass {found.python_ms:.0f} ms ({ratio:.1f} x), "
        f"medians of {RUNS}; goal < 150 ms: {'met' if found.version_ms < 150 else 'NOT met'}"
    )
    print(f"memory, idle        {found.idle_mb:6.0f} MiB; goal < 80 MiB: {'met' if found.idle_mb < 80 else 'NOT met'}")
    print(
        f"memory, {found.calls:,} calls of 64 KB later {found.after_mb:6.0f} MiB "
        f"({found.after_mb / found.idle_mb:.1f} x idle), at its highest {found.highest_mb:.0f} MiB"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
