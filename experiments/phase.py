"""The phase diagram: how much data makes a BatchEnsemble an ensemble, from which start?

The MNIST study's MLP at several sizes of the training set, each a study of its own: a pool of single networks and the
deep ensembles made of it, BatchEnsembles from N(1, 0.5), from other spreads and from random signs, MC dropout, and
copies of one network, whose gain must be 0. Networks are trained to the end at every size: of a set of fewer than
`epoch_images` the images are repeated until an epoch takes as many, so that none takes fewer steps than one of that
size.

    python -m experiments.phase                                   # 4,000 embedded images
    python -m experiments.phase --data tfds --data-dir ~/tensorflow_datasets --sizes 250 1000 4000 16000 55000

Ends with `phase.json` in the run folder, and the folder of each size with its own report. Interrupt it at any moment:
the same command goes on from there.
"""

import dataclasses
from pathlib import Path
from typing import Any

import tyro

from be_jax import methods
from be_jax.config import check
from be_jax.study import Planned, Study
from experiments import ablation, command_line, phase_report, small
from experiments.common import check_chosen, use_compilation_cache

METHODS = ("batch_ensemble", "batch_ensemble_sign", "mc_dropout", "std_0.1", "std_1")
CHOICES = (*methods.TABLE, *ablation.SETTINGS)


@dataclasses.dataclass(frozen=True)
class Config(small.Config):
    """Everything that can be varied.

    Attributes:
      sizes: numbers of training images, ascending.
      methods: of `be_jax.methods`, or settings of the ablation; `single` and `copies` are trained besides.
      epoch_images: the fewest images that an epoch takes.
    """

    sizes: tuple[int, ...] = (250, 500, 1000, 2000, 4000)
    methods: tuple[str, ...] = METHODS
    epoch_images: int = 4000

    def __post_init__(self) -> None:
        super().__post_init__()
        ascending = bool(self.sizes) and self.sizes[0] >= 1 and tuple(sorted(set(self.sizes))) == self.sizes
        check(ascending, "sizes", self.sizes, "ascending integers >= 1, at least one")
        check_chosen("methods", self.methods, tuple(name for name in CHOICES if name not in ("single", "copies")))

    @property
    def folder(self) -> Path:
        return self.out or Path("runs") / f"phase_{self.data}"


def planned(config: small.Config, name: str) -> Planned:
    """A method of the table, or a setting of the ablation."""
    return ablation.setting(config, name) if name in ablation.SETTINGS else small.planned(config, name)


def make_study(config: Config, size: int) -> Study:
    """The study of one training size: its controls, and the methods."""
    data = small.repeated(small.load(config, size), config.epoch_images)
    methods = tuple(planned(config, name) for name in ("single", "copies", *config.methods))
    folder, not_part = config.folder / f"size_{size}", (*small.NOT_PART, "sizes", "methods")
    return small.study("phase", config, folder, data, methods, not_part)


def run(config: Config) -> dict[str, Any]:
    """The record: at every size where each method stands between a single network and a deep ensemble."""
    studies = {size: make_study(config, size) for size in config.sizes}  # all, so that bad data ends before training
    sizes = []
    for size, study in studies.items():
        _, judgement = small.judged(study, "experiments.phase")
        sizes.append({"size": size, **small.told(judgement)})
    return small.record("phase", config, studies[config.sizes[-1]].data.describe(), sizes=sizes)


def main() -> None:
    config = tyro.cli(Config, description=__doc__)
    use_compilation_cache()
    small.reported(run(config), config.folder, phase_report)


if __name__ == "__main__":
    command_line.run(main, ValueError)
