"""What naming a skill costs: `uv run python bench/classify.py [--encoder FOLDER]`.

One process, one core. Requests as agents send them are read by the whole of layer 1 as the gateway reads them: short
and long prompts, with an answer and an earlier prompt, each of them new to the student. A tool turn rides along, which
must cost no reading. The yardstick in the same run is a sentence encoder in ONNX Runtime, where a folder with one is
given: the same prompts, one thread, 128 tokens at most.
"""

# ruff: noqa: PLC0415 - imports are part of what is timed

from __future__ import annotations

import os

# One core for whatever numpy and ONNX Runtime would spread; read when they are imported.
os.environ.update(dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1"))

import argparse
import datetime as dt
import functools
import gc
import json
import random
import resource
import statistics
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import msgspec

from processes import machine

ROOT = Path(__file__).parents[1]
CALLS = 3_000
LINES = 4_000
LOADS = 7
NOW = dt.datetime(2026, 11, 25, 12, 0, tzinfo=dt.UTC)


class Timing(msgspec.Struct, frozen=True, kw_only=True):
    """Microseconds per call."""

    what: str
    calls: int
    p50_us: float
    p99_us: float
    most_us: float


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """All figures of one run."""

    machine: str
    artefact_mb: float
    numpy_ms: float
    """Importing numpy, which the student needs: before and not in `load_ms`."""
    load_ms: float
    """Median of loading sentinels, cues and student."""
    memory_mb: float
    """What loading and 3,000 calls in sessions of their own added to the process."""
    timings: list[Timing]
    lines_per_s: float
    """`lanewise classify --jsonl`, without starting the process."""


def prompts(size: int, count: int, rng: random.Random) -> list[str]:
    """`count` texts of about `size` characters out of written turns; each holds a word never seen before."""
    turns = [json.loads(line)["text"] for line in (ROOT / "labels" / "written_turns.jsonl").open(encoding="utf-8")]
    made = []
    for _ in range(count):
        text = rng.choice(turns)
        while len(text) < size:
            text += "\n" + rng.choice(turns)
        letters = "".join(rng.choices("abcdefghijklmnopqrstuvwxyz", k=8))
        made.append(f"{letters} {text[: size - 9]}")
    return made


def resident_mb() -> float:
    """Memory of this process."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() / 2**20


def timed(what: str, jobs: Iterable[Callable[[], object]]) -> Timing:
    """Call each job once, all of them made before; what lives by then is left out of collections, as in the gateway."""
    taken = []
    made = list(jobs)
    gc.collect()
    gc.freeze()
    for job in made:
        started = time.perf_counter_ns()
        job()
        taken.append((time.perf_counter_ns() - started) / 1000)
    gc.unfreeze()
    taken.sort()
    return Timing(
        what=what,
        calls=len(taken),
        p50_us=statistics.median(taken),
        p99_us=taken[int(len(taken) * 0.99)],
        most_us=taken[-1],
    )


def report(encoder: Path | None) -> Report:
    """Measure everything."""
    started = time.perf_counter()
    import numpy  # noqa: F401, ICN001 - its import is what is timed

    numpy_ms = (time.perf_counter() - started) * 1000
    from lanewise.classify import Classifier
    from lanewise.cli.classify import _Reader
    from lanewise.cli.given import Row, conversation_of
    from lanewise.journey import Caller

    rng = random.Random(11)

    def turns(size: int, count: int) -> Iterator[Callable[[], object]]:
        """Second tasks of sessions whose first has been read: the words are new, the session is not."""
        rows = zip(prompts(size, count, rng), prompts(120, count, rng), prompts(300, count, rng), strict=True)
        for number, (text, earlier, answer) in enumerate(rows):
            caller = Caller(session=str(number))
            first = Row(text=earlier, tools=20, client="claude-code")
            then = Row(text=text, history=(earlier,), answer_head=f"{answer} Shall I?", tools=20, client="claude-code")
            classifier.read(conversation_of(first), caller, NOW)
            yield functools.partial(classifier.read, conversation_of(then), caller, NOW)

    before_mb = resident_mb()
    classifier = Classifier.load()
    for turn in turns(1_000, CALLS):
        turn()
    memory_mb = resident_mb() - before_mb
    loads = []
    for _ in range(LOADS):
        started = time.perf_counter()
        classifier = Classifier.load()
        loads.append((time.perf_counter() - started) * 1000)
    timings = [
        timed(f"layer 1, prompt of {size:,} characters", turns(size, CALLS if size < 10_000 else 20))
        for size in (120, 1_000, 8_000, 1_000_000)
    ]
    loop = conversation_of(Row(text="Fix the parser", tools=20, client="claude-code"))
    classifier.read(loop, Caller(session="s"), NOW)
    again = functools.partial(classifier.read, loop, Caller(session="s"), NOW)
    timings.append(timed("layer 1, a turn whose task is labelled", [again] * CALLS))
    lines = b"\n".join(
        json.dumps(
            {"text": text, "history": [earlier], "answer_head": "Done. Shall I go on?", "client": "claude-code"}
        ).encode()
        for text, earlier in zip(prompts(200, LINES, rng), prompts(120, LINES, rng), strict=True)
    )
    reader = _Reader()
    started = time.perf_counter()
    done = sum(1 for _ in reader.lines(lines))
    lines_per_s = done / (time.perf_counter() - started)
    if encoder is not None:
        timings += yardstick(encoder, {size: prompts(size, 300, rng) for size in (120, 1_000)})
    return Report(
        machine=machine(),
        artefact_mb=(ROOT / "src/lanewise/classify/student.npz").stat().st_size / 1e6,
        numpy_ms=numpy_ms,
        load_ms=statistics.median(loads),
        memory_mb=memory_mb,
        timings=timings,
        lines_per_s=lines_per_s,
    )


def yardstick(folder: Path, texts: dict[int, list[str]]) -> list[Timing]:
    """The encoder in `folder` on the same prompts."""
    import onnxruntime
    import tokenizers

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    model = next(path for path in (folder / "onnx/model.onnx", folder / "model.onnx") if path.exists())
    session = onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
    tokenizer = tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.enable_truncation(128)
    wanted = {put.name for put in session.get_inputs()}

    def encode(text: str) -> None:
        found = tokenizer.encode(text)
        feed = {"input_ids": [found.ids], "attention_mask": [found.attention_mask], "token_type_ids": [found.type_ids]}
        session.run(None, {name: value for name, value in feed.items() if name in wanted})

    return [
        timed(
            f"encoder {folder.name}, prompt of {size:,} characters", [functools.partial(encode, text) for text in some]
        )
        for size, some in texts.items()
    ]


def main() -> int:
    parser = argparse.ArgumentParser(description="Latency, memory and throughput of layer 1.")
    parser.add_argument("--encoder", type=Path, help="folder with tokenizer.json and an ONNX model, the yardstick")
    parser.add_argument("--json", action="store_true", help="all figures as one JSON object")
    options = parser.parse_args()
    found = report(options.encoder)
    if options.json:
        print(json.dumps(msgspec.to_builtins(found), indent=2))
        return 0
    print(found.machine)
    for timing in found.timings:
        print(
            f"{timing.what:55s} p50 {timing.p50_us:8.0f} us  p99 {timing.p99_us:8.0f} us"
            f"  most {timing.most_us:8.0f} us  ({timing.calls:,} calls)"
        )
    worst = max(timing.p99_us for timing in found.timings[:3])
    slowest = max(timing.p50_us for timing in found.timings[:3])
    goals = (
        ("p50 up to 8 KB", slowest, 300, "us"),
        ("p99 up to 8 KB", worst, 1000, "us"),
        ("artefact", found.artefact_mb, 20, "MB"),
        ("load", found.load_ms, 100, "ms"),
        ("memory", found.memory_mb, 60, "MiB"),
    )
    for name, value, goal, unit in goals:
        print(f"{name:20s} {value:8.1f} {unit}; goal <= {goal}: {'met' if value <= goal else 'NOT met'}")
    lines = found.lines_per_s
    print(f"classify --jsonl     {lines:8.0f} lines/s; goal >= 2000: {'met' if lines >= 2000 else 'NOT met'}")
    print(f"(importing numpy, once per process and not in load: {found.numpy_ms:.0f} ms)")
    return 0


if __name__ == "__main__":
    sys.exit(main())
