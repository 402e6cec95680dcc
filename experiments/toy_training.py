"""Ensembles trained on the toy, and measured over its plane."""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from be_jax import Ensemble
from be_jax.config import TrainConfig
from be_jax.parameter_space import kernel_similarity
from experiments.together import SeedData, outputs_of, train_together
from experiments.toy_plane import Surfaces, grid, measure


def train_and_measure(
    ensembles: Sequence[Ensemble],
    train: TrainConfig,
    sizes: Sequence[int],
    on_epoch: Callable[[], None],
    *,
    seeds: Sequence[int],
    data: SeedData,
    resolution: int,
) -> tuple[list[list[list[Surfaces]]], list[dict[str, Any]]]:
    """Trains ensembles of one structure, and measures their first `size` members, for each size.

    Args:
      ensembles: what to train.
      train: the protocol.
      sizes: numbers of members.
      on_epoch: called after each epoch.
      seeds: of training.
      data: of every seed.
      resolution: points along each side of the plane.

    Returns:
      Surfaces by size, ensemble and seed; of each ensemble, by seed, NLL and accuracy of all members on held-out points
      and the mean distance of two members' kernels, layer by layer.
    """
    if ensembles[0].per_member >= {"params"}:
        train = dataclasses.replace(train, batch_mode="independent")
    state, scores = train_together(ensembles, train, seeds, data, on_epoch=on_epoch)
    points = grid(resolution)

    @jax.jit
    def surfaces(variables: Any, seed: jax.Array) -> list[jax.Array]:
        outputs = outputs_of(ensembles[0], variables, seed, points)
        return [measure(outputs[:size]) for size in sizes]

    by_run = [
        [jax.tree.map(lambda a, e=e, s=s: a[e, s], state.kept) for s in range(len(seeds))]
        for e in range(len(ensembles))
    ]
    measured = [[surfaces(run, jnp.uint32(seeds[s])) for s, run in enumerate(runs)] for runs in by_run]
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
