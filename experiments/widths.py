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

import tyro

from be_jax.config import check
from be_jax.metrics import registry
from be_jax.results import SINGLE, StudyResult
from be_jax.stats import Endpoint, Statistic, of_pool, ratio
from be_jax.stats.of_results import contrast, seeds_of
from be_jax.stats.study import load_from, members_of, of_folder
from experiments import command_line, small, widths_report
from experiments.common import POOL_SEEDS_BELOW, check_chosen, use_compilation_cache
from experiments.phase import CHOICES, planned

SAME_BATCHES = "deep_same_batches"
OF_SAME_BATCHES = ("deep_mixture", "deep_repelled", "deep_repelled_between")
METHODS = ("batch_ensemble_sign", SAME_BATCHES, *OF_SAME_BATCHES)

JUDGED = (Endpoint("test", "nll_scaled"), Endpoint("ood", "auroc_max_probability"))
"""By which ensembles that are forced apart are set against those that are not."""


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
        check(self.width == 1 or self.width in self.widths, "width", self.width, "left out: the ladder's are `widths`")
        check(ascending, "widths", self.widths, "ascending numbers > 0, at least two")
        check_chosen("methods", self.methods, tuple(name for name in CHOICES if name not in ("single", "copies")))

    @property
    def folder(self) -> Path:
        return self.out or Path("runs") / f"widths_{self.data}"


def mutual_information(folder: Path, result: StudyResult, width: float) -> dict[str, Statistic]:
    """Of deep ensembles of the pool's networks, on test and out of distribution."""
    load, seeds = load_from(folder), seeds_of(result)[SINGLE]
    networks = [load(SINGLE, seed) for seed in seeds]
    deep = of_pool(networks, members_of(result), f"networks of width {width:g}")
    return {name: deep.statistic(name, "epistemic") for name in ("test", "ood")}


def gains_over_same_batches(folder: Path, result: StudyResult) -> dict[str, Any]:
    """Of each other method that was trained on the same batches, by how much it is better: `{method: {endpoint: ..}}`.

    In the units of the score, whichever way of it is better.
    """
    seeds = seeds_of(result)
    if SAME_BATCHES not in seeds:
        return {}
    same = of_folder(folder, SAME_BATCHES, seeds[SAME_BATCHES])
    gains: dict[str, Any] = {}
    for method in (name for name in seeds if name in OF_SAME_BATCHES):
        own = of_folder(folder, method, seeds[method])
        for place in JUDGED:
            found = contrast(own, same, *place)
            gain = found._replace(mean=registry.lookup(place.metric).sign * found.mean)
            gains.setdefault(method, {})[str(place)] = gain._asdict()
    return gains


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
        for name, own in mutual_information(study.folder, result, width).items():
            of_narrowest = ratio(own, narrowest[name]) if name in narrowest else None
            narrowest.setdefault(name, own)
            epistemic[name] = {"value": own.value, "of_narrowest": of_narrowest and dataclasses.asdict(of_narrowest)}
        parameters = next(run.parameters for run in result.runs if run.method == SINGLE)
        gains = gains_over_same_batches(study.folder, result)
        step = {"width": width, "parameters": parameters, "epistemic": epistemic, "over_same_batches": gains}
        found.append({**step, **small.told(judgement)})
    return small.record("widths", config, data.describe(), widths=found)


def main() -> None:
    config = tyro.cli(Config, description=__doc__)
    use_compilation_cache()
    small.reported(run(config), config.folder, widths_report)


if __name__ == "__main__":
    command_line.run(main, ValueError)
