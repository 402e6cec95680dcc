"""What every array of a file must be; each error names the array, its value and what to do."""

import jax.numpy as jnp
import numpy as np


class AuditError(ValueError):
    """Predictions that cannot be audited as they are; the message names the array, its value and what to do."""


def as_array(name: str, array: object) -> np.ndarray:
    """The array in numpy.

    Raises:
      AuditError: it cannot be one, as a list of members of different lengths, or a tensor that still has gradients.
    """
    try:
        return np.asarray(array)
    except Exception as error:  # of any framework
        raise AuditError(f"{name} cannot be made one array: {error}; do the members differ in length?") from error


def check_number(name: str, array: np.ndarray) -> None:
    """Raises AuditError unless the array is of floating numbers."""
    if array.dtype.kind == "V" and not jnp.issubdtype(array.dtype, jnp.floating):
        raise AuditError(
            f"{name} holds values of {array.dtype.itemsize} bytes without a kind ({array.dtype}), as numpy saves "
            "bfloat16: save array.astype(numpy.float32)"
        )
    if array.dtype.kind == "O":
        raise AuditError(f"{name} holds Python objects, not numbers; do the members differ in length?")
    if not jnp.issubdtype(array.dtype, jnp.floating):
        raise AuditError(f"{name} must be floating numbers, got {array.dtype}")


def check_count(name: str, array: np.ndarray, of_labels: str, labels: np.ndarray) -> None:
    """Raises AuditError unless predictions `[m, n, ...]` are of as many examples as there are labels `[n]`."""
    count = len(labels)
    if array.shape[1] == count:
        return
    axis = array.shape.index(count) if count in array.shape else None
    advice = {0: "; members come first: save array.swapaxes(0, 1)", 2: "; classes come last: save array.swapaxes(1, 2)"}
    raise AuditError(
        f"{name} has {array.shape[1]} examples (shape {array.shape}), but {of_labels} has {count}"
        f"{advice.get(axis, '') if axis is not None else ''}"
    )
