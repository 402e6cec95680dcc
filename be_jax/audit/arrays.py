"""The arrays of one run, read and checked: what is audited is a classification or a regression, as their names say."""

import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from be_jax.audit.checks import AuditError, as_array
from be_jax.audit.class_arrays import to_log_probs
from be_jax.audit.regression_arrays import to_gaussians
from be_jax.npz import NpzError, Predictions, read_npz

OF_CLASSES = ("log_probs", "logits", "probs")
OF_VALUES = ("mean", "variance")
TRUTH = ("labels", "targets")

_SET = re.compile(r"validation|test|shift/.+_\d+|ood/.+")
_NAMES = (
    "`<set>/log_probs`, `<set>/logits` or `<set>/probs`, and `<set>/labels`; or, of a regression, `<set>/mean`, "
    "`<set>/variance` and `<set>/targets`"
)
_SETS = "`validation`, `test`, `shift/<corruption>_<severity>` or `ood/<name>`"
_ADVICE = {
    "std": "; save variance, the square of a standard deviation",
    "means": "; it is mean, without an s",
    "variances": "; it is variance, without an s",
    "target": "; it is targets, with an s",
    "label": "; it is labels, with an s",
}


def read_predictions(path: Path) -> dict[str, np.ndarray]:
    """The predictions in an `.npz` file, as `checked` gives them.

    Raises:
      AuditError: the file cannot be read, or its arrays are refused by `checked`.
    """
    try:
        return checked(read_npz(path))
    except NpzError as error:
        raise AuditError(str(error)) from error
    except AuditError as error:
        raise AuditError(f"{path}: {error}") from None


def checked(arrays: Mapping[str, object]) -> dict[str, np.ndarray]:
    """Checks everything about the arrays of one run and returns them in one form, sets in their order.

    Args:
      arrays: of a classification for every set one of `<set>/log_probs` (nats), `<set>/logits` or `<set>/probs`,
        floating `[m, n, c]`, and `<set>/labels`, integers `[n]`. Of a regression `<set>/mean` and `<set>/variance`,
        floating `[m, n]`, and `<set>/targets` `[n]`. Sets named `ood/<name>` need no labels or targets.

    Returns:
      `<set>/log_probs` float32 `[m, n, c]` and `<set>/labels` int32 `[n]`; log-probabilities that are float32 already
      are returned as they are. Of logits also `<set>/energy` and `<set>/max_logit` of each member, float32 `[m, n]`.
      Or `<set>/mean` and `<set>/variance` `[m, n]` and `<set>/targets` `[n]`, float64.

    Raises:
      AuditError: a name, shape, kind of number or value that cannot be what its name says.
    """
    given = {name: as_array(name, array) for name, array in arrays.items()}
    sets = _sets(given)
    kinds = {name.rpartition("/")[2] for name in given}
    if kinds & {*OF_VALUES, "targets"}:
        if other := [name for name in given if name.rpartition("/")[2] in (*OF_CLASSES, "labels")]:
            raise AuditError(f"{other[0]} is of a classification, beside arrays of a regression: audit them apart")
        return to_gaussians(given, sets)
    return to_log_probs(given, {name: _only(name, given) for name in sets})


def _sets(arrays: Predictions) -> list[str]:
    """Names of the sets that have predictions, in order."""
    names: dict[str, None] = {}
    for name in arrays:
        set_name, _, kind = name.rpartition("/")
        if not _SET.fullmatch(set_name) or kind not in (*OF_CLASSES, *OF_VALUES, *TRUTH):
            raise AuditError(
                f"{name!r} is no name of an array here{_ADVICE.get(kind, '')}: name arrays {_NAMES}, with sets {_SETS}"
            )
        if kind not in TRUTH:
            names[set_name] = None
    if "test" not in names:
        raise AuditError(f"there are no predictions of the set `test`, only {', '.join(arrays) or 'nothing'}")
    for name in arrays:
        set_name, _, kind = name.rpartition("/")
        if kind in TRUTH and set_name not in names:
            raise AuditError(f"{name} are {kind} without predictions")
        truth = "targets" if kind in OF_VALUES else "labels"
        if kind not in TRUTH and not set_name.startswith("ood/") and f"{set_name}/{truth}" not in arrays:
            raise AuditError(f"{set_name}/{truth} is missing; only sets named ood/<name> may have no {truth}")
    return list(names)


def _only(set_name: str, arrays: Predictions) -> str:
    """The one array of predictions of this set."""
    first, *others = [name for kind in OF_CLASSES if (name := f"{set_name}/{kind}") in arrays]
    if others:
        raise AuditError(f"{first} and {others[0]} are the same predictions twice: keep one of them")
    return first
