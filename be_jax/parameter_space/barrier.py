"""Whether two networks share a basin: loss and accuracy on the straight line between their weights."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
from flax.traverse_util import flatten_dict

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
    model: nn.Module, start: Variables, end: Variables, x: jax.Array, labels: jax.Array, num_points: int = NUM_POINTS
) -> Line:
    """Loss and accuracy of `model` with variables between `start` and `end`, on `x [b, ...]` with `labels [b]`.

    Between two networks activations vary less than at both, and statistics of batch normalisation fit neither, which
    has nothing to do with basins. What a batch normalisation gives therefore gets the mean and standard deviation that
    interpolate those at the ends, over `x` (REPAIR: Jordan et al. 2023, arXiv 2211.08403, section 3); at the ends that
    changes nothing. Networks without batch normalisation are not repaired.
    """
    ends = [_logits_and_moments(model, network, x)[1] for network in (start, end)]

    def at(fraction: jax.Array) -> Line:
        between, moments = (
            jax.tree.map(lambda a, b: a + fraction * (b - a), *pair) for pair in ((start, end), tuple(ends))
        )
        log_probs = jax.nn.log_softmax(_logits_and_moments(model, between, x, moments)[0])
        return Line(nll(log_probs, labels).mean(), accuracy(log_probs, labels).mean())

    return jax.lax.map(at, jnp.linspace(0, 1, num_points))


class Moments(NamedTuple):
    """Of each feature, over a batch and all places: `[f]`, float32."""

    mean: jax.Array
    deviation: jax.Array


def _logits_and_moments(
    model: nn.Module, network: Variables, x: jax.Array, given: Mapping[str, Moments] | None = None
) -> tuple[jax.Array, dict[str, Moments]]:
    """Logits in float32, and moments of what batch normalisations give; with `given`, they are made to have these."""
    norms = {path[:-1] for path in flatten_dict(network.get("batch_stats", {}))}
    moments: dict[str, Moments] = {}

    def after_norms(call: Any, args: Any, kwargs: Any, context: Any) -> Any:
        outputs = call(*args, **kwargs)
        if context.method_name != "__call__" or tuple(context.module.path) not in norms:
            return outputs
        name = "/".join(context.module.path)
        moments[name] = _moments(outputs)
        return outputs if given is None else _with_moments(outputs, moments[name], given[name])

    with nn.intercept_methods(after_norms):
        logits = jnp.asarray(model.apply(network, x))
    return logits.astype(jnp.float32), moments


def _moments(values: jax.Array) -> Moments:
    features = values.astype(jnp.float32).reshape(-1, values.shape[-1])
    return Moments(features.mean(0), features.std(0))


def _with_moments(values: jax.Array, own: Moments, given: Moments) -> jax.Array:
    """The values with other moments; a feature that does not vary gets the mean only."""
    scale = jnp.where(own.deviation > 0, given.deviation / jnp.where(own.deviation > 0, own.deviation, 1), 0)
    offset = given.mean - scale * own.mean
    shape = (1,) * (values.ndim - 1) + scale.shape
    return (values.astype(jnp.float32) * scale.reshape(shape) + offset.reshape(shape)).astype(values.dtype)


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
) -> Barrier:
    """The barrier on the line between the effective weights of every two members; pure and jittable.

    Args:
      ensemble, variables: of any method.
      x: inputs `[b, ...]`.
      labels: `[b]`, integers.
      num_points: on the line, both ends included.

    Raises:
      ValueError: the ensemble has one member.
    """
    deep, networks = as_deep_ensemble(ensemble, variables)

    def between(start: Variables, end: Variables) -> Barrier:
        loss, right = line(deep.model, start, end, x, labels, num_points)
        return Barrier(height_over_chord(loss), height_over_chord(-right))

    return over_pairs(between, networks)
