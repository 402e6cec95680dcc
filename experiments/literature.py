"""What the literature says of cheap ensembles, each claim as a row of evidence from what is committed, with a verdict.

A claim says of some measured positions that they lie in a region. A piece of evidence supports it where the whole
interval does, contradicts it where the whole interval lies outside, and leaves it open otherwise.
"""

import json
import math
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from be_jax.report.columns import percent
from be_jax.results import StudyResult
from be_jax.stats import Interval, Judgement
from be_jax.stats.means import Estimate
from be_jax.stats.of_results import difference
from experiments.small_report import interval

ABOVE_DEEP, BELOW_DEEP = (1.0, math.inf), (-math.inf, 1.0)
ABOVE_SINGLE, BELOW_SINGLE = (0.0, math.inf), (-math.inf, 0.0)
NEARER_TO_DEEP = (0.5, math.inf)
PRIMARY = "test nll_scaled"
STUDIES = ("mnist_embedded", "mnist_full")


class Evidence(NamedTuple):
    """One measurement that a claim speaks of.

    Attributes:
      where: what was measured, on what.
      found: the measurement, on any scale.
      region: in which it lies if the claim is right, of two numbers of which one is infinite.
      seeds: that it rests on.
      shown: the measurement in words.
    """

    where: str
    found: Interval
    region: tuple[float, float]
    seeds: int
    shown: str

    @property
    def direction(self) -> int:
        """1 where it supports the claim, -1 where it contradicts it, and 0 where it is open."""
        low, high = self.region
        outside = (-math.inf, low) if math.isfinite(low) else (high, math.inf)
        return int(self.found.within(*self.region)) - int(self.found.within(*outside))

    @property
    def needed(self) -> int | None:
        """About how many seeds would decide it, if the estimate were the truth; None where no number would.

        The width of an interval falls with the root of their number; networks and examples are to grow alike.
        """
        bound = next(end for end in self.region if math.isfinite(end))
        away, half = abs(self.found.value - bound), (self.found.upper - self.found.lower) / 2
        return math.ceil(self.seeds * (half / away) ** 2) if self.found.bounded and away > 0 else None


class Claim(NamedTuple):
    """Words and source of a claim, the evidence of a folder of results, its page there, and what would overturn it."""

    words: str
    source: str
    evidence: Callable[[Path], Iterator[Evidence]]
    page: str
    overturned_by: str


def verdict(evidence: list[Evidence]) -> str:
    """Of a claim: one word, and how many pieces of evidence say so; where none does, the seeds that it would take."""
    directions = [each.direction for each in evidence]
    if not evidence:
        return "not tested"
    if {1, -1} <= set(directions):
        return f"mixed: {directions.count(1)} of {len(directions)} for it, {directions.count(-1)} against"
    if not any(directions):
        needed = [each.needed for each in evidence if each.needed]
        return f"undecided: about {min(needed):,} seeds would tell" if needed else "undecided"
    word, sign = ("supported", 1) if 1 in directions else ("contradicted", -1)
    return (
        word if directions.count(sign) == len(directions) else f"{word} by {directions.count(sign)} of {len(evidence)}"
    )


def _record(folder: Path, name: str) -> dict[str, Any]:
    path = folder / f"{name}.json"
    return json.loads(path.read_text()) if path.exists() else {}


def _position(where: str, row: Mapping[str, Any] | None, region: tuple[float, float], seeds: int) -> Iterator[Evidence]:
    found = interval(row)
    if found.pieces:
        yield Evidence(where, found, region, seeds, percent(found))


def _wider(folder: Path) -> Iterator[Evidence]:
    shown = {PRIMARY: "test NLL", "shift nll_scaled": "shift NLL", "ood auroc_max_probability": "OOD AUROC"}
    for name in STUDIES:
        if not (folder / f"verdicts_{name}.json").exists():
            continue
        judgement = Judgement.load(folder / f"verdicts_{name}.json")
        wide = judgement.method("single_wide")
        for row in wide.rows if wide and not judgement.failed else ():
            if str(row.endpoint) in shown and row.position.pieces:
                where = f"{shown[str(row.endpoint)]}, {name}"
                seeds = wide.units["seeds of single wide"] if wide else 0
                yield Evidence(where, row.position, NEARER_TO_DEEP, seeds, percent(row.position))


def _at_widths(method: str, regions: Mapping[int, tuple[float, float]], endpoint: str = PRIMARY) -> Any:
    """Of a method of the ladder at its steps of these places."""

    def evidence(folder: Path) -> Iterator[Evidence]:
        record = _record(folder, "widths")
        for place, region in regions.items() if record else ():
            told = record["widths"][place]
            row = None if method in told["undertrained"] else told["methods"].get(method, {}).get(endpoint)
            yield from _position(f"width {told['width']:g}", row, region, len(record["config"]["seeds"]))

    return evidence


def _repulsion(folder: Path) -> Iterator[Evidence]:
    for name, endpoint, region in (
        ("at images: test NLL", PRIMARY, BELOW_DEEP),
        ("between images: test NLL", PRIMARY, ABOVE_DEEP),
        ("between images: OOD AUROC", "ood auroc_max_probability", ABOVE_DEEP),
    ):
        method = "deep_repelled" if name.startswith("at") else "deep_repelled_between"
        for each in _at_widths(method, {1: region}, endpoint)(folder):
            yield each._replace(where=name)


def _narrower_is_surer(folder: Path) -> Iterator[Evidence]:
    record = _record(folder, "widths")
    for name in ("test", "ood") if record else ():
        told = record["widths"][-1]
        where = f"{name}, width {told['width']:g} of {record['widths'][0]['width']:g}"
        yield from _position(where, told["epistemic"][name]["of_narrowest"], BELOW_DEEP, record["config"]["pool_size"])


def _alone_and_together(folder: Path) -> Iterator[Evidence]:
    record = _record(folder, "tabular")
    for each in record.get("tables", ()):
        if not each["failed"] and "tabm_32" in each["methods"]:
            seeds = len(record["config"]["seeds"])
            yield from _position(f"alone, {each['dataset']}", each["alone"]["tabm_32"], BELOW_SINGLE, seeds)
            yield from _position(
                f"together, {each['dataset']}", each["methods"]["tabm_32"].get(PRIMARY), ABOVE_SINGLE, seeds
            )


def _less(found: Estimate, where: str) -> Iterator[Evidence]:
    """A difference of two methods' NLL, in nats, which is to be below 0."""
    if math.isfinite(found.half_width):
        ends = (found.mean - found.half_width, found.mean + found.half_width)
        shown = f"{found.mean:+.3f} [{ends[0]:+.3f}, {ends[1]:+.3f}] nats".replace("-", "−")
        yield Evidence(where, Interval(found.mean, (ends,)), BELOW_SINGLE, found.n, shown)


def _film(folder: Path) -> Iterator[Evidence]:
    if (folder / "mnist_vit.json").exists():
        result = StudyResult.load(folder / "mnist_vit.json")
        found = difference(result, "norm_ensemble", "batch_ensemble", *PRIMARY.split(" "))
        yield from _less(found, "test NLL less BatchEnsemble's, transformer")


def _added(folder: Path) -> Iterator[Evidence]:
    told = _record(folder, "zoo").get("against_batch_ensemble", {}).get("lora_ensemble")
    if told and None not in told.values():
        yield from _less(Estimate(**told), "test NLL less BatchEnsemble's, MLP")


CLAIMS = (
    Claim(
        "A larger single network does what a deep ensemble of its cost does",
        "2202.06985",
        _wider,
        "mnist_embedded",
        "a wider network tuned as well as the ensemble's, on data where width does not help",
    ),
    Claim(
        "Forcing members apart helps small networks and harms large ones",
        "2302.00704",
        _at_widths("deep_mixture", {0: ABOVE_DEEP, -1: BELOW_DEEP}),
        "widths",
        "another weight of the term that forces them, or networks far larger than these",
    ),
    Claim(
        "Epistemic uncertainty falls with width",
        "2409.02628",
        _narrower_is_surer,
        "widths",
        "a learning rate chosen for each width, or trainings to a loss of their own",
    ),
    Claim(
        "Repulsion between predictions harms at training inputs and helps at others",
        "2412.15758",
        _repulsion,
        "widths",
        "another weight of the term, or other inputs than the midpoints of training images",
    ),
    Claim(
        "Trained on the ensemble's own loss, members collude, and the ensemble is worse",
        "2301.11323",
        _at_widths("deep_mixture", {0: BELOW_DEEP, 1: BELOW_DEEP, -1: BELOW_DEEP}),
        "widths",
        "early stopping, where members that collude overfit less",
    ),
    Claim(
        "Scales and offsets of normalisation (FiLM) make a better ensemble than fast weights",
        "2206.00050",
        _film,
        "mnist_vit",
        "a start of either that was chosen for it",
    ),
    Claim(
        "Members of TabM are weak alone and strong together",
        "2410.24210",
        _alone_and_together,
        "tabular",
        "tables larger than these, or tuned as its authors do",
    ),
    Claim(
        "A low rank that is added makes a better ensemble than one that multiplies",
        "2405.14438",
        _added,
        "zoo",
        "ranks above 1, or a pretrained network, of which its authors speak",
    ),
)
