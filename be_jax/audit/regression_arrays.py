"""Arrays of a regression, of any framework, to float64; or an error that names the array, its value and what to do."""

from collections.abc import Sequence

import numpy as np

from be_jax.audit.checks import AuditError, check_count, check_number
from be_jax.npz import Predictions


def to_gaussians(arrays: Predictions, sets: Sequence[str]) -> dict[str, np.ndarray]:
    """`<set>/mean` and `<set>/variance` `[m, n]`, and `<set>/targets` `[n]` where a set has them, all float64.

    Args:
      arrays: as of `checked`.
      sets: names of the sets.
    """
    result = {}
    for name in sets:
        for kind, other in (("mean", "variance"), ("variance", "mean")):
            if f"{name}/{kind}" not in arrays:
                zeros = "; of members that predict none, save numpy.zeros_like(mean)" if kind == "variance" else ""
                raise AuditError(f"{name}/{kind} is missing beside {name}/{other}{zeros}")
        targets = arrays.get(f"{name}/targets")
        for kind in ("mean", "variance"):
            result[f"{name}/{kind}"] = _values(f"{name}/{kind}", arrays[f"{name}/{kind}"], targets)
        _check_pair(name, result)
        if targets is not None:
            result[f"{name}/targets"] = _targets(f"{name}/targets", targets)
    for name in sets:
        members, wanted = (len(result[f"{each}/mean"]) for each in (name, "test"))
        if members != wanted:
            raise AuditError(f"{name}/mean has {members} members, but test/mean has {wanted}")
    return result


def _values(name: str, array: np.ndarray, targets: np.ndarray | None) -> np.ndarray:
    check_number(name, array)
    if array.ndim != 2:
        raise AuditError(f"{name} must be [members, examples], got shape {array.shape}{_advice(array)}")
    if 0 in array.shape:
        raise AuditError(f"{name} needs a member and an example at least, got shape {array.shape}")
    if targets is not None and targets.ndim == 1:
        check_count(name, array, f"{name.rpartition('/')[0]}/targets", targets)
    _check_finite(name, array)
    return array.astype(np.float64)


def _check_pair(name: str, result: Predictions) -> None:
    mean, variance = result[f"{name}/mean"], result[f"{name}/variance"]
    if mean.shape != variance.shape:
        raise AuditError(f"{name}/mean has shape {mean.shape}, but {name}/variance {variance.shape}")
    if (variance < 0).any():
        at = tuple(map(int, np.argwhere(variance < 0)[0]))
        raise AuditError(
            f"{name}/variance holds {(variance < 0).sum()} values below 0, such as [{at[0]}, {at[1]}] = "
            f"{variance[at]:.6g}; if these are logarithms, save their exponentials"
        )


def _targets(name: str, targets: np.ndarray) -> np.ndarray:
    if targets.ndim != 1:
        one = targets.size == max(targets.shape, default=0)
        advice = ": save targets.ravel()" if one else ": audit each output on its own"
        raise AuditError(f"{name} must be [examples], got shape {targets.shape}{advice}")
    if targets.dtype.kind not in "iuf":
        raise AuditError(f"{name} must be numbers, got {targets.dtype}")
    _check_finite(name, targets)
    return targets.astype(np.float64)


def _check_finite(name: str, array: np.ndarray) -> None:
    if not (finite := np.isfinite(array.astype(np.float64))).all():
        at = np.argwhere(~finite)[0].tolist()
        value = float(array[tuple(at)])
        raise AuditError(f"{name} holds {(~finite).sum()} values that are not finite, such as {at} = {value}")


def _advice(array: np.ndarray) -> str:
    if array.ndim == 1:
        return "; a single network is one member: save array[None]"
    if array.ndim == 3 and array.shape[2] == 1:
        return ": save array[..., 0]"
    if array.ndim == 3:
        return "; of several outputs, audit each on its own: save array[..., k]"
    return ""
