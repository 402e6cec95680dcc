"""A learning rate for each method of the study of CIFAR-10, or of MNIST, chosen on validation data.

    python -m experiments.learning_rates --data-dir ~/tensorflow_datasets                  # two CPU cores: half an hour
    python -m experiments.learning_rates --preset full --runs 3 --data-dir ~/tensorflow_datasets        # all of MNIST

Trains every method at every rate from seeds that the study does not use, by the study's schedule shortened to a third,
and takes the rate of the least NLL on the validation set at the best temperature there. The test set is not looked at.
Ends with a table, `learning_rates.json` in the folder, and the option that gives the rates to the study. Interrupt it
at any moment: the same command goes on from there.
"""

import dataclasses
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import jax.numpy as jnp
import numpy as np
import rich
import tyro
from rich.table import Table

from be_jax import metrics
from be_jax.config import check
from be_jax.evaluate import EvaluationSet
from be_jax.files import seed_folder, write_atomically
from be_jax.methods import TABLE
from be_jax.npz import read_npz
from be_jax.provenance import provenance
from be_jax.scores import temperature_of
from be_jax.study import Study, run_study
from experiments import cifar10, command_line, mnist
from experiments.common import POOL_SEEDS_BELOW, check_chosen, use_compilation_cache
from experiments.zoo_methods import FAST_ALONE, VARIANTS

PRESETS: dict[str, cifar10.Config | mnist.Config] = {**cifar10.PRESETS, **mnist.PRESETS}
METHODS = tuple(name for name in mnist.METHODS if name != "copies")
KNOWN = {
    name: row
    for name, row in (TABLE | VARIANTS).items()
    if not row.is_control and name != "deep_ensemble" and row.protocol != FAST_ALONE
}
MOST_RUNS = 100


@dataclasses.dataclass(frozen=True)
class Config:
    """Attributes:
    preset: of the study of CIFAR-10 (paper, cpu, smoke) or MNIST (embedded, full).
    data_dir: TFDS folder; TFDS's default where it is not given.
    out: folder of the runs; `runs/learning_rates_<preset>` where it is not given.
    methods: to choose a rate for, of the study or the zoo. `copies` takes that of a single network, which its members
      are, as those of deep ensembles.
    rates: to choose from, at least three; half, once and twice the preset's where they are not given.
    runs: of each method at each rate.
    shorten: by which the epochs and milestones of the schedule are divided.
    """

    preset: Literal["paper", "cpu", "smoke", "embedded", "full"] = "cpu"
    data_dir: Path | None = None
    out: Path | None = None
    methods: tuple[str, ...] = METHODS
    rates: tuple[float, ...] = ()
    runs: int = 1
    shorten: int = 3

    def __post_init__(self) -> None:
        check_chosen("methods", self.methods, tuple(KNOWN))
        fits = len(set(self.tried)) == len(self.tried) >= 3 and all(0 < rate < math.inf for rate in self.tried)
        check(fits, "rates", self.rates, "at least three different finite numbers > 0")
        epochs = PRESETS[self.preset].train.epochs
        check(1 <= self.shorten <= epochs, "shorten", self.shorten, f"an integer in 1 .. {epochs}")
        check(1 <= self.runs <= MOST_RUNS, "runs", self.runs, f"an integer in 1 .. {MOST_RUNS}")

    @property
    def tried(self) -> tuple[float, ...]:
        """The rates."""
        usual = PRESETS[self.preset].train.learning_rate
        return self.rates or (usual / 2, usual, 2 * usual)

    @property
    def folder(self) -> Path:
        return self.out or Path("runs") / f"learning_rates_{self.preset}"

    @property
    def seeds(self) -> tuple[int, ...]:
        """The last ones before those of the study's ensembles, which pools do not reach."""
        return tuple(range(POOL_SEEDS_BELOW - 1, POOL_SEEDS_BELOW - 1 - self.runs, -1))


def study_at(config: Config, rate: float) -> Study:
    """The study at one rate: its own seeds, the shortened schedule, and no set to predict but `validation`."""
    base = PRESETS[config.preset]
    train = dataclasses.replace(
        base.train,
        learning_rate=rate,
        epochs=base.train.epochs // config.shorten,
        milestones=tuple(epoch // config.shorten for epoch in base.train.milestones if epoch >= config.shorten),
    )
    settings = dataclasses.replace(
        base,
        train=train,
        learning_rates={},  # those that were chosen before
        methods=("single",),
        data_dir=config.data_dir,
        out=config.folder / f"rate_{rate:g}",
    )
    of: Any = cifar10 if isinstance(settings, cifar10.Config) else mnist
    study = of.make_study(settings)
    rows = [of.build_method(settings, KNOWN[name]) for name in config.methods]
    return dataclasses.replace(
        study,
        methods=tuple(dataclasses.replace(row, seeds=config.seeds) for row in rows),
        evaluation_sets=lambda _: {"validation": EvaluationSet(*study.data.validation)},
    )


def validation_nll(folder: Path) -> float:
    """NLL in nats of a run's mixture on its validation set, at the temperature that is best there; inf where the run
    diverged and predicted nothing.
    """
    if not (folder / "predictions.npz").exists():
        return math.inf
    predictions = read_npz(folder / "predictions.npz")
    temperature = temperature_of(predictions)
    assert temperature is not None, "every run predicts `validation`"
    scaled = metrics.temper(jnp.asarray(predictions["validation/log_probs"]), temperature)
    return float(metrics.nll(metrics.mixture(scaled), predictions["validation/labels"]).mean())


def measure(config: Config) -> dict[str, dict[float, float]]:
    """`{method: {rate: validation NLL}}`, the mean over runs."""
    for rate in config.tried:
        run_study(study_at(config, rate), "experiments.learning_rates")

    def mean_nll(method: str, rate: float) -> float:
        folder = config.folder / f"rate_{rate:g}" / method
        return float(np.mean([validation_nll(seed_folder(folder, seed)) for seed in config.seeds]))

    return {name: {rate: mean_nll(name, rate) for rate in config.tried} for name in config.methods}


def best(nlls: dict[float, float]) -> float:
    """The rate of the least NLL."""
    return min(nlls, key=lambda rate: nlls[rate])


def show(nlls: dict[str, dict[float, float]]) -> None:
    """The table, the option for the study, and a warning for each rate at the end of the range."""
    rates = next(iter(nlls.values()))
    table = Table("validation NLL, temperature-scaled", *(f"{rate:g}" for rate in rates))
    for name, values in nlls.items():
        chosen = best(values)
        table.add_row(name, *(f"{'[bold]' if rate == chosen else ''}{nll:.4f}" for rate, nll in values.items()))
    rich.print(table)
    for name, values in nlls.items():
        if best(values) in (min(values), max(values)):
            rich.print(f"[yellow]{name}: {best(values):g} is the end of the range; a rate beyond it may be better")
    print("--learning-rates", *(f"{name} {best(values):g}" for name, values in nlls.items()))


def joined(before: Mapping[str, Any], now: Mapping[str, Any]) -> dict[str, Any]:
    """With what an earlier command found of other methods, or at other rates, by the same seeds and schedule."""
    if not before or any(before[key] != now[key] for key in ("seeds", "shorten")):
        return dict(now)
    was, found = before["validation_nll"], now["validation_nll"]
    nlls = {name: was.get(name, {}) | found.get(name, {}) for name in was | found}
    chosen = {name: best({float(rate): nll for rate, nll in of.items()}) for name, of in nlls.items()}
    commands = dict.fromkeys(each["provenance"]["command"] for each in (before, now))
    made = now["provenance"] | {"command": "; ".join(commands)}
    return {**now, "validation_nll": nlls, "chosen": chosen, "provenance": made}


def main() -> None:
    config = tyro.cli(Config, description=__doc__)
    use_compilation_cache()
    nlls, path = measure(config), config.folder / "learning_rates.json"
    record: dict[str, Any] = {
        "validation_nll": {name: {f"{rate:g}": nll for rate, nll in values.items()} for name, values in nlls.items()},
        "chosen": {name: best(values) for name, values in nlls.items()},
        "shorten": config.shorten,
        "seeds": list(config.seeds),
        "provenance": provenance("experiments.learning_rates"),
    }
    before = json.loads(path.read_text()) if path.exists() else {}
    write_atomically(path, json.dumps(joined(before, record), indent=1) + "\n")
    show(nlls)


if __name__ == "__main__":
    command_line.run(main)
