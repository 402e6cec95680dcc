"""Made-up studies for the tests of the report: scores at a chosen place between two methods, and predictions."""

import dataclasses
import functools
import zlib
from collections.abc import Callable, Mapping

import numpy as np

from be_jax.results import PoolRecord, PoolScore, RunRecord, StudyResult

SEEDS = (42, 69, 123, 456, 789)
POSITIONS = {
    "single": 0.0,
    "mc_dropout": 0.3,
    "batch_ensemble": 0.5,
    "batch_ensemble_sign": 0.02,
    "deep_ensemble": 1.0,
}
METHODS = tuple(POSITIONS)
DATA = "embedded_mnist (28x28x1 uint8, 10 classes): train 4,000, validation 500, test 500, ood letters 1,000"

Scores = dict[str, dict[str, float]]


def run_record(method: str, seed: int, scores: Mapping[str, Mapping[str, float]], step: int | None = None) -> RunRecord:
    """A run that was stopped early, or that diverged at `step`."""
    status = "stopped" if step is None else "diverged"
    return RunRecord(
        method, seed, status, 53_018, 12.5 + seed % 7, 40 + seed % 5, 30, step, scores if step is None else {}
    )


def study(runs: list[RunRecord], **config: object) -> StudyResult:
    provenance = {"command": "python -m experiments.mnist --note '<b>'", "date": "2026-01-31", "jax": "0.12"}
    return StudyResult("mnist", DATA, {"init_std": 0.5, "members": 4, **config}, provenance, tuple(runs))


def quality(
    position: float, seed: int, noise: float = 0.02, sets: tuple[str, ...] = ("test", "shift", "ood/letters")
) -> Scores:
    """Scores at `position` from a single network (0) to a deep ensemble (1), with noise of the seed and of the run.

    The parts of the shift differ in difficulty. With a set `validation`, every metric stands a second time as scaled.
    """
    jitter = np.random.default_rng([seed, round(1000 * position) % 2**32]).normal(0, noise, 5)
    at = position + jitter
    shared = np.random.default_rng(seed).normal(0, 0.001)
    labelled = {
        "accuracy": 0.95 + 0.02 * at[0] + shared,
        "nll": 0.20 - 0.08 * at[1] + shared,
        "ece": 0.03 - 0.01 * at[2],
        "brier": 0.08 - 0.02 * at[3],
        "aurc": 0.005 - 0.002 * at[4],
    }
    members = {"epistemic": abs(0.02 * at[0]), "disagreement": abs(0.03 * at[1]), "pairwise_js": abs(0.01 * at[2])}
    detected = {
        f"{metric}_{score}": value
        for score, offset in (("total", 0.0), ("aleatoric", -0.01), ("epistemic", 0.01), ("max_probability", -0.02))
        for metric, value in (("auroc", 0.9 + offset + 0.05 * at[3]), ("aupr", 0.9), ("fpr95", 0.3 - 0.1 * at[4]))
    }

    def of(name: str) -> dict[str, float]:
        if name == "validation":
            return {"temperature": 1.2 + at[0] / 10}
        difficulty = zlib.crc32(name.encode()) % 100 / 100 if name.startswith("shift/") else 0.0
        shifted = {"accuracy": labelled["accuracy"] - 0.3 * difficulty, "nll": labelled["nll"] + difficulty}
        scores = {**(detected if name.startswith("ood/") else labelled | shifted), **members}
        return scores | ({f"{m}_scaled": 0.9 * value for m, value in scores.items()} if "validation" in sets else {})

    return {name: of(name) for name in sets}


def study_at(
    positions: Mapping[str, float], seeds: tuple[int, ...] = SEEDS, noise: float = 0.02, **kwargs: object
) -> StudyResult:
    """A study in which each method sits at a position from a single network to a deep ensemble."""
    return study([run_record(m, s, quality(p, s, noise, **kwargs)) for m, p in positions.items() for s in seeds])


def predictions(
    method: str,
    seed: int,
    corruptions: tuple[str, ...] = (),
    severities: tuple[int, ...] = (),
    ood: tuple[str, ...] = (),
    count: int = 150,
) -> dict[str, np.ndarray]:
    """Arrays as of `predictions.npz`: members that share a function and differ more or less, by method."""
    own = {"single": 0.0, "mc_dropout": 0.8, "batch_ensemble": 1.2, "batch_ensemble_sign": 0.3}.get(method, 1.8)
    members = 1 if method == "single" else 4
    rng = np.random.default_rng([seed, sum(map(ord, method))])
    labels = np.random.default_rng(0).integers(0, 10, count).astype(np.int32)

    def log_probs(signal: float) -> np.ndarray:
        shared = (4 - own**2) ** 0.5 * rng.normal(0, 1, (1, count, 10)) + signal * np.eye(10)[labels]
        logits = shared + own * rng.normal(0, 1, (members, count, 10))
        return (logits - np.log(np.exp(logits).sum(-1, keepdims=True))).astype(np.float32)

    arrays = {"test/log_probs": log_probs(7.0), "test/labels": labels}
    for corruption in corruptions:
        for severity in severities:
            arrays[f"shift/{corruption}_{severity}/log_probs"] = log_probs(7.0 - 1.1 * severity)
            arrays[f"shift/{corruption}_{severity}/labels"] = labels
    return arrays | {f"ood/{name}/log_probs": log_probs(0.0) for name in ood}


def shifted_sets(corruptions: tuple[str, ...], severities: tuple[int, ...]) -> tuple[str, ...]:
    """Names of the means over corruptions, severities or both; none without corruptions."""
    parts = (*(f"shift/{name}" for name in corruptions), *(f"shift/severity_{k}" for k in severities))
    return ("shift", *parts) if corruptions else ()


@functools.cache
def predicted_study(
    methods: tuple[str, ...] = METHODS,
    seeds: tuple[int, ...] = (42, 69),
    diverged: tuple[tuple[str, int], ...] = (),
    corruptions: tuple[str, ...] = ("fog", "shear"),
    severities: tuple[int, ...] = (1, 3),
    ood: tuple[str, ...] = ("letters",),
) -> tuple[StudyResult, Callable[[str, int], dict[str, np.ndarray]]]:
    """A study with scores of `POSITIONS` and, for its figures, `predictions`: the function that loads them."""
    sets = ("test", *shifted_sets(corruptions, severities), *(f"ood/{name}" for name in ood))
    records = [
        run_record(m, s, quality(POSITIONS.get(m, 0.6), s, sets=sets), 123 if (m, s) in diverged else None)
        for m in methods
        for s in seeds
    ]

    @functools.cache
    def load(method: str, seed: int) -> dict[str, np.ndarray]:
        return predictions(method, seed, corruptions, severities, ood)

    return study(records), load


NETWORKS = tuple(range(8))
CIFAR_SETS = (
    *("validation", "test", "ood/cifar100", "ood/mnist_in_colour"),
    *shifted_sets(("generated_fog", "generated_snow", "generated_jpeg_compression"), (1, 5)),
)


def pooled_study(
    positions: Mapping[str, float],
    seeds: tuple[int, ...] = (42, 69, 123),
    noise: float = 0.05,
    sizes: tuple[int, ...] = (1, 2, 4),
    **kwargs: tuple[str, ...],
) -> StudyResult:
    """Single networks, deep ensembles of 1 to 4 of them, and other methods at their positions."""
    singles = [run_record("single", network, quality(0.0, network, noise, **kwargs)) for network in NETWORKS]
    others = [run_record(m, seed, quality(p, seed, noise, **kwargs)) for m, p in positions.items() for seed in seeds]
    alone = quality(0.0, 1, 0.0, **kwargs)

    def record(size: int) -> PoolRecord:
        scores: dict[str, dict[str, PoolScore]] = {}
        for name, values in quality((size - 1) / 3, 1, 0.0, **kwargs).items():
            scores[name] = {}
            for metric, value in values.items():
                each = np.array([run.scores[name][metric] for run in singles])
                gain = value - alone[name][metric]
                without = (each.sum() - each) / (len(each) - 1)
                scores[name][metric] = PoolScore(float(each.mean() + gain), tuple(float(w) for w in without + gain))
        return PoolRecord("single", NETWORKS, size, size * 53_018, scores)

    return dataclasses.replace(study(singles + others), pool=tuple(record(size) for size in sizes))


def cifar_study(shift: str = "generated", sets: tuple[str, ...] = CIFAR_SETS) -> StudyResult:
    """As `experiments.cifar10` leaves it: a pool, a temperature, corruptions, and near and far OOD sets."""
    positions = {method: POSITIONS[method] for method in METHODS[1:-1]}
    result = pooled_study(positions, sets=sets)
    data = "cifar10 (32x32x3 uint8, 10 classes): train 18,000, validation 2,000, test 10,000, ood cifar100 10,000"
    return dataclasses.replace(result, experiment="cifar10", data=data, config={**result.config, "shift": shift})
