"""Out-of-distribution sets for colour images that need no download: easy, far ones, and no substitute for SVHN."""

import numpy as np


def in_colour(images: np.ndarray, *, side: int = 32, seed: int = 0) -> np.ndarray:
    """Grey images `[n, h, w, 1]` uint8 in the middle of `[n, side, side, 3]`, in a random colour on another.

    Black becomes the one colour and white the other; the border is black before that. Image i depends on `seed` and i
    only. An easy set, far from photographs: flat areas and few colours.

    Raises:
      ValueError: images of another shape or type, or larger than `side`.
    """
    if images.ndim != 4 or images.shape[-1] != 1 or images.dtype != np.uint8 or max(images.shape[1:3]) > side:
        raise ValueError(
            f"in_colour needs grey uint8 images [n, h, w, 1] with h, w <= {side}; got {images.dtype} "
            f"of shape {list(images.shape)}"
        )
    count, height, width, _ = images.shape
    top, left = (side - height) // 2, (side - width) // 2
    grey = np.zeros((count, side, side, 1), np.float32)
    grey[:, top : top + height, left : left + width] = images / np.float32(255)
    paper, ink = np.random.default_rng(seed).uniform(0, 255, (count, 2, 1, 1, 3)).astype(np.float32).swapaxes(0, 1)
    return np.round(paper + grey * (ink - paper)).astype(np.uint8)


def uniform_noise(count: int, shape: tuple[int, int, int] = (32, 32, 3), *, seed: int = 0) -> np.ndarray:
    """`count` images of independent uniform values, uint8 `[count, h, w, ch]`; image i depends on `seed` and i only.

    The easiest set there is: no natural image looks like it.

    Raises:
      ValueError: a count below 1.
    """
    if count < 1:
        raise ValueError(f"count must be at least 1, got {count}")
    return np.random.default_rng(seed).integers(0, 256, (count, *shape), np.uint8)
