"""What each engine's own words say of its queue, and that what it does not say is unknown."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lanewise.upstream.readings import (
    READERS,
    QueueReading,
    merged,
    read_llamacpp_metrics,
    read_llamacpp_slots,
    read_ollama,
    read_sglang_loads,
    read_sglang_metrics,
    read_vllm,
)

VLLM = b"""\
# HELP vllm:num_requests_running Number of requests in model execution batches.
# TYPE vllm:num_requests_running gauge
vllm:num_requests_running{engine="0",model_name="qwen3-coder"} 3.0
vllm:num_requests_running{engine="1",model_name="qwen3-coder"} 2.0
# TYPE vllm:num_requests_waiting gauge
vllm:num_requests_waiting{engine="0",model_name="qwen3-coder"} 4.0
vllm:num_requests_waiting{engine="1",model_name="qwen3-coder"} 0.0
vllm:num_requests_waiting_by_reason{engine="0",reason="capacity"} 4.0
vllm:kv_cache_usage_perc{engine="0",model_name="qwen3-coder"} 0.25
vllm:kv_cache_usage_perc{engine="1",model_name="qwen3-coder"} 0.75
vllm:num_requests_running_total 99
"""
SGLANG = b"""\
# TYPE sglang:num_running_reqs gauge
sglang:num_running_reqs{model_name="m",tp_rank="0",dp_rank="0"} 7.0
sglang:num_running_reqs{model_name="m",tp_rank="1",dp_rank="0"} 6.0
sglang:num_running_reqs{model_name="m",tp_rank="0",dp_rank="1"} 1.0
sglang:num_queue_reqs{model_name="m",tp_rank="0",dp_rank="0"} 2.0
sglang:token_usage{model_name="a \\"quoted\\" {name}"} 0.28
"""
LLAMACPP = b"""\
# HELP llamacpp:requests_processing Number of requests processing.
# TYPE llamacpp:requests_processing gauge
llamacpp:requests_processing 2
# HELP llamacpp:requests_deferred Number of requests deferred.
# TYPE llamacpp:requests_deferred gauge
llamacpp:requests_deferred 5
llamacpp:n_busy_slots_per_decode 1.5
"""


def loads(*rows: dict[str, object]) -> bytes:
    return json.dumps({"version": "0.5", "dp_rank_count": len(rows), "loads": rows, "aggregate": {}}).encode()


READ = {
    "vllm, two engines": (read_vllm, VLLM, QueueReading(running=5, waiting=4, kv_used_share=0.75)),
    "vllm, before its KV share was renamed": (
        read_vllm,
        b'vllm:num_requests_running{model_name="m"} 1.0\nvllm:gpu_cache_usage_perc{model_name="m"} 0.5\n',
        QueueReading(running=1, kv_used_share=0.5),
    ),
    "vllm, nothing waits": (read_vllm, b"vllm:num_requests_waiting 0.0", QueueReading(waiting=0)),
    "sglang, copies by rank": (read_sglang_metrics, SGLANG, QueueReading(running=8, waiting=2, kv_used_share=0.28)),
    "sglang, two loads": (
        read_sglang_loads,
        loads(
            {
                "dp_rank": 0,
                "num_running_reqs": 5,
                "num_waiting_reqs": 2,
                "token_usage": 0.05,
                "max_running_requests": 8,
            },
            {"dp_rank": 1, "num_running_reqs": 1, "num_waiting_reqs": 0, "token_usage": 0.5, "max_running_requests": 8},
        ),
        QueueReading(running=6, waiting=2, slots=16, kv_used_share=0.5),
    ),
    "sglang, a rank that does not say": (
        read_sglang_loads,
        loads({"num_running_reqs": 5, "max_running_requests": 0}, {"num_waiting_reqs": 1}),
        QueueReading(),
    ),
    "sglang, no ranks": (read_sglang_loads, loads(), QueueReading()),
    "llama.cpp": (read_llamacpp_metrics, LLAMACPP, QueueReading(running=2, waiting=5)),
    "llama.cpp, slots": (
        read_llamacpp_slots,
        b'[{"id": 0, "is_processing": true, "n_ctx": 4096}, {"id": 1, "is_processing": false}]',
        QueueReading(running=1, slots=2),
    ),
    "llama.cpp, slots of a build that names their state otherwise": (
        read_llamacpp_slots,
        b'[{"id": 0, "state": 1}]',
        QueueReading(slots=1),
    ),
    "llama.cpp, no slots": (read_llamacpp_slots, b"[]", QueueReading()),
    "ollama": (
        read_ollama,
        b'{"models": [{"name": "qwen3:latest", "model": "qwen3:latest", "size_vram": 1}, {"name": "gemma:2b"}]}',
        QueueReading(loaded=frozenset({"qwen3:latest", "qwen3", "gemma:2b"})),
    ),
    "ollama, nothing loaded": (read_ollama, b'{"models": []}', QueueReading(loaded=frozenset())),
    "no metrics at all": (read_vllm, b"", QueueReading()),
    "a page of something else": (read_llamacpp_metrics, b"<html>\xff</html>", QueueReading()),
    "values that are no numbers": (
        read_vllm,
        b"vllm:num_requests_running NaN\nvllm:num_requests_waiting +Inf\nvllm:kv_cache_usage_perc -1\n",
        QueueReading(),
    ),
    "a timestamp behind the value": (read_vllm, b"vllm:num_requests_running 3 1795000000000", QueueReading(running=3)),
}


@pytest.mark.parametrize(("read", "body", "expected"), READ.values(), ids=list(READ))
def test_an_engine_is_read_as_far_as_it_speaks(read, body, expected):
    assert read(body) == expected


@pytest.mark.parametrize("read", [read_sglang_loads, read_llamacpp_slots, read_ollama])
@pytest.mark.parametrize("body", [b"", b"<html>", b'{"error": "no"}', b'"x"', b'[{"is_processing": 3}]'])
def test_json_of_another_shape_is_told(read, body):
    with pytest.raises(ValueError):
        read(body)


READERS_OF_TEXT = [read_vllm, read_sglang_metrics, read_llamacpp_metrics]


@given(st.binary(max_size=300), st.sampled_from(READERS_OF_TEXT))
def test_no_bytes_whatever_make_a_reader_of_metrics_fail(body: bytes, read):
    assert isinstance(read(body), QueueReading)


def test_what_the_first_states_is_completed_by_the_second_and_not_overruled():
    metrics = QueueReading(running=0, waiting=5)
    slots = QueueReading(running=2, slots=2)
    assert merged(metrics, slots) == QueueReading(running=0, waiting=5, slots=2)


def test_every_engine_that_the_config_can_name_has_a_reader():
    assert set(READERS) == {"vllm", "sglang", "llamacpp", "ollama"}
