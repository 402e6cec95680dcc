"""How training went: how well members fit the training set, and how well the ensemble predicts, epoch by epoch."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes

from be_jax.report.figures.illustration import Illustration, legend_above, new_figure, tidy
from be_jax.report.methods import Style, label, runs_of, styles
from be_jax.results import RunRecord, StudyResult

PANELS = {
    "train_nll": ("training NLL, members alone", 1),
    "train_accuracy": ("training accuracy, members alone, %", 100),
    "validation_nll": ("validation NLL, all members", 1),
}
"""Of a run's curve, each with its title and scale."""


def learning_curves(result: StudyResult) -> Illustration | None:
    """A panel for each of `PANELS`, a line for each method; nothing where no curve was kept."""
    kept = {method: [run for run in runs_of(result, method) if run.curve] for method in result.methods}
    drawn = {method: runs for method, runs in kept.items() if runs}
    if not drawn:
        return None
    figure, style = new_figure(3.4), styles(result.methods)
    panels = figure.subplots(1, len(PANELS))
    for axes, (name, (title, scale)) in zip(panels, PANELS.items(), strict=True):
        for method, runs in drawn.items():
            _draw_runs(axes, runs, name, scale, style[method], label(result, method))
        tidy(axes, title=title, x="epoch")
        if name == "train_nll":
            axes.set_yscale("log")
    legend_above(figure, panels[0])
    return Illustration(
        "learning",
        "Was everything trained to the end?",
        "Means over seeds, bands from the least to the greatest. Training examples are without augmentation and "
        "dropout, and each member alone predicts them; an average of poor members shows as a poor fit. It does not "
        "show what another learning rate would have done.",
        f"Line plots of {', '.join(title for title, _ in PANELS.values())} against the epoch for "
        f"{', '.join(label(result, method) for method in drawn)}.",
        figure,
    )


def _draw_runs(axes: Axes, runs: Sequence[RunRecord], name: str, scale: float, style: Style, text: str) -> None:
    """The mean over the runs that were measured at an epoch, and the band that holds them all."""
    measured: dict[float, list[float]] = {}
    for run in runs:
        for epoch, value in zip(run.curve["epoch"], run.curve[name], strict=True):
            measured.setdefault(epoch, []).append(scale * value)
    epochs = sorted(measured)
    low, mean, high = (np.array([of(measured[epoch]) for epoch in epochs]) for of in (np.min, np.mean, np.max))
    axes.plot(epochs, mean, color=style.colour, linestyle=style.line, linewidth=1.4, label=text)
    axes.fill_between(epochs, low, high, color=style.colour, alpha=0.15, linewidth=0)
