"""Many small trainings in one program: ensembles that start differently, each from several seeds with their data."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from be_jax.config import TrainConfig
from be_jax.ensemble import Ensemble
from be_jax.epochs import vmap_unless_one
from be_jax.keys import Purpose, key_for
from be_jax.likelihood import CATEGORICAL, Likelihood
from be_jax.train import EpochMetrics, Padded, RunState, is_running, make_trainer


class SeedData(NamedTuple):
    """What each of s seeds trains on and stops by: inputs `[s, n, ...]` as the model takes them, targets `[s, n]`."""

    x: np.ndarray
    y: np.ndarray
    validation_x: np.ndarray
    validation_y: np.ndarray


def train_together(
    ensembles: Sequence[Ensemble],
    config: TrainConfig,
    seeds: Sequence[int],
    data: SeedData,
    likelihood: Likelihood = CATEGORICAL,
    on_epoch: Callable[[], None] = lambda: None,
) -> tuple[RunState, EpochMetrics]:
    """Final states and last metrics of all runs, `[e, s, ...]`: ensemble by ensemble, and seed by seed.

    Args:
      ensembles: of one structure; they may differ in how their variables start, and in nothing else.
      config: the protocol of every run.
      seeds: one for each entry of `data`.
      data: the sets of each seed.
      likelihood: see `be_jax.train.make_trainer`.
      on_epoch: called after each epoch.
    """
    examples = data.y.shape[1]
    config.check_fits(examples=examples, members=ensembles[0].train_members, devices=1)
    trainers = [make_trainer(each, config, examples, lambda x: x, likelihood=likelihood) for each in ensembles]
    numbers = jnp.asarray(seeds, jnp.uint32)
    states = [jax.jit(jax.vmap(trainer.init))(numbers, data.x[:, :1]) for trainer in trainers]
    state = jax.tree.map(lambda *leaves: jnp.stack(leaves), *states)
    validation = Padded(data.validation_x[:, None], data.validation_y[:, None], _all_true(data.validation_y[:, None]))
    of_seeds = vmap_unless_one(trainers[0].epoch, (0, 0, 0, 0, 0), len(seeds))
    epoch = jax.jit(vmap_unless_one(of_seeds, (None, 0, None, None, None), len(ensembles)), donate_argnums=1)
    while is_running(state, config).any():
        state, metrics = epoch(numbers, state, data.x, data.y, validation)
        on_epoch()
    return state, metrics


def outputs_of(ensemble: Ensemble, variables: object, seed: int | jax.Array, x: np.ndarray) -> jax.Array:
    """Outputs `[m, b, o]` at inputs `[b, ...]`; the masks of MC dropout are a function of the seed."""
    key = key_for(seed, Purpose.PREDICT) if ensemble.samples_at_prediction else None
    return ensemble.apply(variables, x, key=key)  # type: ignore[arg-type,no-any-return]


def _all_true(like: np.ndarray) -> np.ndarray:
    return np.ones(like.shape, bool)
