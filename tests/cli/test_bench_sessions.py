"""`lanewise bench sessions`."""

from __future__ import annotations

import json

from click.testing import CliRunner

from lanewise.cli import lanewise


def bench(*arguments: str):
    return CliRunner().invoke(lanewise, ["bench", "sessions", "--sessions", "120", *arguments])


def test_it_prints_every_policy_of_every_profile_as_json_and_repeats_itself():
    first, second = bench("--json"), bench("--json")
    assert first.stdout == second.stdout
    made = json.loads(first.stdout)
    assert first.exit_code == any(row["failures"] for row in made["profiles"])
    assert {row["client"] for row in made["profiles"]} == {
        "claude-code",
        "codex",
        "opencode",
        "aider",
        "script",
        "subagents",
    }
    for row in made["profiles"]:
        assert list(row["policies"]) == ["baseline", "never", "scorer", "ours"]
        assert row["sessions"] == 20
        ours = row["policies"]["ours"]
        assert ours["unsafe_switches"] == 0
        assert ours["overhead_share_max"] <= 0.05


def test_it_fails_where_ours_is_not_cheaper_and_says_in_which_profile():
    result = bench("--max-switch-overhead", "0", "--seed", "1")
    assert result.exit_code == 1
    assert "FAILED: not cheaper than" in result.stdout


def test_the_sensitivity_table_has_a_row_per_assumption():
    result = bench("--sensitivity")
    assert "scorer that does not waver" in result.stdout
