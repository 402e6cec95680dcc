"""What `experiments.weights` measured: its file, its table, and what a judgement takes of it."""

import itertools
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import rich.box
import rich.table

from be_jax.report.methods import DEEP_ENSEMBLE
from be_jax.results import StudyResult
from be_jax.runs import write_atomically
from be_jax.stats import PARAMETERS, Sample, Scores, of_pairs, of_seeds

STUDIES = ("mnist", "cifar10")
"""The experiments whose weights can be measured."""

MATCHED = "matched_"
"""Begins the names of scores after matching hidden units."""

JUDGED = ("kernel_distance", "loss_barrier")
"""Of the scores, those that are 0 for copies of one network and grow with the distance between members."""

SHOWN = {
    "kernel_distance": "distance of kernels",
    f"{MATCHED}kernel_distance": "... units matched",
    "cka": "CKA of representations",
    "loss_barrier": "loss barrier, nats",
    f"{MATCHED}loss_barrier": "... units matched",
}

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

    def samples(self, result: StudyResult, method: str, seeds: Sequence[int]) -> tuple[Sample, Sample] | None:
        """The runs of a method and the deep ensembles for a judgement; None for a method without weights of its own.

        Each is judged as trained or matched, whichever is nearer: matching weighs layers by their size, and need not
        lower what is a mean over layers.

        Raises:
          ValueError: a run or a network of the study was not measured.
        """
        if method not in self.scores:
            return None
        own = of_seeds([self._judged(method, (seed,)) for seed in seeds])
        if result.pooled is None:
            return own, of_seeds([self._judged(DEEP_ENSEMBLE, (seed,)) for seed in seeds])
        numbered = itertools.combinations(enumerate(result.pooled.networks), 2)
        pairs = {(i, j): self._judged(DEEP_ENSEMBLE, (first, second)) for (i, first), (j, second) in numbered}
        return own, of_pairs(pairs, len(result.pooled.networks), result.pooled.size)

    def _judged(self, method: str, unit: Unit) -> Scores:
        scores = self.scores.get(method, {}).get(unit)
        if scores is None:
            seeds = " and ".join(map(str, unit))
            raise ValueError(f"weights.json has no {method} of seed {seeds}: run experiments.weights again")
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


def table(weights: Weights, names: Mapping[str, str]) -> rich.table.Table:
    """What is shown by method, means over runs or pairs of networks with the smallest and largest, for a terminal."""
    shown = rich.table.Table(box=rich.box.SIMPLE_HEAD, pad_edge=False)
    header, *rows = _rows(weights, names)
    for index, title in enumerate(header):
        shown.add_column(title, justify="right" if index else "left")
    for row in rows:
        shown.add_row(*row)
    return shown


def markdown(weights: Weights, names: Mapping[str, str]) -> str:
    """The table, how to read it, and the command behind it."""
    about, made = weights.about, weights.about["provenance"]
    counts = ", ".join(_counted(method, units, names) for method, units in weights.scores.items())
    reading = (
        f"Means over {counts}; the smallest and the largest in brackets. Distances are means over layers, 0 for copies "
        f"and 1 for orthogonal kernels; CKA is 1 for copies, and no order of units changes it. The barrier is on the "
        f"line between two members, over {about['num_inputs']:,} test images; what batch normalisations give is "
        f"repaired there (arXiv 2211.08403)."
    )
    command = f"`{made['command']}`, {made['date']}, {made['processor']}, jax {made['jax']}."
    header, *rows = ["| " + " | ".join(row) + " |" for row in _rows(weights, names)]
    rule = "| --- |" + " ---: |" * len(weights.scores)
    return "\n".join([header, rule, *rows, "", reading, "", command, ""])


def _rows(weights: Weights, names: Mapping[str, str]) -> Iterator[list[str]]:
    yield ["between two members of a", *(names[method] for method in weights.scores)]
    for name, title in SHOWN.items():
        yield [title, *(_shown([scores[name] for scores in units.values()]) for units in weights.scores.values())]


def _counted(method: str, units: Mapping[Unit, Any], names: Mapping[str, str]) -> str:
    what = "pairs of networks" if len(next(iter(units))) == 2 else "runs"
    return f"{len(units)} {what} ({names[method]})"


def _shown(values: Sequence[float]) -> str:
    return f"{np.mean(values):.3f} [{min(values):.3f}, {max(values):.3f}]"


def _line(unit: Unit, scores: Mapping[str, float]) -> str:
    kept = {name: float(f"{value:.6g}") if math.isfinite(value) else None for name, value in scores.items()}
    return f'"{_name(unit)}": {json.dumps(kept)}'


def _unit(name: str) -> Unit:
    return tuple(int(seed) for seed in name.split("-"))


def _name(unit: Unit) -> str:
    return "-".join(map(str, unit))
