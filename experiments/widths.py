"""A ladder of widths: what the size of a network changes about ensembles of it, cheap ones and forced ones.

The MNIST study's MLP with all hidden layers narrower and wider, each a study of its own: a pool of single networks and
the deep ensembles made of it; BatchEnsembles from random signs; deep ensembles that are forced apart, by training them
on the loss of their mixture, or by a repulsive term, at the training images or halfway between two of them; deep
ensembles trained together as those are, each member for itself; and copies of one network, whose gain must be 0.

    python -m experiments.widths                                   # 4,000 embedded images
    python -m experiments.widths --data tfds --data-dir ~/tensorflow_datasets

Ends with `widths.json` in the run folder, and the folder of each width with its own report. Interrupt it at any moment:
the same command goes on from there.
"""

import dataclasses
from pathlib import Path
from typing import Any

import rich
import tyro

from be_jax.config import check
from be_jax.results import StudyResult
from be_jax.stats import Statistic, ratio
from be_jax.stats.of_results import of_pool_record
from experiments import command_line, small, widths_report
from experiments.common import POOL_SEEDS_BELOW, check_chosen, use_compilation_cache
from experiments.phase import CHOICES, planned

METHODS = ("batch_ensemble_sign", "deep_same_batches", "deep_mixture", "deep_repelled", "deep_repelled_between")


@dataclasses.dataclass(frozen=True)
class Config(small.Config):
    """Everything that can be varied.

    Attributes:
      widths: factors of every hidden layer, ascending.
      size: number of training images.
      methods: of `be_jax.methods`, or settings of the ablation; `single` and `copies` are trained besides.
    """

    seeds: tuple[int, ...] = tuple(range(POOL_SEEDS_BELOW, POOL_SEEDS_BELOW + 5))
    pool_size: int = 12
    widths: tuple[float, ...] = (0.25, 1.0, 4.0)
    size: int = 4000
    methods: tuple[str, ...] = METHODS

    def __post_init__(self) -> None:
        super().__post_init__()
        ascending = len(self.widths) > 1 and self.widths[0] > 0 and tuple(sorted(set(self.widths))) == self.widths
        check(ascending, "widths", self.widths, "ascending numbers > 0, at least two")
        check_chosen("methods", self.methods, tuple(name for name in CHOICES if name not in ("single", "copies")))

    @property
    def folder(self) -> Path:
        return self.out or Path("runs") / f"widths_{self.data}"


def mutual_information(result: StudyResult, set_name: str, width: float) -> Statistic:
    """Of deep ensembles of the pool's networks, whose units are of this width."""
    sample = of_pool_record(result, int(result.config["members"]))
    assert sample is not None  # the pool has more networks than members
    return dataclasses.replace(sample, factor=f"networks of width {width:g}").statistic(set_name, "epistemic")


def run(config: Config) -> dict[str, Any]:
    """The record: at every width where each method stands, and how much independent networks differ."""
    data, names, found = small.load(config, config.size), ("single", "copies", *config.methods), []
    narrowest: dict[str, Statistic] = {}
    for width in config.widths:
        at_width = dataclasses.replace(config, width=width)
        study = small.study(
            "widths",
            at_width,
            config.folder / f"width_{width:g}",
            data,
            tuple(planned(at_width, name) for name in names),
            (*small.NOT_PART, "widths", "methods"),
        )
        result, judgement = small.judged(study, "experiments.widths")
        epistemic = {}
        for name in ("test", "ood"):
            own = mutual_information(result, name, width)
            of_narrowest = ratio(own, narrowest[name]) if name in narrowest else None
            narrowest.setdefault(name, own)
            epistemic[name] = {"value": own.value, "of_narrowest": of_narrowest and dataclasses.asdict(of_narrowest)}
        parameters = next(run.parameters for run in result.runs if run.method == "single")
        found.append({"width": width, "parameters": parameters, "epistemic": epistemic, **small.told(judgement)})
    return small.record("widths", config, data.describe(), widths=found)


def main() -> None:
    config = tyro.cli(Config, description=__doc__)
    use_compilation_cache()
    record = run(config)
    small.save(record, config.folder, widths_report.draw(record))
    rich.print(widths_report.to_markdown(record))


if __name__ == "__main__":
    command_line.run(main, ValueError)
