"""A study from nothing to its answer: trained, predicted, scored, its weights measured, judged and reported."""

from rich.console import Console

from be_jax.checkpoint import CheckpointError
from be_jax.judge import Config, judge_folder
from be_jax.parallel import is_first_host, wait_for_hosts
from be_jax.provenance import suggested
from be_jax.report import predictions_in, print_tables, write_report
from be_jax.report.terminal import print_plain
from be_jax.results import DEEP_ENSEMBLE, SINGLE, StudyResult
from be_jax.runs import RunError
from be_jax.scores import ScoredOnce
from be_jax.stats import JudgeConfig, Judgement
from be_jax.stats.study import load_start
from be_jax.stats.weights import Weights
from be_jax.study import Study, run_study
from be_jax.study.start import save_start, score_start
from be_jax.study.weights import TooSlow, measure_weights

NUM_INPUTS = 500
"""Test examples on which members are compared."""
WEIGHTS_AT_MOST_S = 20.0
"""For the weights of one method; where it would be more, they are left to a command of their own."""


def conclude(
    study: Study,
    module: str,
    judge: JudgeConfig | None = None,
    *,
    weights: bool = True,
    shift_equivalents: bool = False,
) -> tuple[StudyResult, Judgement | None]:
    """Runs the study, judges it, and leaves `results.json`, `verdicts.json` and `report.html` in its folder.

    What is finished is not done again. No judgement where the study has no single networks, no deep ensembles or no
    other method to compare, and on hosts that do not write.

    Args:
      study: what to run.
      module: by which it was started, for the provenance.
      judge: level, margin and endpoints, where they are not the default's.
      weights: whether to measure members' weights too.
      shift_equivalents: as in `be_jax.stats.judge_study`.
    """
    pool = [method for method in study.methods if method.name == SINGLE and len(method.seeds) <= study.members]
    if pool and DEEP_ENSEMBLE not in [method.name for method in study.methods] and is_first_host():
        planned = f"{len(pool[0].seeds)} are planned"
        print_plain(f"No judgement will follow: it takes more than {study.members} runs of {SINGLE}, and {planned}.")
    for late, epochs in sorted({(each.train.late_milestones, each.train.epochs) for each in study.methods}):
        if late and is_first_host():
            print_plain(
                f"Milestones {', '.join(map(str, late))} come after the last of {epochs} epochs, and cut nothing."
            )
    scored = ScoredOnce()
    result = run_study(study, module, scored.score_predictions)
    judgement = None
    if is_first_host():
        judgement = _concluded(study, result, module, judge or JudgeConfig(), scored, weights, shift_equivalents)
    wait_for_hosts("the study is concluded")  # or those that write nothing would give up the first one for dead
    return result, judgement


def _concluded(
    study: Study,
    result: StudyResult,
    module: str,
    judge: JudgeConfig,
    scored: ScoredOnce,
    weights: bool,
    shift_equivalents: bool,
) -> Judgement | None:
    try:
        start = load_start(study.folder)
        save_start(start | score_start(study, start), study.folder)
        if weights:
            _measure_weights(study, result, module)
        config = Config(study.folder, judge=judge, shift_equivalents=shift_equivalents)
        return judge_folder(config, Console(), scored.score_run, module)
    except ValueError as error:
        print_tables(result)
        page = write_report(result, predictions_in(study.folder, result), study.folder / "report.html")
        print_plain(f"\nNo judgement of predictions: {error}\nreport: {page}")
        return None


def _measure_weights(study: Study, result: StudyResult, module: str) -> None:
    """Leaves `weights.json` of all runs of the study; one that lacks some, or is of other settings, is renewed."""
    path = study.folder / "weights.json"
    try:
        known = Weights.of_study(path, result) if path.exists() else None
    except ValueError:
        known = None
    inputs = known.about["num_inputs"] if known else NUM_INPUTS
    try:
        measured = measure_weights(study, result, module, inputs, WEIGHTS_AT_MOST_S, known)
        if known is None or measured.scores != known.scores:
            measured.save(path)
    except TooSlow as error:
        command = suggested("experiments.weights", study.folder)
        print_plain(f"Weights of members were not measured: {error}. {command}")
    except (ValueError, RunError, CheckpointError) as error:
        # networks whose units cannot be matched, such as normalised by groups, or whose checkpoints are gone
        print_plain(f"Weights of members were not measured: {error}")
