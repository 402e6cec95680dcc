"""The zoo as a page and a table to sort, from `zoo.json`."""

import math
from collections.abc import Iterable, Mapping
from typing import Any

from be_jax.report.columns import percent
from be_jax.report.words import listed
from be_jax.stats import Equivalent
from experiments import sortable
from experiments.small_report import SCALE, controls, interval, made, table
from experiments.zoo_figures import draw, gain, largest
from experiments.zoo_worth import COSTS, ENDPOINTS, LATENCY, Cost, paid, relative, worth

__all__ = ["draw", "sentences", "to_html", "to_markdown"]

QUESTION = "Which cheap ensemble is an ensemble? Worth against cost"

EXPLAINED = {
    "tabm": "TabM's start: one random r, the first layer's, and ones elsewhere.",
    "tabm_held": "One network, TabM's start held: the control of what its members learn apart. Its own weights are "
    "trained, r stays as it was drawn: one network that sees every image m times, channels or pixels of it negated.",
    "full_rank": "Full-rank masks: every member multiplies its kernels by matrices of its own.",
    "rank_4_held": "On a CPU rank 4 takes no more than rank 1.",
    "adapted": "What starts from a trained network has that network's training to be paid besides.",
}
"""What is to be said of some methods where they are there."""


def of_table(record: Mapping[str, Any]) -> str:
    """What a reader must know of the table besides."""
    alone = (
        "A member alone: where the members stand on the same scale, each by itself at a temperature of its own; what "
        "they gain alone is a better network's, and no ensemble's. "
    )
    return f"{alone if 'alone' in record else ''}Costs are multiples of a single network's."


RATES_TOLD = {"zoo_full": "mnist_rates", "zoo_cifar10": "cifar10_cpu"}
"""Studies on whose pages stands how a zoo's learning rates were chosen."""


def words_of(record: Mapping[str, Any]) -> str:
    """What a reader must know of the figure of all methods, and of the table."""
    config = record["config"]
    words = [
        f"{record['data']}. {config['members']} members unless a name says otherwise, {_seeds(record)}, "
        f"a pool of {config['pool_size']} networks, {config['train']['epochs']} epochs, and one learning rate for all, "
        f"{config['train']['learning_rate']:g}{_own_rates(record)}. A square is what a method is worth: the number of "
        f"independent networks, between 1 and {largest(record)}, whose deep ensemble "
        "has the same score, with a 95 % interval over seeds of the method, networks of the pool and test examples, "
        "not corrected for the number of methods. An arrowhead at 1 or at the other end: worse than one network, or "
        "better than the largest of these ensembles; where there is no square, the estimate itself. Orange marks are "
        "the price, as a multiple of a single network's, training not included. A deep ensemble is worth what it "
        "costs: **a bar wholly right of the tick is worth more than the deep ensemble of as many operations, one "
        "wholly left of it less**. Scaled: at a temperature fitted on validation data. Shift: corrupted test images. "
        "OOD AUROC: by maximum probability.",
        *(words for name, words in EXPLAINED.items() if name in record["equivalents"]),
    ]
    if record["undertrained"]:
        words.append("A hollow mark: undertrained by the study's own rule.")
    text = " ".join(words)
    return f"No verdict: a control failed. {record['failed']}.\n\n{text}" if record["failed"] else text


def of_costs(record: Mapping[str, Any]) -> str:
    """What a reader must know of the figures over costs."""
    batch = record["config"]["train"]["batch_size"]
    timed = ""
    if LATENCY in paid(record).values():
        timed = " Latency is of this machine."
    elif LATENCY(record["costs"]["single"]):
        timed = (
            " So small a network takes less than half a millisecond for one example, most of it the start of a "
            "program: latencies are told [of larger ones](cost.md)."
        )
    return (
        "Up is better, left is cheaper; above the green line a method is worth more than the deep ensemble that costs "
        "as much. Methods of one cost stand side by side. FLOPs are XLA's count for a GPU, of the study's network, "
        f"its dropout included, for a prediction of {batch} examples, and of a training step of all members on as "
        f"many.{timed}"
    )


def _seeds(record: Mapping[str, Any]) -> str:
    """How many there are, and of which methods more."""
    common = len(record["config"]["seeds"])
    more = record["config"].get("more_seeds") or {}
    own = [f"{common + count} of {record['labels'][name]}" for name, count in more.items() if name in record["labels"]]
    return f"{common} seeds{f' ({listed(own)})' if own else ''}"


def _own_rates(record: Mapping[str, Any]) -> str:
    """Those methods for which a learning rate was chosen, or what it means that there are none."""
    rates = record["config"].get("learning_rates") or {}
    own = [f"{record['labels'][name]} {rate:g}" for name, rate in rates.items() if name in record["labels"]]
    others = "; what needs another, as random signs do, stands elsewhere at its own"
    return f", but for {', '.join(own)}" if own else others


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
    return said + learned_apart({f"on {_data(record)}": record})


def learned_apart(records: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """What TabM's start gains in each zoo, by the words for it, beside one network whose fast weights are held as that
    draws them; nothing of a zoo without, or where one of the two is undertrained. Under shift where they differ."""
    names, alike, apart = ("tabm", "tabm_held"), list[str](), list[str]()
    test, shift = list(ENDPOINTS)[:2]
    for where, record in records.items():
        ours, held = (record.get("methods", {}).get(name) for name in names)
        if not ours or not held or set(names) & set(record["undertrained"]):
            continue
        gains = {end: (interval(held[end]), interval(ours[end])) for end in (test, shift)}
        told = {end: f"{percent(one)} ({percent(other)}) {where}" for end, (one, other) in gains.items()}
        alike.append(told[test])
        of_one, of_members = gains[shift]
        if of_one.within(-math.inf, of_members.lower) or of_one.within(of_members.upper, math.inf):
            apart.append(told[shift])
    if not alike:
        return []
    but = f"; in {ENDPOINTS[shift]} {listed(apart)}" if apart else ""
    return [
        "TabM's start multiplies each input, a channel or a pixel, by ±1. **One network** averaged over such inputs, "
        f"which learns nothing apart, recovers (and TabM's start) in {ENDPOINTS[test]} {listed(alike)}{but}."
    ]


def _above(record: Mapping[str, Any], worths: Mapping[str, Equivalent], cost: Cost) -> list[str]:
    """A deep ensemble of n networks costs n times one: methods whose whole interval is above what they cost."""
    prices = {name: relative(record, name, cost) or math.inf for name in worths}
    return [
        f"{record['labels'][name]} ({found})" for name, found in worths.items() if found.lower > max(1, prices[name])
    ]


CALLED = {
    "embedded_mnist": "4,000 images of MNIST",
    "mnist": "all of MNIST",
    "cifar10": "CIFAR-10",
    "mlp": "MLP",
    "lenet": "LeNet",
    "resnet8_half": "ResNet-8 of half width",
}
"""Data and networks in a title."""


def title(record: Mapping[str, Any]) -> str:
    """With the data and the network that it is of."""
    network = record["config"].get("model") or record["config"]["network"]
    return f"{QUESTION}: {_data(record)}, {CALLED.get(network, network)}"


def _data(record: Mapping[str, Any]) -> str:
    name: str = record["data"].partition(" (")[0]
    return CALLED.get(name, name)


def heads(record: Mapping[str, Any]) -> tuple[str, ...]:
    """Of the table."""
    worths = (f"worth by {title}" for title in ENDPOINTS.values())
    alone = ("a member alone, scaled test NLL",) if "alone" in record else ()
    return "method", *worths, "gain, scaled test NLL", *alone, "gain, scaled shift NLL", *paid(record), "undertrained"


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
    return sortable.page(title(record), words_of(record).replace("**", ""), heads(record), list(_rows(record)))


def to_markdown(record: Mapping[str, Any]) -> str:
    """The figures with their words, and a table with a row for each method, the best first."""
    said = "\n".join(f"- {sentence}" for sentence in sentences(record))
    name = record["experiment"]
    parts = [f"# {title(record)}", *([said] if said else []), f"![worth and price]({name}_rows.png)", words_of(record)]
    rates, chosen = RATES_TOLD.get(name), ""
    if rates:
        chosen = f" Learning rates: [chosen on validation data]({rates}.md#learning-rates) after a third of the epochs."
    parts += [f"Controls: {controls(record)}.{chosen}"]
    parts += [table(heads(record), list(_rows(record))).strip(), f"{SCALE} {of_table(record)}"]
    parts += ["## Against every cost", of_costs(record), f"![by scaled test NLL]({name}.png)"]
    parts += [f"![under shift]({name}_shift.png)", f"![by OOD AUROC]({name}_ood.png)"]
    parts += ["## A method of yours beside these", TAKE_PART, "## How this was made", made(record)]
    return "\n\n".join(parts) + "\n"


def _rows(record: Mapping[str, Any]) -> Iterable[list[str]]:
    first = next(iter(ENDPOINTS))

    def order(name: str) -> tuple[float, float]:
        found = worth(record, name, first)
        return found.value if found else 0.0, gain(record, name, first)

    for name in sorted(record["equivalents"], key=order, reverse=True):
        shown = [worth(record, name, endpoint) for endpoint in ENDPOINTS]
        rows = record["methods"].get(name, {})
        alone = [record["alone"][name]] if "alone" in record else []
        gains = [percent(interval(each)) for each in (rows.get(first), *alone, rows.get("shift nll_scaled"))]
        prices = [relative(record, name, cost) for cost in paid(record).values()]
        costs = ["–" if x is None else f"{x:.2f}" for x in prices]
        worths = [str(each) if each else "–" for each in shown]
        yield [record["labels"][name], *worths, *gains, *costs, "yes" if name in record["undertrained"] else ""]
