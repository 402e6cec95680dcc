"""The MNIST study: is a BatchEnsemble an ensemble, or a single model that costs more?

Trains a pool of independent single networks, which are also every deep ensemble of up to its size; MC dropout;
BatchEnsembles from N(1, 0.5), as in the study, and from random signs; and the controls: members that are copies of one
network, and a single network of the ensemble's cost. Compares them on test, shifted and out-of-distribution data.

    python -m experiments.mnist                                                # 4,000 images that ship: some 6 minutes
    python -m experiments.mnist --preset full --data-dir ~/tensorflow_datasets # all 60,000 images: two hours
    python -m experiments.mnist --preset published --data-dir ...              # with the published protocol's confounds

Times are on two CPU cores. Ends with tables on the terminal, `results.json` and `report.html` in the run folder.
Interrupt it at any moment: the same command goes on from there. A finished run is not trained again.
"""

import dataclasses
import functools
from collections.abc import Callable, Mapping, Sequence
from typing import ClassVar, Literal

import flax.linen as nn
import jax

from be_jax import methods, models
from be_jax.config import BatchMode, TrainConfig, check
from be_jax.data import CORRUPTIONS, StudyData, as_float, embedded_mnist, standardise, tfds_study
from be_jax.results import StudyResult
from be_jax.run import conclude
from be_jax.study import Planned, Study
from experiments import command_line
from experiments.common import POOL_SEEDS_BELOW, check_chosen, use_compilation_cache
from experiments.image_study import ImageStudyConfig, generated, parse_preset, study_of

PIXEL_MEAN, PIXEL_STD = 0.1307, 0.3081  # of the 60,000 training images

METHODS = ("single", "mc_dropout", "batch_ensemble", "batch_ensemble_sign", "copies", "single_wide")

NETWORKS: Mapping[str, Callable[..., nn.Module]] = {
    "mlp": models.MLP,
    "lenet": models.LeNet,
    "vit": functools.partial(models.ViT, patch=7, width=32, depth=2, mlp_width=64),
    "gru": models.GRU,
}


@dataclasses.dataclass(frozen=True)
class Config(ImageStudyConfig):
    """Everything that can be varied.

    Attributes:
      methods: which methods to run, of `be_jax.methods`. The deep ensembles are made from the networks of `single`,
        unless `deep_ensemble`, whose members are trained together, is one of them.
      dropout_rate: in training of every method, and at prediction of `mc_dropout`.
      data: "embedded" (5,000 real MNIST images that ship with a dependency; OOD: drawn letters) or "tfds" (all of
        MNIST; OOD: Fashion-MNIST).
      rank: of the fast weights.
      model: "mlp" (784-64-32-16-10), "lenet", "vit" (a transformer on patches of 7x7) or "gru" (rows as a sequence).
      deep_ensemble_batch_mode: `batch_mode` of `deep_ensemble`.
    """

    study: ClassVar[str] = "mnist"

    preset: Literal["embedded", "full", "published"] = "embedded"
    methods: tuple[str, ...] = METHODS
    dropout_rate: float = 0.05
    corruptions: tuple[str, ...] = tuple(CORRUPTIONS)
    data: Literal["embedded", "tfds"] = "embedded"
    rank: int = 1
    model: Literal["mlp", "lenet", "vit", "gru"] = "mlp"
    deep_ensemble_batch_mode: BatchMode = "independent"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_chosen("corruptions", self.corruptions, tuple(CORRUPTIONS))
        self.check_positive("rank")
        data_dir_fits = self.data_dir is None or self.data == "tfds"
        check(data_dir_fits, "data_dir", self.data_dir, "left out unless data is 'tfds'")


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


def build_method(config: Config, row: methods.Method) -> Planned:
    """The method with its training protocol and its seeds."""
    options = methods.Options(
        members=config.members, rank=config.rank, init_std=config.init_std, input_shape=(28, 28, 1)
    )
    train = config.train
    if row.name == "deep_ensemble":
        train = dataclasses.replace(train, batch_mode=config.deep_ensemble_batch_mode)
    planned = config.planned(row, NETWORKS[config.model](dropout_rate=config.dropout_rate), options, train)
    label = "jointly trained deep ensemble" if row.name == "deep_ensemble" else planned.label
    return dataclasses.replace(planned, label=label)


def load_data(config: Config) -> StudyData:
    """The study's data, in memory."""
    if config.data == "embedded":
        return embedded_mnist()
    return tfds_study("mnist", ood=("fashion_mnist",), data_dir=config.data_dir)


def preprocess(images: jax.Array) -> jax.Array:
    """Stored pixels to the model's input: standardised by the mean and deviation of MNIST's training pixels."""
    return standardise(as_float(images), PIXEL_MEAN, PIXEL_STD)


def make_study(config: Config) -> Study:
    """The study that this configuration describes, with its data."""
    planned = tuple(build_method(config, methods.find(name)) for name in config.methods)
    data = load_data(config)
    shifted = functools.partial(generated, data.test)
    return study_of(config, data, planned, preprocess, config.corruptions, shifted)


def run(config: Config) -> StudyResult:
    """Trains, predicts, scores and judges every method and seed; leaves all of it in the run folder."""
    result, _ = conclude(make_study(config), "experiments.mnist")
    return result


def parse(args: Sequence[str] | None = None) -> Config:
    """The configuration from the command line."""
    return parse_preset(PRESETS, args, __doc__)  # type: ignore[no-any-return]


def main() -> None:
    config = parse()
    use_compilation_cache()
    run(config)


if __name__ == "__main__":
    command_line.run(main)
