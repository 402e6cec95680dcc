"""Where an ensemble stands between one member and independent networks: the figure that an audit opens with."""

from collections.abc import Sequence

from be_jax.report.columns import Metric
from be_jax.report.figures.illustration import Illustration, draw_estimates, new_figure, tidy
from be_jax.report.methods import Style
from be_jax.report.summary import Estimate

Standing = tuple[str, Estimate, Style]
"""A row: its name, its score and how it is drawn."""


def standing(rows: Sequence[Standing], metric: Metric, missing: str) -> Illustration:
    """A row for each of a member, the ensemble and what it is held against.

    Args:
      rows: from above.
      metric: what is drawn, on test.
      missing: what could not be drawn, and why; "" where nothing is.
    """
    figure = new_figure(0.7 + 0.42 * len(rows))
    axes = figure.subplots()
    at = range(len(rows) - 1, -1, -1)
    for place, (name, estimate, style) in zip(at, rows, strict=True):
        draw_estimates(axes, [place], [estimate], style, name, scale=metric.scale, joined=False, horizontal=True)
    axes.set_yticks(list(at), [name for name, *_ in rows])
    axes.set_ylim(-0.6, len(rows) - 0.4)
    axes.margins(x=0.1)
    way = {"lower": " (less is better)", "higher": " (more is better)", "neither": ""}[metric.better]
    tidy(axes, x=f"{metric.title} on test{way}")
    intervals = "Bars are 95 % intervals over runs." if any(e.n > 1 for _, e, _ in rows) else "One run: no intervals."
    return Illustration(
        "standing",
        "Where it stands",
        f"{intervals} {missing}".strip(),
        f"{metric.title} on test of {', '.join(name for name, *_ in rows)}.",
        figure,
    )
