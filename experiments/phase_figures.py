"""The phase diagram as a figure and as text, drawn from the record in `phase.json`."""

import math
from collections.abc import Mapping
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.figure import Figure

from be_jax.report.figures.illustration import FONT_SIZE, new_figure, tidy
from experiments.recovery import MEASURES, bound_text, diverged_note

COLOURS = "RdBu"  # white is a single network, blue a deep ensemble, red worse than a single network
SCALE = mpl.colors.Normalize(-1.5, 1.5)
SIGN_GAP = 0.15  # between the rows of N(1, std) and that of random signs

Point = Mapping[str, Any]


def draw(record: Mapping[str, Any]) -> Figure:
    """Four maps, sizes by starts: what each BatchEnsemble recovers, its interval, and the contours of 0 and 1."""
    figure = new_figure(8.2)
    panels = figure.subplots(2, 2, sharex=True, sharey=True)
    for axes, measure in zip(panels.flat, MEASURES, strict=True):
        _map(axes, record, measure)
        tidy(axes, title=MEASURES[measure])
        axes.grid(visible=False)
    for axes in panels[-1]:
        axes.set_xlabel("training images", fontsize=FONT_SIZE)
    for axes in panels[:, 0]:
        axes.set_ylabel("std of r, s ~ N(1, std²); ±1: random signs", fontsize=FONT_SIZE)
    bar = figure.colorbar(ScalarMappable(SCALE, COLOURS), ax=panels, extend="both", aspect=45, pad=0.01)
    bar.set_ticks([-1, 0, 1], labels=["−1", "0: single", "1: deep"])
    bar.ax.tick_params(labelsize=FONT_SIZE)
    return figure


def _map(axes: Axes, record: Mapping[str, Any], measure: str) -> None:
    sizes, stds = record["config"]["sizes"], record["config"]["init_stds"]
    names = [*(f"normal({std:g})" for std in stds), "random_sign"]
    heights = [*range(len(stds)), len(stds) + SIGN_GAP]
    by_place = {(point["method"], point["size"]): point["recovered"][measure] for point in record["points"]}
    values = np.array([[by_place[name, size].get("value", math.nan) for size in sizes] for name in names])
    style: dict[str, Any] = {"cmap": mpl.colormaps[COLOURS].with_extremes(bad="#dddddd"), "norm": SCALE}
    for row, height in enumerate(heights):
        extent = (-0.5, len(sizes) - 0.5, height - 0.5, height + 0.5)
        axes.imshow(values[row : row + 1], extent=extent, aspect="auto", **style)
        for column, size in enumerate(sizes):
            _write(axes, column, height, by_place[names[row], size])
    _contours(axes, values[: len(stds)])
    axes.set(xlim=(-0.5, len(sizes) - 0.5), ylim=(-0.5, heights[-1] + 0.5))
    axes.set_xticks(range(len(sizes)), [f"{size:,}" for size in sizes])
    axes.set_yticks(heights, [*(f"{std:g}" for std in stds), "±1"])


def _write(axes: Axes, x: float, y: float, ratio: Mapping[str, Any]) -> None:
    """The value, bold where its interval leaves 0 out, and the interval below it."""
    if "undefined" in ratio:
        axes.text(x, y, "–", ha="center", va="center", fontsize=FONT_SIZE)
        return
    colour = "white" if abs(ratio["value"]) > 0.9 else "black"
    told = "bold" if ratio["lower"] > 0 or ratio["upper"] < 0 else "normal"
    axes.text(x, y + 0.17, f"{ratio['value']:.2f}", color=colour, ha="center", va="center", size=8, weight=told)
    interval = f"{bound_text(ratio['lower'])} to {bound_text(ratio['upper'])}"
    axes.text(x, y - 0.22, interval, color=colour, ha="center", va="center", size=5.5)


def _contours(axes: Axes, values: np.ndarray) -> None:
    """Lines where the value is 0 (dashed) and 1 (solid), between the centres of the cells that have a value."""
    if min(values.shape) < 2:
        return
    defined = values[np.isfinite(values)]
    levels = [level for level in (0, 1) if (defined < level).any() and (defined > level).any()]
    if levels:
        lines = ["dashed" if level == 0 else "solid" for level in levels]
        axes.contour(np.ma.masked_invalid(values), levels, colors="black", linewidths=1.3, linestyles=lines, alpha=0.6)


def caption(record: Mapping[str, Any]) -> str:
    """What the figure shows, and what it does not."""
    config = record["config"]
    return (
        f"When is a BatchEnsemble an ensemble? BatchEnsemble-{config['members']} of the MNIST study's MLP on "
        f"{record['data']}, by the number of training images and the start of r and s. A cell is the part of the deep "
        "ensemble's gain over a single network that the BatchEnsemble recovers, or the ratio of its mutual information "
        "on test data to the deep ensemble's: 0 (white, dashed contour) is a single network, 1 (solid contour) a deep "
        "ensemble, red is worse than a single network. OOD AUROC is that of detection by maximum "
        f"probability. Below each value is its 95 % interval over {len(config['seeds'])} seeds, "
        "each with training images drawn for it; bold where it leaves 0 out. Grey: undefined, as the deep ensemble and "
        f"the single network do not differ measurably. An epoch takes {config['epoch_images']:,} images at every size, "
        f"for {config['train']['epochs']} epochs. It does not show other architectures, data harder than MNIST, "
        "a learning rate tuned for each start, or the uncertainty that comes from the test set, which all seeds share. "
        "The validation set is as large at the smallest training set as at the largest. Intervals are not corrected "
        "for the number of cells, and contours are drawn through values, not through intervals."
    )


def to_markdown(record: Mapping[str, Any]) -> str:
    """The figure with its caption, and the scores that the ratios are made of."""
    names = {"nll": "NLL", "accuracy": "accuracy", "epistemic": "mutual information", "ood_auroc": "OOD AUROC"}
    lines = [["images", "method", *names.values()], ["---:", "---", *("---:" for _ in names)]]
    for point in record["points"]:
        cells = ["{:.3f} ± {:.3f}".format(*point["means"][name]) for name in names]
        lines.append([f"{point['size']:,}", point["method"] + diverged_note(point), *cells])
    table = "\n".join("| " + " | ".join(line) + " |" for line in lines)
    note = "Means over seeds with half-widths of 95 % t-intervals; NLL and mutual information in nats."
    return f"![phase diagram](phase.png)\n\n{caption(record)}\n\n{note}\n\n{table}\n"
