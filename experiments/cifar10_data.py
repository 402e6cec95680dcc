"""Sets of the CIFAR-10 study that are made here: images far from it, and corruptions by the published definitions."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from be_jax.data import Examples, in_colour, load_split, shifted_sets, split, uniform_noise
from be_jax.keys import Purpose, key_for

FAR_OOD = ("mnist_in_colour", "uniform_noise")
"""Every other OOD set is a name in TFDS."""


def far_ood(name: str, data_dir: Path | None) -> np.ndarray:
    """One of `FAR_OOD`, `[n, 32, 32, 3]` uint8."""
    if name == "mnist_in_colour":
        return in_colour(load_split("mnist", "test", data_dir).images[:2000])
    return uniform_noise(1000)


def generated_shift(
    test: Examples, size: int, corruptions: Sequence[str], severities: Sequence[int]
) -> Iterator[tuple[str, Examples]]:
    """`size` test images, stratified by class, by `<corruption>_<severity>`: the same for every seed and method."""
    if size < len(test.labels):
        (test,) = split(test, (size,))
    key = key_for(0, Purpose.CORRUPT)
    for name, images in shifted_sets(test.images, key, corruptions=corruptions, severities=severities):
        yield name, Examples(images, test.labels)
