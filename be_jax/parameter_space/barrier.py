"""Whether two networks share a basin: loss and accuracy on the straight line between their weights."""

import dataclasses
from collections.abc import Mapping
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp

from be_jax.ensemble import Ensemble, Variables
from be_jax.metrics import accuracy, nll
from be_jax.parameter_space.members import as_deep_ensemble, over_pairs

NUM_POINTS = 11


class Line(NamedTuple):
    """Mean loss (nats) and accuracy at `a` equally spaced points from one network to another, both ends included."""

    loss: jax.Array
    accuracy: jax.Array


class Barrier(NamedTuple):
    """Of each pair of members, `[p]`: (0, 1), (0, 2), ... Both are >= 0; 0 says that the line climbs nowhere.

    Attributes:
      loss: in nats.
      accuracy: the drop of accuracy.
    """

    loss: jax.Array
    accuracy: jax.Array


def line(
    model: nn.Module,
    start: Variables,
    end: Variables,
    x: jax.Array,
    labels: jax.Array,
    num_points: int = NUM_POINTS,
    statistics_from: jax.Array | None = None,
) -> Line:
    """Loss and accuracy of `model` with variables between `start` and `end`, on `x [b, ...]` with `labels [b]`.

    Statistics of batch normalisation are those of the inputs `statistics_from`, at every point anew (see
    `with_statistics`), or else interpolated as weights are. The latter overstates the barrier, since between two
    networks activations have a smaller variance than at both (Jordan et al. 2023, arXiv 2211.08403).
    """

    def at(fraction: jax.Array) -> Line:
        between = jax.tree.map(lambda a, b: a + fraction * (b - a), start, end)
        if statistics_from is not None:
            between = with_statistics(model, between, statistics_from)
        log_probs = jax.nn.log_softmax(jnp.asarray(model.apply(between, x)))
        return Line(nll(log_probs, labels).mean(), accuracy(log_probs, labels).mean())

    return jax.lax.map(at, jnp.linspace(0, 1, num_points))


def with_statistics(model: nn.Module, network: Variables, x: jax.Array) -> Mapping[str, Any]:
    """The network with statistics of batch normalisation computed anew, on `x [b, ...]` as one batch.

    A network without any is given back as it is.
    """
    if "batch_stats" not in network:
        return network
    norm = model.layers.BatchNorm

    def of_this_batch(**options: Any) -> Any:
        return norm(**{**options, "use_running_average": False, "momentum": 0.0})

    measuring = model.clone(layers=dataclasses.replace(model.layers, BatchNorm=of_this_batch))
    _, statistics = measuring.apply(network, x, mutable=["batch_stats"])
    return {**network, **statistics}


def height_over_chord(values: jax.Array) -> jax.Array:
    """How far equally spaced `values [a]` rise above the straight line between the first and the last, at most.

    Of a loss, this is the barrier of Frankle et al. 2020 (arXiv 1912.05671) in the form of Entezari et al. 2022 (arXiv
    2110.06296, equation 1), which subtracts what the ends' losses interpolate to.
    """
    return (values - jnp.linspace(values[0], values[-1], len(values))).max()


def barriers(
    ensemble: Ensemble,
    variables: Variables,
    x: jax.Array,
    labels: jax.Array,
    num_points: int = NUM_POINTS,
    statistics_from: jax.Array | None = None,
) -> Barrier:
    """The barrier on the line between the effective weights of every two members; pure and jittable.

    Args:
      ensemble, variables: of any method.
      x: inputs `[b, ...]`.
      labels: `[b]`, integers.
      num_points: on the line, both ends included.
      statistics_from: inputs on which statistics of batch normalisation are computed anew at every point (see `line`).

    Raises:
      ValueError: the ensemble has one member.
    """
    deep, networks = as_deep_ensemble(ensemble, variables)

    def between(start: Variables, end: Variables) -> Barrier:
        loss, right = line(deep.model, start, end, x, labels, num_points, statistics_from)
        return Barrier(height_over_chord(loss), height_over_chord(-right))

    return over_pairs(between, networks)
