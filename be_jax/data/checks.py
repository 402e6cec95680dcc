"""Checks of images and labels; every message shows the value found and says what to do about it."""

import numpy as np


def check_images(images: np.ndarray, what: str) -> None:
    """Checks that ``images``, named ``what`` in errors, is ``[n, h, w, ch]``, not empty, and uint8 or float in [0, 1].

    Raises:
      ValueError: wrong rank, an empty set, NaN or infinite values, or floats outside [0, 1].
      TypeError: a dtype that is neither uint8 nor floating.
    """
    check_shape(images.shape, what)
    if images.dtype == np.uint8:
        return
    if not np.issubdtype(images.dtype, np.floating):
        raise TypeError(
            f"{what} images must be uint8 or float, got {images.dtype}; "
            "for integers in 0..255 pass images.astype(np.uint8)"
        )
    check_unit_range(images, what)


def check_numbers(examples: np.ndarray, what: str) -> None:
    """Checks that ``examples`` of any kind are ``[n, ...]``, not empty, and finite numbers.

    Raises:
      ValueError: no axis beside that of examples, an empty set, NaN or infinite values.
      TypeError: no numbers.
    """
    if examples.ndim < 2 or 0 in examples.shape:
        hint = "; one number for each example needs an axis: x[:, None]" if examples.ndim == 1 else ""
        raise ValueError(f"{what} examples must have shape [n, ...] and not be empty, got {list(examples.shape)}{hint}")
    if not (np.issubdtype(examples.dtype, np.number) or examples.dtype == bool):
        raise TypeError(f"{what} examples must be numbers, got {examples.dtype}; encode text as integer tokens")
    if np.issubdtype(examples.dtype, np.floating) and not np.isfinite(examples).all():
        bad = ~np.isfinite(examples).reshape(len(examples), -1).all(axis=1)
        raise ValueError(
            f"{what} examples have NaN or infinite values in {bad.sum()} of {len(bad)}, the first at index "
            f"{np.argmax(bad)}; remove or repair them"
        )


def check_shape(shape: tuple[int, ...], what: str) -> None:
    """Raises ValueError unless ``shape`` is a ``[n, h, w, ch]`` that is not empty."""
    if len(shape) != 4:
        hint = "; grey images need a channel axis: images[..., None]" if len(shape) == 3 else ""
        raise ValueError(f"{what} images must have shape [n, h, w, ch], got {list(shape)}{hint}")
    if 0 in shape:
        raise ValueError(f"{what} images are empty, got shape {list(shape)}; a set needs at least one image")


def check_unit_range(images: np.ndarray, what: str) -> None:
    """Raises ValueError unless all of the floats ``images [n, ...]`` are finite and in [0, 1]."""
    low, high = images.min(), images.max()  # NaN if there is one
    if not np.isfinite(low) or not np.isfinite(high):
        bad = ~np.isfinite(images).reshape(len(images), -1).all(axis=1)
        raise ValueError(
            f"{what} images have NaN or infinite values in {bad.sum()} of {len(bad)} images, "
            f"the first at index {np.argmax(bad)}; remove or repair them"
        )
    if low < 0 or high > 1:
        hint = "divide by 255 or pass uint8" if low >= 0 and high <= 255 else "rescale them to [0, 1]"
        raise ValueError(f"{what} images must be floats in [0, 1], got min {low:g} and max {high:g}; {hint}")


def check_labels(labels: np.ndarray, num_images: int, num_classes: int, what: str) -> None:
    """Checks that ``labels`` is ``[num_images]``, of integers in ``0..num_classes - 1``.

    Raises:
      ValueError: wrong shape, or a label out of range.
      TypeError: labels which are not integers.
    """
    if labels.shape != (num_images,):
        hint = "; for one-hot labels pass labels.argmax(-1)" if labels.ndim == 2 else ""
        raise ValueError(f"{what} labels must have shape [{num_images}], one per image, got {list(labels.shape)}{hint}")
    if not np.issubdtype(labels.dtype, np.integer):
        raise TypeError(f"{what} labels must be integers, got {labels.dtype}; pass labels.astype(np.int32)")
    bad = (labels < 0) | (labels >= num_classes)
    if bad.any():
        first = np.argmax(bad)
        raise ValueError(
            f"{what} labels must be in 0..{num_classes - 1}, got {labels[first]} at index {first} "
            f"({bad.sum()} of {len(labels)} are out of range); relabel them or change num_classes={num_classes}"
        )
