"""The MNIST study: is a BatchEnsemble an ensemble, or a single model that costs more?

Trains a pool of independent single networks, which are also every deep ensemble of up to its size; MC dropout;
BatchEnsembles from N(1, 0.5), as in the study, and from random signs; and the controls: members that are copies of one
network, and a single network of the ensemble's cost. Compares them on test, shifted and out-of-distribution data.

    python -m experiments.mnist                                                # 4,000 images that ship: 5 minutes
    python -m experiments.mnist --preset full --data-dir ~/tensorflow_datasets # all 60,000 images: two hours
    python -m experiments.mnist --preset published --data-dir ...              # with the published protocol's confounds

Times are on two CPU cores. Ends with tables on the terminal, `results.json` and `report.html` in the run folder.
Interrupt it at any moment: the same command goes on from there. A finished run is not trained again.
"""

import dataclasses
import functools
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import flax.linen as nn
import jax
import tyro
from rich.progress import Progress

from be_jax import methods, models
from be_jax.config import BatchMode, TrainConfig, check
from be_jax.data import (
    CORRUPTIONS,
    StudyData,
    as_float,
    embedded_mnist,
    shifted_sets,
    standardise,
    tfds_study,
)
from be_jax.evaluate import EvaluationSet
from be_jax.keys import Purpose, key_for
from be_jax.results import StudyResult
from be_jax.run import conclude
from be_jax.study import Execution, Planned, Study
from experiments import command_line
from experiments.common import POOL_SEEDS_BELOW, check_chosen, parse_preset, planned, use_compilation_cache

PIXEL_MEAN, PIXEL_STD = 0.1307, 0.3081  # of the 60,000 training images

METHODS = ("single", "mc_dropout", "batch_ensemble", "batch_ensemble_sign", "copies", "single_wide")

NETWORKS: Mapping[str, Callable[..., nn.Module]] = {
    "mlp": models.MLP,
    "lenet": models.LeNet,
    "vit": functools.partial(models.ViT, patch=7, width=32, depth=2, mlp_width=64),
    "gru": models.GRU,
}
NOT_PART = ("preset", "data_dir", "out", "methods", "seeds", "pool_size", "execution")
"""Fields that do not determine the numbers of a run."""


@dataclasses.dataclass(frozen=True)
class Config:
    """Everything that can be varied.

    Attributes:
      preset: where the defaults of all other fields come from.
      data: "embedded" (5,000 real MNIST images that ship with a dependency; OOD: drawn letters) or "tfds" (all of
        MNIST; OOD: Fashion-MNIST).
      data_dir: TFDS folder, for "tfds"; TFDS's default where it is not given.
      out: folder of the runs and the report; `runs/mnist_<preset>` where it is not given.
      methods: which methods to run, of `be_jax.methods`. The deep ensembles are made from the networks of `single`,
        unless `deep_ensemble`, whose members are trained together, is one of them.
      seeds: one run of each method but `single` for each.
      pool_size: number of independent networks of `single`, with seeds 0, 1, ...
      members: m, of all ensembles.
      rank: of the fast weights.
      init_std: of r and s ~ N(1, init_std^2) in `batch_ensemble`; `batch_ensemble_sign` draws signs.
      model: "mlp" (784-64-32-16-10), "lenet", "vit" (a transformer on patches of 7x7) or "gru" (rows as a sequence).
      dropout_rate: in training of every method, and at prediction of `mc_dropout`.
      deep_ensemble_batch_mode: `batch_mode` of `deep_ensemble`.
      train: the training protocol.
      corruptions: shifted test sets to make.
      severities: of each corruption, 1 to 5.
      execution: where and how runs are trained.
    """

    preset: Literal["embedded", "full", "published"] = "embedded"
    data: Literal["embedded", "tfds"] = "embedded"
    data_dir: Path | None = None
    out: Path | None = None
    methods: tuple[str, ...] = METHODS
    seeds: tuple[int, ...] = tuple(range(POOL_SEEDS_BELOW, POOL_SEEDS_BELOW + 10))
    pool_size: int = 20
    members: int = 4
    rank: int = 1
    init_std: float = 0.5
    model: Literal["mlp", "lenet", "vit", "gru"] = "mlp"
    dropout_rate: float = 0.05
    deep_ensemble_batch_mode: BatchMode = "independent"
    train: TrainConfig = dataclasses.field(default_factory=TrainConfig)
    corruptions: tuple[str, ...] = tuple(CORRUPTIONS)
    severities: tuple[int, ...] = (1, 2, 3, 4, 5)
    execution: Annotated[Execution, tyro.conf.arg(name="")] = dataclasses.field(default_factory=Execution)

    def __post_init__(self) -> None:
        check_chosen("methods", self.methods, tuple(methods.TABLE))
        check_chosen("corruptions", self.corruptions, tuple(CORRUPTIONS))
        check_chosen("severities", self.severities, range(1, 6))
        for name in ("members", "rank", "pool_size"):
            check(getattr(self, name) >= 1, name, getattr(self, name), "an integer >= 1")
        init_std_fits = math.isfinite(self.init_std) and self.init_std >= 0
        check(init_std_fits, "init_std", self.init_std, "a finite number >= 0")
        data_dir_fits = self.data_dir is None or self.data == "tfds"
        check(data_dir_fits, "data_dir", self.data_dir, "left out unless data is 'tfds'")
        check(0 <= self.dropout_rate < 1, "dropout_rate", self.dropout_rate, "in [0, 1)")

    @property
    def folder(self) -> Path:
        return self.out or Path("runs") / f"mnist_{self.preset}"


FULL = Config(preset="full", data="tfds", pool_size=40, seeds=tuple(range(POOL_SEEDS_BELOW, POOL_SEEDS_BELOW + 20)))

PRESETS: Mapping[str, Config] = {
    "embedded": Config(),
    "full": FULL,
    "published": dataclasses.replace(
        FULL,
        preset="published",
        methods=("single", "mc_dropout", "batch_ensemble", "batch_ensemble_sign", "copies", "deep_ensemble"),
        pool_size=20,
        deep_ensemble_batch_mode="repeat",
        train=TrainConfig(gradient_rule="mean", keep="best", patience=10),
    ),
}


def build_model(config: Config) -> nn.Module:
    """The network of one member."""
    return NETWORKS[config.model](dropout_rate=config.dropout_rate)


def build_method(config: Config, name: str) -> Planned:
    """The method with its training protocol and its seeds."""
    options = methods.Options(
        members=config.members, rank=config.rank, init_std=config.init_std, input_shape=(28, 28, 1)
    )
    train = config.train
    if name == "deep_ensemble":
        train = dataclasses.replace(train, batch_mode=config.deep_ensemble_batch_mode)
    seeds = tuple(range(config.pool_size)) if name == "single" else config.seeds
    return planned(name, build_model(config), options, train, seeds)


def load_data(config: Config) -> StudyData:
    """The study's data, in memory."""
    if config.data == "embedded":
        return embedded_mnist()
    return tfds_study("mnist", ood=("fashion_mnist",), data_dir=config.data_dir)


def preprocess(images: jax.Array) -> jax.Array:
    """Stored pixels to the model's input: standardised by the mean and deviation of MNIST's training pixels."""
    return standardise(as_float(images), PIXEL_MEAN, PIXEL_STD)


def evaluation_sets(config: Config, data: StudyData, progress: Progress) -> dict[str, EvaluationSet]:
    """Validation and test set, the test set corrupted (the same for every seed and method), and out-of-distribution."""
    sets = {"validation": EvaluationSet(*data.validation), "test": EvaluationSet(*data.test)}
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


def make_study(config: Config) -> Study:
    """The study that this configuration describes, with its data."""
    methods = tuple(build_method(config, name) for name in config.methods)
    data = load_data(config)
    return Study(
        name="mnist",
        folder=config.folder,
        data=data,
        methods=methods,
        members=config.members,
        preprocess=preprocess,
        evaluation_sets=lambda progress: evaluation_sets(config, data, progress),
        config=config,
        not_part=NOT_PART,
        execution=config.execution,
    )


def run(config: Config) -> StudyResult:
    """Trains, predicts, scores and judges every method and seed; leaves all of it in the run folder."""
    result, _ = conclude(make_study(config), "experiments.mnist")
    return result


def parse(args: Sequence[str] | None = None) -> Config:
    """The configuration from the command line."""
    config: Any = parse_preset(PRESETS, args, __doc__)
    return config  # type: ignore[no-any-return]


def main() -> None:
    config = parse()
    use_compilation_cache()
    run(config)


if __name__ == "__main__":
    command_line.run(main)
