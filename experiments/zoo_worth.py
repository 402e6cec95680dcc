"""What a method of the zoo is worth, in independent networks, and what it costs, in single ones, from `zoo.json`."""

import math
from collections.abc import Callable, Mapping
from typing import Any

from be_jax.stats import Equivalent

ENDPOINTS = {
    "test nll_scaled": "scaled test NLL",
    "shift nll_scaled": "scaled shift NLL",
    "ood auroc_max_probability": "OOD AUROC",
}
"""By which worth is given, the primary one first."""

Cost = Callable[[Mapping[str, Any]], float | None]
LATENCY: Cost = lambda cost: cost["latency"] and cost["latency"]["median"]  # noqa: E731
COSTS: Mapping[str, Cost] = {
    "parameters": lambda cost: cost["parameters"],
    "FLOPs of a prediction": lambda cost: cost["prediction"]["flops"],
    "FLOPs of a training step": lambda cost: cost["step"]["flops"],
    "latency of one example": LATENCY,
}
"""What is paid, of what `experiments.cost` measured; None where nothing was timed."""

SHORTEST = 5e-4
"""Seconds of a single network below which latencies are those of starting a program: XLA runs one so short inline, in
0.01 ms, or hands it to a thread, in 0.05 ms, from one call to the next.
"""


def paid(record: Mapping[str, Any]) -> dict[str, Cost]:
    """Of `COSTS` those that the record has, latency if there is something to be told by it."""
    single = record["costs"]["single"]
    short = (LATENCY(single) or 0.0) < SHORTEST
    return {title: cost for title, cost in COSTS.items() if not (short if cost is LATENCY else cost(single) is None)}


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
