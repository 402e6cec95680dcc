"""Is the split of uncertainty real? Aleatoric must follow the noise of the labels, epistemic the lack of data.

The MNIST study's MLP on training sets of several sizes whose labels are replaced, at several rates, by random classes:
each method is trained in every cell, to the end. Along one row of the grid (all training images) only the noise grows,
along one column (no noise) only the data become fewer. Test labels are as noisy as training labels.

    python -m experiments.disentanglement                            # 4,000 embedded images
    python -m experiments.disentanglement --out experiments/results  # the committed figure

Ends with `disentanglement.json`, `.md` and `.png` in the output folder. Interrupt it at any moment: cells that were
finished are not trained again.
"""

import dataclasses
import functools
import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import matplotlib.figure
import numpy as np
import rich
import tyro

from be_jax import Ensemble, batch_ensemble, deep_ensemble, fast_init, mc_dropout, models
from be_jax.config import TrainConfig, check
from be_jax.data import StudyData
from be_jax.metrics import disentanglement_error
from be_jax.results import StudyResult
from be_jax.runs import exclusive
from be_jax.study import provenance
from be_jax.study.progress import progress_bars
from experiments import command_line, mnist
from experiments.common import use_compilation_cache
from experiments.recovery import Evaluation, draw_data, load_or_make, make_evaluation, save_record, train_and_score
from experiments.together import SeedData


@dataclasses.dataclass(frozen=True)
class Config:
    """Everything that can be varied.

    Attributes:
      data: "embedded" (4,000 real MNIST images that ship with a dependency) or "tfds" (all of MNIST).
      data_dir: TFDS folder, for "tfds".
      sizes: numbers of training images, ascending.
      noises: rates at which labels are replaced by random classes, ascending from 0.
      seeds: of the drawn images, the noise and the training.
      members: m.
      dropout_rate: in training of every network, and at prediction of MC dropout.
      epoch_images: the fewest images that an epoch takes; smaller sets are repeated.
      train: the training protocol.
      folder: where the result of each cell is kept as it is finished; `runs/disentanglement_<data>` by default.
      out: folder of the table and the figure; `folder` where it is not given.
    """

    data: Literal["embedded", "tfds"] = "embedded"
    data_dir: Path | None = None
    sizes: tuple[int, ...] = (250, 500, 1000, 2000, 4000)
    noises: tuple[float, ...] = (0.0, 0.15, 0.3, 0.45, 0.6)
    seeds: tuple[int, ...] = tuple(range(10))
    members: int = 4
    dropout_rate: float = 0.05
    epoch_images: int = 2048
    train: TrainConfig = dataclasses.field(default_factory=TrainConfig)
    folder: Path | None = None
    out: Path | None = None

    def __post_init__(self) -> None:
        for name in ("sizes", "noises"):
            values = getattr(self, name)
            check(len(values) >= 3 and tuple(sorted(set(values))) == values, name, values, "ascending, at least three")
        check(self.noises[0] == 0 and self.noises[-1] <= 1, "noises", self.noises, "from 0 to at most 1")
        check(0 < self.dropout_rate < 1, "dropout_rate", self.dropout_rate, "in (0, 1)")
        check(len(set(self.seeds)) == len(self.seeds) >= 2, "seeds", self.seeds, "at least two different integers")

    @property
    def results_folder(self) -> Path:
        return self.folder or Path("runs") / f"disentanglement_{self.data}"

    @property
    def cells(self) -> list[tuple[int, float]]:
        """Sizes without noise, then noise on all images."""
        return [*((size, 0.0) for size in self.sizes), *((self.sizes[-1], noise) for noise in self.noises[1:])]


def methods(config: Config) -> dict[str, tuple[Ensemble, TrainConfig]]:
    """What is trained in every cell, each with its protocol."""
    model, m = models.MLP(dropout_rate=config.dropout_rate), config.members
    alone = dataclasses.replace(config.train, batch_mode="independent")
    return {
        "mc_dropout": (mc_dropout(model, m), config.train),
        "batch_ensemble": (batch_ensemble(model, m, init=fast_init.normal(0.5)), config.train),
        "batch_ensemble_sign": (batch_ensemble(model, m, init="random_sign"), config.train),
        "deep_ensemble": (deep_ensemble(model, m), alone),
    }


def noisy(labels: np.ndarray, noise: float, seed: int, num_classes: int) -> np.ndarray:
    """Labels of which each is replaced, with probability `noise`, by a random class; a function of the seed."""
    random = np.random.default_rng([seed, 1])
    replaced = random.random(labels.shape) < noise
    return np.where(replaced, random.integers(num_classes, size=labels.shape), labels).astype(labels.dtype)


def run_cell(config: Config, data: StudyData, evaluation: Evaluation, size: int, noise: float) -> StudyResult:
    """Every method in one cell of the grid, all seeds of a method in one program."""
    drawn = draw_data(data, size, max(size, config.epoch_images), config.seeds)
    rows = np.arange(drawn.y.shape[1]) % size  # a repeated image keeps its one label, right or wrong

    def with_noise(labels: np.ndarray, rows: np.ndarray | None) -> np.ndarray:
        def of_seed(own: np.ndarray, seed: int) -> np.ndarray:
            if rows is None:
                return noisy(own, noise, seed, data.num_classes)
            return noisy(own[:size], noise, seed, data.num_classes)[rows]

        return np.stack([of_seed(own, seed) for own, seed in zip(labels, config.seeds, strict=True)])

    own = SeedData(drawn.x, with_noise(drawn.y, rows), drawn.validation_x, with_noise(drawn.validation_y, None))
    labels = noisy(evaluation.labels, noise, len(config.seeds), data.num_classes)
    records, started = [], time.monotonic()
    for name, (ensemble, train) in methods(config).items():
        scored = Evaluation(evaluation.x, labels, {})
        records += train_and_score({name: ensemble}, train, config.seeds, own, scored, lambda: None)
    made = {**provenance("experiments.disentanglement"), "seconds": round(time.monotonic() - started)}
    return StudyResult("disentanglement", data.describe(), _settings(config, size, noise), made, tuple(records))


def _settings(config: Config, size: int, noise: float) -> dict[str, Any]:
    left_out = ("data_dir", "sizes", "noises", "folder", "out")
    fields = {name: value for name, value in dataclasses.asdict(config).items() if name not in left_out}
    return {**fields, "size": size, "noise": noise}


def run(config: Config) -> dict[str, Any]:
    """The record: what each method says of its uncertainty in every cell, and how well it splits it, by seed."""
    data = mnist.load_data(mnist.Config(data=config.data, data_dir=config.data_dir))
    evaluation, cells = make_evaluation(data), {}
    with exclusive(config.results_folder), progress_bars() as progress:
        for size, noise in progress.track(config.cells, description="cells (size, noise)"):
            path = config.results_folder / f"size_{size}_noise_{noise:g}.json"
            settings = json.loads(json.dumps(_settings(config, size, noise)))
            cells[size, noise] = load_or_make(
                path, settings, functools.partial(run_cell, config, data, evaluation, size, noise)
            )
    results = list(cells.values())
    return {
        "experiment": "disentanglement",
        "data": data.describe(),
        "config": {k: v for k, v in dataclasses.asdict(config).items() if k not in ("data_dir", "folder", "out")},
        "provenance": {
            **provenance("experiments.disentanglement"),
            "seconds": sum(result.provenance["seconds"] for result in results),
        },
        "methods": [summary(config, cells, name) for name in methods(config)],
    }


def summary(config: Config, cells: Mapping[tuple[int, float], StudyResult], method: str) -> dict[str, Any]:
    """A method's error and uncertainties along both sweeps, `[settings][seeds]`, and its disentanglement errors."""

    def sweep(places: list[tuple[int, float]]) -> dict[str, list[list[float]]]:
        by_cell = [[r.scores["test"] for r in cells[place].runs if r.method == method] for place in places]
        measured = {"error": lambda s: 1 - s["accuracy"], "aleatoric": lambda s: s["aleatoric"]}
        measured["epistemic"] = lambda s: s["epistemic"]
        return {name: [[of(s) for s in scores] for scores in by_cell] for name, of in measured.items()}

    noise = sweep([(config.sizes[-1], rate) for rate in config.noises])
    scarcity = sweep([(size, 0.0) for size in reversed(config.sizes)])

    def of_seed(index: int) -> float:
        kinds = ("error", "aleatoric", "epistemic")
        swept = [[values[index] for values in each[kind]] for each in (noise, scarcity) for kind in kinds]
        return float(disentanglement_error(*(np.array(values) for values in swept)).error)

    errors = [of_seed(index) for index in range(len(config.seeds))]
    return {"method": method, "label_noise": noise, "data_scarcity": scarcity, "disentanglement_error": errors}


def to_markdown(record: Mapping[str, Any]) -> str:
    """The disentanglement error of every method, and its uncertainties at the ends of both sweeps."""
    from be_jax.stats.means import estimate

    lines = ["| method | disentanglement error | aleatoric, clean to noisy | epistemic, clean to noisy | "]
    lines[0] += "aleatoric, much to little data | epistemic, much to little data |"
    lines.append("| --- | ---: | ---: | ---: | ---: | ---: |")
    for row in record["methods"]:
        error = estimate(row["disentanglement_error"])
        cells = [
            f"{np.mean(row[sweep][kind][0]):.3f} → {np.mean(row[sweep][kind][-1]):.3f}"
            for sweep in ("label_noise", "data_scarcity")
            for kind in ("aleatoric", "epistemic")
        ]
        lines.append(f"| {row['method']} | {error.mean:.2f} ± {error.half_width:.2f} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def draw(record: Mapping[str, Any]) -> matplotlib.figure.Figure:
    """Both uncertainties along both sweeps, a line for each method."""
    figure = matplotlib.figure.Figure(figsize=(9, 6), layout="constrained")
    axes = figure.subplots(2, 2, sharex="col")
    config = record["config"]
    xs = {"label_noise": config["noises"], "data_scarcity": list(reversed(config["sizes"]))}
    titles = {"label_noise": "labels become noisier", "data_scarcity": "training images become fewer"}
    for column, (sweep, x) in enumerate(xs.items()):
        for axis, kind in zip(axes[:, column], ("aleatoric", "epistemic"), strict=True):
            for row in record["methods"]:
                axis.plot(x, np.mean(row[sweep][kind], axis=1), marker="o", label=row["method"].replace("_", " "))
            axis.set_ylabel(f"{kind}, nats")
        axes[0, column].set_title(titles[sweep])
    axes[1, 0].set_xlabel("rate of random labels")
    axes[1, 1].set_xlabel("training images")
    for axis in axes[:, 1]:
        axis.set_xscale("log")
        axis.invert_xaxis()
    axes[0, 0].legend(fontsize="small")
    return figure


def main() -> None:
    config = tyro.cli(Config, description=__doc__)
    use_compilation_cache()
    record = run(config)
    folder = config.out or config.results_folder
    save_record(record, "methods", folder, draw(record), to_markdown(record))
    rich.print(to_markdown(record))
    rich.print(f"{record['provenance']['seconds']} s; {folder}/disentanglement.json, .png, .md")


if __name__ == "__main__":
    command_line.run(main, interrupted="interrupted: the same command goes on after the cells that are finished")
