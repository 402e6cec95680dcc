"""Where the members of each method stand, each alone: what of a gain is better members, and what is their averaging.

A method whose members are better networks than single ones gains without being an ensemble. Each member has a
temperature of its own, as a single network has; the scale is that of gains: 0 is a single network, 1 a deep ensemble.
"""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np

from be_jax.files import seed_folder
from be_jax.npz import Npz
from be_jax.results import SINGLE, StudyResult
from be_jax.scores import Predictions, Scores, score_run
from be_jax.stats import JudgeConfig, networks_of, of_pool
from be_jax.stats.of_results import of_runs, seeds_of
from be_jax.stats.rows import gain_row
from be_jax.stats.study import members_of

SETS = ("validation", "test")


def members_alone(folder: Path, result: StudyResult) -> dict[str, Any]:
    """Of each method of a finished study with a pool, the gain of its members in the primary endpoint, with an interval
    over seeds, networks and test examples."""

    def predicted(method: str, seed: int) -> Predictions:
        arrays = Npz(seed_folder(folder / method, seed) / "predictions.npz")
        return {name: arrays[name] for name in arrays if name.rpartition("/")[0] in SETS}

    seeds = seeds_of(result)
    networks = [predicted(SINGLE, seed) for seed in seeds.pop(SINGLE)]
    single, deep = (of_pool(networks, size) for size in (1, members_of(result)))
    how = JudgeConfig().as_measured(single.has)
    found = {}
    for method, own in seeds.items():
        scores = [_mean(list(map(score_run, networks_of([predicted(method, seed)])))) for seed in own]
        row = gain_row(how.primary, of_runs(result, method, own, scores), single, deep, how)
        found[method] = {**dataclasses.asdict(row.position), "method": row.method}
    return found


def _mean(members: list[Scores]) -> Scores:
    return {place: np.mean([member[place] for member in members], axis=0) for place in members[0]}
