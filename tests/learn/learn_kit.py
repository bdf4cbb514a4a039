"""Small made-up rows: three repositories and invented turns, each skill known by a few words."""

from __future__ import annotations

import gzip
import hashlib
import json
import random

from lanewise.learn.student import Recipe, Row
from lanewise.learn.student.network import Sizes

ASKS = {
    "debugging": ["why does the {} crash", "the {} shows nothing again", "{} is broken since yesterday"],
    "test_writing": ["write tests for the {}", "cover the {} with unit tests", "the {} needs a regression test"],
    "planning": ["how should we design the {}", "what are the options for the {}", "let's plan the {} first"],
}
THINGS = ["parser", "importer", "menu", "cache", "worker", "report", "login", "queue", "editor", "timer"]
SMALL = Recipe(
    sizes=Sizes(vector=16, heads=2, hidden=24), epochs=12, batch_rows=16, rate=1e-2, dropout=0.2, hidden_tokens=0.1
)


def rows(count: int, *, group: str, kind: str = "real", seed: int = 0) -> list[Row]:
    """`count` rows of one group; every fifth is a follow-up of the skill before it."""
    rng = random.Random(f"{group}{seed}")
    found: list[Row] = []
    for number in range(count):
        skill = rng.choice(sorted(ASKS))
        text = rng.choice(ASKS[skill]).format(rng.choice(THINGS))
        if number % 5 == 4:
            last = found[-1]
            found.append(
                Row(
                    text="yes, go on",
                    earlier=(last.text,),
                    answer="Shall I?",
                    skill=last.skill,
                    followup=True,
                    kind=kind,
                    group=group,
                    key=f"{group}{number}",
                )
            )
        else:
            found.append(Row(text=text, skill=skill, followup=False, kind=kind, group=group, key=f"{group}{number}"))
    return found


def write_files(folder, repos: dict[str, int]):
    """A pool, its labels, a second pass and written turns, as files of the formats that the command reads."""
    pool, labels = [], []
    for repo, count in repos.items():
        for row in rows(count, group=repo):
            key = hashlib.sha256(row.key.encode()).hexdigest()[:12]
            head = {"id": key, "repo": repo, "prompt": row.text, "session": "s"}
            context = {
                "prev_prompts": list(row.earlier),
                "prev_answer_head": row.answer,
                "prev_answer_tail": row.answer,
            }
            pool.append(head | context)
            digest = hashlib.sha256(row.text.encode()).hexdigest()[:16]
            turn = "followup" if row.followup else "main"
            labels.append({"id": key, "sha256": digest, "turn": turn, "skill": row.skill, "second": None, "sure": 3})
    written = [
        {"text": row.text, "skill": row.skill, "turn": "main"} for row in rows(60, group="invented", kind="invented")
    ]
    (folder / "pool.jsonl.gz").write_bytes(gzip.compress(_lines(pool)))
    (folder / "labels.jsonl").write_bytes(_lines(labels))
    (folder / "second.jsonl").write_bytes(_lines(labels[:10]))
    (folder / "written.jsonl").write_bytes(_lines(written))


def _lines(documents) -> bytes:
    return "\n".join(map(json.dumps, documents)).encode()
