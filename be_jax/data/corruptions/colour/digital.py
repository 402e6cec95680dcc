"""Deformation and coding, as in CIFAR-10-C."""

import importlib.util
import io

import jax
import jax.numpy as jnp
import numpy as np

from be_jax.data.corruptions.colour.filters import box_matrix, filtered, gaussian_matrix
from be_jax.data.corruptions.geometry import sample
from be_jax.data.corruptions.severity import at_severity

JPEG_QUALITY = (80, 65, 58, 50, 40)


def elastic_transform(key: jax.Array, image: jax.Array, severity: jax.Array) -> jax.Array:
    """A random affine map, then random shifts that vary smoothly over the image; linear interpolation, edges mirrored.

    Constants are fractions of the image's side. Departs in the affine map's interpolation, which is exact here and to
    1/32 pixel in the OpenCV of the time.
    """
    affine_key, shift_key = jax.random.split(key)
    size = image.shape[0]
    amount, jitter = (
        size * at_severity(severity, column) for column in ((0.0, 0.05, 0.08, 0.1, 0.1), (0.08, 0.07, 0.06, 0.05, 0.03))
    )
    middle, reach = size // 2, size // 3
    points = middle + reach * jnp.array([[1.0, 1.0], [1.0, -1.0], [-1.0, -1.0]])  # (column, row)
    moved = points + jax.random.uniform(affine_key, (3, 2), minval=-1) * jitter
    back = jnp.linalg.solve(jnp.append(moved, jnp.ones((3, 1)), axis=1), points)  # from moved to original places
    rows, columns = jnp.indices(image.shape[:2], dtype=jnp.float32)
    from_column, from_row = (columns * back[0, a] + rows * back[1, a] + back[2, a] for a in (0, 1))
    image = sample(image, from_row, from_column, "mirror")

    sigmas = (0.2, 0.2, 0.06, 0.04, 0.03)  # severity 1 has no shifts
    smooth_rows, smooth_columns = (
        jnp.asarray(np.stack([gaussian_matrix(n, size * s, truncate=3, pad="symmetric") for s in sigmas]))[severity - 1]
        for n in image.shape[:2]
    )
    draws = jax.random.uniform(shift_key, (*image.shape[:2], 2), minval=-1)
    right, down = jnp.moveaxis(amount * filtered(draws, smooth_rows, smooth_columns), -1, 0)
    return sample(image, rows + down, columns + right, "reflect")


def pixelate(key: jax.Array, image: jax.Array, severity: jax.Array) -> jax.Array:
    """Shrinks the image to 0.95 to 0.65 of its size by averaging, in 8 bits, and enlarges it again (Pillow's BOX)."""
    del key
    factors = (0.95, 0.9, 0.85, 0.75, 0.65)

    def matrices(size: int) -> tuple[jax.Array, jax.Array]:
        shrink, enlarge = np.zeros((2, len(factors), size, size), np.float32)
        for level, factor in enumerate(factors):
            small = int(size * factor)
            shrink[level, :small] = box_matrix(size, small)
            enlarge[level, :, :small] = box_matrix(small, size)
        return jnp.asarray(shrink)[severity - 1], jnp.asarray(enlarge)[severity - 1]

    (rows, rows_back), (columns, columns_back) = (matrices(size) for size in image.shape[:2])
    levels = jnp.floor(jnp.einsum("lk,jkc->jlc", columns, jnp.round(255 * image)) + 0.5)
    levels = jnp.floor(jnp.einsum("ij,jlc->ilc", rows, levels) + 0.5)
    return filtered(levels, rows_back, columns_back) / 255


def jpeg_compression(key: jax.Array, image: jax.Array, severity: jax.Array) -> jax.Array:
    """Stored as JPEG of quality 80 to 40 by Pillow, on the host.

    Raises:
      ImportError: Pillow is not installed.
    """
    del key
    if importlib.util.find_spec("PIL") is None:
        raise ImportError('generated_jpeg_compression needs Pillow: pip install "be-jax[data]"')
    levels = jnp.round(255 * jnp.clip(image, 0, 1)).astype(jnp.uint8)
    like = jax.ShapeDtypeStruct(image.shape, jnp.uint8)
    stored = jax.pure_callback(_jpeg, like, levels, at_severity(severity, JPEG_QUALITY), vmap_method="broadcast_all")
    return stored.astype(jnp.float32) / 255


def _jpeg(images: np.ndarray, quality: np.ndarray) -> np.ndarray:
    """``images [..., h, w, 3]`` of ``quality [...]``, stored and read back."""
    from PIL import Image

    images, quality = np.asarray(images), np.asarray(quality)
    out = np.empty_like(images)
    for index in np.ndindex(quality.shape):
        file = io.BytesIO()
        Image.fromarray(images[index]).save(file, "JPEG", quality=int(quality[index]))
        out[index] = np.asarray(Image.open(file))
    return out
