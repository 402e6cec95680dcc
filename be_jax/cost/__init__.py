"""What a network computes, in floating-point operations, whatever the device; and a wider one that computes as much."""

from be_jax.cost.wider import as_costly, forward_flops

__all__ = ["as_costly", "forward_flops"]
