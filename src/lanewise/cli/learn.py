"""`lanewise learn`: make what is known at the start. Nothing here runs while requests are served."""

from __future__ import annotations

import time
from pathlib import Path

import click

from lanewise.cli.label import label

FILE = click.Path(path_type=Path, dir_okay=False)


@click.group("learn")
def command() -> None:
    """Train what names skills, label turns for it, and make the table of what models are good at."""


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
@click.option("--coderouterbench", type=FILE, required=True, help="Scores and tokens of single-turn tasks.")
@click.option("--costs", type=FILE, required=True, help="Prompt and answer tokens of some of them.")
@click.option("--openhands", type=FILE, required=True, help="Issues resolved with tools, a row for each model.")
@click.option("--openhands-models", type=FILE, required=True, help="Mean run times of these models.")
@click.option("--out", type=FILE, default="priors.json", show_default=True, help="Where the table goes.")
def priors(*, coderouterbench: Path, costs: Path, openhands: Path, openhands_models: Path, out: Path) -> None:
    """Make the cold-start table: how good each known model was on public outcomes.

    Aggregates for each model, skill and band (single turns, loops of tool calls): success, distinct problems behind
    it, tokens, seconds and cost of a task. No texts, no single tasks; the same files give the same table.

    \b
    Example:
      lanewise learn priors --coderouterbench probing.csv.gz --costs val_cost.csv.gz \\
        --openhands swebench_verified.csv.gz --openhands-models models.csv --out src/lanewise/select/priors.json
    """  # noqa: D301  click reads the character itself: it keeps the lines that follow
    from lanewise.evaluate import read_costs, read_outcomes
    from lanewise.learn import priors as making

    rows = [
        *making.single_turn(read_outcomes(coderouterbench), read_costs(costs)),
        *making.agentic(openhands, openhands_models),
    ]
    out.write_bytes(making.file_of(rows))
    click.echo(f"{out}: {len(rows)} rows of {len({row.model for row in rows})} models")
