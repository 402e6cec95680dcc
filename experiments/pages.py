"""Writes the pages of results, and the findings of README.md, from what is committed in `experiments/results`.

    python -m experiments.pages                                              # all pages anew; seconds
    python -m experiments.pages --runs runs/mnist_full --name mnist_full     # first commits a finished study there

A study's page `<name>.md` is made from its `<name>.json`, `verdicts_<name>.json` and `weights_<name>.json`; its figures
are drawn from the predictions in its run folder, when it is committed. Other experiments leave one file, `<name>.json`,
from which page and figures are made. A test fails where a page is not current.
"""

import dataclasses
import json
import re
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import tyro
from matplotlib.figure import Figure

from be_jax.config import check
from be_jax.files import replacing, write_atomically
from be_jax.report import answer, draw_figures, markdown_table, predictions_in
from be_jax.report.columns import DASH
from be_jax.report.figures.learning import learning_curves
from be_jax.report.figures.position import positions
from be_jax.report.judged_tables import judged_tables
from be_jax.report.markdown import to_markdown
from be_jax.report.methods import label
from be_jax.report.tables import fit_tables
from be_jax.report.words import counted, listed
from be_jax.results import StudyResult
from be_jax.stats import Judgement, Weights
from experiments import (
    ablation_report,
    command_line,
    disentanglement_report,
    diversity_report,
    phase_report,
    published,
    small_report,
    start_distance,
    start_distance_report,
    tabular_report,
    toy_figures,
    weights_report,
    widths_report,
    zoo_report,
)
from experiments import findings as findings_page
from experiments.cost.result import Result
from experiments.cost.shown import markdown as cost_page
from experiments.evidence import ZOOS
from experiments.headlines import NOTES, RESULTS, TITLES, bulleted, committed, costs, diversity, findings, headlines

README = Path(__file__).parent.parent / "README.md"

RECORDS = {
    "phase": phase_report,
    "widths": widths_report,
    "disentanglement": disentanglement_report,
    "tabular": tabular_report,
    "toy": toy_figures,
    "diversity": diversity_report,
    **dict.fromkeys(ZOOS, zoo_report),
}
"""Experiments of one file, by its name, with what writes their page."""

SAYING = {
    "phase": phase_report,
    "disentanglement": disentanglement_report,
    "tabular": tabular_report,
    **dict.fromkeys(ZOOS, zoo_report),
}
"""Those of them that have sentences for the page of findings."""

LEARNING_RATES = ("learning_rates_cifar10_cpu", "learning_rates_mnist_rates")
"""Of studies that have a rate for each method, on whose pages they are told."""

FIGURES = ("severity", "pool", "learning")
OF_PUBLISHED_DATA = ("mnist_full", "mnist_published", "cifar10_cpu")
"""Those whose figures can be set beside published ones."""


@dataclasses.dataclass(frozen=True)
class Config:
    """Attributes:
    runs: folder of a finished study to commit, or of learning rates.
    name: under which it is committed; `learning_rates_<study>` of learning rates.
    """

    runs: Path | None = None
    name: str | None = None

    def __post_init__(self) -> None:
        check((self.runs is None) == (self.name is None), "name", self.name, "given with runs, and only then")
        names = (*TITLES, *RECORDS, *LEARNING_RATES)
        check(self.name is None or self.name in names, "name", self.name, f"one of {', '.join(names)}")


def commit(runs: Path, name: str) -> list[Path]:
    """Copies a finished study's result, verdicts and weights to `experiments/results`, and draws its figures there.

    Raises:
      FileNotFoundError: the study has not been judged, or the experiment not finished.
    """
    if name in LEARNING_RATES:
        return [Path(shutil.copy(runs / "learning_rates.json", RESULTS / f"{name}.json"))]
    if name in RECORDS:
        files = [runs / f"{name}.json", *sorted(runs.glob(f"{name}*.png"))]
        return [Path(shutil.copy(file, RESULTS)) for file in files]
    result, judgement = StudyResult.load(runs / "results.json"), Judgement.load(runs / "verdicts.json")
    _summary(result).save(RESULTS / f"{name}.json")
    judgement.save(RESULTS / f"verdicts_{name}.json")
    of_before = RESULTS / f"weights_{name}.json"
    of_before.unlink(missing_ok=True)
    if (runs / "weights.json").exists():
        Weights.load(runs / "weights.json").save(of_before)
    if name == "ablation":
        return _draw({f"{name}_{key}": figure for key, figure in ablation_report.draw(result, judgement).items()})
    drawn = [each for each in draw_figures(result, predictions_in(runs, result)) if each.name in FIGURES]
    return _draw({f"{name}_{each.name}": each.figure for each in (positions(result, judgement), *drawn)})


def _draw(figures: Mapping[str, Figure]) -> list[Path]:
    paths = []
    for name, figure in figures.items():
        paths.append(RESULTS / f"{name}.png")
        with replacing(paths[-1]) as file:
            figure.savefig(file, dpi=110)
    return paths


def _summary(result: StudyResult) -> StudyResult:
    """Without the scores of each corruption, which are most of a file: they stay in the study's own folder."""

    def kept(scores: Mapping[str, Any]) -> dict[str, Any]:
        return {
            name: values
            for name, values in scores.items()
            if not name.startswith("shift/") or name.startswith("shift/severity_")
        }

    return dataclasses.replace(
        result,
        runs=tuple(dataclasses.replace(run, scores=kept(run.scores)) for run in result.runs),
        pool=tuple(dataclasses.replace(record, scores=kept(record.scores)) for record in result.pool),
    )


def pages() -> Iterator[tuple[Path, str]]:
    """Every generated file with its text: a page for each committed study, the index, and README.md."""
    studies = [name for name in TITLES if (RESULTS / f"verdicts_{name}.json").exists()]
    for name in studies:
        yield RESULTS / f"{name}.md", page(name)
    own = {name: (*headlines(name), *diversity(name)) for name in studies if name != "ablation"}
    titles = dict(TITLES)
    for name, report in RECORDS.items():
        if (RESULTS / f"{name}.json").exists():
            record = json.loads((RESULTS / f"{name}.json").read_text())
            text = report.to_markdown(record)
            titles[name] = text.splitlines()[0].removeprefix("# ")
            own |= {name: tuple(SAYING[name].sentences(record))} if name in SAYING else {}
            yield RESULTS / f"{name}.md", text
    if known := start_distance.points(RESULTS):
        yield RESULTS / "start_distance.md", start_distance_report.to_markdown(known)
    if (RESULTS / "cost.json").exists():
        yield RESULTS / "cost.md", cost_page(Result.load(RESULTS / "cost.json"), "cost.png")
    said = {f"[{titles[name]}]({name}.md)": sentences for name, sentences in own.items()}
    yield RESULTS / "findings.md", findings_page.to_markdown(said, RESULTS)
    yield RESULTS / "README.md", index(studies)
    yield README, with_part(with_part(README.read_text(), "findings", findings()), "costs", costs())


def page(name: str) -> str:
    """A study: its answer, figures, tables and command."""
    result, judgement = committed(name)
    opening = answer(result, judgement)
    if name == "ablation" and not judgement.failed:
        opening = [*headlines(name), *opening[len(judgement.methods) :]]
    parts = [f"# {TITLES[name]}", bulleted([*opening, *([NOTES[name]] if name in NOTES else [])])]
    for figure in ("position", "settings", *FIGURES[:2]):
        if (RESULTS / f"{name}_{figure}.png").exists():
            parts.append(f"![{figure}]({name}_{figure}.png)")
    parts += ["## Scores", markdown_table(result).strip(), "## Judged"]
    parts.append(to_markdown(judged_tables(result, judgement), level=3).strip())
    parts.append(to_markdown(fit_tables(result)).strip())
    curves = learning_curves(result)
    if curves is not None and (RESULTS / f"{name}_learning.png").exists():
        parts += [f"![learning]({name}_learning.png)", curves.caption]
    if (RESULTS / f"weights_{name}.json").exists():
        names = {method: label(result, method) for method in result.methods}
        measured = Weights.load(RESULTS / f"weights_{name}.json")
        parts += ["## Weights", weights_report.markdown(measured, names).strip()]
    figures = published.FIGURES.get(result.experiment, ())
    if name in OF_PUBLISHED_DATA and figures:
        parts += ["## Beside published figures", published.markdown(result, judgement).strip()]
    if (RESULTS / f"learning_rates_{name}.json").exists():
        parts += [
            "## Learning rates",
            _learning_rates(json.loads((RESULTS / f"learning_rates_{name}.json").read_text())),
        ]
    made = small_report.made({"provenance": result.provenance})
    return "\n\n".join([*parts, "## How this was made", made]) + "\n"


def _learning_rates(record: Mapping[str, Any]) -> str:
    """What `experiments.learning_rates` measured of each method, the chosen rate bold; a dash where it was not."""
    nlls: Mapping[str, Mapping[str, float]] = record["validation_nll"]
    rates = sorted({rate for of in nlls.values() for rate in of}, key=float)

    def shown(method: str, rate: str) -> str:
        text = f"{nlls[method][rate]:.4f}" if rate in nlls[method] else DASH
        return f"**{text}**" if float(rate) == record["chosen"][method] else text

    rows = [[small_report.name_of(method), *(shown(method, rate) for rate in rates)] for method in nlls]
    ends = [
        small_report.name_of(method)
        for method, of in nlls.items()
        if record["chosen"][method] in (min(map(float, of)), max(map(float, of)))
    ]
    at_end = f" At the end of what was tried, so that a rate beyond may be better: {listed(ends)}." if ends else ""
    note = (
        "Each method of the study has the rate in bold, the best of those tried. "
        f"Over {counted(len(record['seeds']), 'seed')} that the study does not use, its schedule divided by "
        f"{record['shorten']}.{at_end} "
        f"`{record['provenance']['command']}`, {record['provenance']['date']}."
    )
    heads = ["validation NLL, temperature-scaled, at a learning rate of", *rates]
    return f"{small_report.table(heads, rows)}\n{note}"


def index(studies: list[str]) -> str:
    """What there is, each with its first sentence."""
    lines = ["# Results", "Generated by `python -m experiments.pages` from the JSON files beside them."]
    for name in studies:
        lines.append(f"- [{TITLES[name]}]({name}.md). {' '.join(headlines(name))}")
    lines.append("**[Findings](findings.md)**: what they come to, and what the literature says, tested.")
    others = sorted(path for path in RESULTS.glob("*.md") if path.stem not in (*TITLES, "README", "findings"))
    titles = [path.read_text().splitlines()[0].removeprefix("# ") for path in others]
    lines += [f"- [{title}]({path.name})" for title, path in zip(titles, others, strict=True)]
    return "\n\n".join(lines) + "\n"


def with_part(text: str, name: str, part: str) -> str:
    """The text with what stands between `<!-- name -->` and `<!-- end of name -->` made anew.

    Raises:
      ValueError: there is no such part.
    """
    pattern = re.compile(rf"(<!-- {name} -->\n).*?(<!-- end of {name} -->)", re.DOTALL)
    if not pattern.search(text):
        raise ValueError(f"README.md has no part <!-- {name} --> ... <!-- end of {name} -->")
    return pattern.sub(lambda match: f"{match[1]}{part}{match[2]}", text)


def main() -> None:
    config = tyro.cli(Config, description=__doc__)
    if config.runs and config.name:
        for path in commit(config.runs, config.name):
            print(path)
        if known := start_distance.points(RESULTS):
            _draw(start_distance_report.draw(known))
    for path, text in pages():
        write_atomically(path, text)


if __name__ == "__main__":
    command_line.run(main, ValueError, interrupted="interrupted")
