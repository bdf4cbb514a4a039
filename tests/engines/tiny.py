"""A language model of random weights, written in GGUF: it says nothing, but any engine that serves GGUF serves it.

The format is that of the GGUF specification, version 3 (github.com/ggml-org/ggml/blob/master/docs/gguf.md): a header,
typed metadata, the tensors' names and shapes, then their values, each aligned. A Llama with a vocabulary of bytes.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path

import numpy as np

ALIGNMENT = 32
CONTEXT_TOKENS = 8192
LAYERS = 4
WIDTH = 256
"""Slow enough for calls to overlap, about 1,000 tokens a second on one core; 12 MB."""

UNKNOWN, CONTROL, NORMAL, BYTE = 2, 3, 1, 6
"""Token types of llama.cpp."""

_UINT32, _INT32, _FLOAT32, _STRING, _ARRAY = 4, 5, 6, 8, 9
_F32 = 0

TEMPLATE = "{% for message in messages %}{{ message.role }}: {{ message.content }}\n{% endfor %}assistant:"


def write(path: Path, *, seed: int = 7) -> None:
    """Write the model to `path`."""
    tensors = dict(_tensors(np.random.default_rng(seed)))
    metadata = _metadata()
    with path.open("wb") as file:
        file.write(struct.pack("<4sIQQ", b"GGUF", 3, len(tensors), len(metadata)))
        file.write(b"".join(_text(key) + value for key, value in metadata.items()))
        offset = 0
        for name, values in tensors.items():
            shape = values.shape[::-1]  # the fastest dimension first
            file.write(_text(name) + struct.pack(f"<I{len(shape)}QIQ", len(shape), *shape, _F32, offset))
            offset += _padded(values.nbytes)
        file.write(bytes(_padded(file.tell()) - file.tell()))
        for values in tensors.values():
            file.write(values.tobytes() + bytes(_padded(values.nbytes) - values.nbytes))


def _padded(size: int) -> int:
    return -(-size // ALIGNMENT) * ALIGNMENT


def _text(value: str) -> bytes:
    return struct.pack("<Q", len(value.encode())) + value.encode()


def _uint(value: int) -> bytes:
    return struct.pack("<II", _UINT32, value)


def _string(value: str) -> bytes:
    return struct.pack("<I", _STRING) + _text(value)


def _tokens() -> list[tuple[str, int]]:
    """Every byte as a token of its own, so that any text can be read, and printable characters to write with."""
    special = [("<unk>", UNKNOWN), ("<s>", CONTROL), ("</s>", CONTROL)]
    readable = [("\u2581", NORMAL), *((chr(code), NORMAL) for code in range(33, 127))]
    return [*special, *((f"<0x{byte:02X}>", BYTE) for byte in range(256)), *readable]


def _metadata() -> dict[str, bytes]:
    tokens = _tokens()
    count = len(tokens)
    names = b"".join(_text(name) for name, _ in tokens)
    return {
        "general.architecture": _string("llama"),
        "general.alignment": _uint(ALIGNMENT),
        "llama.context_length": _uint(CONTEXT_TOKENS),
        "llama.embedding_length": _uint(WIDTH),
        "llama.block_count": _uint(LAYERS),
        "llama.feed_forward_length": _uint(2 * WIDTH),
        "llama.attention.head_count": _uint(4),
        "llama.attention.head_count_kv": _uint(4),
        "llama.attention.layer_norm_rms_epsilon": struct.pack("<If", _FLOAT32, 1e-5),
        "llama.rope.dimension_count": _uint(WIDTH // 4),
        "llama.vocab_size": _uint(count),
        "tokenizer.ggml.model": _string("llama"),
        "tokenizer.ggml.tokens": struct.pack("<IIQ", _ARRAY, _STRING, count) + names,
        "tokenizer.ggml.scores": struct.pack(f"<IIQ{count}f", _ARRAY, _FLOAT32, count, *[0.0] * count),
        "tokenizer.ggml.token_type": struct.pack(f"<IIQ{count}i", _ARRAY, _INT32, count, *(kind for _, kind in tokens)),
        "tokenizer.ggml.unknown_token_id": _uint(0),
        "tokenizer.ggml.bos_token_id": _uint(1),
        "tokenizer.ggml.eos_token_id": _uint(2),
        "tokenizer.chat_template": _string(TEMPLATE),
    }


def _tensors(rng: np.random.Generator) -> Iterator[tuple[str, np.ndarray]]:
    def drawn(*shape: int) -> np.ndarray:
        return (0.05 * rng.standard_normal(shape)).astype(np.float32)

    ones = np.ones(WIDTH, dtype=np.float32)
    vocabulary = len(_tokens())
    yield "token_embd.weight", drawn(vocabulary, WIDTH)
    for layer in range(LAYERS):
        block = f"blk.{layer}"
        yield f"{block}.attn_norm.weight", ones
        for name in ("attn_q", "attn_k", "attn_v", "attn_output"):
            yield f"{block}.{name}.weight", drawn(WIDTH, WIDTH)
        yield f"{block}.ffn_norm.weight", ones
        yield f"{block}.ffn_gate.weight", drawn(2 * WIDTH, WIDTH)
        yield f"{block}.ffn_up.weight", drawn(2 * WIDTH, WIDTH)
        yield f"{block}.ffn_down.weight", drawn(WIDTH, 2 * WIDTH)
    yield "output_norm.weight", ones
    yield "output.weight", drawn(vocabulary, WIDTH)
