"""A finished study judged from its predictions."""

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path

from be_jax.files import seed_folder
from be_jax.npz import read_npz
from be_jax.results import COPIES, DEEP_ENSEMBLE, SINGLE, SINGLE_WIDE, StudyResult
from be_jax.scores import Predictions, Scores, score_run
from be_jax.stats import controls
from be_jax.stats.config import JudgeConfig
from be_jax.stats.convergence import copies_apart
from be_jax.stats.convergence import undertrained as not_trained
from be_jax.stats.equivalent import FEWEST_NETWORKS, networks_of, size_curve
from be_jax.stats.judge import Progress, Samples, judge, silently
from be_jax.stats.judgement import Judgement
from be_jax.stats.of_results import about, judged_names, notes_on, of_runs, seeds_factor, seeds_of, weights_of
from be_jax.stats.sample import Sample, of_seeds
from be_jax.stats.weights import Weights

Load = Callable[[str, int], Predictions]
"""(method, seed) to the arrays of its `predictions.npz`."""


def judge_study(
    study: Path | StudyResult,
    load: Load | None = None,
    config: JudgeConfig | None = None,
    *,
    weights: Weights | None = None,
    at_start: Mapping[str, Mapping[tuple[str, str], float]] | None = None,
    undertrained: Collection[str] | Mapping[str, str] = (),
    joint: bool = False,
    shift_equivalents: bool = False,
    score: Callable[..., Scores] = score_run,
    progress: Progress = silently,
) -> Judgement:
    """Judges every method of a finished study from its predictions.

    Single networks and deep ensembles come from the pool, the runs of `single`; a method `deep_ensemble` is then one as
    any other. Where the pool is too small for that, or `joint` is given, the runs of `deep_ensemble` are the deep
    ensembles. Methods have seeds of their own. `copies` is the negative control, `single_wide` a reference row; runs
    that diverged are left out, and told.

    Args:
      study: its folder, or its result with `load`.
      load: predictions of a run; from the folder where not given.
      config: level, margin, endpoints.
      weights: what was measured on weights; `weights.json` in the folder where not given and there.
      at_start: `{method: {(set, metric): score before training}}` of the endpoints of C3 and C4; `start.json` in the
        folder where not given and there.
      undertrained: methods that are not judged, perhaps each with the reason, beside those whose curves say so.
      joint: whether deep ensembles that were trained as such are the reference, and not the pool's.
      shift_equivalents: whether equivalents are given under shift too: deep ensembles of every size are then scored on
        shifted sets, which are the many.
      score: of predictions; `ScoredOnce().score_run` does not score again what was scored for the tables.
      progress: wraps what takes long.

    Raises:
      ValueError: the study lacks what a judgement compares.
    """
    samples, result = collect(
        study,
        load,
        config,
        weights=weights,
        at_start=at_start,
        undertrained=undertrained,
        joint=joint,
        shift_equivalents=shift_equivalents,
        score=score,
        progress=progress,
    )
    pooled = samples.single.factor == samples.deep_ensemble.factor
    networks = len(seeds_of(result).get(SINGLE, ()))
    return judge(samples, config, about(result, networks), notes_on(result, pooled, bool(samples.weights)), progress)


def collect(
    study: Path | StudyResult,
    load: Load | None = None,
    config: JudgeConfig | None = None,
    *,
    weights: Weights | None = None,
    at_start: Mapping[str, Mapping[tuple[str, str], float]] | None = None,
    undertrained: Collection[str] | Mapping[str, str] = (),
    joint: bool = False,
    shift_equivalents: bool = False,
    score: Callable[..., Scores] = score_run,
    progress: Progress = silently,
) -> tuple[Samples, StudyResult]:
    """What `judge_study` compares, and the study's result; arguments and errors as there."""
    folder = study if isinstance(study, Path) else None
    is_told = isinstance(undertrained, Mapping)
    named = dict(undertrained) if is_told else dict.fromkeys(undertrained, "named by the user")  # type: ignore[arg-type]
    result = StudyResult.load(folder / "results.json") if folder else study
    assert isinstance(result, StudyResult)
    if unknown := sorted(set(named) - set(result.methods)):
        raise ValueError(f"undertrained names {unknown}; the methods of the study are {', '.join(result.methods)}")
    load = load or (load_from(folder) if folder else None)
    if load is None:
        raise ValueError("a study that is not a folder needs `load`, a function from (method, seed) to its predictions")
    if folder and weights is None and (folder / "weights.json").exists():
        weights = Weights.of_study(folder / "weights.json", result)
    size, runs = members_of(result), seeds_of(result)
    pooled = not joint and len(runs.get(SINGLE, ())) > size
    _check(result, runs, pooled, size)
    networks: list[Predictions] = (
        [load(SINGLE, seed) for seed in runs[SINGLE]]
        if pooled
        else list(networks_of([load(DEEP_ENSEMBLE, seed) for seed in runs[DEEP_ENSEMBLE]]))
    )

    def scored(method: str) -> list[Scores]:
        return [score(load(method, seed)) for seed in progress(runs[method], f"scoring {method}")]

    def of(method: str) -> Sample:
        return of_runs(result, method, runs[method], scored(method))

    methods = {name: of(name) for name in judged_names(runs, pooled)}
    largest = min(len(networks) - 1, 2 * size)
    whole = None if shift_equivalents else {1, size}
    curve = size_curve(networks, largest, whole, score) if len(networks) >= FEWEST_NETWORKS else {}
    single = curve[1] if pooled else of_seeds(scored(SINGLE), "single networks")
    deep = curve[size] if pooled else of_seeds(scored(DEEP_ENSEMBLE), "deep ensembles")
    config = (config or JudgeConfig()).as_measured(single.has)
    samples = Samples(
        methods,
        single,
        deep,
        frozenset({SINGLE_WIDE}),
        of(COPIES) if COPIES in runs else None,
        controls.positive(networks, size, config) if pooled else None,
        weights_of(weights, list(methods), runs, pooled),
        at_start or (_at_start(folder) if folder else {}),
        curve,
        not_trained(result) | named,
        copies_apart=copies_apart(result),
    )
    return samples, result


def members_of(result: StudyResult) -> int:
    """m, of the methods and their deep ensembles."""
    if "members" not in result.config:
        raise ValueError(f"the study's configuration has no `members`; it has {', '.join(result.config)}")
    return int(result.config["members"])


START = "start.json"
"""The file of what a study measured before training."""


def load_start(folder: Path) -> dict[str, dict[str, float]]:
    """`{method: {"<set> <metric>": value}}` of what the study measured before training; empty where it did not."""
    path = folder / START
    return json.loads(path.read_text()) if path.exists() else {}


def _at_start(folder: Path) -> dict[str, dict[tuple[str, str], float]]:
    start = load_start(folder)
    return {name: {tuple(place.split(" ")): v for place, v in of.items()} for name, of in start.items()}  # type: ignore[misc]


def of_folder(folder: Path, method: str, seeds: Sequence[int], sets: Collection[str] | None = None) -> Sample:
    """The runs of a method in a study's folder, scored from their predictions, with blocks of test examples.

    Args:
      folder: of the study.
      method, seeds: which runs.
      sets: to score; all where not given.
    """
    load = load_from(folder)
    return of_seeds([score_run(load(method, seed), sets=sets) for seed in seeds], seeds_factor(method))


def load_from(folder: Path) -> Load:
    """(method, seed) to the predictions of that run of a study, read whole."""

    def load(method: str, seed: int) -> Predictions:
        return read_npz(seed_folder(folder / method, seed) / "predictions.npz")

    return load


def _check(result: StudyResult, runs: Mapping[str, Sequence[int]], pooled: bool, size: int) -> None:
    needed = [SINGLE] if pooled else [SINGLE, DEEP_ENSEMBLE]
    if any(name not in runs for name in needed) or not judged_names(runs, pooled):
        counts = ", ".join(f"{method} ({len(seeds)} runs)" for method, seeds in runs.items())
        raise ValueError(
            f"a judgement needs a pool of more than {size} runs of {SINGLE} (or runs of it and of {DEEP_ENSEMBLE}), "
            f"and another method; the study {result.experiment!r} has {counts or 'no run that did not diverge'}"
        )
