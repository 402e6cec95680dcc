"""How much the check of a device does: all of it on an accelerator, little on a CPU."""

import dataclasses
from collections.abc import Callable
from functools import partial

import flax.linen as nn

from be_jax import models
from experiments.cost import __main__ as cost


@dataclasses.dataclass(frozen=True)
class Size:
    """How much is done in the time that there is.

    Attributes:
      costs: of what, in the order of measurement.
      network: that is trained; `network(dtype=...)`.
      examples: the most training images.
      tests: arguments of pytest.
    """

    costs: tuple[cost.Config, ...]
    network: Callable[..., nn.Module]
    examples: int
    tests: tuple[str, ...]


FIRST, LATER = ("single", "batch_ensemble"), ("mc_dropout", "deep_ensemble")
"""Methods, those first that the library is named after."""


def size_of(small: bool) -> Size:
    """What an accelerator does; or, small, what two cores do."""
    if small:
        table = cost.Config(networks=("lenet",), methods=FIRST, batch=16, rounds=5, at_most_s=2.0)
        network = partial(models.ResNet, blocks=(1, 1), widths=(8, 16), stem_stride=2)
        return Size((table,), network, 1000, ("tests/test_device.py", "tests/test_metrics_uncertainty.py"))
    networks, dtypes = ("resnet18", "wrn28_10"), cost.DTYPES
    costs = tuple(
        cost.Config(networks=(network,), methods=methods, dtypes=dtypes, at_most_s=5.0)
        for methods in (FIRST, LATER)
        for network in networks
    )
    return Size(costs, models.ResNet18, 50_000, ())
