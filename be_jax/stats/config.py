"""What is judged, in which order, and how strictly: stated before, printed with every verdict."""

import dataclasses
from collections.abc import Callable
from typing import NamedTuple

from be_jax.config import check
from be_jax.metrics import registry
from be_jax.scores import OOD
from be_jax.scores.examples import SCALED

PARAMETERS = "parameters"
"""The set of scores of weights."""

ROOT = "root_"
"""Begins the name of a score's square root: on it what is quadratic in the members' differences becomes linear."""


MIN_UNITS = 3
"""Seeds, or networks, below which nothing is decided: two leave one degree of freedom."""


class Endpoint(NamedTuple):
    """A score of a set, such as ("test", "nll_scaled")."""

    set_name: str
    metric: str

    def __str__(self) -> str:
        return f"{self.set_name} {self.metric}"

    @property
    def raw(self) -> "Endpoint":
        """The same score of predictions whose temperature was left alone."""
        return self._replace(metric=self.metric.removesuffix(SCALED))


QUALITY = (
    Endpoint("test", "nll_scaled"),
    Endpoint("shift", "nll_scaled"),
    Endpoint("shift", "accuracy"),
    Endpoint("test", "accuracy"),
    Endpoint(OOD, "auroc_max_probability"),
    Endpoint("test", "ece"),
)
"""The first is the primary endpoint. The score of OOD detection is one that a single network has too."""

FUNCTIONS = (
    Endpoint("test", f"{ROOT}epistemic"),
    Endpoint("test", "disagreement"),
    Endpoint("shift", f"{ROOT}epistemic"),
    Endpoint(OOD, f"{ROOT}epistemic"),
)

WEIGHTS = (Endpoint(PARAMETERS, "kernel_distance"),)


@dataclasses.dataclass(frozen=True)
class JudgeConfig:
    """Level, margin and endpoints of a judgement.

    Attributes:
      level: of each test, two-sided; intervals are of 1 - level.
      margin: how far from a single model (0) or a deep ensemble (1), of the way between them, still counts as
        equivalent.
      quality: endpoints of C1 and C2, in the order in which they are tested.
      functions: of C3: measures that grow linearly with the differences between members.
      weights: of C4.
      min_units: seeds, or networks, below which nothing is decided.
    """

    level: float = 0.05
    margin: float = 0.25
    quality: tuple[Endpoint, ...] = QUALITY
    functions: tuple[Endpoint, ...] = FUNCTIONS
    weights: tuple[Endpoint, ...] = WEIGHTS
    min_units: int = MIN_UNITS

    def __post_init__(self) -> None:
        check(0 < self.level < 0.5, "level", self.level, "in (0, 0.5)")
        check(0 < self.margin < 0.5, "margin", self.margin, "in (0, 0.5)")
        check(self.min_units >= 2, "min_units", self.min_units, "an integer >= 2")
        for name in ("quality", "functions", "weights"):
            endpoints = tuple(Endpoint(*each) for each in getattr(self, name))
            check(len(set(endpoints)) == len(endpoints) > 0, name, endpoints, "different endpoints, at least one")
            object.__setattr__(self, name, endpoints)
        for endpoint in self.quality:
            registry.lookup(endpoint.metric).sign  # noqa: B018  raises for a name without a direction

    @property
    def confidence(self) -> float:
        """Of the intervals."""
        return 1 - self.level

    @property
    def primary(self) -> Endpoint:
        """The endpoint that is tested first."""
        return self.quality[0]

    def as_measured(self, has: Callable[[str, str], bool]) -> "JudgeConfig":
        """The same, or with raw scores in the place of temperature-scaled ones where `has(*primary)` is false: no
        temperature was fitted.
        """
        if has(*self.primary) or self.primary == self.primary.raw:
            return self
        return dataclasses.replace(self, quality=tuple(dict.fromkeys(endpoint.raw for endpoint in self.quality)))
