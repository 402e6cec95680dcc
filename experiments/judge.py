"""Judges the claims C1 to C4 about every method of a finished study, and how many networks each method is worth.

    python -m experiments.judge runs/mnist_embedded
    python -m experiments.judge runs/cifar10_cpu --judge.gain-margin 0.2

Reads `results.json` and the predictions of its runs, trains nothing, and ends, after a minute or a few, with tables and
the verdicts in words, with `verdicts.json` in the folder of the study, and with its report, which now opens with them.
Methods with a run for each seed are paired by seed with single networks and deep ensembles; where the deep ensembles
come from a pool of networks, the method's seeds and the networks are resampled apart. C4 is judged where
`python -m experiments.weights RUN` has measured the weights of the study.
"""

import dataclasses
import functools
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import tyro
from rich.console import Console
from rich.progress import track

from be_jax.config import ConfigError
from be_jax.report import predictions_in, write_report
from be_jax.report.methods import DEEP_ENSEMBLE, SINGLE, divergence, label
from be_jax.results import StudyResult
from be_jax.runs import seed_folder
from be_jax.stats import (
    Equivalent,
    JudgeConfig,
    Sample,
    conditions,
    deep_ensemble_equivalent,
    equivalent_scores,
    judge,
    networks_of,
    of_pool,
    of_seeds,
    score_run,
    sentence,
    size_curve,
)
from experiments.common import provenance
from experiments.judge_report import Judgement, decisions, figures, made, reading
from experiments.weights_report import STUDIES, Weights

SCALES = (("test", "nll"), ("test", "uncalibrated_nll"), ("test", "brier"), ("shift", "nll"))

Predictions = Mapping[str, np.ndarray]
Runs = Callable[[str, int], Predictions]


@dataclasses.dataclass(frozen=True)
class Config:
    """Attributes:
    runs: folder of a finished study.
    out: where to write the verdicts; `verdicts.json` in the folder of the study by default.
    judge: level and margins.
    """

    runs: tyro.conf.Positional[Path]
    out: Path | None = None
    judge: JudgeConfig = dataclasses.field(default_factory=JudgeConfig)

    @property
    def path(self) -> Path:
        """Where the verdicts are written."""
        return self.out or self.runs / "verdicts.json"


def judge_study(config: Config) -> Judgement:
    """Judges every method other than single networks and deep ensembles.

    Raises:
      ValueError: the study lacks single networks or deep ensembles, or has no other method.
    """
    result = StudyResult.load(config.runs / "results.json")
    methods = [method for method in result.methods if method not in (SINGLE, DEEP_ENSEMBLE) and _seeds(result, method)]
    if not methods or not {SINGLE, DEEP_ENSEMBLE} <= set(result.methods):
        had = ", ".join(result.methods)
        raise ValueError(f"a judgement needs {SINGLE}, {DEEP_ENSEMBLE} and another method; {config.runs} has {had}")
    weights = weights_measured(result, config.runs)
    runs = runs_in(config.runs)
    networks = independent_networks(result, runs)
    verdicts = [
        verdict
        for method, (own, single, deep_ensemble) in samples(result, methods, runs, networks).items()
        for verdict in judge(
            label(result, method),
            *(own, single, deep_ensemble),
            weights.samples(result, method, judged_seeds(result, method)) if weights else None,
            config=config.judge,
        )
    ]
    about = {
        "experiment": result.experiment,
        "data": result.data,
        "study": {name: result.provenance[name] for name in ("command", "date") if name in result.provenance},
        "judge": dataclasses.asdict(config.judge),
        "conditions": conditions(config.judge),
        "networks": len(networks),
        "notes": notes(result, weights),
        "provenance": provenance("judge"),
    }
    measured = methods if result.pooled else [*methods, SINGLE]
    return Judgement(about, tuple(verdicts), equivalents(result, measured, runs, networks))


def runs_in(folder: Path) -> Runs:
    """(method, seed) to the predictions of that run, read whole."""

    def load(method: str, seed: int) -> Predictions:
        with np.load(seed_folder(folder / method, seed) / "predictions.npz") as file:
            return dict(file)

    return load


def samples(
    result: StudyResult, methods: Sequence[str], runs: Runs, networks: Sequence[Predictions]
) -> dict[str, tuple[Sample, Sample, Sample]]:
    """Each method, single networks and deep ensembles: of the same seeds, or the two latter from a pool of networks."""
    score = functools.cache(lambda method, seed: score_run(runs(method, seed)))

    def of(method: str, seeds: Sequence[int]) -> Sample:
        return of_seeds([score(method, seed) for seed in seeds])

    tracked = track(methods, description="scores")
    seeds = {method: judged_seeds(result, method) for method in methods}
    if result.pooled:
        single, deep_ensemble = of_pool(networks, 1), of_pool(networks, result.pooled.size)
        return {method: (of(method, seeds[method]), single, deep_ensemble) for method in tracked}
    return {
        method: (of(method, seeds[method]), of(SINGLE, seeds[method]), of(DEEP_ENSEMBLE, seeds[method]))
        for method in tracked
    }


def judged_seeds(result: StudyResult, method: str) -> list[int]:
    """Of the runs that did not diverge; where methods are paired by seed, those that nowhere did."""
    own = _seeds(result, method)
    if result.pooled:
        return own
    both = set(_seeds(result, SINGLE)) & set(_seeds(result, DEEP_ENSEMBLE))
    return [seed for seed in own if seed in both]


def independent_networks(result: StudyResult, runs: Runs) -> list[Predictions]:
    """The networks of the pool, or else the members of all deep ensembles."""
    if result.pooled:
        return [runs(result.pooled.method, seed) for seed in result.pooled.networks]
    return list(networks_of([runs(DEEP_ENSEMBLE, seed) for seed in _seeds(result, DEEP_ENSEMBLE)]))


def equivalents(
    result: StudyResult, methods: Sequence[str], runs: Runs, networks: Sequence[Predictions]
) -> dict[str, dict[str, Equivalent]]:
    """How many networks each method is worth, by every score; the scale ends at twice as many as it has members.

    Where the scale is made of the members of deep ensembles, a single network may be worth something else than one.
    """
    largest = min(len(networks) - 1, 2 * int(result.config["members"]))
    curve = size_curve(networks, largest)
    worth: dict[str, dict[str, Equivalent]] = {}
    for method in track(methods, description="equivalents"):
        own = of_seeds([equivalent_scores(runs(method, seed)) for seed in _seeds(result, method)])
        detected = [place for place in own.scores[0] if place[1] == "auroc_epistemic"]
        places = [place for place in (*SCALES, *detected) if own.has(*place)]
        worth[label(result, method)] = {
            " ".join(place): deep_ensemble_equivalent(own, curve, *place) for place in places
        }
    return worth


def weights_measured(result: StudyResult, folder: Path) -> Weights | None:
    """What `experiments.weights` left in the folder of the study, if it has been run.

    Raises:
      ValueError: it measured another study.
    """
    path = folder / "weights.json"
    if not path.exists():
        return None
    weights = Weights.load(path)
    if (weights.about["data"], weights.about["config"]) != (result.data, result.config):
        raise ValueError(f"{path} is of a study with other data or settings: run experiments.weights again")
    return weights


def notes(result: StudyResult, weights: Weights | None) -> list[str]:
    """What a reader must know besides: of diverged runs, and where measures of weights come from."""
    told = [f"{label(result, method)}: {text}." for method in result.methods if (text := divergence(result, method))]
    if not result.pooled:
        told.append("The scale's networks are the deep ensembles' members, stopped together.")
    if weights:
        told.append(
            f"C4 is of members as trained or with hidden units matched, whichever are nearer, on "
            f"{weights.about['num_inputs']:,} test images, with intervals over seeds or networks only."
        )
    return told


def _seeds(result: StudyResult, method: str) -> list[int]:
    """Of the runs that did not diverge."""
    return [run.seed for run in result.runs if run.method == method and run.status != "diverged"]


def show(judgement: Judgement) -> None:
    """Prints the verdicts: in a table, with their figures, and in words."""
    console = Console(markup=False, highlight=False)
    console.print(decisions(judgement), figures(judgement), reading(judgement), "", sep="\n")
    for verdict in judgement.verdicts:
        console.print(f"• {sentence(verdict)}")
    console.print(f"\n{made(judgement)}")


def main() -> None:
    config = tyro.cli(Config, description=__doc__)
    judgement = judge_study(config)
    judgement.save(config.path)
    show(judgement)
    result = StudyResult.load(config.runs / "results.json")
    page = write_report(result, predictions_in(config.runs, result), config.runs / "report.html", judgement.verdicts)
    print(f"verdicts: {config.path}\nreport:   {page}")
    if result.experiment in STUDIES and not (config.runs / "weights.json").exists():
        print(f"C4 needs weights: python -m experiments.weights {config.runs}, then this command again")


if __name__ == "__main__":
    try:
        main()
    except (ConfigError, ValueError, OSError) as error:
        sys.exit(f"error: {error}")
