"""From the predictions of one run to its scores: of every set, for tables; and without blocks of examples, to judge."""

import hashlib
from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

import jax
import numpy as np

from be_jax import metrics
from be_jax.scores.blocks import BLOCKS, auroc_without_blocks, ece_without_blocks, mean_without_blocks
from be_jax.scores.examples import (
    LABELLED,
    SCALED,
    Examples,
    Predictions,
    groups,
    score_examples,
    stacked_labels,
    summarise_further,
    summarise_labelled,
    summarise_ood,
)

OOD = "ood"
"""The set that is the mean over all out-of-distribution sets, as `shift` is over all shifted ones."""

JUDGED_OF_MEMBERS = ("epistemic", "disagreement", "pairwise_js")
JUDGED_DETECTING = ("max_probability", "epistemic")

Means = dict[str, dict[str, float]]
"""`{set: {metric: value}}`."""

Scores = dict[tuple[str, str], np.ndarray]
"""`{(set, metric): [1 + BLOCKS]}` float64: the score on all examples, then without block 0, 1, ..."""


def score_predictions(predictions: Predictions) -> Means:
    """Every score of one run, `{set: {metric: value}}`, from the arrays of its `predictions.npz`.

    Sets: `test`, `ood/<name>`, and of the shifted sets the means: `shift` over all, `shift/severity_<k>` at each
    severity, `shift/<corruption>` over its severities. Where there is a set `validation`, a temperature is fitted on
    it, its only score; every metric of the other sets then stands a second time, as `<metric>_scaled`, for the
    predictions at that temperature. `be_jax.metrics.further` are of `test` alone.

    Raises:
      ValueError: a set without labels that is not out of distribution.
    """
    temperature = temperature_of(predictions)
    return _means(temperature, _score_sets(predictions, temperature, set_names(predictions), blocks=False))


def score_run(predictions: Predictions, sets: Collection[str] | None = None) -> Scores:
    """Scores of one run, on all examples and without each block of them.

    Sets of the same size have the same blocks, so a block holds the same images in `test` as in its corrupted versions.
    Metrics have the names and values of `score_predictions`: `accuracy`, `nll`, `brier` and `ece` of labelled sets;
    `auroc_max_probability` and `auroc_epistemic` of `ood/<name>` against `test`; and `epistemic`, `disagreement` and
    `pairwise_js` of all. Where there is a set `validation`, one temperature is fitted on it, for all members, and
    `<metric>_scaled` are quality and detection of the predictions at it.

    Args:
      predictions: `<set>/log_probs` `[m, n, c]` with sets named `validation`, `test`, `shift/<corruption>_<severity>`
        and `ood/<name>`, and `<set>/labels` `[n]` but for OOD sets. The mean over shifted sets is the set `shift`, that
        over OOD sets the set `ood`.
      sets: to score, of those; all where not given.

    Raises:
      ValueError: a set of fewer than `BLOCKS` examples, or without labels.
    """
    wanted = [name for name in set_names(predictions) if sets is None or name in sets]
    return _without_blocks(_score_sets(predictions, temperature_of(predictions), wanted, scalars=False))


class ScoredOnce:
    """`score_predictions` and `score_run` that share their work: the same predictions are scored once, for both.

    It keeps scores, which are small, and tells predictions by a hash of them.
    """

    def __init__(self) -> None:
        self._means: dict[bytes, Means] = {}
        self._without: dict[bytes, Scores] = {}

    def score_predictions(self, predictions: Predictions) -> Means:
        """As the function."""
        key = _hash(predictions)
        if key not in self._means:
            names = set_names(predictions)
            can_be_judged = all(predictions[f"{name}/log_probs"].shape[1] >= BLOCKS for name in names)
            temperature = temperature_of(predictions)
            scored = _score_sets(predictions, temperature, names, blocks=can_be_judged)
            self._means[key] = _means(temperature, scored)
            if can_be_judged:
                self._without[key] = _without_blocks(scored)
        return self._means[key]

    def score_run(self, predictions: Predictions, sets: Collection[str] | None = None) -> Scores:
        """As the function; of the others of `sets` perhaps `test` too."""
        if sets is not None:
            used = {*sets, "test", "validation"}
            predictions = {name: a for name, a in predictions.items() if name.rpartition("/")[0] in used}
        key = _hash(predictions)
        if key not in self._without:
            self._without[key] = score_run(predictions)
        return self._without[key]


def temperature_of(predictions: Predictions) -> float | None:
    """The temperature of the members at which their mixture's NLL on `validation` is least; None without that set.

    There is no other definition of "temperature-scaled". Examples whose label has probability 0 in every member are
    left out, for their loss is infinite at every temperature (`metrics.is_impossible`); NaN where none remain.
    """
    if "validation/log_probs" not in predictions:
        return None
    return float(_fitted(predictions["validation/log_probs"], predictions["validation/labels"]))


@jax.jit
def _fitted(member_log_probs: jax.Array, labels: jax.Array) -> jax.Array:
    possible = ~metrics.is_impossible(member_log_probs, labels)
    return metrics.fit_temperature(member_log_probs, labels, mask=possible)


def set_names(predictions: Predictions) -> list[str]:
    """The sets that were predicted."""
    return [key.removesuffix("/log_probs") for key in predictions if key.endswith("/log_probs")]


def of_set(name: str, values: Mapping[str, np.ndarray]) -> Scores:
    """Values by metric as scores of a set."""
    return {(name, metric): value for metric, value in values.items()}


def mean_over_sets(values: Sequence[Mapping[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """The mean over sets of every metric that all of them have; nothing of no sets."""
    shared = [metric for metric in (values or [{}])[0] if all(metric in each for each in values)]
    return {metric: np.mean([each[metric] for each in values], axis=0) for metric in shared}


def with_shifts_averaged(means: Means) -> Means:
    """The same, but in the place of sets `shift/<corruption>_<severity>` their means: `shift` over all,
    `shift/severity_<k>` at each severity, `shift/<corruption>` over its severities.
    """
    shifted: dict[str, list[dict[str, float]]] = {}
    for name, values in means.items():
        if name.startswith("shift/"):
            corruption, severity = name.removeprefix("shift/").rsplit("_", 1)
            for group in ("shift", f"shift/severity_{severity}", f"shift/{corruption}"):
                shifted.setdefault(group, []).append(values)
    others = {name: values for name, values in means.items() if not name.startswith("shift/")}
    averaged = {
        group: {metric: float(np.mean([values[metric] for values in shifted[group]])) for metric in shifted[group][0]}
        for group in sorted(shifted)
    }
    return others | averaged


class _Scored(NamedTuple):
    """Of one set: every score, and the judged ones on all examples and without each block."""

    scalars: dict[str, float]
    without: dict[str, np.ndarray]


def _score_sets(
    predictions: Predictions,
    temperature: float | None,
    wanted: Sequence[str],
    *,
    scalars: bool = True,
    blocks: bool = True,
) -> dict[str, _Scored]:
    """Every set but `validation`, in the order wanted."""
    wanted = [name for name in wanted if name != "validation"]
    for name in wanted:
        if not _is_ood(name) and f"{name}/labels" not in predictions:
            raise ValueError(f"set {name!r} has no labels; only sets named ood/<name> may have none")
    others = [name for name in wanted if name != "test"]
    needs_test = "test" in wanted or any(map(_is_ood, others))
    labelled = [name for name in others if not _is_ood(name)]
    test: Examples = {}
    scored: dict[str, _Scored] = {}
    for names in [
        *([["test"]] if needs_test else []),
        *groups(predictions, labelled),
        *groups(predictions, [name for name in others if _is_ood(name)]),
    ]:
        examples = score_examples(predictions, names, temperature)
        further: dict[str, np.ndarray] = {}
        if names == ["test"]:
            test = examples
            if scalars and "test/labels" in predictions:
                log_probs, labels = predictions["test/log_probs"], predictions["test/labels"]
                further = jax.device_get(summarise_further(examples, log_probs, labels, temperature))
        if _is_ood(names[0]):
            of_all = jax.device_get(summarise_ood(test, examples)) if scalars else {}
            judged = _judged_ood(test, examples) if blocks else {}
        else:
            labels = stacked_labels(predictions, names)
            of_all = jax.device_get(summarise_labelled(examples, labels)) | further if scalars else {}
            judged = _judged_labelled(examples) if blocks else {}
        for i, name in enumerate(names):
            scalars_of_set = {metric: float(of_all[metric][i]) for metric in sorted(of_all, key=_raw_first)}
            scored[name] = _Scored(scalars_of_set, {metric: values[i] for metric, values in judged.items()})
    return {name: scored[name] for name in wanted}


def _judged_labelled(examples: Examples) -> dict[str, np.ndarray]:
    judged = _judged_of_members(examples)
    for end, of in examples.items():
        arrays = {name: np.asarray(of[name]) for name in (*LABELLED, "log_confidence")}
        judged |= {f"{name}{end}": mean_without_blocks(arrays[name]) for name in LABELLED}
        judged[f"ece{end}"] = ece_without_blocks(arrays["log_confidence"], arrays["accuracy"])
    return judged


def _judged_ood(test: Examples, examples: Examples) -> dict[str, np.ndarray]:
    judged = _judged_of_members(examples)
    for end, of in examples.items():
        for name in JUDGED_DETECTING:
            inside = np.asarray(test[end][name][0])
            areas = [auroc_without_blocks(inside, outside) for outside in np.asarray(of[name])]
            judged[f"auroc_{name}{end}"] = np.stack(areas)
    return judged


def _judged_of_members(examples: Examples) -> dict[str, np.ndarray]:
    return {name: mean_without_blocks(np.asarray(examples[""][name])) for name in JUDGED_OF_MEMBERS}


def _means(temperature: float | None, scored: Mapping[str, _Scored]) -> Means:
    validation: Means = {} if temperature is None else {"validation": {"temperature": temperature}}
    return validation | with_shifts_averaged({name: scalars for name, (scalars, _) in scored.items()})


def _without_blocks(scored: Mapping[str, _Scored]) -> Scores:
    scores: Scores = {}
    for name, (_, without) in scored.items():
        if not name.startswith("shift/"):
            scores |= of_set(name, without)
    shifted = [without for name, (_, without) in scored.items() if name.startswith("shift/")]
    detected = [without for name, (_, without) in scored.items() if _is_ood(name)]
    return {**scores, **of_set("shift", mean_over_sets(shifted)), **of_set(OOD, mean_over_sets(detected))}


def _raw_first(metric: str) -> tuple[bool, str]:
    return metric.endswith(SCALED), metric


def _is_ood(name: str) -> bool:
    return name.startswith(f"{OOD}/")


def _hash(predictions: Predictions) -> bytes:
    digest = hashlib.blake2b(digest_size=16)
    for name in sorted(predictions):
        array = np.ascontiguousarray(predictions[name])
        digest.update(f"{name} {array.dtype} {array.shape} ".encode())
        digest.update(array.data)
    return digest.digest()
