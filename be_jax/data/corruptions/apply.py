"""The corruptions by name, applied to batches."""

import functools
import types
import zlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from be_jax.data.checks import check_images, check_shape, check_unit_range
from be_jax.data.corruptions import blur, geometry, light, marks, noise
from be_jax.data.corruptions.colour import COLOUR_CORRUPTIONS
from be_jax.data.corruptions.severity import MAX_SEVERITY, Corruption
from be_jax.data.pixels import as_float

CORRUPTIONS: Mapping[str, Corruption] = types.MappingProxyType(
    {
        "shot_noise": noise.shot_noise,
        "impulse_noise": noise.impulse_noise,
        "gaussian_blur": blur.gaussian_blur,
        "glass_blur": blur.glass_blur,
        "motion_blur": blur.motion_blur,
        "shear": geometry.shear,
        "scale": geometry.scale,
        "rotate": geometry.rotate,
        "translate": geometry.translate,
        "brightness": light.brightness,
        "contrast": light.contrast,
        "fog": light.fog,
        "stripe": marks.stripe,
        "dotted_line": marks.dotted_line,
        "zigzag": marks.zigzag,
        "spatter": marks.spatter,
    }
)

_ALL = {**CORRUPTIONS, **COLOUR_CORRUPTIONS}
_CHUNK = 250  # images corrupted at a time, which bounds the memory


def corrupt(name: str, key: jax.Array, images: jax.Array, severity: ArrayLike) -> jax.Array:
    """Corrupts a batch; image i depends on ``(key, name, i)`` and the severity only, not on the rest of the batch.

    The draw is the same at every severity, so that severities compare on the same noise. Severity 0 returns the images
    bit for bit. It may be called under ``jit``, with the severity traced.

    Args:
      name: one of :data:`CORRUPTIONS` or :data:`COLOUR_CORRUPTIONS`.
      key: a PRNG key.
      images: ``[b, h, w, ch]``, floats in [0, 1]; for :data:`COLOUR_CORRUPTIONS`, RGB.
      severity: integer scalar, 0 to 5.

    Returns:
      Images of the same shape and dtype, in [0, 1].

    Raises:
      ValueError: an unknown name or a wrong shape; and, unless traced, a severity out of range or bad pixels.
      TypeError: images that are not floats, or a severity that is not an integer.
    """
    _check_names([name])
    _check_severity(severity)
    check_shape(images.shape, "corrupt()'s")
    _check_channels([name], images.shape)
    if not jnp.issubdtype(images.dtype, jnp.floating):
        raise TypeError(f"images must be floats in [0, 1], got {images.dtype}; pass be_jax.data.as_float(images)")
    if not isinstance(images, jax.core.Tracer):
        check_unit_range(np.asarray(images), "corrupt()'s")
    return _corrupt(name, key, images, severity)


@functools.partial(jax.jit, static_argnames="name")
def _corrupt(name: str, key: jax.Array, images: jax.Array, severity: ArrayLike) -> jax.Array:
    key = jax.random.fold_in(key, zlib.crc32(name.encode()))
    severity = jnp.asarray(severity)

    def one(numbered: tuple[jax.Array, jax.Array]) -> jax.Array:
        i, image = numbered
        corrupted = _ALL[name](jax.random.fold_in(key, i), image.astype(jnp.float32), severity)
        return jnp.where(severity == 0, image, jnp.clip(corrupted, 0, 1).astype(image.dtype))

    return jax.lax.map(one, (jnp.arange(len(images)), images), batch_size=_CHUNK)


@functools.partial(jax.jit, static_argnames="name")
def _corrupt_uint8(name: str, key: jax.Array, images: jax.Array, severity: ArrayLike) -> jax.Array:
    return jnp.round(255 * _corrupt(name, key, as_float(images), severity)).astype(jnp.uint8)


def shifted_sets(
    images: np.ndarray,
    key: jax.Array,
    *,
    corruptions: Sequence[str] = tuple(CORRUPTIONS),
    severities: Sequence[int] = (1, 2, 3, 4, 5),
) -> Iterator[tuple[str, np.ndarray]]:
    """Yields ``("<corruption>_<severity>", images)`` one set at a time, made as it is asked for.

    These are our own corruptions in the manner of MNIST-C or CIFAR-10-C, not their published files; like those they are
    uint8, rounded to nearest. On two cores, all 80 sets of 10,000 MNIST images take about 30 s, and all 90 of 1,000
    CIFAR-10 images about 30 s.

    Args:
      images: uint8 ``[n, h, w, ch]``.
      key: a PRNG key; see :func:`corrupt`.
      corruptions: names in :data:`CORRUPTIONS` or :data:`COLOUR_CORRUPTIONS`.
      severities: integers, 0 to 5.

    Raises:
      ValueError or TypeError: at the call, for anything :func:`corrupt` refuses, or images that are not uint8.
    """
    check_images(images, "shifted_sets()'s")
    if images.dtype != np.uint8:
        raise TypeError(f"images must be uint8, got {images.dtype}; pass np.round(255 * images).astype(np.uint8)")
    _check_names(corruptions)
    _check_channels(corruptions, images.shape)
    for severity in severities:
        _check_severity(severity)
    on_device = jnp.asarray(images)
    return (
        (f"{name}_{severity}", np.asarray(_corrupt_uint8(name, key, on_device, severity)))
        for name in corruptions
        for severity in severities
    )


def _check_names(names: Sequence[str]) -> None:
    for name in names:
        if name not in _ALL:
            raise ValueError(f"unknown corruption {name!r}; the corruptions are {', '.join(_ALL)}")


def _check_channels(names: Sequence[str], shape: tuple[int, ...]) -> None:
    coloured = [name for name in names if name in COLOUR_CORRUPTIONS]
    if coloured and shape[-1] != 3:
        hint = "; for grey ones pass np.repeat(images, 3, axis=-1), or a name in CORRUPTIONS" if shape[-1] == 1 else ""
        raise ValueError(f"{coloured[0]} needs RGB images [n, h, w, 3], got shape {list(shape)}{hint}")


def _check_severity(severity: Any) -> None:
    if not jnp.issubdtype(jnp.result_type(severity), jnp.integer) or jnp.ndim(severity):
        raise TypeError(f"severity must be one integer in 0..{MAX_SEVERITY}, got {severity!r}")
    if not isinstance(severity, jax.core.Tracer) and not 0 <= severity <= MAX_SEVERITY:
        raise ValueError(f"severity must be in 0..{MAX_SEVERITY}, got {severity}")
