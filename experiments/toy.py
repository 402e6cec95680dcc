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
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import rich
import tyro

from be_jax import Ensemble, batch_ensemble, deep_ensemble, fast_init, mc_dropout, metrics, models, single
from be_jax.config import TrainConfig, check
from be_jax.construct import full_rank
from be_jax.parameter_space import kernel_similarity
from be_jax.study.progress import progress_bars
from experiments import command_line, small
from experiments.common import use_compilation_cache
from experiments.together import SeedData, outputs_of, train_together
from experiments.toy_figures import draw_surfaces, draw_sweep, to_markdown

CLASSES, POINTS, RADIUS, STD = 5, 40, 5.0, 1.0
EXTENT = 20.0  # of the plane that is drawn
NEAR, FAR = 2.0, 10.0  # at most, and at least so many standard deviations from the nearest centre
MODEL = models.MLP(features=(50,), num_classes=CLASSES)
TRAIN = TrainConfig(epochs=60, batch_size=32, milestones=(), weight_decay=0.0)
MEASURES = ("total", "epistemic", "disagreement")

Surfaces = np.ndarray
"""Total entropy, mutual information (nats) and disagreement at each point of the grid: `[3, points]`."""


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


def gaussians(seed: int, points: int = POINTS) -> tuple[np.ndarray, np.ndarray]:
    """`points` of each class: inputs `[n, 2]` and labels `[n]`."""
    labels = np.repeat(np.arange(CLASSES, dtype=np.int32), points)
    noise = np.random.default_rng(seed).normal(scale=STD, size=(len(labels), 2))
    return (centres()[labels] + noise).astype(np.float32), labels


def centres() -> np.ndarray:
    """Means of the classes, `[5, 2]`."""
    angles = 2 * np.pi * np.arange(CLASSES) / CLASSES + np.pi / 2
    return RADIUS * np.stack([np.cos(angles), np.sin(angles)], axis=1)


def grid(resolution: int) -> np.ndarray:
    """Points of [-20, 20]^2, row by row from the lower left: `[resolution^2, 2]`."""
    line = np.linspace(-EXTENT, EXTENT, resolution, dtype=np.float32)
    return np.stack(np.meshgrid(line, line), axis=-1).reshape(-1, 2)


def draw_data(seeds: Sequence[int]) -> SeedData:
    """Training points of each seed, and as many others to score on."""
    train, held_out = zip(*((gaussians(seed), gaussians(seed + 1_000_000)) for seed in seeds), strict=True)
    return SeedData(*(np.stack(arrays) for arrays in (*zip(*train, strict=True), *zip(*held_out, strict=True))))


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


def measure(outputs: jax.Array) -> jax.Array:
    """The three measures at each point: logits `[m, b, c]` -> `[3, b]`."""
    log_probs = jax.nn.log_softmax(outputs)
    split = metrics.decompose(log_probs)
    return jnp.stack([split.total, split.epistemic, metrics.disagreement(log_probs)])


def run_of(
    ensembles: Sequence[Ensemble],
    config: Config,
    data: SeedData,
    sizes: Sequence[int],
    on_epoch: Callable[[], None],
    **changes: Any,
) -> tuple[list[list[list[Surfaces]]], list[dict[str, Any]]]:
    """Trains ensembles of one structure, and measures their first `size` members, for each size.

    Args:
      ensembles: what to train.
      config: seeds, protocol and grid.
      data: of every seed.
      sizes: numbers of members.
      on_epoch: called after each epoch.
      changes: of the training protocol.

    Returns:
      Surfaces by size, ensemble and seed; of each ensemble, by seed, NLL and accuracy of all members on held-out points
      and the mean distance of two members' kernels, layer by layer.
    """
    train = dataclasses.replace(config.train, **changes)
    if ensembles[0].per_member >= {"params"}:
        train = dataclasses.replace(train, batch_mode="independent")
    state, scores = train_together(ensembles, train, config.seeds, data, on_epoch=on_epoch)
    points = grid(config.resolution)

    @jax.jit
    def surfaces(variables: Any, seed: jax.Array) -> list[jax.Array]:
        outputs = outputs_of(ensembles[0], variables, seed, points)
        return [measure(outputs[:size]) for size in sizes]

    seeds = range(len(config.seeds))
    by_run = [[jax.tree.map(lambda a, e=e, s=s: a[e, s], state.kept) for s in seeds] for e in range(len(ensembles))]
    measured = [[surfaces(run, jnp.uint32(config.seeds[s])) for s, run in enumerate(runs)] for runs in by_run]
    by_size = [[[np.asarray(run[i]) for run in runs] for runs in measured] for i in range(len(sizes))]
    nll, accuracy = np.asarray(scores.validation_nll), np.asarray(scores.validation_accuracy)
    quality = [
        {"nll": nll[e].tolist(), "accuracy": accuracy[e].tolist(), "kernel_distance": distances(ensembles[e], runs)}
        for e, runs in enumerate(by_run)
    ]
    return by_size, quality


def distances(ensemble: Ensemble, runs: Sequence[Any]) -> list[list[float]]:
    """Mean relative distance of two members' kernels by layer and seed; empty where members have no weights of their
    own.
    """
    if not ensemble.per_member:
        return []
    of_runs = [[float(layer.distance) for layer in kernel_similarity(ensemble, run).values()] for run in runs]
    return np.transpose(of_runs).tolist()  # type: ignore[no-any-return]


def by_region(surfaces: Sequence[Surfaces], resolution: int) -> dict[str, dict[str, list[float]]]:
    """Mean of each measure near the data and far from them, a value for each seed: `{region: {measure: [s]}}`."""
    distance = np.linalg.norm(grid(resolution)[:, None] - centres()[None], axis=-1).min(1) / STD
    regions = {"near": distance <= NEAR, "far": distance >= FAR}
    return {
        region: {measure: [float(each[i, inside].mean()) for each in surfaces] for i, measure in enumerate(MEASURES)}
        for region, inside in regions.items()
    }


def run(config: Config) -> tuple[dict[str, Any], dict[str, Surfaces]]:
    """Trains everything; returns the record of the result, and the surfaces of each method for the first seed."""
    data = draw_data(config.seeds)
    inits = [*map(fast_init.normal, config.sweep_stds), fast_init.random_sign()]
    drawn: dict[str, Surfaces] = {}
    of_methods: list[dict[str, Any]] = []
    sweep: list[dict[str, Any]] = []
    regions = partial(by_region, resolution=config.resolution)
    with progress_bars() as progress:

        def bar(name: str) -> Callable[[], None]:
            task = progress.add_task(name, total=config.train.epochs)
            return lambda: progress.advance(task)

        for name, ensemble in methods(config).items():
            sizes = config.sweep_members if name == "deep_ensemble" else ()
            changes = {"fast_learning_rate_multiplier": 0.0} if name == "copies" else {}
            measured = run_of([ensemble], config, data, (ensemble.members, *sizes), bar(name), **changes)
            (of_all, *of_sizes), (quality,) = measured
            drawn[name] = of_all[0][0]
            of_methods.append({"method": name, **regions(of_all[0]), **quality})
            for members, (surfaces,) in zip(sizes, of_sizes, strict=True):
                sweep.append({"init": name, "members": members, **regions(surfaces)})
        for members in config.sweep_members:
            ensembles = [batch_ensemble(MODEL, members, init=init) for init in inits]
            shown = bar(f"{len(inits)} starts, {members} members")
            (of_inits,), qualities = run_of(ensembles, config, data, (members,), shown)
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
