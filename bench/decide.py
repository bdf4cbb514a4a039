"""What a decision costs: `decide()` alone, by number of candidates, with warm beliefs and a conversation behind it.

uv run python bench/decide.py [--json]
"""

from __future__ import annotations

import argparse
import datetime as dt
import gc
import json
import resource
import time
from decimal import Decimal
from typing import Any

import msgspec

from lanewise.config import FixedPrice, ModelSettings, ProviderSettings, RoutingSettings, Settings
from lanewise.journey import (
    Attempt,
    Caller,
    CallRecord,
    Cost,
    Features,
    Identity,
    Outcome,
    Reading,
    Request,
    SkillLabel,
    Turn,
    Usage,
)
from lanewise.money import PriceBook
from lanewise.route import QueueState
from lanewise.router import Conditions, Experience, Situation, World, decide
from lanewise.select import Priors
from processes import machine

NOW = dt.datetime(2026, 11, 25, 9, 0, tzinfo=dt.UTC)
SIZES = (5, 20, 200)
ROUNDS = 5_000
GROWTH_DECISIONS = 100_000
GOAL_US = 300.0


def world_of(models: int) -> World:
    providers = {
        f"p{number}": ProviderSettings(
            base_url="http://127.0.0.1:9",
            dialects=("messages", "chat"),
            api_key_env="KEY",
            lane="local" if number == 0 else "realtime",
        )
        for number in range(min(10, models))
    }
    rows = {
        f"m{number}": ModelSettings(
            provider=f"p{number % len(providers)}",
            tier="cheap" if number % 2 else "frontier",
            context_tokens=200_000,
            price=FixedPrice(
                input_usd_per_mtok=Decimal(number + 1) / 100,
                output_usd_per_mtok=Decimal(number + 1) / 20,
                cache_read_usd_per_mtok=Decimal(number + 1) / 1000,
            ),
        )
        for number in range(models)
    }
    settings = Settings(providers=providers, models=rows, routing=RoutingSettings(mode="active"))
    return World(settings, {"KEY": "k"}, PriceBook.load())


def reading_of(task: int, *, new_task: bool = True) -> Reading:
    return Reading(
        turn=Turn(kind="main", client="claude-code"),
        label=SkillLabel(skill="documentation", confidence=0.9),
        features=Features(
            input_tokens=20_000,
            body_bytes=80_000,
            message_count=30,
            tools_offered=20,
            code_share=0.2,
            files_named=2,
            has_images=False,
            tool_errors=0,
            complexity=0.3,
            waiting=True,
            marks_cache=True,
        ),
        identity=Identity(session_id=f"s{task % 50}", task_id=f"t{task}", new_task=new_task),
    )


REQUEST = Request(
    dialect="messages",
    operation="generate",
    method="POST",
    target="/v1/messages",
    headers=(),
    body=b"{}",
    plain=b"{}",
    tool_names=("Edit",),
)


def warm(world: World) -> Experience:
    """Beliefs of every model, from made-up calls."""
    experience = Experience(Priors.load())
    request = request_for(world)
    for number in range(400):
        reading = reading_of(number)
        conditions = Conditions(now=NOW)
        situation = world.situation(request, Caller(), reading, conditions, experience)
        decision = decide(world.rulebook, Caller(), reading, situation)
        candidate = world.catalog.entries[number % len(world.catalog.entries)].candidate
        experience.learn(
            CallRecord(
                call_id=str(number),
                started_at=NOW,
                dialect="messages",
                operation="generate",
                stream=True,
                requested_model=request.model,
                caller=Caller(),
                reading=reading,
                decision=decision,
                attempts=(
                    Attempt(
                        number=1,
                        candidate=candidate,
                        started_at=NOW,
                        status=200,
                        first_byte_us=400_000,
                        duration_us=4_000_000,
                    ),
                ),
                outcome=Outcome(
                    status=200,
                    served=candidate,
                    usage=Usage(input_tokens=20_000, output_tokens=300),
                    baseline_cost=Cost(total_pusd=10**11),
                ),
            )
        )
    return experience


def request_for(world: World) -> Request:
    """A call that names the dearest model."""
    return msgspec.structs.replace(REQUEST, model=world.catalog.entries[-1].candidate.model)


def measured(models: int) -> dict[str, float]:
    world = world_of(models)
    experience, request = warm(world), request_for(world)
    alone, together, cpu = [], [], []
    gc.collect()
    gc.freeze()
    for number in range(ROUNDS):
        reading = reading_of(number)
        conditions = Conditions(now=NOW + dt.timedelta(seconds=number), queues={"p0": QueueState(ages_s=(1.0,))})
        started = time.perf_counter()
        situation: Situation = world.situation(request, Caller(), reading, conditions, experience)
        gathered, cpu_before = time.perf_counter(), time.thread_time()
        decide(world.rulebook, Caller(), reading, situation)
        cpu_after, ended = time.thread_time(), time.perf_counter()
        cpu.append((cpu_after - cpu_before) * 1e6)
        alone.append((ended - gathered) * 1e6)
        together.append((ended - started) * 1e6)
    return {
        "models": models,
        "p50_us": percentile(alone, 0.5),
        "p99_us": percentile(alone, 0.99),
        "cpu_p99_us": percentile(cpu, 0.99),
        "with_gathering_p50_us": percentile(together, 0.5),
        "with_gathering_p99_us": percentile(together, 0.99),
    }


def growth_kib() -> int:
    """Memory that 100,000 decisions with beliefs leave behind, after the first tenth."""
    world = world_of(20)
    experience, request = warm(world), request_for(world)

    def run(first: int, last: int) -> None:
        for number in range(first, last):
            reading = reading_of(number)
            conditions = Conditions(now=NOW + dt.timedelta(seconds=number))
            decide(
                world.rulebook, Caller(), reading, world.situation(request, Caller(), reading, conditions, experience)
            )

    run(0, GROWTH_DECISIONS // 10)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    run(GROWTH_DECISIONS // 10, GROWTH_DECISIONS)
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before


def percentile(values: list[float], share: float) -> float:
    return sorted(values)[int(share * (len(values) - 1))]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    rows = [measured(models) for models in SIZES]
    grown = growth_kib()
    found: dict[str, Any] = {"machine": machine(), "decide": rows, "growth_kib": grown, "goal_p99_us": GOAL_US}
    if options.json:
        print(json.dumps(found, indent=2))
        return
    print(machine())
    print(f"{'candidates':>10} {'decide p50':>12} {'p99 us':>8} {'p99 CPU us':>11}", end="   ")
    print(f"{'with gathering p50':>19} {'p99 us':>8}")
    for row in rows:
        print(
            f"{row['models']:>10} {row['p50_us']:>12.0f} {row['p99_us']:>8.0f} {row['cpu_p99_us']:>11.0f}   "
            f"{row['with_gathering_p50_us']:>19.0f} {row['with_gathering_p99_us']:>8.0f}"
        )
    print("p99 CPU: without the time in which the machine ran something else")
    print(f"goal: p99 <= {GOAL_US:.0f} us at 200 candidates")
    print(f"memory after 90,000 more decisions: {grown:+,} KiB")


if __name__ == "__main__":
    main()
