"""From the predictions of one run to its scores."""

from be_jax.npz import Predictions
from be_jax.scores.blocks import BLOCKS
from be_jax.scores.of_run import (
    OOD,
    Means,
    ScoredOnce,
    Scores,
    score_predictions,
    score_run,
    set_names,
    temperature_of,
)

__all__ = [
    "BLOCKS",
    "OOD",
    "Means",
    "Predictions",
    "ScoredOnce",
    "Scores",
    "score_predictions",
    "score_run",
    "set_names",
    "temperature_of",
]
