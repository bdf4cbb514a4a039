"""What `doctor` looks at, one function per thing. Nothing here costs money: no provider is asked for an answer."""

from __future__ import annotations

import datetime as dt
import email.utils
import http.client
import json
import os
import shutil
import tempfile
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Literal, NamedTuple

from lanewise import app
from lanewise.cli.agents import AGENTS, Agent, state
from lanewise.cli.settings import gateway_url, open_ledger
from lanewise.config import ProviderSettings, Settings
from lanewise.errors import LanewiseError
from lanewise.journey import Value
from lanewise.money import PriceBook

REACH_S = 5.0
"""Longest wait for a provider's or the gateway's answer to an empty request: ten times a slow TLS handshake."""

OLD_PRICES = dt.timedelta(days=60)
"""Vendors change a price every few weeks; a list older than this has missed some. Judgement, not measurement."""

CLOCK_SKEW = dt.timedelta(minutes=5)
"""More than this and times in the ledger, clock prices and deadlines are wrong, and TLS soon follows."""


class Check(Value, frozen=True, kw_only=True):
    """One finding."""

    name: str
    state: Literal["ok", "note", "failed"]
    what: str
    run: str = ""
    """The command, or the first step, that mends it."""


def folder(settings: Settings) -> Check:
    """Whether the data folder can be written."""
    path = app.data_dir(settings)
    existing = next(p for p in (path, *path.absolute().parents) if p.exists())
    try:
        with tempfile.TemporaryFile(dir=existing):
            pass
    except OSError as error:
        what = f"{existing} cannot be written: {error.strerror}"
        return Check(name="data folder", state="failed", what=what, run=f"ls -ld {existing}")
    made = str(path) if existing == path else f"{path}, made at the first start"
    return Check(name="data folder", state="ok", what=made)


def ledger(settings: Settings) -> Check:
    """Whether the ledger's database opens."""
    try:
        database = open_ledger(settings)
    except LanewiseError as error:
        return Check(name="ledger", state="failed", what=error.message, run=error.hint or "lanewise config show")
    if database is None:
        return Check(name="ledger", state="ok", what="none yet: `lanewise serve` makes it")
    database.close()
    return Check(name="ledger", state="ok", what=database.name)


def prices(settings: Settings, now: dt.datetime) -> Iterator[Check]:
    """How old the price list is, and whether the clock is past its date."""
    try:
        book = PriceBook.load(app.data_dir(settings))
    except LanewiseError as error:
        yield Check(name="prices", state="failed", what=error.message, run="lanewise prices update --from FILE --yes")
        return
    age = now.date() - book.prices.date
    if age < dt.timedelta(days=-1):
        what = f"the clock says {now:%Y-%m-%d}, before the price list of {book.prices.date} was made"
        yield Check(name="clock", state="failed", what=what, run="timedatectl status")
    what = f"{book.snapshot}, {max(0, age.days)} days old"
    if age > OLD_PRICES:
        yield Check(name="prices", state="note", what=what, run="lanewise prices update --from FILE")
    else:
        yield Check(name="prices", state="ok", what=what)


def port(settings: Settings) -> Check:
    """Whether a gateway answers at the configured address, and which."""
    url, number = gateway_url(settings), settings.server.port
    if number == 0:
        return Check(name="gateway", state="ok", what="port 0: the system chooses one at every start")
    connection = http.client.HTTPConnection(
        url.removeprefix("http://").rpartition(":")[0].strip("[]"), number, timeout=REACH_S
    )
    try:
        connection.request("GET", "/api/hello")
        answer = json.loads(connection.getresponse().read(1 << 16))
        if answer["service"] == "lanewise":
            return Check(name="gateway", state="ok", what=f"version {answer['version']} answers at {url}")
    except ConnectionRefusedError:
        return Check(name="gateway", state="note", what=f"none at {url}, the port is free", run="lanewise serve")
    except (OSError, http.client.HTTPException, ValueError, KeyError, TypeError):
        pass  # something listens that is not a gateway
    finally:
        connection.close()
    what = f"something else answers at {url}"
    return Check(name="gateway", state="failed", what=what, run=f"lanewise serve --port {number % 65535 + 1}")


class _Reached(NamedTuple):
    problem: str
    date: dt.datetime | None


def providers(settings: Settings, stated: frozenset[str], env: Mapping[str, str], now: dt.datetime) -> Iterator[Check]:
    """Whether each provider is reached and has its key. `stated`: the ones that the configuration names."""
    if not settings.providers:
        yield Check(name="providers", state="failed", what="none", run="export ANTHROPIC_API_KEY=...")
        return
    rows = settings.providers
    with ThreadPoolExecutor(max_workers=min(16, len(rows))) as pool:
        answers = dict(zip(rows, pool.map(_reached, (row.base_url for row in rows.values())), strict=True))
    for name, row in rows.items():
        yield _provider(name, row, answers[name], env, stated=name in stated)
    dates = [answer.date for answer in answers.values() if answer.date]
    skew = min((abs(now - date) for date in dates), default=dt.timedelta())
    if skew > CLOCK_SKEW:
        what = f"it differs by {int(skew.total_seconds())} s from what providers say"
        yield Check(name="clock", state="failed", what=what, run="timedatectl status")
    elif dates:
        yield Check(name="clock", state="ok", what=f"within {int(CLOCK_SKEW.total_seconds())} s of the providers'")


def _provider(name: str, row: ProviderSettings, answer: _Reached, env: Mapping[str, str], *, stated: bool) -> Check:
    title = f"provider {name}"
    if row.api_key_env and not env.get(row.api_key_env):
        what = f"the variable {row.api_key_env} is not set"
        return Check(name=title, state="failed", what=what, run=f"export {row.api_key_env}=...")
    if answer.problem:
        asked = stated or bool(row.api_key_env)
        what = f"{_shown(row.base_url)} is not reached: {answer.problem}"
        run = f"curl -I {_shown(row.base_url)}"
        return Check(name=title, state="failed" if asked else "note", what=what, run=run)
    key = f"key from {row.api_key_env}" if row.api_key_env else "the client's own key"
    key = "no key needed" if row.lane == "local" and not row.api_key_env else key
    return Check(name=title, state="ok", what=f"{_shown(row.base_url)} is reached, {key}")


def _shown(url: str) -> str:
    """The address without a user and password."""
    scheme, _, rest = url.partition("://")
    return f"{scheme}://{rest.rpartition('@')[2]}"


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A redirect is an answer."""

    def redirect_request(self, *_: object) -> None:
        """Follow nothing."""


def _reached(url: str) -> _Reached:
    """Ask for the head of the base URL, without a credential; any HTTP answer will do."""
    request = urllib.request.Request(url, method="HEAD")  # noqa: S310 - the config allows http and https only
    opener = urllib.request.build_opener(_NoRedirect)
    try:
        with opener.open(request, timeout=REACH_S) as answer:
            return _Reached("", _date(answer.headers.get("date")))
    except urllib.error.HTTPError as error:
        with error:
            return _Reached("", _date(error.headers.get("date")))
    except urllib.error.URLError as error:
        return _Reached(str(getattr(error.reason, "strerror", None) or error.reason), None)
    except (OSError, http.client.HTTPException, ValueError) as error:
        return _Reached(str(error) or type(error).__name__, None)


def _date(header: str | None) -> dt.datetime | None:
    try:
        return email.utils.parsedate_to_datetime(header or "")
    except (TypeError, ValueError):
        return None


def agents(settings: Settings, env: Mapping[str, str], home: Path) -> Iterator[Check]:
    """Which agents are installed, and whether their settings point here."""
    url = gateway_url(settings)
    for agent in AGENTS.values():
        if check := _agent(agent, url, env, home):
            yield check


def _agent(agent: Agent, url: str, env: Mapping[str, str], home: Path) -> Check | None:
    title, command = f"agent {agent.name}", f"lanewise connect {agent.name}"
    installed = shutil.which(agent.program, path=env.get("PATH", os.defpath)) is not None
    if agent.place is None:
        what = "installed; its settings cannot be read from here"
        return Check(name=title, state="note", what=what, run=command) if installed else None
    kind, found = state(agent, env, home)
    if kind == "broken":
        return Check(name=title, state="failed", what=found, run=f"{command} --print, once the file is mended")
    if kind == "none":
        return Check(name=title, state="note", what="installed, not connected", run=command) if installed else None
    where = "" if installed else ", not found on PATH"
    if found == url:
        return Check(name=title, state="ok", what=f"connected to {url}{where}")
    return Check(name=title, state="failed", what=f"points at {found}, the gateway is at {url}{where}", run=command)
