"""`lanewise report` prints the sums for people and for programs."""

import datetime as dt
import json

import pytest
from click.testing import CliRunner
from made_calls import USD, made_call

from lanewise.cli import lanewise
from lanewise.cli.report import command
from lanewise.ledger.save import save
from lanewise.store import open_database

CENT = USD // 100


@pytest.fixture
def run(tmp_path):
    """Keep some calls in a ledger and run the command on it."""

    def keep_and_run(*arguments, calls=()):
        if calls:
            database = open_database(tmp_path / "ledger.db")
            with database.write() as connection:
                save(connection, calls)
            database.close()
        return CliRunner().invoke(lanewise, ["report", "--data", str(tmp_path), "--since", "2026-01-01", *arguments])

    return keep_and_run


def test_the_table_names_the_baseline_and_shows_unknown_costs(run):
    result = run(calls=[made_call(1), made_call(2), made_call(3, skill="planning", cost_pusd=None)])
    lines = result.stdout.splitlines()
    assert result.exit_code == 0
    assert lines[0].split() == [
        "skill",
        "calls",
        "failed",
        "in",
        "cached",
        "out",
        "cost",
        "baseline",
        "saved",
        "unknown",
        "own",
        "p95",
    ]
    assert lines[2].split() == [
        "debugging",
        "2",
        "0",
        "800",
        "75.0%",
        "100",
        "$0.0400",
        "$0.2000",
        "80.0%",
        "0",
        "200us",
    ]
    assert lines[3].split() == ["planning", "1", "0", "400", "75.0%", "50", "unknown", "unknown", "-", "1", "200us"]
    assert lines[5].split() == ["total", "3", "0", "1.2k", "75.0%", "150", "$0.0400", "$0.2000", "80.0%", "1", "200us"]
    assert "baseline: claude-opus-5-5 (3 calls)" in lines
    assert "saved: $0.1600 over 2 of 3 calls, those whose cost and baseline cost are known" in lines
    assert "cost unknown for 1 calls: not in `cost`, not counted as zero" in lines


def test_the_table_fits_a_hundred_columns_whatever_the_numbers(run):
    calls = [
        made_call(n, session="a-session-id-of-a-client-" * 4, cost_pusd=40_000 * USD, baseline_pusd=40_000 * USD)
        for n in range(200)
    ]
    result = run("--by", "session", calls=calls)
    table = result.stdout.split("\n\n")[0].splitlines()
    assert max(len(line) for line in table) == 100
    assert "a-session-id-of-a-client…" not in result.stdout
    assert "…" in table[2]


def test_a_long_table_is_cut_and_says_so(run):
    result = run("--by", "session", calls=[made_call(n, session=f"s-{n}") for n in range(33)])
    assert "3 more rows: `--json` prints all" in result.stdout
    assert len(json.loads(run("--by", "session", "--json").stdout)["rows"]) == 33


def test_json_has_exact_integers_and_dollars(run):
    found = json.loads(run("--json", calls=[made_call(1), made_call(2, cost_pusd=None)]).stdout)
    assert found["by"] == "skill"
    assert found["since"] == "2026-01-01T00:00:00Z"
    assert found["baselines"] == [["claude-opus-5-5", 2]]
    row = found["rows"][0]
    assert row["group"] == "debugging"
    assert (row["cost_pusd"], row["cost_usd"]) == (2 * CENT, 0.02)
    assert (row["saved_pusd"], row["saved_usd"], row["saved_share"]) == (8 * CENT, 0.08, 0.8)
    assert row["cost_error"] == {
        "calls": 0,
        "computed_pusd": 0,
        "reported_pusd": 0,
        "computed_usd": 0.0,
        "reported_usd": 0.0,
        "relative": None,
    }
    assert found["total"]["unknown_cost_calls"] == 1


def test_every_field_of_the_json_is_documented(run):
    def names(value):
        if isinstance(value, dict):
            return set(value).union(*(names(child) for child in value.values()))
        return set().union(*(names(child) for child in value)) if isinstance(value, list) else set()

    documented = command.help
    undocumented = {name for name in names(json.loads(run("--json").stdout)) if name not in documented}
    assert undocumented == {"computed_usd", "reported_usd"}  # "..._usd" in the text


def test_the_help_keeps_the_lines_of_the_json_schema():
    lines = CliRunner().invoke(lanewise, ["report", "--help"]).stdout.splitlines()
    assert "    since, until   ISO times, UTC; calls that started in [since, until)" in lines


def test_no_ledger_is_a_friendly_sentence_and_creates_nothing(run, tmp_path):
    result = run()
    assert result.exit_code == 0
    assert "No calls since 2026-01-01 00:00 UTC in" in result.stdout
    assert list(tmp_path.iterdir()) == []


def test_no_ledger_in_json_is_a_report_without_calls(run):
    found = json.loads(run("--json").stdout)
    assert (found["rows"], found["total"]["calls"]) == ([], 0)


def test_a_damaged_ledger_exits_1_with_advice_on_stderr(run, tmp_path):
    (tmp_path / "ledger.db").write_bytes(b"not a database" * 100)
    result = run()
    assert (result.exit_code, result.stdout) == (1, "")
    assert "damaged" in result.stderr
    assert "hint: " in result.stderr


@pytest.mark.parametrize("since", ["yesterday", "7", "7y", "-1d", ""])
def test_a_span_that_cannot_be_read_is_a_usage_error(since):
    result = CliRunner().invoke(lanewise, ["report", "--since", since])
    assert result.exit_code == 2
    assert "neither a span such as `7d`" in result.stderr


@pytest.mark.parametrize(("since", "ago"), [("90m", 5_400), ("24h", 86_400), ("7d", 604_800), ("2w", 1_209_600)])
def test_a_span_counts_back_from_now(run, since, ago):
    found = json.loads(run("--json", "--since", since).stdout)
    since_, until = (dt.datetime.fromisoformat(found[name]) for name in ("since", "until"))
    assert round((until - since_).total_seconds()) == ago


def test_the_folder_comes_from_the_environment_where_no_option_names_it(tmp_path):
    result = CliRunner().invoke(lanewise, ["report"], env={"LANEWISE_DATA": str(tmp_path / "elsewhere")})
    assert str(tmp_path / "elsewhere" / "ledger.db") in result.stdout
