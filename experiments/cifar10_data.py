"""The images of the CIFAR-10 study: a part of CIFAR-10, its corruptions, and images that are far from it."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

from be_jax.config import check
from be_jax.data import (
    COLOUR_CORRUPTIONS,
    Examples,
    StudyData,
    as_float,
    cifar10_c_corruptions,
    in_colour,
    load_split,
    split,
    standardise,
    tfds_study,
    uniform_noise,
)

PIXEL_MEAN, PIXEL_STD = (0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616)  # of the 50,000 training images

FAR_OOD = ("mnist_in_colour", "uniform_noise")
"""Sets that are made here; every other OOD set is a name in TFDS."""


def preprocess(images: jax.Array) -> jax.Array:
    """Stored pixels to the model's input: each channel standardised by the training images' mean and deviation."""
    return standardise(as_float(images), jnp.array(PIXEL_MEAN), jnp.array(PIXEL_STD))


def load(data_dir: Path | None, ood: Sequence[str], train_size: int | None, validation_size: int) -> StudyData:
    """CIFAR-10, and the OOD sets; a stratified part of the training images where fewer than all are asked for.

    Raises:
      ConfigError: there are not so many.
    """
    from_tfds = tuple(name for name in ood if name not in FAR_OOD)
    data = tfds_study("cifar10", from_tfds, data_dir=data_dir, validation_size=validation_size)
    train, available = data.train, len(data.train.labels)
    if train_size is not None:
        check(
            train_size <= available, "train_size", train_size, f"at most {available:,}, the training images there are"
        )
        train = part(train, train_size)
    return dataclasses.replace(
        data, train=train, ood={name: data.ood[name] if name in data.ood else _far(name, data_dir) for name in ood}
    )


def known_corruptions(shift: str) -> tuple[str, ...]:
    """The names of the corruptions that there are of a kind of shift."""
    return tuple(COLOUR_CORRUPTIONS) if shift == "generated" else cifar10_c_corruptions()


def part(examples: Examples, size: int) -> Examples:
    """So many of the examples, stratified by class; all of them where there are no more."""
    return split(examples, (size,))[0] if size < len(examples.labels) else examples


def _far(name: str, data_dir: Path | None) -> np.ndarray:
    """One of `FAR_OOD`, `[n, 32, 32, 3]` uint8."""
    if name == "mnist_in_colour":
        return in_colour(load_split("mnist", "test", data_dir).images[:2000])
    return uniform_noise(1000)
