"""From the arrays of a file, of any framework, to log-probabilities; or an error that names the array and its value.

What an array holds is declared by its name, never guessed. Values that contradict the name are refused.
"""

import re
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

Predictions = Mapping[str, np.ndarray]

TOLERANCE = 1e-3
"""How far the probabilities of a row may sum from 1: float32 stays well within, float16 does not always."""

_SET = re.compile(r"validation|test|shift/.+_\d+|ood/.+")
_NAMES = "`<set>/log_probs`, `<set>/logits` or `<set>/probs`, and `<set>/labels`"
_SETS = "`validation`, `test`, `shift/<corruption>_<severity>` or `ood/<name>`"


class AuditError(ValueError):
    """Predictions that cannot be audited as they are; the message names the array, its value and what to do."""


def read_predictions(path: Path) -> dict[str, np.ndarray]:
    """The predictions in an `.npz` file, as `checked` gives them.

    Raises:
      AuditError: the file cannot be read, or its arrays are refused by `checked`.
    """
    try:
        with np.load(path) as file:
            arrays = dict(file)
    except Exception as error:  # zipfile, zlib and numpy raise kinds that share no base class
        raise AuditError(f"{path} cannot be read as .npz: {type(error).__name__}: {error}") from error
    try:
        return checked(arrays)
    except AuditError as error:
        raise AuditError(f"{path}: {error}") from None


def checked(arrays: Predictions) -> dict[str, np.ndarray]:
    """Checks everything about the arrays of one run and returns them as log-probabilities, sets in their order.

    Args:
      arrays: for every set one of `<set>/log_probs` (nats), `<set>/logits` or `<set>/probs`, floating `[m, n, c]`, and
        `<set>/labels`, integers `[n]`, which only sets named `ood/<name>` may lack.

    Returns:
      `<set>/log_probs` float32 `[m, n, c]` and `<set>/labels` int32 `[n]`. Log-probabilities that are float32 already
      are returned as they are.

    Raises:
      AuditError: a name, shape, kind of number or value that cannot be what its name says.
    """
    arrays = {name: np.asarray(array) for name, array in arrays.items()}
    named = _sets(arrays)
    for set_name, name in named.items():
        _check_shape(name, arrays[name], arrays.get(f"{set_name}/labels"))
    _check_agreement({name: arrays[name] for name in named.values()}, like=named["test"])
    classes = arrays[named["test"]].shape[2]
    result = {}
    for set_name, name in named.items():
        result[f"{set_name}/log_probs"] = _log_probs(name, arrays[name])
        if f"{set_name}/labels" in arrays:
            result[f"{set_name}/labels"] = _labels(f"{set_name}/labels", arrays[f"{set_name}/labels"], classes)
    return result


def _sets(arrays: Predictions) -> dict[str, str]:
    """Names of the sets, each with the name of the array of its predictions."""
    named: dict[str, str] = {}
    for name in arrays:
        set_name, _, kind = name.rpartition("/")
        if not _SET.fullmatch(set_name) or kind not in (*_TO_LOG_PROBS, "labels"):
            raise AuditError(f"{name!r} is no name of an array here: name arrays {_NAMES}, with sets {_SETS}")
        if kind == "labels":
            continue
        if set_name in named:
            raise AuditError(f"{named[set_name]} and {name} are the same predictions twice: keep one of them")
        named[set_name] = name
    if "test" not in named:
        raise AuditError(f"there are no predictions of the set `test`, only {', '.join(arrays) or 'nothing'}")
    for set_name in named:
        if not set_name.startswith("ood/") and f"{set_name}/labels" not in arrays:
            raise AuditError(f"{set_name}/labels is missing; only sets named ood/<name> may have no labels")
    for name in arrays:
        if name.endswith("/labels") and name.removesuffix("/labels") not in named:
            raise AuditError(f"{name} are labels without predictions")
    return named


def _check_shape(name: str, array: np.ndarray, labels: np.ndarray | None) -> None:
    if array.ndim != 3:
        advice = "; a single network is one member: save array[None]" if array.ndim == 2 else ""
        raise AuditError(f"{name} must be [members, examples, classes], got shape {array.shape}{advice}")
    if not np.issubdtype(array.dtype, np.floating):
        raise AuditError(f"{name} must be floating numbers, got {array.dtype}")
    if 0 in array.shape or array.shape[2] < 2:
        raise AuditError(f"{name} needs a member, an example and two classes at least, got shape {array.shape}")
    if labels is None:
        return
    of_labels = f"{name.rpartition('/')[0]}/labels"
    if labels.ndim != 1:
        raise AuditError(
            f"{of_labels} must be class numbers [examples], got shape {labels.shape}: use argmax of one-hot"
        )
    if len(labels) != array.shape[1]:
        swapped = array.shape[0] == len(labels)
        advice = "; members come first: save array.swapaxes(0, 1)" if swapped else ""
        raise AuditError(
            f"{name} has {array.shape[1]} examples (shape {array.shape}), but {of_labels} has {len(labels)}{advice}"
        )


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
        raise AuditError(f"{name} must be integers, got {labels.dtype}")
    wrong = np.flatnonzero((labels < 0) | (labels >= classes))
    if len(wrong) and not name.startswith("ood/"):
        raise AuditError(
            f"{name} must be 0 to {classes - 1}, the classes of the predictions; {len(wrong)} are not, such as "
            f"{name}[{wrong[0]}] = {labels[wrong[0]]}"
        )
    return labels.astype(np.int32)


def _log_probs(name: str, array: np.ndarray) -> np.ndarray:
    """Converts one member at a time: what is in between takes the memory of one."""
    convert = _TO_LOG_PROBS[name.rpartition("/")[2]]
    in_place = convert is _of_log_probs and array.dtype == np.float32
    result = array if in_place else np.empty(array.shape, np.float32)
    for k, member in enumerate(array):
        if np.isnan(member).any():
            at = tuple(map(int, np.argwhere(np.isnan(member))[0]))
            count = np.isnan(array).sum()
            raise AuditError(f"{name} holds {count} NaN, the first at [{k}, {at[0]}, {at[1]}] (member, example, class)")
        log_probs = convert(f"{name}[{k}", np.asarray(member, np.promote_types(member.dtype, np.float32)))
        if not in_place:
            result[k] = log_probs
    return result


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
        raise AuditError(
            f"{name}, {bad[0]}] {how} to {sums[bad[0]]:.6g} and not to 1, as {len(bad)} of the {len(sums)} rows of "
            f"this member; {advice}"
        )


_TO_LOG_PROBS: Mapping[str, Callable[[str, np.ndarray], np.ndarray]] = {
    "log_probs": _of_log_probs,
    "logits": _of_logits,
    "probs": _of_probs,
}
