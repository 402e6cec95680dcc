"""From the predictions of one run to its scores."""

from be_jax.scores.blocks import BLOCKS, OOD, Predictions, Scores, score_run, set_names
from be_jax.scores.of_run import score_predictions, temperature_of

__all__ = [
    "BLOCKS",
    "OOD",
    "Predictions",
    "Scores",
    "score_predictions",
    "score_run",
    "set_names",
    "temperature_of",
]
