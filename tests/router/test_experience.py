"""What finished calls teach, record by record: speeds, lengths, how tasks went, whose tasks need the frontier."""

from __future__ import annotations

import datetime as dt
from typing import Any, get_args

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from router_kit import NOW, candidate, reading_of, world_of

from lanewise.journey import (
    Attempt,
    Caller,
    CallRecord,
    Candidate,
    Cost,
    Decision,
    Identity,
    LaneRuling,
    Operation,
    Outcome,
    SignalCode,
    Turn,
    TurnKind,
    Usage,
)
from lanewise.router import experience as module
from lanewise.router.experience import GROWTH_TOKENS, WITHOUT_SIGNALS, Experience, caller_of
from lanewise.select import BARRED_ABOVE, Evidence, Priors

WORLD = world_of()
TABLE = WORLD.rulebook.table(None)
BIG, SPARE = candidate("big", "cloud", WORLD), candidate("big", "spare", WORLD)
SMALL, OWN = candidate("small", "cloud", WORLD), candidate("own", "gpu", WORLD)
ANN = Caller(key_id="ann")


def reading(
    task: str = "t1",
    *,
    session: str = "s",
    new: bool = False,
    kind: TurnKind = "main",
    housekeeping: Any = None,
    client: str = "codex",
    signals: tuple[SignalCode, ...] = (),
    failing: float = 0.0,
    **features: Any,
):
    base = reading_of(kind=kind, **{"tools": 3, **features})
    return msgspec.structs.replace(
        base,
        turn=Turn(kind=kind, housekeeping=housekeeping, client=client),
        identity=Identity(session_id=session, task_id=task, new_task=new),
        signals=signals,
        failing=failing,
    )


def tried(at: Candidate = BIG, **changes: Any) -> Attempt:
    """A stream that began after 1 s and ended after 5."""
    fields = {"number": 1, "status": 200, "first_byte_us": 1_000_000, "duration_us": 5_000_000, **changes}
    return Attempt(candidate=at, started_at=NOW, **fields)


def call_of(
    task: str = "t1",
    *,
    served: Candidate | None = BIG,
    attempts: tuple[Attempt, ...] | None = None,
    operation: Operation = "generate",
    stream: bool = True,
    usage: Usage | None = None,
    status: int = 200,
    error: str = "",
    stop: str = "end_turn",
    reason: str = "cheapest_allowed",
    chosen: Candidate | None = None,
    preferred: Candidate | None = None,
    caller: Caller = ANN,
    minutes: float = 0.0,
    cost: Cost | None = None,
    **read: Any,
) -> CallRecord:
    chosen = chosen or served or BIG
    return CallRecord(
        call_id="c",
        started_at=NOW + dt.timedelta(minutes=minutes),
        dialect="messages",
        operation=operation,
        stream=stream,
        requested_model="big",
        caller=caller,
        reading=reading(task, **read),
        decision=Decision(
            mode="active",
            baseline=BIG,
            chosen=chosen,
            preferred=preferred or chosen,
            plan=(chosen,),
            ruling=LaneRuling(allowed=("realtime",)),
            reason=reason,
        ),
        attempts=((tried(served),) if served else ()) if attempts is None else attempts,
        outcome=Outcome(
            status=status, error=error, served=served, usage=usage, stop_reason=stop, baseline_cost=cost, cost=cost
        ),
    )


def taught(*calls: CallRecord) -> Experience:
    experience = Experience(Priors.none())
    for call in calls:
        experience.learn(call)
    return experience


def evidence(experience: Experience, **read: Any) -> Evidence:
    return Evidence.unpacked(experience.evidence(reading(**read), TABLE, NOW), len(TABLE))


def of(column: Any, at: Candidate) -> float:
    return float(column[TABLE.positions[at]])


def success(experience: Experience, at: Candidate = BIG, **read: Any) -> tuple[float, float]:
    """Success and the tasks behind it; public outcomes are none here, so that both are plain counts."""
    found = evidence(experience, **read)
    return round(of(found.success, at), 5), of(found.weight, at)


# -- tasks ------------------------------------------------------------------------------------------------

NEXT = call_of("t2", new=True)
"""The user asks for something else."""


def test_a_task_is_over_when_the_next_begins_and_not_before():
    experience = taught(call_of(new=True), call_of(kind="continuation"), call_of(kind="continuation"))
    assert success(experience)[1] == 0
    experience.learn(NEXT)
    assert success(experience) == (WITHOUT_SIGNALS, 1)
    assert WITHOUT_SIGNALS == 0.9


def test_the_next_task_of_another_session_ends_nothing():
    assert success(taught(call_of(new=True), call_of("t2", new=True, session="other")))[1] == 0


def test_a_task_counts_for_the_model_and_the_kind_of_work_it_began_with():
    experience = taught(
        call_of(new=True, served=SMALL, skill="debugging", complexity=0.1),
        call_of(served=BIG, skill="documentation", complexity=0.9, reason="escalated"),
        NEXT,
    )
    assert success(experience, SMALL, skill="debugging", complexity=0.1)[1] == 1
    assert success(experience, BIG, skill="debugging", complexity=0.1)[1] == 0
    assert success(experience, SMALL, skill="documentation", complexity=0.9)[1] == 0


@pytest.mark.parametrize(
    ("signals", "left"),
    [((), 1.0), ((0.5,), 0.5), ((0.5, 0.5), 0.25), ((0.2, 0.35), 0.8 * 0.65), ((1.0,), 0.0)],
)
def test_each_signal_of_a_task_lowers_its_success(signals: tuple[float, ...], left: float):
    loop = [call_of(kind="continuation", failing=each, signals=("tests_failed",)) for each in signals]
    assert success(taught(call_of(new=True), *loop, NEXT)) == (round(0.9 * left, 5), 1)


@pytest.mark.parametrize("complaint", ["re_ask", "interrupted"])
def test_a_complaint_that_opens_a_task_counts_against_the_one_before_it(complaint: SignalCode):
    experience = taught(call_of(new=True), call_of("t2", new=True, signals=(complaint,), failing=0.35))
    assert success(experience) == (round(0.9 * 0.65, 5), 1)
    experience.learn(call_of("t3", new=True))
    assert success(experience) == (round((0.9 * 0.65 + 0.9) / 2, 5), 2)  # and not against the one that it opens


def test_other_signs_in_a_first_call_count_against_nobody():
    experience = taught(call_of(new=True), call_of("t2", new=True, signals=("edit_failed",), failing=0.5), NEXT)
    experience.learn(call_of("t3", new=True))
    assert success(experience) == (0.9, 2)


CUT = ["max_tokens", "length", "max_output_tokens", "MAX_TOKENS", "model_context_window_exceeded", "incomplete"]
REFUSED = ["refusal", "content_filter", "SAFETY", "PROHIBITED_CONTENT", "RECITATION"]


@pytest.mark.parametrize("stop", [*CUT, *REFUSED])
def test_an_answer_that_was_cut_or_refused_counts_a_third(stop: str):
    assert success(taught(call_of(new=True, stop=stop), NEXT)) == (round(0.9 * 0.65, 5), 1)


@pytest.mark.parametrize("stop", ["end_turn", "tool_use", "stop", "", "unheard_of"])
def test_other_stops_count_nothing(stop: str):
    assert success(taught(call_of(new=True, stop=stop), NEXT)) == (0.9, 1)


@pytest.mark.parametrize("operation", [name for name in get_args(Operation) if name != "generate"])
def test_what_generates_nothing_teaches_nothing(operation: Operation):
    experience = taught(call_of(new=True, operation=operation), call_of("t2", new=True, operation=operation))
    found = evidence(experience)
    assert (found.weight == 0).all()
    assert np.isnan(found.first_token_s).all()
    assert experience.conversation(reading()) is None


def test_the_harness_own_calls_are_no_part_of_a_task():
    title = call_of("t2", new=True, kind="housekeeping", housekeeping="title")
    experience = taught(call_of(new=True), title)
    assert success(experience)[1] == 0
    assert experience.conversation(reading(kind="housekeeping")) is None
    experience.learn(NEXT)
    assert success(experience) == (0.9, 1)


@pytest.mark.parametrize(
    ("changes", "answered"),
    [
        ({"status": 400}, False),
        ({"status": 529}, False),
        ({"served": None, "status": 502}, False),
        ({"status": 200, "error": "stream_cut"}, True),
        ({"status": 499, "error": "client_left"}, True),
    ],
)
def test_a_call_that_nobody_answered_is_no_step_of_its_task(changes: dict[str, Any], answered: bool):
    conversation = taught(call_of(new=True, **changes)).conversation(reading())
    assert (conversation is not None) is answered
    experience = taught(call_of(new=True, **changes), NEXT)
    assert success(experience)[1] == (1 if answered else 0)


# -- a task under way -------------------------------------------------------------------------------------


def test_a_task_fails_by_all_its_signals_so_far_and_this_calls():
    experience = taught(call_of(new=True), call_of(kind="continuation", failing=0.5))
    assert experience.failing(reading()) == 0.5
    assert experience.failing(reading(failing=0.35)) == pytest.approx(1 - 0.5 * 0.65)
    assert experience.failing(reading("t2", new=True)) == 0.0
    assert experience.failing(reading("t2", new=True, failing=0.35)) == pytest.approx(0.35)
    assert experience.failing(reading(session="other")) == 0.0


# -- callers ----------------------------------------------------------------------------------------------


def tasks(count: int, *middle: dict[str, Any], began: Candidate = SMALL) -> Experience:
    """So many tasks, each begun by `began`, with these calls after its first."""
    calls = []
    for number in range(count):
        task = f"t{number}"
        calls.append(call_of(task, new=True, served=began))
        calls += [call_of(task, **{"served": began, **each}) for each in middle]
    return taught(*calls, call_of("end", new=True))


def need(experience: Experience, caller: Caller = ANN, **read: Any) -> float:
    return experience.caller_need(caller, reading(**read), NOW)


@pytest.mark.parametrize(
    ("middle", "needed"),
    [
        ((), False),
        (({"failing": 0.5},), False),  # even odds
        (({"failing": 0.51},), True),
        (({"failing": 0.35}, {"failing": 0.35}), True),
        (({"served": BIG, "reason": "escalated"},), True),
        (({"served": BIG, "reason": "escalated"}, {"served": BIG, "reason": "task_pin"}), True),
        (({"reason": "held_out"},), False),
        (({"served": BIG},), False),  # stood in because of an outage
    ],
)
def test_a_cheap_task_needed_the_frontier_if_it_was_moved_up_or_went_wrong(
    middle: tuple[dict[str, Any], ...], needed: bool
):
    assert need(tasks(1, *middle)) == pytest.approx(1 / 3 if needed else 0.0)


def test_three_such_tasks_in_a_row_bar_a_caller_and_two_do_not():
    moved = {"served": BIG, "reason": "escalated"}
    assert need(tasks(2, moved)) <= BARRED_ABOVE < need(tasks(3, moved))


def test_a_task_that_the_frontier_began_says_nothing_of_its_caller():
    assert need(tasks(5, {"failing": 0.9}, began=BIG)) == 0.0


def test_callers_are_counted_by_key_and_client():
    experience = tasks(3, {"failing": 0.9})
    assert need(experience) > BARRED_ABOVE
    assert need(experience, client="aider") == 0.0
    assert need(experience, Caller(key_id="bob")) == 0.0
    assert need(experience, skill="planning") == 0.0
    assert caller_of(ANN, reading()) != caller_of(Caller(key_id="an"), reading(client="ncodex"))


def test_a_complaint_makes_a_cheap_task_one_that_needed_the_frontier():
    experience = taught(
        call_of(new=True, served=SMALL), call_of("t2", new=True, signals=("re_ask",), failing=0.6, served=SMALL)
    )
    assert need(experience) == pytest.approx(1 / 3)


# -- turns and growth -------------------------------------------------------------------------------------


def test_the_calls_of_finished_tasks_teach_how_many_are_to_come():
    experience = Experience(Priors.none())
    assert experience.turns(reading(new=True)) == 15.0  # assumed of this client
    for number in range(300):
        for step in range(3):
            experience.learn(call_of(f"t{number}", new=step == 0, kind="main" if step == 0 else "continuation"))
    # a decayed sum of 95 tasks (1.01^-n) with 3 calls each against ten with 15
    assert experience.turns(reading(new=True)) == pytest.approx(4.09, abs=0.1)
    assert experience.turns(reading(client="aider", new=True)) == 1.5


def test_a_task_under_way_is_judged_by_the_calls_it_has_made():
    experience = Experience(Priors.none())
    for number in range(300):
        for step in range(3):
            experience.learn(call_of(f"t{number}", new=step == 0))
    experience.learn(call_of("now", new=True))
    start, after_one = experience.turns(reading("now", new=True)), experience.turns(reading("now"))
    assert after_one == pytest.approx(start - 0.9, abs=0.15)


@pytest.mark.parametrize("changes", [{"kind": "housekeeping"}, {"tools": 0}])
def test_what_stands_alone_needs_one_call(changes: dict[str, Any]):
    assert Experience(Priors.none()).turns(reading(**changes)) == 1.0


def grown(*tokens: int, kind: TurnKind = "continuation", client: str = "codex") -> float:
    calls = [call_of(kind=kind, client=client, usage=Usage(input_tokens=each)) for each in tokens]
    return taught(*calls).growth_tokens(reading())


def test_growth_is_learnt_from_tool_loops():
    assert GROWTH_TOKENS == 1500
    assert grown() == grown(5000) == 1500
    assert grown(5000, 9500) == pytest.approx(1500 + 0.05 * (4500 - 1500))
    assert grown(5000, 4000) == 1500  # a prompt that was cut says nothing of growth
    assert grown(5000, 9500, kind="main") == 1500
    assert grown(5000, 9500, client="aider") == 1500


# -- compaction -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "rewritten"),
    [
        ({"housekeeping": "compaction"}, True),
        ({"housekeeping": "title"}, False),
        ({"housekeeping": "compaction", "session": "other"}, False),
        ({"housekeeping": "compaction", "served": None, "status": 502}, False),
        ({"housekeeping": "compaction", "status": 529}, False),
    ],
)
def test_a_compaction_that_was_answered_empties_the_sessions_caches(changes: dict[str, Any], rewritten: bool):
    before = call_of(new=True, usage=Usage(input_tokens=50_000))
    conversation = taught(before, call_of(kind="housekeeping", **changes)).conversation(reading())
    assert conversation is not None
    assert (conversation.compacted, conversation.caches.warm == ()) == (rewritten, rewritten)


def test_the_prompt_after_a_compaction_teaches_no_growth():
    calls = [
        call_of(kind="continuation", usage=Usage(input_tokens=50_000)),
        call_of(kind="housekeeping", housekeeping="compaction"),
        call_of(kind="continuation", usage=Usage(input_tokens=60_000)),
    ]
    assert taught(*calls).growth_tokens(reading()) == 1500


# -- speeds -----------------------------------------------------------------------------------------------


def test_a_stream_teaches_first_token_decoding_and_length():
    found = evidence(taught(call_of(usage=Usage(output_tokens=200))))
    assert (of(found.first_token_s, BIG), of(found.tokens_per_s, BIG), of(found.output_tokens, BIG)) == (1.0, 50.0, 200)
    assert np.isnan(of(found.first_token_s, SPARE))
    assert of(found.output_tokens, SPARE) == 200  # the model is the same one


def test_a_whole_answer_teaches_length_and_no_speed():
    found = evidence(taught(call_of(usage=Usage(output_tokens=200), stream=False)))
    assert of(found.output_tokens, BIG) == 200
    assert np.isnan(of(found.first_token_s, BIG))
    assert np.isnan(of(found.tokens_per_s, BIG))


@pytest.mark.parametrize(("tokens", "per_s"), [(19, None), (20, 5.0)])
def test_a_few_tokens_say_nothing_of_decoding(tokens: int, per_s: float | None):
    found = evidence(taught(call_of(usage=Usage(output_tokens=tokens))))
    assert of(found.first_token_s, BIG) == 1.0
    assert of(found.tokens_per_s, BIG) == per_s or (per_s is None and np.isnan(of(found.tokens_per_s, BIG)))


@pytest.mark.parametrize(
    ("changes", "failed"),
    [
        ({}, False),
        ({"status": 400}, False),
        ({"status": 429}, False),
        ({"status": 500}, True),
        ({"status": 529}, True),
        ({"status": None, "error": "connect_failed", "first_byte_us": None}, True),
        ({"status": None, "error": "client_left", "first_byte_us": None}, False),
        ({"status": None, "error": "hedge_lost", "first_byte_us": None}, False),
        ({"error": "stream_cut"}, True),
        ({"error": "idle_timeout"}, True),
        ({"error": "client_left"}, False),
    ],
)
def test_an_endpoint_failed_if_it_broke_and_not_if_it_refused_or_we_left(changes: dict[str, Any], failed: bool):
    found = evidence(taught(call_of(attempts=(tried(**changes),))))
    assert of(found.failure_rate, BIG) == pytest.approx(0.1 if failed else 0.0)


def test_each_attempt_teaches_its_own_endpoint():
    attempts = (
        tried(BIG, status=None, error="connect_failed", first_byte_us=None),
        tried(SPARE, number=2, first_byte_us=2_000_000),
    )
    found = evidence(taught(call_of(served=SPARE, attempts=attempts)))
    assert (of(found.failure_rate, BIG), of(found.failure_rate, SPARE)) == (pytest.approx(0.1), 0.0)
    assert of(found.first_token_s, SPARE) == 2.0


def test_a_refusal_that_came_at_once_does_not_make_an_endpoint_fast():
    attempts = (tried(BIG, status=429, first_byte_us=20_000, duration_us=2_000_000), tried(SPARE, number=2))
    found = evidence(taught(call_of(served=SPARE, attempts=attempts, usage=Usage(output_tokens=200))))
    assert np.isnan([of(found.first_token_s, BIG), of(found.tokens_per_s, BIG)]).all()
    assert (of(found.first_token_s, SPARE), of(found.tokens_per_s, SPARE)) == (1.0, 50.0)


@pytest.mark.parametrize("changes", [{"first_byte_us": -1}, {"first_byte_us": 9_000_000}, {"duration_us": -1}])
def test_times_that_cannot_be_teach_no_speed(changes: dict[str, Any]):
    found = evidence(taught(call_of(attempts=(tried(**changes),), usage=Usage(output_tokens=200))))
    assert np.isnan(of(found.tokens_per_s, BIG))
    assert np.isnan(of(found.first_token_s, BIG)) == ("first_byte_us" in changes and changes["first_byte_us"] < 0)


def test_the_tokens_of_an_answer_are_not_those_of_a_try_before_it():
    attempts = (tried(SMALL, refused_by="truncated"), tried(BIG, number=2))
    found = evidence(taught(call_of(served=BIG, attempts=attempts, usage=Usage(output_tokens=200))))
    assert of(found.first_token_s, SMALL) == 1.0
    assert np.isnan([of(found.tokens_per_s, SMALL), of(found.output_tokens, SMALL)]).all()


# -- odd records and bounds -------------------------------------------------------------------------------

_WHO = st.sampled_from([BIG, SPARE, SMALL, OWN, msgspec.structs.replace(BIG, model="gone", provider="gone")])
_LONG = st.integers(-(2**40), 2**40)
_ATTEMPTS = st.builds(
    tried,
    _WHO,
    number=st.integers(-1, 3),
    status=st.none() | st.sampled_from([0, 200, 400, 429, 500, 529]),
    error=st.sampled_from(["", "client_left", "hedge_lost", "stream_cut", "connect_failed"]),
    first_byte_us=st.none() | _LONG,
    duration_us=_LONG,
)
_CALLS = st.builds(
    call_of,
    st.sampled_from(["t1", "t2", "t3", ""]),
    served=st.none() | _WHO,
    attempts=st.lists(_ATTEMPTS, max_size=3).map(tuple),
    operation=st.sampled_from(get_args(Operation)),
    stream=st.booleans(),
    usage=st.none() | st.builds(Usage, input_tokens=st.integers(0, 10**9), output_tokens=st.integers(0, 10**9)),
    status=st.sampled_from([0, 200, 400, 499, 502]),
    stop=st.sampled_from(["", "end_turn", "length", "refusal"]),
    reason=st.sampled_from(["cheapest_allowed", "escalated"]),
    preferred=st.none() | _WHO,
    minutes=st.floats(-1e6, 1e6),
    cost=st.none() | st.builds(Cost, total_pusd=st.integers(-1, 10**15)),
    caller=st.sampled_from([ANN, Caller()]),
    session=st.sampled_from(["s", "other", ""]),
    new=st.booleans(),
    kind=st.sampled_from(get_args(TurnKind)),
    housekeeping=st.sampled_from([None, "compaction", "title"]),
    failing=st.floats(0, 1),
    signals=st.sampled_from([(), ("re_ask",), ("tests_failed", "interrupted")]),
    tokens=st.integers(0, 10**9),
    tools=st.integers(0, 5),
    complexity=st.floats(0, 1),
)


@settings(max_examples=150, deadline=None)
@given(st.lists(_CALLS, max_size=12))
def test_no_record_is_too_odd_and_what_is_believed_stays_sane(calls: list[CallRecord]):
    experience = Experience(Priors.load())
    for call in calls:
        experience.learn(call, vendor="openai")
        asked = call.reading
        found = Evidence.unpacked(experience.evidence(asked, TABLE, call.started_at), len(TABLE))
        known = found.success[~np.isnan(found.success)]
        assert ((known >= 0) & (known <= 1)).all()
        assert ((found.failure_rate >= 0) & (found.failure_rate <= 1)).all()
        for column in (found.first_token_s, found.tokens_per_s):
            assert (np.isnan(column) | (column >= 0)).all()
        assert 0 <= experience.failing(asked) <= 1
        assert 0 <= experience.caller_need(call.caller, asked, call.started_at) < 1
        assert experience.turns(asked) >= 1
        assert experience.growth_tokens(asked) > 0


def test_sessions_tasks_and_clients_are_remembered_up_to_a_bound(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "CAPACITY", 3)
    monkeypatch.setattr(module, "_CLIENTS", 2)
    experience = Experience(Priors.none())
    for number in range(20):
        for tokens in (5000, 9000):
            experience.learn(
                call_of(
                    kind="continuation",
                    session=f"s{number}",
                    client=f"client-{number}",
                    usage=Usage(input_tokens=tokens),
                )
            )
    kept = [number for number in range(20) if experience.conversation(reading(session=f"s{number}"))]
    assert kept == [17, 18, 19]
    assert [len(experience._conversations), len(experience._tasks), len(experience._growth)] == [3, 3, 2]
    assert [experience.growth_tokens(reading(client=f"client-{n}")) > 1500 for n in (17, 18, 19)] == [False, True, True]


# -- refused answers ------------------------------------------------------------------------------------------


def test_an_answer_that_a_check_refused_counts_against_its_model_and_its_caller_at_once():
    refused = tried(SMALL, refused_by="parses", cost_pusd=5)
    answered = tried(BIG, number=2)
    experience = taught(*[call_of(f"t{n}", attempts=(refused, answered), caller=ANN) for n in range(3)])
    done, weight = success(experience, SMALL)
    assert (done, weight) == (0.0, 3.0)
    assert need(experience) == pytest.approx(3 / 5)  # three of three, and two of doubt


def test_a_refused_answer_that_was_delivered_after_all_is_judged_by_its_task():
    alone = tried(SMALL, refused_by="parses")
    assert success(taught(call_of("t1", served=SMALL, attempts=(alone,))), SMALL)[1] == 0.0
