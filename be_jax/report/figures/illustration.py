"""A figure with its words, and the look that figures share."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from be_jax.report.methods import Style
from be_jax.report.summary import Estimate
from be_jax.results import StudyResult

FONT_SIZE = 9.0
LEGEND_COLUMNS = 4
LEGEND_LINE, MARK, CHARACTER = 0.19, 0.6, 0.068  # inches: of the legend a line, a mark, a character of its text
WIDTH = 9.0  # inches


class Illustration(NamedTuple):
    """A drawn figure.

    Attributes:
      name: for a file.
      title: what it is.
      caption: what it shows, and what it does not.
      alt: what there is to see, for those who do not see it.
      figure: the drawing.
    """

    name: str
    title: str
    caption: str
    alt: str
    figure: Figure


def new_figure(height: float) -> Figure:
    """An empty figure, `WIDTH` by `height` inches, on white."""
    return Figure(figsize=(WIDTH, height), layout="constrained", facecolor="white")


def tidy(axes: Axes, *, title: str = "", x: str = "", y: str = "") -> None:
    """Names the axes, and takes away what carries no information."""
    axes.set_title(title, fontsize=FONT_SIZE + 1, loc="left")
    axes.set_xlabel(x, fontsize=FONT_SIZE)
    axes.set_ylabel(y, fontsize=FONT_SIZE)
    axes.tick_params(labelsize=FONT_SIZE)
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(color="#dddddd", linewidth=0.6)
    axes.set_axisbelow(True)


def draw_estimates(
    axes: Axes,
    at: ArrayLike,
    estimates: Sequence[Estimate],
    style: Style,
    label: str,
    *,
    scale: float = 1,
    joined: bool = True,
    horizontal: bool = False,
) -> None:
    """Means with their 95 % intervals, where they have one.

    Args:
      at: `[len(estimates)]`, where they stand on the other axis.
      scale: what both are multiplied with.
      joined: with a line through the means.
      horizontal: means along x.
    """
    means = np.array([scale * e.mean for e in estimates])
    bars = np.array([0.0 if math.isnan(e.half_width) else scale * e.half_width for e in estimates])
    x, y = (means, at) if horizontal else (at, means)
    axes.errorbar(
        x,
        y,
        xerr=bars if horizontal else None,
        yerr=None if horizontal else bars,
        label=label,
        color=style.colour,
        marker=style.marker,
        linestyle=style.line if joined else "none",
        markersize=4,
        linewidth=1.4,
        elinewidth=1,
        capsize=2,
    )


def apart(count: int, width: float) -> np.ndarray:
    """Offsets `[count]` around 0, `width` between neighbours: error bars at one place do not hide each other."""
    return width * (np.arange(count) - (count - 1) / 2)


def bars_note(result: StudyResult) -> str:
    """What the error bars of a figure are."""
    counts = {method: sum(run.method == method for run in result.runs) for method in result.methods}
    if max(counts.values()) == 1:
        return "One seed, so there are no error bars."
    pool = ", of the deep ensemble the jackknife's over the networks of the pool" if result.pooled else ""
    return f"Bars are 95 % t-intervals over seeds{pool}."


def legend_above(figure: Figure, axes: Axes) -> None:
    """One legend for all panels, taken from one of them, in as many lines as it needs; those beyond two add height."""
    handles, labels = axes.get_legend_handles_labels()
    widest = MARK + CHARACTER * max(map(len, labels), default=0)
    columns = max(1, min(len(labels), LEGEND_COLUMNS, int(figure.get_figwidth() / widest)))
    figure.set_figheight(figure.get_figheight() + LEGEND_LINE * max(0, math.ceil(len(labels) / columns) - 2))
    figure.legend(handles, labels, loc="outside upper center", ncols=columns, fontsize=FONT_SIZE, frameon=False)


def described(set_name: str) -> str:
    """The name of a set as a reader says it."""
    if set_name.startswith("shift/severity_"):
        return f"shifted, severity {set_name.removeprefix('shift/severity_')}"
    return set_name.removeprefix("ood/").replace("_", " ")
