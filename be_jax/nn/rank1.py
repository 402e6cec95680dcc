"""Rank-1 fast weights for one member: the mathematics of BatchEnsemble, free of flax.

A member multiplies a kernel `W` that all members share by a matrix of low rank (Wen et al. 2020, arXiv 2002.06715):

    y = x @ (W * sum_k outer(r_k, s_k)) = sum_k ((x * r_k) @ W) * s_k

The right-hand side never forms a kernel per member. Under `jax.vmap` over members, with `W` unmapped, XLA therefore
sees one dot (or convolution) of batch `m * b * k` against one kernel. On CPU the left-hand side is faster for matrices
that are small beside a member's batch, and taken: see `product`.

Axes: `i` inputs, `o` outputs, `k` rank.
"""

import math
from collections.abc import Callable, Sequence
from functools import partial

import jax
import jax.numpy as jnp
from jax import lax

from be_jax.nn.conv import Padding, conv2d
from be_jax.nn.dot import Dot, dot_general


def dense(x: jax.Array, kernel: jax.Array, r: jax.Array, s: jax.Array) -> jax.Array:
    """`x @ (kernel * sum_k outer(r_k, s_k))` for one member, without forming that matrix.

    Args:
      x: inputs `[..., i]`.
      kernel: shared kernel `[i, o]`.
      r: input multipliers `[k, i]` or `[i]`.
      s: output multipliers `[k, o]` or `[o]`.

    Returns:
      `[..., o]`.

    Raises:
      ValueError: a shape does not fit the kernel.
    """
    r, s = _as_rank_k(kernel, r, s, kernel_ndim=2)
    _check_features(x, kernel)
    dtype = jnp.result_type(x, kernel, r, s)
    dot = Dot(dot_general, (((x.ndim - 1,), (0,)), ((), ())))
    return product(dot, *(array.astype(dtype) for array in (x, kernel, r, s)))


def conv(
    x: jax.Array,
    kernel: jax.Array,
    r: jax.Array,
    s: jax.Array,
    *,
    strides: Sequence[int] = (1, 1),
    padding: Padding = "SAME",
) -> jax.Array:
    """Convolution of `x` with `kernel * sum_k outer(r_k, s_k)` for one member, without forming that kernel.

    Args:
      x: images `[b, h, w, i]` (NHWC).
      kernel: shared kernel `[kh, kw, i, o]` (HWIO).
      r: input-channel multipliers `[k, i]` or `[i]`.
      s: output-channel multipliers `[k, o]` or `[o]`.
      strides: `(sh, sw)`.
      padding: `"SAME"`, `"VALID"` or `((top, bottom), (left, right))`.

    Returns:
      `[b, h', w', o]`.

    Raises:
      ValueError: a shape does not fit the kernel.
    """
    r, s = _as_rank_k(kernel, r, s, kernel_ndim=4)
    _check_features(x, kernel)
    if x.ndim != 4:
        raise ValueError(f"conv needs images [b, h, w, i]; got x of shape {x.shape}")

    def convolve(x: jax.Array) -> jax.Array:
        y = conv2d(x.reshape(-1, *x.shape[-3:]), kernel, strides, padding)
        return y.reshape(*x.shape[:-3], *y.shape[1:])

    return modulate(convolve, x, r, s)


def effective_kernel(kernel: jax.Array, r: jax.Array, s: jax.Array) -> jax.Array:
    """The kernel that one member uses in effect, `kernel * sum_k outer(r_k, s_k)`: for analysis and tests only.

    Args:
      kernel: shared kernel `[*places, *inputs, *outputs]`, such as `[i, o]` or `[kh, kw, i, o]`; that of a grouped
        convolution has the inputs of one group.
      r: `[k, *inputs]`, of all groups, or `[i]`.
      s: `[k, *outputs]` or `[o]`.

    Returns:
      An array shaped as `kernel`. (Convolving with one such kernel per member is a grouped convolution, several times
      slower than `conv`.)

    Raises:
      ValueError: a shape does not fit the kernel.
    """
    r, s = (a[None] if a.ndim == 1 else a for a in (r, s))
    (rank, *inputs), (rank_of_s, *outputs) = r.shape, s.shape
    places = kernel.ndim - len(inputs) - len(outputs)
    of_group, ends = (
        list(kernel.shape[max(places, 0) : kernel.ndim - len(outputs)]),
        list(kernel.shape)[-len(outputs) :],
    )
    groups = inputs[0] // of_group[0] if places > 0 and len(inputs) == len(outputs) == 1 else 1
    fits = groups and outputs[0] % groups == 0 and inputs == [groups * of_group[0], *of_group[1:]]
    if places < 0 or not rank == rank_of_s >= 1 or ends != outputs or not fits:
        raise ValueError(
            f"a kernel {kernel.shape} needs r [k, *inputs] and s [k, *outputs] of one rank k >= 1, its last axes being "
            f"inputs and outputs; got r {r.shape} and s {s.shape}"
        )
    mask = jnp.tensordot(r, s, ((0,), (0,)))
    if groups > 1:
        by_group = mask.reshape(groups, of_group[0], groups, outputs[0] // groups)
        mask = jnp.einsum("gigo->igo", by_group).reshape(of_group[0], outputs[0])
    return kernel * mask.reshape((1,) * places + mask.shape)


@partial(jax.jit, static_argnums=0)
def product(dot: Dot, x: jax.Array, kernel: jax.Array, r: jax.Array, s: jax.Array) -> jax.Array:
    """`dot(x, kernel * sum_k outer(r_k, s_k))` for one member, which forms that matrix on CPU where it is small.

    With b examples, i inputs and o outputs, `x * r` and `y * s` have `b (i + o)` numbers for each of the k terms, and
    the matrix has `i o`. Where it has fewer it is formed on CPU: it multiplies once for k times, and the gradients of r
    and s come from that of a matrix, for which none of `x` is needed. A training step of the study's MLP then takes
    0.87 of the time, and 0.35 for k = 4. Other platforms, where this was not measured, keep one product with the kernel
    that all members share.

    Args:
      dot: a product over the last axes of an input and the first of a kernel.
      x: `[..., *inputs]`.
      kernel: `[*inputs, *outputs]`.
      r: `[k, *inputs]`.
      s: `[k, *outputs]`.
    """
    inputs, outputs, batch = r.shape[1:], s.shape[1:], x.shape[: x.ndim - r.ndim + 1]
    i, o, is_known = math.prod(inputs), math.prod(outputs), all(isinstance(size, int) for size in batch)
    if not is_known or math.prod(batch) * (i + o) <= i * o:
        return _factored(dot, x, kernel, r, s)
    formed, factored = partial(_formed, dot), partial(_factored, dot)
    return lax.platform_dependent(x, kernel, r, s, cpu=formed, default=factored)


@partial(jax.checkpoint, static_argnums=0, prevent_cse=False)
def _formed(dot: Dot, x: jax.Array, kernel: jax.Array, r: jax.Array, s: jax.Array) -> jax.Array:
    """Under `checkpoint`, for else what it keeps for its gradient would be in the programs of all platforms."""
    return dot(x, effective_kernel(kernel, r, s))


def _factored(dot: Dot, x: jax.Array, kernel: jax.Array, r: jax.Array, s: jax.Array) -> jax.Array:
    def layer(each: jax.Array) -> jax.Array:
        return dot(each, kernel) if each.ndim == x.ndim else jax.vmap(lambda term: dot(term, kernel))(each)

    return modulate(layer, x, r, s)


def modulate(layer: Callable[[jax.Array], jax.Array], x: jax.Array, r: jax.Array, s: jax.Array) -> jax.Array:
    """`sum_k s_k * layer(x * r_k)` for a linear `layer`, which is called once: the k terms are one more batch axis.

    Where there is one input feature, `r_k` is a number, and multiplies outputs: its gradient then needs none of `x`,
    which at the first layer of a network on grey images nothing else needs. A step of LeNet takes 0.6 of the time.

    Args:
      layer: from `[..., *inputs]` to `[..., *outputs]`; it is given `x`, or with k > 1, unless there is one input
        feature, `[k, *x.shape]`.
      x: `[..., *inputs]`.
      r: `[k, *inputs]`.
      s: `[k, *outputs]`.
    """
    if math.prod(r.shape[1:]) == 1:
        return scale(layer(x), jnp.tensordot(r.reshape(-1), s, 1))
    if r.shape[0] == 1:
        return scale(layer(scale(x, r[0])), s[0])
    terms = layer(jax.vmap(scale, (None, 0))(x, r))
    return jax.vmap(scale)(terms, s).sum(0)


def scale(x: jax.Array, multipliers: jax.Array) -> jax.Array:
    """`x [..., *features] * multipliers [*features]`, the broadcast spelled out."""
    return x * multipliers.reshape((1,) * (x.ndim - multipliers.ndim) + multipliers.shape)


def _as_rank_k(kernel: jax.Array, r: jax.Array, s: jax.Array, *, kernel_ndim: int) -> tuple[jax.Array, jax.Array]:
    if kernel.ndim != kernel_ndim or kernel.ndim < 2:
        raise ValueError(f"the kernel needs {kernel_ndim} axes, the last two inputs and outputs; got {kernel.shape}")
    r, s = (a[None] if a.ndim == 1 else a for a in (r, s))
    inputs, outputs = kernel.shape[-2:]
    if r.ndim != 2 or s.ndim != 2 or r.shape != (s.shape[0], inputs) or s.shape[1] != outputs or not r.shape[0]:
        raise ValueError(
            f"a kernel {kernel.shape} needs r [k, {inputs}] and s [k, {outputs}] of one rank k >= 1; "
            f"got r {r.shape} and s {s.shape}"
        )
    return r, s


def _check_features(x: jax.Array, kernel: jax.Array) -> None:
    if x.ndim < 1 or x.shape[-1] != kernel.shape[-2]:
        raise ValueError(f"a kernel {kernel.shape} needs x [..., {kernel.shape[-2]}]; got x of shape {x.shape}")
