"""Ways to damage a file at random: its bytes, its arrays, or another file in its place."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from be_jax.npz import read_npz

Random = np.random.Generator
Damage = Callable[[Random, Path], str]
"""Damages a file, or an entry of a folder; says what it did."""


def flip(random: Random, path: Path) -> str:
    """One bit."""
    data = bytearray(path.read_bytes())
    if not data:
        return "nothing, of an empty file"
    at, bit = int(random.integers(len(data))), int(random.integers(8))
    data[at] ^= 1 << bit
    path.write_bytes(data)
    return f"bit {bit} of byte {at} flipped"


def cut(random: Random, path: Path) -> str:
    """The end."""
    data = path.read_bytes()
    kept = int(random.integers(len(data) + 1))
    path.write_bytes(data[:kept])
    return f"cut to {kept} of {len(data)} bytes"


def overwrite(random: Random, path: Path) -> str:
    """A stretch by zeros, by noise or by another stretch."""
    data = bytearray(path.read_bytes())
    start = int(random.integers(len(data) + 1))
    length = int(random.integers(1, 200))
    kind = int(random.integers(3))
    stretch = bytes(length) if kind == 0 else random.bytes(length) if kind == 1 else bytes(data[:length])
    data[start : start + length] = stretch
    path.write_bytes(data)
    return f"{length} bytes at {start} overwritten ({('zeros', 'noise', 'the beginning')[kind]})"


def empty(random: Random, path: Path) -> str:
    path.write_bytes(b"")
    return "emptied"


def delete(random: Random, path: Path) -> str:
    path.unlink()
    return "deleted"


BYTES: tuple[Damage, ...] = (flip, flip, flip, cut, overwrite, overwrite, empty, delete)


def change_arrays(random: Random, path: Path) -> str:
    """A file that is whole, but not what it was: names, shapes, kinds and values of its arrays."""
    arrays = read_npz(path)
    names = list(arrays)
    name, other = (str(each) for each in random.choice(names, 2, replace=False))
    array = arrays[name]
    changes: dict[str, Callable[[], dict[str, Any]]] = {
        "dropped": lambda: {key: value for key, value in arrays.items() if key != name},
        "renamed": lambda: {(f"{key}x" if key == name else key): value for key, value in arrays.items()},
        f"swapped with {other}": lambda: {**arrays, name: arrays[other], other: array},
        "as float16": lambda: {**arrays, name: array.astype(np.float16)},
        "as text": lambda: {**arrays, name: array.astype(str)},
        "as objects": lambda: {**arrays, name: array.astype(object)},
        "as bytes": lambda: {**arrays, name: array.view(f"V{array.itemsize}")},
        "as complex": lambda: {**arrays, name: array.astype(complex)},
        "transposed": lambda: {**arrays, name: array.T},
        "flattened": lambda: {**arrays, name: array.ravel()},
        "a scalar": lambda: {**arrays, name: array.ravel()[0]},
        "without members or examples": lambda: {**arrays, name: array[:0]},
        "one example short": lambda: {**arrays, name: array[..., :-1]},
        "times 2": lambda: {**arrays, name: 2 * array},
        "NaN": lambda: {**arrays, name: np.full(array.shape, np.nan)},
        "infinite": lambda: {**arrays, name: np.full(array.shape, np.inf)},
        "negative": lambda: {**arrays, name: -np.abs(array) - 1},
    }
    what = str(random.choice(list(changes)))
    changed = changes[what]()
    with path.open("wb") as file:
        np.savez(file, allow_pickle=True, **changed)
    return f"{name} {what}"


def exchange(random: Random, path: Path) -> str:
    """Another file of the folder in its place."""
    others = sorted(other for other in path.parent.rglob("*") if other.is_file())
    other = others[int(random.integers(len(others)))]
    path.write_bytes(other.read_bytes())
    return f"replaced by {other.name}"
