"""Layer 1 as a whole: turn, label, features and identity of one request after another."""

from __future__ import annotations

import msgspec
import pytest
from classify_kit import CLAUDE_CODE, HERE, NOW, REQUESTS, answer, recorded, request, results, user
from hypothesis import given
from hypothesis import strategies as st

from lanewise.classify import Classifier
from lanewise.classify.harness import HEAD_CHARS, TAIL_CHARS
from lanewise.classify.student import Student
from lanewise.journey import Caller, SkillLabel

BUG = user("The login page crashes with a TypeError")
SHARED_CLASSIFIER = Classifier.load()


def hinted(*messages, **fields):
    return request(*messages, **{"session_hint": "s1", "headers": CLAUDE_CODE, **fields})


@pytest.fixture
def read():
    classifier = Classifier.load()
    return lambda call, caller=Caller(): classifier.read(call, caller, NOW)  # noqa: B008 - frozen value


def test_a_request_is_labelled_and_its_loop_inherits(read):
    first = read(hinted(BUG))
    loop = read(hinted(BUG, answer(), results()))
    assert (first.turn.kind, first.label.skill, first.label.source) == ("main", "debugging", "student")
    assert (loop.turn.kind, loop.label.skill, loop.label.source) == ("continuation", "debugging", "inherited")
    assert loop.label.confidence == first.label.confidence


def test_an_approval_inherits_the_skill_and_a_new_request_does_not(read):
    read(hinted(BUG))
    followup = read(hinted(BUG, answer(), user("yes, go ahead")))
    asked = read(hinted(BUG, answer(), user("Write unit tests for the tokenizer")))
    assert (followup.label.skill, followup.label.source) == ("debugging", "inherited")
    assert (asked.label.skill, asked.label.source) == ("test_writing", "student")


def test_a_loop_reads_no_words_once_its_task_has_a_label(read, monkeypatch):
    read(hinted(BUG))
    monkeypatch.setattr(Student, "read", lambda *_args, **_named: pytest.fail("the words were read again"))
    assert read(hinted(BUG, answer(), results())).label.skill == "debugging"


def test_a_loop_met_in_its_middle_is_labelled_by_the_users_last_words(read):
    assert read(hinted(user("hi"), answer(), BUG, answer(), results())).label.skill == "debugging"


def test_a_loop_whose_request_scrolled_off_is_labelled_by_the_first_words(read):
    assert read(hinted(answer(), results(), first_user=BUG)).label.skill == "debugging"


def test_housekeeping_is_labelled_by_what_it_is(read):
    title = read(recorded(HERE / "recordings/claude-code/002.json"))
    commit = read(recorded(HERE / "recordings/aider/002.json"))
    assert (title.label.skill, title.label.source) == ("summarization", "structure")
    assert (commit.label.skill, commit.label.source) == ("commit_changelog", "structure")


def test_a_title_call_between_two_steps_leaves_the_task_alone(read):
    first = read(hinted(BUG))
    read(hinted(user("<session>x</session>"), output_schema_keys=("title",), tool_names=()))
    loop = read(hinted(BUG, answer(), results()))
    assert (loop.identity.task_id, loop.label.skill) == (first.identity.task_id, "debugging")


def test_plan_mode_decides_the_skill_whatever_the_words(read):
    reminder = "<system-reminder>Plan mode is active. Do not edit.</system-reminder>\nAdd a flag"
    label = read(hinted(user(reminder))).label
    assert (label.skill, label.source) == ("planning", "structure")


def test_a_sentinel_that_names_a_skill_decides_it(read):
    call = hinted(user("Add a flag"), system=("You are a file search specialist for Claude Code",))
    reading = read(call)
    assert (reading.turn.kind, reading.label.skill) == ("subagent", "codebase_search")


def test_a_change_of_skill_inside_a_session_is_noticed_in_an_approval_too(read):
    first = read(hinted(user("Review the parser for race conditions"), tool_names=("Read",)))
    changed = read(
        hinted(
            user("Review the parser"),
            answer("Three findings. Shall I write tests for them?"),
            user("ok, write unit tests for the parser"),
        )
    )
    assert (first.label.skill, changed.label.skill) == ("code_review", "test_writing")


def test_a_text_without_cues_is_chat_for_a_script_and_read_by_the_student_for_an_agent(read):
    script, agent = read(request(user("lorem"), tool_names=())).label, read(request(user("ipsum"))).label
    assert (script.skill, script.source, script.abstained) == ("general_chat", "default", True)
    assert agent.source == "student"


def test_an_approval_met_without_its_task_takes_the_skill_of_what_was_said_before(read):
    said = (user("review the importer for race conditions"), answer("Two findings so far. Shall I go on?"))
    assert read(hinted(*said, user("yes please"))).label.skill == "code_review"


def test_a_retry_of_a_request_is_not_read_again(read, monkeypatch):
    read(hinted(BUG))
    monkeypatch.setattr(Student, "read", lambda *_args, **_named: pytest.fail("the words were read again"))
    assert read(hinted(BUG)).label.source == "inherited"


def test_a_conversation_met_in_its_middle_is_read_in_the_light_of_what_was_said_before(read):
    said = (user("The export crashes with a KeyError, find out why"), answer("It is the locale. Shall I fix it?"))
    alone, within = read(hinted(user("yes"), session_hint="a")), read(hinted(*said, user("yes"), session_hint="b"))
    assert within.label.skill == "debugging"
    assert within.label.confidence != alone.label.confidence


def test_a_callers_hard_tasks_raise_the_complexity_of_the_next_until_easy_ones_follow(read):
    easy = read(hinted(user("Rename x"), session_hint="other"), Caller(key_id="calm"))
    for step in range(12):
        read(hinted(BUG, *[answer(), results(errors=1)] * step))
    after_hard = read(hinted(BUG, answer(), user("Rename x to y in a.py")))
    for number in range(6):
        last = read(hinted(BUG, answer(), user(f"Rename x to y{number} in a.py")))
    history = [reading.features.complexity_parts["caller_history"] for reading in (easy, after_hard, last)]
    assert history[0] == 0 < history[2] < history[1]


def test_depth_and_failures_of_the_session_raise_the_complexity(read):
    first = read(hinted(BUG))
    loop = read(hinted(BUG, answer(), results(errors=2)))
    assert loop.features.complexity_parts["prior_failure"] > first.features.complexity_parts["prior_failure"] == 0
    assert loop.features.complexity_parts["depth"] > first.features.complexity_parts["depth"] == 0
    assert loop.features.files_named == first.features.files_named


def test_a_failure_counts_until_the_task_ends(read):
    read(hinted(BUG, answer(), results(errors=2)))
    later = read(hinted(BUG, answer(), results(errors=2), answer(), *[results(), answer()] * 3, results()))
    fresh = read(hinted(BUG, answer(), user("Write unit tests for the tokenizer")))
    assert later.features.complexity_parts["prior_failure"] > fresh.features.complexity_parts["prior_failure"] == 0


# -- second opinions ---------------------------------------------------------------------------------------

BETTER = SkillLabel(skill="data_sql", confidence=0.9, source="hosted", asked_pusd=7)


@pytest.fixture
def unsure():
    """A classifier whose student is sure of nothing."""
    classifier = Classifier.load()
    student = classifier._student
    student.facts = msgspec.structs.replace(student.facts, abstain_below=0.9999)
    return classifier


def test_the_words_for_somebody_else_are_the_user_s_own(unsure):
    text = "<system-reminder>Be brief.</system-reminder>Fix it"
    assert unsure.words_of(hinted(user(text))) == "Fix it"
    assert unsure.words_of(hinted(BUG, answer(), results())) == BUG.text
    assert unsure.words_of(hinted(user("<system-reminder>Be brief.</system-reminder>"))) == ""


def test_of_long_words_head_and_tail_are_kept_within_the_limit(unsure):
    words = unsure.words_of(hinted(user("a" * 1300 + "b" * 700)))
    assert words == "a" * HEAD_CHARS + "\n" + "b" * (TAIL_CHARS - 1)


def test_words_that_are_no_valid_unicode_are_mended(unsure):
    assert unsure.words_of(hinted(user("Fix \ud800 it"))) == "Fix ? it"


def test_a_better_label_is_inherited_by_the_task_and_was_paid_for_once(unsure):
    first = unsure.read(hinted(BUG), Caller(), NOW)
    corrected = unsure.correct(hinted(BUG), Caller(), first, BETTER)
    assert corrected == msgspec.structs.replace(first, label=BETTER)
    loop = unsure.read(hinted(BUG, answer(), results()), Caller(), NOW)
    assert loop.label == msgspec.structs.replace(BETTER, source="inherited", asked_pusd=0)
    approval = unsure.read(hinted(BUG, answer(), user("yes, go ahead")), Caller(), NOW)
    assert approval.label == loop.label


def test_a_better_label_that_comes_after_its_task_changes_no_other(unsure):
    first = unsure.read(hinted(BUG), Caller(), NOW)
    following = hinted(BUG, answer(), user("Write unit tests for the tokenizer"))
    second = unsure.read(following, Caller(), NOW)
    assert unsure.correct(hinted(BUG), Caller(), first, BETTER).label == BETTER
    loop = unsure.read(hinted(BUG, answer(), user("Write unit tests"), answer(), results()), Caller(), NOW)
    assert (loop.identity.task_id, loop.label.skill) == (second.identity.task_id, second.label.skill)


def test_a_better_label_for_a_forgotten_session_is_used_once(unsure):
    first = unsure.read(hinted(BUG), Caller(), NOW)
    assert unsure.forgetful().correct(hinted(BUG), Caller(), first, BETTER).label == BETTER


def test_what_failed_in_the_task_before_is_not_held_against_the_next(read):
    failed = (BUG, answer(), results(errors=2), answer())
    read(hinted(*failed[:3]))
    fresh = read(hinted(*failed, user("Write unit tests for the tokenizer")))
    loop = read(hinted(*failed, user("Write unit tests for the tokenizer"), answer(), results()))
    assert fresh.features.complexity_parts["prior_failure"] == loop.features.complexity_parts["prior_failure"] == 0


def test_no_text_of_the_user_is_in_the_reading(read):
    secret = "zanzibar-4711"
    reading = read(hinted(user(f"Fix {secret} in {secret}.py"), system=(secret,), session_hint=secret))
    assert secret not in repr(reading)


@given(st.lists(REQUESTS, max_size=4))
def test_no_sequence_of_requests_makes_it_raise(calls):
    for call in calls:
        reading = SHARED_CLASSIFIER.read(call, Caller(), NOW)
        assert 0 <= reading.features.complexity <= 1
        assert 0 < reading.label.confidence <= 1
