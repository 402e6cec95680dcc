"""Writes the generated parts of README.md, between `<!-- name -->` and `<!-- end of name -->`, from results.

    python -m experiments.readme                           # the tables and sentences; seconds
    python -m experiments.readme --runs runs/cifar10_cpu   # also the figures, from that folder's predictions

To show a new study: copy its `results.json` to `experiments/results/<name>.json`, write a part `<name>` and links to
`experiments/results/<name>_<figure>.png` into README.md, and run the second command. A test fails where README.md is
not current. Verdicts that `be_jax.judge` wrote to `experiments/results/verdicts_<name>.json` are shown by a part
`verdicts_<name>`, what `experiments.weights` measured, in `experiments/results/weights_<name>.json`, by a part
`weights_<name>`, what was published beside a study's figures by a part `published_<name>`, and the tables of
`experiments.tabular` by a part `tabular`.
"""

import dataclasses
import json
import re
from pathlib import Path

import tyro

from be_jax.files import replacing, write_atomically
from be_jax.report import answer, draw_figures, markdown_table, predictions_in
from be_jax.report.judged_tables import judged_tables
from be_jax.report.markdown import to_markdown
from be_jax.report.methods import label
from be_jax.results import StudyResult
from be_jax.stats import Judgement, Weights
from experiments import command_line, published, tabular_data, tabular_report, weights_report

README = Path(__file__).parent.parent / "README.md"
RESULTS = Path(__file__).parent / "results"


@dataclasses.dataclass(frozen=True)
class Config:
    """Attributes:
    runs: folder of a finished study whose result is in `experiments/results`, to draw its figures anew.
    """

    runs: Path | None = None


def regenerated(text: str) -> str:
    """The README with every generated part made anew.

    Raises:
      FileNotFoundError: a part is named after no file in `experiments/results`.
    """
    part = re.compile(r"(<!-- (\w+) -->\n).*?(<!-- end of \2 -->)", re.DOTALL)
    return part.sub(lambda match: f"{match[1]}{_section(match[2])}{match[3]}", text)


def _section(name: str) -> str:
    if name == "tabular":
        results = [StudyResult.load(RESULTS / f"tabular_{dataset}.json") for dataset in tabular_data.LOADERS]
        return to_markdown(tabular_report.tables(results)[1:], level=4)
    prefix, study = _study(name)
    result, verdicts = StudyResult.load(RESULTS / f"{study}.json"), RESULTS / f"verdicts_{study}.json"
    judgement = Judgement.load(verdicts) if verdicts.exists() else None
    if prefix == "verdicts_":
        return to_markdown(judged_tables(result, judgement), level=4)
    if prefix == "published_":
        return published.markdown(result)
    if prefix == "weights_":
        names = {method: label(result, method) for method in result.methods}
        return weights_report.markdown(Weights.load(RESULTS / f"{name}.json"), names)
    command = f"`{result.provenance['command']}`, {result.provenance['date']}, {result.provenance['processor']}"
    sentences = "\n".join(f"- {sentence}" for sentence in answer(result, judgement))
    return f"{markdown_table(result).strip()}\n\n{sentences}\n\n{command}, jax {result.provenance['jax']}.\n"


def _study(name: str) -> tuple[str, str]:
    """What a part shows of which study: its prefix, and the name of the study."""
    prefix = next((each for each in ("verdicts_", "published_", "weights_") if name.startswith(each)), "")
    return prefix, name.removeprefix(prefix)


def save_figures(runs: Path) -> list[Path]:
    """Draws those figures of a study that README.md links, from the predictions in its run folder.

    Raises:
      ValueError: the study's result is not in `experiments/results`, or README.md links no figure of it.
    """
    result = StudyResult.load(runs / "results.json")
    name, text = committed_name(result), README.read_text()
    figures = {
        RESULTS / f"{name}_{drawn.name}.png": drawn for drawn in draw_figures(result, predictions_in(runs, result))
    }
    shown = [path for path in figures if f"({path.relative_to(README.parent)})" in text]
    if not shown:
        raise ValueError(f"README.md links none of {', '.join(path.name for path in figures)}; link those to show")
    for path in shown:
        with replacing(path) as file:
            figures[path].figure.savefig(file, dpi=110)
    return shown


def committed_name(result: StudyResult) -> str:
    """The name of the file in `experiments/results` that holds the runs of this result.

    Raises:
      ValueError: there is none.
    """
    for path in sorted(RESULTS.glob("*.json")):
        record = json.loads(path.read_text())
        if "runs" in record and StudyResult.load(path).runs == result.runs:
            return path.stem
    raise ValueError(f"no file in {RESULTS} holds the runs of this result; copy its results.json there first")


def main() -> None:
    config = tyro.cli(Config, description=__doc__)
    if config.runs:
        for path in save_figures(config.runs):
            print(path)
    write_atomically(README, regenerated(README.read_text()))


if __name__ == "__main__":
    command_line.run(main, ValueError, interrupted="interrupted")
