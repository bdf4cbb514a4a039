"""`lanewise learn`: make what layers 1 and 3 start from. Nothing here runs while requests are served."""

from __future__ import annotations

import datetime as dt
import time
from pathlib import Path

import click

from lanewise.cli.label import label

FILE = click.Path(path_type=Path, dir_okay=False)
DAY = click.DateTime(["%Y-%m-%d"])


@click.group("learn")
def command() -> None:
    """Train what names skills, label turns for it, and make the table of models for the first day."""


command.add_command(label)


@command.command("encoder")
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False, exists=True))
@click.option(
    "--pool", type=FILE, required=True, help="Real turns with context, JSON lines; the labels name their ids."
)
@click.option(
    "--labels", type=FILE, default="labels/agent_turns.jsonl", show_default=True, help="Labels of these turns."
)
@click.option("--written", type=FILE, default="labels/written_turns.jsonl", show_default=True, help="Written turns.")
def encoder(*, folder: Path, pool: Path, labels: Path, written: Path) -> None:
    """Teach the sentence encoder in FOLDER our skills: write lanewise-head.npz beside its files.

    FOLDER is that of any sentence transformer with tokenizer.json and model.onnx or onnx/model.onnx; it needs
    `pip install 'lanewise[onnx]'`. `classify.encoder = "FOLDER"` then has it asked where the student is unsure. The
    printed accuracy is that on repositories left out; nothing is sent.

    \b
    Example:
      lanewise learn encoder ./all-MiniLM-L6-v2 --pool wild_pool.jsonl.gz
    """  # noqa: D301  click reads the character itself: it keeps the lines that follow
    from lanewise.classify.encoder import HEAD_FILE, Encoder
    from lanewise.learn import encoder as heads
    from lanewise.learn import student as making

    model = Encoder.load(folder)
    rows = making.real_turns(pool, labels)
    rows += making.written_turns(written, {row.key: row.group for row in rows})
    learnt = heads.learn(rows, model.embed, say=lambda line: click.echo(line, err=True))
    path = folder / HEAD_FILE
    path.write_bytes(learnt.head.to_bytes())
    click.echo(f"{path}: from {learnt.rows:,} rows")
    click.echo(f"left out: accuracy {learnt.accuracy:.3f} of {learnt.tested:,} turns")


@command.command("student")
@click.option(
    "--pool", type=FILE, required=True, help="Real turns with context, JSON lines; the labels name their ids."
)
@click.option(
    "--labels", type=FILE, default="labels/agent_turns.jsonl", show_default=True, help="Labels of these turns."
)
@click.option(
    "--second-pass",
    type=FILE,
    default="labels/agent_turns.second_pass.jsonl",
    show_default=True,
    help="Labels of some of them by another reader, for the agreement on the card.",
)
@click.option("--written", type=FILE, default="labels/written_turns.jsonl", show_default=True, help="Written turns.")
@click.option("--out", type=FILE, default="student.npz", show_default=True, help="Where the artefact goes.")
@click.option("--card", "card_file", type=FILE, default="student.md", show_default=True, help="Where its card goes.")
@click.option("--version", "named", default="dev", show_default=True, help="Name of the artefact.")
def student(
    *,
    pool: Path,
    labels: Path,
    second_pass: Path,
    written: Path,
    out: Path,
    card_file: Path,
    named: str,
) -> None:
    """Train the student on data files and write its model card.

    Scores come first: for each large repository, and for the small ones together, a student is trained without it.
    Then one is trained on everything. The same files give the same artefact on the same machine; it takes about
    twenty minutes on one core and sends nothing.

    \b
    Example:
      lanewise learn student --pool wild_pool.jsonl.gz --out student.npz
    """  # noqa: D301  click reads the character itself: it keeps the lines that follow
    from lanewise.classify.rules import Rules
    from lanewise.learn import student as making

    rows = making.real_turns(pool, labels)
    rows += making.written_turns(written, {row.key: row.group for row in rows})
    agreement = making.agreement_of(labels, second_pass) if second_pass.exists() else None
    started = time.monotonic()

    def say(line: str) -> None:
        click.echo(f"{time.monotonic() - started:6.0f} s  {line}", err=True)

    made = making.build(rows, making.Recipe(), Rules.load(), version=named, say=say)
    out.write_bytes(made.artefact)
    making.write(
        card_file,
        making.card(rows, made.left_out, made.facts, making.Recipe(), agreement, len(made.artefact)),
    )
    scores = making.results_of(made.left_out, made.facts, Rules.load())[0].scores
    click.echo(f"{out}: {len(made.artefact) / 1e6:.1f} MB from {len(rows):,} rows; card: {card_file}")
    click.echo(
        f"left out: accuracy {scores.accuracy:.3f}, macro-F1 {scores.macro_f1:.3f},"
        f" ECE {scores.calibration_error:.3f}, surest 60 % {scores.confident_accuracy:.3f}"
    )


@command.command("priors")
@click.option("--coderouterbench", type=FILE, required=True, help="Scores of single calls: one task and model a row.")
@click.option("--costs", type=FILE, required=True, help="Output tokens of some of them.")
@click.option("--openhands", type=FILE, required=True, help="Outcomes of SWE-bench Verified: one task and model a row.")
@click.option("--openhands-models", type=FILE, required=True, help="Mean scores: one model and benchmark a row.")
@click.option("--out", type=FILE, default="priors.json", show_default=True, help="Where the table goes.")
@click.option("--date", type=DAY, help="Version of the table.  [default: the newest release in --openhands-models]")
@click.option("--retrieved", type=DAY, default="2026-11-22", show_default=True, help="Day the files were fetched.")
def priors(
    *,
    coderouterbench: Path,
    costs: Path,
    openhands: Path,
    openhands_models: Path,
    out: Path,
    date: dt.datetime | None,
    retrieved: dt.datetime,
) -> None:
    """Make the table that says what is believed of a model before anything was seen.

    From the outcomes of CodeRouterBench (single calls) and of the OpenHands index (tool loops): means per model and
    skill, no tasks and no texts. The same files and dates give the same bytes; nothing is sent.

    \b
    Example:
      lanewise learn priors --coderouterbench probing.csv.gz --costs val_cost.csv.gz \\
        --openhands swebench_verified.csv.gz --openhands-models models.csv
    """  # noqa: D301  click reads the character itself: it keeps the lines that follow
    from lanewise.learn import priors as making

    inputs = making.Inputs(
        coderouterbench=coderouterbench, costs=costs, openhands=openhands, openhands_models=openhands_models
    )
    table = making.build(inputs, retrieved=retrieved.date(), date=date and date.date())
    made = making.encode(table)
    out.write_bytes(made)
    click.echo(f"{out}: version {table.version}, {len(table.models)} models, {len(made) / 1e3:.0f} kB")
