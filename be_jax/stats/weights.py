"""What was measured on the weights of a study's members: the file that keeps it, and what a judgement takes of it."""

import itertools
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from be_jax.files import write_atomically
from be_jax.identity import differences, under_todays_names
from be_jax.results import DEEP_ENSEMBLE, StudyResult
from be_jax.scores import Scores
from be_jax.stats.config import PARAMETERS
from be_jax.stats.sample import Sample, of_pairs, of_seeds

MATCHED = "matched_"
"""Begins the names of scores after matching hidden units."""

JUDGED = ("kernel_distance", "loss_barrier")
"""Of the scores, those that are 0 for copies of one network and grow with the distance between members."""

Unit = tuple[int, ...]
"""What was measured: the run of a seed, `(seed,)`, or the pair of networks of two seeds of a pool."""


class Weights(NamedTuple):
    """Scores of weights, means over pairs of members.

    Attributes:
      about: the study with its configuration, how many inputs, and provenance; JSON-compatible.
      scores: `{method: {unit: {score: value}}}`, each score twice: as trained, and `MATCHED`.
    """

    about: Mapping[str, Any]
    scores: Mapping[str, Mapping[Unit, Mapping[str, float]]]

    def samples(
        self, method: str, seeds: Sequence[int], factor: str, pool: Sequence[int] | None, joint: Sequence[int] = ()
    ) -> tuple[Sample, Sample] | None:
        """The runs of a method and the deep ensembles for a judgement; None where none of either was measured.

        A study may have grown since: runs that were not measured are left out.

        Each is judged as trained or matched, whichever is nearer: matching weighs layers by their size, and need not
        lower what is a mean over layers.

        Args:
          method, seeds, factor: the method, its runs, and the name of its seeds as units.
          pool: seeds of the pool's networks that were measured; None where deep ensembles are runs of their own.
          joint: those runs.

        Raises:
          ValueError: a pair of networks of the pool was not measured.
        """
        runs = self._measured(method, seeds)
        if not runs:
            return None
        own = of_seeds(runs, factor)
        if pool is None:
            deep = self._measured(DEEP_ENSEMBLE, joint)
            return (own, of_seeds(deep, "deep ensembles")) if deep else None
        numbered = itertools.combinations(enumerate(pool), 2)
        pairs = {(i, j): self._judged(DEEP_ENSEMBLE, (first, second)) for (i, first), (j, second) in numbered}
        return own, of_pairs(pairs, len(pool))

    def _measured(self, method: str, seeds: Sequence[int]) -> list[Scores]:
        return [self._judged(method, (seed,)) for seed in seeds if (seed,) in self.scores.get(method, {})]

    def _judged(self, method: str, unit: Unit) -> Scores:
        scores = self.scores.get(method, {}).get(unit)
        if scores is None:
            seeds = " and ".join(map(str, unit))
            raise ValueError(f"weights.json has no {method} of seed {seeds}: measure the weights of the study again")
        nearest = {name: min(scores[name], scores[f"{MATCHED}{name}"]) for name in JUDGED}
        return {(PARAMETERS, name): np.array([value]) for name, value in nearest.items()}

    def save(self, path: Path) -> None:
        """Writes JSON, a line for each unit, with six significant digits."""
        methods = [
            f"  {json.dumps(method)}: {{\n" + ",\n".join(f"   {_line(*each)}" for each in units.items()) + "\n  }"
            for method, units in self.scores.items()
        ]
        head = json.dumps(self.about, indent=1)[:-2]
        write_atomically(path, head + ',\n "scores": {\n' + ",\n".join(methods) + "\n }\n}\n")

    @classmethod
    def load(cls, path: Path) -> "Weights":
        """Reads what `save` wrote."""
        about = json.loads(path.read_text())
        scores = {
            method: {
                _unit(name): {k: math.nan if v is None else v for k, v in of.items()} for name, of in units.items()
            }
            for method, units in about.pop("scores").items()
        }
        return cls(about, scores)

    @classmethod
    def of_study(cls, path: Path, result: StudyResult) -> "Weights":
        """The same of a file that belongs to a study; settings that are younger than the file are the study's.

        Raises:
          ValueError: it is of another study.
        """
        weights = cls.load(path)
        config, own = under_todays_names(weights.about["config"]), under_todays_names(result.config)
        if weights.about["data"] != result.data or differences(config, own, own):
            raise ValueError(f"{path} is of a study with other data or settings: measure the weights again")
        return weights


def _line(unit: Unit, scores: Mapping[str, float]) -> str:
    kept = {name: float(f"{value:.6g}") if math.isfinite(value) else None for name, value in scores.items()}
    return f'"{"-".join(map(str, unit))}": {json.dumps(kept)}'


def _unit(name: str) -> Unit:
    return tuple(int(seed) for seed in name.split("-"))
