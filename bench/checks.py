"""How often the checks of `lanewise.verify` err: `uv run python bench/checks.py [--pool F] [--write]`.

Right answers are those of `labels/answers.toml` and functions of the standard library, fenced as an answer would fence
them; with `--pool` also how often real answers of agents are taken for refusals. Wrong ones are made of the right
ones, one kind of mistake at a time, by a seeded hand: these are the kinds that checks are made for, and one kind that
none is made for, wrong logic. How frequent each kind is in real work comes from elsewhere and is an assumption; see
`FAILURES`. `--write` writes `src/lanewise/verify/rates.toml`.
"""

from __future__ import annotations

import argparse
import ast
import copy
import gzip
import inspect
import json
import random
import re
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from lanewise.verify import CHECKS, Verdict, checked
from lanewise.wire.answer import AnswerView, ToolCall
from lanewise.wire.asked import AskedView, OfferedTool

ROOT = Path(__file__).parents[1]
RATES = ROOT / "src" / "lanewise" / "verify" / "rates.toml"
SEED = 20261125
EACH = 6
"""Wrong answers made of one right answer and one kind of mistake."""
STDLIB = 400
"""Functions of the standard library that serve as right answers."""

Pair = tuple[AnswerView, AskedView]

REFUSED = (
    "I'm sorry, but I can't help with that.",
    "I cannot assist with modifying this file.",
    "I won't be able to complete this request.",
    "Unfortunately, I am unable to access your repository, so I can't make the change.",
    "As an AI language model, I can't run commands on your machine.",
    "I apologize, but I do not have permission to do this.",
    "This request goes against my guidelines.",
    "I must decline to continue with this task.",
    "It is not possible for me to do this.",
    "Helping with this would not be appropriate.",
    "I'd rather not take part in that.",
    "No.",
)
LEFT_OUT = (
    "# ... rest of the code remains the same",
    "# existing code here",
    "# TODO: implement this",
    "# your code here",
    "# ... (unchanged)",
    "# [remaining methods unchanged]",
    "# ...",
    "# same as before",
    "# (omitted for brevity)",
    "# implementation goes here",
)
FAILURES = (
    (
        "nothing delivered",
        0.098,
        ("empty", "cut, said so", "cut, not said", "refused"),
        (
            "189 of 1,935 unresolved runs of four models ended without a submission: SWE-bench Pro trajectories,"
            " nilenso.github.io/swe-bench-pro-cost-token-time-analysis, read 2026-11-25"
        ),
    ),
    (
        "malformed edit, call or code",
        0.092,
        ("call", "schema", "syntax", "patch", "left out", "language"),
        (
            "at most: 629 of 6,843 failed exercises of 50 runs had a malformed answer: aider polyglot board,"
            " Aider-AI/aider@0153842 (Apache-2.0)"
        ),
    ),
    ("wrong logic", 0.81, ("logic",), "the rest; 76 % of 155 failures of one model by its own reading, ai-muninn.com"),
)


def right_answers(rng: random.Random) -> list[Pair]:
    """The written ones, and functions of the standard library."""
    rows = tomllib.loads((ROOT / "labels" / "answers.toml").read_text(encoding="utf-8"))["answers"]
    return [*map(_pair, rows), *_stdlib(rng)]


def _pair(row: dict[str, Any]) -> Pair:
    calls = (ToolCall(name=row["call"], arguments=row["arguments"]),) if "call" in row else ()
    tools = (OfferedTool(name=row["call"], schema=json.loads(row["tool"])),) if "call" in row else ()
    answer = AnswerView(text=row.get("text", ""), tool_calls=calls, end="tools" if calls else "done")
    schema = json.loads(row["schema"]) if "schema" in row else None
    return answer, AskedView(
        tools=tools, schema=schema, json_wanted=row.get("json", False), words=row["ask"], given=row.get("given", "")
    )


def _stdlib(rng: random.Random) -> Iterator[Pair]:
    """Functions and methods as they stand in their files, indentation and all."""
    folder = Path(inspect.getfile(argparse)).parent
    found = []
    for path in sorted(folder.glob("*.py")):
        source = path.read_text(encoding="utf-8", errors="replace")
        lines = source.splitlines(keepends=True)
        found += [
            "".join(lines[node.lineno - 1 : node.end_lineno])
            for node in ast.walk(ast.parse(source))
            if isinstance(node, ast.FunctionDef | ast.ClassDef) and 4 <= node.end_lineno - node.lineno <= 80
        ]
    for code in rng.sample(found, STDLIB):
        text = f"Here it is:\n\n```python\n{code}```\n"
        yield AnswerView(text=text, end="done"), AskedView(words="Write this function in Python.")


# -- mistakes: each yields a wrong answer, or nothing where there is nothing to get wrong -----------------------------


def _with(answer: AnswerView, **fields: Any) -> AnswerView:
    return copy.replace(answer, **fields) if hasattr(copy, "replace") else AnswerView(**{**_fields(answer), **fields})


def _fields(answer: AnswerView) -> dict[str, Any]:
    return {name: getattr(answer, name) for name in answer.__struct_fields__}


def empty(pair: Pair, rng: random.Random) -> Pair | None:
    return _with(pair[0], text=rng.choice(["", " ", "\n\n"]), tool_calls=(), end="done"), pair[1]


def cut_said(pair: Pair, rng: random.Random) -> Pair | None:
    cut = _cut(pair, rng)
    return cut and (_with(cut[0], end="cut"), cut[1])


def cut_not_said(pair: Pair, rng: random.Random) -> Pair | None:
    return _cut(pair, rng)


def _cut(pair: Pair, rng: random.Random) -> Pair | None:
    answer, asked = pair
    share = rng.uniform(0.3, 0.9)
    if answer.tool_calls:
        call = answer.tool_calls[0]
        short = call.arguments[: int(len(call.arguments) * share)]
        return _with(answer, tool_calls=(ToolCall(name=call.name, arguments=short),)), asked
    return _with(answer, text=answer.text[: int(len(answer.text) * share)]), asked


def refused(pair: Pair, rng: random.Random) -> Pair | None:
    return _with(pair[0], text=rng.choice(REFUSED), tool_calls=(), end="done"), pair[1]


def call(pair: Pair, rng: random.Random) -> Pair | None:
    answer, asked = pair
    if not answer.tool_calls:
        return None
    made = answer.tool_calls[0]
    value = json.loads(made.arguments)
    required = asked.tools[0].schema["required"]
    match rng.randrange(5):
        case 0:
            del value[rng.choice(required)]
        case 1:
            key = rng.choice(required)
            value[key] = [value[key]] if isinstance(value[key], str) else str(value[key])
        case 2:
            return _with(answer, tool_calls=(ToolCall(name=made.name + "_file", arguments=made.arguments),)), asked
        case 3:
            return _with(answer, tool_calls=(ToolCall(name=made.name, arguments=made.arguments[:-1]),)), asked
        case _:
            key = rng.choice(required)
            value["filename" if key == "file_path" else key + "s"] = value.pop(key)
    return _with(answer, tool_calls=(ToolCall(name=made.name, arguments=json.dumps(value)),)), asked


def schema(pair: Pair, rng: random.Random) -> Pair | None:
    answer, asked = pair
    if not (asked.json_wanted or "JSON" in asked.words) or "`" in answer.text:
        return None
    text, value = answer.text, json.loads(answer.text)
    match rng.randrange(5):
        case 0:
            text = f"Here is the JSON you asked for:\n\n{text}"
        case 1:
            text = text.replace('"', "'")
        case 2:
            text = text[:-1] + "," + text[-1]
        case 3:
            text = text[:-1]
        case _:
            if asked.schema is None:
                return None
            del value[rng.choice(asked.schema["required"])]
            text = json.dumps(value)
    return _with(answer, text=text), asked


_CODE = re.compile(r"```(\w+)\n(.*?)```", re.DOTALL)


def syntax(pair: Pair, rng: random.Random) -> Pair | None:
    """One sign less in the code: a bracket, a colon at a line's end, a quote."""
    answer, asked = pair
    found = _CODE.search(answer.text)
    if not found or found[1] in {"yaml", "bash", "sql", "diff"} or ">>>" in found[2]:
        return None
    signs = [at.start() for at in re.finditer(r"[(){}\[\]\"]|:(?=\n)", found[2])]
    if not signs:
        return None
    at = found.start(2) + rng.choice(signs)
    return _with(answer, text=answer.text[:at] + answer.text[at + 1 :]), asked


def language(pair: Pair, rng: random.Random) -> Pair | None:
    """Code in another language than the one asked for."""
    answer, _asked = pair
    found = _CODE.search(answer.text)
    if not found or found[1] in {"yaml", "bash", "sql", "diff", "json", "toml"}:
        return None
    others = {
        "Python": "python",
        "TypeScript": "typescript",
        "Rust": "rust",
        "Java": "java",
        "Ruby": "ruby",
        "Go": "go",
    }
    name = rng.choice([name for name, tag in others.items() if tag[:2] != found[1][:2]])
    words = rng.choice(["Rewrite it in {}.", "Translate this to {}", "I need this in {}, please", "the {} version?"])
    return answer, AskedView(words=words.format(name))


def patch(pair: Pair, rng: random.Random) -> Pair | None:
    """What was read changed in the meantime, or is remembered wrongly: one old line differs."""
    answer, asked = pair
    lines = [line for line in asked.given.split("\n") if len(line.strip()) > 8]
    touched = [
        line for line in lines if line.partition("\t")[2].strip() in _old(answer) or line.strip() in _old(answer)
    ]
    if not touched or asked.given.count("\n") < 3:
        return None
    line = rng.choice(touched)
    words = re.findall(r"[A-Za-z_]{3,}", line)
    if not words:
        return None
    word = rng.choice(words)
    return answer, AskedView(
        words=asked.words, tools=asked.tools, given=asked.given.replace(line, line.replace(word, word + "_2"))
    )


def _old(answer: AnswerView) -> str:
    return answer.text + "".join(json.loads(each.arguments).get("old_string", "") for each in answer.tool_calls)


def left_out(pair: Pair, rng: random.Random) -> Pair | None:
    """The middle of the code replaced by a remark."""
    answer, asked = pair
    found = _CODE.search(answer.text)
    if not found or found[1] in {"json", "yaml", "diff", "sql", "toml"} or "skeleton" in asked.words:
        return None
    lines = found[2].splitlines()
    if len(lines) < 6:
        return None
    third = len(lines) // 3
    mark = rng.choice(LEFT_OUT)
    if found[1] not in {"python", "bash"}:
        mark = mark.replace("#", "//", 1)
    indent = re.match(r"\s*", lines[third])[0]
    code = "\n".join([*lines[:third], indent + mark, *lines[2 * third :]]) + "\n"
    return _with(answer, text=answer.text[: found.start(2)] + code + answer.text[found.end(2) :]), asked


_SWAPS = (
    ("<", "<="),
    (">", ">="),
    ("+", "-"),
    ("==", "!="),
    (" and ", " or "),
    ("True", "False"),
    ("0", "1"),
    ("1", "2"),
)


def logic(pair: Pair, rng: random.Random) -> Pair | None:
    """One operator or constant swapped: well formed and wrong."""
    answer, asked = pair
    found = _CODE.search(answer.text)
    if not found or found[1] in {"yaml", "diff", "json", "toml"}:
        return None
    spots = [
        (at.start(), old, new)
        for old, new in _SWAPS
        for at in re.finditer(rf"(?<![<>=!+\-\w.]){re.escape(old)}(?![=>+\-\w.])", found[2])
    ]
    if not spots:
        return None
    start, old, new = rng.choice(spots)
    at = found.start(2) + start
    return _with(answer, text=answer.text[:at] + new + answer.text[at + len(old) :]), asked


MISTAKES: dict[str, tuple[Callable[[Pair, random.Random], Pair | None], str]] = {
    "empty": (empty, "not_empty"),
    "cut, said so": (cut_said, "not_truncated"),
    "cut, not said": (cut_not_said, "parses"),
    "refused": (refused, "not_refusal"),
    "call": (call, "tool_arguments"),
    "schema": (schema, "schema"),
    "syntax": (syntax, "parses"),
    "language": (language, "language"),
    "patch": (patch, "patch_applies"),
    "left out": (left_out, "placeholder"),
    "logic": (logic, ""),
}
"""Kind of mistake -> who makes it, and the check that is made for it."""


def wrong_answers(right: list[Pair], kind: str, rng: random.Random) -> list[Pair]:
    """Of each right answer up to `EACH`; of the standard library's one, lest they outweigh the rest."""
    make, found = MISTAKES[kind][0], []
    for number, pair in enumerate(right):
        made = (make(pair, rng) for _ in range(EACH if number < len(right) - STDLIB else 1))
        found += [each for each in made if each is not None and each != pair]
    return found


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--pool", type=Path, help="wild_pool.jsonl.gz: real answers, for false alarms of not_refusal")
    options.add_argument("--write", action="store_true", help=f"write {RATES.relative_to(ROOT)}")
    options.add_argument(
        "--show", metavar="KIND", help="print what was not caught of one kind, or `right` for false alarms"
    )
    given = options.parse_args()
    rng = random.Random(SEED)
    right = right_answers(rng)
    wrong = {kind: wrong_answers(right, kind, rng) for kind in MISTAKES}
    if given.show:
        _show(right if given.show == "right" else wrong[given.show], wanted=given.show == "right")
        return
    rows = _by_check(right, wrong)
    accepted = sum(checked(*pair).accepted for pair in right) / len(right)
    caught = {kind: sum(not checked(*pair).accepted for pair in pairs) / len(pairs) for kind, pairs in wrong.items()}
    print(f"{'check':16} {'right':>6} {'accepted':>9} {'wrong':>6} {'accepted':>9}")
    for name, shown, true, made, false in rows:
        print(f"{name:16} {shown:6} {true:9.3f} {made:6} {false:9.3f}")
    print(f"\nall checks accept {accepted:.3f} of {len(right)} right answers; of wrong ones they catch")
    for kind, share in caught.items():
        print(f"  {kind:16} {share:6.3f} of {len(wrong[kind])}")
    failures = [
        (name, share, sum(caught[kind] for kind in kinds) / len(kinds), source)
        for name, share, kinds, source in FAILURES
    ]
    together = sum(share * (1 - found) for _, share, found, _ in failures)
    print(f"\nat the assumed shares of {[(name, share) for name, share, _, _ in failures]} they accept {together:.3f}")
    if given.pool:
        _refusals_of(given.pool)
    if given.write:
        RATES.write_text(_toml(len(right) - STDLIB, rows, failures, accepted, together), encoding="utf-8")


def _by_check(right: list[Pair], wrong: dict[str, list[Pair]]) -> list[tuple[str, int, float, int, float]]:
    rows = []
    for name, check in CHECKS.items():
        told = [verdict for verdict in _verdicts(check, right) if verdict.result != "unknown"]
        made = [pair for kind, pairs in wrong.items() if MISTAKES[kind][1] == name for pair in pairs]
        true = sum(verdict.result == "pass" for verdict in told) / len(told)
        false = sum(verdict.result != "fail" for verdict in _verdicts(check, made)) / len(made)
        rows.append((name, len(told), true, len(made), false))
    return rows


def _verdicts(check: Callable[[AnswerView, AskedView], Verdict], pairs: list[Pair]) -> list[Verdict]:
    return [check(*pair) for pair in pairs]


def _show(pairs: list[Pair], *, wanted: bool) -> None:
    for answer, asked in pairs:
        found = checked(answer, asked)
        if found.accepted != wanted:
            print("=" * 80, found.failed, asked.words[:80], answer.text[:1500], answer.tool_calls, sep="\n")


def _refusals_of(pool: Path) -> None:
    with gzip.open(pool, "rt", encoding="utf-8") as lines:
        answers = [json.loads(line)["prev_answer_head"] for line in lines]
    heads = [AnswerView(text=text, end="done") for text in answers if text]
    found = [each for each in heads if CHECKS["not_refusal"](each, AskedView()).result == "fail"]
    print(f"\n{len(found)} of {len(heads)} real answers are taken for refusals:")
    for each in found:
        print(f"  {each.text[:110]!r}")


def _toml(written: int, rows: list[Any], failures: list[Any], accepted: float, together: float) -> str:
    lines = [
        "# Written by `uv run python bench/checks.py --write`: how often the checks of this folder err, and on what.",
        'date = "2026-11-25"',
        (
            f'source = "labels/answers.toml ({written} right answers), {STDLIB} functions of the standard library, and'
            f' seeded mistakes made of them (seed {SEED})"'
        ),
    ]
    for name, shown, true, made, false in rows:
        lines += ["", "[[checks]]", f'check = "{name}"', f"right = {shown}", f"true_accept = {true:.3f}"]
        lines += [f"wrong = {made}", f"false_accept = {false:.3f}"]
    for name, share, found, source in failures:
        lines += [
            "",
            "[[failures]]",
            f'name = "{name}"',
            f"share = {share}",
            f"caught = {found:.3f}",
            f'source = "{source}"',
        ]
    lines += ["", "[together]", f"true_accept = {accepted:.3f}", f"false_accept = {together:.3f}", ""]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
