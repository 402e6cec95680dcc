"""Two-dimensional convolution whose gradients are fast on a CPU too.

XLA on CPU computes the gradient of a convolution with respect to its kernel slower than the convolution itself, and
inside a loop (`lax.scan`, an epoch) it computes both gradients with a naive kernel, 20 to 170 times slower: it brings
convolutions into the form that its fast kernel takes at the top level of a program only. So here

* the gradient with respect to the kernel is a matrix product, `dy^T patches`, over chunks of images whose patches stay
  in the cache: the same sum in another order;
* the gradient with respect to the input is written as a convolution in that form;
* where a kernel outgrows the cache, all three are products of patches: XLA's fast kernel takes twice as long there.

A convolution is linear in either, so the rule is stated as tangents, and what reverse mode runs is their transpose.
Under `vmap` over members with a shared kernel, each is still one product. GPU and TPU, and convolutions that `conv2d`
does not cover, keep XLA's own.
"""

from collections.abc import Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

Padding = str | Sequence[tuple[int, int]]

NHWC = ("NHWC", "HWIO", "NHWC")

CHUNK_SIZE = 2**16
"""Input numbers (images x height x width x channels) in a chunk of one member."""

LARGE_KERNEL = 2**19
"""Numbers from which a kernel outgrows the cache: 2 MB in float32."""


def conv2d(x: jax.Array, kernel: jax.Array, strides: Sequence[int] = (1, 1), padding: Padding = "SAME") -> jax.Array:
    """Convolution of images `[b, h, w, i]` with a kernel `[kh, kw, i, o]`, to `[b, h', w', o]`.

    Args:
      x: images, NHWC.
      kernel: HWIO.
      strides: `(sh, sw)`.
      padding: `"SAME"`, `"VALID"` or `((top, bottom), (left, right))`.
    """
    strides = tuple(strides)
    if isinstance(padding, str):
        padding = lax.padtype_to_pads(x.shape[1:3], kernel.shape[:2], strides, padding)
    return _conv(strides, tuple((int(low), int(high)) for low, high in padding), x, kernel)


def conv_general_dilated(
    lhs: jax.Array,
    rhs: jax.Array,
    window_strides: Sequence[int],
    padding: Padding,
    lhs_dilation: Sequence[int] | None = None,
    rhs_dilation: Sequence[int] | None = None,
    dimension_numbers: Any = None,
    feature_group_count: int = 1,
    **options: Any,
) -> jax.Array:
    """`lax.conv_general_dilated`, through `conv2d` where that covers it: for `flax.linen.Conv`'s field of that name."""
    plain = set(lhs_dilation or (1,)) == set(rhs_dilation or (1,)) == {1} and feature_group_count == 1
    plain &= options.get("batch_group_count", 1) == 1 and options.get("out_sharding") is None
    plain &= options.get("precision") is None and options.get("preferred_element_type") is None
    labels = lax.conv_dimension_numbers(lhs.shape, rhs.shape, dimension_numbers)
    if plain and lhs.ndim == 4 and labels == lax.conv_dimension_numbers(lhs.shape, rhs.shape, NHWC):
        return conv2d(lhs, rhs, window_strides, padding)
    return lax.conv_general_dilated(
        lhs,
        rhs,
        window_strides,
        padding,
        lhs_dilation,
        rhs_dilation,
        dimension_numbers,
        feature_group_count,
        **options,
    )


@partial(jax.custom_jvp, nondiff_argnums=(0, 1))
def _conv(strides: tuple[int, int], padding: tuple[tuple[int, int], ...], x: jax.Array, kernel: jax.Array) -> jax.Array:
    if not _outgrows_cache(x, kernel, strides, padding):
        return xla_conv(x, kernel, strides, padding)
    return _on_cpu(patches_conv, x, kernel, strides, padding)


@_conv.defjvp
def _conv_jvp(strides: Any, padding: Any, primals: Any, tangents: Any) -> tuple[jax.Array, jax.Array]:
    (x, kernel), (dx, dkernel) = primals, tangents
    by_input = patches_conv if _outgrows_cache(x, kernel, strides, padding) else swapped_conv
    of_input = _on_cpu(by_input, dx, kernel, strides, padding)
    of_kernel = _on_cpu(partial(patches_conv, swapped=True), x, dkernel, strides, padding)
    return _conv(strides, padding, x, kernel), of_input + of_kernel


def _on_cpu(form: Any, x: jax.Array, kernel: jax.Array, strides: Any, padding: Any) -> jax.Array:
    """The convolution in this form on a CPU, and XLA's own elsewhere."""
    like = {"strides": strides, "padding": padding}
    return lax.platform_dependent(x, kernel, cpu=partial(form, **like), default=partial(xla_conv, **like))


def _outgrows_cache(x: jax.Array, kernel: jax.Array, strides: Sequence[int], padding: Any) -> bool:
    """Whether the kernel does, and there is something to compute, of a size that is known: an export's batch is not."""
    sizes = (x.shape[0], *_out_size(x.shape[1:3], kernel, strides, padding))
    return kernel.size >= LARGE_KERNEL and all(isinstance(size, int) and size > 0 for size in sizes)


def _out_size(size: Sequence[int], kernel: jax.Array, strides: Sequence[int], padding: Any) -> tuple[int, ...]:
    """`(h', w')` of images of size `(h, w)`."""
    return tuple((size[a] + sum(padding[a]) - kernel.shape[a]) // strides[a] + 1 for a in range(2))


def xla_conv(x: jax.Array, kernel: jax.Array, strides: Sequence[int], padding: Padding) -> jax.Array:
    """The convolution of `conv2d` with XLA's own gradients."""
    return lax.conv_general_dilated(x, kernel, strides, padding, dimension_numbers=NHWC)


def swapped_conv(x: jax.Array, kernel: jax.Array, strides: Sequence[int], padding: Padding) -> jax.Array:
    """The convolution with swapped kernel axes, HWOI: its transpose with respect to `x` is then NHWC, HWIO."""
    return lax.conv_general_dilated(
        x, kernel.swapaxes(2, 3), strides, padding, dimension_numbers=("NHWC", "HWOI", "NHWC")
    )


def patches_conv(
    x: jax.Array,
    kernel: jax.Array,
    strides: Sequence[int],
    padding: Sequence[tuple[int, int]],
    swapped: bool = False,
) -> jax.Array:
    """The convolution as products of patches and kernel.

    Args:
      x: see `conv2d`.
      kernel: see `conv2d`.
      strides: see `conv2d`.
      padding: two numbers for each of the two axes.
      swapped: multiply by the swapped kernel, for the transpose with respect to the kernel. XLA would fold the swap of
        that gradient into the product, and run it several times slower; a barrier keeps them apart.
    """
    kh, kw, i, o = kernel.shape
    summed_in = jnp.promote_types(x.dtype, jnp.float32)
    height, width = _out_size(x.shape[1:3], kernel, strides, padding)
    x = lax.pad(x, jnp.zeros((), x.dtype), ((0, 0, 0), *((low, high, 0) for low, high in padding), (0, 0, 0)))
    columns = kernel.reshape(-1, o).astype(summed_in)
    if swapped:
        columns = lax.optimization_barrier(columns.T)

    @partial(jax.checkpoint, prevent_cse=False)  # keep x for the backward pass, and not its kh kw times larger patches
    def of_chunk(x: jax.Array) -> jax.Array:
        patches = jnp.concatenate(_taps(x, (kh, kw), strides, (height, width)), axis=-1).astype(summed_in)
        return jnp.einsum("nhwk,ok->nhwo" if swapped else "nhwk,ko->nhwo", patches, columns).astype(x.dtype)

    images = max(1, CHUNK_SIZE // (height * width * i))
    whole = x.shape[0] // images * images
    parts = []
    if whole:
        chunks = lax.map(of_chunk, x[:whole].reshape(-1, images, *x.shape[1:]))
        parts.append(chunks.reshape(whole, *chunks.shape[2:]))
    if whole < x.shape[0]:
        parts.append(of_chunk(x[whole:]))
    return parts[0] if len(parts) == 1 else jnp.concatenate(parts)


def _taps(x: jax.Array, kernel_size: Any, strides: Any, out: tuple[int, int]) -> list[jax.Array]:
    """For each place in the kernel, the padded input `[b, h', w', i]` that it meets."""
    b, _, _, i = x.shape
    (kh, kw), (sh, sw) = kernel_size, strides
    ends = (sh * (out[0] - 1) + 1, sw * (out[1] - 1) + 1)
    return [
        lax.slice(x, (0, row, column, 0), (b, row + ends[0], column + ends[1], i), (1, sh, sw, 1))
        for row in range(kh)
        for column in range(kw)
    ]
