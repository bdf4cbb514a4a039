"""What each answer cost, where a file of outcomes says only how many tokens it had.

Tokens times price, with the share of the answer in them learnt per skill and model from a file that tells prompt and
answer apart. It knows nothing of scores.
"""

from __future__ import annotations

import tomllib
from collections import defaultdict
from collections.abc import Sequence
from functools import cache
from importlib import resources
from typing import Final, NamedTuple

import numpy as np

from lanewise.errors import InputError
from lanewise.evaluate.outcomes import Floats, Outcomes, Spent

OUTPUT_SHARE: Final = 0.75
"""Share of the answer in the tokens of a task where no file tells: 0.74 over the validation rows of CodeRouterBench."""


class Price(NamedTuple):
    """USD per token."""

    input_usd: float
    output_usd: float


@cache
def list_prices() -> dict[str, Price]:
    """The shipped prices of the models of CodeRouterBench."""
    text = resources.files("lanewise.evaluate").joinpath("coderouterbench_prices.toml").read_text("utf-8")
    return {
        name: Price(row["input_usd_per_mtok"] / 1e6, row["output_usd_per_mtok"] / 1e6)
        for name, row in tomllib.loads(text)["models"].items()
    }


def costs_of(outcomes: Outcomes, spent: Sequence[Spent]) -> tuple[Floats, bool]:
    """USD of each task with each model, and whether any of it is an estimate.

    Costs in the file stand. A model without them is charged its tokens at the list price, or where none is shipped at
    what a token of the same skill costs in `spent`.

    Args:
        outcomes: Scores, costs and tokens, (tasks, models).
        spent: Rows of a file of costs; may be empty.

    Raises:
        InputError: nothing tells what a model costs.
    """
    found = outcomes.cost_usd.copy()
    estimated = False
    rates = _Rates(spent)
    for column, model in enumerate(outcomes.models):
        if found[:, column].any():
            continue
        if not outcomes.tokens[:, column].any():
            raise InputError(
                f"nothing says what model {model!r} costs", hint="give `cost_usd` or `total_tokens` in its rows"
            )
        per_token = {label: rates.of(label, model) for label in set(outcomes.labels)}
        found[:, column] = outcomes.tokens[:, column] * np.asarray([per_token[label] for label in outcomes.labels])
        estimated = True
    return found, estimated


class _Rates:
    """USD per token, prompt and answer together."""

    def __init__(self, spent: Sequence[Spent]) -> None:
        self._sums: defaultdict[tuple[str, str], Floats] = defaultdict(lambda: np.zeros(3))
        for row in spent:
            amounts = np.asarray([row.input_tokens, row.output_tokens, row.cost_usd])
            self._sums[row.label, row.model] += amounts
            self._sums["", row.model] += amounts

    def output_share(self, label: str, model: str) -> float:
        """Of this skill, else of this model, else the usual one."""
        sums = self._of(label, model)
        return OUTPUT_SHARE if sums is None else float(sums[1] / sums[:2].sum())

    def of(self, label: str, model: str) -> float:
        """USD per token."""
        if (price := list_prices().get(model)) is not None:
            share = self.output_share(label, model)
            return (1 - share) * price.input_usd + share * price.output_usd
        sums = self._of(label, model)
        if sums is None:
            raise InputError(
                f"no price is known of model {model!r}", hint="give rows of it in --costs, or `cost_usd` in its rows"
            )
        return float(sums[2] / sums[:2].sum())

    def _of(self, label: str, model: str) -> Floats | None:
        """Prompt tokens, answer tokens and USD."""
        return self._sums.get((label, model), self._sums.get(("", model)))
