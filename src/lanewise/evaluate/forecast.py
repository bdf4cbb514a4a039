"""What each model would probably make of a task, and at what cost, from the task's words or else from its label.

Scores of (cluster, model) are shrunk to (skill, model) and these to the model; a cluster is a source within a skill,
which is known of the tasks learnt from and guessed from the words of a new one. What the words say beyond the cluster
is added. A task unlike all that was learnt from is not forecast at all. It decides nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lanewise.evaluate.outcomes import Floats, Whole, source_of
from lanewise.evaluate.texts import Ridge, Space, closeness
from lanewise.select.shrink import Tally, along

FEW_TEXTS: Final = 30
"""Below this many texts a source is not learnt from: too few to say which words are its own."""

CLUSTER_PENALTY: Final = 0.3
SCORE_PENALTY: Final = 8.0
"""Both by cross-validation on the probing rows, where 4 to 16 are within 0.1 points of one another."""

SHARPNESS: Final = 3.0
"""Power that turns regressed memberships into shares: the regression is too timid."""

LONGER: Final = 2.0
"""A text this many times as long as the longest known one is of another kind, whatever its words."""


class Known(NamedTuple):
    """Tasks to learn from."""

    tasks: tuple[str, ...]
    labels: tuple[str, ...]
    texts: tuple[str | None, ...]
    scores: Floats
    """(tasks, models)"""
    cost_usd: Floats
    """(tasks, models)"""

    def rows(self, kept: Whole) -> Known:
        """Only the tasks at these positions."""
        return Known(
            tuple(self.tasks[at] for at in kept),
            tuple(self.labels[at] for at in kept),
            tuple(self.texts[at] for at in kept),
            self.scores[kept],
            self.cost_usd[kept],
        )


class Forecast(NamedTuple):
    """What is expected of tasks."""

    score: Floats
    """(tasks, models)"""
    cost_usd: Floats
    """(tasks, models)"""
    closeness: Floats
    """(tasks,) to what is known; infinite where a known label stands for the text, below 0 where nothing does."""


class Likeness(NamedTuple):
    """A space of words, and how alike the texts in it are; made once, sliced for each fold."""

    space: Space
    texts: Whole
    """Positions of the tasks with a text that is learnt from."""
    known: Floats
    """(texts, texts)"""

    @classmethod
    def of(cls, known: Known) -> Likeness:
        """Of all tasks whose text comes from a source with enough of them."""
        clusters = clusters_of(known)
        texts = np.asarray([at for at, cluster in enumerate(clusters) if cluster is not None], np.int64)
        space = Space([known.texts[at] or "" for at in texts])
        return cls(space, texts, space.likeness(space.known, space.known))


def clusters_of(known: Known) -> list[str | None]:
    """The cluster of each task with a text: ``label/source``; None where there is no text or the source has too few."""
    names = [
        f"{label}/{source_of(task)}" if text is not None else None
        for task, label, text in zip(known.tasks, known.labels, known.texts, strict=True)
    ]
    sizes = Counter(names)
    return [name if name is not None and sizes[name] >= FEW_TEXTS else None for name in names]


class Forecaster:
    """Learnt from known tasks, asked about new ones."""

    def __init__(self, known: Known, likeness: Likeness, clusters: Sequence[str | None], kept: Whole) -> None:
        """Learn from the tasks at the positions `kept`.

        Args:
            known: All tasks that could be learnt from.
            likeness: Of their texts.
            clusters: Of all of them, see `clusters_of`.
            kept: Which to learn from.
        """
        self._space = likeness.space
        learnt = known.rows(kept)
        self._labels, at_label = np.unique(np.asarray(learnt.labels), return_inverse=True)
        wide = learnt.scores.sum(0), float(len(kept))
        silent = np.asarray([text is None for text in learnt.texts])
        by_label = [at_label == number for number in range(len(self._labels))]
        self._label_score = np.stack([_shrunk(learnt.scores, wide, (rows, rows & silent)) for rows in by_label])
        self._label_cost = np.stack([learnt.cost_usd[_most(rows, rows & silent)].mean(0) for rows in by_label])
        chosen = np.flatnonzero(np.isin(likeness.texts, kept))
        self.columns: Whole = chosen
        """Positions in `likeness.texts` of what was learnt from: the columns that `of` expects."""
        names = [clusters[at] or "" for at in likeness.texts[chosen]]
        self._clusters, member = np.unique(np.asarray(names, dtype=str), return_inverse=True)
        self._of_label = [name.split("/")[0] for name in self._clusters]
        self.longest = max((len(known.texts[at] or "") for at in likeness.texts[chosen]), default=0)
        if not len(chosen):
            return
        rows_of = {name: np.flatnonzero(np.asarray(clusters, dtype=object) == name) for name in self._clusters}
        scores, cost = known.scores, known.cost_usd
        self._score = np.zeros((len(self._clusters), scores.shape[1]))
        self._cost = np.zeros_like(self._score)
        for number, name in enumerate(self._clusters):
            rows = np.intersect1d(rows_of[name], kept, assume_unique=True)
            skill = by_label[int(np.searchsorted(self._labels, self._of_label[number]))]
            inside = np.isin(kept, rows)
            self._score[number] = _shrunk(learnt.scores, wide, (skill, inside))
            self._cost[number] = cost[rows].mean(0)
        near = likeness.known[np.ix_(chosen, chosen)]
        self._member = Ridge.fit(near, np.eye(len(self._clusters))[member], penalty=CLUSTER_PENALTY)
        beyond = scores[likeness.texts[chosen]] - self._score[member]
        self._beyond = Ridge.fit(near, beyond, penalty=SCORE_PENALTY)

    def of(self, labels: Sequence[str], at: Whole, lengths: Whole, near: Floats, *, given: bool) -> Forecast:
        """The forecast of tasks with these labels, of which those at the positions `at` have a text.

        Args:
            labels: Of all tasks.
            at: Positions of those with a text.
            lengths: Of these texts.
            near: Likeness of these texts to what was learnt from, (texts, columns).
            given: The label says which clusters are possible, rather than the words alone.
        """
        place = {label: number for number, label in enumerate(self._labels)}
        numbers = np.asarray([place.get(label, -1) for label in labels], np.int64)
        score, cost = self._label_score[numbers], self._label_cost[numbers]
        close = np.where(numbers >= 0, np.inf, -1.0)
        if len(at):
            unseen = (numbers[at] < 0) | (lengths > LONGER * self.longest)
            close[at] = np.where(unseen, -1.0, closeness(near))
        if len(at) and len(self.columns):
            shares = self._shares(near, [labels[one] for one in at], given=given)
            score[at] = shares @ self._score + self._beyond.predict(near) - self._beyond.mean
            cost[at] = shares @ self._cost
        return Forecast(np.clip(score, 0, 1), cost, close)

    def skills(self, near: Floats) -> list[str]:
        """The label that the words of each text speak for."""
        return [self._of_label[one] for one in self._shares(near, (), given=False).argmax(1)]

    def _shares(self, near: Floats, labels: Sequence[str], *, given: bool) -> Floats:
        """(texts, clusters), each row summing to 1."""
        found = np.clip(self._member.predict(near), 1e-6, None) ** SHARPNESS
        if given:
            possible = np.asarray(labels)[:, None] == np.asarray(self._of_label)[None]
            found *= np.where(possible.any(1, keepdims=True), possible, True)  # noqa: FBT003  an array's element
        shares: Floats = found / found.sum(1, keepdims=True)
        return shares


def _most(rows: NDArray[np.bool_], narrow: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """`narrow` where it has enough tasks to say what they cost, else `rows`."""
    return narrow if narrow.sum() >= FEW_TEXTS else rows


def _shrunk(scores: Floats, wide: tuple[Floats, float], levels: Sequence[NDArray[np.bool_]]) -> Floats:
    """Each model's success at the narrowest level, (models,)."""
    sums = [(scores[rows].sum(0), float(rows.sum())) for rows in levels]
    return np.asarray(
        [
            along([Tally(successes=float(total[model]), tasks=count) for total, count in (wide, *sums)]).mean
            for model in range(scores.shape[1])
        ]
    )
