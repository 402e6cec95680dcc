"""Which corruptions hurt, and whom."""

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
from be_jax.report.summary import look_up, single_corruptions, summarise
from be_jax.results import StudyResult


def corruption_dots(result: StudyResult) -> Illustration | None:
    """A row for each corruption, the hardest on top; a panel each for accuracy and NLL. Nothing without a shift."""
    summary, names = summarise(result), single_corruptions(result)
    if not names:
        return None
    drawn = [method for method in result.methods if look_up(summary, method, names[0], "accuracy").n]
    names.sort(
        key=lambda name: np.mean([look_up(summary, method, name, "accuracy").mean for method in drawn]),
        reverse=True,
    )
    figure = new_figure(1.1 + 0.33 * len(names))
    panels = figure.subplots(1, 2, sharey=True)
    for axes, metric in zip(panels, (columns.ACCURACY, columns.NLL), strict=True):
        for method, offset in zip(drawn, -apart(len(drawn), 0.7 / len(drawn)), strict=True):
            draw_estimates(
                axes,
                np.arange(len(names)) + offset,
                [look_up(summary, method, name, metric.key) for name in names],
                styles(result.methods)[method],
                label(result, method),
                scale=metric.scale,
                joined=False,
                horizontal=True,
            )
        tidy(axes, title=metric.title)
    panels[0].set_yticks(range(len(names)), [_described(name) for name in names])
    panels[0].set_ylim(-0.6, len(names) - 0.4)
    legend_above(figure, panels[0])
    return Illustration(
        "corruptions",
        "Which corruptions hurt",
        f"Mean over the severities of each of the {corruptions(result)}; the hardest on top. {bars_note(result)} "
        "It does not show how quality falls with severity.",
        f"Dots of accuracy and NLL for {len(names)} corruptions, from {_described(names[-1])} (hardest) to "
        f"{_described(names[0])}, for {', '.join(label(result, method) for method in drawn)}.",
        figure,
    )


def _described(set_name: str) -> str:
    return set_name.removeprefix("shift/").removeprefix("generated_").replace("_", " ")
