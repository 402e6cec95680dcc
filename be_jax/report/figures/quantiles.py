"""Calibration of a regression: how often targets lie below the quantiles that were predicted for them."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.ticker import PercentFormatter

from be_jax.report.figures.illustration import Illustration, draw_estimates, legend_above, new_figure, tidy
from be_jax.report.methods import styles
from be_jax.report.summary import Estimate


class Curve(NamedTuple):
    """Of one method: observed frequencies at every level, raw and, where a factor was fitted, scaled (else empty)."""

    method: str
    name: str
    raw: Sequence[Estimate]
    scaled: Sequence[Estimate]


def quantile_curves(levels: np.ndarray, curves: Sequence[Curve]) -> Illustration:
    """A panel for predictions as they are and, where there are any, one for scaled ones."""
    parts = [("as predicted", [curve.raw for curve in curves])]
    if any(curve.scaled for curve in curves):
        parts.append(("scaled on validation data", [curve.scaled for curve in curves]))
    figure = new_figure(4.2)
    panels = figure.subplots(1, len(parts), squeeze=False)[0]
    style = styles(tuple(curve.method for curve in curves))
    for axes, (title, drawn) in zip(panels, parts, strict=True):
        axes.plot([0, 1], [0, 1], color="#888888", linewidth=1)
        for curve, estimates in zip(curves, drawn, strict=True):
            if estimates:
                draw_estimates(axes, levels, estimates, style[curve.method], curve.name)
        tidy(axes, title=title, x="predicted quantile", y="targets below it")
        axes.set(xlim=(0, 1), ylim=(0, 1), aspect="equal")
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_formatter(PercentFormatter(1))
    legend_above(figure, panels[0])
    return Illustration(
        "quantiles",
        "Calibration",
        "On the diagonal as many targets lie below a predicted quantile as it says. A curve that is flatter than the "
        "diagonal says that predictions are too sure of themselves. Bars are 95 % t-intervals over runs, where there "
        "are several.",
        f"Observed frequency against predicted quantile on test for {', '.join(curve.name for curve in curves)}.",
        figure,
    )
