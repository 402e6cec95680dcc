"""CIFAR-10: accuracy, calibration and out-of-distribution detection on natural images.

Trains a pool of independent single networks, which are also every deep ensemble of up to its size; MC dropout;
BatchEnsembles from random signs and from N(1, 0.5); and the controls: members that are copies of one network, and a
single network of the ensemble's cost. Compares them on test, corrupted and unseen images.

    python -m experiments.cifar10 --preset cpu --data-dir ~/tensorflow_datasets    # two CPU cores: hours
    python -m experiments.cifar10 --preset smoke --data-dir ~/tensorflow_datasets  # two minutes: does it run?
    python -m experiments.cifar10 --preset paper                                   # GPU/TPU: the published schedule

`paper`: ResNet-18, 75 epochs, CIFAR-10-C, SVHN and CIFAR-100. `cpu`: ResNet-8 with 32, 64 and 128 channels on maps of
16x16, 3,000 images in batches of 32 (as many steps as two cores can take), the same schedule to its end, corruptions
that we generate. It downloads CIFAR-10 where `--data-dir` does not hold it (for which `pip install "be-jax[prepare]"`).

Ends with tables on the terminal, `results.json` and `report.html` in the run folder. Interrupt it at any moment: the
same command goes on from there. A finished run is not trained again.
"""

import functools
from collections.abc import Callable, Mapping, Sequence

import flax.linen as nn
import jax.numpy as jnp

from be_jax import methods, models
from be_jax.data import StudyData, check_available, cifar10_c, crop_and_flip
from be_jax.parallel import connect
from be_jax.results import StudyResult
from be_jax.run import conclude
from be_jax.study import Planned, Study
from experiments import cifar10_data, command_line
from experiments.cifar10_config import PRESETS, Config
from experiments.cifar10_data import known_corruptions, preprocess
from experiments.common import use_compilation_cache
from experiments.image_study import generated, parse_preset, study_of

NETWORKS: Mapping[str, Callable[..., nn.Module]] = {
    "resnet8_half": functools.partial(models.cifar_resnet, 8, 32, stem_stride=2),
    "resnet8": functools.partial(models.cifar_resnet, 8),
    "resnet20": functools.partial(models.cifar_resnet, 20),
    "resnet18": models.ResNet18,
    "wrn28_10": models.WideResNet28x10,
}


def build_method(config: Config, row: methods.Method) -> Planned:
    """The method with its training protocol and its seeds."""
    options = methods.Options(
        members=config.members,
        init_std=config.init_std,
        input_shape=(32, 32, 3),
        dropout_rate=config.dropout_rate,
    )
    model = NETWORKS[config.network](dtype=jnp.dtype(config.dtype))
    return config.planned(row, model, options)


def load_data(config: Config) -> StudyData:
    """The data, when it is known that the corrupted sets are there too."""
    if config.shift == "cifar10_c":
        names = config.corruptions or known_corruptions(config.shift)
        check_available([f"cifar10_corrupted/{name}_{k}" for name in names for k in config.severities], config.data_dir)
    return cifar10_data.load(config.data_dir, config.ood, config.train_size, config.validation_size)


def make_study(config: Config) -> Study:
    """The study that this configuration describes, with its data."""
    planned = tuple(build_method(config, methods.find(name)) for name in config.methods)
    data = load_data(config)
    shifted = functools.partial(cifar10_c, config.data_dir)
    if config.shift == "generated":
        shifted = functools.partial(generated, cifar10_data.part(data.test, config.shift_size))
    corruptions = config.corruptions or known_corruptions(config.shift)
    return study_of(config, data, planned, preprocess, corruptions, shifted, augment=crop_and_flip)


def run(config: Config) -> StudyResult:
    """Trains, predicts, scores and judges every method and seed; leaves all of it in the run folder."""
    result, _ = conclude(make_study(config), "experiments.cifar10")
    return result


def parse(args: Sequence[str] | None = None) -> Config:
    """The configuration from the command line: a preset, and what differs from it."""
    return parse_preset(PRESETS, args, __doc__)  # type: ignore[no-any-return]


def main() -> None:
    config = parse()
    connect(config.hosts)
    use_compilation_cache()
    run(config)


if __name__ == "__main__":
    command_line.run(main)
