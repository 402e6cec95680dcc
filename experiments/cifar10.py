"""CIFAR-10: accuracy, calibration and out-of-distribution detection on natural images.

Trains a pool of independent single networks, which are also every deep ensemble of up to its size; MC dropout;
BatchEnsembles from random signs and from N(1, 0.5); and the controls: members that are copies of one network, and a
single network of the ensemble's cost. Compares them on test, corrupted and unseen images.

    python -m experiments.cifar10 --preset cpu --data-dir ~/tensorflow_datasets    # two CPU cores: hours
    python -m experiments.cifar10 --preset smoke --data-dir ~/tensorflow_datasets  # two minutes: does it run?
    python -m experiments.cifar10 --preset paper                                   # GPU/TPU: the published schedule

`paper`: ResNet-18, 75 epochs, CIFAR-10-C, SVHN and CIFAR-100. `cpu`: ResNet-8 with 32, 64 and 128 channels on maps of
16x16, 9,000 images, the same schedule to its end, corruptions that we generate. It downloads CIFAR-10
where `--data-dir` does not hold it (that needs `pip install "be-jax[prepare]"`).

Ends with tables on the terminal, `results.json` and `report.html` in the run folder. Interrupt it at any moment: the
same command goes on from there. A finished run is not trained again.
"""

import dataclasses
import functools
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import flax.linen as nn
import jax
import jax.numpy as jnp
import tyro
from rich.progress import Progress

from be_jax import methods, models
from be_jax.config import TrainConfig, check
from be_jax.data import (
    COLOUR_CORRUPTIONS,
    StudyData,
    as_float,
    check_available,
    cifar10_c,
    cifar10_c_corruptions,
    crop_and_flip,
    split,
    standardise,
    tfds_study,
)
from be_jax.evaluate import EvaluationSet
from be_jax.parallel import Hosts, connect
from be_jax.results import StudyResult
from be_jax.run import conclude
from be_jax.study import Execution, Planned, Study
from experiments import command_line
from experiments.cifar10_data import FAR_OOD, far_ood, generated_shift
from experiments.common import POOL_SEEDS_BELOW, check_chosen, parse_preset, planned, use_compilation_cache

PIXEL_MEAN, PIXEL_STD = (0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616)  # of the 50,000 training images

METHODS = ("single", "mc_dropout", "batch_ensemble_sign", "batch_ensemble", "copies", "single_wide")

NETWORKS: Mapping[str, Callable[..., nn.Module]] = {
    "resnet8_half": functools.partial(models.cifar_resnet, 8, 32, stem_stride=2),
    "resnet8": functools.partial(models.cifar_resnet, 8),
    "resnet20": functools.partial(models.cifar_resnet, 20),
    "resnet18": models.ResNet18,
    "wrn28_10": models.WideResNet28x10,
}
PUBLISHED = TrainConfig(
    epochs=75,
    batch_size=128,
    optimizer="sgd",
    learning_rate=0.05,
    milestones=(25, 50),
    weight_decay=5e-4,
)

NOT_PART = ("preset", "data_dir", "out", "methods", "seeds", "pool_size", "hosts", "execution")
"""Fields that do not determine the numbers of a run."""


@dataclasses.dataclass(frozen=True)
class Config:
    """Everything that can be varied.

    Attributes:
      preset: where the defaults of all other fields come from.
      data_dir: TFDS folder; TFDS's default where it is not given.
      out: folder of the runs and the report; `runs/cifar10_<preset>` where it is not given.
      methods: which methods to run; the deep ensembles are made from the networks of `single`.
      seeds: one run of each method but `single` for each.
      pool_size: number of independent networks of `single`, with seeds 0, 1, ...
      members: m, of all but `single`.
      init_std: of r and s ~ N(1, init_std^2) in `batch_ensemble`; `batch_ensemble_sign` draws signs.
      network: resnet8_half (16x16 maps of 32 to 128 channels), resnet8, resnet20, resnet18 or wrn28_10.
      dtype: of the computation; parameters and statistics are float32.
      dropout_rate: of `mc_dropout`, in training and at prediction; the other methods have none.
      train: the training protocol.
      learning_rates: of methods that have one of their own, chosen on validation data by `experiments.learning_rates`;
        the others have that of `train`.
      train_size: training images to use; all that are not for validation where it is not given.
      validation_size: images held out for the choice of weights and the temperature.
      shift: "cifar10_c" (the published files, from TFDS) or "generated" (after their definitions).
      corruptions: of the shift; all where it is empty.
      severities: of each corruption, 1 to 5.
      shift_size: test images that generated corruptions are applied to, stratified by class.
      ood: out-of-distribution sets: names in TFDS, or "mnist_in_colour" and "uniform_noise", which are made here.
      hosts: several processes, on one machine each, that run this together.
      execution: where and how runs are trained.
    """

    preset: Literal["paper", "cpu", "smoke"] = "paper"
    data_dir: Path | None = None
    out: Path | None = None
    methods: tuple[str, ...] = METHODS
    seeds: tuple[int, ...] = tuple(range(POOL_SEEDS_BELOW, POOL_SEEDS_BELOW + 10))
    pool_size: int = 20
    members: int = 4
    init_std: float = 0.5
    network: Literal["resnet8_half", "resnet8", "resnet20", "resnet18", "wrn28_10"] = "resnet18"
    dtype: Literal["float32", "bfloat16"] = "bfloat16"
    dropout_rate: float = 0.1
    train: TrainConfig = PUBLISHED
    learning_rates: Mapping[str, float] = dataclasses.field(default_factory=dict)
    train_size: int | None = None
    validation_size: int = 5000
    shift: Literal["cifar10_c", "generated"] = "cifar10_c"
    corruptions: tuple[str, ...] = ()
    severities: tuple[int, ...] = (1, 2, 3, 4, 5)
    shift_size: int = 10_000
    ood: tuple[str, ...] = ("svhn_cropped", "cifar100")
    hosts: Hosts = dataclasses.field(default_factory=Hosts)
    execution: Annotated[Execution, tyro.conf.arg(name="")] = dataclasses.field(
        default_factory=functools.partial(Execution, together=False, save_every_s=60.0)
    )

    def __post_init__(self) -> None:
        check_chosen("methods", self.methods, tuple(name for name in methods.TABLE if name != "deep_ensemble"))
        check_chosen("severities", self.severities, range(1, 6))
        check(
            set(self.learning_rates) <= set(methods.TABLE) and all(rate > 0 for rate in self.learning_rates.values()),
            "learning_rates",
            dict(self.learning_rates),
            f"numbers > 0, of some of {', '.join(methods.TABLE)}",
        )
        known_corruptions = tuple(COLOUR_CORRUPTIONS) if self.shift == "generated" else cifar10_c_corruptions()
        check(
            len(set(self.corruptions)) == len(self.corruptions) and set(self.corruptions) <= set(known_corruptions),
            "corruptions",
            self.corruptions,
            f"different ones of {', '.join(known_corruptions)}, or none for all (shift is {self.shift!r})",
        )
        for name in ("members", "pool_size", "validation_size", "shift_size"):
            check(getattr(self, name) >= 1, name, getattr(self, name), "an integer >= 1")
        check(self.train_size is None or self.train_size >= 1, "train_size", self.train_size, "an integer >= 1")
        init_std_fits = math.isfinite(self.init_std) and self.init_std >= 0
        check(init_std_fits, "init_std", self.init_std, "a finite number >= 0")
        check(0 < self.dropout_rate < 1, "dropout_rate", self.dropout_rate, "in (0, 1)")

    @property
    def folder(self) -> Path:
        return self.out or Path("runs") / f"cifar10_{self.preset}"


CPU = Config(
    preset="cpu",
    seeds=tuple(range(POOL_SEEDS_BELOW, POOL_SEEDS_BELOW + 5)),
    pool_size=12,
    network="resnet8_half",
    dtype="float32",
    train=dataclasses.replace(PUBLISHED, learning_rate=0.1),
    train_size=9_000,
    validation_size=2000,
    shift="generated",
    shift_size=500,
    ood=("cifar100", *FAR_OOD),
)

PRESETS: Mapping[str, Config] = {
    "paper": Config(),
    "cpu": CPU,
    "smoke": dataclasses.replace(
        CPU,
        preset="smoke",
        methods=("single", "mc_dropout", "batch_ensemble", "copies"),
        seeds=(POOL_SEEDS_BELOW,),
        pool_size=2,
        members=2,
        train=dataclasses.replace(CPU.train, epochs=2, milestones=(1,)),
        train_size=2000,
        validation_size=500,
        corruptions=("generated_gaussian_noise", "generated_fog"),
        severities=(1, 5),
        shift_size=100,
        ood=FAR_OOD[1:],
    ),
}


def build_method(config: Config, name: str) -> Planned:
    """The method with its training protocol and its seeds."""
    options = methods.Options(
        members=config.members,
        init_std=config.init_std,
        input_shape=(32, 32, 3),
        dropout_rate=config.dropout_rate,
    )
    model = NETWORKS[config.network](dtype=jnp.dtype(config.dtype))
    rate = config.learning_rates.get(name, config.train.learning_rate)
    train = dataclasses.replace(config.train, learning_rate=rate)
    return planned(name, model, options, train, tuple(range(config.pool_size)) if name == "single" else config.seeds)


def load_data(config: Config) -> StudyData:
    """CIFAR-10, and the OOD sets; a stratified part of the training images where the configuration asks for less."""
    from_tfds = tuple(name for name in config.ood if name not in FAR_OOD)
    if config.shift == "cifar10_c":
        shifted = [f"cifar10_corrupted/{name}_{k}" for name in _corruptions(config) for k in config.severities]
        check_available(shifted, config.data_dir)
    data = tfds_study("cifar10", from_tfds, data_dir=config.data_dir, validation_size=config.validation_size)
    made = {name: far_ood(name, config.data_dir) for name in config.ood if name in FAR_OOD}
    train, available = data.train, len(data.train.labels)
    if config.train_size is not None:
        fits = config.train_size <= available
        check(fits, "train_size", config.train_size, f"at most {available:,}, the training images there are")
        (train,) = split(data.train, (config.train_size,))
    ood = {name: made[name] if name in made else data.ood[name] for name in config.ood}
    return dataclasses.replace(data, train=train, ood=ood)


def preprocess(images: jax.Array) -> jax.Array:
    """Stored pixels to the model's input: each channel standardised by the training images' mean and deviation."""
    return standardise(as_float(images), jnp.array(PIXEL_MEAN), jnp.array(PIXEL_STD))


def evaluation_sets(config: Config, data: StudyData, progress: Progress) -> Mapping[str, EvaluationSet]:
    """Validation, test, corrupted (the same for every seed and method) and out-of-distribution sets."""
    sets = {"validation": EvaluationSet(*data.validation), "test": EvaluationSet(*data.test)}
    corruptions = _corruptions(config)
    if config.shift == "cifar10_c":
        shifted = cifar10_c(config.data_dir, corruptions, config.severities)
    else:
        shifted = generated_shift(data.test, config.shift_size, corruptions, config.severities)
    total = len(corruptions) * len(config.severities)
    for name, examples in progress.track(shifted, total=total, description="corrupted test sets"):
        sets[f"shift/{name}"] = EvaluationSet(*examples)
    return sets | {f"ood/{name}": EvaluationSet(images, None) for name, images in data.ood.items()}


def _corruptions(config: Config) -> Sequence[str]:
    return config.corruptions or (tuple(COLOUR_CORRUPTIONS) if config.shift == "generated" else cifar10_c_corruptions())


def make_study(config: Config) -> Study:
    """The study that this configuration describes, with its data."""
    methods = tuple(build_method(config, name) for name in config.methods)
    data = load_data(config)
    return Study(
        name="cifar10",
        folder=config.folder,
        data=data,
        methods=methods,
        members=config.members,
        preprocess=preprocess,
        evaluation_sets=lambda progress: evaluation_sets(config, data, progress),
        config=config,
        not_part=NOT_PART,
        augment=crop_and_flip,
        execution=config.execution,
    )


def run(config: Config) -> StudyResult:
    """Trains, predicts, scores and judges every method and seed; leaves all of it in the run folder."""
    result, _ = conclude(make_study(config), "experiments.cifar10")
    return result


def parse(args: Sequence[str] | None = None) -> Config:
    """The configuration from the command line: a preset, and what differs from it."""
    config: Any = parse_preset(PRESETS, args, __doc__)
    return config  # type: ignore[no-any-return]


def main() -> None:
    config = parse()
    connect(config.hosts)
    use_compilation_cache()
    run(config)


if __name__ == "__main__":
    command_line.run(main)
