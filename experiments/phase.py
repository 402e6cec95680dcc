"""The phase diagram: how much data, and which start of r and s, make a BatchEnsemble an ensemble?

The MNIST study's MLP at several sizes of the training set, as BatchEnsembles that start from N(1, std) with std from 0
to 1 and from random signs, beside a single network and a deep ensemble on the same images. Every seed draws its own
training images. What differs between sizes is the images alone: an epoch has as many steps at every size (a smaller set
is repeated, a larger one seen in part), so that all have one schedule.

    python -m experiments.phase                            # 4,000 embedded images
    python -m experiments.phase --out experiments/results  # the committed figure
    python -m experiments.phase --data tfds --data-dir ~/tensorflow_datasets --sizes 500 2500 12000 55000 \
        --epoch-images 8000

Ends with `phase.json`, `phase.png` and `phase.md` in the output folder. All starts and seeds of one size are one
program. Interrupt it at any moment: sizes that were finished are not trained again.
"""

import dataclasses
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, Literal

import rich
import tyro
from rich.progress import Progress

from be_jax import Ensemble, batch_ensemble, deep_ensemble, fast_init, models, single
from be_jax.config import TrainConfig, check
from be_jax.data import StudyData
from be_jax.results import RunRecord, StudyResult
from be_jax.runs import exclusive
from be_jax.stats.config import MIN_UNITS
from be_jax.study import provenance
from be_jax.study.progress import progress_bars
from experiments import command_line, mnist
from experiments.common import use_compilation_cache
from experiments.phase_figures import draw, to_markdown
from experiments.recovery import draw_data, load_or_make, make_evaluation, save_record, summary_of, train_and_score


@dataclasses.dataclass(frozen=True)
class Config:
    """Everything that can be varied.

    Attributes:
      data: "embedded" (4,000 real MNIST images that ship with a dependency; OOD: drawn letters) or "tfds" (all of
        MNIST; OOD: Fashion-MNIST).
      data_dir: TFDS folder, for "tfds".
      sizes: numbers of training images, ascending.
      epoch_images: that an epoch takes, at every size; as many as the largest has, where not given.
      init_stds: of r, s ~ N(1, std^2), ascending; random signs are trained beside them.
      seeds: of the drawn training images and of training; at least 3, as the intervals need so many.
      members: m, of the BatchEnsembles and the deep ensemble.
      dropout_rate: in training of every network.
      train: the training protocol; a deep ensemble's members see batches in orders of their own.
      folder: where the result of each size is kept as it is finished; `runs/phase_<data>` where it is not given.
      out: folder of the map; `folder` where it is not given.
    """

    data: Literal["embedded", "tfds"] = "embedded"
    data_dir: Path | None = None
    sizes: tuple[int, ...] = (250, 500, 1000, 2000, 4000)
    epoch_images: int | None = None
    init_stds: tuple[float, ...] = (0.0, 0.1, 0.25, 0.5, 1.0)
    seeds: tuple[int, ...] = (42, 69, 123, 456, 789)
    members: int = 4
    dropout_rate: float = 0.05
    train: TrainConfig = dataclasses.field(default_factory=TrainConfig)
    folder: Path | None = None
    out: Path | None = None

    def __post_init__(self) -> None:
        ascending = bool(self.sizes) and self.sizes[0] >= 1 and tuple(sorted(set(self.sizes))) == self.sizes
        check(ascending, "sizes", self.sizes, "ascending integers >= 1, at least one")
        enough = self.epoch_images is None or self.train.batch_size <= self.epoch_images
        check(enough, "epoch_images", self.epoch_images, f"an integer >= train.batch_size={self.train.batch_size}")
        spreads = tuple(sorted(set(self.init_stds))) == self.init_stds and min(self.init_stds, default=0.0) >= 0
        check(spreads, "init_stds", self.init_stds, "ascending numbers >= 0")
        check(self.members >= 2, "members", self.members, "an integer >= 2")
        enough = len(set(self.seeds)) == len(self.seeds) >= MIN_UNITS and min(self.seeds) >= 0
        check(enough, "seeds", self.seeds, f"at least {MIN_UNITS} different integers >= 0: an interval needs so many")

    @property
    def results_folder(self) -> Path:
        return self.folder or Path("runs") / f"phase_{self.data}"

    @property
    def identity(self) -> dict[str, Any]:
        """What determines the result of one size, beside the size itself."""
        left_out = ("data_dir", "sizes", "folder", "out")
        fields = {k: v for k, v in dataclasses.asdict(self).items() if k not in left_out}
        return {**fields, "epoch_images": self.epoch_images or self.sizes[-1]}


def starts(config: Config) -> dict[str, Ensemble]:
    """The BatchEnsembles, by the name of their initialiser."""
    inits = [*map(fast_init.normal, config.init_stds), fast_init.random_sign()]
    return {init.name: batch_ensemble(_model(config), config.members, init=init) for init in inits}


def _model(config: Config) -> models.MLP:
    return models.MLP(dropout_rate=config.dropout_rate)


def run_size(config: Config, data: StudyData, size: int, advance: Callable[[int], None]) -> StudyResult:
    """Trains and scores everything at one size, in three programs.

    Args:
      config: the configuration.
      data: the study's data.
      size: number of training images.
      advance: called after each epoch with how many networks it trained.
    """
    started = time.monotonic()
    epoch_images = config.identity["epoch_images"]
    images, evaluation = draw_data(data, size, epoch_images, config.seeds), make_evaluation(data)
    independent = dataclasses.replace(config.train, batch_mode="independent")
    programs = (
        ({"single": single(_model(config))}, config.train),
        ({"deep_ensemble": deep_ensemble(_model(config), config.members)}, independent),
        (starts(config), config.train),
    )
    records: list[RunRecord] = []
    for methods, train in programs:
        networks = _networks(methods)
        on_epoch, steps = partial(advance, networks), epoch_images // train.batch_size
        trained = train_and_score(methods, train, config.seeds, images, evaluation, on_epoch, steps)
        advance(networks * (train.epochs - max(record.epochs for record in trained)))
        records += trained
    made = {**provenance("experiments.phase"), "seconds": round(time.monotonic() - started)}
    return StudyResult("phase", data.describe(), config.identity | {"size": size}, made, tuple(records))


def _networks(methods: Mapping[str, Ensemble]) -> int:
    return sum(ensemble.members for ensemble in methods.values())


def size_result(config: Config, data: StudyData, size: int, progress: Progress) -> StudyResult:
    """The result of one size, trained where it is not in the folder yet."""

    def make() -> StudyResult:
        networks = _networks(starts(config)) + config.members + 1
        task = progress.add_task(f"{size:,} images", total=networks * config.train.epochs)
        return run_size(config, data, size, partial(progress.advance, task))

    return load_or_make(config.results_folder / f"size_{size}.json", config.identity | {"size": size}, make)


def run(config: Config) -> dict[str, Any]:
    """The record of the map: at every size, each method's scores and what it recovers of the deep ensemble."""
    data = mnist.load_data(mnist.Config(data=config.data, data_dir=config.data_dir))
    available = len(data.train.labels)
    check(config.sizes[-1] <= available, "sizes", config.sizes, f"at most {available}, the training images there are")
    with exclusive(config.results_folder), progress_bars() as progress:
        results = [size_result(config, data, size, progress) for size in config.sizes]
    points = [
        {"size": size, "method": method, **summary_of(result, method)}
        for size, result in zip(config.sizes, results, strict=True)
        for method in result.methods
    ]
    made = {**provenance("experiments.phase"), "seconds": sum(result.provenance["seconds"] for result in results)}
    settings = {"sizes": config.sizes, **config.identity}
    return {
        "experiment": "phase",
        "data": data.describe(),
        "config": settings,
        "provenance": made,
        "points": points,
    }


def main() -> None:
    config = tyro.cli(Config, description=__doc__)
    use_compilation_cache()
    record = run(config)
    folder = config.out or config.results_folder
    save_record(record, "points", folder, draw(record), to_markdown(record))
    rich.print(f"{record['provenance']['seconds']} s; {folder}/phase.json, phase.png, phase.md")


if __name__ == "__main__":
    command_line.run(main, interrupted="interrupted: the same command goes on after the sizes that are finished")
