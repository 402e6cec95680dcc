"""Scores of networks on every split of a table, as samples that are judged."""

from collections.abc import Mapping
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from be_jax.audit import regression_scores
from be_jax.likelihood import gaussian
from be_jax.pool import disjoint
from be_jax.scores import score_predictions
from be_jax.stats import Endpoint, JudgeConfig, Sample, Scores, of_seeds
from experiments.tabular_data import Dataset, Split

CLASSES = JudgeConfig(
    quality=(Endpoint("test", "nll_scaled"), Endpoint("test", "accuracy")),
    functions=(Endpoint("test", "root_epistemic"), Endpoint("test", "disagreement")),
)
NUMBERS = JudgeConfig(
    quality=(Endpoint("test", "nll_scaled"), Endpoint("test", "crps_scaled"), Endpoint("test", "rmse")),
    functions=(Endpoint("test", "spread_of_means"),),
)
"""What is judged, of classes and of numbers: the primary endpoint first."""

Outputs = np.ndarray
"""Of one run: logits, or means and log-variances, `[m, b, o]`."""


class Predicted(NamedTuple):
    """Outputs of every split, `[s, m, b, o]`."""

    validation: np.ndarray
    test: np.ndarray

    def members(self, which: slice) -> "Predicted":
        """Of some members."""
        return Predicted(self.validation[:, which], self.test[:, which])


def scores_of(dataset: Dataset, rows: Split, outputs: Predicted) -> list[dict[str, float]]:
    """Scores on the test rows of every split, with those at the temperature, or the scale, of its validation rows."""
    return [
        _score(dataset, {"validation": (v, vy), "test": (t, ty)})
        for v, vy, t, ty in zip(outputs.validation, rows.train.validation_y, outputs.test, rows.test_y, strict=True)
    ]


def _score(dataset: Dataset, sets: Mapping[str, tuple[Outputs, np.ndarray]]) -> dict[str, float]:
    if dataset.num_classes:
        arrays = {f"{name}/log_probs": np.asarray(jax.nn.log_softmax(outputs)) for name, (outputs, _) in sets.items()}
        return dict(score_predictions(arrays | {f"{name}/labels": y for name, (_, y) in sets.items()})["test"])
    arrays = {f"{name}/targets": y for name, (_, y) in sets.items()}
    for name, (outputs, _) in sets.items():
        mean, variance = gaussian(jnp.asarray(outputs))
        arrays |= {f"{name}/mean": np.asarray(mean), f"{name}/variance": np.asarray(variance)}
    return regression_scores.score_predictions(arrays)["test"]


def sample(scores: list[dict[str, float]]) -> Sample:
    """Of one method, over splits, which all methods share."""
    runs: list[Scores] = [{("test", metric): np.array([value]) for metric, value in run.items()} for run in scores]
    return of_seeds(runs, "splits")


def of_size(dataset: Dataset, rows: Split, pool: Predicted, size: int) -> list[dict[str, float]]:
    """Ensembles of `size` networks: on every split means over as many as there are that share no network."""
    groups = [pool.members(slice(group[0], group[-1] + 1)) for group in disjoint(pool.test.shape[1], size)]
    scores = [scores_of(dataset, rows, group) for group in groups]
    return [
        {name: float(np.mean([run[name] for run in runs])) for name in runs[0]} for runs in zip(*scores, strict=True)
    ]


def size_curve(dataset: Dataset, rows: Split, pool: Predicted) -> dict[int, Sample]:
    """Ensembles of every size up to the pool's: the scale of what a method is worth."""
    return {size: sample(of_size(dataset, rows, pool, size)) for size in range(1, pool.test.shape[1] + 1)}
