"""A figure with its words, and the look that figures share."""

from typing import NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure

FONT_SIZE = 9.0
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


def legend_above(figure: Figure, axes: Axes) -> None:
    """One legend for all panels, taken from one of them."""
    handles, labels = axes.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=len(labels), fontsize=FONT_SIZE, frameon=False)


def described(set_name: str) -> str:
    """The name of a set as a reader says it."""
    if set_name.startswith("shift/severity_"):
        return f"shifted, severity {set_name.removeprefix('shift/severity_')}"
    return set_name.removeprefix("ood/")
