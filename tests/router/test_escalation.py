"""A task that fails on a cheap model moves up one step, once; a share stays where it is, to be compared with."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from router_kit import MODELS, House, Said, candidate, reading_of, reasons, request_of, situation_of, usd, world_of

from lanewise.config import ModelSettings
from lanewise.journey import Caller, Decision, Reading
from lanewise.router import World, decide
from lanewise.router.prefer import FAILING_FROM, HOLD_OUT, drawn
from lanewise.select import Pin

MOVED_TASK = next(f"t{n}" for n in range(99) if drawn("hold_out", f"t{n}") >= HOLD_OUT)
HELD_TASK = next(f"t{n}" for n in range(99) if drawn("hold_out", f"t{n}") < HOLD_OUT)
OWN = Pin(candidate=candidate("own", "gpu"))
SMALL = Pin(candidate=candidate("small", "cloud"))


def step(task: str = MOVED_TASK, *, tokens: int = 1000, **features: Any) -> Reading:
    """A tool's result inside the task."""
    reading = reading_of(kind="continuation", new_task=False, tokens=tokens, tools=3)
    return msgspec.structs.replace(
        reading,
        identity=msgspec.structs.replace(reading.identity, task_id=task),
        features=msgspec.structs.replace(reading.features, **features),
    )


def failing(
    reading: Reading | None = None,
    *,
    probability: float = 0.75,
    pin: Pin = OWN,
    world: World | None = None,
    caller: Caller | None = None,
    **request: Any,
) -> Decision:
    world, reading, caller = world or world_of(), reading or step(), caller or Caller()
    situation = situation_of(request_of(**request), caller=caller, reading=reading, world=world)
    situation = msgspec.structs.replace(situation, failing=probability, pin=pin)
    return decide(world.rulebook, caller, reading, situation)


# -- one decision ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("probability", "reason"),
    [(0.0, "task_pin"), (0.5, "task_pin"), (0.69, "task_pin"), (FAILING_FROM, "escalated"), (0.75, "escalated"), (1.0, "escalated")],
)  # fmt: skip
def test_a_task_moves_up_from_the_second_strong_sign_of_failure(probability: float, reason: str):
    decision = failing(probability=probability)
    assert decision.reason == reason
    assert decision.chosen == (candidate("big", "cloud") if reason == "escalated" else OWN.candidate)


def test_what_moved_up_says_so_and_why_the_cheap_ones_were_passed_over():
    decision = failing()
    assert (decision.reason, decision.switch_point) == ("escalated", "failure_escalation")
    assert decision.propensity == 1 - HOLD_OUT
    assert decision.chosen == decision.preferred == candidate("big", "cloud")
    assert reasons(decision) == {
        "own@gpu": "task_failing",
        "small@cloud": "task_failing",
        "big@spare": "not_cheapest",
    }


@pytest.mark.parametrize("escalation", ["moved", "held_out"])
def test_a_task_never_moves_up_a_second_time(escalation: Any):
    decision = failing(probability=1.0, pin=Pin(candidate=OWN.candidate, escalation=escalation))
    assert (decision.reason, decision.chosen, decision.propensity) == ("task_pin", OWN.candidate, 1.0)


def test_a_task_at_the_frontier_has_nowhere_to_go():
    pin = Pin(candidate=candidate("big", "spare"))
    decision = failing(probability=1.0, pin=pin)
    assert (decision.reason, decision.chosen) == ("task_pin", pin.candidate)


def test_a_task_whose_caller_named_a_cheap_model_stays_with_it():
    decision = failing(probability=1.0, pin=SMALL, model="small")
    assert (decision.reason, decision.chosen) == ("task_pin", SMALL.candidate)


@pytest.mark.parametrize("caller", [Caller(lane="local"), Caller(pin="own")])
def test_a_callers_own_word_is_not_overruled_by_a_failure(caller: Caller):
    assert failing(probability=1.0, caller=caller).chosen == OWN.candidate


def test_in_observe_the_move_is_told_and_the_baseline_serves():
    decision = failing(world=world_of(mode="observe"))
    assert (decision.reason, decision.mode, decision.propensity) == ("escalated", "observe", 1.0)


# -- the hold-out share -------------------------------------------------------------------------------------


def test_one_that_is_held_out_stays_and_says_so():
    decision = failing(step(HELD_TASK))
    assert (decision.reason, decision.chosen, decision.propensity) == ("held_out", OWN.candidate, HOLD_OUT)
    assert (decision.switch_point, decision.switch_pusd) == ("", 0)


@pytest.mark.parametrize("task", [f"task-{n}" for n in range(20)])
def test_the_hold_out_is_sticky_by_task_whatever_else_changes(task: str):
    found = {
        failing(step(task, tokens=tokens), probability=probability, pin=pin).reason
        for tokens in (10, 9_000)
        for probability in (0.75, 0.99)
        for pin in (OWN, SMALL)
    }
    assert len(found) == 1


def test_about_a_fifth_of_the_tasks_is_held_out():
    found = [failing(step(f"task-{n}")).reason for n in range(1000)]
    assert set(found) == {"escalated", "held_out"}
    # 1,000 fair draws of 0.2 lie within 0.05 of it (four standard deviations) but once in 16,000
    assert abs(found.count("held_out") / 1000 - HOLD_OUT) < 0.05


# -- what only its maker can read ---------------------------------------------------------------------------

RIVAL = {**MODELS, "rival": ModelSettings(provider="spare", price=usd(5, 25))}


@pytest.mark.parametrize(
    ("ties", "to"), [({}, ("rival", "spare")), ({"sealed": True}, ("big", "cloud")), ({"previous_response": True}, ("big", "cloud"))]
)  # fmt: skip
def test_sealed_state_keeps_an_escalation_with_its_vendor(ties: dict[str, bool], to: tuple[str, str]):
    world = world_of(models=RIVAL)
    decision = failing(step(**ties), pin=SMALL, world=world)
    assert (decision.reason, decision.chosen) == ("escalated", candidate(*to, world))


def test_sealed_state_of_a_vendor_without_a_frontier_model_stays_where_it_is():
    decision = failing(step(sealed=True))
    assert (decision.reason, decision.chosen) == ("task_pin", OWN.candidate)


# -- real bodies --------------------------------------------------------------------------------------------

ASKED = "Write the documentation of this function."
RED = "============ 1 failed, 11 passed in 2.31s ============"
GREEN = "============ 12 passed in 2.31s ============"
NOT_FOUND = "<tool_use_error>String to replace not found in file.\nString: def f</tool_use_error>"


class Agent:
    """A client in Claude Code's manner: it sends its history again, with each tool's result."""

    def __init__(self, house: House, session: str, *, system: str = "") -> None:
        self.house = house
        self.system = system
        self.caller = Caller(session=session)
        self.turns: list[dict[str, Any]] = []

    def asks(self, text: str = ASKED) -> Decision:
        if self.turns:
            self.turns.append({"role": "assistant", "content": [{"type": "text", "text": "So it is."}]})
        self.turns.append({"role": "user", "content": text})
        return self._send()

    def brings(self, tool: str, result: str, *, error: bool = False) -> Decision:
        """The result of one call of `tool`."""
        call_id = f"t{len(self.turns)}"
        arguments = {"path": "a.py", "step": len(self.turns)}
        self.turns += [
            {"role": "assistant", "content": [{"type": "tool_use", "id": call_id, "name": tool, "input": arguments}]},
            {
                "role": "user",
                "content": [{"type": "tool_result", "tool_use_id": call_id, "content": result, "is_error": error}],
            },
        ]
        return self._send()

    def _send(self) -> Decision:
        tools = [{"name": name, "input_schema": {"type": "object"}} for name in ("Edit", "Bash", "Read")]
        body = {"model": "big", "max_tokens": 500, "messages": self.turns, "tools": tools, "system": self.system}
        self.house.clock.seconds += 10
        self.house.ask(json.dumps(body).encode(), answer(), caller=self.caller)
        return self.house.last.decision


def answer() -> Said:
    content = [{"type": "text", "text": "So it is."}]
    fields = {"id": "m", "type": "message", "role": "assistant", "model": "m", "stop_reason": "end_turn"}
    usage = {"input_tokens": 2000, "output_tokens": 30}
    return Said(json.dumps({**fields, "content": content, "usage": usage}).encode())


def agent_of(*, held_out: bool = False, system: str = "", **world: Any) -> Agent:
    """An agent whose first task is, or is not, in the hold-out."""
    for number in range(200):
        agent = Agent(House(world_of(**world)), f"session-{number}", system=system)
        assert agent.asks().reason == "cheapest_allowed"
        task_id = agent.house.last.reading.identity.task_id
        if (drawn("hold_out", task_id) < HOLD_OUT) is held_out:
            return agent
    raise AssertionError("200 sessions and none in that arm")


def test_two_red_test_runs_after_edits_move_a_task_up_and_it_stays_there():
    agent = agent_of()
    steps = [
        agent.brings("Edit", "The file a.py has been updated."),
        agent.brings("Bash", RED, error=True),
        agent.brings("Edit", "The file a.py has been updated."),
        agent.brings("Bash", RED, error=True),
        agent.brings("Edit", "The file a.py has been updated."),
        agent.brings("Bash", RED, error=True),
        agent.brings("Bash", GREEN),
    ]
    assert [(step.reason, step.chosen.model) for step in steps] == [
        ("task_pin", "own"),
        ("task_pin", "own"),
        ("task_pin", "own"),
        ("escalated", "big"),
        ("task_pin", "big"),
        ("task_pin", "big"),
        ("task_pin", "big"),
    ]
    assert agent.house.books.calls[4].reading.signals == ("tests_failed",)


def test_one_red_run_that_turns_green_moves_nothing():
    agent = agent_of()
    for result in (RED, GREEN, GREEN, GREEN):
        agent.brings("Edit", "The file a.py has been updated.")
        assert agent.brings("Bash", result).reason == "task_pin"


def test_red_tests_before_any_edit_are_no_failure_of_the_task():
    agent = agent_of()
    for _ in range(4):
        assert agent.brings("Bash", RED, error=True).reason == "task_pin"


def test_edits_that_fail_twice_move_a_task_up():
    agent = agent_of()
    found = [agent.brings("Edit", NOT_FOUND, error=True).reason for _ in range(3)]
    assert found == ["task_pin", "escalated", "task_pin"]
    assert agent.house.last.decision.chosen.model == "big"


def test_a_held_out_task_is_marked_once_and_stays_on_its_model():
    agent = agent_of(held_out=True)
    found = [agent.brings("Edit", NOT_FOUND, error=True) for _ in range(4)]
    assert [step.reason for step in found] == ["task_pin", "held_out", "task_pin", "task_pin"]
    assert {step.chosen.model for step in found} == {"own"}
    assert [step.propensity for step in found] == [1.0, HOLD_OUT, 1.0, 1.0]


def test_a_thinking_blocks_signature_keeps_the_move_with_its_vendor():
    agent = agent_of()
    thinking = {"type": "thinking", "thinking": "hm", "signature": "c2VhbGVk"}
    agent.turns += [{"role": "assistant", "content": [thinking]}]
    found = [agent.brings("Edit", NOT_FOUND, error=True).reason for _ in range(3)]
    assert agent.house.last.reading.features.sealed
    assert found == ["task_pin", "task_pin", "task_pin"]  # the engine of one's own has no frontier model


def test_the_task_after_one_that_moved_up_is_decided_anew():
    agent = agent_of()
    for _ in range(2):
        agent.brings("Edit", NOT_FOUND)
    assert agent.house.last.decision.reason == "escalated"
    decision = agent.asks("Now write a docstring for the module.")
    assert (decision.switch_point, decision.reason, decision.chosen.model) == ("new_task", "cheapest_allowed", "own")


def test_what_is_asked_for_again_begins_above_the_cheap_tier_and_the_next_task_does_not():
    agent = agent_of()
    again = agent.asks("No, that is still wrong. Write the documentation once more.")
    assert agent.house.last.reading.signals == ("re_ask",)
    assert (again.switch_point, again.chosen.model) == ("new_task", "big")
    assert reasons(again)["own@gpu"] == "task_failing"
    assert agent.asks("Now write a docstring for the module.").chosen.model == "own"


@pytest.mark.parametrize(
    ("model", "caller"), [("lane:local", Caller()), ("auto:cheap", Caller()), ("big", Caller(lane="local"))]
)
@pytest.mark.parametrize("why", [{"failing": 0.9}, {"caller_need": 0.9}])
def test_who_insists_on_cheap_is_served_by_it_whatever_failed_before(model: str, caller: Caller, why: dict[str, float]):
    world, request = world_of(baseline="big"), request_of(model=model)
    situation = msgspec.structs.replace(situation_of(request, caller=caller, world=world), **why)
    assert decide(world.rulebook, caller, reading_of(), situation).chosen.tier == "cheap"


def test_a_new_task_that_opens_with_failure_begins_above_the_cheap_tier():
    reading = msgspec.structs.replace(reading_of(), failing=0.75)
    world = world_of()
    decision = decide(world.rulebook, Caller(), reading, situation_of(reading=reading, world=world))
    assert decision.chosen == candidate("big", "cloud")
    assert (reasons(decision)["own@gpu"], reasons(decision)["small@cloud"]) == ("task_failing", "task_failing")


def test_what_a_warm_cache_costs_an_escalation_is_booked_as_forced():
    models = {name: row for name, row in MODELS.items() if name != "own"}
    agent = agent_of(models=models, system="Be brief. " * 1000)  # some 2,700 tokens, so that prompts are cached
    for _ in range(2):
        decision = agent.brings("Edit", NOT_FOUND)
    assert (decision.reason, decision.switch_forced) == ("escalated", True)
    # 2,000 tokens lay in the cheap one's cache; the frontier writes them for 12.5 where it would have read them for 1
    assert decision.switch_pusd == 2000 * 11_500_000
    conversation = agent.house.router._experience.conversation(agent.house.last.reading)
    assert conversation is not None
    assert (conversation.ledger.forced_pusd, conversation.ledger.overhead_pusd) == (decision.switch_pusd, 0)


@pytest.mark.parametrize("trouble", [{"caller_need": 1.0}, {"failing": 1.0}])
def test_a_harness_call_stays_cheap_whatever_its_task_or_caller_needs(trouble):
    reading = reading_of(kind="housekeeping")
    situation = msgspec.structs.replace(situation_of(reading=reading), **trouble)
    assert decide(world_of().rulebook, Caller(), reading, situation).chosen.tier == "cheap"
