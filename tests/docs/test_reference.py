"""The reference says what the code does: nothing undocumented, nothing out of date."""

import ast
import importlib.util
import re
import tomllib
from pathlib import Path
from typing import get_args, get_type_hints

import click
import msgspec
import pytest

from lanewise import errors
from lanewise.cli import lanewise, reasons
from lanewise.config.load import ENVIRONMENT
from lanewise.config.settings import Settings
from lanewise.route import LanePolicy
from lanewise.select.choose import FLAT_CODES
from lanewise.telemetry import Telemetry

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
SOURCE = ROOT / "src" / "lanewise"


def page(name):
    return (DOCS / "reference" / name).read_text()


def test_generated_pages_are_what_the_code_says_now():
    spec = importlib.util.spec_from_file_location("generate", DOCS / "generate.py")
    generate = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(generate)
    assert generate.stale() == [], "run `python docs/generate.py`"


def fields(struct):
    for field in msgspec.structs.fields(struct):
        yield field.name
        kinds = [field.type, *getattr(field.type, "__args__", ())]
        kinds += [inner for kind in kinds for inner in getattr(kind, "__args__", ())]
        for kind in kinds:
            if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
                yield from fields(kind)


def test_every_setting_and_variable_is_documented():
    text = page("settings.md")
    assert [name for name in fields(Settings) if not re.search(rf"`\[{{0,2}}{name}(\.NAME)?\]{{0,2}}`", text)] == []
    assert [name for name in ENVIRONMENT if f"`{name}`" not in text] == []


def every_command(group, path):
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        yield f"{path} {name}", command
        if isinstance(command, click.Group):
            yield from every_command(command, f"{path} {name}")


def test_every_command_and_option_is_documented():
    text = page("commands.md")
    for path, command in every_command(lanewise, "lanewise"):
        assert f"# `{path}`\n" in text
        section = text.split(f"# `{path}`\n")[1].split("\n## ")[0]
        for option in command.params:
            if isinstance(option, click.Option):
                assert option.opts[0] in section, (path, option.opts)


def test_every_header_of_ours_is_documented():
    found = set()
    for path in SOURCE.rglob("*.py"):
        found |= set(re.findall(r"x-lanewise-[a-z][a-z-]*[a-z]", path.read_text()))
    assert found >= {"x-lanewise-call-id", "x-lanewise-pin"}
    assert [name for name in sorted(found) if f"`{name}`" not in page("http.md")] == []


def test_no_header_is_documented_that_the_code_does_not_know():
    source = "".join(path.read_text() for path in SOURCE.rglob("*.py"))
    named = set(re.findall(r"`(x-lanewise-[a-z-]+)`", "".join(p.read_text() for p in DOCS.rglob("*.md"))))
    assert [name for name in sorted(named) if name not in source] == []


def test_every_metric_is_documented():
    registry = Telemetry(models=tuple, providers=tuple).registry
    names = [family.name for family in registry.collect()]
    assert len(names) > 10
    assert [name for name in names if not re.search(rf"`{name}(_total)?`", page("metrics.md"))] == []


def test_every_error_code_is_documented():
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and hasattr(kind, "code")]
    assert [kind.code for kind in kinds if f"| `{kind.code}` |" not in page("errors.md")] == []


# Where reason codes are made: file, and the functions whose returned, yielded or passed words are codes.
EMITTERS = {
    "route/lanes.py": {"allowed_lanes", "_guesses", "_not_batchable"},
    "router/decide.py": {"decide"},
    "router/prefer.py": {"prefer", "_on_the_pin", "_switch_point"},
    "router/router.py": {"decide"},
}
CODE = re.compile(r"[a-z]+(?:_[a-z]+)*")


def emitted(name, functions):
    """Codes that the functions return, yield, assign to `reason`, or hand to `reason=`, `switch_point=` and `_narrow`."""
    tree = ast.parse((SOURCE / name).read_text())
    for function in ast.walk(tree):
        if not (isinstance(function, ast.FunctionDef) and function.name in functions):
            continue
        for node in ast.walk(function):
            for value in outlets(node):
                # An index or a comparison holds names and no codes; branches of `a if b else c` hold codes.
                inner = [value.body, value.orelse] if isinstance(value, ast.IfExp) else [value]
                inner += [element for part in inner for element in getattr(part, "elts", ())]
                yield from (part.value for part in inner if isinstance(part, ast.Constant) and is_code(part.value))


def outlets(node):
    if isinstance(node, (ast.Return, ast.Yield)) and node.value is not None:
        yield node.value
    if isinstance(node, ast.Assign) and any(getattr(t, "id", "") in {"reason", "why"} for t in node.targets):
        yield node.value
    if isinstance(node, ast.Call):
        yield from (keyword.value for keyword in node.keywords if keyword.arg in {"reason", "switch_point"})
        if getattr(node.func, "id", "") == "_narrow":
            yield node.args[-1]


def is_code(value):
    return isinstance(value, str) and CODE.fullmatch(value) and value not in {"local", "batch", "realtime"}


@pytest.mark.parametrize(("name", "functions"), EMITTERS.items(), ids=list(EMITTERS))
def test_every_reason_code_is_told_in_words_and_documented(name, functions):
    codes = set(emitted(name, functions))
    assert codes
    assert [code for code in sorted(codes) if f"| `{code}` |" not in page("reasons.md")] == []
    assert [code for code in sorted(codes) if reasons.words(code) == code] == []


def test_every_code_of_a_choice_is_told_in_words():
    assert set(FLAT_CODES) - {""} == set(reasons.REJECTION)


def test_every_policy_code_is_told_in_words():
    assert set(get_args(get_type_hints(LanePolicy)["code"])) - set(reasons.LANE) == set()


def test_no_reason_code_is_documented_that_nothing_emits():
    codes = {code for name, functions in EMITTERS.items() for code in emitted(name, functions)}
    codes |= set(get_args(get_type_hints(LanePolicy)["code"])) | set(FLAT_CODES)
    told = {*reasons.DECISION, *reasons.REJECTION, *reasons.LANE, *reasons.SWITCH_POINT}
    assert told - codes - {"refused"} == set()  # `refused` is the default of a lookup


def test_links_between_the_pages_lead_somewhere():
    for path in DOCS.rglob("*.md"):
        for target in re.findall(r"\]\((?!https?:)([^)#]+)", path.read_text()):
            assert (path.parent / target).exists(), (path.name, target)


@pytest.mark.parametrize("path", sorted(DOCS.glob("guides/*.md")), ids=lambda path: path.name)
def test_every_configuration_in_a_guide_is_valid(path):
    for block in re.findall(r"```toml\n(.*?)```", path.read_text(), re.DOTALL):
        msgspec.convert(tomllib.loads(block), Settings)


def test_the_limits_of_the_cheap_tier_are_the_codes():
    from lanewise.route.lanes import CHEAP_BELOW

    told = {}
    for skills, limit in re.findall(
        r"^\| ([a-z_, ]+) \| ([\d.]+|always|never) \|$",
        (DOCS / "concepts" / "lanes-and-tiers.md").read_text(),
        re.MULTILINE,
    ):
        for skill in skills.split(", "):
            told[skill] = {"always": 1.01, "never": 0.0}.get(limit) if limit in {"always", "never"} else float(limit)
    assert told == CHEAP_BELOW


def test_the_guide_to_rules_lists_the_variables_of_the_code():
    from lanewise.route import VARIABLES

    rows = [f"| `{name}` | {found.kind} | {found.words} |" for name, found in VARIABLES.items()]
    text = (DOCS / "guides" / "rules.md").read_text()
    assert re.findall(r"^\| `.*\|$", text.partition("## Variables")[2], re.MULTILINE) == rows


def test_every_rule_in_the_guide_is_understood():
    from lanewise.route import compiled

    blocks = re.findall(r"```toml\n(.*?)```", (DOCS / "guides" / "rules.md").read_text(), re.DOTALL)
    found = [msgspec.convert(tomllib.loads(block), Settings).rules for block in blocks]
    assert [len(compiled(rules, {})) for rules in found] == [1] * len(blocks)
