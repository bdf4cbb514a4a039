"""What a gateway knows again after a start: what the ledger's calls taught, and what keys have spent today."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import msgspec
from made_calls import made_call

from lanewise.app import running
from lanewise.config import KeySettings, ProviderSettings, ServerSettings, Settings
from lanewise.ledger.save import save
from lanewise.store import open_database

SETTINGS = Settings(
    providers={"gpu": ProviderSettings(base_url="http://127.0.0.1:9", dialects=("chat",), lane="local")},
    keys={"ci": KeySettings(hash="sha256:" + "0" * 64, budget_usd_per_day=Decimal(5))},
)


def kept(folder: Path, *ages: dt.timedelta) -> Settings:
    """Settings over a ledger with a call of key `ci` for two cents at each age."""
    now = dt.datetime.now(dt.UTC)
    database = open_database(folder / "ledger.db")
    calls = [
        msgspec.structs.replace(made_call(number), started_at=now - age) for number, age in enumerate(ages, start=1)
    ]
    with database.write() as connection:
        save(connection, calls)
    database.close()
    server = ServerSettings(port=0, data=str(folder), log="off", drain_s=0.1)
    return msgspec.structs.replace(SETTINGS, server=server)


async def holds(condition: Callable[[], bool]) -> bool:
    """Whether `condition` comes true within ten seconds: it is another thread's word that is waited for."""
    for _ in range(1_000):
        if condition():
            return True
        await asyncio.sleep(0.01)
    return False


def test_beliefs_are_made_again_of_the_ledgers_latest_calls(tmp_path: Path):
    settings = kept(tmp_path, dt.timedelta(minutes=1))

    async def main() -> bool:
        async with running(settings, env={}) as (app, _):
            reading = made_call(1).reading
            return await holds(lambda: app.experience.conversation(reading) is not None)

    assert asyncio.run(main())


def test_what_a_key_spent_today_is_what_the_ledger_says(tmp_path: Path):
    settings = kept(tmp_path, dt.timedelta(), dt.timedelta(), dt.timedelta(days=1))

    async def main() -> bool:
        async with running(settings, env={}) as (app, _):
            now = dt.datetime.now(dt.UTC)
            return await holds(lambda: app.spending.today("ci", now) == 2 * 20_000_000_000)

    assert asyncio.run(main())
