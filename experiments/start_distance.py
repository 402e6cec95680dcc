"""Is the diversity of a BatchEnsemble what its start was? Diversity after training against distance before it.

    python -m experiments.pages      # from what is committed in experiments/results; trains nothing

Distance is 1 - the expected cosine of two members' masks at the start (`be_jax.nn.fast_init.expected_cosine`), and
diversity the mutual information on test of that of deep ensembles trained alike: both are quadratic in the members'
differences. Points are the ablation's settings, the phase diagram's methods at every size of the training set, and
methods at every recorded epoch of a training. The line is through the origin, fitted to settings of the ablation whose
start alone varies and is normal.
"""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from be_jax.stats import Interval, Judgement
from experiments.ablation_settings import COSINE, SETTINGS
from experiments.diversity_report import position
from experiments.small_report import interval

RESULTS = Path(__file__).parent / "results"
ENDPOINT = ("test", "root_epistemic")
COSINES = {"batch_ensemble": COSINE, "batch_ensemble_sign": 0.0} | {
    name: setting.cosine for name, setting in SETTINGS.items() if setting.cosine is not None
}


class Point(NamedTuple):
    """One setting: where it is from, its distance at the start, and its mutual information of a deep ensemble's."""

    source: str
    setting: str
    distance: float
    ratio: Interval


class Line(NamedTuple):
    """Through the origin: its slope, the range of the points that it is fitted to, their number, and how many of them
    have it in their interval.
    """

    slope: float
    low: float
    high: float
    points: int
    held: int


def squared(root: Interval) -> Interval:
    """Of a ratio from that of roots, which is not negative."""
    return Interval(root.value**2, tuple((max(low, 0.0) ** 2, high**2) for low, high in root.pieces))


def points(folder: Path = RESULTS) -> list[Point]:
    """Of every committed setting that was judged and whose start is known."""
    return [*_of_ablation(folder), *_of_phase(folder), *_of_training(folder)]


def _of_ablation(folder: Path) -> Iterable[Point]:
    path = folder / "verdicts_ablation.json"
    judgement = Judgement.load(path) if path.exists() else None
    for each in judgement.methods if judgement and not judgement.failed else ():
        row = each.row(*ENDPOINT)
        if each.name in COSINES and row and row.position.pieces and not each.undertrained:
            yield Point("ablation", each.name, 1 - COSINES[each.name], squared(row.position))


def _of_phase(folder: Path) -> Iterable[Point]:
    path = folder / "phase.json"
    record: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {"sizes": []}
    for told in record["sizes"]:
        for name, rows in told["methods"].items():
            position = interval(rows.get(" ".join(ENDPOINT)))
            if name in COSINES and name not in told["undertrained"] and position.pieces:
                yield Point(f"{told['size']:,} images", name, 1 - COSINES[name], squared(position))


def _of_training(folder: Path) -> Iterable[Point]:
    path = folder / "diversity.json"
    record: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {"epochs": [], "methods": []}
    for epoch in record["epochs"]:
        for name in (row["method"] for row in record["methods"] if row["method"] in COSINES):
            found = position(record, name, "test epistemic", epoch)
            yield Point(f"epoch {epoch}", name, 1 - COSINES[name], squared(found))


def only_start(point: Point) -> bool:
    """Whether this setting of the ablation differs from the reference in nothing but its start, which is normal."""
    return point.source == "ablation" and SETTINGS[point.setting].start_alone


def fitted(given: Iterable[Point]) -> Line | None:
    """The line, by least squares; None with fewer than three points."""
    used = [point for point in given if only_start(point)]
    if len(used) < 3:
        return None
    x, y = (np.array(values) for values in zip(*((p.distance, p.ratio.value) for p in used), strict=True))
    slope = float(x @ y / (x @ x))
    held = sum(point.ratio.holds(slope * point.distance) for point in used)
    return Line(slope, float(x.min()), float(x.max()), len(used), held)
