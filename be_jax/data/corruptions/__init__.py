"""Corruptions of images at five severities, in the manner of MNIST-C and made by this project; not MNIST-C itself.

Most follow a corruption of MNIST-C (Mu and Gilmer 2019, arXiv 1906.02337, ``google-research/mnist-c``), many with its
constants; each docstring says where it departs. MNIST-C publishes one severity of each, drawn once; here the severity
is an argument and the draw a function of a key. Numbers on these sets compare with each other, not with published ones.

:mod:`be_jax.data.corruptions.colour` has those for colour images, after CIFAR-10-C and without its frost.
"""

from be_jax.data.corruptions.apply import CORRUPTIONS, corrupt, shifted_sets
from be_jax.data.corruptions.colour import COLOUR_CORRUPTIONS

__all__ = ["COLOUR_CORRUPTIONS", "CORRUPTIONS", "corrupt", "shifted_sets"]
