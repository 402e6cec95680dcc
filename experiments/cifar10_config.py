"""What can be varied in the CIFAR-10 study, and its presets."""

import dataclasses
import functools
from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal

import tyro

from be_jax import methods
from be_jax.config import TrainConfig, check
from be_jax.parallel import Hosts
from be_jax.study import Execution
from experiments.cifar10_data import FAR_OOD, known_corruptions
from experiments.common import POOL_SEEDS_BELOW, check_chosen
from experiments.image_study import ImageStudyConfig

METHODS = ("single", "mc_dropout", "batch_ensemble_sign", "batch_ensemble", "copies", "single_wide")
PUBLISHED = TrainConfig(
    epochs=75,
    batch_size=128,
    optimizer="sgd",
    learning_rate=0.05,
    milestones=(25, 50),
    weight_decay=5e-4,
)


@dataclasses.dataclass(frozen=True)
class Config(ImageStudyConfig):
    """Everything that can be varied.

    Attributes:
      dropout_rate: of `mc_dropout`, in training and at prediction; the other methods have none.
      corruptions: of the shift; all where it is empty.
      network: resnet8_half (16x16 maps of 32 to 128 channels), resnet8, resnet20, resnet18 or wrn28_10.
      dtype: of the computation; parameters and statistics are float32.
      train_size: training images to use; all that are not for validation where it is not given.
      validation_size: images held out for the choice of weights and the temperature.
      shift: "cifar10_c" (the published files, from TFDS) or "generated" (after their definitions).
      shift_size: test images that generated corruptions are applied to, stratified by class.
      ood: out-of-distribution sets: names in TFDS, or "mnist_in_colour" and "uniform_noise", which are made here.
      hosts: several processes, on one machine each, that run this together.
    """

    study: ClassVar[str] = "cifar10"

    preset: Literal["paper", "cpu", "smoke"] = "paper"
    methods: tuple[str, ...] = METHODS
    network: Literal["resnet8_half", "resnet8", "resnet20", "resnet18", "wrn28_10"] = "resnet18"
    dtype: Literal["float32", "bfloat16"] = "bfloat16"
    train: TrainConfig = PUBLISHED
    train_size: int | None = None
    validation_size: int = 5000
    shift: Literal["cifar10_c", "generated"] = "cifar10_c"
    shift_size: int = 10_000
    ood: tuple[str, ...] = ("svhn_cropped", "cifar100")
    hosts: Hosts = dataclasses.field(default_factory=Hosts)
    execution: Annotated[Execution, tyro.conf.arg(name="")] = dataclasses.field(
        default_factory=functools.partial(Execution, together=False, save_every_s=60.0)
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        check_chosen("methods", self.methods, tuple(name for name in methods.TABLE if name != "deep_ensemble"))
        there_are = known_corruptions(self.shift)
        known = len(set(self.corruptions)) == len(self.corruptions) and set(self.corruptions) <= set(there_are)
        wanted = f"different ones of {', '.join(there_are)}, or none for all (shift is {self.shift!r})"
        check(known, "corruptions", self.corruptions, wanted)
        self.check_positive("validation_size", "shift_size", *(("train_size",) if self.train_size is not None else ()))
        check(self.dropout_rate > 0, "dropout_rate", self.dropout_rate, "in (0, 1)")


CPU = Config(
    preset="cpu",
    seeds=tuple(range(POOL_SEEDS_BELOW, POOL_SEEDS_BELOW + 5)),
    pool_size=12,
    network="resnet8_half",
    dtype="float32",
    train=dataclasses.replace(PUBLISHED, batch_size=32),
    learning_rates={"mc_dropout": 0.1, "batch_ensemble": 0.1, "batch_ensemble_sign": 0.2, "single_wide": 0.1},
    train_size=3_000,
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
