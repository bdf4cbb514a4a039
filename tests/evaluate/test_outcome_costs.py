"""What answers cost where a file says only how many tokens they had."""

from __future__ import annotations

import numpy as np
import pytest

from lanewise.errors import InputError
from lanewise.evaluate.costs import OUTPUT_SHARE, costs_of, list_prices
from lanewise.evaluate.outcomes import Outcomes, Spent


def outcomes(models, *, cost, tokens, labels=("a", "b")):
    shape = (len(labels), len(models))
    tasks = tuple(f"t{number}" for number in range(len(labels)))
    cost, tokens, nothing = (np.broadcast_to(number, shape) for number in (cost, tokens, 0.0))
    return Outcomes(tasks, tuple(labels), tuple(models), nothing, cost, tokens, nothing)


def test_costs_in_the_file_stand():
    found, estimated = costs_of(outcomes(["claude-opus-4-6"], cost=0.3, tokens=1000.0), [])
    np.testing.assert_array_equal(found, [[0.3], [0.3]])
    assert not estimated


def test_tokens_cost_their_list_price_with_the_share_of_answers_of_their_skill():
    spent = [
        Spent("a", "claude-opus-4-6", 400, 600, 9.0),
        Spent("b", "claude-opus-4-6", 900, 100, 9.0),
    ]
    found, estimated = costs_of(outcomes(["claude-opus-4-6"], cost=0.0, tokens=1000.0), spent)
    # 400 x $5 + 600 x $25 = $0.017; 900 x $5 + 100 x $25 = $0.007
    np.testing.assert_allclose(found, [[0.017], [0.007]])
    assert estimated


def test_an_unknown_skill_takes_the_models_own_share_and_an_unknown_model_the_usual_one():
    spent = [Spent("a", "claude-opus-4-6", 400, 600, 9.0)]
    found, _ = costs_of(outcomes(["claude-opus-4-6"], cost=0.0, tokens=1000.0, labels=("z",)), spent)
    np.testing.assert_allclose(found, [[0.017]])
    found, _ = costs_of(outcomes(["gpt-5.4"], cost=0.0, tokens=1000.0, labels=("z",)), [])
    np.testing.assert_allclose(found, [[1e-3 * (2.5 * (1 - OUTPUT_SHARE) + 15 * OUTPUT_SHARE)]])


def test_a_model_without_a_list_price_costs_what_it_cost_elsewhere():
    spent = [Spent("a", "own", 30, 70, 0.2), Spent("b", "own", 30, 70, 0.4)]
    found, _ = costs_of(outcomes(["own"], cost=0.0, tokens=1000.0, labels=("a", "b", "z")), spent)
    np.testing.assert_allclose(found, [[2.0], [4.0], [3.0]])


@pytest.mark.parametrize(("tokens", "said"), [(0.0, "nothing says what model 'own' costs"), (5.0, "no price is known")])
def test_a_model_of_unknown_cost_is_named(tokens, said):
    with pytest.raises(InputError, match=said):
        costs_of(outcomes(["own"], cost=0.0, tokens=tokens), [])


def test_list_prices_are_per_token():
    assert list_prices()["Qwen3-Max"] == pytest.approx((0.34e-6, 1.38e-6))
    assert len(list_prices()) == 8
