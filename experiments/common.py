"""What the experiments share: running methods with progress bars, and the command line as typed."""

import functools
import os
import shlex
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any, Protocol

import jax
import rich
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from be_jax.data import StudyData
from be_jax.evaluate import EvaluationSet
from be_jax.parallel import Spread, is_first_host
from be_jax.report import predictions_in, write_report
from be_jax.results import RunRecord, StudyResult
from be_jax.runs import check_folder, seed_folder
from be_jax.study import Method, check_model, environment, run_config, run_method, seeds_at_once
from be_jax.train import Augment, Preprocess

EvaluationSets = Callable[[StudyData, Progress], Mapping[str, EvaluationSet]]
Plan = Sequence[tuple[Method, Sequence[int]]]
"""What to run: methods, each with its seeds."""


class Settings(Protocol):
    """What `run_methods` needs of an experiment's configuration."""

    @property
    def together(self) -> bool: ...

    @property
    def save_every_s(self) -> float: ...

    @property
    def folder(self) -> Path: ...

    @property
    def devices(self) -> list[jax.Device]: ...

    @property
    def spread(self) -> Spread: ...

    def identity(self, data: StudyData) -> dict[str, object]: ...


def check_runs(config: Settings, data: StudyData, plan: Plan, preprocess: Preprocess) -> None:
    """Raises, before any training, where a model, batches or a run on disk do not fit the configuration."""
    shares = len(config.devices) if config.spread == "batch" else 1
    for method, seeds in plan:
        check_model(method, data, preprocess)
        method.train.check_fits(examples=len(data.train.labels), members=method.ensemble.train_members, devices=shares)
        for seed in seeds:
            check_folder(
                seed_folder(config.folder / method.name, seed), run_config(config.identity(data), method.name, seed)
            )


def run_methods(
    config: Settings,
    data: StudyData,
    plan: Plan,
    preprocess: Preprocess,
    evaluation_sets: EvaluationSets,
    augment: Augment | None = None,
) -> list[RunRecord]:
    """Trains and evaluates every method for its seeds, with a progress bar for each program."""
    if is_first_host():
        rich.print(f"[bold]{data.describe()}[/bold]\n{len(config.devices)} x {config.devices[0].device_kind}")
    records: list[RunRecord] = []
    with progress_bars() as progress:
        sets = functools.cache(lambda: evaluation_sets(data, progress))
        for method, seeds in plan:
            size = seeds_at_once(len(seeds), config.together, config.spread, len(config.devices))
            for start in range(0, len(seeds), size):
                group = seeds[start : start + size]
                records += _run(config, data, method, group, preprocess, sets, augment, progress)
    return records


def _run(
    config: Settings,
    data: StudyData,
    method: Method,
    seeds: Sequence[int],
    preprocess: Preprocess,
    sets: Callable[[], Mapping[str, EvaluationSet]],
    augment: Augment | None,
    progress: Progress,
) -> list[RunRecord]:
    name = f"{method.name}, seed{'s' * (len(seeds) > 1)} {', '.join(map(str, seeds))}"
    task = progress.add_task(name, total=method.train.epochs)

    def on_epoch(state, metrics):  # type: ignore[no-untyped-def]
        accuracy = 100 * float(metrics.validation_accuracy.mean())
        progress.update(task, completed=int(state.epoch.max()), description=f"{name} (validation {accuracy:.1f} %)")

    records = run_method(
        method,
        data,
        preprocess,
        sets,
        config.folder,
        config.identity(data),
        seeds,
        augment=augment,
        together=config.together,
        devices=config.devices,
        spread=config.spread,
        save_every_s=config.save_every_s,
        on_epoch=on_epoch,
        say=lambda message: progress.console.print(f"[yellow]{message}"),
    )
    epochs = max(record.epochs for record in records)
    progress.update(task, total=epochs, completed=epochs, description=name)
    return records


def show_report(result: StudyResult, folder: Path) -> None:
    """Writes the report of a finished study into its folder, and says where it is and how to have it judged."""
    page = write_report(result, predictions_in(folder, result), folder / "report.html")
    rich.print(f"\nresults: {folder / 'results.json'}\nreport:  {page}")
    rich.print(f"To open it with a verdict on each claim: python -m experiments.judge {folder}")


def provenance(module: str) -> dict[str, Any]:
    """Command, date, versions and hardware of a result."""
    return {"command": command(module), "date": date.today().isoformat(), **environment()}


def command(module: str) -> str:
    """The command line, as typed."""
    return f"python -m experiments.{module} {shlex.join(sys.argv[1:])}".strip()


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


def use_compilation_cache(folder: Path) -> None:
    """Keeps compiled programs in the experiment's folder, unless the user has said where."""
    if "JAX_COMPILATION_CACHE_DIR" not in os.environ:
        jax.config.update("jax_compilation_cache_dir", str(folder.absolute() / ".jax_cache"))
