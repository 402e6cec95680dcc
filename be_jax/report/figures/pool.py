"""Quality of deep ensembles against their size, with the other methods as levels."""

import math

from be_jax.report import columns
from be_jax.report.columns import Metric
from be_jax.report.figures.illustration import Illustration, described, legend_above, new_figure, tidy
from be_jax.report.methods import DEEP_ENSEMBLE, SINGLE, label, styles
from be_jax.report.summary import look_up, of_pool, sets_of, summarise
from be_jax.results import StudyResult


def pool_curves(result: StudyResult) -> Illustration | None:
    """One panel for each of accuracy and NLL, on test and under shift; nothing without a pool."""
    if not result.pool:
        return None
    sets = [name for name in ("test", "shift") if name in sets_of(result)]
    panels = [(name, metric) for name in sets for metric in (columns.ACCURACY, columns.NLL)]
    summary, figure = summarise(result), new_figure(3.2)
    drawn = styles(result.methods)
    for axes, (name, metric) in zip(figure.subplots(1, len(panels), squeeze=False)[0], panels, strict=True):
        scale = 100 if metric.percent else 1
        estimates = {record.size: of_pool(record.scores[name][metric.key]) for record in result.pool}
        axes.errorbar(
            list(estimates),
            [scale * e.mean for e in estimates.values()],
            yerr=[0.0 if math.isnan(e.half_width) else scale * e.half_width for e in estimates.values()],
            label=label(result, DEEP_ENSEMBLE),
            color=drawn[DEEP_ENSEMBLE].colour if DEEP_ENSEMBLE in drawn else "black",
            marker="^",
            markersize=4,
            capsize=2,
        )
        for method in result.methods:
            if method not in (SINGLE, DEEP_ENSEMBLE):
                level = look_up(summary, method, name, metric.key)
                style = drawn[method]
                axes.axhline(scale * level.mean, color=style.colour, linestyle=style.line, label=label(result, method))
                if not math.isnan(level.half_width):
                    low, high = (scale * (level.mean + side * level.half_width) for side in (-1, 1))
                    axes.axhspan(low, high, color=style.colour, alpha=0.12, linewidth=0)
        tidy(axes, title=f"{described(name)} {metric.title}", x="networks")
        axes.set_xticks(list(estimates))
    legend_above(figure, figure.axes[0])
    return Illustration(
        "pool",
        "How many independent networks is a method worth?",
        "Deep ensembles of every size from one pool of networks: means over sets of that many networks, bars are 95 % "
        "jackknife intervals over networks (none for the whole pool). Lines are the other methods, bands their 95 % "
        "t-intervals over seeds. It does not show what the networks cost, nor predictions at another temperature.",
        f"Plots of {', '.join(_named(name, metric) for name, metric in panels)} against the number of networks.",
        figure,
    )


def _named(name: str, metric: Metric) -> str:
    return f"{described(name)} {metric.title}"
