"""The result of `experiments.diversity`: its file, its table and its figure."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from matplotlib.figure import Figure

from be_jax.report.figures.illustration import legend_above, new_figure, tidy
from be_jax.report.methods import styles
from be_jax.runs import write_atomically

Scores = Mapping[str, np.ndarray]
"""By name, `[seeds, epochs]`."""

MATCHED = "deep_ensemble_matched"
METHODS = {
    "batch_ensemble": "BatchEnsemble N(1, 0.5)",
    "batch_ensemble_sign": "BatchEnsemble ±1",
    "deep_ensemble": "deep ensemble",
    MATCHED: "deep ensemble, units matched",
}
SHOWN = {
    "test/mutual_information": "mutual information, test",
    "ood/mutual_information": "mutual information, OOD",
    "test/disagreement": "disagreement, test",
    "weights/kernel_distance": "distance of kernels",
    "weights/cka": "CKA of representations",
    "weights/loss_barrier": "loss barrier, test",
}


class Result(NamedTuple):
    """What was measured.

    Attributes:
      about: data, configuration, provenance, and each method's share of free directions; JSON-compatible.
      seeds: one run of each method for each.
      epochs: after which scores were taken; 0 is initialisation.
      scores: by method and name, `[seeds, epochs]`.
    """

    about: Mapping[str, Any]
    seeds: tuple[int, ...]
    epochs: tuple[int, ...]
    scores: Mapping[str, Scores]

    def by_run(self, epoch: int) -> dict[tuple[str, int], dict[str, float]]:
        """The scalars of each run after an epoch, `{(method, seed): {name: value}}`: what a judgement takes."""
        at = self.epochs.index(epoch)
        return {
            (method, seed): {name: float(values[i, at]) for name, values in scores.items()}
            for method, scores in self.scores.items()
            for i, seed in enumerate(self.seeds)
        }

    def save(self, path: Path) -> None:
        """Writes JSON, a line for each score, with six significant digits."""
        lines = [
            f"  {json.dumps(method)}: {{\n" + ",\n".join(f"   {_line(*score)}" for score in scores.items()) + "\n  }"
            for method, scores in self.scores.items()
        ]
        head = json.dumps({**self.about, "seeds": self.seeds, "epochs": self.epochs}, indent=1)[:-2]
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, head + ',\n "scores": {\n' + ",\n".join(lines) + "\n }\n}\n")

    @classmethod
    def load(cls, path: Path) -> "Result":
        """Reads what `save` wrote."""
        about = json.loads(path.read_text())
        seeds, epochs, scores = (about.pop(name) for name in ("seeds", "epochs", "scores"))
        arrays = {method: {name: np.array(v) for name, v in values.items()} for method, values in scores.items()}
        return cls(about, tuple(seeds), tuple(epochs), arrays)


def table(result: Result) -> str:
    """Markdown: methods by what is shown, means over seeds at initialisation and after the last epoch."""
    lines = [["method", *SHOWN.values(), "free directions"], ["---", *("---:" for _ in SHOWN), "---:"]]
    for method, scores in result.scores.items():
        shares = result.about["free_directions"]
        cells = [_from_to(scores[name]) if name in scores else "as above" for name in SHOWN]
        lines.append([METHODS[method], *cells, f"{100 * shares[method]:.1f} %" if method in shares else "as above"])
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def draw(result: Result) -> Figure:
    """Diversity over training: a line for the mean over seeds, in a band that holds all seeds."""
    figure = new_figure(5.4)
    panels = figure.subplots(2, 3).flat
    places = np.arange(len(result.epochs))
    for axes, (name, title) in zip(panels, SHOWN.items(), strict=True):
        for method, style in styles(tuple(result.scores)).items():
            if name in result.scores[method]:
                values, look = result.scores[method][name], {"color": style.colour, "label": METHODS[method]}
                axes.plot(places, values.mean(0), linestyle=style.line, marker=style.marker, markersize=4, **look)
                axes.fill_between(places, values.min(0), values.max(0), color=style.colour, alpha=0.2, linewidth=0)
        axes.set_xticks(places, [str(epoch) for epoch in result.epochs])
        axes.set_ylim(bottom=0)
        tidy(axes, title=title, x="epoch (0: initialisation)")
    legend_above(figure, figure.axes[3])
    return figure


def _from_to(values: np.ndarray) -> str:
    first, last = values.mean(0)[[0, -1]]
    return f"{first:.3f} → {last:.3f}"


def _line(name: str, values: np.ndarray) -> str:
    rows = [[float(f"{value:.6g}") for value in row] for row in values]
    return f"{json.dumps(name)}: {json.dumps(rows)}"
