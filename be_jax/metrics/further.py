"""Scores of labelled sets beyond those that tables open with: each entry says what it is and how it is computed."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import jax

from be_jax.metrics._score import Score, rows
from be_jax.metrics.chunks import in_chunks
from be_jax.metrics.debiased import debiased_ece
from be_jax.metrics.diversity import yules_q
from be_jax.metrics.murphy import brier_decomposition
from be_jax.metrics.scoring import accuracy
from be_jax.metrics.selective import augrc
from be_jax.metrics.smooth import smooth_ece
from be_jax.metrics.uncertainty import (
    Decomposition,
    decompose_brier,
    decompose_zero_one,
    max_probability_uncertainty,
)

QUALITY = "Test by further scores"
SPLITS = "Uncertainty on test, split by three losses"
"""Beside the split of the entropy, which every set has."""


class Labelled(NamedTuple):
    """A labelled set as the scores of `FURTHER` take it.

    Attributes:
      members: log-probabilities `[m, b, c]`; None for measures none of whose scores needs "members".
      mixture: that of the members, `[b, c]`.
      labels: integers `[b]`.
    """

    members: jax.Array
    mixture: jax.Array
    labels: jax.Array


class Measure(NamedTuple):
    """Scores with what computes them: `of` gives a scalar, or as many as there are scores. Jittable.

    `table` is that of a report's details which shows them.
    """

    of: Callable[[Labelled], jax.Array | Sequence[jax.Array]]
    scores: Sequence[Score]
    table: str = QUALITY

    @property
    def takes_members(self) -> bool:
        """Whether one of its scores needs more of the members than their mixture."""
        return any("members" in score.needs for score in self.scores)


def _augrc(of: Labelled) -> jax.Array:
    return augrc(max_probability_uncertainty(of.mixture[None]), accuracy(of.mixture, of.labels))


def _split(decomposition: Callable[[jax.Array], Decomposition], key: str, loss: str) -> Measure:
    """The parts of the uncertainty by this loss, means over the set."""
    return Measure(
        lambda of: [part.mean() for part in in_chunks(decomposition, of.members)],
        [
            *rows("neither", "", (f"{key}_total", f"{loss} total", "", 4)),
            *rows("neither", "", (f"{key}_aleatoric", f"{loss} aleatoric", "", 4)),
            *rows("neither", "members", (f"{key}_epistemic", f"{loss} epistemic", "", 4)),
        ],
        SPLITS,
    )


FURTHER: tuple[Measure, ...] = (
    Measure(_augrc, rows("lower", "labels", ("augrc", "AUGRC", "", 4))),
    Measure(
        lambda of: smooth_ece(of.mixture, of.labels), rows("lower", "labels", ("smooth_ece", "smooth ECE", "%", 2))
    ),
    Measure(
        lambda of: debiased_ece(of.mixture, of.labels),
        [
            *rows("lower", "labels", ("debiased_ece", "debiased ECE", "%", 2)),
            *rows(
                "neither",
                "labels",
                ("debiased_ece_lower", "debiased ECE from", "%", 2),
                ("debiased_ece_upper", "debiased ECE to", "%", 2),
            ),
        ],
    ),
    Measure(
        lambda of: brier_decomposition(of.mixture, of.labels),
        [
            *rows("lower", "labels", ("brier_reliability", "Brier reliability", "", 4)),
            *rows("higher", "labels", ("brier_resolution", "Brier resolution", "", 4)),
            *rows(
                "neither",
                "labels",
                ("brier_uncertainty", "Brier uncertainty", "", 4),
                ("brier_within", "Brier within bins", "", 4),
            ),
        ],
    ),
    _split(decompose_brier, "brier_split", "Brier"),
    _split(decompose_zero_one, "zero_one_split", "0-1"),
    Measure(
        lambda of: yules_q(of.members, of.labels), rows("neither", "labels members", ("yules_q", "Yule's Q", "", 3))
    ),
)
"""Scores of labelled sets beyond those that tables open with. One entry here, and a score is computed of every run and
shown among the details of every report and audit."""


def scores() -> list[Score]:
    """All scores of `FURTHER`."""
    return [score for measure in FURTHER for score in measure.scores]


def further(of: Labelled, of_members: bool) -> dict[str, jax.Array]:
    """The scores of `FURTHER` that take members, or those that take nothing but their mixture; scalars by key."""
    found: dict[str, jax.Array] = {}
    for measure in FURTHER:
        if measure.takes_members != of_members:
            continue
        values = measure.of(of)
        parts = [values] if isinstance(values, jax.Array) else values
        found |= {score.key: part for score, part in zip(measure.scores, parts, strict=True)}
    return found
