"""Reliability diagrams: how often a prediction is right, against how sure it is."""

import numpy as np
from matplotlib.ticker import NullFormatter, PercentFormatter

from be_jax.report.digest import Digest
from be_jax.report.figures.illustration import Illustration, described, legend_above, new_figure, tidy
from be_jax.report.methods import label, styles
from be_jax.results import StudyResult

FEWEST = 20  # examples of a bin that is drawn


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
            bins, style = examples.bins[method, set_name], styles(result.methods)[method]
            confidence, accuracy, fraction = (np.asarray(values) for values in bins.reliability)
            shown = np.asarray(bins.count) >= FEWEST
            look = {"color": style.colour, "linestyle": style.line, "marker": style.marker, "linewidth": 1.4}
            axes.plot(confidence[shown], accuracy[shown], label=label(result, method), markersize=4, **look)
            below.plot(confidence[shown], fraction[shown], markersize=3, **look)
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
        f"the examples of all seeds together; bins of fewer than {FEWEST} examples are not drawn. The lower panels "
        "give the fraction of examples in each bin, by which ECE weighs it. The spread over seeds is not shown.",
        f"Accuracy against confidence on {' and '.join(map(described, sets))} "
        f"for {', '.join(label(result, method) for method in drawn)}, with the diagonal of perfect calibration.",
        figure,
    )
