"""The toy's five Gaussians, the plane around them, and the uncertainty in it, near the data and far from them."""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np

from be_jax import metrics
from experiments.together import SeedData

CLASSES, POINTS, RADIUS, STD = 5, 40, 5.0, 1.0
EXTENT = 20.0  # of the plane that is drawn
NEAR, FAR = 2.0, 10.0  # at most, and at least so many standard deviations from the nearest centre
MEASURES = ("total", "epistemic", "disagreement")

Surfaces = np.ndarray
"""Total entropy, mutual information (nats) and disagreement at each point of the grid: `[3, points]`."""


def gaussians(seed: int, points: int = POINTS) -> tuple[np.ndarray, np.ndarray]:
    """`points` of each class: inputs `[n, 2]` and labels `[n]`."""
    labels = np.repeat(np.arange(CLASSES, dtype=np.int32), points)
    noise = np.random.default_rng(seed).normal(scale=STD, size=(len(labels), 2))
    return (centres()[labels] + noise).astype(np.float32), labels


def centres() -> np.ndarray:
    """Means of the classes, `[5, 2]`."""
    angles = 2 * np.pi * np.arange(CLASSES) / CLASSES + np.pi / 2
    return RADIUS * np.stack([np.cos(angles), np.sin(angles)], axis=1)


def grid(resolution: int) -> np.ndarray:
    """Points of [-20, 20]^2, row by row from the lower left: `[resolution^2, 2]`."""
    line = np.linspace(-EXTENT, EXTENT, resolution, dtype=np.float32)
    return np.stack(np.meshgrid(line, line), axis=-1).reshape(-1, 2)


def draw_data(seeds: Sequence[int]) -> SeedData:
    """Training points of each seed, and as many others to score on."""
    train, held_out = zip(*((gaussians(seed), gaussians(seed + 1_000_000)) for seed in seeds), strict=True)
    return SeedData(*(np.stack(arrays) for arrays in (*zip(*train, strict=True), *zip(*held_out, strict=True))))


def measure(outputs: jax.Array) -> jax.Array:
    """The three measures at each point: logits `[m, b, c]` -> `[3, b]`."""
    log_probs = jax.nn.log_softmax(outputs)
    split = metrics.decompose(log_probs)
    return jnp.stack([split.total, split.epistemic, metrics.disagreement(log_probs)])


def by_region(surfaces: Sequence[Surfaces], resolution: int) -> dict[str, dict[str, list[float]]]:
    """Mean of each measure near the data and far from them, a value for each seed: `{region: {measure: [s]}}`."""
    distance = np.linalg.norm(grid(resolution)[:, None] - centres()[None], axis=-1).min(1) / STD
    regions = {"near": distance <= NEAR, "far": distance >= FAR}
    return {
        region: {measure: [float(each[i, inside].mean()) for each in surfaces] for i, measure in enumerate(MEASURES)}
        for region, inside in regions.items()
    }
