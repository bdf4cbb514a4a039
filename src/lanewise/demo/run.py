"""The demo from start to end: providers up, config written, gateway up, the day played, the ledger read.

The gateway is the real one, built from a written config by the same code as `lanewise serve`, and reached by HTTP.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import json
from collections.abc import AsyncIterator
from importlib import resources
from pathlib import Path

from lanewise.app import App, data_dir, running
from lanewise.config import Settings, load
from lanewise.demo.day import Day, day
from lanewise.demo.drive import Driven, Driver
from lanewise.demo.minds import Minds
from lanewise.demo.providers import PROFILES, TIME_SCALE, Provider
from lanewise.demo.sessions import Player
from lanewise.demo.summary import Played, Summary, summarise
from lanewise.errors import StoreError
from lanewise.journey import Usage, Value
from lanewise.ledger.reports import report
from lanewise.money import PriceBook
from lanewise.store import Database

BASELINE = "claude-opus-5-5"
"""What every agent of the day is set up with; stands in `settings.toml` too."""

CONFIG_NAME = "demo.toml"

KEY_VARIABLE = "LANEWISE_DEMO_KEY"
"""Where `settings.toml` finds the simulated providers' key; set for the demo's gateway only."""

SETTLE_CHECKS = 100
SETTLE_PAUSE_S = 0.05
"""How often and how long to wait for the ledger's writer to write the day's last calls; 0.2 s is usual."""


class Place(Value, frozen=True, kw_only=True):
    """Where the demo keeps its state and listens."""

    data: Path
    database_url: str = ""
    """Empty = SQLite in `data`."""
    port: int = 0
    """0 lets the system choose."""


class Stage:
    """A running demo: a gateway at `url` before three simulated providers, and the day to play."""

    def __init__(self, day_: Day, minds: Minds, app: App, url: str) -> None:
        self.url = url
        self._day = day_
        self._minds = minds
        self._app = app

    async def play(self) -> Summary:
        """Play the day through the gateway and, beside it, by the baseline alone; then read the ledger.

        Raises:
            StoreError: The ledger cannot be read.
        """
        began = dt.datetime.now(dt.UTC)
        driven, alone, usages = await self._both(began)
        ended = dt.datetime.now(dt.UTC)
        await _settled(self._app.database, began, driven.calls)
        played = Played(
            seed=self._day.seed,
            sessions=len(self._day.sessions),
            failures=len(driven.failures),
            tasks=tuple(self._day.tasks().values()),
            verdicts=self._minds.verdicts,
            baseline=BASELINE,
            baseline_verdicts=alone.verdicts,
            baseline_usages=usages,
            began=began,
            ended=ended,
            latency_scale=TIME_SCALE,
            url=self.url,
        )
        return summarise(played, self._app.database, PriceBook.load(data_dir(self._app.settings)))

    async def _both(self, began: dt.datetime) -> tuple[Driven, Minds, tuple[Usage, ...]]:
        player = Player(self._day.seed, BASELINE, began.date().isoformat())
        alone = Minds(self._day)
        cloud = Provider(next(profile for profile in PROFILES if profile.name == "cloud"), alone)
        url = await cloud.start()
        try:
            async with asyncio.TaskGroup() as both:
                routed = both.create_task(Driver(self.url).drive(map(player.play, self._day.sessions)))
                both.create_task(Driver(url).drive(map(player.play, self._day.sessions)))
        finally:
            await cloud.close()
        return routed.result(), alone, tuple(cloud.usages)


@contextlib.asynccontextmanager
async def staged(seed: int, place: Place) -> AsyncIterator[Stage]:
    """Start the providers and the gateway; stop them at the end.

    Raises:
        StartError: The port is taken.
        StoreError: The state cannot be written or the ledger cannot be opened.
    """
    day_ = day(seed)
    minds = Minds(day_)
    async with contextlib.AsyncExitStack() as stack:
        urls = {}
        for profile in PROFILES:
            provider = Provider(profile, minds)
            urls[profile.name] = await provider.start()
            stack.push_async_callback(provider.close)
        settings = _settings(place, urls)
        app, url = await stack.enter_async_context(running(settings, env={KEY_VARIABLE: "simulated"}))
        yield Stage(day_, minds, app, url)


def _settings(place: Place, urls: dict[str, str]) -> Settings:
    """Write the demo's config into the data folder and read it back as a user's would be."""
    path = place.data / CONFIG_NAME
    template = resources.files(__package__).joinpath("settings.toml").read_text(encoding="utf-8")
    text = template.format(
        port=place.port,
        data=json.dumps(str(place.data), ensure_ascii=False),
        database_url=json.dumps(place.database_url),
        **urls,
    )
    try:
        place.data.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise StoreError(
            f"the demo cannot keep its state in {str(place.data)!r}: {error.strerror}",
            hint="set LANEWISE_DATA to a folder that can be written, or unset it",
        ) from None
    return load(env={}, config=path).settings


async def _settled(database: Database, began: dt.datetime, calls: int) -> None:
    """Wait until the ledger holds all `calls`; it is written off the request path."""
    for _ in range(SETTLE_CHECKS):
        if report(database, began, dt.datetime.now(dt.UTC), "lane").total.calls >= calls:
            return
        await asyncio.sleep(SETTLE_PAUSE_S)
