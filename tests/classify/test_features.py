"""Size, complexity and waiting as numbers."""

from __future__ import annotations

import msgspec
import pytest
from classify_kit import request, results, user
from hypothesis import given
from hypothesis import strategies as st

from lanewise.classify.features import WEIGHTS, Ask, Course, complexity, features, hardness, input_tokens, waiting
from lanewise.classify.features import measure as measure_parted
from lanewise.classify.prose import part
from lanewise.journey import Caller, Turn


def measure(text):
    return measure_parted(text, part(text))


MAIN = Turn(kind="main", client="claude-code")
TITLE = Turn(kind="housekeeping", housekeeping="title", client="claude-code")
COMPACTION = Turn(kind="housekeeping", housekeeping="compaction", client="claude-code")


@pytest.mark.parametrize(
    ("model", "tokens"),
    [
        ("gpt-5", 1_000),  # 3,700 / 3.7
        ("", 1_000),
        ("claude-sonnet-4-5", 1_000),
        ("claude-opus-4-6", 1_000),
        ("claude-opus-4-7", 1_480),  # 3,700 / 2.5
        ("claude-opus-4-8", 1_480),
        ("claude-opus-5-5", 1_480),
        ("claude-sonnet-5", 1_480),
        ("anthropic/claude-opus-4.8", 1_480),
        ("claude-sonnet-4-20250514", 1_000),
        ("claude-3-5-sonnet-20241022", 1_000),
    ],
)
def test_tokens_are_bytes_over_the_tokenizers_yield(model, tokens):
    assert input_tokens(request(plain=b"x" * 3_700, model=model)) == tokens


def test_pictures_count_at_a_flat_rate_instead_of_their_bytes():
    picture = b'{"type":"image","source":{"type":"base64","media_type":"image/png","data":"' + b"A" * 50_000 + b'"}}'
    inline = b'{"type":"image_url","image_url":{"url":"data:image/png;base64,' + b"A" * 50_000 + b'"}}'
    for body in (picture, inline):
        assert 1_600 <= input_tokens(request(plain=body, has_images=True, model="gpt-5")) < 1_650
        assert input_tokens(request(plain=body, has_images=False, model="gpt-5")) > 13_000


def test_two_pictures_count_twice():
    picture = b'{"type":"base64","data":"' + b"A" * 9_000 + b'"},'
    assert 3_200 <= input_tokens(request(plain=picture * 2, has_images=True, model="gpt-5")) < 3_250


def test_a_mark_in_the_text_of_a_user_is_no_picture():
    body = b'{"text":"decode base64 please"}'
    assert input_tokens(request(plain=body, has_images=True, model="gpt-5")) == 9  # 31 / 3.7, rounded up


def test_the_ask_is_measured_by_code_and_by_distinct_files():
    ask = measure("Fix src/app.py and src/app.py, then store/db.go\n```\nabcdefghij\n```")
    assert (ask.files_named, ask.code_share) == (2, round(10 / 66, 3))
    assert measure("e.g. version 2.0 of www.example") == Ask(chars=31)


def test_steps_are_items_of_lists_and_words_that_chain():
    assert measure("1. add a flag\n2. document it\n- test it").steps == 3
    assert measure("add a flag, then document it and finally test it").steps == 2
    assert measure("add a flag").steps == 0


SIGNALS = {
    "tokens": st.integers(0, 500_000),
    "tools": st.integers(0, 200),
    "depth": st.integers(0, 2_000),
    "failures": st.integers(0, 30),
    "history": st.floats(0, 1),
    "chars": st.integers(0, 601),
    "code_share": st.floats(0, 1),
    "files_named": st.integers(0, 60),
    "steps": st.integers(0, 40),
}
SHARES = {"history", "code_share"}
PART_OF = {
    "tokens": "input_length", "chars": "input_length", "tools": "chained_calls", "steps": "chained_calls",
    "depth": "depth", "failures": "prior_failure", "history": "caller_history", "code_share": "code",
    "files_named": "files_named",
}  # fmt: skip
FULL = {
    "tokens": 128_000,
    "tools": 25,
    "depth": 60,
    "failures": 4,
    "history": 1.0,
    "chars": 600,
    "code_share": 1.0,
    "files_named": 8,
    "steps": 8,
}


def parts_of(signals: dict) -> dict[str, float]:
    ask = Ask(**{name: signals[name] for name in ("chars", "code_share", "files_named", "steps")})
    course = Course(**{name: signals[name] for name in ("depth", "failures", "history")}, tasks=1)
    return complexity(tokens=signals["tokens"], tools=signals["tools"], ask=ask, course=course)


@given(st.fixed_dictionaries(SIGNALS), st.sampled_from(sorted(SIGNALS)), st.floats(0, 1))
def test_more_of_any_signal_is_never_simpler(signals, name, share):
    step = share * (1 - signals[name]) if name in SHARES else int(share * 1_000)
    before, after = parts_of(signals), parts_of({**signals, name: signals[name] + step})
    assert all(after[part] >= before[part] for part in before)


@given(st.fixed_dictionaries(SIGNALS))
def test_the_parts_lie_between_nothing_and_their_weight(signals):
    parts = parts_of(signals)
    assert all(0 <= parts[name] <= WEIGHTS[name] for name in WEIGHTS)


@pytest.mark.parametrize("name", sorted(SIGNALS))
def test_each_signal_adds_to_the_part_that_is_named_after_it(name):
    nothing = dict.fromkeys(SIGNALS, 0)
    assert not any(parts_of(nothing).values())
    alone = parts_of({**nothing, name: FULL[name]})
    assert alone[PART_OF[name]] > 0


def test_all_signals_together_reach_one():
    assert parts_of(FULL) == WEIGHTS
    assert sum(WEIGHTS.values()) == pytest.approx(1.0)


def test_sessions_whose_tasks_take_many_calls_expect_many_more():
    one, five = (complexity(tokens=0, tools=0, ask=Ask(), course=Course(depth=20, tasks=tasks)) for tasks in (1, 5))
    assert one["chained_calls"] > five["chained_calls"] > 0


def test_a_task_was_harder_the_more_calls_and_failures_it_took():
    assert hardness(1, 0) < hardness(10, 0) < hardness(10, 2) < hardness(30, 4) == 1.0


def test_the_parts_sum_to_the_complexity():
    call = request(user("Fix a.py"), results(errors=2), plain=b"x" * 40_000)
    found = features(call, MAIN, measure("Fix a.py"), Course(depth=7, failures=2), Caller(), headless=False)
    assert found.complexity == pytest.approx(sum(found.complexity_parts.values()))
    assert (found.tool_errors, found.files_named, found.tools_offered, found.body_bytes) == (2, 1, 3, 40_000)


@pytest.mark.parametrize(
    ("turn", "caller", "headless", "waits"),
    [
        (MAIN, Caller(), False, True),
        (MAIN, Caller(), True, False),
        (MAIN, Caller(lane="batch"), False, False),
        (MAIN, Caller(deadline_s=28_800.0), False, False),
        (MAIN, Caller(deadline_s=30.0), False, True),
        (MAIN, Caller(deadline_s=30.0), True, True),  # a caller's word outranks what the client looks like
        (MAIN, Caller(tags=("team-a", "nightly")), False, False),
        (TITLE, Caller(), False, False),
        (COMPACTION, Caller(), False, True),  # the session stands still until it is done
        (Turn(kind="main"), Caller(), False, True),  # an unknown client: in doubt somebody waits
    ],
)
def test_whether_somebody_waits(turn, caller, headless, waits):
    waiting_now, reason = waiting(turn, caller, headless=headless)
    assert waiting_now is waits
    assert reason


TURNS = st.sampled_from([MAIN, TITLE, COMPACTION, Turn(kind="continuation"), Turn(kind="subagent", client="codex")])
CALLERS = st.builds(
    Caller,
    lane=st.sampled_from([None, "local", "batch", "realtime"]),
    deadline_s=st.one_of(st.none(), st.floats(1, 100_000)),
    tags=st.lists(st.sampled_from(["team-a", "nightly", "ci"]), max_size=2).map(tuple),
)


@given(TURNS, CALLERS, st.booleans(), st.floats(0, 100_000))
def test_more_time_never_makes_somebody_wait(turn, caller, headless, more_s):
    with_deadline = msgspec.structs.replace(caller, deadline_s=caller.deadline_s or 60.0)
    later = msgspec.structs.replace(with_deadline, deadline_s=with_deadline.deadline_s + more_s)
    assert waiting(turn, later, headless=headless)[0] <= waiting(turn, with_deadline, headless=headless)[0]


@given(TURNS, CALLERS, st.booleans())
def test_a_word_that_it_can_wait_never_makes_somebody_wait(turn, caller, headless):
    now = waiting(turn, caller, headless=headless)[0]
    assert waiting(turn, msgspec.structs.replace(caller, tags=(*caller.tags, "batch")), headless=headless)[0] <= now
    assert waiting(turn, msgspec.structs.replace(caller, lane="batch"), headless=headless)[0] <= now
    assert waiting(turn, caller, headless=True)[0] <= waiting(turn, caller, headless=False)[0]
