"""llama.cpp's server as a process, with the tiny model in it."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import re
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from engines import tiny
from engines.install import llama_server

START_S = 60.0
SLOTS = 2

LETTERS = "root ::= [a-z ]+"
"""What the model may say: of random weights, it would not stay within UTF-8."""


class LlamaServer(NamedTuple):
    """A running server."""

    port: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def get(self, path: str) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request("GET", path)
            response = connection.getresponse()
            return response.status, response.read()
        finally:
            connection.close()

    def load(self) -> tuple[int, int]:
        """Calls that it works on, and calls that wait."""
        text = self.get("/metrics")[1].decode()
        found = {name: re.search(rf"^llamacpp:requests_{name} (\d+)", text, re.MULTILINE) for name in NAMES}
        return tuple(int(match[1]) if match else -1 for match in found.values())  # type: ignore[return-value]

    def wait_for_load(self, running: int, waiting: int) -> None:
        """Return once it has so many calls."""
        ends_at = time.monotonic() + START_S
        while self.load() != (running, waiting):
            assert time.monotonic() < ends_at, f"the engine has {self.load()} calls, not {(running, waiting)}"


NAMES = ("processing", "deferred")


def body(max_tokens: int, *, model: str = "tiny", text: str = "hello", **more: Any) -> bytes:
    """A question whose answer has exactly so many tokens."""
    turn = {"role": "user", "content": text}
    fields = {"model": model, "messages": [turn], "max_tokens": max_tokens, "ignore_eos": True}
    return json.dumps({**fields, **more}).encode()


@contextlib.contextmanager
def serving(folder: Path) -> Iterator[LlamaServer]:
    """A server with two slots in front of a model that it finds in `folder`; its log is there too."""
    model = folder / "tiny.gguf"
    tiny.write(model)
    with socket.create_server(("127.0.0.1", 0)) as free:
        server = LlamaServer(free.getsockname()[1])
    binary = llama_server()
    options = {"--model": str(model), "--port": str(server.port), "--parallel": str(SLOTS), "--grammar": LETTERS}
    sizes = {"--ctx-size": str(SLOTS * tiny.CONTEXT_TOKENS), "--threads": "1", "--threads-batch": "1"}
    command = [
        str(binary),
        *(part for pair in {**options, **sizes}.items() for part in pair),
        "--metrics",
        "--no-webui",
    ]
    env = {"PATH": os.environ["PATH"], "HOME": str(folder), "LD_LIBRARY_PATH": str(binary.parent)}
    log = folder / "llama-server.log"
    with (
        log.open("wb") as said,
        subprocess.Popen(command, env=env, stdout=said, stderr=subprocess.STDOUT) as process,
    ):
        try:
            _until_healthy(server, process, log)
            yield server
        finally:
            process.terminate()
            process.wait(START_S)


def _until_healthy(server: LlamaServer, process: subprocess.Popen[bytes], log: Path) -> None:
    ends_at = time.monotonic() + START_S
    while time.monotonic() < ends_at and process.poll() is None:
        with contextlib.suppress(OSError):
            if server.get("/health")[0] == 200:
                return
        time.sleep(0.05)
    raise AssertionError(f"llama-server did not come up: {log.read_text(errors='replace')[-2000:]}")
