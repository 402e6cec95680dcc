"""How far apart members are in their weights, and in what their layers compute.

Both are means over pairs of members with the same two ends: copies have cosine and CKA 1 and distance 0; independent
kernels of mean zero have cosine 0 and distance 1. All of it is pure and jittable.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from be_jax.ensemble import Ensemble, Variables
from be_jax.parameter_space.members import as_deep_ensemble, kernels, over_pairs


class Similarity(NamedTuple):
    """Of one layer's effective kernels, scalars.

    Attributes:
      cosine: mean over pairs of members.
      distance: mean over pairs of `relative_distance`.
      cosine_to_mean: with the mean of the members' kernels, mean over members.
      distance_to_mean: the same of `relative_distance`.
    """

    cosine: jax.Array
    distance: jax.Array
    cosine_to_mean: jax.Array
    distance_to_mean: jax.Array


def cosine(a: jax.Array, b: jax.Array) -> jax.Array:
    """Cosine of the angle between two arrays of one shape, taken as vectors; NaN where one is zero."""
    return jnp.vdot(a, b) / (jnp.linalg.norm(a.ravel()) * jnp.linalg.norm(b.ravel()))


def relative_distance(a: jax.Array, b: jax.Array) -> jax.Array:
    """`|a - b| / sqrt(|a|^2 + |b|^2)`: 0 for equal arrays, 1 for orthogonal ones, at most sqrt(2)."""
    return jnp.linalg.norm((a - b).ravel()) / jnp.sqrt(jnp.vdot(a, a) + jnp.vdot(b, b))


def kernel_similarity(ensemble: Ensemble, variables: Variables) -> dict[str, Similarity]:
    """How alike the effective kernels of the members are, by layer.

    Raises:
      ValueError: the ensemble has one member.
    """
    _, networks = as_deep_ensemble(ensemble, variables)

    def of_layer(members: jax.Array) -> Similarity:
        mean = members.mean(0)
        return Similarity(
            over_pairs(cosine, members).mean(),
            over_pairs(relative_distance, members).mean(),
            jax.lax.map(lambda member: cosine(member, mean), members).mean(),
            jax.lax.map(lambda member: relative_distance(member, mean), members).mean(),
        )

    return {layer: of_layer(members) for layer, members in kernels(networks).items()}


def hidden(ensemble: Ensemble, variables: Variables, x: jax.Array) -> dict[str, jax.Array]:
    """What the layers with a kernel give for `x [b, ...]`, before the activation function: `[m, b, ...]` by layer.

    The last are the logits.
    """
    deep, networks = as_deep_ensemble(ensemble, variables)
    layers = kernels(networks)

    def of_member(network: Variables) -> dict[str, jax.Array]:
        _, captured = deep.model.apply(
            network,
            x,
            capture_intermediates=lambda module, method: method == "__call__" and "/".join(module.path) in layers,
            mutable=["intermediates"],
        )
        return {layer: _look_up(captured["intermediates"], layer)["__call__"][0] for layer in layers}

    return jax.lax.map(of_member, networks)


def linear_cka(a: jax.Array, b: jax.Array) -> jax.Array:
    """Linear centred kernel alignment of two representations `[n, ...]` and `[n, ...]` of the same n inputs, in [0, 1].

    `|B^T A|^2 / (|A^T A| |B^T B|)` in Frobenius norms, of centred features (Kornblith et al. 2019, arXiv 1905.00414,
    section 3), computed as the cosine of the two `[n, n]` Gram matrices. It is not changed by rotating or permuting
    features, nor by their scale. This is the plain estimator, not the unbiased one: with fewer inputs than features it
    is too high. NaN for a representation that is the same for all inputs.
    """
    return cosine(_centred_gram(a), _centred_gram(b))


def representation_similarity(ensemble: Ensemble, variables: Variables, x: jax.Array) -> dict[str, jax.Array]:
    """`linear_cka` of what a layer gives for `x [n, ...]`, mean over the pairs of members, by layer (see `hidden`).

    Time and memory grow with n^2: about a thousand inputs do.

    Raises:
      ValueError: the ensemble has one member.
    """
    outputs = hidden(ensemble, variables, x)
    return {layer: over_pairs(linear_cka, of_members).mean() for layer, of_members in outputs.items()}


def _centred_gram(representation: jax.Array) -> jax.Array:
    features = representation.reshape(representation.shape[0], -1).astype(jnp.float32)
    features = features - features.mean(0, keepdims=True)
    return features @ features.T


def _look_up(tree: Variables, path: str) -> Variables:
    for name in path.split("/"):
        tree = tree[name]
    return tree
