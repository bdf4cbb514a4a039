"""Which conversation and task a call belongs to."""

from __future__ import annotations

import datetime as dt

from classify_kit import CLAUDE_CODE, NOW, answer, request, results, user

from lanewise.classify.session import SessionBook
from lanewise.classify.structure import Structure
from lanewise.journey import Caller

STRUCTURE = Structure.load()
LATER = NOW + dt.timedelta(seconds=90)
ASK = user("Add a flag")


def place(book, call, caller=Caller(), now=NOW):  # noqa: B008 - frozen value
    return book.place(call, STRUCTURE.look(call), caller, now)[0]


def hinted(*messages, **fields):
    return request(*messages, **{"session_hint": "s1", "headers": CLAUDE_CODE, **fields})


def test_a_loop_stays_in_the_task_of_its_request():
    book = SessionBook()
    first = place(book, hinted(ASK))
    second = place(book, hinted(ASK, answer(), results()), now=LATER)
    assert (first.new_session, first.new_task, first.depth) == (True, True, 0)
    assert (second.new_session, second.new_task, second.depth) == (False, False, 1)
    assert (second.session_id, second.task_id) == (first.session_id, first.task_id)


def test_a_new_request_opens_a_task_in_the_same_session():
    book = SessionBook()
    first = place(book, hinted(ASK))
    second = place(book, hinted(ASK, answer(), user("Write its docs")), now=LATER)
    assert second.session_id == first.session_id
    assert second.new_task
    assert second.task_id != first.task_id


def test_an_approval_stays_in_the_task():
    book = SessionBook()
    first = place(book, hinted(ASK))
    assert place(book, hinted(ASK, answer(), user("yes"))).task_id == first.task_id


def test_a_retry_of_the_same_request_opens_no_task():
    book = SessionBook()
    first = place(book, hinted(ASK))
    again = place(book, hinted(ASK), now=LATER)
    assert (again.task_id, again.new_task, again.depth) == (first.task_id, False, 1)


def test_the_same_words_later_in_the_conversation_are_a_new_task():
    book = SessionBook()
    first = place(book, hinted(ASK))
    assert place(book, hinted(ASK, answer(), ASK)).task_id != first.task_id


def test_housekeeping_shares_the_ids_and_counts_as_no_call():
    book = SessionBook()
    title = hinted(user("x"), output_schema_keys=("title",), tool_names=())
    before = place(book, title)
    main = place(book, hinted(ASK))
    after = place(book, title)
    assert (before.session_id, main.new_session, main.depth) == (main.session_id, True, 0)
    assert (after.task_id, after.new_task, after.depth) == (main.task_id, False, 1)


def test_a_sub_agent_has_a_session_of_its_own_and_leaves_its_parents_task_alone():
    book = SessionBook()
    parent = place(book, hinted(ASK))
    child = place(book, hinted(user("Search"), agent_id="a1"))
    other = place(book, hinted(user("Search"), agent_id="a2"))
    loop = place(book, hinted(user("Search"), answer(), results(), agent_id="a1"))
    assert len({parent.session_id, child.session_id, other.session_id}) == 3
    assert (loop.session_id, loop.task_id) == (child.session_id, child.task_id)
    assert place(book, hinted(ASK, answer(), results())).task_id == parent.task_id


def test_a_sub_agent_known_by_its_system_text_alone_is_kept_apart_too():
    book = SessionBook()
    system = ("You are a file search specialist for Claude Code",)
    parent = place(book, hinted(ASK))
    child = place(book, hinted(user("Search"), system=system))
    loop = place(book, hinted(user("Search"), answer(), results(), system=system))
    assert child.session_id != parent.session_id
    assert loop.task_id == child.task_id


def test_the_callers_own_session_name_outranks_the_clients():
    book = SessionBook()
    one = place(book, hinted(ASK), Caller(session="mine"))
    two = place(book, hinted(user("Other"), session_hint="s2"), Caller(session="mine"))
    assert one.session_id == two.session_id


def test_two_keys_never_share_a_session():
    book = SessionBook()
    assert (
        place(book, hinted(ASK), Caller(key_id="a")).session_id
        != place(book, hinted(ASK), Caller(key_id="b")).session_id
    )


def test_without_a_name_the_first_words_find_the_conversation():
    book = SessionBook()
    first = place(book, request(ASK))
    loop = place(book, request(ASK, answer(), results()), now=LATER)
    assert (loop.session_id, loop.task_id) == (first.session_id, first.task_id)


def test_without_a_name_the_same_first_words_again_are_another_conversation():
    book = SessionBook()
    first = place(book, request(ASK))
    second = place(book, request(ASK), now=LATER)
    assert second.new_session
    assert second.depth == 0
    assert second.session_id != first.session_id


def test_without_a_name_a_counted_retry_stays_in_its_conversation():
    book = SessionBook()
    first = place(book, request(ASK))
    retry = place(book, request(ASK, headers=(("x-stainless-retry-count", "1"),)), now=LATER)
    assert (retry.session_id, retry.task_id) == (first.session_id, first.task_id)


def test_a_loop_of_a_forgotten_session_starts_anew_without_an_error():
    book = SessionBook(capacity=2)
    first = place(book, hinted(ASK))
    for number in range(3):
        place(book, hinted(ASK, session_hint=f"other-{number}"))
    assert len(book) == 2
    again = place(book, hinted(ASK, answer(), results()), now=LATER)
    assert (again.new_session, again.new_task, again.depth) == (True, True, 0)
    assert again.session_id == first.session_id
    assert again.task_id != first.task_id


def test_the_least_recently_used_session_goes_first():
    book = SessionBook(capacity=2)
    place(book, hinted(ASK, session_hint="a"))
    place(book, hinted(ASK, session_hint="b"))
    place(book, hinted(ASK, answer(), results(), session_hint="a"))
    place(book, hinted(ASK, session_hint="c"))
    assert not place(book, hinted(ASK, answer(), results(), session_hint="a")).new_session
    assert place(book, hinted(ASK, answer(), results(), session_hint="b")).new_session


def test_ids_depend_on_nothing_but_the_calls_and_their_times():
    calls = [hinted(ASK), hinted(ASK, answer(), results()), request(user("x"))]
    one, two = SessionBook(), SessionBook()
    assert [place(one, call) for call in calls] == [place(two, call) for call in calls]
