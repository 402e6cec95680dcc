"""Progress bars: the epochs done, the time gone and the time left."""

import importlib.util
from collections.abc import Iterator
from contextlib import contextmanager

from rich import get_console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from be_jax.parallel import is_first_host


@contextmanager
def progress_bars() -> Iterator[Progress]:
    """Bars with the epochs done, the time gone and the time left; of several hosts the first one draws them."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, disable=not shows_progress()) as progress:
        yield progress


def shows_progress() -> bool:
    """Whether this host draws bars: of several hosts the first one, and in a notebook one with ipywidgets, which rich
    draws them by.
    """
    drawable = not get_console().is_jupyter or importlib.util.find_spec("ipywidgets") is not None
    return is_first_host() and drawable
