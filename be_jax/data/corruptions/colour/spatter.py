"""Drops of water or mud, with the steps of image processing that the water needs."""

import jax
import jax.numpy as jnp
import numpy as np

from be_jax.data.corruptions.colour.blur import by_sigma
from be_jax.data.corruptions.colour.filters import correlated
from be_jax.data.corruptions.severity import at_severity

_WATER = np.array([175, 238, 238]) / 255
_MUD = np.array([63, 42, 20]) / 255
_SHADING = np.array([[-2, -1, 0], [-1, 1, 1], [0, 1, 2]])  # light from one corner
_EVEN = np.full((3, 3), 1 / 9)
_FAR = 20  # pixels beyond which the distance to a rim no longer matters


def spatter(key: jax.Array, image: jax.Array, severity: jax.Array) -> jax.Array:
    """Drops where blurred noise passes a threshold: pale water at severities 1 to 3, brown mud at 4 and 5.

    Distances to the rim of a drop are Euclidean, where OpenCV approximates them: 0.002 on average, up to 0.3 in
    single values. A height above 255 counts as 255, where the published program wraps around; and an image on
    which no drop falls stays as it is, where that divides by zero.
    """
    mean, spread, least = (
        at_severity(severity, column)
        for column in ((0.62, 0.65, 0.65, 0.65, 0.65), (0.1, 0.1, 0.3, 0.1, 0.1), (0.7, 0.7, 0.69, 0.69, 0.68))
    )
    noise = mean + spread * jax.random.normal(key, (*image.shape[:2], 1))
    level = by_sigma(noise, severity, (0.7, 0.8, 1.0, 0.7, 0.5))
    wet = level >= least
    water = 0.5 * _shaded(jnp.where(wet, jnp.clip(jnp.floor(255 * level), 0, 255), 0)[..., 0])[..., None]
    mud = by_sigma(wet.astype(image.dtype), severity, (0.6,) * 5)
    mud = jnp.where(mud < 0.8, 0, mud)
    return jnp.where(severity <= 3, image + water * _WATER[None, None], image * (1 - mud) + mud * _MUD[None, None])


def _shaded(drops: jax.Array) -> jax.Array:
    """Relief of ``drops [h, w]`` in 0..255, lit from a corner, with 1 for the brightest point."""
    distance = jnp.minimum(distance_to(canny(drops, 50, 150)), _FAR)
    relief = equalise(jnp.floor(correlated(distance, _EVEN)), _FAR)
    relief = jnp.clip(correlated(relief, _SHADING), 0, 255)
    lit = drops * jnp.round(correlated(relief, _EVEN))
    return lit / jnp.maximum(lit.max(), 1)


def canny(image: jax.Array, low: float, high: float) -> jax.Array:
    """Edges of ``image [h, w]`` as booleans (Canny 1986), in the form of OpenCV's ``Canny`` with its defaults.

    An edge is a ridge of the gradient's L1 norm that is above ``low`` and connected to one above ``high``.
    """
    height, width = image.shape
    sobel = np.outer([1, 2, 1], [-1, 0, 1])
    across, along = correlated(image, sobel, "edge"), correlated(image, sobel.T, "edge")
    norm = jnp.abs(across) + jnp.abs(along)
    padded = jnp.pad(norm, 1)

    def neighbour(row: int, column: int) -> jax.Array:
        return padded[1 + row : 1 + row + height, 1 + column : 1 + column + width]

    steepness = jnp.abs(along) / jnp.maximum(jnp.abs(across), 1e-3)
    ridge = jnp.select(
        [steepness < np.tan(np.pi / 8), steepness > np.tan(3 * np.pi / 8), across * along < 0],
        [
            (norm > neighbour(0, -1)) & (norm >= neighbour(0, 1)),
            (norm > neighbour(-1, 0)) & (norm >= neighbour(1, 0)),
            (norm > neighbour(-1, 1)) & (norm > neighbour(1, -1)),
        ],
        (norm > neighbour(-1, -1)) & (norm > neighbour(1, 1)),
    )
    weak, strong = ridge & (norm > low), ridge & (norm > high)

    def grow(state: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
        edges, _ = state
        near = correlated(edges.astype(jnp.float32), np.ones((3, 3)), "constant") > 0
        return weak & near, edges

    return jax.lax.while_loop(lambda state: (state[0] != state[1]).any(), grow, (strong, jnp.zeros_like(strong)))[0]


def distance_to(points: jax.Array) -> jax.Array:
    """Euclidean distance of each pixel to the nearest of ``points [h, w]`` (booleans); infinite if there is none."""
    rows, columns = (jnp.square(jnp.arange(n)[:, None] - jnp.arange(n)[None]) for n in points.shape)
    in_column = jnp.where(points[None], rows[..., None], jnp.inf).min(axis=1)
    return jnp.sqrt((in_column[:, None] + columns[None]).min(axis=2))


def equalise(image: jax.Array, top: int) -> jax.Array:
    """Whole numbers ``image [h, w]`` from 0 to ``top``, mapped to 0..255 with an even histogram (``equalizeHist``)."""
    counts = (image[..., None] == jnp.arange(top + 1)[None, None]).sum(axis=(0, 1))
    up_to = jnp.cumsum(counts)
    lowest = counts[image.min().astype(int)]
    mapped = jnp.round(255 * (up_to - lowest) / jnp.maximum(image.size - lowest, 1))
    return jnp.where(lowest == image.size, image, mapped[image.astype(int)])
