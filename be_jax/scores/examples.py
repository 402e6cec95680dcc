"""From the predictions of sets of one size to numbers of each example, and from these to scalars of each set.

Sets of one size, such as the corrupted versions of a test set, go through one program together: of small sets the calls
would else take longer than the arithmetic.
"""

from collections.abc import Iterator, Mapping, Sequence

import jax
import numpy as np

from be_jax import metrics
from be_jax.metrics import further
from be_jax.metrics.chunks import SCORED_AT_ONCE, in_chunks
from be_jax.npz import Predictions

LABELLED = ("accuracy", "nll", "brier")
UNLABELLED = (
    *("total", "aleatoric", "epistemic"),
    *("variation_ratio", "disagreement", "pairwise_kl", "pairwise_js"),
)
"""Numbers of an example whose mean over a set is a score of the set."""

DETECTING = ("total", "aleatoric", "epistemic", "max_probability")
"""Numbers of an example by which it is told from those in distribution."""

SCALED = "_scaled"
"""Ends the names of scores of predictions at the temperature that was fitted on validation data; others have no end."""

Examples = dict[str, dict[str, jax.Array]]
"""`{"" or SCALED: {name: [g, n] of g sets of n examples}}`; but "mixture", in nats, is `[g, n, c]`."""


def groups(predictions: Predictions, names: Sequence[str]) -> Iterator[list[str]]:
    """The sets by size, so many at a time as are scored at once; those with labels apart from those without."""
    by_size: dict[tuple[int, bool], list[str]] = {}
    for name in names:
        size = predictions[f"{name}/log_probs"].shape[1]
        by_size.setdefault((size, f"{name}/labels" in predictions), []).append(name)
    for of_size in by_size.values():
        most = max(1, SCORED_AT_ONCE // predictions[f"{of_size[0]}/log_probs"].size)
        yield from (list(part) for part in np.array_split(of_size, -(-len(of_size) // most)))


def score_examples(predictions: Predictions, names: Sequence[str], temperature: float | None) -> Examples:
    """Of every example of sets of one size, as given and, unless the temperature is None, at it."""
    log_probs = np.concatenate([predictions[f"{name}/log_probs"] for name in names], axis=1)
    labels = stacked_labels(predictions, names) if f"{names[0]}/labels" in predictions else None
    return _examples(log_probs, labels, temperature, len(names))


def stacked_labels(predictions: Predictions, names: Sequence[str]) -> np.ndarray:
    """`[g, n]`."""
    return np.stack([predictions[f"{name}/labels"] for name in names])


@jax.jit
def summarise_labelled(examples: Examples, labels: jax.Array) -> dict[str, jax.Array]:
    """Scalars of labelled sets, each `[g]`: quality and calibration of the mixture, uncertainty, diversity."""

    def of_set(slot: tuple[Mapping[str, jax.Array], jax.Array]) -> dict[str, jax.Array]:
        of, labels = slot
        uncertainty, correct = metrics.max_probability_uncertainty(of["mixture"][None]), of["accuracy"]
        return {
            **{name: of[name].mean() for name in (*LABELLED, *UNLABELLED)},
            "ece": metrics.ece(of["mixture"], labels),
            "adaptive_ece": metrics.adaptive_ece(of["mixture"], labels),
            "classwise_ece": metrics.classwise_ece(of["mixture"], labels),
            "aurc": metrics.aurc(uncertainty, correct),
            "coverage_at_5_risk": metrics.coverage_at_risk(uncertainty, correct, risk=0.05),
            "risk_at_80_coverage": metrics.risk_at_coverage(uncertainty, correct, coverage=0.8),
        }

    return _flat({end: jax.lax.map(of_set, (of, labels)) for end, of in examples.items()})


def summarise_further(
    examples: Examples, log_probs: np.ndarray, labels: np.ndarray, temperature: float | None
) -> dict[str, jax.Array]:
    """Further scalars of one labelled set, each `[1]`, see `be_jax.metrics.further`.

    Args:
      examples: of the set.
      log_probs: of its members as given, `[m, n, c]`.
      labels: `[n]`.
      temperature: of the scaled examples.
    """
    mixtures = {end: of["mixture"][0] for end, of in examples.items()}
    return _further_of_mixture(mixtures, labels) | _further_of_members(mixtures, log_probs, labels, temperature)


@jax.jit
def _further_of_mixture(mixtures: Mapping[str, jax.Array], labels: jax.Array) -> dict[str, jax.Array]:
    """One program for every number of members."""
    ends = {
        end: further.Labelled(None, mixture, labels)  # type: ignore[arg-type]  # a score that reads members needs them
        for end, mixture in mixtures.items()
    }
    return _each(ends, of_members=False)


@jax.jit
def _further_of_members(
    mixtures: Mapping[str, jax.Array], log_probs: jax.Array, labels: jax.Array, temperature: jax.Array | None
) -> dict[str, jax.Array]:
    ends = {
        end: further.Labelled(members, mixtures[end], labels) for end, members in _ends(log_probs, temperature).items()
    }
    return _each(ends, of_members=True)


def _each(ends: Mapping[str, further.Labelled], of_members: bool) -> dict[str, jax.Array]:
    return _flat({end: jax.tree.map(lambda a: a[None], further.further(of, of_members)) for end, of in ends.items()})


@jax.jit
def summarise_ood(inside: Examples, outside: Examples) -> dict[str, jax.Array]:
    """Scalars of out-of-distribution sets, each `[g]`: detection by four scores, and what the members say of them.

    Args:
      inside: of the one set in distribution.
      outside: of the others.
    """

    def of_sets(end: str) -> dict[str, jax.Array]:
        in_scores = {name: inside[end][name][0] for name in DETECTING}

        def of_set(of: Mapping[str, jax.Array]) -> dict[str, jax.Array]:
            detections = metrics.detection_by(in_scores, {name: of[name] for name in DETECTING})
            flat = {f"{m}_{score}": value for score, d in detections.items() for m, value in d._asdict().items()}
            return {**flat, **{name: of[name].mean() for name in UNLABELLED}}

        return jax.lax.map(of_set, outside[end])

    return _flat({end: of_sets(end) for end in outside})


def _ends(log_probs: jax.Array, temperature: jax.Array | None) -> dict[str, jax.Array]:
    """Log-probabilities of members as given and, unless the temperature is None, at it."""
    scaled = {} if temperature is None else {SCALED: metrics.temper(log_probs, temperature)}
    return {"": log_probs, **scaled}


def _flat(values: Mapping[str, Mapping[str, jax.Array]]) -> dict[str, jax.Array]:
    return {f"{name}{end}": value for end, of in values.items() for name, value in of.items()}


@jax.jit(static_argnums=3)
def _examples(log_probs: jax.Array, labels: jax.Array | None, temperature: jax.Array | None, sets: int) -> Examples:
    examples = {}
    for end, of in _ends(log_probs, temperature).items():
        flat = in_chunks(_of_members, of)
        if labels is not None:
            flat |= {name: getattr(metrics, name)(flat["mixture"], labels.reshape(-1)) for name in LABELLED}
        examples[end] = jax.tree.map(lambda a: a.reshape(sets, -1, *a.shape[1:]), flat)
    return examples


def _of_members(log_probs: jax.Array) -> dict[str, jax.Array]:
    """What needs no labels."""
    mixture = metrics.mixture(log_probs)
    return {
        "mixture": mixture,
        "log_confidence": mixture.max(-1),
        "max_probability": metrics.max_probability_uncertainty(log_probs),
        **metrics.decompose(log_probs)._asdict(),
        "variation_ratio": metrics.variation_ratio(log_probs),
        "disagreement": metrics.disagreement(log_probs),
        "pairwise_kl": metrics.pairwise_kl(log_probs),
        "pairwise_js": metrics.pairwise_js(log_probs),
    }
