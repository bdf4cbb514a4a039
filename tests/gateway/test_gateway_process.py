"""`lanewise serve` as a user starts it: signals, reloads, and starts that cannot work."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from queue import SimpleQueue
from threading import Thread

import pytest
from gateway_kit import WAIT_S, ask, body_of, everything, head_of, raw, stream_reply, until

from doubles import Fault, ScriptedUpstream
from lanewise.ledger import queries
from lanewise.store import open_database

CONFIG = """[server]
data = "{data}"
drain_s = 8

[providers.scripted]
base_url = "{url}"
dialects = ["messages", "chat", "responses"]

[routing]
mode = "observe"
"""


class Process:
    """A gateway process and what it says."""

    def __init__(self, folder: Path, *flags: str) -> None:
        self.folder = folder
        command = [sys.executable, "-m", "lanewise", "serve", "--config", "lanewise.toml", "--port", "0", *flags]
        env = {"PATH": os.environ["PATH"], "HOME": str(folder)}
        self.popen = subprocess.Popen(command, env=env, cwd=folder, stderr=subprocess.PIPE, text=True)
        self.said = ""
        self._lines: SimpleQueue[str] = SimpleQueue()
        self._listener = Thread(target=self._listen, daemon=True)
        self._listener.start()

    def _listen(self) -> None:
        assert self.popen.stderr is not None
        for line in self.popen.stderr:
            self._lines.put(line)
        self._lines.put("")

    def hears(self, pattern: str) -> re.Match[str]:
        """Wait for a line that matches."""
        while line := self._lines.get(timeout=WAIT_S):
            self.said += line
            if found := re.search(pattern, line):
                return found
        raise AssertionError(f"the gateway ended without {pattern!r}: {self.said}")

    @property
    def port(self) -> int:
        return int(self.hears(r"listens on http://127\.0\.0\.1:(\d+)")[1])

    def ended(self) -> int:
        """The exit code; all that was said is in `said`."""
        code = self.popen.wait(WAIT_S)
        self._listener.join(WAIT_S)
        while line := self._lines.get(timeout=WAIT_S):
            self.said += line
        return code


@contextlib.contextmanager
def serving(folder: Path, url: str, *flags: str) -> Iterator[Process]:
    config = folder / "lanewise.toml"
    if not config.exists():
        config.write_text(CONFIG.format(data=folder / "data", url=url))
    process = Process(folder, *flags)
    try:
        yield process
    finally:
        process.popen.kill()
        process.popen.wait(WAIT_S)
        process._listener.join(WAIT_S)
        assert process.popen.stderr is not None
        process.popen.stderr.close()


@pytest.fixture
def slow_upstream() -> Iterator[ScriptedUpstream]:
    """Streams one event and then nothing until it is released."""
    reply = stream_reply("messages", fault=Fault(what="stall", after="pieces", count=1))
    with ScriptedUpstream(lambda _: reply) as server:
        yield server


def recorded(folder: Path) -> list[tuple[int, str]]:
    """(status, error) of every call in the ledger, oldest first."""
    database = open_database(folder / "data" / "ledger.db")
    try:
        database.check()
        return [(call.outcome.status, call.outcome.error) for call in reversed(queries.recent(database, 100))]
    finally:
        database.close()


def test_sigterm_lets_open_streams_finish_and_the_ledger_has_them(
    tmp_path: Path, slow_upstream: ScriptedUpstream
) -> None:
    with serving(tmp_path, slow_upstream.url) as process, contextlib.ExitStack() as stack:
        port = process.port
        peers = [stack.enter_context(raw(port)) for _ in range(3)]
        for peer in peers:
            peer.sendall(head_of("messages", body_of("messages")))
            until(peer, b"message_start")
        process.popen.send_signal(signal.SIGTERM)
        process.hears("stopping")
        slow_upstream.release()
        for peer in peers:
            assert b"message_stop" in everything(peer)
        assert process.ended() == 0
    assert recorded(tmp_path) == [(200, "")] * 3


def test_after_kill_9_the_ledger_opens_and_has_every_call_that_was_written(tmp_path: Path) -> None:
    with ScriptedUpstream(lambda _: stream_reply("chat")) as upstream, serving(tmp_path, upstream.url) as process:
        port = process.port
        for _ in range(20):
            assert ask(port, "chat").status == 200
        database = open_database(tmp_path / "data" / "ledger.db")
        while len(queries.recent(database, 100)) < 20:  # the writer commits a few times a second
            assert process.popen.poll() is None
        database.close()
        with raw(port) as peer:
            peer.sendall(head_of("chat", body_of("chat")))
            process.popen.kill()
        process.popen.wait(WAIT_S)
    calls = recorded(tmp_path)
    assert calls[:20] == [(200, "")] * 20
    assert len(calls) <= 21


def test_sighup_serves_a_good_config_and_keeps_the_old_one_of_a_bad(tmp_path: Path) -> None:
    config = tmp_path / "lanewise.toml"
    first, second = (
        stream_reply("chat", headers=((b"content-type", b"text/event-stream"), (b"x-from", n))) for n in (b"1", b"2")
    )
    with (
        ScriptedUpstream(lambda _: first) as one,
        ScriptedUpstream(lambda _: second) as two,
        serving(tmp_path, one.url) as process,
    ):
        port = process.port
        assert ask(port, "chat").headers["x-from"] == "1"
        config.write_text(CONFIG.format(data=tmp_path / "data", url=two.url))
        process.popen.send_signal(signal.SIGHUP)
        process.hears("config reloaded")
        assert ask(port, "chat").headers["x-from"] == "2"
        for text, told in (
            (
                CONFIG.format(data="d", url=one.url).replace('"observe"', '"bold"'),
                r"lanewise\.toml:10: .*`routing\.mode`",
            ),
            ("[server\n", r"lanewise\.toml:1: .*this is not TOML"),
        ):
            config.write_text(text)
            process.popen.send_signal(signal.SIGHUP)
            process.hears("config not reloaded, the old one stays")
            process.hears(told)
            assert ask(port, "chat").headers["x-from"] == "2"


def refused(folder: Path, *flags: str, config: str | None = None) -> str:
    """What `serve` says where it cannot start; it ends with 1, at once and without a traceback."""
    if config is not None:
        (folder / "lanewise.toml").write_text(config)
    with serving(folder, "http://127.0.0.1:9", *flags) as process:
        assert process.ended() == 1
        assert "Traceback" not in process.said
        return process.said


def test_a_taken_port_is_named_with_a_free_one_beside_it(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        said = refused(tmp_path, "--port", str(port))
    assert f"port {port} on 127.0.0.1 is taken" in said
    assert f"use --port {port + 1}" in said


def test_a_public_address_without_keys_is_refused(tmp_path: Path) -> None:
    said = refused(tmp_path, "--host", "0.0.0.0")
    assert "can be reached from other machines and no keys are configured" in said
    assert "hint: listen on 127.0.0.1, or add [keys.NAME]" in said


def test_a_data_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    said = refused(tmp_path, "--data", str(tmp_path / "file" / "data"))
    assert f"cannot create the folder '{tmp_path}/file/data' of the ledger" in said
    assert "LANEWISE_DATA" in said


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_data_folder_is_named(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir(mode=0o500)
    said = refused(tmp_path)
    assert f"cannot use the ledger '{data}/ledger.db'" in said


def test_a_damaged_ledger_is_left_alone_and_named(tmp_path: Path) -> None:
    ledger = tmp_path / "data" / "ledger.db"
    ledger.parent.mkdir()
    ledger.write_bytes(b"this is no database" * 1000)
    said = refused(tmp_path)
    assert f"cannot use the ledger '{ledger}': the file is damaged or not a SQLite database" in said
    assert ledger.read_bytes() == b"this is no database" * 1000


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (('mode = "observe"', 'mode = "bold"'), r"lanewise\.toml:10: `routing\.mode`: Invalid enum value 'bold'"),
        (
            ('mode = "observe"', 'mod = "observe"'),
            r"lanewise\.toml:10: unknown setting `routing\.mod`; hint: did you mean `mode`\?",
        ),
        (("drain_s = 8", "drain_s = -8"), r"lanewise\.toml:3: `server\.drain_s`: Expected `float` >= 0"),
        (("[routing]", "[routing"), r"lanewise\.toml:9: .*hint: this is not TOML"),
        (("base_url = ", "# "), r"lanewise\.toml:5: .*base_url"),
    ],
    ids=["value", "name", "range", "syntax", "missing"],
)
def test_a_mistake_in_the_config_is_told_by_file_and_line(change: tuple[str, str], told: str, tmp_path: Path) -> None:
    text = CONFIG.format(data=tmp_path / "data", url="http://127.0.0.1:9").replace(*change)
    assert re.search(told, refused(tmp_path, config=text))


def test_all_mistakes_of_a_config_are_told_at_once(tmp_path: Path) -> None:
    text = '[server]\nport = "x"\nhots = 1\n[routing]\nsplit = 7\n[models.m]\nprovider = "nobody"\n'
    said = refused(tmp_path, config=text)
    assert re.findall(r"lanewise\.toml:(\d+):", said) == ["2", "3", "5"]
