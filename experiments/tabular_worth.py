"""What each method is worth on a table, in networks, and what it costs."""

import dataclasses
from typing import Any

import flax.linen as nn

from be_jax.methods import TABLE
from be_jax.stats import Endpoint, Judgement
from experiments.cost.measure import Settings, costs
from experiments.cost.subjects import Network
from experiments.small_report import KNOWN
from experiments.zoo_figures import SIZES

SCALES = (Endpoint("test", "nll_scaled"), Endpoint("test", "crps_scaled"))


def worth_and_costs(
    judgement: Judgement, model: nn.Module, input_shape: tuple[int, ...], members: int, batch: int
) -> dict[str, Any]:
    """Of each method how many networks it is worth; and what is counted of it, and of the deep ensembles, untimed."""
    names = [each.name for each in judgement.methods]
    subjects = {name: (KNOWN[name], members) for name in ("single", *names)}
    subjects |= {f"deep_ensemble_{size}": (TABLE["deep_ensemble"], size) for size in SIZES if size > 1}
    network = Network(lambda: model, input_shape)
    counted = {
        name: costs(name, network, row, "float32", Settings(m, batch, times=False))
        for name, (row, m) in subjects.items()
    }
    return {
        "equivalents": {
            each.name: {place: dataclasses.asdict(found) for place, found in each.equivalents.items()}
            for each in judgement.methods
        },
        "costs": {name: dataclasses.asdict(cost) for name, cost in counted.items()},
    }
