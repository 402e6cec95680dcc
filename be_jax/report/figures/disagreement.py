"""Members by members: how often two of them predict different classes."""

import math

import numpy as np
from matplotlib.axes import Axes

from be_jax.report import columns
from be_jax.report.digest import Digest
from be_jax.report.figures.illustration import FONT_SIZE, Illustration, described, new_figure
from be_jax.report.methods import has_members, label
from be_jax.report.summary import look_up, summarise
from be_jax.results import StudyResult

MOST_ACROSS = 6  # methods; more go into further lines
MOST_NUMBERED = 8  # members; larger matrices have no room for numbers


def disagreement_matrices(result: StudyResult, examples: Digest) -> Illustration | None:
    """Rows of methods that have members, for each set; nothing where there is none."""
    drawn = [m for m in result.methods if has_members(m) and (m, "test") in examples.disagreement]
    if not drawn:
        return None
    sets = examples.sets("disagreement")
    summary = summarise(result)
    lines = math.ceil(len(drawn) / MOST_ACROSS)
    figure = new_figure(0.3 + 2.3 * len(sets) * lines)
    panels = figure.subplots(len(sets) * lines, math.ceil(len(drawn) / lines), squeeze=False)
    for axes in panels.flat:
        axes.set_axis_off()
    for of_set, set_name in zip(panels.reshape(len(sets), -1), sets, strict=True):
        of_set[0].set_ylabel(described(set_name), fontsize=FONT_SIZE + 1)
        largest = max(examples.disagreement[method, set_name].max() for method in drawn)
        for axes, method in zip(of_set, drawn, strict=False):
            axes.set_axis_on()
            if set_name == sets[0] or lines > 1:
                axes.set_title(label(result, method), fontsize=FONT_SIZE + 1)
            mean = look_up(summary, method, set_name, columns.DISAGREEMENT.key)
            axes.set_xlabel(f"mean {columns.DISAGREEMENT.shown(mean)} %", fontsize=FONT_SIZE)
            _draw(axes, examples.disagreement[method, set_name], largest)
    names = ", ".join(label(result, method) for method in drawn)
    pool = " (of the deep ensemble, over the networks of the pool)" if result.pooled else ""
    return Illustration(
        "disagreement",
        "Members against members",
        "Percentage of examples on which two members predict different classes, mean over seeds; shades compare "
        f"methods within a row. Below, the mean over pairs with its 95 % interval over seeds{pool}. It does not show "
        "by how much members differ where they agree on the class. A single network has one "
        "member. Members of MC dropout are draws of dropout masks.",
        f"Matrices of disagreement between members on {', '.join(map(described, sets))} for {names}.",
        figure,
    )


def _draw(axes: Axes, matrix: np.ndarray, largest: float) -> None:
    axes.imshow(matrix, cmap="Blues", vmin=0, vmax=max(largest, 1e-9))
    members = [str(i + 1) for i in range(len(matrix))]
    axes.set_xticks(range(len(members)), members, fontsize=FONT_SIZE - 1)
    axes.set_yticks(range(len(members)), members, fontsize=FONT_SIZE - 1)
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)
    if len(matrix) <= MOST_NUMBERED:
        for (i, j), value in np.ndenumerate(matrix):
            colour = "white" if value > 0.6 * largest else "black"
            axes.text(j, i, f"{100 * value:.1f}", ha="center", va="center", fontsize=FONT_SIZE, color=colour)
