"""Optimisers: one rule for each group of weights, told apart by collection and name."""

import itertools
from typing import Any

import jax
import optax

from be_jax.config import TrainConfig
from be_jax.steps import train_only

COLLECTIONS = {"fast": "fast", "shared": "params"}
"""Of what is `trained` alone."""


def make_optimizer(config: TrainConfig, steps_per_epoch: int, cycles: int = 0) -> optax.GradientTransformation:
    """The optimiser of a tree `{"params": ..., "fast": ...}`, one of which may be absent.

    With `cycles`, the learning rate falls so many times along half a cosine, instead of being cut at milestones.

    Kernels decay; fast weights (r, s and the members' biases) have a learning rate, and r and s a decay, of their own;
    nothing else decays. Adam adds the decay to the gradient, as the study's optimiser does. Where fast weights alone
    are `trained`, the collection `params` stays as it is; where shared ones alone, `fast` does.
    """

    def rule(learning_rate: float, weight_decay: float) -> optax.GradientTransformation:
        cuts = {epoch * steps_per_epoch: config.decay_factor for epoch in config.milestones}
        schedule = optax.piecewise_constant_schedule(learning_rate, cuts)
        if cycles:
            ends = [end * steps_per_epoch for end in ends_of_cycles(config.epochs, cycles)]
            lengths = [end - start for start, end in itertools.pairwise([0, *ends])]
            falls = [optax.cosine_decay_schedule(learning_rate, length) for length in lengths]
            schedule = optax.join_schedules(falls, ends[:-1])
        direction = optax.scale_by_adam() if config.optimizer == "adam" else optax.trace(decay=0.9, nesterov=True)
        decay = optax.add_decayed_weights(weight_decay) if weight_decay else optax.identity()
        return optax.chain(decay, direction, optax.scale_by_learning_rate(schedule))

    fast_learning_rate = config.learning_rate * config.fast_learning_rate_multiplier
    rules = {
        "kernel": rule(config.learning_rate, config.weight_decay),
        "other": rule(config.learning_rate, 0.0),
        "fast": rule(fast_learning_rate, config.fast_weight_decay),
        "fast_bias": rule(fast_learning_rate, 0.0),
    }
    optimizer = optax.multi_transform(rules, group_of_each)
    return optimizer if config.trained == "all" else train_only(optimizer, COLLECTIONS[config.trained])


def ends_of_cycles(epochs: int, cycles: int) -> list[int]:
    """Epochs that are done when each cycle ends; cycles differ by at most one epoch."""
    return [epochs * (cycle + 1) // cycles for cycle in range(cycles)]


FAST = ("r", "s", "mask", "a", "b", "x_scale", "y_scale")
"""Names of what members multiply, or add, of their own."""


def group_of_each(weights: Any) -> Any:
    """The tree of group names, by what a weight is: "kernel", "fast" (`FAST`), "fast_bias", or "other" (biases,
    normalisation). A kernel or scale of the model that each member has for itself is still one.
    """

    def group(path: tuple[Any, ...], _: jax.Array) -> str:
        collection, name = path[0].key, path[-1].key
        if collection == "fast" and name in (*FAST, "bias"):
            return "fast_bias" if name == "bias" else "fast"
        return "kernel" if name == "kernel" else "other"

    return jax.tree_util.tree_map_with_path(group, weights)
