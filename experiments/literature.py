"""What the literature says of cheap ensembles, each claim as a row of evidence from what is committed, with a verdict.

A claim says of some measurements that they lie in a region. A piece of evidence supports it where the whole interval
does, contradicts it where the whole interval lies outside, and leaves it open otherwise. A claim of several parts, such
as "harms here and helps there", is right where each part is.
"""

import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from be_jax.report.columns import percent
from be_jax.results import StudyResult
from be_jax.stats import Interval, JudgeConfig, Judgement
from be_jax.stats.fieller import UNDEFINED
from be_jax.stats.means import Estimate
from be_jax.stats.of_results import difference
from experiments.small_report import interval

Region = tuple[float, float]
ABOVE_0, BELOW_0 = (0.0, math.inf), (-math.inf, 0.0)
BELOW_1 = (-math.inf, 1.0)
AT_LEAST_DEEP = (1 - JudgeConfig().margin, math.inf)
"""A deep ensemble's gain, or so near to it that a judgement calls it equivalent, or more."""

PRIMARY, OOD = "test nll_scaled", "ood auroc_max_probability"
STUDIES = ("mnist_embedded", "mnist_full")


class Evidence(NamedTuple):
    """One measurement that a claim speaks of.

    Attributes:
      where: what was measured, on what.
      found: the measurement, on any scale; no interval where nothing is to be said.
      region: in which it lies if the claim is right, of two numbers of which one is infinite.
      units: seeds, or networks, that it rests on.
      shown: the measurement in words, or why there is none.
      part: of the claim, where it has several.
    """

    where: str
    found: Interval
    region: Region
    units: int
    shown: str
    part: str = ""

    @property
    def direction(self) -> int:
        """1 where it supports the claim, -1 where it contradicts it, and 0 where it is open."""
        low, high = self.region
        outside = (-math.inf, low) if math.isfinite(low) else (high, math.inf)
        return int(self.found.within(*self.region)) - int(self.found.within(*outside))

    @property
    def needed(self) -> int | None:
        """About how many units would decide it with 80 % power, if the estimate were the truth; None where none would.

        The width of an interval falls with the root of their number, seeds and networks growing alike.
        """
        if not self.found.bounded or self.direction:
            return None
        bound = next(end for end in self.region if math.isfinite(end))
        away = self.found.value - bound
        arm = self.found.value - self.found.lower if away > 0 else self.found.upper - self.found.value
        if away == 0:
            return None
        return max(self.units + 1, math.ceil(self.units * (_WITH_POWER * arm / away) ** 2))


_WITH_POWER = (1.96 + 0.84) / 1.96


class Claim(NamedTuple):
    """Words and source of a claim, the evidence of a folder of results, its pages there, and what would overturn it."""

    words: str
    source: str
    evidence: Callable[[Path], Iterator[Evidence]]
    pages: tuple[str, ...]
    overturned_by: str


def verdict(evidence: Sequence[Evidence]) -> str:
    """Of a claim, and how many measurements say so; where none does, about the units that it would take."""
    if not any(each.found.pieces for each in evidence):
        return "not tested" if not evidence else "not judged"
    directions = [each.direction for each in evidence]
    of_parts = {each.part: {e.direction for e in evidence if e.part == each.part} for each in evidence}
    count, right, wrong = len(evidence), directions.count(1), directions.count(-1)
    if any(-1 in part and 1 not in part for part in of_parts.values()):
        return "contradicted" + (f" by {wrong} of {count}" if wrong < count else "")
    if wrong:
        return f"mixed: {right} of {count} for it, {wrong} against"
    if right and all(1 in part for part in of_parts.values()):
        return "supported" + (f" by {right} of {count}" if right < count else "")
    if right:
        return f"half open: {right} of {count} for it, none against"
    needed = [each.needed for each in evidence if each.needed]
    return f"undecided: about {max(needed):,} seeds and networks would tell" if needed else "undecided"


def _record(folder: Path, name: str) -> dict[str, Any]:
    path = folder / f"{name}.json"
    return json.loads(path.read_text()) if path.exists() else {}


def _withheld(told: Mapping[str, Any], *methods: str) -> str:
    """Why nothing is said of these methods of a study; empty where something is."""
    if told["failed"]:
        return "a control failed"
    return "undertrained" if set(methods) & set(told["undertrained"]) else ""


def _evidence(where: str, found: Interval, shown: str, region: Region, units: int, why: str, part: str) -> Evidence:
    return (
        Evidence(where, UNDEFINED, region, units, why, part)
        if why
        else Evidence(where, found, region, units, shown, part)
    )


def _estimate(told: Mapping[str, Any] | None, unit: str) -> tuple[Interval, str, int]:
    """A difference with its interval, its words, and the seeds that it rests on."""
    if told is None or None in told.values() or not math.isfinite(told["half_width"]):
        return UNDEFINED, "–", 0
    found = Estimate(**told)
    ends = (found.mean - found.half_width, found.mean + found.half_width)
    shown = f"{found.mean:+.3f} [{ends[0]:+.3f}, {ends[1]:+.3f}] {unit}".strip().replace("-", "−")
    return Interval(found.mean, (ends,)), shown, found.n


def _wider(folder: Path) -> Iterator[Evidence]:
    shown = {PRIMARY: "test NLL", "shift nll_scaled": "shift NLL", OOD: "OOD AUROC"}
    for name in STUDIES:
        if not (folder / f"verdicts_{name}.json").exists():
            continue
        judgement = Judgement.load(folder / f"verdicts_{name}.json")
        wide = judgement.method("single_wide")
        if wide is None:
            continue
        undertrained = "undertrained" if wide.verdicts[0].decision == "undertrained" else ""
        why = "a control failed" if judgement.failed else undertrained
        for row in (row for row in wide.rows if str(row.endpoint) in shown and row.position.pieces):
            where, units = f"{shown[str(row.endpoint)]}, {name}", wide.units["seeds of single wide"]
            yield _evidence(where, row.position, percent(row.position), AT_LEAST_DEEP, units, why, "")


def _at_each_width(method: str, endpoint: str, region: Region, part: str = "", ends: Sequence[str] = ()) -> Any:
    """By how much a method of the ladder is better than one trained on the same batches and not forced apart.

    At every width, or at the "narrowest" and the "widest" one.
    """

    def evidence(folder: Path) -> Iterator[Evidence]:
        widths = _record(folder, "widths").get("widths", [])
        chosen = [{"narrowest": widths[0], "widest": widths[-1]}[end] for end in ends] if ends and widths else widths
        for told in chosen:
            gain = told["over_same_batches"].get(method, {}).get(endpoint)
            found, shown, units = _estimate(gain, "nats" if endpoint == PRIMARY else "")
            measure = "test NLL" if endpoint == PRIMARY else "OOD AUROC"
            where = f"{part + ', ' if part else ''}gain in {measure}, width {told['width']:g}"
            yield _evidence(where, found, shown, region, units, _withheld(told, method, "deep_same_batches"), part)

    return evidence


def _all_of(*parts: Callable[[Path], Iterator[Evidence]]) -> Callable[[Path], Iterator[Evidence]]:
    def evidence(folder: Path) -> Iterator[Evidence]:
        for part in parts:
            yield from part(folder)

    return evidence


def _wider_is_surer(folder: Path) -> Iterator[Evidence]:
    record = _record(folder, "widths")
    for name in ("test", "ood") if record else ():
        first, told = record["widths"][0], record["widths"][-1]
        found = interval(told["epistemic"][name]["of_narrowest"])
        where = f"mutual information, {name}, width {told['width']:g} of {first['width']:g}"
        why = _withheld(first) or _withheld(told)
        yield _evidence(where, found, percent(found), BELOW_1, record["config"]["pool_size"], why, "")


def _alone_and_together(folder: Path) -> Iterator[Evidence]:
    record = _record(folder, "tabular")
    for each in record.get("tables", ()):
        units, why = len(record["config"]["seeds"]), _withheld(each, "tabm_32")
        together = interval(each["methods"].get("tabm_32", {}).get(PRIMARY))
        alone = interval(each["alone"]["tabm_32"])
        name = each["dataset"]
        yield _evidence(f"alone, {name}", alone, percent(alone), BELOW_0, units, why, "alone")
        yield _evidence(f"together, {name}", together, percent(together), ABOVE_0, units, why, "together")


def _film(folder: Path) -> Iterator[Evidence]:
    path = folder / "verdicts_mnist_vit.json"
    if not path.exists() or (film := (judgement := Judgement.load(path)).method("norm_ensemble")) is None:
        return
    result = StudyResult.load(folder / "mnist_vit.json")
    gain = difference(result, "batch_ensemble", "norm_ensemble", *PRIMARY.split(" "))
    found, shown, units = _estimate(gain._asdict(), "nats, over seeds alone")
    undertrained = "undertrained" if film.verdicts[0].decision == "undertrained" else ""
    why = "a control failed" if judgement.failed else undertrained
    yield _evidence("gain in test NLL, a transformer on MNIST", found, shown, ABOVE_0, units, why, "")


def _added(folder: Path) -> Iterator[Evidence]:
    record = _record(folder, "zoo")
    if "lora_ensemble" in record.get("against_batch_ensemble", {}):
        less = record["against_batch_ensemble"]["lora_ensemble"]
        found, shown, units = _estimate(less, "nats")
        why = _withheld(record, "lora_ensemble", "batch_ensemble")
        yield _evidence(
            "scaled test NLL of LoRA less BatchEnsemble's, an MLP on MNIST", found, shown, BELOW_0, units, why, ""
        )


CLAIMS = (
    Claim(
        "A larger single network does what a deep ensemble of its cost does (at least 75 % of its gain)",
        "2202.06985",
        _wider,
        STUDIES,
        "a deep ensemble tuned as well as the wider network; data where width does not help",
    ),
    Claim(
        "Forcing members apart helps small networks and harms large ones",
        "2302.00704",
        _all_of(
            _at_each_width("deep_mixture", PRIMARY, ABOVE_0, "small", ("narrowest",)),
            _at_each_width("deep_mixture", PRIMARY, BELOW_0, "large", ("widest",)),
        ),
        ("widths",),
        "another weight of the term that forces them; networks far larger than these",
    ),
    Claim(
        "Epistemic uncertainty falls with width",
        "2409.02628",
        _wider_is_surer,
        ("widths",),
        "a learning rate, or a length of training, chosen for each width",
    ),
    Claim(
        "Repulsion between predictions harms at training inputs and helps at others",
        "2412.15758",
        _all_of(
            _at_each_width("deep_repelled", PRIMARY, BELOW_0, "at images"),
            _at_each_width("deep_repelled_between", OOD, ABOVE_0, "between images"),
        ),
        ("widths",),
        "another weight of the term; other inputs than midpoints of training images",
    ),
    Claim(
        "Trained on the ensemble's own loss, members collude, and the ensemble is worse",
        "2301.11323",
        _at_each_width("deep_mixture", PRIMARY, BELOW_0),
        ("widths",),
        "early stopping, or more decay of weights, where the ensemble's own loss overfits more",
    ),
    Claim(
        "Scales and offsets of normalisation (FiLM) make a better ensemble than fast weights",
        "2206.00050",
        _film,
        ("mnist_vit",),
        "a start of either that was chosen for it",
    ),
    Claim(
        "Members of TabM are weak alone and strong together",
        "2410.24210",
        _alone_and_together,
        ("tabular",),
        "larger tables; networks tuned as its authors tune them",
    ),
    Claim(
        "A low rank that is added makes a better ensemble than one that multiplies",
        "2405.14438",
        _added,
        ("zoo",),
        "ranks above 1; a pretrained network, of which its authors speak",
    ),
)
