"""Rank-1 fast weights for one member: the mathematics of BatchEnsemble, free of flax.

A member multiplies a kernel `W` that all members share by a matrix of low rank (Wen et al. 2020, arXiv 2002.06715):

    y = x @ (W * sum_k outer(r_k, s_k)) = sum_k ((x * r_k) @ W) * s_k

The right-hand side never forms a kernel per member. Under `jax.vmap` over members, with `W` unmapped, XLA therefore
sees one dot (or convolution) of batch `m * b * k` against one kernel.

Axes: `i` inputs, `o` outputs, `k` rank.
"""

from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp

from be_jax.nn.conv import Padding, conv2d


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
    return _sum_over_rank(lambda r, s: _scale(_matmul(_scale(x, r), kernel), s), r, s)


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

    def term(r: jax.Array, s: jax.Array) -> jax.Array:
        return _scale(conv2d(_scale(x, r), kernel, strides, padding), s)

    return _sum_over_rank(term, r, s)


def effective_kernel(kernel: jax.Array, r: jax.Array, s: jax.Array) -> jax.Array:
    """The kernel that one member uses in effect, `kernel * sum_k outer(r_k, s_k)`: for analysis and tests only.

    Args:
      kernel: shared kernel `[..., i, o]`.
      r: `[k, i]` or `[i]`.
      s: `[k, o]` or `[o]`.

    Returns:
      An array shaped as `kernel`. (Convolving with one such kernel per member is a grouped convolution, several times
      slower than `conv`.)

    Raises:
      ValueError: a shape does not fit the kernel.
    """
    r, s = _as_rank_k(kernel, r, s, kernel_ndim=kernel.ndim)
    mask = jnp.einsum("ki,ko->io", r, s)
    return kernel * mask.reshape((1,) * (kernel.ndim - 2) + mask.shape)


@jax.custom_jvp
def _matmul(x: jax.Array, kernel: jax.Array) -> jax.Array:
    """`x @ kernel`, whose kernel gradient is the dot `dy^T x`, transposed afterwards.

    XLA on CPU folds that transpose into a dot that it then runs four times slower (an epoch of the study's MLP takes
    1.2 times as long, jaxlib 0.12); the barrier keeps them apart.
    """
    return x @ kernel


@_matmul.defjvp
def _matmul_jvp(
    primals: tuple[jax.Array, jax.Array], tangents: tuple[jax.Array, jax.Array]
) -> tuple[jax.Array, jax.Array]:
    (x, kernel), (dx, dkernel) = primals, tangents
    of_kernel = jax.lax.dot_general(x, jax.lax.optimization_barrier(dkernel.T), (((x.ndim - 1,), (1,)), ((), ())))
    return x @ kernel, dx @ kernel + of_kernel


def _sum_over_rank(term: Callable[[jax.Array, jax.Array], jax.Array], r: jax.Array, s: jax.Array) -> jax.Array:
    return term(r[0], s[0]) if r.shape[0] == 1 else jax.vmap(term)(r, s).sum(0)


def _scale(x: jax.Array, multipliers: jax.Array) -> jax.Array:
    """`x [..., f] * multipliers [f]`, with the broadcast spelled out (rank promotion is an error in our tests)."""
    return x * multipliers.reshape((1,) * (x.ndim - 1) + multipliers.shape)


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
