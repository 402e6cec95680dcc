"""Reliability diagrams: how often a prediction is right, against how sure it is."""

import functools
import operator
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import NullFormatter, PercentFormatter

from be_jax.metrics import Bins
from be_jax.report.digest import Digest
from be_jax.report.figures.illustration import (
    Illustration,
    described,
    draw_estimates,
    legend_above,
    new_figure,
    tidy,
)
from be_jax.report.methods import Style, label, styles
from be_jax.report.summary import Estimate, t_quantile
from be_jax.results import StudyResult

FEWEST = 20  # examples of a bin that is drawn
FEWEST_RUNS = 3  # of which an interval is drawn: the one of two runs is 12.7 standard errors wide


def reliability_diagrams(result: StudyResult, examples: Digest) -> Illustration | None:
    """A column for test and one for the strongest shift; below each, how the examples spread over the bins."""
    sets = examples.sets("bins")
    if not sets:
        return None
    figure = new_figure(5.0)
    panels = figure.subplots(2, len(sets), sharex=True, height_ratios=(3, 1), squeeze=False)
    drawn = [method for method in result.methods if (method, sets[0]) in examples.bins]
    for (axes, below), set_name in zip(panels.T, sets, strict=True):
        axes.plot([0, 1], [0, 1], color="#888888", linewidth=1)
        for method in drawn:
            style = styles(result.methods)[method]
            _draw_runs(axes, below, examples.bins[method, set_name], style, label(result, method))
        tidy(axes, title=described(set_name), y="accuracy in the bin")
        axes.set(xlim=(0, 1.02), ylim=(0, 1.02))
        tidy(below, x="confidence (mean over the bin)", y="fraction")
        below.set_yscale("log")
        lowest = below.get_ylim()[0]  # 0 where nothing is drawn
        below.set_ylim(min(lowest, 0.01) if lowest > 0 else 0.01, 1.5)
        below.yaxis.set_minor_formatter(NullFormatter())
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_formatter(PercentFormatter(1))
    legend_above(figure, panels[0, 0])
    return Illustration(
        "reliability",
        "Reliability",
        "Above the diagonal a method is more often right than it says, below it less often. 15 bins of equal width, "
        f"the examples of all runs together; bins of fewer than {FEWEST} examples are not drawn. Bars are 95 % "
        f"jackknife intervals over runs, of methods with at least {FEWEST_RUNS}. The lower panels give the fraction of "
        "examples in each bin, by which ECE weighs it.",
        f"Accuracy against confidence on {' and '.join(map(described, sets))} "
        f"for {', '.join(label(result, method) for method in drawn)}, with the diagonal of perfect calibration.",
        figure,
    )


def _draw_runs(axes: Axes, below: Axes, runs: Sequence[Bins], style: Style, name: str) -> None:
    """Accuracy above and fraction below, of all runs of a method together."""
    bins = functools.reduce(operator.add, runs)
    shown = np.asarray(bins.count) >= FEWEST
    confidence, accuracy, fraction = (np.asarray(values)[shown] for values in bins.reliability)
    estimates = [
        Estimate(float(mean), float(half_width), len(runs))
        for mean, half_width in zip(accuracy, half_widths(runs)[shown], strict=True)
    ]
    draw_estimates(axes, confidence, estimates, style, name)
    below.plot(confidence, fraction, color=style.colour, linestyle=style.line, marker=style.marker, markersize=3)


def half_widths(runs: Sequence[Bins]) -> np.ndarray:
    """Of the accuracy in each bin of all runs together, `[num_bins]`: 95 % intervals by leaving each run out in turn.

    NaN where there are fewer than `FEWEST_RUNS` runs, or one run has all examples of a bin.
    """
    n = len(runs)
    correct, count = (np.array([getattr(run, of) for run in runs], np.float64) for of in ("correct", "count"))
    if n < FEWEST_RUNS:
        return np.full(count.shape[1], np.nan)
    with np.errstate(invalid="ignore"):
        without = (correct.sum(0) - correct) / (count.sum(0) - count)
        spread = (without - correct.sum(0) / count.sum(0)) ** 2
    return np.asarray(t_quantile(n - 1) * np.sqrt((n - 1) / n * spread.sum(0)))
