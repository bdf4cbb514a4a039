"""What a local engine says of its own queue: the bytes of its metrics -> one value. Pure; see `local` for the asking.

Engines, and where each says it (checked against their documentation and sources of 2026-11):

- vLLM, `/metrics`: gauges by model and data-parallel engine; the KV share was `gpu_cache_usage_perc` before 0.9.
- SGLang, `/v1/loads`: one row per data-parallel rank; `/metrics` only with `--enable-metrics`, per scheduler rank.
- llama.cpp, `/metrics` (only with `--metrics`) for running and waiting; `/slots` for how many there are.
- Ollama, `/api/ps`: the models in memory, and nothing of a queue.

What an engine does not state is None. A missing metric is unknown, never zero.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping
from typing import TypeAlias

import msgspec

from lanewise.journey import Value


class QueueReading(Value, frozen=True, kw_only=True):
    """An engine's load at one moment, as far as it states it."""

    running: int | None = None
    """Calls it works on, everybody's."""
    waiting: int | None = None
    """Calls it has taken and not begun."""
    slots: int | None = None
    """Calls it can work on at once."""
    kv_used_share: float | None = None
    """Share of its memory for contexts that is taken, 0..1."""
    loaded: frozenset[str] | None = None
    """Models that are in memory; others load first."""


Reader: TypeAlias = Callable[[bytes], QueueReading]

_SAMPLE = re.compile(r"([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})?\s+(\S+)(?:\s+-?\d+)?")
_LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\.)*)"')

_COPIES = frozenset({"tp_rank", "pp_rank", "moe_ep_rank", "pid"})
"""Labels whose values name processes that work on the same calls: their series are copies, not parts."""

_Series: TypeAlias = dict[frozenset[tuple[str, str]], float]


def prometheus(body: bytes, names: frozenset[str]) -> dict[str, _Series]:
    """The samples of `names` in a Prometheus text, copies by rank taken once; lines that are none are passed over."""
    found: dict[str, _Series] = {}
    for line in body.decode("utf-8", "replace").splitlines():
        match = _SAMPLE.fullmatch(line.strip())
        if match is None or match[1] not in names:
            continue
        value = _number(match[3])
        if value is None:
            continue
        key = frozenset(pair for pair in _LABEL.findall(match[2] or "") if pair[0] not in _COPIES)
        series = found.setdefault(match[1], {})
        series[key] = max(value, series.get(key, value))
    return found


def _number(text: str) -> float | None:
    """A finite value that is not negative; a gauge that never was set is NaN."""
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) and value >= 0 else None


def _total(found: Mapping[str, _Series], name: str) -> int | None:
    """The sum over models and engines; None where there is no sample."""
    return round(sum(found[name].values())) if name in found else None


def _fullest(found: Mapping[str, _Series], *names: str) -> float | None:
    """The highest share under the first of `names` that has one: a call may be sent to any of the engines."""
    return next((min(1.0, max(found[name].values())) for name in names if name in found), None)


def read_vllm(body: bytes) -> QueueReading:
    """The load in the `/metrics` of vLLM."""
    running, waiting = "vllm:num_requests_running", "vllm:num_requests_waiting"
    kv = ("vllm:kv_cache_usage_perc", "vllm:gpu_cache_usage_perc")
    found = prometheus(body, frozenset({running, waiting, *kv}))
    return QueueReading(
        running=_total(found, running), waiting=_total(found, waiting), kv_used_share=_fullest(found, *kv)
    )


def read_sglang_metrics(body: bytes) -> QueueReading:
    """SGLang's `/metrics`."""
    running, waiting, used = "sglang:num_running_reqs", "sglang:num_queue_reqs", "sglang:token_usage"
    found = prometheus(body, frozenset({running, waiting, used}))
    return QueueReading(
        running=_total(found, running), waiting=_total(found, waiting), kv_used_share=_fullest(found, used)
    )


class _Rank(msgspec.Struct):
    num_running_reqs: int | None = None
    num_waiting_reqs: int | None = None
    max_running_requests: int | None = None
    token_usage: float | None = None


class _Loads(msgspec.Struct):
    loads: list[_Rank]


_LOADS = msgspec.json.Decoder(_Loads)


def read_sglang_loads(body: bytes) -> QueueReading:
    """SGLang's `/v1/loads`.

    Raises:
        ValueError: It is no JSON of the shape.
    """
    ranks = _LOADS.decode(body).loads
    used = [rank.token_usage for rank in ranks if rank.token_usage is not None]
    return QueueReading(
        running=_sum([rank.num_running_reqs for rank in ranks]),
        waiting=_sum([rank.num_waiting_reqs for rank in ranks]),
        slots=_sum([rank.max_running_requests or None for rank in ranks]),
        kv_used_share=min(1.0, max(used)) if used else None,
    )


def _sum(parts: list[int | None]) -> int | None:
    """Their sum; None as soon as one is unknown, or there is none."""
    known = [part for part in parts if part is not None]
    return sum(known) if known and len(known) == len(parts) else None


def read_llamacpp_metrics(body: bytes) -> QueueReading:
    """llama.cpp's `/metrics`. Its share of used memory went with the builds of 2025."""
    running, waiting = "llamacpp:requests_processing", "llamacpp:requests_deferred"
    found = prometheus(body, frozenset({running, waiting}))
    return QueueReading(running=_total(found, running), waiting=_total(found, waiting))


class _Slot(msgspec.Struct):
    is_processing: bool | None = None


_SLOTS = msgspec.json.Decoder(list[_Slot])


def read_llamacpp_slots(body: bytes) -> QueueReading:
    """llama.cpp's `/slots`: it does not say who waits for one.

    Raises:
        ValueError: It is no JSON of the shape.
    """
    slots = _SLOTS.decode(body)
    busy = [slot.is_processing for slot in slots]
    return QueueReading(running=None if None in busy or not slots else busy.count(True), slots=len(slots) or None)


class _Loaded(msgspec.Struct):
    name: str = ""
    model: str = ""


class _Ps(msgspec.Struct):
    models: list[_Loaded]


_PS = msgspec.json.Decoder(_Ps)


def read_ollama(body: bytes) -> QueueReading:
    """Ollama's `/api/ps`.

    Raises:
        ValueError: It is no JSON of the shape.
    """
    return QueueReading(loaded=frozenset(_names(_PS.decode(body).models)))


def _names(models: list[_Loaded]) -> Iterator[str]:
    """Each model under its full name, and without the tag that stands for no tag."""
    for row in models:
        for name in {row.name, row.model} - {""}:
            yield name
            if name.endswith(":latest"):
                yield name.removesuffix(":latest")


READERS: Mapping[str, Mapping[str, Reader]] = {
    "vllm": {"/metrics": read_vllm},
    "sglang": {"/v1/loads": read_sglang_loads, "/metrics": read_sglang_metrics},
    "llamacpp": {"/metrics": read_llamacpp_metrics, "/slots": read_llamacpp_slots},
    "ollama": {"/api/ps": read_ollama},
}
"""A provider's `metrics` -> path -> how it is read. Several complete each other: the first that states a field
decides it."""


def merged(first: QueueReading, second: QueueReading) -> QueueReading:
    """`first`, and of `second` what `first` does not state."""
    stated = {
        name: value for name in first.__struct_fields__ if (value := getattr(first, name)) is not None
    }  # msgspec's structs list their fields
    return msgspec.structs.replace(second, **stated)
