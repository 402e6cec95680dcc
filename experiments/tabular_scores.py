"""Scores of networks on every split of a table, as samples that are judged."""

from collections.abc import Mapping
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from be_jax.audit import regression_scores
from be_jax.likelihood import gaussian
from be_jax.scores import score_predictions
from be_jax.stats import Sample, Scores, of_seeds
from experiments.tabular_data import Dataset, Split

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


def single_networks(dataset: Dataset, rows: Split, pool: Predicted, members: int) -> list[dict[str, float]]:
    """Means over the members of the deep ensemble, each alone."""
    alone = [scores_of(dataset, rows, pool.members(slice(k, k + 1))) for k in range(members)]
    return [
        {name: float(np.mean([run[name] for run in runs])) for name in runs[0]} for runs in zip(*alone, strict=True)
    ]
