"""The MNIST study: is a BatchEnsemble an ensemble, or a single model that costs more?

Trains `single`, `mc_dropout`, `batch_ensemble` (the study's N(1, 0.5) fast weights), `batch_ensemble_sign` (random
signs) and `deep_ensemble` with 5 seeds, and compares them on test, shifted and out-of-distribution data.

    python -m experiments.mnist                                              # 4,000 embedded images: 3 minutes
    python -m experiments.mnist --data tfds --data-dir ~/tensorflow_datasets # all 60,000 images: 14 minutes

Times are on two CPU cores. Expected test accuracy on all images, mean of 5 seeds: single 97.5 %, MC dropout 97.8 %,
BatchEnsemble 97.7 %, deep ensemble 98.3 %.

Ends with tables on the terminal, `results.json` and `report.html` in the run folder. Interrupt it at any moment: the
same command goes on from there. A finished run is not trained again.
"""

import dataclasses
import functools
import math
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import jax
import tyro
from rich.progress import Progress

from be_jax import Ensemble, batch_ensemble, deep_ensemble, fast_init, mc_dropout, models, single
from be_jax.checkpoint import CheckpointError
from be_jax.config import BatchMode, ConfigError, TrainConfig, check
from be_jax.data import (
    CORRUPTIONS,
    DataUnavailableError,
    StudyData,
    as_float,
    embedded_mnist,
    shifted_sets,
    standardise,
    tfds_study,
)
from be_jax.evaluate import EvaluationSet
from be_jax.keys import Purpose, key_for
from be_jax.parallel import Spread, devices_of_hosts
from be_jax.report import print_tables
from be_jax.results import StudyResult
from be_jax.runs import RunError, exclusive
from be_jax.study import Method
from experiments.common import check_runs, provenance, run_methods, show_report, use_compilation_cache

PIXEL_MEAN, PIXEL_STD = 0.1307, 0.3081  # of the 60,000 training images

METHODS = ("single", "mc_dropout", "batch_ensemble", "batch_ensemble_sign", "deep_ensemble")


@dataclasses.dataclass(frozen=True)
class Config:
    """Everything that can be varied.

    Attributes:
      data: "embedded" (5,000 real MNIST images that ship with a dependency; OOD: drawn letters) or "tfds" (all of
        MNIST; OOD: Fashion-MNIST).
      data_dir: TFDS folder, for "tfds"; TFDS's default where it is not given.
      out: folder of the runs and the report; `runs/mnist_<data>` where it is not given.
      methods: which methods to run.
      seeds: one run of each method for each.
      members: m, of all but `single`.
      rank: of the fast weights.
      init_std: of r and s ~ N(1, init_std^2) in `batch_ensemble`; `batch_ensemble_sign` draws signs.
      model: "mlp" (784-64-32-16-10) or "lenet".
      dropout_rate: in training of every method, and at prediction of `mc_dropout`.
      deep_ensemble_batch_mode: `batch_mode` of the deep ensemble, whose members train as if alone by default.
      train: the training protocol.
      corruptions: shifted test sets to make.
      severities: of each corruption, 1 to 5.
      together: train all seeds of a method in one program (faster for the MLP, slower for LeNet on a CPU).
      num_devices: local devices to use; all where it is not given.
      spread: whether devices share each batch ("batch"), or each trains its own seeds ("networks").
      save_every_s: seconds between checkpoints.
    """

    data: Literal["embedded", "tfds"] = "embedded"
    data_dir: Path | None = None
    out: Path | None = None
    methods: tuple[str, ...] = METHODS
    seeds: tuple[int, ...] = (42, 69, 123, 456, 789)
    members: int = 4
    rank: int = 1
    init_std: float = 0.5
    model: Literal["mlp", "lenet"] = "mlp"
    dropout_rate: float = 0.05
    deep_ensemble_batch_mode: BatchMode = "independent"
    train: TrainConfig = dataclasses.field(default_factory=TrainConfig)
    corruptions: tuple[str, ...] = tuple(CORRUPTIONS)
    severities: tuple[int, ...] = (1, 2, 3, 4, 5)
    together: bool = True
    num_devices: int | None = None
    spread: Spread = "batch"
    save_every_s: float = 30.0

    def __post_init__(self) -> None:
        for name, choices in (("methods", METHODS), ("corruptions", tuple(CORRUPTIONS)), ("severities", range(1, 6))):
            values = getattr(self, name)
            known = len(set(values)) == len(values) and set(values) <= set(choices)
            check(known, name, values, f"different ones of {', '.join(map(str, choices))}")
        check(bool(self.methods), "methods", self.methods, f"at least one of {', '.join(METHODS)}")
        seeds_fit = bool(self.seeds) and len(set(self.seeds)) == len(self.seeds) and min(self.seeds) >= 0
        check(
            seeds_fit and max(self.seeds) < 2**32, "seeds", self.seeds, "different integers in [0, 2^32), at least one"
        )
        for name in ("members", "rank"):
            check(getattr(self, name) >= 1, name, getattr(self, name), "an integer >= 1")
        init_std_fits = math.isfinite(self.init_std) and self.init_std >= 0
        check(init_std_fits, "init_std", self.init_std, "a finite number >= 0")
        check(self.save_every_s >= 0, "save_every_s", self.save_every_s, "a number >= 0")
        data_dir_fits = self.data_dir is None or self.data == "tfds"
        check(data_dir_fits, "data_dir", self.data_dir, "left out unless data is 'tfds'")
        check(0 <= self.dropout_rate < 1, "dropout_rate", self.dropout_rate, "in [0, 1)")

    @property
    def folder(self) -> Path:
        return self.out or Path("runs") / f"mnist_{self.data}"

    @property
    def devices(self) -> list[jax.Device]:
        return devices_of_hosts(self.num_devices)

    def identity(self, data: StudyData) -> dict[str, object]:
        """What determines a run's result, beside its method and seed."""
        not_part = ("data_dir", "out", "methods", "seeds", "together", "num_devices", "spread", "save_every_s")
        fields = {k: v for k, v in dataclasses.asdict(self).items() if k not in not_part}
        return {**fields, "data_sizes": data.describe()}


def build_ensemble(config: Config, method: str) -> Ensemble:
    """The ensemble that this method trains: one model, and a row of the lift's table."""
    network = models.MLP if config.model == "mlp" else models.LeNet
    model = network(dropout_rate=config.dropout_rate)
    match method:
        case "single":
            return single(model)
        case "mc_dropout":
            return mc_dropout(model, config.members)
        case "batch_ensemble":
            return batch_ensemble(model, config.members, config.rank, fast_init.normal(config.init_std))
        case "batch_ensemble_sign":
            return batch_ensemble(model, config.members, config.rank, "random_sign")
        case "deep_ensemble":
            return deep_ensemble(model, config.members)
        case _:
            raise ConfigError(f"unknown method {method!r}; choose from {', '.join(METHODS)}")


def build_method(config: Config, name: str) -> Method:
    """The method with its training protocol."""
    train = config.train
    if name == "deep_ensemble":
        train = dataclasses.replace(train, batch_mode=config.deep_ensemble_batch_mode)
    try:
        return Method(name, build_ensemble(config, name), train)
    except ValueError as error:
        raise ConfigError(str(error)) from error


def load_data(config: Config) -> StudyData:
    """The study's data, in memory."""
    if config.data == "embedded":
        return embedded_mnist()
    return tfds_study("mnist", ood=("fashion_mnist",), data_dir=config.data_dir)


def preprocess(images: jax.Array) -> jax.Array:
    """Stored pixels to the model's input: standardised by the mean and deviation of MNIST's training pixels."""
    return standardise(as_float(images), PIXEL_MEAN, PIXEL_STD)


def evaluation_sets(config: Config, data: StudyData, progress: Progress) -> Mapping[str, EvaluationSet]:
    """The test set, its corrupted versions (the same for every seed and method) and the out-of-distribution sets."""
    sets = {"test": EvaluationSet(*data.test)}
    shifted = shifted_sets(
        data.test.images,
        key_for(0, Purpose.CORRUPT),
        corruptions=config.corruptions,
        severities=config.severities,
    )
    total = len(config.corruptions) * len(config.severities)
    for name, images in progress.track(shifted, total=total, description="corrupting the test set"):
        sets[f"shift/{name}"] = EvaluationSet(images, data.test.labels)
    return sets | {f"ood/{name}": EvaluationSet(images, None) for name, images in data.ood.items()}


def run(config: Config) -> StudyResult:
    """Trains, predicts and scores every method and seed; returns the result and leaves it in the run folder."""
    plan = [(build_method(config, name), config.seeds) for name in config.methods]
    data = load_data(config)
    check_runs(config, data, plan, preprocess)
    with exclusive(config.folder):
        records = run_methods(config, data, plan, preprocess, functools.partial(evaluation_sets, config))
    result = StudyResult("mnist", data.describe(), config.identity(data), provenance("mnist"), tuple(records))
    result.save(config.folder / "results.json")
    return result


def main() -> None:
    config = tyro.cli(Config, description=__doc__)
    use_compilation_cache(config.folder)
    result = run(config)
    print_tables(result)
    show_report(result, config.folder)


if __name__ == "__main__":
    try:
        main()
    except (ConfigError, DataUnavailableError, RunError, CheckpointError, OSError) as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        sys.exit("interrupted: the same command goes on from the last checkpoint")
