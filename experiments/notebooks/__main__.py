"""Runs the tutorials from their tops and saves them with their outputs and pictures.

    python -m experiments.notebooks          # all of them
    python -m experiments.notebooks 01 04    # those whose names begin so

Edit a notebook in Jupyter, then run this: it leaves nothing in it that differs from run to run or machine to machine.
"""

import dataclasses
import time
from typing import Annotated

import nbformat
import rich
import tyro

from be_jax.config import check
from experiments import command_line
from experiments.notebooks.run import cleaned, executed, notebooks


@dataclasses.dataclass(frozen=True)
class Config:
    """Attributes:
    names: beginnings of the notebooks' names; all of them where there are none.
    """

    names: Annotated[tuple[str, ...], tyro.conf.Positional] = ()

    def __post_init__(self) -> None:
        known = [path.stem for path in notebooks()]
        fits = all(any(name.startswith(begin) for name in known) for begin in self.names)
        check(fits, "names", self.names, f"beginnings of {', '.join(known)}")


def main() -> None:
    config = tyro.cli(Config, description=__doc__)
    for path in notebooks():
        if not config.names or path.name.startswith(config.names):
            started = time.monotonic()
            nbformat.write(cleaned(executed(path)), path)
            rich.print(f"{path.name}: {time.monotonic() - started:.0f} s, {path.stat().st_size / 1024:.0f} KiB")


if __name__ == "__main__":
    command_line.run(main)
