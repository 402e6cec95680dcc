"""What `experiments.weights` measured: its file, its table, and what a judgement takes of it."""

import itertools
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import rich.box
import rich.table

from be_jax.judge import PARAMETERS, Sample, Scores, of_pairs, of_seeds
from be_jax.report.methods import DEEP_ENSEMBLE
from be_jax.results import StudyResult
from be_jax.runs import write_atomically

MATCHED = "deep_ensemble_matched"
JUDGED = ("kernel_distance", "loss_barrier")
"""Of the scores, those that are 0 for copies of one network and grow with the distance between members."""

SHOWN = {
    "kernel_distance": "distance of kernels",
    "cka": "CKA of representations",
    "loss_barrier": "loss barrier, nats",
    "accuracy_barrier": "accuracy barrier, %",
}

Unit = tuple[int, ...]
"""What was measured: the run of a seed, `(seed,)`, or the pair of networks of two seeds of a pool."""


class Weights(NamedTuple):
    """Scores of weights, means over pairs of members.

    Attributes:
      about: study, data and provenance; JSON-compatible.
      scores: `{method: {unit: {score: value}}}`; deep ensembles are there twice, as trained and as `MATCHED`.
    """

    about: Mapping[str, Any]
    scores: Mapping[str, Mapping[Unit, Mapping[str, float]]]

    def samples(self, result: StudyResult, method: str, seeds: Sequence[int]) -> tuple[Sample, Sample] | None:
        """The runs of a method and the matched deep ensembles for a judgement; None if its weights were not measured.

        Raises:
          ValueError: a run or a network of the study was not measured.
        """
        if method not in self.scores:
            return None
        own = of_seeds([self._judged(method, (seed,)) for seed in seeds])
        if result.pooled is None:
            return own, of_seeds([self._judged(MATCHED, (seed,)) for seed in seeds])
        networks = result.pooled.networks
        numbered = itertools.combinations(enumerate(networks), 2)
        pairs = {(i, j): self._judged(MATCHED, (first, second)) for (i, first), (j, second) in numbered}
        return own, of_pairs(pairs, len(networks), result.pooled.size)

    def _judged(self, method: str, unit: Unit) -> Scores:
        if unit not in self.scores[method]:
            raise ValueError(
                f"weights of {method}, seed {_name(unit)} were not measured: run experiments.weights again"
            )
        return {(PARAMETERS, name): np.array([self.scores[method][unit][name]]) for name in JUDGED}

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
            method: {tuple(int(seed) for seed in unit.split("-")): values for unit, values in units.items()}
            for method, units in about.pop("scores").items()
        }
        return cls(about, scores)


def table(weights: Weights, names: Mapping[str, str]) -> rich.table.Table:
    """Methods by what is shown, means over runs or pairs of networks with the smallest and largest, for a terminal."""
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
    anew = ", with batch statistics computed anew at every point" if about["batch_statistics"] else ""
    reading = (
        f"Means over {counts}; the smallest and the largest in brackets. Distances are means over layers, 0 for copies "
        f"and 1 for orthogonal kernels; CKA is 1 for copies. The barrier is on the line between two members, on "
        f"{about['num_inputs']:,} test images{anew}."
    )
    command = f"`{made['command']}`, {made['date']}, {made['processor']}, jax {made['jax']}."
    header, *rows = ["| " + " | ".join(row) + " |" for row in _rows(weights, names)]
    rule = "| --- |" + " ---: |" * len(SHOWN)
    return "\n".join([header, rule, *rows, "", reading, "", command, ""])


def _rows(weights: Weights, names: Mapping[str, str]) -> Iterator[list[str]]:
    yield ["members of", *SHOWN.values()]
    for method, units in weights.scores.items():
        yield [_label(method, names), *(_shown(name, [scores[name] for scores in units.values()]) for name in SHOWN)]


def _counted(method: str, units: Mapping[Unit, Any], names: Mapping[str, str]) -> str:
    what = "pairs of networks" if len(next(iter(units))) == 2 else "runs"
    return f"{len(units)} {what} ({_label(method, names)})"


def _label(method: str, names: Mapping[str, str]) -> str:
    return f"{names[DEEP_ENSEMBLE]}, units matched" if method == MATCHED else names[method]


def _shown(name: str, values: Sequence[float]) -> str:
    scale, digits = (100, 1) if name == "accuracy_barrier" else (1, 3)
    mean, low, high = (scale * float(f(values)) for f in (np.mean, np.min, np.max))
    return f"{mean:.{digits}f} [{low:.{digits}f}, {high:.{digits}f}]"


def _line(unit: Unit, scores: Mapping[str, float]) -> str:
    return f'"{_name(unit)}": ' + json.dumps({name: float(f"{value:.6g}") for name, value in scores.items()})


def _name(unit: Unit) -> str:
    return "-".join(map(str, unit))
