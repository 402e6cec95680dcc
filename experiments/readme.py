"""Writes the generated parts of README.md, between `<!-- name -->` and `<!-- end of name -->`, from results.

    python -m experiments.readme                           # the tables and sentences; seconds
    python -m experiments.readme --runs runs/mnist_tfds    # also the figures, from that folder's predictions

A test fails where README.md is not current.
"""

import dataclasses
import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import tyro

from be_jax.report import answer, draw_figures, markdown_table
from be_jax.results import StudyResult
from be_jax.runs import seed_folder

README = Path(__file__).parent.parent / "README.md"
RESULTS = Path(__file__).parent / "results"
FIGURES = ("severity", "epistemic")


@dataclasses.dataclass(frozen=True)
class Config:
    """Attributes:
    runs: folder of the finished full study, to draw its figures anew.
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
    result = StudyResult.load(RESULTS / f"{name}.json")
    command = f"`{result.provenance['command']}`, {result.provenance['date']}, {result.provenance['processor']}"
    sentences = "\n".join(f"- {sentence}" for sentence in answer(result))
    return f"{markdown_table(result).strip()}\n\n{sentences}\n\n{command}, jax {result.provenance['jax']}.\n"


def save_figures(runs: Path) -> None:
    """Draws the README's figures from the predictions in a run folder."""

    def load(method: str, seed: int) -> Mapping[str, np.ndarray]:
        return np.load(seed_folder(runs / method, seed) / "predictions.npz")

    for drawn in draw_figures(StudyResult.load(runs / "results.json"), load):
        if drawn.name in FIGURES:
            drawn.figure.savefig(RESULTS / f"mnist_full_{drawn.name}.png", dpi=110)


def main() -> None:
    config = tyro.cli(Config, description=__doc__)
    if config.runs:
        save_figures(config.runs)
    README.write_text(regenerated(README.read_text()))


if __name__ == "__main__":
    main()
