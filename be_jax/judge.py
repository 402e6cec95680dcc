"""Judges a finished study: where each method stands between a single model and a deep ensemble.

    python -m be_jax.judge runs/mnist_embedded
    python -m be_jax.judge runs/cifar10_cpu --judge.margin 0.2

Reads `results.json` and the predictions of its runs, trains nothing, and leaves `verdicts.json` in the folder and its
report, which opens with the answer. Where `weights.json` is there too, the weights of members are judged.
"""

import dataclasses
from collections.abc import Callable, Iterable
from datetime import date
from pathlib import Path
from typing import Any

import rich.progress
import tyro
from rich.console import Console

from be_jax.command_line import run_main
from be_jax.config import ConfigError, check
from be_jax.provenance import command
from be_jax.report import predictions_in, write_report
from be_jax.report.judged_tables import judged_tables
from be_jax.report.terminal import fitted, print_answer, print_plain
from be_jax.results import StudyResult
from be_jax.stats import JudgeConfig, Judgement, Scores, judge_study, score_run


@dataclasses.dataclass(frozen=True)
class Config:
    """Attributes:
    runs: folder of a finished study.
    out: where to write the verdicts; `verdicts.json` in the folder of the study by default.
    joint: set methods against deep ensembles that were trained as such, not against the pool's.
    undertrained: methods that are not to be judged, since their training was not done.
    shift_equivalents: give deep-ensemble equivalents under shift too, which takes a while.
    judge: level, margin and endpoints.
    """

    runs: tyro.conf.Positional[Path]
    out: Path | None = None
    joint: bool = False
    undertrained: tuple[str, ...] = ()
    shift_equivalents: bool = False
    judge: JudgeConfig = dataclasses.field(default_factory=JudgeConfig)

    @property
    def path(self) -> Path:
        """Where the verdicts are written."""
        return self.out or self.runs / "verdicts.json"


def judge_folder(
    config: Config,
    console: Console | None = None,
    score: Callable[..., Scores] = score_run,
    module: str = "be_jax.judge",
) -> Judgement:
    """Judges the study of a folder, prints the answer, and leaves verdicts and report in it.

    Args:
      config: which folder, and how.
      console: to print to.
      score: of predictions; see `judge_study`.
      module: by which it was started, for the verdicts' provenance.

    Raises:
      ConfigError: the folder is not that of a finished study.
      ValueError: the study lacks what a judgement compares.
    """
    console = console or Console()
    finished = (config.runs / "results.json").exists()
    check(finished, "runs", str(config.runs), "the folder of a finished study, which has a results.json: run it first")

    def progress(items: Iterable[Any], description: str) -> Iterable[Any]:
        return rich.progress.track(items, description=description, console=console, transient=True)

    judgement = judge_study(
        config.runs,
        config=config.judge,
        joint=config.joint,
        undertrained=config.undertrained,
        shift_equivalents=config.shift_equivalents,
        score=score,
        progress=progress,
    )
    made = {"command": command(module), "date": date.today().isoformat()}
    judgement = dataclasses.replace(judgement, about={**judgement.about, "judged": made})
    judgement.save(config.path)
    result = StudyResult.load(config.runs / "results.json")
    print_answer(result, console, judgement)
    for table in judged_tables(result, judgement):
        console.print()
        console.print(fitted(table, console))
    page = write_report(result, predictions_in(config.runs, result), config.runs / "report.html", judgement)
    print_plain(f"\nverdicts: {config.path}\nreport:   {page}", console)
    return judgement


def main() -> None:
    judge_folder(tyro.cli(Config, description=__doc__))


if __name__ == "__main__":
    run_main(main, ConfigError, ValueError, interrupted="interrupted")
