"""`[[rules]]`, keys' policies and regions in the file: mistakes are told with the line of their own element."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from lanewise.cli import lanewise
from lanewise.config import load
from lanewise.errors import ConfigError

MODEL = '[providers.p]\nbase_url = "http://x"\ndialects = ["chat"]\n[models.m]\nprovider = "p"\n'
PRICED = MODEL + "price = { input_usd_per_mtok = 1, "
"""Up to the output price, on one line."""
USD = "Expected a number of USD from 0 to"
KEY = f'[keys.ci]\nhash = "sha256:{"0" * 64}"\n'


def problems(folder: Path, text: str) -> list[str]:
    file = folder / "lanewise.toml"
    file.write_text(text)
    with pytest.raises(ConfigError) as caught:
        load(env={}, config=file)
    return [problem.removeprefix(f"{folder}/lanewise.toml:") for problem in caught.value.problems]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            '[[rules]]\nwhen = "true"\ntier = "cheap"\n[[rules]]\nwhen = "true"\ntier = "best"\nlanes = []\n',
            [
                "6: `rules.2.tier`: Invalid enum value 'best'; hint: use one of cheap, frontier",
                "7: `rules.2.lanes`: Expected `array` of length >= 1",
            ],
        ),
        (
            '[[rules]]\nwhen = 3\n[[rules]]\nwen = "true"\n[[rules]]\nname = "a b"\nwhen = "true"\n',
            [
                "2: `rules.1.when`: Expected `str`, got `int`",
                "4: unknown setting `rules.2.wen`; hint: did you mean `when`?",
                "3: `rules.2`: Object missing required field `when`",
                "6: `rules.3.name`: Expected `str` matching regex '^[A-Za-z0-9_.-]{0,40}$'",
            ],
        ),
        ('[[rules]]\nwhen = "true"\n\n[[rules]]\nwhen = "true"\nmode = "active"\n',
         ["1: `rules.1` has no action; hint: add model, lanes, tier, mode or deadline"]),
        ("\nrules = 3\n", ["2: `rules`: Expected `array`, got `int`"]),
        ("rules = [3]\n", ["1: `rules.1`: Expected `object`, got `int`"]),
        ('\nrules = [{ when = "true" }]\n', ["2: `rules.1` has no action; hint: add model, lanes, tier, mode or deadline"]),
        (
            MODEL + '[[rules]]\nwhen = "true"\nmodel = "mm"\n',
            ["8: `rules.1.model` names model 'mm', which is not there; hint: did you mean `m`?"],
        ),
        (MODEL + KEY + 'models = ["m", "zz"]\n', ["8: `keys.ci.models` names model 'zz', which is not there; hint: add [models.zz]"]),
        *(
            (KEY + f"budget_usd_per_day = {amount}\n", [f"3: `keys.ci.budget_usd_per_day`: {USD} 1,000,000"])
            for amount in ("-1", "inf", "nan", "1000001")
        ),
        *(
            (PRICED + f"output_usd_per_mtok = {amount} }}\n", [f"6: `models.m.price.output_usd_per_mtok`: {USD} 100,000"])
            for amount in ("-1", "inf", "nan", "1e40")
        ),
        ('[routing]\nregions = ["EU"]\n', ["2: `routing.regions`: Expected `str` matching regex '^[a-z0-9-]+$'"]),
    ],
)  # fmt: skip
def test_a_mistake_is_told_with_the_line_of_its_rule_or_key(text, expected, tmp_path):
    assert problems(tmp_path, text) == expected


def test_a_rule_may_name_an_alias(tmp_path):
    file = tmp_path / "lanewise.toml"
    file.write_text(MODEL + '[aliases]\nshort = "m"\n[[rules]]\nwhen = "true"\nmodel = "short"\n')
    assert load(env={}, config=file).settings.rules[0].model == "short"


def test_the_rules_of_a_later_file_replace_those_of_an_earlier_one(tmp_path):
    home = tmp_path / ".config" / "lanewise"
    home.mkdir(parents=True)
    (home / "lanewise.toml").write_text('[[rules]]\nwhen = "waiting"\ntier = "cheap"\n' * 2)
    project = tmp_path / "project"
    project.mkdir()
    (project / "lanewise.toml").write_text('\n[[rules]]\nwhen = "stream"\ntier = "cheap"\n')
    loaded = load(env={}, cwd=project, home=tmp_path)
    assert [rule.when for rule in loaded.settings.rules] == ["stream"]
    assert loaded.origins["rules.1.when"].source == f"{project}/lanewise.toml:3"


@pytest.mark.parametrize("command", [["config", "check"], ["config", "show", "--config"]])
def test_conditions_are_read_with_the_rest_of_the_configuration(command, tmp_path):
    file = tmp_path / "lanewise.toml"
    file.write_text(MODEL + '[[rules]]\nmodel = "m"\nwhen = "skil == \'planning\'"\n')
    found = CliRunner().invoke(lanewise, [*command, str(file)])
    assert found.exit_code == 1
    told = f"{file}:8: `rules.1.when`: unknown variable 'skil' at column 1; hint: did you mean `skill`?"
    assert told in (found.output + str(found.exception))
