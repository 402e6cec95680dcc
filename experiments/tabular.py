"""The counter-claim: does a BatchEnsemble match a deep ensemble on tables, as arXiv 2601.21581 finds?

Classification (breast_cancer, wine, digits) and regression with a Gaussian head (diabetes, and friedman1, which is
generated) on data that come with scikit-learn. An MLP with two hidden layers of 64, 4 members, 10 seeds, each with a
split into training, validation and test rows of its own: `single`, `mc_dropout`, `batch_ensemble` (N(1, 0.5)),
`batch_ensemble_sign` (random signs) and `deep_ensemble`.

    python -m experiments.tabular                            # tables on the terminal; results in runs/tabular
    python -m experiments.tabular --out experiments/results  # the committed ones
"""

import dataclasses
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax
import numpy as np
import tyro
from rich.console import Console
from rich.progress import Progress

from be_jax import (
    Ensemble,
    batch_ensemble,
    deep_ensemble,
    fast_init,
    mc_dropout,
    metrics,
    models,
    single,
)
from be_jax.config import TrainConfig, check
from be_jax.ensemble import Variables
from be_jax.likelihood import CATEGORICAL, GAUSSIAN, gaussian
from be_jax.metrics import regression
from be_jax.report.markdown import to_markdown
from be_jax.report.terminal import fitted
from be_jax.results import RunRecord, StudyResult
from be_jax.runs import write_atomically
from be_jax.scores import score_predictions
from be_jax.study import provenance
from be_jax.study.progress import progress_bars
from experiments import command_line
from experiments.common import use_compilation_cache
from experiments.tabular_data import LOADERS, Dataset, Split, load, split
from experiments.tabular_report import tables
from experiments.together import outputs_of, recorded, train_together

METHODS = ("single", "mc_dropout", "batch_ensemble", "batch_ensemble_sign", "deep_ensemble")
TRAIN = TrainConfig(epochs=200, batch_size=32, milestones=(100, 150))


@dataclasses.dataclass(frozen=True)
class Config:
    """Everything that can be varied.

    Attributes:
      out: folder of the results.
      datasets: which tables.
      seeds: of the split and of training.
      members: m, of all but `single`.
      init_std: of r, s ~ N(1, std^2) in `batch_ensemble`.
      features: units of each hidden layer.
      dropout_rate: in training of every method, and at prediction of `mc_dropout`.
      train: the training protocol; a deep ensemble's members see batches in orders of their own.
    """

    out: Path = Path("runs/tabular")
    datasets: tuple[str, ...] = tuple(LOADERS)
    seeds: tuple[int, ...] = tuple(range(10))
    members: int = 4
    init_std: float = 0.5
    features: tuple[int, ...] = (64, 64)
    dropout_rate: float = 0.1
    train: TrainConfig = TRAIN

    def __post_init__(self) -> None:
        known = bool(self.datasets) and set(self.datasets) <= set(LOADERS)
        check(known, "datasets", self.datasets, f"some of {', '.join(LOADERS)}")
        check(bool(self.seeds) and min(self.seeds) >= 0, "seeds", self.seeds, "at least one integer >= 0")


def build_ensemble(config: Config, method: str, outputs: int) -> Ensemble:
    """The ensemble that this method trains."""
    model = models.MLP(config.features, outputs, config.dropout_rate)
    match method:
        case "single":
            return single(model)
        case "mc_dropout":
            return mc_dropout(model, config.members)
        case "batch_ensemble":
            return batch_ensemble(model, config.members, init=fast_init.normal(config.init_std))
        case "batch_ensemble_sign":
            return batch_ensemble(model, config.members, init="random_sign")
        case _:
            return deep_ensemble(model, config.members)


def run_method(config: Config, dataset: Dataset, rows: Split, method: str, progress: Progress) -> list[RunRecord]:
    """Trains the method from every seed in one program, and scores each run on its test rows."""
    likelihood = CATEGORICAL if dataset.num_classes else GAUSSIAN
    ensemble = build_ensemble(config, method, dataset.num_classes or 2)
    train = config.train
    if method == "deep_ensemble":
        train = dataclasses.replace(train, batch_mode="independent")
    task = progress.add_task(f"{dataset.name}, {method}", total=train.epochs)
    started = time.monotonic()
    state, _ = train_together([ensemble], train, config.seeds, rows.train, likelihood, lambda: progress.advance(task))
    seconds = (time.monotonic() - started) / len(config.seeds)
    state = jax.tree.map(lambda a: np.asarray(a[0]), state)
    progress.update(task, total=state.epoch.max())
    outputs = jax.jit(lambda variables, seed, x: outputs_of(ensemble, variables, seed, x))

    def record(i: int, seed: int) -> RunRecord:
        def score(best: Variables) -> Mapping[str, Mapping[str, float]]:
            return {"test": scores_of(dataset, outputs(best, np.uint32(seed), rows.test_x[i]), rows.test_y[i])}

        return recorded(method, seed, jax.tree.map(lambda a: a[i], state), seconds, score)

    return [record(i, seed) for i, seed in enumerate(config.seeds)]


def scores_of(dataset: Dataset, outputs: jax.Array, targets: np.ndarray) -> Mapping[str, float]:
    """Scalars of one run on its test rows, from outputs `[m, b, o]` and targets `[b]`."""
    if dataset.num_classes:
        log_probs = jax.nn.log_softmax(outputs)
        alone = metrics.nll(log_probs.reshape(-1, log_probs.shape[-1]), np.tile(targets, len(log_probs)))
        of_all = score_predictions({"test/log_probs": np.asarray(log_probs), "test/labels": targets})
        return {**of_all["test"], "nll_alone": float(alone.mean())}
    return {name: float(value) for name, value in score_regression(*gaussian(outputs), targets).items()}


@jax.jit
def score_regression(means: jax.Array, variances: jax.Array, targets: jax.Array) -> dict[str, jax.Array]:
    """Scalars of a Gaussian mixture of members `[m, b]`: quality, coverage of the central 95 %, and uncertainty.

    `nll_alone` is of a member alone, mean over members.
    """
    alone = jax.vmap(lambda mean, variance: regression.nll(mean[None], variance[None], targets))(means, variances)
    return {
        "nll": regression.nll(means, variances, targets).mean(),
        "nll_alone": alone.mean(),
        "crps": regression.crps(means, variances, targets).mean(),
        "rmse": regression.squared_error(means, variances, targets).mean() ** 0.5,
        "coverage_95": regression.is_covered(means, variances, targets, 0.95).mean(),
        **{name: part.mean() for name, part in regression.decompose(means, variances)._asdict().items()},
    }


def run(config: Config) -> list[StudyResult]:
    """A result for each data set, saved as `<out>/tabular_<name>.json`."""
    settings: dict[str, Any] = {k: v for k, v in dataclasses.asdict(config).items() if k not in ("out", "datasets")}
    results = []
    with progress_bars() as progress:
        for name in config.datasets:
            dataset = load(name)
            rows = split(dataset, config.seeds)
            records = [each for m in METHODS for each in run_method(config, dataset, rows, m, progress)]
            result = StudyResult(
                f"tabular_{name}", described(dataset, rows), settings, provenance("experiments.tabular"), tuple(records)
            )
            result.save(config.out / f"{result.experiment}.json")
            results.append(result)
    return results


def described(dataset: Dataset, rows: Split) -> str:
    """One line on the data set and the sizes of its splits."""
    task = f"{dataset.num_classes} classes" if dataset.num_classes else "regression"
    sets = {"train": rows.train.y, "validation": rows.train.validation_y, "test": rows.test_y}
    sizes = ", ".join(f"{name} {targets.shape[1]}" for name, targets in sets.items())
    return f"{dataset.name}: {dataset.x.shape[1]} features, {task}; {sizes}"


def main() -> None:
    config = tyro.cli(Config, description=__doc__)
    use_compilation_cache()
    results = run(config)
    console = Console()
    for table in tables(results):
        console.print(fitted(table, console))
    write_atomically(config.out / "tabular.md", to_markdown(tables(results)))
    console.print(f"{config.out}/tabular_<name>.json, tabular.md")


if __name__ == "__main__":
    command_line.run(main, ModuleNotFoundError, interrupted="interrupted: data sets that were finished are saved")
