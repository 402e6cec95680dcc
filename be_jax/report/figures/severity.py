"""Accuracy, NLL and ECE against the severity of the shift."""

import numpy as np

from be_jax.report import columns
from be_jax.report.benchmark import corruptions
from be_jax.report.figures.illustration import (
    Illustration,
    apart,
    bars_note,
    draw_estimates,
    legend_above,
    new_figure,
    tidy,
)
from be_jax.report.methods import label, styles
from be_jax.report.summary import look_up, severities, summarise
from be_jax.results import StudyResult


def severity_curves(result: StudyResult) -> Illustration | None:
    """One panel a metric, one line a method; nothing where no severity was scored."""
    sets = severities(result)
    if not sets:
        return None
    summary, figure = summarise(result), new_figure(3.4)
    drawn = [method for method in result.methods if look_up(summary, method, "test", "nll").n]
    panels = figure.subplots(1, 3)
    for axes, metric in zip(panels, (columns.ACCURACY, columns.NLL, columns.ECE), strict=True):
        for method, offset in zip(drawn, apart(len(drawn), 0.06), strict=True):
            estimates = [look_up(summary, method, name, metric.key) for name in sets.values()]
            at, style = np.array(list(sets)) + offset, styles(result.methods)[method]
            draw_estimates(axes, at, estimates, style, label(result, method), scale=metric.scale)
        tidy(axes, title=metric.title, x="severity (0: test)")
        axes.set_xticks(list(sets))
    legend_above(figure, panels[0])
    return Illustration(
        "severity",
        "Quality as the images are corrupted",
        f"Mean over all {corruptions(result)}, at each severity. {bars_note(result)} It does not show how corruptions "
        "differ from each other.",
        f"Three line plots of accuracy, NLL and ECE against severities {', '.join(map(str, sets))} "
        f"for {', '.join(label(result, method) for method in drawn)}.",
        figure,
    )
