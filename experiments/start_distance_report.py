"""Diversity against start distance as a figure and a page, from the points of committed results."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.figure import Figure

from be_jax.report.figures.illustration import new_figure, tidy
from experiments.ablation_settings import SETTINGS
from experiments.small_report import table
from experiments.start_distance import Point, fitted, only_start

MOST_SHOWN = 5
"""Sizes, or epochs, in one panel; the table has them all."""


def draw(given: Sequence[Point]) -> dict[str, Figure]:
    """A panel for the ablation, for sizes of the training set and for epochs, where there are any; the line in each."""
    in_ablation = [p for p in given if p.source == "ablation"]
    groups: dict[str, dict[str, list[Point]]] = {
        "Ablation": {
            "start varied": [p for p in in_ablation if only_start(p)],
            "random signs": [p for p in in_ablation if "sign" in p.setting],
            "rank or training varied": [p for p in in_ablation if not only_start(p) and "sign" not in p.setting],
        }
    }
    for title, kind in (("By size of the training set", "images"), ("Over training", "epoch")):
        sources = list(dict.fromkeys(p.source for p in given if kind in p.source))
        spread = np.linspace(0, len(sources) - 1, min(len(sources), MOST_SHOWN)).round().astype(int)
        groups[title] = {sources[i]: [p for p in given if p.source == sources[i]] for i in spread}
    shown = {title: group for title, group in groups.items() if any(group.values())}
    figure, line = new_figure(3.8), fitted(given)
    for axes, (title, group) in zip(figure.subplots(1, len(shown), squeeze=False).flat, shown.items(), strict=True):
        for place, (name, members) in zip(np.linspace(0, 0.85, len(group)), group.items(), strict=True):
            _scatter(axes, members, colormaps["viridis"](place), name)
        if line:
            axes.plot([0, 1], [0, line.slope], color="black", linewidth=0.9, linestyle="--")
        axes.axhline(1, color="#009E73", linewidth=0.9)
        axes.set(xlim=(-0.03, 1.05), ylim=(0, None))
        tidy(axes, title=title, x="1 − expected cosine at the start", y="MI of a deep ensemble's")
        axes.legend(fontsize=8, frameon=False)
    return {"start_distance": figure}


def _scatter(axes: Any, group: Sequence[Point], colour: Any, name: str) -> None:
    if group:
        x, y = [p.distance for p in group], [p.ratio.value for p in group]
        bars = np.array([[max(p.ratio.value - p.ratio.lower, 0), p.ratio.upper - p.ratio.value] for p in group]).T
        axes.errorbar(x, y, yerr=bars, color=colour, fmt="o", markersize=4, elinewidth=1, label=name)


def to_markdown(given: Sequence[Point]) -> str:
    """The figure, what the line says and where it does not hold, and every point."""
    line = fitted(given)
    words = "Too few settings for a line."
    if line:
        rejected = " and is rejected as a law" * (line.held < line.points)
        words = (
            f"The best line through 0 over the {line.points} settings of the ablation whose start is a normal "
            f"distribution and alone varies, from {line.low:.2f} to {line.high:.2f} on the x axis, is: mutual "
            f"information of a deep ensemble's = {line.slope:.2f} x distance. It passes through the intervals of "
            f"{line.held} of them{rejected}. It is dashed in every panel; `of the line` sets every point beside it, "
            "random signs, at a distance of 1, too."
        )
    rows = []
    for point in given:
        expected = line.slope * point.distance if line else 0.0
        share = f"{point.ratio.value / expected:.2f}" if expected else "–"
        shown = f"{point.ratio.value:.2f} [{point.ratio.lower:.2f}, {point.ratio.upper:.2f}]"
        label = SETTINGS[point.setting].label if point.setting in SETTINGS else point.setting.replace("_", " ")
        rows.append([f"{point.source}: {label}", f"{point.distance:.3f}", shown, share])
    text = table(["setting", "1 − cosine at the start", "MI of a deep ensemble's", "of the line"], rows).strip()
    title = "# Diversity against start distance"
    intervals = "Intervals are of 95 %; those of the ablation share its pool."
    return (
        "\n\n".join([title, words, "![diversity against start distance](start_distance.png)", intervals, text]) + "\n"
    )
