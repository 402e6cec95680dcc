"""Ablation: which choice, if any, makes a BatchEnsemble an ensemble, and at what price in accuracy?

Starts from the MNIST study's BatchEnsemble (r, s ~ N(1, 0.5), rank 1, 4 members) and varies one switch at a time: the
spread of the start, with the scale of a plain layer kept or not; which of r and s are drawn; the rank, as it is and
with the start distance of two members held; the learning rate and decay of the fast weights; what members see at a
step; the gradient rule; a repulsive term. Five rows vary how a deep ensemble is trained: on the loss of its mixture, or
with a repulsive term at the training images or between them. All are set against a pool of
independent networks and the deep ensembles made of it, beside copies of one network, whose gain must be 0.

    python -m experiments.ablation                                   # 4,000 embedded images, 500 test images
    python -m experiments.ablation --data tfds --data-dir ~/tensorflow_datasets --size 4000  # 10,000 test images

Ends as every study: with its answer, `results.json`, `verdicts.json` and `report.html` in the run folder. Interrupt it
at any moment: the same command goes on from there. `--members 8` is the same with ensembles of eight.
"""

import dataclasses
from pathlib import Path

import tyro

from be_jax.config import TrainConfig
from be_jax.study import Planned, Study
from experiments import command_line, small
from experiments.ablation_settings import SETTINGS
from experiments.common import check_chosen, use_compilation_cache


@dataclasses.dataclass(frozen=True)
class Config(small.Config):
    """What the switches start from.

    Attributes:
      size: number of training images.
      settings: rows of the ablation to train.
    """

    size: int = 4000
    settings: tuple[str, ...] = tuple(SETTINGS)

    def __post_init__(self) -> None:
        super().__post_init__()
        check_chosen("settings", self.settings, tuple(SETTINGS))

    @property
    def folder(self) -> Path:
        return self.out or Path("runs") / f"ablation_{self.data}"


def setting(config: small.Config, name: str) -> Planned:
    """A row as a method of the study."""
    row = SETTINGS[name]
    train: TrainConfig = dataclasses.replace(config.train, **dict(row.changes))  # type: ignore[arg-type]
    ensemble = row.build(config.model, config.members)
    return Planned(name, ensemble, train, config.seeds, label=row.label)


def make_study(config: Config) -> Study:
    """The study that this configuration describes, with its data."""
    controls = small.planned(config, "single"), small.planned(config, "copies")
    rows = tuple(setting(config, name) for name in config.settings)
    data = small.load(config, config.size)
    return small.study("ablation", config, config.folder, data, controls + rows, (*small.NOT_PART, "settings"))


def main() -> None:
    config = tyro.cli(Config, description=__doc__)
    use_compilation_cache()
    small.judged(make_study(config), "experiments.ablation")


if __name__ == "__main__":
    command_line.run(main, ValueError)
