"""The counter-claim: does a BatchEnsemble match a deep ensemble on tables, as arXiv 2601.21581 finds?

Classification (breast_cancer, wine, digits) and regression with a Gaussian head (diabetes, and friedman1, which is
generated anew for each split) on data that come with scikit-learn. An MLP with two hidden layers of 64, 4 members; 20
splits of the rows into training, validation and test, in each of which everything is trained once, for as many epochs,
and keeps the weights of its own best validation loss: independent networks, each by itself, which are the single
networks and the deep ensemble; MC dropout; BatchEnsembles from N(1, 0.5) and from random signs, and one of 32 members
that starts as TabM does (arXiv 2410.24210); LoRA and full-rank masks; last layers, Masksembles and narrow networks;
copies of one network, whose gain must be 0; a wider network of the ensemble's cost; and a second deep ensemble, whose
gain must be 1. Members are scored alone too, on the same scale. Quality is at the temperature, or the scale of the
spread, fitted on validation.

    python -m experiments.tabular

Ends with `tabular.json` in the run folder.
"""

import dataclasses
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import jax
import numpy as np
import tyro
from rich.progress import Progress

from be_jax import methods, models, single
from be_jax.config import TrainConfig, check
from be_jax.ensemble import Ensemble
from be_jax.likelihood import CATEGORICAL, GAUSSIAN
from be_jax.results import COPIES, SINGLE_WIDE
from be_jax.stats import Judgement, Samples, gain_row, judge
from be_jax.stats.config import MIN_UNITS
from be_jax.stats.controls import POSITIVE, control
from be_jax.study.progress import progress_bars
from experiments import command_line, small, tabular_report
from experiments.common import check_chosen, use_compilation_cache
from experiments.small_report import KNOWN
from experiments.tabular_data import LOADERS, Dataset, Split, described, load, repeated, split
from experiments.tabular_scores import CLASSES, NUMBERS, Predicted, of_size, sample, scores_of, size_curve
from experiments.tabular_worth import SCALES, worth_and_costs
from experiments.together import outputs_of, train_together
from experiments.zoo_methods import TABM

OF_MEMBERS = (
    *("batch_ensemble", "batch_ensemble_sign", TABM.name, "lora_ensemble", "full_rank"),
    *("last_layer", "masksembles", "packed"),
)
METHODS = ("mc_dropout", *OF_MEMBERS, SINGLE_WIDE, COPIES)
TRAIN = TrainConfig(epochs=200, batch_size=32, milestones=(100, 150), keep="best")


@dataclasses.dataclass(frozen=True)
class Config:
    """Everything that can be varied.

    Attributes:
      out: folder of the result.
      datasets: which tables.
      seeds: of the splits and of training.
      members: m.
      features: units of each hidden layer.
      dropout_rate: in training of every method, and at prediction of `mc_dropout`.
      train: the training protocol.
    """

    out: Path = Path("runs/tabular")
    datasets: tuple[str, ...] = tuple(LOADERS)
    seeds: tuple[int, ...] = tuple(range(20))
    members: int = 4
    features: tuple[int, ...] = (64, 64)
    dropout_rate: float = 0.1
    train: TrainConfig = TRAIN

    def __post_init__(self) -> None:
        check_chosen("datasets", self.datasets, tuple(LOADERS))
        enough = len(set(self.seeds)) == len(self.seeds) >= MIN_UNITS and min(self.seeds) >= 0
        check(enough, "seeds", self.seeds, f"at least {MIN_UNITS} different integers >= 0: an interval needs so many")
        check(self.members >= 2, "members", self.members, "an integer >= 2")


def model_of(config: Config, dataset: Dataset) -> tuple[models.MLP, tuple[int, ...]]:
    """For one member, and the shape of an input."""
    outputs = dataset.num_classes or 2  # of a Gaussian: mean and log-variance
    return models.MLP(config.features, outputs, config.dropout_rate), dataset.x.shape[1:]


def predicted(
    dataset: Dataset,
    rows: Split,
    seeds: Sequence[int],
    ensemble: Ensemble,
    train: TrainConfig,
    on_epoch: Callable[[], None],
) -> Predicted:
    """Trains an ensemble on every split, all in one program, and predicts."""
    likelihood = CATEGORICAL if dataset.num_classes else GAUSSIAN
    state, _ = train_together([ensemble], train, seeds, rows.train, likelihood, on_epoch)
    variables = jax.tree.map(lambda a: a[0], state.kept)
    outputs = jax.jit(jax.vmap(partial(outputs_of, ensemble)))
    numbers = np.asarray(seeds, np.uint32)
    return Predicted(*(np.asarray(outputs(variables, numbers, x)) for x in (rows.train.validation_x, rows.test_x)))


def networks(
    dataset: Dataset,
    rows: Split,
    seeds: Sequence[int],
    model: models.MLP,
    count: int,
    train: TrainConfig,
    on_epoch: Callable[[], None],
) -> Predicted:
    """So many independent networks on every split, each trained, and kept at its best, by itself."""
    beyond = max(seeds) + 1
    own = [beyond * (k + 1) + seed for seed in seeds for k in range(count)]
    alone = predicted(dataset, repeated(rows, count), own, single(model), train, on_epoch)
    return Predicted(*(outputs.reshape(len(seeds), count, *outputs.shape[2:]) for outputs in alone))


def judged(config: Config, name: str, progress: Progress) -> tuple[Judgement, dict[str, Any]]:
    """Everything trained and judged on one table; and where the members of every method stand, each alone."""
    dataset, m = load(name), config.members
    rows = split(dataset, config.seeds)
    model, inputs = model_of(config, dataset)
    task = progress.add_task(name, total=(1 + len(METHODS)) * config.train.epochs)

    def advance() -> None:
        progress.advance(task)

    pool = networks(dataset, rows, config.seeds, model, 2 * m, config.train, advance)
    curve = size_curve(dataset, rows, pool)
    deep, other = (sample(scores_of(dataset, rows, pool.members(slice(k, k + m)))) for k in (0, m))
    options = methods.Options(members=m, input_shape=inputs)
    samples, alone = {}, {}
    how = CLASSES if dataset.num_classes else NUMBERS
    for method in METHODS:
        row = KNOWN[method]
        ensemble, train = row.build(model, options), row.trained_with(config.train)
        outputs = predicted(dataset, rows, config.seeds, ensemble, train, advance)
        samples[method] = sample(scores_of(dataset, rows, outputs))
        if method in OF_MEMBERS:
            members = sample(of_size(dataset, rows, outputs, 1))
            alone[method] = dataclasses.asdict(gain_row(how.primary, members, curve[1], deep, how).position)
    positive = control(POSITIVE, 1.0, other, curve[1], deep, how)
    copies = samples.pop(COPIES)
    wide = frozenset({SINGLE_WIDE})
    compared = Samples(samples, curve[1], deep, wide, copies, positive, curve=curve, scales=SCALES)
    return judge(compared, how, {"experiment": "tabular", "data": described(dataset, rows)}), alone


def run(config: Config) -> dict[str, Any]:
    """The record: on every table where each method stands between a single network and a deep ensemble."""
    tables = []
    with progress_bars() as progress:
        for name in config.datasets:
            judgement, alone = judged(config, name, progress)
            told = {"dataset": name, "data": judgement.about["data"], "alone": alone, **small.told(judgement)}
            model, inputs = model_of(config, load(name))
            tables.append(told | worth_and_costs(judgement, model, inputs, config.members, config.train.batch_size))
    return small.record("tabular", config, "tables of scikit-learn", tables=tables)


def main() -> None:
    config = tyro.cli(Config, description=__doc__)
    use_compilation_cache()
    small.reported(run(config), config.out, tabular_report)


if __name__ == "__main__":
    command_line.run(main, ModuleNotFoundError, interrupted="interrupted: nothing was saved; it takes a few minutes")
