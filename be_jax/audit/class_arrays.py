"""Arrays of a classification, of any framework, to log-probabilities; or an error that names the array and its value.

What an array holds is declared by its name, never guessed. Values that contradict the name are refused.
"""

from collections.abc import Callable, Mapping

import numpy as np

from be_jax.audit.checks import AuditError, check_count, check_number
from be_jax.metrics.registry import LOGIT_SCORES
from be_jax.npz import Predictions

TOLERANCE = 1e-3
"""How far the probabilities of a row may sum from 1: float32 stays well within, float16 does not always."""

COARSE = 1e-2
"""How far they sum from 1 where they were computed in half precision."""


def to_log_probs(arrays: Predictions, named: Mapping[str, str]) -> dict[str, np.ndarray]:
    """`<set>/log_probs` float32 `[m, n, c]` and `<set>/labels` int32 `[n]`; of logits also what only they tell.

    That is `<set>/energy` and `<set>/max_logit`, float32 `[m, n]`, as `metrics.energy` and `metrics.max_logit` of each
    member alone.

    Args:
      arrays: as of `checked`.
      named: the sets, each with the name of the array of its predictions.
    """
    for set_name, name in named.items():
        _check_shape(name, arrays[name], arrays.get(f"{set_name}/labels"))
    _check_agreement({name: arrays[name] for name in named.values()}, like=named["test"])
    classes = arrays[named["test"]].shape[2]
    result: dict[str, np.ndarray] = {}
    for set_name, name in named.items():
        result |= _converted(set_name, name, arrays[name])
        if f"{set_name}/labels" in arrays:
            result[f"{set_name}/labels"] = _labels(f"{set_name}/labels", arrays[f"{set_name}/labels"], classes)
    return result


def _check_shape(name: str, array: np.ndarray, labels: np.ndarray | None) -> None:
    check_number(name, array)
    if array.ndim != 3 or array.shape[2] == 1:
        raise AuditError(
            f"{name} must be [members, examples, classes], got shape {array.shape}{_shape_advice(name, array, labels)}"
        )
    if 0 in array.shape:
        raise AuditError(f"{name} needs a member, an example and two classes at least, got shape {array.shape}")
    if labels is None:
        return
    of_labels = f"{name.rpartition('/')[0]}/labels"
    if labels.ndim != 1:
        raise AuditError(
            f"{of_labels} must be class numbers [examples], got shape {labels.shape}{_labels_advice(labels)}"
        )
    check_count(name, array, of_labels, labels)


def _shape_advice(name: str, array: np.ndarray, labels: np.ndarray | None) -> str:
    """What such a shape is likely to be, and how to save it."""
    shape, of_labels = array.shape, None if labels is None else labels.shape
    if array.ndim == 2 and of_labels is not None and of_labels[:1] == shape[:1] and shape[1] > 1:
        return "; a single network is one member: save array[None]"
    if array.ndim == 2 or (array.ndim == 3 and shape[2] == 1):
        z = "array" if array.ndim == 2 else "array[..., 0]"
        classes = {"logits": f"[0 * z, z], -1) with z = {z}", "probs": f"[1 - p, p], -1) with p = {z}"}
        one = classes.get(name.rpartition("/")[2])
        how = f"save numpy.stack({one}" if one else "save the logarithms of both probabilities"
        single = "; a single network [examples, classes] is one member: save array[None]" if array.ndim == 2 else ""
        return (
            f"; for one output an example, such as of a sigmoid, {how}, and for a regression name the arrays "
            f"<set>/mean and <set>/variance{single}"
        )
    if array.ndim > 3:
        first = of_labels is not None and of_labels == (shape[1], *shape[3:]) and of_labels != shape[1:-1]
        moved = "numpy.moveaxis(array, 2, -1)" if first else "array"
        classes_at = shape[2] if first else shape[-1]
        return (
            f"; every pixel or token is an example: save {moved}.reshape({shape[0]}, -1, {classes_at}) and "
            "labels.ravel()"
        )
    return ""


def _labels_advice(labels: np.ndarray) -> str:
    if labels.size == max(labels.shape, default=0):
        return ": save labels.ravel()"
    if labels.ndim == 2 and ((labels == 1).sum(1) == 1).all() and ((labels == 0).sum(1) == labels.shape[1] - 1).all():
        return ": save labels.argmax(1), for they are one-hot"
    return ": an example has one class here"


def _check_agreement(predictions: Predictions, like: str) -> None:
    """All sets must be of the same members and classes."""
    wanted = predictions[like].shape[::2]
    for name, array in predictions.items():
        if array.shape[::2] != wanted:
            members, classes = array.shape[::2]
            raise AuditError(
                f"{name} has {members} members and {classes} classes, but {like} has {wanted[0]} and {wanted[1]}"
            )


def _labels(name: str, labels: np.ndarray, classes: int) -> np.ndarray:
    if not np.issubdtype(labels.dtype, np.integer):
        text = labels.dtype.kind in "USOTV"
        advice = (
            "number them as the classes of the predictions" if text else "save labels.astype(int) if they are classes"
        )
        raise AuditError(f"{name} must be integers, got {labels.dtype}: {advice}")
    wrong = np.flatnonzero((labels < 0) | (labels >= classes))
    if len(wrong) and not name.startswith("ood/"):
        from_one = labels.min() == 1 and labels.max() == classes
        raise AuditError(
            f"{name} must be 0 to {classes - 1}, the classes of the predictions; {len(wrong)} are not, such as "
            f"{name}[{wrong[0]}] = {labels[wrong[0]]}; "
            + ("they seem to count from 1: save labels - 1" if from_one else "leave out examples that have no class")
        )
    return labels.astype(np.int32)


def _converted(set_name: str, name: str, array: np.ndarray) -> dict[str, np.ndarray]:
    """Converts one member at a time: what is in between takes the memory of one."""
    convert = _TO_LOG_PROBS[name.rpartition("/")[2]]
    of_logits = {score: np.empty(array.shape[:2], np.float32) for score in LOGIT_SCORES if convert is _of_logits}
    in_place = convert is _of_log_probs and array.dtype == np.float32
    result = array if in_place else np.empty(array.shape, np.float32)
    wide = np.float64 if array.dtype.itemsize > 4 else np.float32  # of this machine's byte order
    for k, member in enumerate(array):
        member = np.asarray(member, wide)
        if np.isnan(member).any():
            at = tuple(map(int, np.argwhere(np.isnan(member))[0]))
            count = np.isnan(array).sum()
            raise AuditError(f"{name} holds {count} NaN, the first at [{k}, {at[0]}, {at[1]}] (member, example, class)")
        log_probs = convert(f"{name}[{k}", member)
        if not in_place:
            result[k] = log_probs
        if of_logits:
            highest = member.max(axis=-1)
            of_logits["energy"][k], of_logits["max_logit"][k] = log_probs.max(axis=-1) - highest, -highest
    if of_logits and np.abs(of_logits["energy"]).max() <= TOLERANCE:
        of_logits = {}  # log-probabilities are logits too, but without a scale
    return {f"{set_name}/log_probs": result, **{f"{set_name}/{score}": values for score, values in of_logits.items()}}


def _of_log_probs(name: str, log_probs: np.ndarray) -> np.ndarray:
    with np.errstate(over="ignore"):
        sums = np.exp(log_probs).sum(axis=-1)
    _check_sums(name, sums, "sums, as probabilities,", "if these are logits, name the array logits")
    return log_probs


def _of_logits(name: str, logits: np.ndarray) -> np.ndarray:
    highest = logits.max(axis=-1, keepdims=True)
    if len(bad := np.flatnonzero(~np.isfinite(highest[:, 0]))):
        raise AuditError(f"{name}, {bad[0]}] has the largest logit {highest[bad[0], 0]}, which is not finite")
    if logits.min() >= 0 and (np.abs(logits.sum(axis=-1) - 1) <= TOLERANCE).all():
        raise AuditError(f"{name}] has only rows that are probabilities: they sum to 1; name the array probs")
    shifted = logits - highest
    return np.asarray(shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True)))


def _of_probs(name: str, probs: np.ndarray) -> np.ndarray:
    if probs.min() < 0:
        row = int(np.argmax(probs.min(axis=-1) < 0))
        raise AuditError(
            f"{name}, {row}] holds {probs[row].min():.6g}, which is no probability; name the array logits or log_probs "
            "if that is what it holds"
        )
    _check_sums(name, probs.sum(axis=-1), "sums", "if these are logits, name the array logits")
    with np.errstate(divide="ignore"):
        return np.asarray(np.log(probs))


def _check_sums(name: str, sums: np.ndarray, how: str, advice: str) -> None:
    bad = np.flatnonzero(~(np.abs(sums - 1) <= TOLERANCE))
    if len(bad):
        if (np.abs(sums - 1) < COARSE).all():
            advice = "so near to 1, they were computed or saved with few digits: take the softmax in float32"
        raise AuditError(
            f"{name}, {bad[0]}] {how} to {sums[bad[0]]:.6g} and not to 1, as {len(bad)} of the {len(sums)} rows of "
            f"this member; {advice}"
        )


_TO_LOG_PROBS: Mapping[str, Callable[[str, np.ndarray], np.ndarray]] = {
    "log_probs": _of_log_probs,
    "logits": _of_logits,
    "probs": _of_probs,
}
