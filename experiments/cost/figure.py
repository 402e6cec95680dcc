"""The figure: for each network, what every method costs relative to a single network."""

from matplotlib.figure import Figure

from be_jax.report.figures.illustration import FONT_SIZE, apart, new_figure, tidy
from be_jax.report.methods import styles
from experiments.cost.result import SINGLE, Result
from experiments.cost.shown import Row, ratio, rows_of


def draw(result: Result) -> Figure:
    """A panel for each network and dtype; measures as rows, methods as marks, ratios along a logarithmic axis."""
    groups = {key: of for key, of in result.groups().items() if SINGLE in of}
    if not groups:
        raise ValueError("a figure of ratios needs the method 'single'")
    rows = [f for f in rows_of(result.settings, None) if f.has_ratio]
    methods = tuple(dict.fromkeys(method for of in groups.values() for method in of))
    figure = new_figure(1.0 + 0.36 * len(rows) * -(-len(groups) // 2))
    panels = figure.subplots(-(-len(groups) // 2), 2, sharey=True, squeeze=False)
    for axes in panels.flat[len(groups) :]:
        axes.set_axis_off()
    offsets = apart(len(methods), 0.7 / len(methods))
    for axes, ((network, dtype), of_methods) in zip(panels.flat, groups.items(), strict=False):
        for (method, style), offset in zip(styles(methods).items(), offsets, strict=True):
            found = [ratio(f, of_methods[method], of_methods[SINGLE]) for f in rows] if method in of_methods else []
            points = [(value, -row - offset) for row, value in enumerate(found) if value is not None]
            axes.plot(
                [x for x, _ in points],
                [y for _, y in points],
                color=style.colour,
                marker=style.marker,
                linestyle="none",
                markersize=4,
                label=method.replace("_", " "),
            )
        axes.set_xscale("log", base=2)
        low, high = axes.get_xlim()
        every = 1 if high / low < 2**7 else 2
        ticks = [2.0**k for k in range(-10, 11, every) if low <= 2.0**k <= high]
        axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
        axes.minorticks_off()
        axes.set_yticks([-row for row in range(len(rows))], [_name(i, rows) for i in range(len(rows))])
        tidy(axes, title=f"{network}, {dtype}", x="relative to a single network")
        axes.tick_params(labelsize=FONT_SIZE - 1)
    handles, labels = panels.flat[0].get_legend_handles_labels()
    figure.legend(
        handles, labels, loc="outside upper center", ncols=min(5, len(labels)), fontsize=FONT_SIZE, frameon=False
    )
    return figure


def _name(row: int, rows: list[Row]) -> str:
    """The title of a row; where it goes on from the one above, with the program's name."""
    title = rows[row].title
    if not title.startswith("... "):
        return title
    first = next(rows[i].title for i in range(row, -1, -1) if not rows[i].title.startswith("... "))
    return f"{first.split(':')[0]}: {title.removeprefix('... ')}"
