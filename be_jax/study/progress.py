"""Progress bars: the epochs done, the time gone and the time left."""

from collections.abc import Iterator
from contextlib import contextmanager

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
    with Progress(*columns, disable=not is_first_host()) as progress:
        yield progress
