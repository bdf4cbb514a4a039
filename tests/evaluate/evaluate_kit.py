"""Made-up outcomes in which it is known who is good at what."""

from __future__ import annotations

import csv
import gzip
import io
import json
import random

MODELS = ("big", "mid", "small")
PRICES_USD = {"big": 0.02, "mid": 0.005, "small": 0.001}

CHANCES = {
    # label/source: chance of success of big, mid, small
    ("writing", "essay"): (0.8, 0.8, 0.8),
    ("writing", "poem"): (0.9, 0.5, 0.2),
    ("sums", "adding"): (0.7, 0.7, 0.9),
}

WORDS = {
    "essay": "argue the case about history and trade in plain prose with examples of old towns",
    "poem": "rhyme verse stanza metre moon river lament sonnet couplet ballad refrain",
    "adding": "add the numbers total sum digits carry column ledger subtract integer",
}


def world(tasks_each=120, *, seed=1, silent=()):
    """(rows of outcomes, lines of prompts): `tasks_each` of each source; those of sources in `silent` have no text."""
    rng = random.Random(seed)
    rows, prompts = [], []
    for number, ((label, source), chances) in enumerate(CHANCES.items()):
        for at in range(tasks_each):
            task = f"dim{number}_{source}_{seed}{at:04d}"
            ease = rng.random()
            for model, chance in zip(MODELS, chances, strict=True):
                score = float(0.7 * ease + 0.3 * rng.random() < chance)
                rows.append(row(task, label, model, score, cost=PRICES_USD[model] * rng.uniform(0.8, 1.2)))
            if source not in silent:
                words = WORDS[source].split()
                text = " ".join(rng.choices(words, k=12)) + f" case {rng.randrange(10**6)}"
                prompts.append({"task_id": task, "prompt": text, "left": "out"})
    return rows, prompts


def row(task, label, model, score, *, cost=0.0, tokens=100):
    return {
        "task_id": task,
        "split": "made",
        "dimension": label,
        "model": model,
        "score": score,
        "cost_usd": cost,
        "total_tokens": tokens,
        "latency_ms": 1500,
    }


def csv_text(rows):
    out = io.StringIO()
    writer = csv.DictWriter(out, rows[0].keys(), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


def write_csv(path, rows):
    content = csv_text(rows).encode()
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
    return path


def write_lines(path, rows):
    content = "".join(json.dumps(one) + "\n" for one in rows).encode()
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
    return path
