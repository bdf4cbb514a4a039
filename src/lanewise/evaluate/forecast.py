"""What each model would probably make of a task, and at what cost, from the task's words or else from its label.

Scores of (cluster, model) are shrunk to (skill, model) and these to the model; a cluster is a source within a skill,
which is known of the tasks learnt from and guessed from the words of a new one. What the words say beyond the cluster
is added. How near a task is to what was learnt from is told beside it. It decides nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Final, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from lanewise.evaluate.outcomes import Floats, Whole, source_of
from lanewise.evaluate.texts import Ridge, Space, closeness
from lanewise.select.shrink import Tally, along

Marks: TypeAlias = NDArray[np.bool_]

FEW: Final = 30
"""Fewer texts than this of one source are not learnt from, fewer tasks without a text do not stand for a label."""

CLUSTER_PENALTY: Final = 0.3
SCORE_PENALTY: Final = 16.0
"""By cross-validation on the probing rows of CodeRouterBench: from 8 to 32 the score differs by less than 0.2."""

SHARPNESS: Final = 3.0
"""Power that turns regressed memberships into shares: the regression is timid. 97 % of texts get their own label."""

LONGER: Final = 2.0
"""A text this many times as long as the longest known one is of another kind, whatever its words."""


class Known(NamedTuple):
    """Tasks to learn from."""

    tasks: tuple[str, ...]
    labels: tuple[str, ...]
    texts: tuple[str | None, ...]
    scores: Floats
    """(tasks, models), 0..1."""
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


class Asked(NamedTuple):
    """New tasks, as a forecaster reads them."""

    labels: Sequence[str]
    at: Whole
    """Positions of the tasks that have a text."""
    lengths: Whole
    """Characters of these texts."""
    near: Floats
    """Likeness of these texts to the known ones of `Likeness`, (texts, known)."""


class Expected(NamedTuple):
    """Score and cost to expect."""

    score: Floats
    """(tasks, models)"""
    cost_usd: Floats
    """(tasks, models)"""
    unlike: Marks
    """(tasks,): nothing that was learnt speaks for this task."""


class Forecast(NamedTuple):
    """What is expected of tasks by their words, and what by their labels."""

    by_words: Expected
    by_label: Expected
    closeness: Floats
    """(tasks,) to the known texts; infinite without a text, 0 where the text is like nothing."""
    spoken_for: Marks
    """(tasks,): most known tasks of this label have no text, so that an unlike text does not make an unlike task."""

    def settled(self, nearest: float) -> Expected:
        """By words where these are near enough, else by label where it may speak for it, else unlike.

        Args:
            nearest: Closeness below which a text is unlike the known ones.
        """
        far = self.closeness < nearest
        by_label = far | np.isinf(self.closeness)
        choose = by_label[:, None]
        return Expected(
            np.where(choose, self.by_label.score, self.by_words.score),
            np.where(choose, self.by_label.cost_usd, self.by_words.cost_usd),
            self.by_label.unlike | (far & ~self.spoken_for),
        )


class Likeness(NamedTuple):
    """The texts that are learnt from, and how alike they are; made once, sliced for each fold."""

    clusters: Sequence[str]
    """Of each of `texts`."""
    texts: Whole
    """Positions of the tasks with a text that is learnt from."""
    lengths: Whole
    space: Space
    near: Floats
    """(texts, texts)"""

    @classmethod
    def of(cls, known: Known) -> Likeness:
        """Of all tasks whose text comes from a source with enough of them."""
        names = [
            f"{label}/{source_of(task)}" if text is not None else ""
            for task, label, text in zip(known.tasks, known.labels, known.texts, strict=True)
        ]
        sizes = Counter(names)
        at = [number for number, name in enumerate(names) if name and sizes[name] >= FEW]
        texts = [known.texts[number] or "" for number in at]
        space = Space(texts)
        near = space.likeness(space.known, space.known)
        return cls(
            [names[number] for number in at],
            np.asarray(at, np.int64),
            np.asarray([len(text) for text in texts], np.int64),
            space,
            near,
        )

    def ask(self, labels: Sequence[str], texts: Sequence[str | None]) -> Asked:
        """New tasks with these labels and texts."""
        at = [number for number, text in enumerate(texts) if text is not None]
        found = [texts[number] or "" for number in at]
        near = self.space.likeness(self.space.place(found), self.space.known)
        return Asked(labels, np.asarray(at, np.int64), np.asarray([len(text) for text in found], np.int64), near)

    def ask_known(self, known: Known, rows: Whole) -> Asked:
        """Tasks of `known` itself; a text that is not learnt from is like nothing."""
        place = np.full(len(known.tasks), -1)
        place[self.texts] = np.arange(len(self.texts))
        at = np.flatnonzero([known.texts[row] is not None for row in rows])
        number = place[rows[at]]
        near = np.zeros((len(at), len(self.texts)))
        near[number >= 0] = self.near[number[number >= 0]]
        lengths = np.asarray([len(known.texts[row] or "") for row in rows[at]], np.int64)
        return Asked([known.labels[row] for row in rows], at, lengths, near)


class Forecaster:
    """Learnt from known tasks, asked about new ones."""

    def __init__(self, known: Known, likeness: Likeness, kept: Whole) -> None:
        """Learn from the tasks at the positions `kept`, rising.

        Args:
            known: All tasks that could be learnt from.
            likeness: Of their texts.
            kept: Which to learn from.
        """
        labels = np.asarray(known.labels)[kept]
        silent = np.asarray([known.texts[at] is None for at in kept])
        self._scores, self._costs = known.scores[kept], known.cost_usd[kept]
        self._places = {str(label): number for number, label in enumerate(np.unique(labels))}
        rows = {label: labels == label for label in self._places}
        self._label_score = np.stack([self._shrunk(mine, mine & silent) for mine in rows.values()])
        self._label_cost = np.stack(
            [self._costs[mine & silent if (mine & silent).sum() >= FEW else mine].mean(0) for mine in rows.values()]
        )
        self._mostly_silent = np.asarray([silent[mine].mean() > 0.5 for mine in rows.values()])
        self._columns = np.flatnonzero(np.isin(likeness.texts, kept))
        self._longest = int(likeness.lengths[self._columns].max(initial=0))
        if len(self._columns):
            self._learn_words(likeness, rows, np.searchsorted(kept, likeness.texts[self._columns]))

    def of(self, asked: Asked, *, given: bool) -> Forecast:
        """What is expected of the tasks.

        Args:
            asked: The tasks.
            given: The label says which clusters are possible; otherwise the words alone do.
        """
        place = np.asarray([self._places.get(label, -1) for label in asked.labels], np.int64)
        by_label = Expected(self._label_score[place], self._label_cost[place], place < 0)
        score, cost = by_label.score.copy(), by_label.cost_usd.copy()
        close = np.full(len(place), np.inf)
        if len(asked.at):
            near = asked.near[:, self._columns]
            close[asked.at] = np.where(asked.lengths > LONGER * self._longest, 0.0, closeness(near))
            if len(self._columns):
                shares = self._shares(near, [asked.labels[one] for one in asked.at] if given else ())
                score[asked.at] = shares @ self._score + self._beyond.predict(near)
                cost[asked.at] = shares @ self._cost
        return Forecast(
            Expected(score, cost, by_label.unlike), by_label, close, (place >= 0) & self._mostly_silent[place]
        )

    def labels_of(self, asked: Asked) -> list[str]:
        """The label that the words of each text speak for."""
        if not len(self._columns):
            return []
        shares = self._shares(asked.near[:, self._columns], ())
        return [self._cluster_labels[one] for one in shares.argmax(1)]

    def _learn_words(self, likeness: Likeness, rows: dict[str, Marks], at: Whole) -> None:
        """Fill the tables of clusters; `at` are the places of the texts among the tasks learnt from."""
        names, member = np.unique(np.asarray(likeness.clusters)[self._columns], return_inverse=True)
        self._cluster_labels = [str(name).split("/")[0] for name in names]
        self._score = np.zeros((len(names), self._scores.shape[1]))
        self._cost = np.zeros_like(self._score)
        for number, label in enumerate(self._cluster_labels):
            inside = np.zeros(len(self._scores), np.bool_)
            inside[at[member == number]] = True
            self._score[number] = self._shrunk(rows[label], inside)
            self._cost[number] = self._costs[inside].mean(0)
        near = likeness.near[np.ix_(self._columns, self._columns)]
        self._member = Ridge.fit(near, np.eye(len(names))[member], penalty=CLUSTER_PENALTY)
        self._beyond = Ridge.fit(near, self._scores[at] - self._score[member], penalty=SCORE_PENALTY)

    def _shrunk(self, *levels: Marks) -> Floats:
        """Each model's success at the narrowest of `levels`, widest first, all tasks before them; (models,)."""
        marks = (np.ones(len(self._scores), np.bool_), *levels)
        sums = [(self._scores[rows].sum(0), float(rows.sum())) for rows in marks]
        models = range(self._scores.shape[1])
        return np.asarray(
            [along([Tally(successes=float(total[one]), tasks=count) for total, count in sums]).mean for one in models]
        )

    def _shares(self, near: Floats, labels: Sequence[str]) -> Floats:
        """How far each text belongs to each cluster, (texts, clusters); of its own label where `labels` has it."""
        found = np.clip(self._member.predict(near), 1e-6, None) ** SHARPNESS
        if labels:
            possible = np.asarray(labels)[:, None] == np.asarray(self._cluster_labels)[None]
            found = np.where(possible | ~possible.any(1, keepdims=True), found, 0.0)
        shares: Floats = found / found.sum(1, keepdims=True)
        return shares
