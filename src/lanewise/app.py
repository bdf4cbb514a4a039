"""The composition root: builds every object once, wires them, owns start and stop. Read it to see what runs.

Start: settings, database, ledger writer, prices, classifier, transport, router, gateway, server. Stop, in reverse:
streams finish, the ledger is flushed, connections close.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import functools
import gc
import logging
import random
import signal
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from lanewise.classify import Classifier
from lanewise.classify.encoder import HEAD_FILE, SkillEncoder
from lanewise.config import Loaded, Settings
from lanewise.errors import LanewiseError, StartError
from lanewise.gateway import Gateway, Handler, application, bound_socket, is_loopback, server
from lanewise.journey import CallRecord, Dialect
from lanewise.ledger import LedgerWriter, recent, spent_since
from lanewise.money import PriceBook
from lanewise.router import Experience, Router, SecondOpinion, Spending, Threaded, World
from lanewise.select import Priors
from lanewise.store import Database, open_database
from lanewise.telemetry import Telemetry, export_span, log_call, log_refusal, tracer_for
from lanewise.upstream import Health, Hosted, HttpTransport, QueueWatch, Transport
from lanewise.upstream.discovery import is_ourselves

log = logging.getLogger("lanewise")

RELOAD_CHECK_S = 2.0
"""How often the config files are looked at; a change is served within this time."""

LEDGER_CLOSE_S = 10.0

REMEMBERED_CALLS = 3_000
"""Calls of the ledger that beliefs are made of at a start: a day or two of one developer, read in under a second."""

SPENT_CHECK_S = 30.0
"""How old the sum may be that other replicas have spent of a key's budget."""


def utcnow() -> dt.datetime:
    """The process's wall clock."""
    return dt.datetime.now(dt.UTC)


def new_event_loop() -> asyncio.AbstractEventLoop:
    """Uvloop's where it exists (not on Windows)."""
    try:
        import uvloop  # noqa: PLC0415 - absent on Windows
    except ImportError:
        return asyncio.new_event_loop()
    return uvloop.new_event_loop()


class Books:
    """Where finished calls go: ledger, metrics, log, spans."""

    def __init__(self, writer: LedgerWriter, telemetry: Telemetry, env: Mapping[str, str], style: str) -> None:
        self._writer = writer
        self._telemetry = telemetry
        self._style = style
        self._latest_names = "gen_ai_latest_experimental" in env.get("OTEL_SEMCONV_STABILITY_OPT_IN", "")
        try:
            self._tracer = tracer_for(env)
        except ImportError:
            self._tracer = None
            log.warning("an OTLP endpoint is configured but not the exporter: pip install 'lanewise[otel]'")

    def record(self, call: CallRecord) -> None:
        """Take one call."""
        self._writer.record(call)
        self._telemetry.call_finished(call)
        log_call(call, style=self._style)
        if self._tracer is not None:
            export_span(self._tracer, call, latest_names=self._latest_names)

    def policy(self, policy_id: str, document: str) -> None:
        """A configuration decides from now on."""
        self._writer.policy(policy_id, document)

    def routing_failed(self) -> None:
        """A bug of ours sent a call to the baseline."""
        self._telemetry.routing_failed()

    def asked(self, source: str, outcome: str) -> None:
        """A second opinion was asked for."""
        self._telemetry.asked(source, outcome)

    def refused(self, call_id: str, dialect: Dialect | None, error: LanewiseError) -> None:
        """A call was refused before it was routed: it has no decision and so no row, but the operator hears of it."""
        self._telemetry.refused(dialect, error.code)
        log_refusal(call_id, dialect, error, style=self._style)


class App:
    """One running gateway."""

    def __init__(
        self,
        settings: Settings,
        *,
        port: int,
        env: Mapping[str, str],
        database: Database,
        transport: Transport,
        prices: PriceBook,
        opinions: tuple[SecondOpinion, ...],
    ) -> None:
        self.settings = settings
        self.port = port
        self.database = database
        self._env = env
        self._prices = prices
        self._transport = transport
        self.writer = LedgerWriter(database, time.monotonic)
        self._telemetry = Telemetry(
            models=lambda: self.router.world.settings.models, providers=lambda: self.router.world.providers
        )
        self.health = Health(
            threshold=settings.upstream.breaker_failures,
            open_s=settings.upstream.breaker_open_s,
            monotonic=time.monotonic,
        )
        self.spending = Spending()
        self.experience = Experience(Priors.load())
        self.queues = QueueWatch(transport=transport, health=self.health, monotonic=time.monotonic)
        books = Books(self.writer, self._telemetry, env, settings.server.log)
        self.router = Router(
            world=World(settings, env, prices, opinions=opinions),
            classifier=Classifier.load(),
            transport=transport,
            health=self.health,
            recorder=books,
            experience=self.experience,
            watch=self.queues,
            spending=self.spending,
            monotonic=time.monotonic,
            utcnow=utcnow,
            rng=random.Random(),  # noqa: S311 - jitter and ids, not secrets
        )
        self.asgi = Gateway(
            Handler(self.router, monotonic=time.monotonic, utcnow=utcnow, refused=books.refused),
            application(self.router, self, utcnow=utcnow),
            body_timeout_s=lambda: self.router.world.settings.server.body_timeout_s,
        )
        self.queues.use(self.router.world.providers.values(), env)

    def use(self, settings: Settings) -> None:
        """Serve the next calls under `settings`; address and database stay those of the start.

        Raises:
            StartError: A gateway that others can reach would be left without keys, or would call itself.
            LanewiseError: As of `second_opinions`.
        """
        where = self.settings.server
        if not settings.keys and not is_loopback(where.host):
            raise StartError(
                f"no keys are left, and {where.host!r} can be reached from other machines",
                hint="keep one [keys.NAME], or restart on 127.0.0.1",
            )
        _refuse_loop(settings, where.host, self.port)
        opinions = second_opinions(settings, self._env, self._transport)
        self.router.use(World(settings, self._env, self._prices, opinions=opinions))
        self.queues.use(self.router.world.providers.values(), self._env)

    def problems(self) -> list[str]:
        """Why calls cannot be served properly now."""
        found = []
        if not self.router.world.providers:
            found.append("no provider is configured")
        if self._lost():
            found.append(f"the ledger lost {self._lost()} calls; see the log")
        return found

    def scrape(self) -> bytes:
        """The text of /metrics."""
        return self._telemetry.scrape(
            breakers=self.health.states(),
            in_flight=self.health.in_flight(),
            engines={name: (seen.reading.running, seen.reading.waiting) for name, seen in self.queues.known().items()},
            refusing=self.health.refusing(),
            dropped=self._lost(),
        )

    def _lost(self) -> int:
        return self.writer.dropped + self.writer.refused


def data_dir(settings: Settings) -> Path:
    """The folder of the ledger and of updated prices."""
    return Path(settings.server.data).expanduser()


def database_url(settings: Settings) -> str:
    """Where the ledger is: the configured URL, or a file in the data folder."""
    return settings.server.database_url or str(data_dir(settings) / "ledger.db")


def second_opinions(settings: Settings, env: Mapping[str, str], transport: Transport) -> tuple[SecondOpinion, ...]:
    """Who is asked where the student is unsure, in this order; nobody by default.

    Raises:
        InputError: The encoder's folder cannot be used.
        StartError: The key of the hosted classifier is not set.
        ConfigError: Its price is no amount.
    """
    found: list[SecondOpinion] = []
    if settings.classify.encoder:
        folder = Path(settings.classify.encoder).expanduser()
        head = folder / HEAD_FILE
        found.append(_encoder(folder, head.stat().st_mtime if head.exists() else 0.0))
    if settings.classify.hosted is not None:
        found.append(Hosted.of(settings.classify.hosted, env, transport))
    return tuple(found)


@functools.lru_cache(maxsize=1)
def _encoder(folder: Path, learnt_at: float) -> SecondOpinion:  # noqa: ARG001 - a new head is another encoder
    """The encoder in `folder`. Loading stops the loop for 0.1 to 0.5 s: not at each reload, only where it changed."""
    return Threaded(SkillEncoder.load(folder).read)


@asynccontextmanager
async def running(settings: Settings, *, env: Mapping[str, str]) -> AsyncIterator[tuple[App, str]]:
    """A gateway that listens, as (app, base URL); leaving drains the streams and flushes the ledger.

    Raises:
        StartError: The address cannot be used.
        LanewiseError: As of `second_opinions`.
        StoreError: The ledger's database cannot be used.
        ConfigError: A price in the data folder cannot be read.
    """
    where = settings.server
    listener = bound_socket(where.host, where.port, has_keys=bool(settings.keys))
    host, port = listener.getsockname()[:2]
    transport = HttpTransport(connect_s=settings.upstream.connect_s)
    try:
        _refuse_loop(settings, host, port)
        opinions = second_opinions(settings, env, transport)
        database = open_database(database_url(settings))
    except LanewiseError:
        listener.close()
        raise
    app = App(
        settings,
        port=port,
        env=env,
        database=database,
        transport=transport,
        prices=PriceBook.load(data_dir(settings)),
        opinions=opinions,
    )
    app.writer.start()
    http = server(app.asgi, drain_s=where.drain_s, body_timeout_s=where.body_timeout_s)
    serving = asyncio.create_task(http.serve(sockets=[listener]))
    beside = [asyncio.create_task(work) for work in (app.queues.run(), _remembering(app), _counting_money(app))]
    try:
        yield app, f"http://{f'[{host}]' if ':' in host else host}:{port}"
    finally:
        http.should_exit = True
        await serving
        for task in beside:
            task.cancel()
        await asyncio.wait(beside)
        await transport.close()
        await asyncio.to_thread(app.writer.close, LEDGER_CLOSE_S)
        database.close()


async def _remembering(app: App) -> None:
    """Learn again what the ledger's latest calls taught before the last stop."""
    try:
        calls = await asyncio.to_thread(recent, app.database, REMEMBERED_CALLS)
        for call in reversed(calls):
            app.experience.learn(call)
            await asyncio.sleep(0)  # live calls come first
    except Exception as error:  # noqa: BLE001 - what it teaches is worth no start
        log.warning("beliefs begin with public outcomes only: %s", type(error).__name__)


async def _counting_money(app: App) -> None:
    """Where keys have budgets, ask the ledger what they spent today: before this start, or through other replicas."""
    while True:
        if any(key.budget_usd_per_day is not None for key in app.router.world.settings.keys.values()):
            now = utcnow()
            try:
                spent = await asyncio.to_thread(spent_since, app.database, _midnight(now))
                app.spending.known(spent, now)
            except LanewiseError as error:
                log.warning("what keys have spent is counted in this process only: %s", error)
        await asyncio.sleep(SPENT_CHECK_S)


def _midnight(now: dt.datetime) -> dt.datetime:
    return now.astimezone(dt.UTC).replace(hour=0, minute=0, second=0, microsecond=0)


def _refuse_loop(settings: Settings, host: str, port: int) -> None:
    for name, row in settings.providers.items():
        if is_ourselves(row.base_url, host, port):
            raise StartError(
                f"provider {name!r} has the base_url {row.base_url}, which is this gateway itself",
                hint="give it the provider's own address",
            )


async def serve(
    loaded: Loaded, *, env: Mapping[str, str], reload: Callable[[], Loaded], told: Callable[[str], None]
) -> None:
    """Run until SIGTERM or SIGINT; SIGHUP or a changed file reloads the config.

    Args:
        loaded: The configuration to start with.
        env: The process environment.
        reload: Reads the configuration again.
        told: Called with the base URL once the gateway listens.
    """
    stop, again = asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    loop.add_signal_handler(signal.SIGHUP, again.set)
    async with running(loaded.settings, env=env) as (app, url):
        gc.freeze()  # what the start made lives for ever: collections need not walk it
        told(url)
        watching = asyncio.create_task(_reloading(app, loaded, reload, again))
        await stop.wait()
        watching.cancel()
        log.info("stopping: streams under way may finish")


async def _reloading(app: App, loaded: Loaded, reload: Callable[[], Loaded], again: asyncio.Event) -> None:
    """Swap the settings on SIGHUP or when a file changed; a bad file keeps the old ones and says why."""
    seen = _stamps(loaded)
    while True:
        try:
            async with asyncio.timeout(RELOAD_CHECK_S):
                await again.wait()
        except TimeoutError:
            if _stamps(loaded) == seen:
                continue
        again.clear()
        seen = _stamps(loaded)
        try:
            settings = reload().settings
            app.use(settings)
        except LanewiseError as error:
            log.error("config not reloaded, the old one stays:\n%s", error)  # noqa: TRY400 - told, not traced
        except Exception:
            log.exception("config not reloaded, the old one stays")  # the watch must outlive whatever a file holds
        else:
            log.info("config reloaded")
            if settings.server != loaded.settings.server:
                log.warning("[server] changed: address, data folder and drain time stay those of the start")


def _stamps(loaded: Loaded) -> tuple[float, ...]:
    return tuple(path.stat().st_mtime if path.exists() else 0.0 for path in loaded.files)
