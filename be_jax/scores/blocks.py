"""Scores of one run on all examples, and without each of 50 blocks of them: all that a jackknife over examples needs.

Test examples are a sample, as seeds are. To know how much a score would vary with other examples, it is computed again
without each of `BLOCKS` random blocks. From sums over blocks (and, for an area under a ROC curve, pairs won between
blocks) that costs one pass over the examples, and predictions need not be kept in memory once they are scored.
"""

import functools
from collections.abc import Callable, Collection, Mapping, Sequence

import jax
import numpy as np

from be_jax import metrics
from be_jax.scores.of_run import temperature_of

OOD = "ood"
"""The set that is the mean over all out-of-distribution sets, as `shift` is over all shifted ones."""

BLOCKS = 50
"""Blocks of examples: 49 degrees of freedom, so that seeds, of which there are few, decide the quantiles."""

ECE_BINS = 15
_CHUNK_SIZE = 2**24  # log-probabilities scored at a time

Predictions = Mapping[str, np.ndarray]
Scores = dict[tuple[str, str], np.ndarray]
"""`{(set, metric): [1 + BLOCKS]}` float64: the score on all examples, then without block 0, 1, ..."""


def score_run(predictions: Predictions, sets: Collection[str] | None = None) -> Scores:
    """Scores of one run, on all examples and without each block of them.

    Sets of the same size have the same blocks, so a block holds the same images in `test` as in its corrupted versions.
    Metrics have the names and values of `be_jax.scores.score_predictions`: `accuracy`, `nll`, `brier` and `ece` of
    labelled sets; `auroc_max_probability` and `auroc_epistemic` of `ood/<name>` against `test`; and `epistemic`,
    `disagreement` and `pairwise_js` of all. Where there is a set `validation`, one temperature is fitted on it, for all
    members, and `<metric>_scaled` are quality and detection of the predictions at it.

    Args:
      predictions: `<set>/log_probs` `[m, n, c]` with sets named `validation`, `test`, `shift/<corruption>_<severity>`
        and `ood/<name>`, and `<set>/labels` `[n]` but for OOD sets. The mean over shifted sets is the set `shift`, that
        over OOD sets the set `ood`.
      sets: to score, of those; all where not given.

    Raises:
      ValueError: a set of fewer than `BLOCKS` examples, or without labels.
    """
    temperature = temperature_of(predictions)
    named = set_names(predictions)
    wanted = [name for name in named if name != "validation" and (sets is None or name in sets)]
    test = _score_examples(predictions["test/log_probs"], temperature) if "test" in named else {}
    scores: Scores = {}
    shifted: list[dict[str, np.ndarray]] = []
    detected: list[dict[str, np.ndarray]] = []
    for name in wanted:
        examples = test if name == "test" else _score_examples(predictions[f"{name}/log_probs"], temperature)
        if name.startswith("ood/"):
            detected.append(_score_ood(test, examples))
            scores |= of_set(name, detected[-1])
        elif name == "test":
            scores |= of_set("test", _score_labelled(name, examples, predictions))
        else:
            shifted.append(_score_labelled(name, examples, predictions))
    return {**scores, **of_set("shift", mean_over_sets(shifted)), **of_set(OOD, mean_over_sets(detected))}


def set_names(predictions: Predictions) -> list[str]:
    """The sets that were predicted."""
    return [key.removesuffix("/log_probs") for key in predictions if key.endswith("/log_probs")]


def quality_scores(log_probs: np.ndarray, labels: np.ndarray) -> dict[str, np.ndarray]:
    """`accuracy`, `nll`, `brier` and `ece` of predictions `[n, c]`, each `[1 + BLOCKS]`."""
    examples = in_chunks(_quality, (log_probs, labels), size=log_probs.shape[1])
    means = {metric: mean_without_blocks(values) for metric, values in examples.items()}
    return {**means, "ece": ece_without_blocks(log_probs.max(axis=1), examples["accuracy"])}


def of_set(name: str, values: Mapping[str, np.ndarray]) -> Scores:
    """Values by metric as scores of a set."""
    return {(name, metric): value for metric, value in values.items()}


def mean_over_sets(values: Sequence[Mapping[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """The mean of every metric over sets; nothing of no sets."""
    return {metric: np.mean([each[metric] for each in values], axis=0) for metric in (values or [{}])[0]}


@functools.cache
def blocks_of(count: int) -> np.ndarray:
    """The block of each of `count` examples, `[count]`, at random and of sizes that differ by at most one.

    Raises:
      ValueError: fewer than `BLOCKS` examples.
    """
    if count < BLOCKS:
        raise ValueError(f"a set of {count} examples is too small to judge by; it needs at least {BLOCKS}")
    return np.random.default_rng(count).permutation(count) % BLOCKS


def mean_without_blocks(values: np.ndarray) -> np.ndarray:
    """Mean of `[n]` over all examples and without each block; NaN where a value is not finite."""
    if not np.isfinite(values).all():
        return np.full(1 + BLOCKS, np.nan)
    sums, counts = _sums(values), _counts(len(values))
    return np.concatenate([[sums.sum() / len(values)], (sums.sum() - sums) / (len(values) - counts)])


def ece_without_blocks(log_confidence: np.ndarray, correct: np.ndarray) -> np.ndarray:
    """Expected calibration error as `metrics.ece`, over all examples and without each block."""
    edges = np.log(np.arange(1, ECE_BINS) / ECE_BINS).astype(log_confidence.dtype)
    cells = blocks_of(len(correct)) * ECE_BINS + np.searchsorted(edges, log_confidence)
    excess = correct - np.exp(log_confidence, dtype=np.float64)
    gaps = np.bincount(cells, excess, BLOCKS * ECE_BINS).reshape(BLOCKS, ECE_BINS)
    total, count = gaps.sum(0), len(correct)
    without = np.abs(total[None] - gaps).sum(1) / (count - _counts(count))
    return np.concatenate([[np.abs(total).sum() / count], without])


def auroc_without_blocks(in_scores: np.ndarray, out_scores: np.ndarray) -> np.ndarray:
    """Area under the ROC curve as `metrics.auroc`, over all examples and without block b of both sets."""
    in_blocks, out_blocks = blocks_of(len(in_scores)), blocks_of(len(out_scores))
    won_by_out = _sums(_below(np.sort(in_scores), out_scores))
    won_from_in = _sums(len(out_scores) - _below(np.sort(out_scores), in_scores))
    inside = np.array(
        [_below(np.sort(in_scores[in_blocks == b]), out_scores[out_blocks == b]).sum() for b in range(BLOCKS)]
    )
    total, n_in, n_out = won_by_out.sum(), len(in_scores), len(out_scores)
    pairs = (n_in - _counts(n_in)) * (n_out - _counts(n_out))
    return np.concatenate([[total / (n_in * n_out)], (total - won_by_out - won_from_in + inside) / pairs])


def _below(ascending: np.ndarray, values: np.ndarray) -> np.ndarray:
    """How many of `ascending` are below each value, those equal to it counted half."""
    return (np.searchsorted(ascending, values, "left") + np.searchsorted(ascending, values, "right")) / 2


def _sums(values: np.ndarray) -> np.ndarray:
    return np.bincount(blocks_of(len(values)), values, BLOCKS)


def _counts(count: int) -> np.ndarray:
    return np.bincount(blocks_of(count), minlength=BLOCKS)


def _score_labelled(name: str, examples: Mapping[str, np.ndarray], predictions: Predictions) -> dict[str, np.ndarray]:
    if f"{name}/labels" not in predictions:
        raise ValueError(f"set {name!r} has no labels; only sets named ood/<name> may have none")
    labels = predictions[f"{name}/labels"]
    scores = {**quality_scores(examples["mixture"], labels), **_score_diversity(examples)}
    if "mixture_scaled" in examples:
        at_temperature = quality_scores(examples["mixture_scaled"], labels)
        scores |= {f"{metric}_scaled": values for metric, values in at_temperature.items()}
    return scores


def _score_ood(test: Mapping[str, np.ndarray], examples: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    names = [name for name in examples if name.startswith(("max_probability", "epistemic"))]
    detection = {f"auroc_{name}": auroc_without_blocks(test[name], examples[name]) for name in names}
    return {**detection, **_score_diversity(examples)}


def _score_diversity(examples: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {metric: mean_without_blocks(examples[metric]) for metric in ("epistemic", "disagreement", "pairwise_js")}


@jax.jit
def _quality(log_probs: jax.Array, labels: jax.Array) -> dict[str, jax.Array]:
    return {
        "accuracy": metrics.accuracy(log_probs, labels),
        "nll": metrics.nll(log_probs, labels),
        "brier": metrics.brier(log_probs, labels),
    }


def _score_examples(member_log_probs: np.ndarray, temperature: float | None) -> dict[str, np.ndarray]:
    """What needs no labels, per example: the mixture `[n, c]`, and uncertainty and diversity `[n]`."""
    members, _, classes = member_log_probs.shape
    by_example, size = (member_log_probs.swapaxes(0, 1),), members * classes
    examples = in_chunks(_unlabelled, by_example, size)
    if temperature is not None:
        scaled = in_chunks(functools.partial(_at_temperature, temperature=temperature), by_example, size)
        examples |= {f"{name}_scaled": values for name, values in scaled.items()}
    return examples


@jax.jit
def _unlabelled(log_probs: jax.Array) -> dict[str, jax.Array]:
    """Of log-probabilities `[n, m, c]`."""
    members = log_probs.swapaxes(0, 1)
    return {
        "mixture": metrics.mixture(members),
        "epistemic": metrics.decompose(members).epistemic,
        "disagreement": metrics.disagreement(members),
        "pairwise_js": metrics.pairwise_js(members),
        "max_probability": metrics.max_probability_uncertainty(members),
    }


@jax.jit
def _at_temperature(log_probs: jax.Array, temperature: jax.Array) -> dict[str, jax.Array]:
    """Of log-probabilities `[n, m, c]`."""
    members = metrics.temper(log_probs.swapaxes(0, 1), temperature)
    return {
        "mixture": metrics.mixture(members),
        "epistemic": metrics.decompose(members).epistemic,
        "max_probability": metrics.max_probability_uncertainty(members),
    }


def in_chunks(
    function: Callable[..., dict[str, jax.Array]], arrays: tuple[np.ndarray, ...], size: int
) -> dict[str, np.ndarray]:
    """`function` of arrays `[n, ...]`, a chunk of examples at a time; `size`: numbers in one example."""
    step = max(1, _CHUNK_SIZE // size)
    parts = [function(*(a[start : start + step] for a in arrays)) for start in range(0, len(arrays[0]), step)]
    return {name: np.concatenate([np.asarray(part[name]) for part in parts]) for name in parts[0]}
