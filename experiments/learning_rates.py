"""A learning rate for each method of the CIFAR-10 study, chosen on validation data.

    python -m experiments.learning_rates --data-dir ~/tensorflow_datasets    # two CPU cores: half an hour

Trains every method at every rate from one seed that the study does not use, by the study's schedule shortened to a
third, and takes the rate of the least NLL on the validation set at the best temperature there. The test set is not
looked at. Ends with a table, `learning_rates.json` in the folder, and the option that gives the rates to
`experiments.cifar10`. Interrupt it at any moment: the same command goes on from there.
"""

import dataclasses
import json
import math
from pathlib import Path
from typing import Any, Literal

import jax.numpy as jnp
import rich
import tyro
from rich.table import Table

from be_jax import metrics
from be_jax.config import check
from be_jax.evaluate import EvaluationSet
from be_jax.files import seed_folder, write_atomically
from be_jax.npz import read_npz
from be_jax.provenance import provenance
from be_jax.scores import temperature_of
from be_jax.study import Study, run_study
from experiments import cifar10, command_line
from experiments.cifar10_config import METHODS, PRESETS
from experiments.common import POOL_SEEDS_BELOW, check_chosen, use_compilation_cache

SEED = POOL_SEEDS_BELOW - 1


@dataclasses.dataclass(frozen=True)
class Config:
    """Attributes:
    preset: of the CIFAR-10 study.
    data_dir: TFDS folder; TFDS's default where it is not given.
    out: folder of the runs; `runs/learning_rates_<preset>` where it is not given.
    methods: to choose a rate for. `copies` takes that of a single network, which its members are.
    rates: to choose from, at least three.
    shorten: by which the epochs and milestones of the schedule are divided.
    """

    preset: Literal["paper", "cpu", "smoke"] = "cpu"
    data_dir: Path | None = None
    out: Path | None = None
    methods: tuple[str, ...] = tuple(name for name in METHODS if name != "copies")
    rates: tuple[float, ...] = (0.025, 0.05, 0.1)
    shorten: int = 3

    def __post_init__(self) -> None:
        check_chosen("methods", self.methods, METHODS)
        fits = len(set(self.rates)) == len(self.rates) >= 3 and min(self.rates) > 0
        check(fits, "rates", self.rates, "at least three different numbers > 0")
        epochs = PRESETS[self.preset].train.epochs
        check(1 <= self.shorten <= epochs, "shorten", self.shorten, f"an integer in 1 .. {epochs}")

    @property
    def folder(self) -> Path:
        return self.out or Path("runs") / f"learning_rates_{self.preset}"


def study_at(config: Config, rate: float) -> Study:
    """The study at one rate: one seed, the shortened schedule, and no set to predict but `validation`."""
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
        methods=config.methods,
        data_dir=config.data_dir,
        out=config.folder / f"rate_{rate:g}",
    )
    study = cifar10.make_study(settings)
    return dataclasses.replace(
        study,
        methods=tuple(dataclasses.replace(method, seeds=(SEED,)) for method in study.methods),
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
    """`{method: {rate: validation NLL}}`."""
    for rate in config.rates:
        run_study(study_at(config, rate), "experiments.learning_rates")
    return {
        name: {
            rate: validation_nll(seed_folder(config.folder / f"rate_{rate:g}" / name, SEED)) for rate in config.rates
        }
        for name in config.methods
    }


def best(nlls: dict[float, float]) -> float:
    """The rate of the least NLL."""
    return min(nlls, key=lambda rate: nlls[rate])


def show(nlls: dict[str, dict[float, float]]) -> None:
    """The table, the option for `experiments.cifar10`, and a warning for each rate at the end of the range."""
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


def main() -> None:
    config = tyro.cli(Config, description=__doc__)
    use_compilation_cache()
    nlls = measure(config)
    record: dict[str, Any] = {
        "validation_nll": {name: {f"{rate:g}": nll for rate, nll in values.items()} for name, values in nlls.items()},
        "chosen": {name: best(values) for name, values in nlls.items()},
        "shorten": config.shorten,
        "seed": SEED,
        "provenance": provenance("experiments.learning_rates"),
    }
    write_atomically(config.folder / "learning_rates.json", json.dumps(record, indent=1) + "\n")
    show(nlls)


if __name__ == "__main__":
    command_line.run(main)
