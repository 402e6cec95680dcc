"""Matrix products whose kernel gradient is fast on a CPU too.

XLA on CPU folds the transpose of the kernel's gradient into its dot, which it then runs four times slower (an epoch of
a BatchEnsemble of the study's MLP takes 1.2 times as long, jaxlib 0.12); a barrier keeps them apart. Other platforms
keep XLA's own form.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
from jax import lax


class Dot(NamedTuple):
    """A product of an input and a kernel, over the input's last axes and the kernel's first.

    Two are equal where they compute the same, so that what is compiled for one is found again.
    """

    multiply: Callable[..., jax.Array]
    dimension_numbers: Any
    options: tuple[tuple[str, Any], ...] = ()

    @classmethod
    def of(cls, multiply: Callable[..., jax.Array], dimension_numbers: Any, options: Mapping[str, Any]) -> "Dot":
        """The product as `lax.dot_general` is called."""
        axes = tuple(tuple(tuple(each) for each in pair) for pair in dimension_numbers)
        return cls(multiply, axes, tuple(options.items()))

    def __call__(self, x: jax.Array, kernel: jax.Array) -> jax.Array:
        return self.multiply(x, kernel, self.dimension_numbers, **dict(self.options))


@jax.custom_jvp
def matmul(x: jax.Array, kernel: jax.Array) -> jax.Array:
    """`x [..., i] @ kernel [i, o]`; on CPU the kernel gradient is the dot `dy^T x`, transposed afterwards."""
    return x @ kernel


@matmul.defjvp
def _matmul_jvp(
    primals: tuple[jax.Array, jax.Array], tangents: tuple[jax.Array, jax.Array]
) -> tuple[jax.Array, jax.Array]:
    (x, kernel), (dx, dkernel) = primals, tangents

    def transposed(x: jax.Array, dkernel: jax.Array) -> jax.Array:
        return lax.dot_general(x, lax.optimization_barrier(dkernel.T), (((x.ndim - 1,), (1,)), ((), ())))

    of_kernel = lax.platform_dependent(x, dkernel, cpu=transposed, default=lambda x, dkernel: x @ dkernel)
    return x @ kernel, dx @ kernel + of_kernel


def dot_general(
    lhs: jax.Array, rhs: jax.Array, dimension_numbers: Any, precision: Any = None, **options: Any
) -> jax.Array:
    """`lax.dot_general`, through `matmul` where that covers it: for the field of that name of flax's dense layers."""
    (contracted, batch), (last, first) = dimension_numbers, ((lhs.ndim - 1,), (0,))
    plain = _same(contracted, (last, first)) and _same(batch, ((), ())) and rhs.ndim == 2
    if plain and precision is None and lhs.dtype == rhs.dtype and not any(v is not None for v in options.values()):
        return matmul(lhs, rhs)
    return lax.dot_general(lhs, rhs, dimension_numbers, precision=precision, **options)


def _same(axes: Sequence[Sequence[int]], wanted: Sequence[Sequence[int]]) -> bool:
    return [tuple(a) for a in axes] == [tuple(w) for w in wanted]
