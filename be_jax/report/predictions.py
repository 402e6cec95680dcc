"""Predictions of a finished study, read from its folder as the figures ask for them."""

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from be_jax.files import seed_folder
from be_jax.npz import Npz, Predictions
from be_jax.pool import disjoint, ensemble_of
from be_jax.report.methods import DEEP_ENSEMBLE
from be_jax.results import StudyResult

Load = Callable[[str, int], Predictions]
"""(method, seed) to the arrays of its `predictions.npz`, of which `Npz` reads only what is asked for."""


def predictions_in(folder: Path, result: StudyResult) -> Load:
    """Reads `<folder>/<method>/seed_<seed>/predictions.npz`.

    Where the deep ensembles come from a pool, number i has the i-th `members` of its networks: no two share one.
    """

    def load(method: str, seed: int) -> Mapping[str, np.ndarray]:
        pooled = result.pooled
        if method != DEEP_ENSEMBLE or pooled is None:
            return Npz(seed_folder(folder / method, seed) / "predictions.npz")
        group = list(disjoint(len(pooled.networks), pooled.size))[seed]
        return ensemble_of([load(pooled.method, pooled.networks[i]) for i in group])

    return load
