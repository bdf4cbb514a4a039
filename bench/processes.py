"""The processes of the bench: the mock, the load generator, nginx and the gateway, and what they cost.

CPU and memory are read from /proc, so the bench runs on Linux only. The server under test gets a core of its own
where there are two; mock and load generator share another.
"""

from __future__ import annotations

import contextlib
import os
import platform
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Self

import msgspec

import bodies
from load import Job, Result

HERE = Path(__file__).parent
HOST = "127.0.0.1"
START_S = 20.0
SETTLE_S = 2.0
_TICK_S = 1 / os.sysconf("SC_CLK_TCK")

NGINX = """\
daemon off; worker_processes 1; pid {folder}/nginx.pid; error_log stderr crit; {user}
events {{ worker_connections 1024; }}
http {{
  access_log off; client_max_body_size 64m; client_body_buffer_size 1m; keepalive_requests 1000000000;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  upstream mock {{ server 127.0.0.1:{upstream}; keepalive 64; keepalive_requests 1000000000; }}
  server {{
    listen 127.0.0.1:{port};
    location / {{
      proxy_pass http://mock; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_buffering off;
    }}
  }}
}}
"""
CONFIG = """\
[server]
port = {port}
data = "{folder}/data"

[routing]
mode = "active"
baseline = "{baseline}"

[providers.mock]
base_url = "http://127.0.0.1:{upstream}"
dialects = ["messages"]

[models."{baseline}"]
provider = "mock"
price = {{ input_usd_per_mtok = 5.0, output_usd_per_mtok = 25.0 }}

[models."{cheap}"]
provider = "mock"
tier = "cheap"
price = {{ input_usd_per_mtok = 0.5, output_usd_per_mtok = 2.5 }}
"""


class BenchError(Exception):
    """The bench cannot run; the message says what to do."""


class Target:
    """A server under test."""

    def __init__(self, name: str, port: int, process: subprocess.Popen[bytes]) -> None:
        self.name = name
        self.port = port
        self.process = process

    def cpu_s(self) -> float:
        """CPU seconds that its process tree has used so far."""
        return sum(_cpu_s(pid) for pid in _tree(self.process.pid))

    def settle(self) -> None:
        """Wait until it has nothing left to do, e.g. ledger rows to write, at most `SETTLE_S`."""
        until = time.monotonic() + SETTLE_S
        before = self.cpu_s()
        while time.monotonic() < until:
            time.sleep(0.1)
            now = self.cpu_s()
            if now - before <= _TICK_S:
                return
            before = now

    def memory_mb(self, field: str = "VmRSS") -> float:
        """Resident memory of its process tree in MiB: `VmRSS` now, `VmHWM` at its highest."""
        return sum(_status_kb(pid, field) for pid in _tree(self.process.pid)) / 1024


def _tree(root: int) -> list[int]:
    """`root` and its descendants."""
    parents: dict[int, int] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                parents[int(entry.name)] = int(_stat(int(entry.name))[1])
    found = [root]
    for pid in found:
        found += [child for child, parent in parents.items() if parent == pid]
    return found


def _stat(pid: int) -> list[str]:
    """The fields of /proc/PID/stat from the third (state) on; the second may hold spaces."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()


def _cpu_s(pid: int) -> float:
    fields = _stat(pid)
    return (int(fields[11]) + int(fields[12])) * _TICK_S


def _status_kb(pid: int, field: str) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1])
    return 0


class Cores:
    """Which core is whose; None where there are no two to give."""

    def __init__(self) -> None:
        self._all = os.sched_getaffinity(0)
        two = sorted(self._all)[:2]
        self.load, self.server = two if len(two) == 2 else (None, None)

    @contextlib.contextmanager
    def on(self, core: int | None) -> Iterator[None]:
        """Processes started inside run on `core`."""
        if core is not None:
            os.sched_setaffinity(0, {core})
        try:
            yield
        finally:
            os.sched_setaffinity(0, self._all)


def machine() -> str:
    """CPU, cores, Python and load average, on one line."""
    info = Path("/proc/cpuinfo").read_text()
    model = next((line.partition(":")[2].strip() for line in info.splitlines() if "model name" in line), "unknown CPU")
    load = ", ".join(f"{value:.2f}" for value in os.getloadavg())
    return f"{model}, {os.cpu_count()} cores, Python {platform.python_version()}, load average {load}"


def refuse_if_not_linux() -> None:
    """Raise where /proc cannot be read."""
    if sys.platform != "linux":
        raise BenchError("the bench reads CPU and memory from /proc: run it on Linux")


def refuse_occupied(ports: list[int]) -> None:
    """Raise if something listens on one of the ports: its answers would be measured instead."""
    for port in ports:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((HOST, port))
            except OSError:
                raise BenchError(f"port {port} is taken: stop what listens there, or give another --port") from None


class Bench:
    """The processes of one bench; leaving stops them."""

    def __init__(self, folder: Path, first_port: int) -> None:
        self.folder = folder
        self.cores = Cores()
        self.ports = [first_port, first_port + 1, first_port + 2]
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> Self:
        refuse_if_not_linux()
        refuse_occupied(self.ports)
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def mock(self) -> Target:
        """Start the mock upstream."""
        command = [sys.executable, str(HERE / "mock_upstream.py"), str(self.ports[0])]
        return self._server("direct", self.ports[0], command, self.cores.load)

    def nginx(self) -> Target | None:
        """Start nginx as a plain reverse proxy; None where it is not installed."""
        binary = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")
        if binary is None:
            return None
        user = "user root;" if os.geteuid() == 0 else ""  # else its worker may not enter the temporary folder
        config = self.folder / "nginx.conf"
        config.write_text(NGINX.format(folder=self.folder, user=user, upstream=self.ports[0], port=self.ports[1]))
        command = [binary, "-p", str(self.folder), "-c", str(config)]
        return self._server("nginx", self.ports[1], command, self.cores.server)

    def lanewise(self) -> Target:
        """Start the gateway with everything on: ledger, metrics, log, routing to a cheaper model."""
        config = self.folder / "lanewise.toml"
        config.write_text(
            CONFIG.format(
                folder=self.folder,
                port=self.ports[2],
                upstream=self.ports[0],
                baseline=bodies.BASELINE,
                cheap=bodies.CHEAP,
            )
        )
        command = [sys.executable, "-m", "lanewise", "serve", "--config", str(config)]
        return self._server("lanewise", self.ports[2], command, self.cores.server)

    def load(self) -> LoadGenerator:
        """Start the load generator."""
        with self.cores.on(self.cores.load):
            process = subprocess.Popen(
                [sys.executable, str(HERE / "load.py")], stdin=subprocess.PIPE, stdout=subprocess.PIPE
            )
        self._stack.callback(_stop, process)
        return LoadGenerator(process)

    def _server(self, name: str, port: int, command: list[str], core: int | None) -> Target:
        log = self.folder / f"{name}.log"
        environment = {key: value for key, value in os.environ.items() if not key.startswith(("LANEWISE_", "OTEL_"))}
        with log.open("wb") as output, self.cores.on(core):
            process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=environment, cwd=self.folder
            )
        self._stack.callback(_stop, process)
        until = time.monotonic() + START_S
        while not _answers(port):
            if process.poll() is not None or time.monotonic() > until:
                raise BenchError(f"{name} did not start:\n{log.read_text()[-2000:]}")
            time.sleep(0.05)
        return Target(name, port, process)


class LoadGenerator:
    """The load process, one job at a time."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process

    def run(self, job: Job) -> Result:
        """Do `job`; a wrong answer ends the bench, since the figures would be those of an error path."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(msgspec.json.encode(job) + b"\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise BenchError("the load generator ended; its error stands above")
        result = msgspec.json.decode(line, type=Result)
        if result.failure or not result.count:
            raise BenchError(f"port {job.port} answered wrongly: {result.failure or 'not at all'}")
        return result


def _answers(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection((HOST, port), timeout=1):
        return True
    return False


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(timeout=10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
