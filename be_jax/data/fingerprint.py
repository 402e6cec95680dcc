"""Data told apart by what they hold, not by what they are called."""

import hashlib
from collections.abc import Mapping

import numpy as np

LENGTH = 16
"""Hexadecimal digits: 64 bits, by which nobody confuses two data sets by accident."""


def fingerprint(arrays: Mapping[str, np.ndarray]) -> str:
    """A hash of named arrays, `LENGTH` hexadecimal digits: of names in order, shapes, kinds of number and values.

    The same on machines of either byte order. It reads every byte once: about half a second for the 188 MB of CIFAR-10.
    """
    digest = hashlib.sha256()
    for name, array in arrays.items():
        little = np.ascontiguousarray(array, array.dtype.newbyteorder("<"))
        digest.update(f"{name} {little.dtype.str} {array.shape}\n".encode())
        digest.update(little.reshape(-1).view(np.uint8).data)
    return digest.hexdigest()[:LENGTH]
