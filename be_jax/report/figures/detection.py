"""How well each uncertainty of each method tells OOD examples from test."""

import numpy as np

from be_jax.report import columns
from be_jax.report.benchmark import with_distance
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
from be_jax.report.summary import look_up, sets_of, summarise
from be_jax.report.table import shown_estimate
from be_jax.results import StudyResult


def detection_dots(result: StudyResult) -> Illustration | None:
    """A panel for each OOD set, a place for each score; nothing without OOD sets."""
    sets = sets_of(result, "ood/")
    if not sets:
        return None
    summary, figure = summarise(result), new_figure(3.4)
    panels = figure.subplots(1, len(sets), sharey=True, squeeze=False)[0]
    drawn = [method for method in result.methods if look_up(summary, method, sets[0], "auroc_total").n]
    scores = columns.DETECTION_SCORES
    for axes, name in zip(panels, sets, strict=True):
        for method, offset in zip(drawn, apart(len(drawn), 0.13), strict=True):
            metrics = [columns.detection("AUROC", score) for score in scores]
            draw_estimates(
                axes,
                np.arange(len(scores)) + offset,
                [shown_estimate(summary, method, name, metric) for metric in metrics],
                styles(result.methods)[method],
                label(result, method),
                joined=False,
            )
        tidy(axes, title=with_distance(result, name).replace("_", " "))
        axes.set_xticks(range(len(scores)), list(scores.values()))
    panels[0].set(ylabel="AUROC", ylim=(-0.02, 1.02))
    legend_above(figure, panels[0])
    return Illustration(
        "ood",
        "Detection of what is out of distribution",
        "AUROC of telling each set from test by total, aleatoric and epistemic uncertainty (the mutual information, "
        f"which a single network has not) and by maximum probability; 0.5 is chance. {bars_note(result)} They are cut "
        "at 0 and 1. It does not show the rate of false alarms: see the tables.",
        f"Dots of AUROC by four scores on {', '.join(with_distance(result, name) for name in sets)} "
        f"for {', '.join(label(result, method) for method in drawn)}.",
        figure,
    )
