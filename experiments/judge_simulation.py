"""How often the judgement is wrong, and how often it sees what is there: simulated studies whose truth is known.

    python -m experiments.judge_simulation     # writes experiments/results/judge_simulation.json; see `seconds` there

Networks are logits: a signal for the label, a difficulty of each example that all networks share, noise of each
network, and a skill of each network. A method of share q has, on a random part q of the examples, m independent members
and elsewhere m copies of one. Its expected accuracy, NLL and diversity are then at q between a single network's and a
deep ensemble's, exactly: q = 0 is a single model, q = 1 a deep ensemble, and q = 0.25 and 0.75 stand on the edges of
the null hypotheses. In a world without gain, deep ensembles are m copies too.

Calibration error and AUROC are not means over examples: the truth about them at 0 < q < 1 is estimated from all
repetitions, and statements about them there are not counted as false where that estimate is within 0.03 of an edge.
"""

import collections
import dataclasses
import gc
import json
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import rich
import tyro
from rich.progress import track

from be_jax.stats import JudgeConfig, Sample, Verdict, judge, of_pool, of_seeds, score_run
from be_jax.study import provenance

CLASSES, MEMBERS, SEEDS, NETWORKS, POOL_SEEDS = 10, 4, 5, 8, 3
SHARES = {"single model": 0.0, "gain at the margin": 0.25, "gain at 1 - margin": 0.75, "deep ensemble": 1.0}
SIGNALS = {"test": 9.0, "shift/noise_1": 5.5, "ood/unseen": 0.0}
DIFFICULTY, NOISE, SKILL = 2.5, 1.05, 0.04
NOT_MEANS = ("ece", "auroc_max_probability")
TOO_NEAR = 0.03
ROUNDING = 1e-6  # of float32, in ratios that are 0 in truth

Predictions = Mapping[str, np.ndarray]


@dataclasses.dataclass(frozen=True)
class Config:
    """Attributes:
    repetitions: simulated studies of a design, each judged under every truth; 0 leaves such studies out.
    examples: of every set.
    large_repetitions, large_examples: the same of larger studies, which show the power at the size of MNIST's test set.
    level: of the judgement.
    out: where to write the result.
    """

    repetitions: int = 200
    examples: int = 1000
    large_repetitions: int = 12
    large_examples: int = 10_000
    level: float = 0.05
    out: Path = Path(__file__).parent / "results" / "judge_simulation.json"


class World(NamedTuple):
    """Examples as all networks see them: logits without noise `{set: [n, c]}`, and the labels `[n]` of every set."""

    logits: Mapping[str, np.ndarray]
    labels: np.ndarray


class Study(NamedTuple):
    """One simulated study: its samples, by truth."""

    single: Sample
    deep_ensemble: Sample
    methods: Mapping[str, Sample]


Row = tuple[str, str, str]
"""Claim, set, metric."""


def draw_world(random: np.random.Generator, examples: int) -> World:
    """As many examples of a test set, a shifted set and an OOD set."""
    labels = random.integers(CLASSES, size=examples)
    truth = np.eye(CLASSES, dtype=np.float32)[labels]
    logits = {
        name: np.float32(signal) * truth + normal(random, DIFFICULTY, truth.shape) for name, signal in SIGNALS.items()
    }
    return World(logits, labels)


def draw_networks(random: np.random.Generator, world: World, count: int) -> dict[str, np.ndarray]:
    """Independent networks, as the members of one file of predictions."""
    skill = 1 + normal(random, SKILL, (count, 1, 1))
    predictions = {}
    for name, logits in world.logits.items():
        own = skill * logits + normal(random, NOISE, (count, *logits.shape))
        predictions[f"{name}/log_probs"] = own - np.log(np.exp(own).sum(-1, keepdims=True))
        if not name.startswith("ood/"):
            predictions[f"{name}/labels"] = world.labels
    return predictions


def with_share(random: np.random.Generator, networks: Predictions, share: float) -> dict[str, np.ndarray]:
    """The members on a random part `share` of the examples, and copies of the first of them on the others."""
    mixed = {}
    for name, array in networks.items():
        if name.endswith("/log_probs"):
            independent = np.less(random.random(array.shape[1]), share)
            array = np.where(independent[None, :, None], array, array[:1])
        mixed[name] = array
    return mixed


def normal(random: np.random.Generator, deviation: float, shape: tuple[int, ...]) -> np.ndarray:
    """Normal numbers in float32."""
    return np.float32(deviation) * random.standard_normal(shape, np.float32)


def paired_study(random: np.random.Generator, examples: int) -> Study:
    """Every method has the same seeds."""
    world = draw_world(random, examples)
    single = of_seeds([score_run(draw_networks(random, world, 1)) for _ in range(SEEDS)])
    deep_ensemble = of_seeds([score_run(draw_networks(random, world, MEMBERS)) for _ in range(SEEDS)])
    return Study(single, deep_ensemble, _methods(random, world, SEEDS, "seeds"))


def pooled_study(random: np.random.Generator, examples: int) -> Study:
    """Single networks and deep ensembles come from a pool, and the method has seeds of its own."""
    world = draw_world(random, examples)
    networks = [draw_networks(random, world, 1) for _ in range(NETWORKS)]
    methods = _methods(random, world, POOL_SEEDS, "seeds of the method")
    return Study(of_pool(networks, 1), of_pool(networks, MEMBERS), methods)


def study_without_gain(random: np.random.Generator, examples: int) -> Study:
    """Deep ensembles are copies of one network too."""
    world = draw_world(random, examples)
    samples = [
        of_seeds([score_run(with_share(random, draw_networks(random, world, m), 0.0)) for _ in range(SEEDS)])
        for m in (1, 2, 2)
    ]
    return Study(samples[0], samples[1], {"no gain": samples[2]})


def _methods(random: np.random.Generator, world: World, seeds: int, factor: str) -> dict[str, Sample]:
    networks = [draw_networks(random, world, MEMBERS) for _ in range(seeds)]
    return {
        truth: of_seeds([score_run(with_share(random, each, share)) for each in networks], factor)
        for truth, share in SHARES.items()
    }


PAIRED, POOLED = f"{SEEDS} paired seeds", f"pool of {NETWORKS} and {POOL_SEEDS} seeds"
DESIGNS = {PAIRED: paired_study, POOLED: pooled_study, f"{PAIRED}, no gain": study_without_gain}


def simulate(design: str, examples: int, repetitions: int, margins: JudgeConfig) -> dict[str, Any]:
    """What was said under each truth, over all repetitions of a design."""
    judged: dict[str, list[tuple[Verdict, ...]]] = collections.defaultdict(list)
    values: dict[str, list[dict[tuple[str, str], np.ndarray]]] = collections.defaultdict(list)
    for repetition in track(range(repetitions), description=f"{design}, {examples:,} examples"):
        random = np.random.default_rng([repetition, examples, list(DESIGNS).index(design)])
        study = DESIGNS[design](random, examples)
        for truth, method in study.methods.items():
            judged[truth].append(judge(truth, method, study.single, study.deep_ensemble, config=margins))
            values[truth].append(_values(method, study))
    return {
        truth: {"repetitions": repetitions, **_rates(verdicts, _truths(truth, values[truth]), margins)}
        for truth, verdicts in judged.items()
    }


def _values(method: Sample, study: Study) -> dict[tuple[str, str], np.ndarray]:
    samples = (method, study.single, study.deep_ensemble)
    return {key: np.array([s.statistic(*key).value for s in samples]) for key in method.scores[0]}


def _truths(truth: str, values: Sequence[Mapping[tuple[str, str], np.ndarray]]) -> dict[tuple[str, str], float]:
    """Gain recovered, or ratio of diversity; NaN where a deep ensemble gains nothing, in truth."""
    truths = {}
    for key in values[0]:
        method, single, deep = np.mean([each[key] for each in values], axis=0)
        gains = key[1] in ("accuracy", "auroc_max_probability")
        has_gain = truth != "no gain" and (deep - single) * (1 if gains or single == 0 else -1) > 0
        exact = SHARES.get(truth, 0.0)
        estimated = key[1] in NOT_MEANS and 0 < exact < 1
        truths[key] = np.nan if not has_gain else (method - single) / (deep - single) if estimated else exact
    return truths


def _is_false(claim: str, decision: str, truth: float, near: float, margins: JudgeConfig) -> bool:
    """Whether a decision on a row is wrong; `near`: how close to an edge the truth must be to count as unknown."""
    if decision not in ("supported", "contradicted"):
        return False
    if np.isnan(truth):
        return True
    edge = margins.diversity_margin if claim in ("C3", "C4") else margins.gain_margin
    supports_below, contradicts_above = (1.0, 1 - edge) if claim == "C1" else (edge, edge)
    at = abs(truth) if claim == "C2" else truth
    if decision == "supported":
        return bool(at >= supports_below + near)
    return bool(at <= contradicts_above - near)


def _rates(
    studies: Sequence[tuple[Verdict, ...]], truths: Mapping[tuple[str, str], float], margins: JudgeConfig
) -> dict[str, Any]:
    """Rates of any false statement, of each verdict, and of each decision on a row; and coverage of the intervals."""
    claims: dict[str, collections.Counter[str]] = collections.defaultdict(collections.Counter)
    rows: dict[Row, collections.Counter[str]] = collections.defaultdict(collections.Counter)
    covered: dict[tuple[str, str], list[bool]] = collections.defaultdict(list)
    false_studies = 0
    for verdicts in studies:
        is_false = False
        for verdict in verdicts:
            claims[verdict.claim][verdict.decision] += 1
            for row in verdict.evidence:
                key = (row.set_name, row.metric)
                rows[verdict.claim, *key][row.decision] += 1
                near = TOO_NEAR if row.metric in NOT_MEANS and truths[key] not in (0.0, 1.0) else 0.0
                is_false |= _is_false(verdict.claim, row.decision, truths[key], near, margins)
                # Each gain stands in C1 and in C2.
                if verdict.claim != "C1" and not np.isnan([row.lower, truths[key]]).any():
                    covered[key].append(row.lower - ROUNDING <= truths[key] <= row.upper + ROUNDING)
        false_studies += is_false
    count = len(studies)
    return {
        "false_statement": false_studies / count,
        "verdicts": {claim: _shares(decisions) for claim, decisions in claims.items() if claim != "C4"},
        "rows": {" ".join(row): _shares(decisions) for row, decisions in rows.items()},
        "truth": {" ".join(key): None if np.isnan(value) else round(float(value), 3) for key, value in truths.items()},
        "coverage": {" ".join(key): round(float(np.mean(inside)), 3) for key, inside in covered.items()},
    }


def _shares(decisions: Mapping[str, int]) -> dict[str, float]:
    total = sum(decisions.values())
    return {decision: round(count / total, 3) for decision, count in sorted(decisions.items())}


def main() -> None:
    config = tyro.cli(Config, description=__doc__)
    gc.freeze()  # statsmodels collects garbage at every correction, which is slow among jax's many objects
    started = time.perf_counter()
    margins = JudgeConfig(level=config.level, resamples=500)
    sizes = [(design, config.examples, config.repetitions) for design in DESIGNS]
    sizes += [(design, config.large_examples, config.large_repetitions) for design in (PAIRED, POOLED)]
    rates = {
        f"{design}, {examples:,} examples": simulate(design, examples, n, margins) for design, examples, n in sizes if n
    }
    for name, truths in rates.items():
        for truth, rate in truths.items():
            rich.print(f"{name}; truth: {truth}; false statements in {rate['false_statement']:.3f}", rate["verdicts"])
    result = {
        "config": {k: v for k, v in dataclasses.asdict(config).items() if k != "out"},
        "judge": dataclasses.asdict(margins),
        "rates": rates,
        "seconds": round(time.perf_counter() - started),
        "provenance": provenance("experiments.judge_simulation"),
    }
    config.out.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
