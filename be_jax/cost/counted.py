"""Operations and bytes of a program, by XLA's count, the same on every machine: nothing is compiled or run."""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import jax
from jax.extend import core

COUNTED_FOR = "cuda"
"""The platform whose program is counted: its convolutions are XLA's own, so that no loop of ours hides a product."""


class Count(NamedTuple):
    """Of one call of a program.

    Attributes:
      flops: floating-point operations; a product and a sum are two, and products with padding are none.
      bytes_accessed: read and written if nothing is fused: an upper bound.
    """

    flops: float
    bytes_accessed: float


def count(function: Callable[..., Any], *args: Any) -> Count:
    """What one call of `function` computes, by XLA's count of its program before any fusion.

    XLA counts the body of a loop once. Here each `scan` (so each `lax.map`, and a deep ensemble of convolutions, which
    runs its members in turn) counts as often as it runs; a `while_loop` still counts once, and of the branches of a
    `cond` only what stands outside of loops counts.

    Args:
      function: jittable.
      *args: arrays or `jax.ShapeDtypeStruct`s; none is read.
    """
    return _count(jax.jit(function).trace(*args).jaxpr)


def _count(program: core.ClosedJaxpr) -> Count:
    lowered = jax.jit(core.jaxpr_as_fun(program)).trace(*program.in_avals).lower(lowering_platforms=(COUNTED_FOR,))
    stated: Any = lowered.cost_analysis()
    once = Count(float(stated["flops"]), float(stated["bytes accessed"]))
    again = _more_rounds(program)
    return Count(once.flops + again.flops, once.bytes_accessed + again.bytes_accessed)


def _more_rounds(program: core.ClosedJaxpr) -> Count:
    """What all scans of a program compute after their first round, and within it in loops after theirs."""
    flops = bytes_accessed = 0.0
    for body, length in _scans(program.jaxpr):
        round_, inside = _count(body), _more_rounds(body)
        flops += (length - 1) * round_.flops + inside.flops
        bytes_accessed += (length - 1) * round_.bytes_accessed + inside.bytes_accessed
    return Count(flops, bytes_accessed)


def _scans(jaxpr: core.Jaxpr) -> Iterator[tuple[core.ClosedJaxpr, int]]:
    """Body and length of every scan that stands in no other loop or branch."""
    for equation in jaxpr.eqns:
        if equation.primitive.name == "scan":
            yield equation.params["jaxpr"], equation.params["length"]
        elif equation.primitive.name not in ("while", "cond"):
            for value in equation.params.values():
                if isinstance(value, core.ClosedJaxpr):
                    yield from _scans(value.jaxpr)
                elif isinstance(value, core.Jaxpr):
                    yield from _scans(value)
