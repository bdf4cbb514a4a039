"""A Lanewise gateway as a process of its own, as a user starts it."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from queue import Empty, SimpleQueue

START_S = 30.0
STOP_S = 15.0

CONFIG = """
[server]
data = "{data}"
drain_s = 5

[providers.scripted]
base_url = "{upstream_url}"
dialects = ["messages", "chat", "responses", "gemini"]

# The agents name other models too, which nobody lists and which pass all the same.
[models."claude-opus-5-5"]
provider = "scripted"
"""


@contextlib.contextmanager
def serving(upstream_url: str, folder: Path) -> Iterator[str]:
    """The URL of a gateway in front of `upstream_url`; on the way out it has to end well on SIGTERM.

    Its state and its log (`gateway.log`) are in `folder`.
    """
    config = folder / "lanewise.toml"
    config.write_text(CONFIG.format(data=folder / "data", upstream_url=upstream_url), encoding="utf-8")
    command = [sys.executable, "-m", "lanewise", "serve", "--config", str(config), "--port", "0"]
    env = {"PATH": os.environ["PATH"], "HOME": str(folder)}
    said: SimpleQueue[str] = SimpleQueue()
    with (
        (folder / "gateway.log").open("w", encoding="utf-8") as log,
        subprocess.Popen(command, env=env, stderr=subprocess.STDOUT, stdout=subprocess.PIPE, text=True) as process,
    ):
        assert process.stdout is not None
        listener = threading.Thread(target=_listen, args=(process.stdout, log, said))
        listener.start()
        try:
            yield said.get(timeout=START_S)
        except Empty:
            raise AssertionError(f"the gateway said no URL: {(folder / 'gateway.log').read_text()}") from None
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                code = process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                process.kill()
                raise
            finally:
                listener.join()
    assert code == 0, f"the gateway ended with {code}: {(folder / 'gateway.log').read_text()}"


def _listen(lines: Iterator[str], log: object, said: SimpleQueue[str]) -> None:
    for line in lines:
        print(line, end="", file=log, flush=True)  # type: ignore[call-overload]
        if found := re.search(r"http://127\.0\.0\.1:\d+", line):
            said.put(found[0])
