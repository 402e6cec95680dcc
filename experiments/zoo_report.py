"""The zoo as figures, a page, and a table to sort, from `zoo.json`; with the line of deep ensembles."""

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from be_jax.methods import TABLE, Style
from be_jax.report.columns import percent
from be_jax.report.figures.illustration import FONT_SIZE, legend_above, new_figure, tidy
from be_jax.stats import Equivalent
from experiments import sortable
from experiments.small_report import SCALE, controls, interval, made, table

TITLE = "Which cheap ensemble is an ensemble? Worth against cost"

ENDPOINTS = {
    "test nll_scaled": "scaled test NLL",
    "shift nll_scaled": "scaled shift NLL",
    "ood auroc_max_probability": "OOD AUROC",
}
"""By which worth is given, the primary one first."""

FIGURES = ("", "_shift", "_ood")
"""What the names of the figures end with."""

Cost = Callable[[Mapping[str, Any]], float | None]
LATENCY: Cost = lambda cost: cost["latency"] and cost["latency"]["median"]  # noqa: E731
COSTS: Mapping[str, Cost] = {
    "parameters": lambda cost: cost["parameters"],
    "FLOPs of a prediction": lambda cost: cost["prediction"]["flops"],
    "FLOPs of a training step": lambda cost: cost["step"]["flops"],
    "latency of one example": LATENCY,
}
"""What is paid, of what `experiments.cost` measured; None where nothing was timed."""

SIZES = (1, 2, 4, 8)
"""Of the deep ensembles on the line."""


BESIDE = 1.03
"""By how much apart marks of one cost stand, so that each is seen."""


def relative(record: Mapping[str, Any], name: str, cost: Cost) -> float | None:
    """A method's cost as a multiple of a single network's."""
    own, single = (cost(record["costs"][each]) for each in (name, "single"))
    return None if own is None or single is None else own / single


def worth(record: Mapping[str, Any], name: str, endpoint: str) -> Equivalent | None:
    """How many networks a method is worth; None where it was not judged."""
    told = record["equivalents"].get(name, {}).get(endpoint)
    if told is None or told["value"] is None or record["failed"]:
        return None
    value, lower, upper = (math.nan if told[end] is None else told[end] for end in ("value", "lower", "upper"))
    return Equivalent(value, lower, upper, told["largest"], told["beyond"])


def draw(record: Mapping[str, Any]) -> dict[str, Figure]:
    """A figure for each endpoint, by the record's name: a panel for each cost."""
    ends = zip(FIGURES, ENDPOINTS, strict=True)
    return {f"{record['experiment']}{end}": _figure(record, endpoint) for end, endpoint in ends}


def _figure(record: Mapping[str, Any], endpoint: str) -> Figure:
    costs = {title: cost for title, cost in COSTS.items() if relative(record, "single", cost) is not None}
    figure = new_figure(7.4)
    panels = figure.subplots(2, 2, sharey=True)
    for axes, (title, cost) in zip(panels.flat, costs.items(), strict=False):
        panel(axes, record, endpoint, cost)
        tidy(axes, x=f"{title}, x single")
    for axes in panels[:, 0]:
        axes.set_ylabel(f"worth in networks, by\n{ENDPOINTS[endpoint]}", fontsize=FONT_SIZE)
    for axes in panels.flat[len(costs) :]:
        axes.set_axis_off()
    legend_above(figure, panels.flat[0])
    return figure


def panel(axes: Axes, record: Mapping[str, Any], endpoint: str, cost: Cost) -> None:
    """Worth against a cost, of every method and of the deep ensembles."""
    paid = {size: relative(record, "single" if size == 1 else f"deep_ensemble_{size}", cost) for size in SIZES}
    line = {size: x for size, x in paid.items() if x is not None}
    deep = TABLE["deep_ensemble"].style
    axes.plot(list(line.values()), list(line), color=deep.colour, marker=deep.marker, label="deep ensembles of 1 to 8")
    taken: list[float] = []
    for name, fields in record["styles"].items():
        style, found, x = Style(**fields), worth(record, name, endpoint), relative(record, name, cost)
        if name == "single" or found is None or x is None:
            continue
        alike = [other for other in taken if abs(math.log(x / other)) < 0.01]
        taken.append(x)
        x *= BESIDE ** ((len(alike) + 1) // 2 * (-1) ** len(alike))
        low, high = (end if end == end else found.value for end in (found.lower, found.upper))
        axes.plot([x, x], [low, high], color=style.colour, linewidth=1)
        filled = name not in record["undertrained"]
        axes.plot(
            [x],
            [found.value],
            color=style.colour,
            marker=style.marker,
            markerfacecolor=style.colour if filled else "white",
            linestyle="none",
            label=record["labels"][name],
        )
    axes.set_xscale("log", base=2)
    axes.set_yscale("log", base=2)
    axes.set_xticks([1, 2, 4, 8, 16, 32], ["1", "2", "4", "8", "16", "32"])
    axes.set_yticks([1, 2, 4, 8], ["1", "2", "4", "8"])
    axes.minorticks_off()


EXPLAINED = {
    "tabm": "TabM's start: one random r, the first layer's, and ones elsewhere.",
    "full_rank": "Full-rank masks: every member multiplies its kernels by matrices of its own.",
    "rank_4_held": "On a CPU rank 4 takes no more than rank 1.",
    "adapted": "What starts from a trained network has that network's training to be paid besides.",
}
"""What is to be said of some methods where they are there."""


def words_of(record: Mapping[str, Any]) -> str:
    """What a reader must know of figures and table."""
    config = record["config"]
    words = [
        f"{record['data']}. {config['members']} members unless a name says otherwise, {len(config['seeds'])} seeds, "
        f"and the learning rate of the single network{_own_rates(record)}. Up is better, left is cheaper; **above the "
        "green line a method is worth more than the deep ensemble that costs as much**. Worth is the number of "
        "independent networks whose deep ensemble has the same score, "
        f"between 1 and {_largest(record)}, with a 95 % interval over seeds, "
        "networks and test examples, not corrected for the number of methods. Scaled: at a temperature fitted on "
        "validation data. Methods of one cost stand side by side. FLOPs are XLA's "
        f"count for a GPU, of a prediction of {config['train']['batch_size']} examples, and of a training step of all "
        "members on as many.",
        *(words for name, words in EXPLAINED.items() if name in record["equivalents"]),
    ]
    if record["undertrained"]:
        words.append("A hollow mark: undertrained by the study's own rule.")
    if relative(record, "single", LATENCY) is not None:
        words.append("Seconds are of this machine.")
    text = " ".join(words)
    return f"No verdict: a control failed. {record['failed']}.\n\n{text}" if record["failed"] else text


def _largest(record: Mapping[str, Any]) -> int:
    """Size of the largest deep ensembles on the scale."""
    return next(each["largest"] for of in record["equivalents"].values() for each in of.values())


def _own_rates(record: Mapping[str, Any]) -> str:
    """Those methods for which a learning rate was chosen."""
    rates = record["config"].get("learning_rates") or {}
    own = [f"{record['labels'][name]} {rate:g}" for name, rate in rates.items() if name in record["labels"]]
    return f", but for {', '.join(own)}" if own else ""


def sentences(record: Mapping[str, Any]) -> list[str]:
    """By each endpoint the methods above the line with their whole intervals; nothing where a control failed."""
    said = []
    for endpoint, title in ENDPOINTS.items():
        judged = [name for name in record["equivalents"] if name not in record["undertrained"]]
        worths = {name: found for name in judged if (found := worth(record, name, endpoint))}
        if not worths:
            continue
        above = {cost: _above(record, worths, COSTS[cost]) for cost in ("parameters", "FLOPs of a prediction")}
        shown = "; ".join(f"as many {cost}: {', '.join(names) or 'none'}" for cost, names in above.items())
        said.append(f"Of {len(worths)} methods these are worth more, by {title}, than a deep ensemble with {shown}.")
    return said


def _above(record: Mapping[str, Any], worths: Mapping[str, Equivalent], cost: Cost) -> list[str]:
    """A deep ensemble of n networks costs n times one: methods whose whole interval is above what they cost."""
    paid = {name: relative(record, name, cost) or math.inf for name in worths}
    return [f"{record['labels'][name]} ({found})" for name, found in worths.items() if found.lower > max(1, paid[name])]


HEADS = (
    *(
        "method",
        *(f"worth by {title}" for title in ENDPOINTS.values()),
        "gain, scaled test NLL",
        "gain, scaled shift NLL",
    ),
    *(*COSTS, "undertrained"),
)


TAKE_PART = """A file `my_module.py` where you start Python, with what makes an ensemble of any model:

```python
import be_jax
from be_jax.methods import Method, Style


def build(model, options):  # a flax module for one member, and `be_jax.methods.Options`
    return be_jax.batch_ensemble(model, options.members, init=be_jax.fast_init.normal(1.0))


my_method = Method("far_start", "BatchEnsemble N(1, 1)", Style("#444444", "d", "-"), build)
```

```sh
python -m experiments.zoo --method my_module:my_method
```

trains it beside all others, or alone where they are trained already, and leaves it in the same tables and figures."""


def to_html(record: Mapping[str, Any]) -> str:
    """The table alone, to be sorted."""
    return sortable.page(TITLE, words_of(record).replace("**", ""), HEADS, list(_rows(record)))


def to_markdown(record: Mapping[str, Any]) -> str:
    """The figures with their words, and a table with a row for each method, the best first."""
    said = "\n".join(f"- {sentence}" for sentence in sentences(record))
    name = record["experiment"]
    parts = [f"# {TITLE}", *([said] if said else []), f"![worth against cost]({name}.png)", words_of(record)]
    parts += [table(HEADS, list(_rows(record))).strip(), f"{SCALE} Costs are multiples of a single network's."]
    parts += [f"![under shift]({name}_shift.png)", f"![by OOD AUROC]({name}_ood.png)"]
    parts += [f"Controls: {controls(record)}."]
    parts += ["## A method of yours beside these", TAKE_PART, "## How this was made", made(record)]
    return "\n\n".join(parts) + "\n"


def _rows(record: Mapping[str, Any]) -> Iterable[list[str]]:
    def value(name: str) -> float:
        found = worth(record, name, next(iter(ENDPOINTS)))
        return -found.value if found else 0.0

    for name in sorted(record["equivalents"], key=value):
        shown = [worth(record, name, endpoint) for endpoint in ENDPOINTS]
        rows = record["methods"].get(name, {})
        gains = [percent(interval(rows.get(endpoint))) for endpoint in ("test nll_scaled", "shift nll_scaled")]
        paid = [relative(record, name, cost) for cost in COSTS.values()]
        costs = ["–" if x is None else f"{x:.2f}" for x in paid]
        worths = [str(each) if each else "–" for each in shown]
        yield [record["labels"][name], *worths, *gains, *costs, "yes" if name in record["undertrained"] else ""]
