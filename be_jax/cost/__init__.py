"""What a program costs: operations and bytes by XLA's count, memory as compiled, seconds as measured."""

from be_jax.cost.compiled import Compiled, Memory, compiled, free_memory
from be_jax.cost.counted import Count, count
from be_jax.cost.timed import Seconds, matmul_rate, timed
from be_jax.cost.wider import as_costly, forward_flops

__all__ = [
    "Compiled",
    "Count",
    "Memory",
    "Seconds",
    "as_costly",
    "compiled",
    "count",
    "forward_flops",
    "free_memory",
    "matmul_rate",
    "timed",
]
