"""What is believed of a model before anything was seen: names, bands, inheritance, and the file that ships."""

from __future__ import annotations

import datetime as dt
import re
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lanewise.journey import Skill
from lanewise.select import priors
from lanewise.select.priors import Measured, Priors, Row, Source, Table, canonical

ROOT = Path(__file__).parents[2]

CHANGING = ["code_generation", "code_translation", "debugging", "refactoring", "test_writing"]
OTHER = [skill for skill in get_args(Skill) if skill not in CHANGING]

TABLE = Table(
    version="2026-01-02",
    sources=(Source(name="made up", what="nothing", licence="CC0", retrieved="2026-01-03"),),
    models={
        "both": Measured(
            single={"debugging": Row(success=0.25, tasks=40, output_tokens=300), "data_sql": Row(success=0.5, tasks=8)},
            loops={"debugging": Row(success=0.75, tasks=500)},
            loops_mean=Row(success=0.625, tasks=600),
        ),
        "loops-only": Measured(
            loops={"test_writing": Row(success=0.5, tasks=400)}, loops_mean=Row(success=0.5, tasks=400)
        ),
    },
)


def told(models, skill, band):
    columns = Priors(TABLE).columns(models, skill, band)
    return [tuple(None if np.isnan(number) else float(number) for number in row) for row in zip(*columns, strict=True)]


NOTHING = (None, 0.0, None)


@pytest.mark.parametrize(
    ("written", "known_as"),
    [
        ("claude-opus-4-6", "claude-opus-4-6"),
        ("claude-opus-4-6-20260205", "claude-opus-4-6"),
        ("claude-opus-4-6@20260205", "claude-opus-4-6"),
        ("anthropic/claude-opus-4.6", "claude-opus-4-6"),
        ("openrouter/anthropic/claude-opus-4.6", "claude-opus-4-6"),
        ("Claude-Opus-4.6", "claude-opus-4-6"),
        ("qwen/qwen3-max", "qwen3-max"),
        ("Qwen3-Max", "qwen3-max"),
        ("gpt-5.4-2026-03-05", "gpt-5-4"),
        ("gpt-5.4", "gpt-5-4"),
        ("deepseek-v4-pro:latest", "deepseek-v4-pro"),
        ("MiniMaxAI/MiniMax-M2.7", "minimax-m2-7"),
        ("gemini-3.1-pro", "gemini-3-1-pro"),
        ("deepseek-v4-pro:free", "deepseek-v4-pro:free"),
        ("qwen3-coder-480b:30b", "qwen3-coder-480b:30b"),
        ("kimi-k2-0905", "kimi-k2-0905"),  # four digits name a release with weights of its own
        ("model-20261399", "model-20261399"),  # no such day
        ("gpt-5.4-mini-2026-03-05", "gpt-5-4-mini"),
        ("", ""),
    ],
)
def test_names_of_callers_and_catalogs_are_one_name(written, known_as):
    assert canonical(written) == known_as


@given(st.text(st.characters(codec="ascii"), max_size=40))
def test_vendor_and_case_never_make_another_model(text):
    assert canonical(f"Vendor/{text.swapcase()}") == canonical(text)


@pytest.mark.parametrize(
    "near",
    [
        "gpt-5.4-mini",
        "gpt-5.4-codex",
        "claude-opus-4-60",
        "claude-opus-4",
        "claude-opus-4-6-thinking",
        "deepseek-v3.2",  # only its reasoner was measured
        "kimi-k2",  # likewise
        "deepseek-v4-pro:free",
        "claude-fable-5",
        "",
    ],
)
@pytest.mark.parametrize("band", ["single", "light"])
def test_a_near_name_is_another_model(near, band):
    columns = Priors.load().columns([near], "debugging", band)
    assert np.isnan(columns.success[0])
    assert columns.weight[0] == 0.0


def test_neighbours_in_the_file_that_ships_have_figures_of_their_own():
    found = Priors.load().columns(["claude-opus-4-6", "claude-opus-4-5", "gpt-5.4", "gpt-5.5"], "debugging", "heavy")
    assert found.success.tolist() == [384 / 500, 383 / 500, 378 / 500, 391 / 500]
    assert found.weight.tolist() == [500.0] * 4


def test_single_calls_have_the_figures_of_single_calls():
    assert told(["both", "stranger", "loops-only"], "debugging", "single") == [(0.25, 40.0, 300.0), NOTHING, NOTHING]


@pytest.mark.parametrize("band", ["light", "heavy"])
def test_both_bands_of_tool_loops_have_the_figures_of_tool_loops(band):
    assert told(["stranger", "both"], "debugging", band) == [NOTHING, (0.75, 500.0, None)]


def test_a_length_that_the_source_does_not_say_is_unknown():
    assert told(["both"], "data_sql", "single") == [(0.5, 8.0, None)]


@pytest.mark.parametrize("skill", [skill for skill in CHANGING if skill != "debugging"])
def test_in_tool_loops_a_skill_that_changes_code_inherits_the_mean_at_a_quarter_of_its_weight(skill):
    assert told(["both"], skill, "light") == [(0.625, 150.0, None)]  # 600 / 4


@pytest.mark.parametrize("skill", OTHER)
def test_no_other_skill_inherits_from_tool_loops(skill):
    assert told(["both", "loops-only"], skill, "heavy") == [NOTHING, NOTHING]


@pytest.mark.parametrize("skill", [skill for skill in get_args(Skill) if skill not in {"debugging", "data_sql"}])
def test_in_single_calls_nothing_is_inherited(skill):
    assert told(["both", "loops-only"], skill, "single") == [NOTHING, NOTHING]


@pytest.mark.parametrize("skill", get_args(Skill))
def test_in_the_file_that_ships_neither_side_speaks_for_the_other(skill):
    table, known = priors.read(), Priors.load()
    singles = [name for name, measured in table.models.items() if not measured.loops]
    loops = [name for name, measured in table.models.items() if not measured.single]
    assert singles
    assert loops
    for models, band in ((singles, "light"), (singles, "heavy"), (loops, "single")):
        assert np.isnan(known.columns(models, skill, band).success).all()


@given(
    st.lists(st.sampled_from(["both", "loops-only", "x", "Both:latest"]), max_size=6),
    st.sampled_from(get_args(Skill)),
    st.sampled_from(["single", "light", "heavy"]),
)
def test_unknown_success_has_no_weight_and_no_length(models, skill, band):
    columns = Priors(TABLE).columns(models, skill, band)
    unknown = np.isnan(columns.success)
    assert [column.dtype for column in columns] == [np.float64] * 3
    assert [column.shape for column in columns] == [(len(models),)] * 3
    assert (columns.weight[unknown] == 0.0).all()
    assert (columns.weight[~unknown] > 0.0).all()
    assert np.isnan(columns.output_tokens[unknown]).all()


def test_no_priors_know_nothing():
    none = Priors.none()
    columns = none.columns(["claude-opus-4-6"], "debugging", "single")
    assert (none.version, none.sources) == ("", ())
    assert np.isnan(columns.success).all()
    assert columns.weight.tolist() == [0.0]


def test_an_unknown_band_is_refused():
    with pytest.raises(ValueError, match="no such band: 'Single'"):
        Priors(TABLE).columns(["both"], "debugging", "Single")


def test_the_same_question_is_answered_from_memory_with_arrays_nobody_can_change():
    known = Priors(TABLE)
    first = known.columns(["both"], "debugging", "single")
    assert known.columns(("both",), "debugging", "single") is first
    with pytest.raises(ValueError, match="read-only"):
        first.success[0] = 1.0


def test_the_memory_is_bounded():
    known = Priors(TABLE)
    first = known.columns(["0"], "debugging", "single")
    for number in range(1, priors.CACHED + 1):
        known.columns([str(number)], "debugging", "single")
    assert len(known._answers) == priors.CACHED
    assert known.columns(["0"], "debugging", "single") is not first


def test_the_file_says_when_and_from_where():
    known = Priors.load()
    assert dt.date.fromisoformat(known.version) < dt.date(2027, 1, 1)
    assert [(source.name.split()[0], source.licence.split()[0]) for source in known.sources] == [
        ("CodeRouterBench", "MIT"),
        ("OpenHands", "MIT"),
    ]
    assert all(dt.date.fromisoformat(source.retrieved) for source in known.sources)
    assert set(priors.read().left_out) == {"claude-fable-5"}


def test_the_file_is_small_and_names_models_as_they_are_looked_up():
    path = ROOT / "src" / "lanewise" / "select" / priors.FILE
    assert path.stat().st_size < 100_000
    assert [name for name in priors.read().models if canonical(name) != name] == []


def test_every_figure_of_the_file_is_a_share_with_tasks_behind_it():
    for measured in priors.read().models.values():
        mean = [measured.loops_mean] if measured.loops_mean else []
        for row in (*measured.single.values(), *measured.loops.values(), *mean):
            assert 0.0 <= row.success <= 1.0
            assert row.tasks > 0
            assert row.output_tokens is None or row.output_tokens > 0


def test_the_file_is_in_the_wheel():
    wheel = pytest.importorskip("hatchling.builders.wheel", reason="hatchling is in the group `ci`")
    files = wheel.WheelBuilder(str(ROOT)).recurse_included_files()
    assert f"lanewise/select/{priors.FILE}" in {file.distribution_path for file in files}


def test_the_page_of_the_docs_has_a_row_for_each_model_and_side():
    page = (ROOT / "docs" / "reference" / "priors.md").read_text()
    single, loops = page.split("## Tool loops")
    models = priors.read().models
    assert f"version {priors.read().version}" in page
    assert re.findall(r"^\| ([^ ]+) \| [^|]*\(", single, re.MULTILINE) == [n for n, m in models.items() if m.single]
    assert re.findall(r"^\| ([^ ]+) \| [^|]*\(", loops, re.MULTILINE) == [n for n, m in models.items() if m.loops]
