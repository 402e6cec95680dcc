"""Reading `.npz` archives of arrays to their last bit.

`numpy.load` compares an array with its checksum only where its header asks for all of its bytes, and gives damage many
kinds of exception. Here an array is as it was written, or refused in one way.
"""

import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO

import numpy as np

Predictions = Mapping[str, np.ndarray]
"""Arrays by name, such as those of a run: `<set>/log_probs` `[m, n, c]`, `<set>/labels` `[n]`."""

_SUFFIX = ".npy"
_MAGIC = b"\x93NUMPY"
_AT_ONCE = 2**22  # bytes
_HEADERS = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}


class NpzError(OSError):
    """A file that is no archive of arrays, or a damaged one; the message names the file, the array and the cure."""


class Npz(Mapping[str, np.ndarray]):
    """The arrays of an archive by name, each read anew when it is asked for; it keeps the file open, for one process.

    Raises:
      NpzError: at once, or at the array: the file is missing, damaged or of another kind. It is left as it was.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            with path.open("rb") as file:
                is_array = file.read(len(_MAGIC)) == _MAGIC
            if is_array:
                raise NpzError(
                    f"{path} is one array without a name (.npy); save named ones: "
                    "numpy.savez(path, **{name: array, ...})"
                )
            self._archive = zipfile.ZipFile(path)  # open for as long as this object lives
            members = self._archive.namelist()
        except NpzError:
            raise
        except FileNotFoundError as error:
            raise NpzError(f"{path} cannot be read as .npz: no such file") from error
        except Exception as error:  # zipfile raises kinds that share no base class, and struct.error
            raise NpzError(f"{path} cannot be read as .npz: {_told(error)}") from error
        if other := [name for name in members if not name.endswith(_SUFFIX)]:
            raise NpzError(f"{path} cannot be read as .npz: it holds {other[0]!r}, which is no array")
        self._names = [name.removesuffix(_SUFFIX) for name in members]
        if len(set(self._names)) != len(self._names):
            raise NpzError(f"{path} cannot be read as .npz: it holds two arrays of one name")

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)

    def __contains__(self, name: object) -> bool:
        return name in self._names  # without reading the array

    def __getitem__(self, name: str) -> np.ndarray:
        if name not in self._names:
            raise KeyError(name)
        try:
            with self._archive.open(name + _SUFFIX) as member:
                return _read(member, self._archive.getinfo(name + _SUFFIX).file_size)
        except _ObjectsError:
            raise NpzError(
                f"{self._path}: {name} holds Python objects, not numbers; do the members differ in length? Save one "
                "array of numbers under each name"
            ) from None
        except Exception as error:
            raise NpzError(f"{self._path} cannot be read as .npz: {name}: {_told(error)}") from error


def read_npz(path: Path) -> dict[str, np.ndarray]:
    """All arrays of an archive. Raises NpzError as `Npz` does."""
    return dict(Npz(path))


class _ObjectsError(Exception):
    """An array of Python objects, which would have to be unpickled."""


def _read(member: IO[bytes], size: int) -> np.ndarray:
    """The array, from all bytes of the archive's member, whose checksum is compared at its end."""
    version = np.lib.format.read_magic(member)
    if version not in _HEADERS:
        raise ValueError(f"its format {version} is not that of numbers")
    shape, fortran_order, dtype = _HEADERS[version](member)
    if dtype.hasobject:
        raise _ObjectsError
    count = 1
    for length in shape:
        count *= length
    if count * dtype.itemsize != size - member.tell() or min(shape, default=0) < 0:
        raise ValueError(f"its header says {dtype}{list(shape)}, but it has {size - member.tell():,} bytes")
    array = np.empty(count, dtype)
    view = memoryview(array.view(np.uint8)) if array.nbytes else memoryview(b"")  # type: ignore[arg-type]
    for start in range(0, len(view), _AT_ONCE):
        part = view[start : start + _AT_ONCE]
        if member.readinto(part) != len(part):  # type: ignore[attr-defined]
            raise ValueError("it is cut short")
    if member.read(1):
        raise ValueError("it is longer than its header says")
    return array.reshape(shape[::-1]).T if fortran_order else array.reshape(shape)


def _told(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"
