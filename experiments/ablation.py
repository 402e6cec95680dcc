"""Ablation: which choice, if any, makes a BatchEnsemble an ensemble, and at what price in accuracy?

Starts from the MNIST study's BatchEnsemble (r, s ~ N(1, 0.5), rank 1, 4 members) and varies one switch at a time: the
spread of the start, with the scale of a plain layer kept or not; which of r and s are drawn; the rank, as it is and
with the start distance of two members held; the learning rate and decay of the fast weights; what members see at a
step; the gradient rule; a repulsive term. Two rows vary how a deep ensemble is trained. All are set against a pool of
independent networks and the deep ensembles made of it, beside copies of one network, whose gain must be 0.

    python -m experiments.ablation                                   # 4,000 embedded images, 500 test images
    python -m experiments.ablation --data tfds --data-dir ~/tensorflow_datasets --size 4000  # 10,000 test images

Ends as every study: with its answer, `results.json`, `verdicts.json` and `report.html` in the run folder. Interrupt it
at any moment: the same command goes on from there. `--members 8` is the same with ensembles of eight.
"""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import tyro

from be_jax import batch_ensemble, deep_ensemble, models
from be_jax.config import TrainConfig
from be_jax.construct import full_rank
from be_jax.ensemble import Ensemble
from be_jax.nn.fast_init import FastInit, expected_cosine, normal, ones, random_sign, std_of_cosine
from be_jax.study import Planned, Study
from experiments import command_line, small
from experiments.common import check_chosen, use_compilation_cache

REFERENCE = normal(0.5)
COSINE = expected_cosine(REFERENCE, REFERENCE)
"""Of the masks of two of its members at the start: what is held where only the rank is to vary."""


class Setting(NamedTuple):
    """A row of the ablation.

    Attributes:
      label: in tables and figures.
      build: from a model and m to the ensemble.
      changes: fields of the training protocol that differ.
      cosine: expected, of the masks of two members at the start; None where members share no kernel.
    """

    label: str
    build: Callable[[models.MLP, int], Ensemble]
    changes: tuple[tuple[str, object], ...] = ()
    cosine: float | None = None


def _start(label: str, r: FastInit, s: FastInit | None = None, rank: int = 1) -> Setting:
    s = r if s is None else s
    build = lambda model, m: batch_ensemble(model, m, rank, r, init_s=s)  # noqa: E731
    return Setting(label, build, (), expected_cosine(r, s, rank))


def _reference(label: str, **changes: object) -> Setting:
    return _start(label, REFERENCE)._replace(changes=tuple(changes.items()))


def _full(label: str, init: FastInit) -> Setting:
    return Setting(label, lambda model, m: full_rank(model, m, init), (), expected_cosine(init, ones()))


def _held(rank: int) -> Setting:
    init = normal(std_of_cosine(COSINE, rank), preserve_scale=True)
    return _start(f"rank {rank}, start distance held", init, rank=rank)


def _deep(label: str, **changes: object) -> Setting:
    return Setting(label, deep_ensemble, tuple(changes.items()))


SETTINGS: dict[str, Setting] = {
    "reference": _reference("N(1, 0.5)"),
    "std_0": _start("N(1, 0)", normal(0.0)),
    "std_0.1": _start("N(1, 0.1)", normal(0.1)),
    "std_0.25": _start("N(1, 0.25)", normal(0.25)),
    "std_1": _start("N(1, 1)", normal(1.0)),
    "scale_0.5": _start("N(1, 0.5), scale kept", normal(0.5, preserve_scale=True)),
    "scale_1": _start("N(1, 1), scale kept", normal(1.0, preserve_scale=True)),
    "sign": _start("random signs", random_sign()),
    "r_only": _start("N(1, 0.5) for r, s = 1", REFERENCE, ones()),
    "s_only": _start("N(1, 0.5) for s, r = 1", ones(), REFERENCE),
    "rank_2": _start("rank 2", REFERENCE, rank=2),
    "rank_4": _start("rank 4", REFERENCE, rank=4),
    "full_rank": _full("full rank", REFERENCE),
    "rank_2_held": _held(2),
    "rank_4_held": _held(4),
    "full_rank_held": _full("full rank, start distance held", normal((1 / COSINE - 1) ** 0.5, preserve_scale=True)),
    "rank_4_sign": _start("rank 4, random signs", random_sign(), rank=4),
    "fast_rate_0": _reference("fast learning rate x 0", fast_learning_rate_multiplier=0.0),
    "fast_rate_0.1": _reference("fast learning rate x 0.1", fast_learning_rate_multiplier=0.1),
    "fast_rate_10": _reference("fast learning rate x 10", fast_learning_rate_multiplier=10.0),
    "fast_decay": _reference("decay of r, s 1e-4", fast_weight_decay=1e-4),
    "split": _reference("one batch split over members", batch_mode="split"),
    "independent": _reference("batches of their own", batch_mode="independent"),
    "mean_rule": _reference("own weights step 1/m", gradient_rule="mean"),
    "repulsion_1": _reference("repulsive term x 1", repulsion=1.0),
    "repulsion_10": _reference("repulsive term x 10", repulsion=10.0),
    "deep_mean_rule": _deep("deep ensemble, steps 1/m", gradient_rule="mean", batch_mode="independent"),
    "deep_same_batches": _deep("deep ensemble, same batches"),
}


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
    ensemble = row.build(models.MLP(dropout_rate=config.dropout_rate), config.members)
    return Planned(name, ensemble, train, config.seeds)


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
