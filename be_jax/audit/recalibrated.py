"""Is an ensemble's gain over one of its members still there when both are recalibrated?

Averaging members makes predictions less sure, which one temperature does too, and at no cost. Every member, and the
ensemble, is recalibrated for itself on `validation` and scored on `test`.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import jax
import numpy as np

from be_jax import metrics
from be_jax.audit.beside import Measured, Shown, beside, gain_estimate, interval_note, table
from be_jax.audit.task import Part, Rows
from be_jax.metrics import recalibrate
from be_jax.npz import Predictions
from be_jax.report import columns
from be_jax.report.table import Table
from be_jax.scores import temperature_of

AS_GIVEN, ONE_TEMPERATURE = "as given", "one temperature"
BY_MEMBER, VECTOR, ISOTONIC = "temperature by member", "vector scaling", "isotonic regression"

LARGEST = 2**21
"""Log-probabilities of `validation` to which vector scaling and isotonic regression are fitted: more take minutes."""


def score_recalibrated(run: Predictions) -> dict[str, dict[str, float]]:
    """`{recalibration: scores}` on `test` as of `beside`: `nll`, `brier` and `ece`; nothing without `validation`.

    One temperature is that of `temperature_of`, applied to the members before they are averaged, and a member's own
    for a member. With a temperature for each, the ensemble is the average of members at theirs. Vector scaling and
    isotonic regression are of the mixture, and of a member.
    """
    if (temperature := temperature_of(run)) is None:
        return {}
    held, held_labels = run["validation/log_probs"], run["validation/labels"]
    test, labels = run["test/log_probs"], run["test/labels"]

    def scored(members: Iterable[Any], ensemble: Any) -> dict[str, float]:
        return beside([_measured(member, labels) for member in members], _measured(ensemble, labels))

    average = metrics.mixture(test)
    own = [temperature_of({"validation/log_probs": each[None], "validation/labels": held_labels}) for each in held]
    at_own = metrics.temper(test, np.array(own, np.float32))
    found = {
        AS_GIVEN: scored(test, average),
        ONE_TEMPERATURE: scored(at_own, metrics.mixture(metrics.temper(test, temperature))),
        BY_MEMBER: scored(at_own, metrics.mixture(at_own)),
    }
    if held.size > LARGEST:
        return found
    fits: tuple[tuple[str, Callable[..., Any]], ...] = (
        (VECTOR, recalibrate.fit_vector_scaling),
        (ISOTONIC, recalibrate.fit_isotonic),
    )
    for name, fit in fits:
        members: Iterator[Any] = (fit(one, held_labels)(other) for one, other in zip(held, test, strict=True))
        found[name] = scored(members, fit(metrics.mixture(held), held_labels)(average))
    return found


def told(runs: Sequence[Rows]) -> list[str]:
    """One sentence, where there is something to tell."""
    if not all(runs):
        return []
    given, left = (columns.NLL.shown(gain_estimate(runs, name, "nll")) for name in (AS_GIVEN, ONE_TEMPERATURE))
    return [
        f"Its gain in NLL over a member is {given} as given, and {left} once both are temperature-scaled on validation "
        "data."
    ]


def tables(runs: Sequence[Rows]) -> list[Table]:
    """One, or none without validation data."""
    shown = Shown(columns.NLL, with_gain=True), Shown(columns.ECE), Shown(columns.BRIER, with_gain=True)
    left_out = f" Validation data are too large here for {VECTOR} and {ISOTONIC}." if VECTOR not in runs[0] else ""
    note = (
        "Every member, and the ensemble, recalibrated for itself on validation data. Gain: a member's less the "
        f"ensemble's; ± is {interval_note(runs)}. Isotonic regression gives probabilities of 0: its NLL may be "
        f"infinite.{left_out}"
    )
    return table("Is the gain still there after recalibration? On test", runs, shown, note)


RECALIBRATION = Part("recalibration", score_recalibrated, told, tables)


def _measured(log_probs: Any, labels: np.ndarray) -> Measured:
    return jax.device_get(_scores(log_probs, labels))  # type: ignore[no-any-return]


@jax.jit
def _scores(log_probs: jax.Array, labels: jax.Array) -> dict[str, jax.Array]:
    """Of predictions `[n, c]`; NLL and Brier score of each example."""
    return {
        "nll": metrics.nll(log_probs, labels),
        "brier": metrics.brier(log_probs, labels),
        "ece": metrics.ece(log_probs, labels),
    }
