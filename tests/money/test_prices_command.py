"""`lanewise prices`: data on stdout, talk on stderr, and no dubious list gets in unasked."""

import json

import pytest
from click.testing import CliRunner

from lanewise.cli import lanewise
from lanewise.money import PriceBook


def listed(input_usd_per_token=2e-06):
    """A price map of one model that the shipped list has at $2 in and $10 out."""
    model = {
        "litellm_provider": "anthropic",
        "mode": "chat",
        "input_cost_per_token": input_usd_per_token,
        "output_cost_per_token": 1e-05,
        "cache_read_input_token_cost": 1e-07,
        "input_cost_per_token_batches": input_usd_per_token / 2,
        "output_cost_per_token_batches": 5e-06,
    }
    return json.dumps({"claude-sonnet-5-5": model})


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Run the command with its data in an empty folder."""
    monkeypatch.setenv("LANEWISE_DATA", str(tmp_path / "data"))

    def command(*arguments, stdin=None):
        return CliRunner().invoke(lanewise, ["prices", *arguments], input=stdin)

    command.file = tmp_path / "data" / "prices.json"
    return command


def test_show_prints_dollars_per_million_tokens_on_stdout_and_the_list_on_stderr(run):
    result = run("show", "claude-opus-5-5", "deepseek-flash")
    assert [line.split() for line in result.stdout.splitlines()] == [
        ["model", "input", "output", "read", "write", "batch", "in/out"],
        ["claude-opus-5-5", "4", "20", "0.2", "5", "2/10"],
        ["deepseek-flash", "0.3", "1.2", "0.006", "0.3", "-", "c"],
    ]
    assert PriceBook.load().snapshot in result.stderr
    assert result.exit_code == 0


def test_show_without_names_prints_every_model_within_a_hundred_columns(run):
    lines = run("show").stdout.splitlines()
    assert len(lines) == 1 + len(PriceBook.load().names())
    assert max(map(len, lines)) <= 100


def test_show_as_json_gives_the_whole_price(run):
    document = json.loads(run("show", "gemini-4-argon", "--json").stdout)
    assert document["snapshot"] == PriceBook.load().snapshot
    assert document["prices"][0]["levels"][0]["standard"]["output_pusd"] == 10_000_000
    assert document["prices"][0]["rises"] == [{"since": "2026-12-01", "factor": 2}]


def test_show_names_each_model_without_a_price_and_fails(run):
    result = run("show", "claude-opus-5-5", "nobody", "nothing")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "'nobody', 'nothing'" in result.stderr
    assert "hint:" in result.stderr


def test_diff_lists_what_would_change_and_changes_nothing(run):
    result = run("diff", "--from", "-", stdin=listed(3e-06))
    assert "~ claude-sonnet-5-5 standard input: 2 -> 3\n" in result.stdout
    assert "- claude-opus-5-5\n" in result.stdout
    assert result.exit_code == 0
    assert not run.file.exists()


def test_diff_as_json_gives_picodollars(run):
    document = json.loads(run("diff", "--from", "-", "--json", stdin=listed(3e-06)).stdout)
    change = next(change for change in document["changes"] if change["rate"] == "standard input")
    assert change == {
        "model": "claude-sonnet-5-5",
        "rate": "standard input",
        "before_pusd": 2_000_000,
        "after_pusd": 3_000_000,
    }


def test_update_puts_the_list_in_the_data_folder_and_prints_its_id(run, tmp_path):
    source = tmp_path / "map.json"
    source.write_text(listed(3e-06))
    result = run("update", "--from", str(source), "--date", "2027-01-02")
    book = PriceBook.load(run.file.parent)
    assert (result.exit_code, result.stdout) == (0, f"{book.prices.id}\n")
    assert book.prices.id.startswith("litellm-2027-01-02-")
    assert book.find("claude-sonnet-5-5").base.input_pusd == 3_000_000
    assert [path.name for path in run.file.parent.iterdir()] == ["prices.json"]


@pytest.mark.parametrize("price", [6.1e-06, 0.6e-06])
def test_update_refuses_a_jump_either_way_until_told_yes(run, price):
    refused = run("update", "--from", "-", "--date", "2027-01-02", stdin=listed(price))
    assert (refused.exit_code, refused.stdout) == (1, "")
    assert "claude-sonnet-5-5 standard input: 2 -> " in refused.stderr
    assert "--yes" in refused.stderr
    assert not run.file.exists()
    accepted = run("update", "--from", "-", "--date", "2027-01-02", "--yes", stdin=listed(price))
    assert accepted.exit_code == 0
    assert run.file.exists()


def test_update_accepts_a_change_of_exactly_three(run):
    assert run("update", "--from", "-", "--date", "2027-01-02", stdin=listed(6e-06)).exit_code == 0


def test_update_keeps_a_later_list(run):
    result = run("update", "--from", "-", "--date", "2020-01-01", stdin=listed())
    assert result.exit_code == 1
    assert "keeping the later one" in result.stderr
    assert not run.file.exists()


def test_update_refuses_what_is_no_price_map_and_keeps_the_list(run):
    run("update", "--from", "-", "--date", "2027-01-02", stdin=listed())
    before = run.file.read_bytes()
    result = run("update", "--from", "-", "--date", "2027-01-03", stdin="<html>")
    assert (result.exit_code, run.file.read_bytes()) == (1, before)
    assert "not JSON" in result.stderr


def test_update_mends_a_list_that_cannot_be_read(run):
    run.file.parent.mkdir()
    run.file.write_text("{")
    assert run("show").exit_code == 1
    mended = run("update", "--from", "-", "--date", "2027-01-02", stdin=listed())
    assert mended.exit_code == 0
    assert "warning" in mended.stderr
    assert run("show").exit_code == 0


def test_a_folder_that_cannot_be_written_is_named(run):
    run.file.parent.write_text("a file where the folder should be")
    result = run("update", "--from", "-", "--date", "2027-01-02", stdin=listed())
    assert result.exit_code == 1
    assert "cannot write" in result.stderr


@pytest.mark.parametrize(
    "arguments", [("update",), ("diff",), ("show", "--fast"), ("update", "--from", "/no/such/file")]
)
def test_wrong_usage_exits_with_two(run, arguments):
    assert run(*arguments).exit_code == 2


def test_help_says_that_no_connection_is_opened(run):
    assert "Opens no connection" in " ".join(run("update", "--help").stdout.split())
