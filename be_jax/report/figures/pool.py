"""Quality of deep ensembles against their size, with the other methods as levels."""

import math

from matplotlib.axes import Axes

from be_jax.report import columns
from be_jax.report.benchmark import title_with_set
from be_jax.report.columns import Metric, scaled
from be_jax.report.figures.illustration import Illustration, draw_estimates, legend_above, new_figure, tidy
from be_jax.report.methods import DEEP_ENSEMBLE, SINGLE, Style, label, styles
from be_jax.report.summary import Estimate, has_temperature, look_up, of_pool, sets_of, summarise
from be_jax.results import StudyResult


def pool_curves(result: StudyResult) -> Illustration | None:
    """Rows for test and shift; columns for accuracy, NLL and, if there is one, scaled NLL. Nothing without a pool."""
    if not result.pool:
        return None
    sets = [name for name in ("test", "shift") if name in sets_of(result)]
    metrics = (columns.ACCURACY, columns.NLL, *(scaled(columns.NLL),) * has_temperature(result))
    summary, drawn = summarise(result), styles((*result.methods, DEEP_ENSEMBLE))
    deep = label(result, DEEP_ENSEMBLE)
    figure = new_figure(0.4 + 2.6 * len(sets))
    grid = figure.subplots(len(sets), len(metrics), squeeze=False)
    for row, name in zip(grid, sets, strict=True):
        for axes, metric in zip(row, metrics, strict=True):
            scored = [record for record in result.pool if name in record.scores]
            estimates = {record.size: of_pool(record.scores[name][metric.key]) for record in scored}
            sizes, of_sizes = list(estimates), list(estimates.values())
            draw_estimates(axes, sizes, of_sizes, drawn[DEEP_ENSEMBLE], deep, scale=metric.scale)
            for method in result.methods:
                if method not in (SINGLE, DEEP_ENSEMBLE):
                    level = look_up(summary, method, name, metric.key)
                    _draw_level(axes, level, metric, drawn[method], label(result, method))
            tidy(axes, title=title_with_set(result, name, metric), x="networks")
            axes.set_xticks(sizes)
    legend_above(figure, grid[0, 0])
    titles = [title_with_set(result, name, metric) for name in sets for metric in metrics]
    temperature = " Scaled: at a temperature fitted on validation data." if has_temperature(result) else ""
    return Illustration(
        "pool",
        "How many independent networks is a method worth?",
        "Deep ensembles of every size from one pool of networks: means over sets of that many networks, bars are 95 % "
        "jackknife intervals over networks (none for the whole pool). Lines are the other methods, bands their 95 % "
        f"t-intervals over seeds.{temperature} It does not show what the networks cost.",
        f"Plots of {', '.join(titles)} against the number of networks.",
        figure,
    )


def _draw_level(axes: Axes, level: Estimate, metric: Metric, style: Style, name: str) -> None:
    """A line at the mean and a band over its interval, right across."""
    axes.axhline(metric.scale * level.mean, color=style.colour, linestyle=style.line, label=name)
    if not math.isnan(level.half_width):
        low, high = (metric.scale * (level.mean + side * level.half_width) for side in (-1, 1))
        axes.axhspan(low, high, color=style.colour, alpha=0.12, linewidth=0)
