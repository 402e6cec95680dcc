"""Confidence sets of ratios by inverting the test that decides (Fieller 1954), so that the two cannot disagree.

The set of a ratio g = part / whole holds every g at which the two-sided test of `part - g whole = 0` does not reject.
Where `whole` is not told from 0 that set has no bounds: it is everything, or everything but a middle piece.
"""

import dataclasses
import math
from collections.abc import Callable

import numpy as np
from scipy.optimize import brentq

from be_jax.stats.jackknife import Statistic, covariances, quantile, weighted

CONFIDENCE = 0.95
_OFFSETS = np.concatenate([[0.0], np.geomspace(1e-7, math.pi / 2, 120)])
"""The first is finer than any interval, and coarser than the rounding of a variance."""

_ALWAYS_TRIED = np.append(np.arctan([0.0, 0.25, 0.5, 0.75, 1.0]), math.pi / 2)
"""Angles of the ratios that decisions are read at, and of infinity: none can fall between two steps."""


@dataclasses.dataclass(frozen=True)
class Interval:
    """An estimate and the set that covers the truth with the stated confidence.

    Attributes:
      value: the estimate; NaN where nothing can be said.
      pieces: of the set, ascending and apart, each (lower, upper), perhaps infinite; none where nothing can be said.
    """

    value: float
    pieces: tuple[tuple[float, float], ...]

    @property
    def lower(self) -> float:
        """The least of the set; NaN where there is none."""
        return self.pieces[0][0] if self.pieces else math.nan

    @property
    def upper(self) -> float:
        """The greatest of the set; NaN where there is none."""
        return self.pieces[-1][1] if self.pieces else math.nan

    @property
    def bounded(self) -> bool:
        """Whether both ends are finite."""
        return bool(self.pieces) and math.isfinite(self.lower) and math.isfinite(self.upper)

    def within(self, low: float, high: float) -> bool:
        """Whether the whole set lies strictly between; never of a set without bounds."""
        return self.bounded and low < self.lower and self.upper < high

    def holds(self, value: float) -> bool:
        """Whether the set has this number in it."""
        return any(lower <= value <= upper for lower, upper in self.pieces)


UNDEFINED = Interval(math.nan, ())


def ratio(part: Statistic, whole: Statistic, confidence: float = CONFIDENCE) -> Interval:
    """part / whole, with the set of all ratios that the test does not reject.

    Ratios are points of a circle (g = tan phi), on which infinity is a point as any other. From the estimate, which is
    always in the set, the test is tried in both directions in steps that begin tiny and grow, and each change of its
    outcome is then found exactly.

    Args:
      part, whole: finite statistics, `whole` not exactly 0 where `part` is.
    """
    values, parts = np.array([part.value, whole.value]), covariances([part, whole])
    centre = math.atan2(part.value * math.copysign(1.0, whole.value), abs(whole.value))

    def excess(offset: np.ndarray) -> np.ndarray:
        """How far the test statistic is beyond what is not rejected."""
        at = centre + np.asarray(offset)
        weights = np.stack([np.cos(at), -np.sin(at)], axis=-1)
        variance, freedom = weighted(parts, weights).combined()
        return np.abs(weights @ values) - quantile(freedom, confidence) * np.sqrt(variance)

    up, down = (_accepted(excess, centre, side) for side in (1.0, -1.0))
    arcs = [(-high, -low) for low, high in down] + up
    value = part.value / whole.value
    return Interval(value, tuple(_with(value, *piece) for piece in _on_the_line(centre, arcs)))


def _with(value: float, lower: float, upper: float) -> tuple[float, float]:
    """A piece, with the estimate in it where only rounding has put it outside."""
    near = any(math.isclose(value, end, rel_tol=1e-12, abs_tol=1e-12) for end in (lower, upper))
    return (min(lower, value), max(upper, value)) if near else (lower, upper)


def _accepted(excess: Callable[[np.ndarray], np.ndarray], centre: float, side: float) -> list[tuple[float, float]]:
    """Arcs of offsets on one side of the estimate, from 0 to pi / 2, at which nothing is rejected."""
    always = (side * (_ALWAYS_TRIED - centre)) % math.pi
    offsets = np.union1d(_OFFSETS, always[always <= math.pi / 2])
    inside = excess(side * offsets) <= 0
    inside[0] = True
    turns = np.flatnonzero(inside[1:] != inside[:-1]).tolist()
    ends = [
        brentq(lambda t: min(float(excess(side * t)), 1e300), offsets[i], offsets[i + 1], xtol=1e-15)
        if float(excess(side * offsets[i])) * float(excess(side * offsets[i + 1])) < 0
        else float(offsets[i])
        for i in turns
    ]
    bounds = [0.0, *ends, *([math.pi / 2] if inside[-1] else [])]
    return list(zip(bounds[::2], bounds[1::2], strict=True))


def _on_the_line(centre: float, arcs: list[tuple[float, float]]) -> tuple[tuple[float, float], ...]:
    """Arcs around a centre as pieces of the real line, which a turn of pi goes once around."""
    pieces = []
    for low, high in arcs:
        for turn in (-math.pi, 0.0, math.pi):
            start, end = max(centre + low + turn, -math.pi / 2), min(centre + high + turn, math.pi / 2)
            if start < end or (start == end and abs(start) < math.pi / 2):
                pieces.append((_tangent(start), _tangent(end)))
    merged: list[tuple[float, float]] = []
    for lower, upper in sorted(pieces):
        if merged and lower <= merged[-1][1] + 1e-9 * max(1.0, abs(lower)):
            merged[-1] = (merged[-1][0], max(upper, merged[-1][1]))
        else:
            merged.append((lower, upper))
    return tuple(merged)


def _tangent(angle: float) -> float:
    return math.copysign(math.inf, angle) if abs(angle) >= math.pi / 2 - 1e-15 else math.tan(angle)
