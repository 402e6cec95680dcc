"""From the predictions of one run to its scores: every set, every metric."""

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from be_jax import metrics
from be_jax.metrics import further

SCORED_AT_ONCE = 2**20
"""Log-probabilities: 4 MB, which stay in the cache of a processor."""


@jax.jit
def score_labelled(member_log_probs: jax.Array, labels: jax.Array) -> dict[str, jax.Array]:
    """Scalars of one labelled set: quality and calibration of the mixture, uncertainty, diversity of the members."""
    log_probs = in_chunks(metrics.mixture, member_log_probs)
    uncertainty = metrics.max_probability_uncertainty(log_probs[None])
    correct = metrics.accuracy(log_probs, labels)
    return {
        "accuracy": correct.mean(),
        "nll": metrics.nll(log_probs, labels).mean(),
        "brier": metrics.brier(log_probs, labels).mean(),
        "ece": metrics.ece(log_probs, labels),
        "adaptive_ece": metrics.adaptive_ece(log_probs, labels),
        "classwise_ece": metrics.classwise_ece(log_probs, labels),
        "aurc": metrics.aurc(uncertainty, correct),
        "coverage_at_5_risk": metrics.coverage_at_risk(uncertainty, correct, risk=0.05),
        "risk_at_80_coverage": metrics.risk_at_coverage(uncertainty, correct, coverage=0.8),
        **further.further(further.Labelled(member_log_probs, log_probs, labels)),
        **_score_members(member_log_probs),
    }


@jax.jit
def score_ood(in_member_log_probs: jax.Array, out_member_log_probs: jax.Array) -> dict[str, jax.Array]:
    """Scalars of one out-of-distribution set: its detection by four scores, and what the members say of it."""
    detections = metrics.detection(in_member_log_probs, out_member_log_probs)
    flat = {f"{m}_{score}": value for score, d in detections.items() for m, value in d._asdict().items()}
    return {**flat, **_score_members(out_member_log_probs)}


def temperature_of(predictions: Mapping[str, np.ndarray]) -> float | None:
    """The temperature of the members at which their mixture's NLL on `validation` is least; None without that set.

    There is no other definition of "temperature-scaled". Examples whose label has probability 0 in every member are
    left out, for their loss is infinite at every temperature (`metrics.is_impossible`); NaN where none remain.
    """
    if "validation/log_probs" not in predictions:
        return None
    return float(_temperature(predictions["validation/log_probs"], predictions["validation/labels"]))


@jax.jit
def _temperature(member_log_probs: jax.Array, labels: jax.Array) -> jax.Array:
    possible = ~metrics.is_impossible(member_log_probs, labels)
    return metrics.fit_temperature(member_log_probs, labels, mask=possible)


def score_predictions(predictions: Mapping[str, np.ndarray]) -> dict[str, dict[str, float]]:
    """Every score of one run, `{set: {metric: value}}`, from the arrays of its `predictions.npz`.

    Sets: `test`, `ood/<name>`, and of the shifted sets the means: `shift` over all, `shift/severity_<k>` at each
    severity, `shift/<corruption>` over its severities. Where there is a set `validation`, a temperature is fitted on
    it, its only score; every metric of the other sets then stands a second time, as `<metric>_scaled`, for the
    predictions at that temperature.
    """
    scores = _score_sets({name: array for name, array in predictions.items() if not name.startswith("validation/")})
    temperature = temperature_of(predictions)
    if temperature is None:
        return scores
    scaled = _score_sets(
        {
            name: metrics.temper(array, temperature) if name.endswith("/log_probs") else array
            for name, array in predictions.items()
            if not name.startswith("validation/")
        }
    )
    for name, values in scaled.items():
        scores[name] |= {f"{metric}_scaled": value for metric, value in values.items()}
    return {"validation": {"temperature": float(temperature)}, **scores}


def _score_sets(predictions: Mapping[str, Any]) -> dict[str, dict[str, float]]:
    scores: dict[str, dict[str, float]] = {}
    shifted: dict[str, list[dict[str, float]]] = {}
    for name in (key.removesuffix("/log_probs") for key in predictions if key.endswith("/log_probs")):
        log_probs = predictions[f"{name}/log_probs"]
        labels = predictions.get(f"{name}/labels")
        if name.startswith("ood/"):
            values = score_ood(predictions["test/log_probs"], log_probs)
        elif labels is not None:
            values = score_labelled(log_probs, labels)
        else:
            raise ValueError(f"set {name!r} has no labels; only sets named ood/<name> may have none")
        floats = {metric: float(value) for metric, value in values.items()}
        if not name.startswith("shift/"):
            scores[name] = floats
            continue
        corruption, severity = name.removeprefix("shift/").rsplit("_", 1)
        for group in ("shift", f"shift/severity_{severity}", f"shift/{corruption}"):
            shifted.setdefault(group, []).append(floats)
    for group in sorted(shifted):
        of_group = shifted[group]
        scores[group] = {metric: float(np.mean([values[metric] for values in of_group])) for metric in of_group[0]}
    return scores


def _score_members(member_log_probs: jax.Array) -> dict[str, jax.Array]:
    """Means over the set of what needs no labels."""
    return {name: values.mean() for name, values in in_chunks(_members_on_examples, member_log_probs).items()}


def _members_on_examples(member_log_probs: jax.Array) -> dict[str, jax.Array]:
    """The same of each example, `[b]`."""
    return {
        **metrics.decompose(member_log_probs)._asdict(),
        "variation_ratio": metrics.variation_ratio(member_log_probs),
        "disagreement": metrics.disagreement(member_log_probs),
        "pairwise_kl": metrics.pairwise_kl(member_log_probs),
        "pairwise_js": metrics.pairwise_js(member_log_probs),
    }


def in_chunks(function: Callable[[jax.Array], Any], member_log_probs: jax.Array) -> Any:
    """`function` from `[m, b, c]` to arrays `[b, ...]`, of so many examples at a time that memory stays bounded."""
    members, examples, classes = member_log_probs.shape
    size = max(1, SCORED_AT_ONCE // (members * classes))
    whole = examples // size
    if whole == 0 or examples == size:
        return function(member_log_probs)
    chunks = jax.lax.map(
        lambda i: function(jax.lax.dynamic_slice_in_dim(member_log_probs, i * size, size, axis=1)), jnp.arange(whole)
    )
    rest = function(member_log_probs[:, whole * size :])
    return jax.tree.map(
        lambda of_chunks, of_rest: jnp.concatenate([of_chunks.reshape(-1, *of_chunks.shape[2:]), of_rest]), chunks, rest
    )
