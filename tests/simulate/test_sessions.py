"""Synthetic sessions under several policies."""

from __future__ import annotations

import numpy as np
import pytest

from lanewise.money import PriceBook
from lanewise.select.turns import Turns
from lanewise.select.warmth import RULES
from lanewise.simulate.compare import Compared, Sum, compare
from lanewise.simulate.profiles import PROFILES, Profile, Task, World, session
from lanewise.simulate.sessions import Play, Pool, Tally, bill_pusd

CLAUDE: Profile = PROFILES[0]
BOOK = PriceBook.load()
HAIKU, SONNET, OPUS = (BOOK.find(model).base for model in CLAUDE.models)
FIRST, GROWS, OUT = CLAUDE.first_tokens, 1_000, 500


def task(score: float, *, calls: int = 1, idle_s: float = 1.0, luck: float = 0.0, scores=None, subagent=False) -> Task:
    return Task(
        subagent=subagent,
        idle_s=idle_s,
        difficulty=score,
        luck=luck,
        score=score,
        scores=scores or (score,) * calls,
        growth_tokens=(GROWS,) * calls,
        output_tokens=(OUT,) * calls,
    )


def play(policy: str, *tasks: Task, share: float = 0.05) -> Tally:
    return Play(policy, CLAUDE, Pool(CLAUDE, BOOK), share, Turns()).run(tasks)


def bill(rates, prompt: int, warm: int) -> int:
    return warm * rates.cache_read_pusd + (prompt - warm) * rates.cache_write_5m_pusd + OUT * rates.output_pusd


SECOND = FIRST + GROWS + OUT


def test_the_second_call_reads_what_the_first_one_wrote():
    assert play("baseline", task(0.9, calls=2)).cost_pusd == bill(OPUS, FIRST, 0) + bill(OPUS, SECOND, FIRST)


def test_after_a_long_pause_all_of_it_is_written_again():
    tally = play("baseline", task(0.9), task(0.9, idle_s=301))
    assert tally.cost_pusd == bill(OPUS, FIRST, 0) + bill(OPUS, SECOND, 0)


def test_never_switching_keeps_the_first_choice():
    tally = play("never", task(0.1), task(0.9))
    assert tally.cost_pusd == bill(HAIKU, FIRST, 0) + bill(HAIKU, SECOND, FIRST)
    assert tally.switches == 0


def test_a_failed_task_is_done_again_by_the_baseline_at_full_cost():
    tally = play("never", task(0.1, luck=1.0))
    assert tally.cost_pusd == bill(HAIKU, FIRST, 0) + bill(OPUS, SECOND, 0)
    assert (tally.retries, tally.switches, tally.unsafe) == (1, 1, 0)
    assert tally.forced_pusd == FIRST * (OPUS.cache_write_5m_pusd - OPUS.cache_read_pusd)
    assert play("baseline", task(0.9, luck=1.0)).retries == 0


def test_following_the_scorer_changes_models_inside_a_loop_and_ours_does_not():
    wavering = task(0.6, calls=3, scores=(0.6, 0.1, 0.6))
    assert (play("scorer", wavering).switches, play("scorer", wavering).unsafe) == (2, 2)
    assert (play("ours", wavering).switches, play("ours", wavering).unsafe) == (0, 0)


def test_ours_goes_down_only_as_far_as_the_promise_allows():
    tasks = (task(0.9), task(0.6))  # opus, then what sonnet could do
    assert play("ours", *tasks, share=0.0).switches == 0
    assert play("ours", *tasks, share=1.0).switches == 1
    assert play("ours", *tasks, share=1.0).overhead_share > 0.05


def test_a_sub_agent_begins_cold_in_a_conversation_of_its_own():
    tally = play("baseline", task(0.9), task(0.9, subagent=True), task(0.9))
    assert tally.cost_pusd == 2 * bill(OPUS, FIRST, 0) + bill(OPUS, SECOND, FIRST)


@pytest.mark.parametrize(("prompt", "marked"), [(5_000, False), (1_000, True)])
def test_an_uncached_prompt_is_billed_at_the_input_price(prompt, marked):
    cost = bill_pusd(OPUS, RULES["anthropic"], prompt_tokens=prompt, warm=0, output=10, marked=marked)
    assert cost == prompt * OPUS.input_pusd + 10 * OPUS.output_pusd


def test_the_same_seed_draws_the_same_session():
    drawn = [session(CLAUDE, World(), np.random.default_rng([7, 0])) for _ in range(2)]
    assert drawn[0] == drawn[1]


def test_ours_beats_both_in_every_profile_without_an_unsafe_switch_and_within_the_promise():
    rows = compare(sessions=600, seed=3, share=0.05, world=World(), book=BOOK)
    assert [row.client for row in rows] == [profile.client for profile in PROFILES]
    assert {row.client: row.failures(0.05) for row in rows} == {row.client: () for row in rows}
    assert all(row.policies["scorer"].unsafe for row in rows if row.client in {"claude-code", "codex"})


def total(cost: int, unsafe: int = 0, share: float = 0.0) -> Sum:
    return Sum(
        cost_pusd_per_session=cost,
        calls=1,
        retries=0,
        switches=0,
        unsafe=unsafe,
        overhead_share_max=share,
        forced_share=0.0,
    )


@pytest.mark.parametrize(
    ("ours", "failures"),
    [
        (total(9), ()),
        (total(10), ("not cheaper than never",)),
        (total(12), ("not cheaper than never", "not cheaper than scorer")),
        (total(9, unsafe=1), ("switches inside a tool loop",)),
        (total(9, share=0.051), ("breaks the promise",)),
    ],
)
def test_what_ours_does_not_hold_is_named(ours, failures):
    row = Compared(client="x", sessions=1, policies={"never": total(10), "scorer": total(11), "ours": ours})
    assert row.failures(0.05) == failures
