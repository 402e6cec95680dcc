"""How often a judgement is wrong, and how often it sees what is there: studies drawn from measured variances.

    python -m experiments.judge_simulation                  # minutes; see `seconds` in the result
    python -m experiments.judge_simulation --runs runs/x    # measures that study first, test examples included

Variance components are those of the studies in `experiments/results`: of `components_<study>.json` where it was
measured from predictions, otherwise of the scores of their runs, which hold no share of the test examples. From them
studies of several sizes are drawn whose methods stand at a known position, the same by every endpoint, and each is
judged. A statement is false where the position is not strictly inside of what it says, so that the edges are the worst;
and, since "worse than a single model" is said by a sequence that an equivalence ends, a method that is equivalent by
the first endpoint and at the edge of "far below" by all others.
"""

import dataclasses
import json
import time
import zlib
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import rich
import tyro
from rich.progress import track
from scipy import stats

from be_jax.files import write_atomically
from be_jax.results import StudyResult
from be_jax.stats import JudgeConfig, Row, ratio
from be_jax.stats.claims import (
    BELOW_HALF,
    BETTER_THAN_DEEP,
    FAR_BELOW_SINGLE,
    NEAR_DEEP,
    NEAR_SINGLE,
    TO_DEEP,
    TO_SINGLE,
    WORSE_THAN_SINGLE,
    Verdict,
    families,
    judge_claim,
)
from be_jax.stats.components import Components, Drawn, draw, measure
from be_jax.stats.of_results import of_results, references_of, seeds_factor, seeds_of
from be_jax.stats.rows import NO_GAIN, upper_corrected
from be_jax.stats.study import collect, members_of
from be_jax.study import provenance
from experiments import command_line

RESULTS = Path(__file__).parent / "results"
POSITIONS = {str(position): (position, position) for position in (0.0, 0.25, 0.5, 0.75, 1.0)} | {
    "0.0, others -0.25": (0.0, -0.25)
}
"""By the first endpoint, and by all others."""
CLAIMS = ("C1", "C2")


@dataclasses.dataclass(frozen=True)
class Config:
    """Attributes:
    studies: whose variance components to use, by the names of their results.
    runs: folders of studies to measure anew, from their predictions; each is kept as `components_<folder's name>.json`.
    seeds: of the method in the drawn studies.
    networks_per_seed: of the pool, for each seed.
    repetitions: studies of each size and position.
    out: where to write the result.
    """

    studies: tuple[str, ...] = ("mnist_embedded",)
    runs: tuple[Path, ...] = ()
    seeds: tuple[int, ...] = (5, 10, 20, 40)
    networks_per_seed: int = 2
    repetitions: int = 300
    out: Path = RESULTS / "judge_simulation.json"


def components_of(name: str) -> Components:
    """Of a committed study: measured from predictions, or from the scores in its result."""
    path = RESULTS / f"components_{name}.json"
    if path.exists():
        return Components.load(path)
    result = StudyResult.load(RESULTS / f"{name}.json")
    runs = seeds_of(result)
    references = references_of(result, runs)
    if references is None:
        raise ValueError(f"{name} has no single networks or no deep ensembles")
    names = [method for method in runs if method not in ("single", "deep_ensemble", "copies", "single_wide")]
    methods = {method: of_results(result, method, seeds_factor(method)) for method in names}
    config = JudgeConfig().as_measured(references[0].has)
    return measure(name, *references, methods, config.quality, members_of(result))


def measured(folder: Path) -> Components:
    """Of a study's predictions, test examples included."""
    samples, result = collect(folder)
    config = JudgeConfig().as_measured(samples.single.has)
    methods = {name: sample for name, sample in samples.methods.items() if name not in samples.references}
    return measure(folder.name, samples.single, samples.deep_ensemble, methods, config.quality, members_of(result))


def judged(drawn: Drawn, components: Components, config: JudgeConfig) -> tuple[tuple[Row, ...], tuple[Verdict, ...]]:
    """Rows and verdicts of a drawn study."""
    rows = []
    for index, endpoint in enumerate(components.endpoints):
        part, whole = drawn.gains(index)
        position = ratio(part, whole, config.confidence)
        told = position.bounded and whole.value > 0
        corrected = upper_corrected(part, whole, position, config)
        rows.append(Row(endpoint, position, upper_corrected=corrected, reason="" if told else NO_GAIN))
    return tuple(rows), tuple(judge_claim(claim, rows, config) for claim in CLAIMS)  # type: ignore[arg-type]


def false_statements(verdict: Verdict, positions: np.ndarray, gains: np.ndarray, margin: float) -> set[str]:
    """The families of a claim of which something false is said, where endpoints have these positions and gains."""
    found = set()
    for index, family in enumerate(families(verdict.claim, margin)):
        words = {region.words: region for region in family}
        for stated, position, gain in zip(verdict.stated, positions, gains, strict=True):
            region = words.get(stated.words)
            if region and not (gain > 0 and region.low < position < region.high):
                found.add(f"{verdict.claim} {FAMILIES[verdict.claim][index]}")
    return found


FAMILIES: Mapping[str, Sequence[str]] = {"C1": ("apart", "equivalent"), "C2": ("equivalent", "outside", "nearer")}


def simulate(
    components: Components, seeds: int, networks: int, repetitions: int, config: JudgeConfig
) -> dict[str, Any]:
    """Rates over studies of one size, by position."""
    rates: dict[str, dict[str, Any]] = {}
    covered: dict[str, list[bool]] = defaultdict(list)
    for at, (name, (first, others)) in enumerate(POSITIONS.items()):
        positions = np.array([first] + [others] * (len(components.endpoints) - 1))
        false: Counter[str] = Counter()
        said: Counter[str] = Counter()
        reached = []
        for repetition in range(repetitions):
            random = np.random.default_rng([repetition, seeds, networks, at, zlib.crc32(components.source.encode())])
            drawn = draw(components, seeds, networks, positions, random)
            rows, verdicts = judged(drawn, components, config)
            wrong = set[str]().union(
                *(false_statements(verdict, positions, components.gain, config.margin) for verdict in verdicts)
            )
            false.update({*wrong, *(["any"] if wrong else [])})
            _, tracks = verdicts
            said.update([tracks.stated[0].words or "nothing"])
            reached.append(tracks.reached)
            for row, position, gain in zip(rows, positions, components.gain, strict=True):
                if gain > 0:
                    covered[str(row.endpoint)].append(row.position.holds(position))
        rates[name] = {
            "false": {name: _rate(false[name], repetitions) for name in ("any", *sorted(set(false) - {"any"}))},
            "primary": {words: round(count / repetitions, 5) for words, count in said.most_common()},
            "endpoints_decided": round(float(np.mean(reached)), 2),
        }
    return {
        "positions": rates,
        "power": {
            "nearer": {p: _power(rates[p]["primary"], p) for p in ("0.0", "1.0")},
            "equivalent": {p: rates[p]["primary"].get(w, 0.0) for p, w in (("0.0", TO_SINGLE), ("1.0", TO_DEEP))},
        },
        "coverage": {endpoint: round(float(np.mean(inside)), 4) for endpoint, inside in covered.items()},
    }


def _power(primary: Mapping[str, float], position: str) -> float:
    """How often the primary endpoint is shown to be on the right side of the middle, by whatever words."""
    to_deep = (TO_DEEP, NEAR_DEEP, BETTER_THAN_DEEP)
    to_single = (TO_SINGLE, NEAR_SINGLE, WORSE_THAN_SINGLE, BELOW_HALF, FAR_BELOW_SINGLE)
    right = to_single if position == "0.0" else to_deep
    return round(sum(primary.get(words, 0.0) for words in right), 3)


def _rate(count: int, of: int) -> dict[str, float]:
    """A rate with its one-sided 95 % upper bound (Clopper and Pearson 1934)."""
    upper = float(stats.beta.ppf(0.95, count + 1, of - count)) if count < of else 1.0
    return {"rate": round(count / of, 4), "at_most": round(upper, 4)}


def main() -> None:
    config = tyro.cli(Config, description=__doc__)
    started, judge = time.perf_counter(), JudgeConfig()
    for folder in config.runs:
        measured(folder).save(RESULTS / f"components_{folder.name}.json")
    names = tuple(dict.fromkeys([*config.studies, *(folder.name for folder in config.runs)]))
    found = {name: components_of(name) for name in names}
    sizes = [(name, seeds, config.networks_per_seed * seeds) for name in names for seeds in config.seeds]
    simulated = {
        f"{name}, {seeds} seeds, {networks} networks": simulate(found[name], seeds, networks, config.repetitions, judge)
        for name, seeds, networks in track(sizes, description="simulating")
    }
    for name, rates in simulated.items():
        worst = max(each["false"]["any"]["rate"] for each in rates["positions"].values())
        rich.print(f"{name}: false at most {worst}, power {rates['power']}, coverage {rates['coverage']}")
    record = {
        "config": {k: v for k, v in dataclasses.asdict(config).items() if k not in ("out", "runs")},
        "judge": dataclasses.asdict(judge),
        "components": {name: {"units": dict(c.units), "blocks": c.blocks} for name, c in found.items()},
        "simulated": simulated,
        "seconds": round(time.perf_counter() - started),
        "provenance": provenance("experiments.judge_simulation"),
    }
    write_atomically(config.out, json.dumps(record, indent=1) + "\n")


if __name__ == "__main__":
    command_line.run(main, ValueError, interrupted=command_line.NOTHING_KEPT)
