"""Is the split of uncertainty real? Aleatoric must follow the noise of the labels, epistemic the lack of data.

The MNIST study's MLP on training sets of several sizes whose labels are replaced, at several rates, by random classes:
each cell of the grid is a study of its own, in which every method is trained to the end. Along one row (all training
images) only the noise grows, along one column (no noise) only the data become fewer. Validation and test labels are as
noisy as training labels. The score is the disentanglement error (arXiv 2408.12175): 0 where each uncertainty follows
its own cause and nothing else, about 0.5 where both follow both causes, or neither. Copies of one network are the
control: they have no epistemic uncertainty to follow anything.

    python -m experiments.disentanglement        # 4,000 embedded images

Ends with `disentanglement.json` in the run folder. Interrupt it at any moment: the same command goes on from there.
"""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import tyro

from be_jax.config import check
from be_jax.files import seed_folder
from be_jax.npz import read_npz
from be_jax.pool import disjoint, ensemble_of
from be_jax.results import DEEP_ENSEMBLE, SINGLE, Scores, StudyResult
from be_jax.scores import score_predictions
from be_jax.stats.controls import EPISTEMIC_ROUNDING
from be_jax.study import Study, run_study
from experiments import command_line, disentanglement_report, small
from experiments.common import use_compilation_cache
from experiments.disentanglement_report import KINDS
from experiments.label_noise import with_noise

METHODS = ("copies", "mc_dropout", "batch_ensemble", "batch_ensemble_sign")

Place = tuple[int, float]
"""Size of the training set, and rate of noise."""


@dataclasses.dataclass(frozen=True)
class Config(small.Config):
    """Everything that can be varied.

    Attributes:
      sizes: numbers of training images, ascending.
      noises: rates at which labels are replaced by random classes, ascending from 0.
      epoch_images: the fewest images that an epoch takes; smaller sets are repeated.
    """

    sizes: tuple[int, ...] = (250, 1000, 4000)
    noises: tuple[float, ...] = (0.0, 0.3, 0.6)
    epoch_images: int = 4000

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("sizes", "noises"):
            values = getattr(self, name)
            check(len(values) >= 3 and tuple(sorted(set(values))) == values, name, values, "ascending, at least three")
        check(self.sizes[0] >= 1, "sizes", self.sizes, "integers >= 1")
        check(self.noises[0] == 0 and self.noises[-1] <= 1, "noises", self.noises, "from 0 to at most 1")
        check(0 < self.dropout_rate < 1, "dropout_rate", self.dropout_rate, "in (0, 1)")

    @property
    def folder(self) -> Path:
        return self.out or Path("runs") / f"disentanglement_{self.data}"

    @property
    def by_noise(self) -> list[Place]:
        """All images, ever noisier."""
        return [(self.sizes[-1], noise) for noise in self.noises]

    @property
    def by_size(self) -> list[Place]:
        """Ever fewer images, without noise."""
        return [(size, 0.0) for size in reversed(self.sizes)]


def make_study(config: Config, place: Place) -> Study:
    """Every method in one cell of the grid."""
    size, noise = place
    data = small.repeated(with_noise(small.load(config, size), noise), config.epoch_images)
    planned = tuple(small.planned(config, name) for name in (SINGLE, *METHODS))
    folder = config.folder / f"size_{size}_noise_{noise:g}"
    return small.study("disentanglement", config, folder, data, planned, (*small.NOT_PART, "sizes", "noises"))


def scores_of(study: Study, result: StudyResult) -> dict[str, list[Scores]]:
    """Scores of every run by method; of deep ensembles, those of the pool that share no network."""
    scores = {name: [run.scores for run in result.runs if run.method == name and run.scores] for name in METHODS}
    pool = [run.seed for run in result.runs if run.method == SINGLE and run.scores]
    networks = [read_npz(seed_folder(study.folder / SINGLE, seed) / "predictions.npz") for seed in pool]
    groups = disjoint(len(networks), study.members)
    return scores | {DEEP_ENSEMBLE: [score_predictions(ensemble_of([networks[i] for i in group])) for group in groups]}


def run(config: Config) -> dict[str, Any]:
    """The record: what each method says of its uncertainty in every cell, and how well it splits it, by run."""
    cells: dict[Place, dict[str, list[Scores]]] = {}
    for place in dict.fromkeys(config.by_noise + config.by_size):
        study = make_study(config, place)
        if small.finished(study) is None:
            run_study(study, "experiments.disentanglement")
        cells[place] = scores_of(study, StudyResult.load(study.folder / "results.json"))
    described = small.load(config, config.sizes[-1]).describe()
    rows = [summary(config, cells, name) for name in (*METHODS, DEEP_ENSEMBLE)]
    return small.record("disentanglement", config, described, methods=rows)


def summary(config: Config, cells: Mapping[Place, Mapping[str, list[Scores]]], method: str) -> dict[str, Any]:
    """A method's error and uncertainties along both sweeps, `[settings][runs]`, and its disentanglement errors."""

    def sweep(places: list[Place]) -> dict[str, list[list[float]]]:
        tests = [[scores["test"] for scores in cells[place][method]] for place in places]
        errors = [[1 - test["accuracy"] for test in of_cell] for of_cell in tests]
        parts = {kind: [[_told(test[kind]) for test in of_cell] for of_cell in tests] for kind in KINDS[1:]}
        return {"error": errors, **parts}

    swept = {"label_noise": sweep(config.by_noise), "data_scarcity": sweep(config.by_size)}

    errors = [float(of_run.error) for of_run in disentanglement_report.errors_of_runs(swept)]
    return {"method": method, **swept, "disentanglement_error": errors}


def _told(uncertainty: float) -> float:
    """Without what rounding leaves of copies of one network, which must not be taken to follow anything."""
    return uncertainty if uncertainty > EPISTEMIC_ROUNDING else 0.0


def main() -> None:
    config = tyro.cli(Config, description=__doc__)
    use_compilation_cache()
    small.reported(run(config), config.folder, disentanglement_report)


if __name__ == "__main__":
    command_line.run(main, ValueError)
