"""The claims C1 to C4 about one method, each tested on its endpoints in a fixed order until one shows nothing.

A *region* is a statement about a position, true where the position lies in it and shown where the whole interval does.
Regions come in families, strongest first, and each family has a fixed sequence of its own: an endpoint is tested at
the full level only where all endpoints before it showed a region of the same family, so that no correction is needed
(Maurer, Hothorn and Lehmacher 1995). An interval of level 1 - a is mistaken with probability a, at either end a / 2,
and so is the first endpoint of which a family says something false. That errors of *direction* in earlier endpoints add
nothing to it is proved for some dependences only (Grandhi, Guo and Romano 2016); `experiments/judge_simulation.py`
measures all false statements together. All statements about one endpoint are read off one interval, which therefore
never disagrees with a word. What is far below both ends is not called nearer to one of them: an interval below the
margin says *below half*, which speaks for neither, or, where it does so at the level divided by the number of
endpoints, *far below a single model*.
"""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

from be_jax.stats.config import Endpoint, JudgeConfig
from be_jax.stats.rows import Row

ClaimName = Literal["C1", "C2", "C3", "C4"]
Decision = Literal["supported", "contradicted", "mixed", "undecided", "not judged", "undertrained", "control failed"]

STATEMENTS: Mapping[ClaimName, str] = {
    "C1": "is worse than a deep ensemble",
    "C2": "tracks a single model in accuracy, calibration and OOD detection",
    "C3": "has members that are near-identical as functions",
    "C4": "has members that are near-identical in parameter space",
}

TO_SINGLE, TO_DEEP = "equivalent to a single model", "equivalent to a deep ensemble"
WORSE_THAN_SINGLE, BETTER_THAN_DEEP = "worse than a single model", "better than a deep ensemble"
WORSE_THAN_DEEP = "worse than a deep ensemble"
FAR_BELOW_SINGLE = "far below a single model"
BELOW_HALF = "below half of a deep ensemble's gain"
NEAR_SINGLE = "nearer to a single model than to a deep ensemble"
NEAR_DEEP = "nearer to a deep ensemble than to a single model"
TOWARDS_DEEP = frozenset({TO_DEEP, BETTER_THAN_DEEP, NEAR_DEEP})
"""Of what is said of quality, the deep ensemble's side; the rest is the single model's."""
IDENTICAL, DISTINCT = "near-identical", "not near-identical"
NEAR_INDEPENDENT = "nearer to independent networks than to copies of one network"


class Region(NamedTuple):
    """A statement about a position: that it lies strictly between two numbers.

    Attributes:
      words: the statement.
      direction: 1 where it speaks for the claim, -1 against, 0 for neither.
      low, high: the numbers.
      below: below which the interval must lie besides, for the statement to be made.
      corrected: whether the interval is that of `Row.upper_corrected`.
    """

    words: str
    direction: Literal[1, 0, -1]
    low: float
    high: float
    below: float = math.inf
    corrected: bool = False

    def shown_by(self, row: Row) -> bool:
        """Whether the interval of the row lies in it."""
        high = min(self.high, self.below)
        return row.upper_corrected < high if self.corrected else row.position.within(self.low, high)


Families = tuple[tuple[Region, ...], ...]


@dataclasses.dataclass(frozen=True)
class Stated:
    """What is said of one endpoint of a claim.

    Attributes:
      endpoint: which.
      words: of the region that its interval lies in; empty where nothing is shown, or not tested.
      direction: of that region; 0 where nothing is said.
    """

    endpoint: Endpoint
    words: str = ""
    direction: int = 0


@dataclasses.dataclass(frozen=True)
class Verdict:
    """What is said of one claim about one method.

    Attributes:
      claim: its name; `STATEMENTS` has the words.
      decision: "mixed" where endpoints speak for and against it.
      stated: of each endpoint, in the order in which they are tested.
      reason: why it is not decided, or why no further endpoint is; empty otherwise.
    """

    claim: ClaimName
    decision: Decision
    stated: tuple[Stated, ...]
    reason: str = ""

    @property
    def reached(self) -> int:
        """How many endpoints, from the first on, something is said of."""
        return sum(bool(each.words) for each in self.stated)

    @property
    def words(self) -> dict[str, list[Endpoint]]:
        """Each statement with the endpoints that show it."""
        said: dict[str, list[Endpoint]] = {}
        for each in self.stated:
            if each.words:
                said.setdefault(each.words, []).append(each.endpoint)
        return said


def families(claim: ClaimName, margin: float) -> Families:
    """The regions of a claim."""
    low, high, middle = -math.inf, math.inf, 0.5
    to_deep = Region(TO_DEEP, -1, 1 - margin, 1 + margin)
    match claim:
        case "C1":
            apart = (Region(WORSE_THAN_DEEP, 1, low, 1.0), Region(BETTER_THAN_DEEP, -1, 1.0, high))
            return apart, (to_deep,)
        case "C2":
            outside = (Region(WORSE_THAN_SINGLE, -1, low, 0.0), Region(BETTER_THAN_DEEP, -1, 1.0, high))
            far = Region(FAR_BELOW_SINGLE, -1, low, -margin, corrected=True)
            below = Region(BELOW_HALF, 0, low, middle, below=-margin)
            nearer = (far, below, Region(NEAR_SINGLE, 1, low, middle), Region(NEAR_DEEP, -1, middle, high))
            return (Region(TO_SINGLE, 1, -margin, margin), to_deep), outside, nearer
        case _:
            identical = Region(IDENTICAL, 1, low, margin)
            independent = Region(NEAR_INDEPENDENT, -1, middle, high)
            return (identical, independent), (identical, Region(DISTINCT, -1, margin, high))


def judge_claim(
    claim: ClaimName, rows: Sequence[Row], config: JudgeConfig, absent: str = "scores were not given"
) -> Verdict:
    """The verdict on a claim from its rows, in the order in which they are tested.

    A claim of which an endpoint is missing is undecided, whatever the others show. One without rows is not judged, for
    the reason that `absent` gives.
    """
    if not rows:
        return Verdict(claim, "not judged", (), absent)
    stated = _sequence(families(claim, config.margin), rows)
    reached = sum(bool(each.words) for each in stated)
    stopped = _why(rows[reached]) if reached < len(rows) else ""
    if missing := [row.reason for row in rows if row.missing]:
        return Verdict(claim, "undecided", stated, "; ".join(missing))
    directions = {each.direction for each in stated} - {0}
    if not directions:
        return Verdict(claim, "undecided", stated, stopped)
    decision: Decision = "mixed" if len(directions) > 1 else "supported" if directions == {1} else "contradicted"
    return Verdict(claim, decision, stated, stopped)


def withheld(verdict: Verdict, decision: Decision, reason: str) -> Verdict:
    """The verdict without a statement."""
    return Verdict(verdict.claim, decision, tuple(Stated(each.endpoint) for each in verdict.stated), reason)


def _sequence(of_families: Families, rows: Sequence[Row]) -> tuple[Stated, ...]:
    """For each row the statement of the first family whose sequence gets as far."""
    stated = [Stated(row.endpoint) for row in rows]
    for family in reversed(of_families):
        for i, row in enumerate(rows):
            region = _shown(family, row)
            if region is None:
                break
            stated[i] = Stated(row.endpoint, region.words, region.direction)
    return tuple(stated)


def _shown(family: Sequence[Region], row: Row) -> Region | None:
    if row.reason:
        return None
    return next((region for region in family if region.shown_by(row)), None)


def _why(row: Row) -> str:
    return row.reason or f"the interval of {row.endpoint} leaves it open"
