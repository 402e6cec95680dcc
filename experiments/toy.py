"""The study's toy: where in the plane do members disagree, and what decides it, the training or the start?

Five Gaussians on a circle (radius 5, standard deviation 1, 40 points each), a network 2-50-5, Adam, 60 epochs of
batches of 32, 100 members. Total entropy, mutual information and disagreement over [-20, 20]^2 for a single network, MC
dropout, BatchEnsembles of rank 1 to 4 and of full rank (each member multiplies each kernel by a matrix of its own) that
start from N(1, 0.5), one that starts from random signs, copies of one network as the control, and a deep ensemble.
Then rank 1 alone, over the number of members and the spread of N(1, std). All of it stands beside the networks of the
study's own author, measured in the same regions.

    python -m experiments.toy

Ends with `toy.json` and two figures in the run folder.
"""

import dataclasses
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import rich
import tyro

from be_jax import Ensemble, batch_ensemble, deep_ensemble, fast_init, mc_dropout, models, single
from be_jax.config import TrainConfig, check
from be_jax.construct import full_rank
from be_jax.study.progress import progress_bars
from experiments import command_line, small
from experiments.common import use_compilation_cache
from experiments.toy_figures import draw_surfaces, draw_sweep, to_markdown
from experiments.toy_plane import CLASSES, POINTS, Surfaces, by_region, draw_data, gaussians
from experiments.toy_training import train_and_measure

MODEL = models.MLP(features=(50,), num_classes=CLASSES)
TRAIN = TrainConfig(epochs=60, batch_size=32, milestones=(), weight_decay=0.0)


@dataclasses.dataclass(frozen=True)
class Config:
    """Everything that can be varied.

    Attributes:
      out: folder of the numbers and figures.
      seeds: of data and training; surfaces are drawn for the first.
      members: m, of all but the single network.
      dropout_rate: of MC dropout; no other network has dropout.
      train: the training protocol.
      sweep_members: numbers of members in the sweep.
      sweep_stds: of r, s ~ N(1, std^2) in the sweep, beside random signs.
      resolution: points along each side of the plane.
    """

    out: Path = Path("runs/toy")
    seeds: tuple[int, ...] = (42, 69, 123, 456, 789)
    members: int = 100
    dropout_rate: float = 0.1
    train: TrainConfig = TRAIN
    sweep_members: tuple[int, ...] = (4, 100)
    sweep_stds: tuple[float, ...] = (0.0, 0.05, 0.1, 0.25, 0.5, 1.0)
    resolution: int = 81

    def __post_init__(self) -> None:
        check(bool(self.seeds), "seeds", self.seeds, "at least one integer")
        check(self.resolution >= 2, "resolution", self.resolution, "an integer >= 2")
        check(self.members >= 2, "members", self.members, "an integer >= 2")
        fits = all(2 <= m <= self.members for m in self.sweep_members)
        check(fits, "sweep_members", self.sweep_members, f"integers from 2 to members={self.members}")


def methods(config: Config) -> dict[str, Ensemble]:
    """The ensembles whose surfaces are drawn, in that order."""
    m = config.members
    return {
        "single": single(MODEL),
        "mc_dropout": mc_dropout(MODEL.clone(dropout_rate=config.dropout_rate), m),
        **{f"rank_{rank}": batch_ensemble(MODEL, m, rank, "normal") for rank in (1, 2, 3, 4)},
        "full_rank": full_rank(MODEL, m, "normal"),
        "rank_1_sign": batch_ensemble(MODEL, m, 1, "random_sign"),
        "copies": batch_ensemble(MODEL, m, 1, "ones"),
        "deep_ensemble": deep_ensemble(MODEL, m),
    }


def run(config: Config) -> tuple[dict[str, Any], dict[str, Surfaces]]:
    """Trains everything; returns the record of the result, and the surfaces of each method for the first seed."""
    data = draw_data(config.seeds)
    inits = [*map(fast_init.normal, config.sweep_stds), fast_init.random_sign()]
    drawn: dict[str, Surfaces] = {}
    of_methods: list[dict[str, Any]] = []
    sweep: list[dict[str, Any]] = []
    regions = partial(by_region, resolution=config.resolution)
    trained = partial(train_and_measure, seeds=config.seeds, data=data, resolution=config.resolution)
    with progress_bars() as progress:

        def bar(name: str) -> Callable[[], None]:
            task = progress.add_task(name, total=config.train.epochs)
            return lambda: progress.advance(task)

        for name, ensemble in methods(config).items():
            sizes = config.sweep_members if name == "deep_ensemble" else ()
            still = {"fast_learning_rate_multiplier": 0.0} if name == "copies" else {}
            train = dataclasses.replace(config.train, **still)  # type: ignore[arg-type]
            (of_all, *of_sizes), (quality,) = trained([ensemble], train, (ensemble.members, *sizes), bar(name))
            drawn[name] = of_all[0][0]
            of_methods.append({"method": name, **regions(of_all[0]), **quality})
            for members, (surfaces,) in zip(sizes, of_sizes, strict=True):
                sweep.append({"init": name, "members": members, **regions(surfaces)})
        for members in config.sweep_members:
            ensembles = [batch_ensemble(MODEL, members, init=init) for init in inits]
            shown = bar(f"{len(inits)} starts, {members} members")
            (of_inits,), qualities = trained(ensembles, config.train, (members,), shown)
            for init, surfaces, quality in zip(inits, of_inits, qualities, strict=True):
                sweep.append({"init": init.name, "members": members, **regions(surfaces), **quality})
    found = {"methods": of_methods, "sweep": sweep}
    return small.record("toy", config, f"five Gaussians, {CLASSES * POINTS} points", **found), drawn


def main() -> None:
    config = tyro.cli(Config, description=__doc__)
    use_compilation_cache()
    record, drawn = run(config)
    surfaces = draw_surfaces(record, drawn, gaussians(config.seeds[0]))
    small.save(record, config.out, {"toy": surfaces, "toy_sweep": draw_sweep(record)})
    rich.print(to_markdown(record))


if __name__ == "__main__":
    command_line.run(main, interrupted="interrupted: nothing was saved; it takes a few minutes from the start")
