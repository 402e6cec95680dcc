"""What every metric demands of its arguments: raised while tracing, with the offending value and what to do."""

import math
import numbers

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

_COMBINE = "combine the members first with be_jax.metrics.mixture"
_ADVICE = {
    ("b, c", 3): _COMBINE,
    ("m, b, c", 2): "a single model is one member: add the axis with log_probs[None]",
}


_LOG_PROBS = "log-probabilities in nats", "jax.nn.log_softmax"
_INT32 = np.iinfo(np.int32)


def array(values: ArrayLike, name: str) -> jax.Array:
    """Numbers as a jax array; numpy's kinds of them that jax does not know are converted without a change of value.

    Integers that int32 does not hold become its ends, so that none comes round to an ordinary number.
    """
    if isinstance(values, jax.Array):
        return values
    if any(isinstance(leaf, jax.Array) for leaf in jax.tree.leaves(values)):
        return jnp.asarray(values)
    values = np.asarray(values)
    if values.dtype.type in (np.object_, np.void, np.str_, np.bytes_):
        advice = (
            "bfloat16 that numpy saved? Save it as float32" if values.dtype.type is np.void else "are all parts alike?"
        )
        raise TypeError(f"{name} must be numbers, got an array of {values.dtype}: {advice}.")
    if values.dtype.type is np.longdouble:
        values = values.astype(np.float64)
    if values.dtype.kind in "iu" and values.dtype.itemsize >= 4 and values.size:
        values = np.clip(values, max(_INT32.min, np.iinfo(values.dtype).min), _INT32.max).astype(np.int32)
    return jnp.asarray(values.astype(values.dtype.newbyteorder("="), copy=False))


def log_probs(values: ArrayLike, axes: str = "b, c", name: str = "log_probs") -> jax.Array:
    """Log-probabilities of the named axes, in float32 or wider; no axis but `b` may be empty."""
    values = array(values, name)
    names = axes.split(", ")
    if values.ndim != len(names):
        advice = _ADVICE.get((axes, values.ndim), f"pass an array with the {len(names)} axes named")
        raise ValueError(f"{name} must be [{axes}], got shape {values.shape}: {advice}.")
    for axis, size in zip(names, values.shape, strict=True):
        if axis != "b" and size == 0:
            raise ValueError(
                f"{name} must have at least one entry along `{axis}`, got shape {values.shape} = [{axes}]."
            )
    if not jnp.issubdtype(values.dtype, jnp.floating):
        wanted, advice = ("logits", "astype(float)") if "logits" in name else _LOG_PROBS
        raise TypeError(f"{name} must be floating {wanted}, got {values.dtype}: use {advice}.")
    return values.astype(jnp.promote_types(values.dtype, jnp.float32))


def labels(values: ArrayLike, size: int) -> jax.Array:
    """Integer class labels [size]."""
    values = array(values, "labels")
    if not jnp.issubdtype(values.dtype, jnp.integer):
        raise TypeError(
            f"labels must be integers, got {values.dtype}: convert with labels.astype(int) if they are classes."
        )
    if values.shape != (size,):
        raise ValueError(f"labels must be [b] with b = {size} as in log_probs, got shape {values.shape}.")
    if jnp.iinfo(values.dtype).max > _INT32.max:  # else the largest come round to ordinary numbers
        values = jnp.minimum(values, _INT32.max)
    return values.astype(jnp.int32)


def mask(values: ArrayLike | None, shape: tuple[int, ...], name: str = "mask") -> jax.Array:
    """Boolean mask of `shape`, True = counted; None counts everything."""
    if values is None:
        return jnp.ones(shape, bool)
    values = array(values, name)
    if values.dtype != bool:
        raise TypeError(f"{name} must be boolean (True = counted), got {values.dtype}: pass {name}.astype(bool).")
    if values.shape != shape:
        raise ValueError(f"{name} must have shape {shape} as the values it masks, got {values.shape}.")
    return values


def real(values: ArrayLike, name: str) -> jax.Array:
    """Real numbers of any shape (booleans count as 0 and 1), in float32 or wider."""
    values = array(values, name)
    if jnp.issubdtype(values.dtype, jnp.complexfloating):
        raise TypeError(f"{name} must be real numbers, got {values.dtype}: take .real if that is what is meant.")
    return values.astype(jnp.promote_types(values.dtype, jnp.float32))


def vector(values: ArrayLike, name: str) -> jax.Array:
    """Real numbers [b]: one score per example."""
    values = real(values, name)
    if values.ndim != 1:
        raise ValueError(f"{name} must be [b], one number per example, got shape {values.shape}.")
    return values


def num_bins(value: int) -> int:
    """A whole number of bins, at least 1."""
    if isinstance(value, bool) or not isinstance(value, numbers.Integral):
        raise TypeError(f"num_bins must be an int fixed before tracing, got {value!r} of type {type(value).__name__}.")
    if value < 1:
        raise ValueError(f"num_bins must be at least 1, got {value}.")
    return int(value)


def fraction(value: float, name: str, *, above_zero: bool) -> float:
    """A Python number in (0, 1], or in [0, 1]."""
    if isinstance(value, jax.core.Tracer):
        raise TypeError(f"{name} must be a number fixed before tracing, got {value}: make it a static argument of jit.")
    value = float(value)
    if math.isnan(value) or not 0 <= value <= 1 or (above_zero and value == 0):
        raise ValueError(
            f"{name} must be in {'(' if above_zero else '['}0, 1], got {value}: it is a fraction, not a percentage."
        )
    return value
