"""Files that appear under their name only once they are whole, and errors of the disk that name the file."""

import os
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

PARTIAL = ".partial"


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """A file to write to, which takes the place of `path` at the end; folders are made.

    Raises:
      OSError: it cannot be written, such as for want of space: names `path`. What stood there is untouched, and
        nothing half-written remains.
    """
    partial = path.with_name(path.name + PARTIAL)
    with naming(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with partial.open("wb") as file:
                yield file
            os.replace(partial, path)
        except BaseException:
            partial.unlink(missing_ok=True)
            raise


def write_atomically(path: Path, text: str) -> None:
    """Writes text, as UTF-8, in the place of `path`. Raises as `replacing` does."""
    with replacing(path) as file:
        file.write(text.encode())


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """An error of the disk inside, which often names nothing, names `path`."""
    try:
        yield
    except OSError as error:
        if error.errno is None:  # numpy's, of a write that the disk cut short
            raise OSError(f"{path} cannot be written: {error}") from error
        raise OSError(error.errno, error.strerror, str(path)) from error


def checksum_of(path: Path) -> str:
    """CRC-32 of a file, eight hexadecimal digits."""
    checksum = 0
    with path.open("rb") as file:
        while data := file.read(2**24):
            checksum = zlib.crc32(data, checksum)
    return f"{checksum:08x}"


def seed_folder(method_folder: Path, seed: int) -> Path:
    """Where the run of this seed is."""
    return method_folder / f"seed_{seed}"
