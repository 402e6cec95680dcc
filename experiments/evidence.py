"""What committed results measure of the literature's claims: each measurement, and the region where a claim has it."""

import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from be_jax.report.columns import percent
from be_jax.report.words import short_title
from be_jax.results import COPIES, DEEP_ENSEMBLE, StudyResult
from be_jax.stats import Interval, JudgeConfig, Judgement, MethodJudgement
from be_jax.stats.controls import checks_nothing
from be_jax.stats.fieller import UNDEFINED
from be_jax.stats.means import Estimate
from be_jax.stats.of_results import difference, difference_of_means
from experiments.ablation_settings import SETTINGS
from experiments.small_report import idle_controls, interval, name_of

Region = tuple[float, float]
ABOVE_0, BELOW_0 = (0.0, math.inf), (-math.inf, 0.0)
BELOW_1 = (-math.inf, 1.0)
BELOW_HALF, IDENTICAL = (-math.inf, 0.5), (-math.inf, JudgeConfig().margin)
AT_LEAST_DEEP = (1 - JudgeConfig().margin, math.inf)
"""A deep ensemble's gain, or so near to it that a judgement calls it equivalent, or more."""

PRIMARY, OOD = "test nll_scaled", "ood auroc_max_probability"
_TITLES = {PRIMARY: "scaled test NLL", OOD: "OOD AUROC"}
STUDIES = ("mnist_embedded", "mnist_rates", "cifar10_cpu")
OF_BATCH_ENSEMBLE = ("mnist_rates", "mnist_published", "cifar10_cpu", "mnist_gru", "mnist_vit")
ZOOS = ("zoo", "zoo_full", "zoo_lenet", "zoo_full_lenet", "zoo_cifar10")


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
    def says(self) -> str:
        """Its direction in words."""
        return {1: "for", -1: "against", 0: "open" if self.found.pieces else "not judged"}[self.direction]

    @property
    def direction(self) -> int:
        """1 where it supports the claim, -1 where it contradicts it, and 0 where it is open."""
        low, high = self.region
        outside = (-math.inf, low) if math.isfinite(low) else (high, math.inf)
        return int(self.found.within(*self.region)) - int(self.found.within(*outside))

    @property
    def needed(self) -> int | None:
        """About how many units would decide it with 80 % power, if the estimate were the truth; None where none would.

        The width of an interval falls with the root of their number: seeds, networks and test examples growing alike.
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


def recorded(folder: Path, name: str) -> dict[str, Any]:
    """A committed record; empty where there is none."""
    path = folder / f"{name}.json"
    return json.loads(path.read_text()) if path.exists() else {}


def _withheld(told: Mapping[str, Any], *methods: str) -> str:
    """Why nothing is said of these methods of a study; empty where something is."""
    if told["failed"]:
        return "a control failed"
    if idle_controls(told):
        return "a control checks nothing"
    return "undertrained" if set(methods) & set(told["undertrained"]) else ""


def _kept_back(judgement: Judgement, method: MethodJudgement) -> str:
    """The same of a method of a judgement."""
    if judgement.failed:
        return "a control failed"
    if any(checks_nothing(control.position) for control in judgement.controls):
        return "a control checks nothing"
    return "undertrained" if method.undertrained else ""


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


Reader = Callable[[Path], Iterator[Evidence]]
"""From a folder of results to what it measures of a claim; nothing where it has none of it."""


def in_studies(
    method: str, region: Region, studies: Sequence[str] = STUDIES, endpoints: str = "quality", part: str = ""
) -> Reader:
    """Where a method stands by every endpoint of a kind ("quality", "functions" or "weights") that was judged."""

    def evidence(folder: Path) -> Iterator[Evidence]:
        for name in (name for name in studies if (folder / f"verdicts_{name}.json").exists()):
            judgement = Judgement.load(folder / f"verdicts_{name}.json")
            judged = judgement.method(method)
            if judged is None:
                continue
            why, wanted = _kept_back(judgement, judged), getattr(judgement.config, endpoints)
            for row in (row for row in judged.rows if row.endpoint in wanted and row.position.pieces):
                where, units = f"{short_title(row.endpoint)}, {name}", next(iter(judged.units.values()))
                yield _evidence(where, row.position, percent(row.position), region, units, why, part)

    return evidence


def on_tables(method: str, region: Region) -> Reader:
    """Where a method stands on each table by the primary endpoint."""

    def evidence(folder: Path) -> Iterator[Evidence]:
        tables = recorded(folder, "tabular")
        for each in tables.get("tables", ()):
            found = interval(each["methods"].get(method, {}).get(PRIMARY))
            where, units = f"{_TITLES[PRIMARY]}, {each['dataset']}", len(tables["config"]["seeds"])
            yield _evidence(where, found, percent(found), region, units, _withheld(each, method), "")

    return evidence


def at_each_width(method: str, endpoint: str, region: Region, part: str = "", ends: Sequence[str] = ()) -> Reader:
    """By how much a method of the ladder is better than one trained on the same batches and not forced apart.

    At every width, or at the "narrowest" and the "widest" one.
    """

    def evidence(folder: Path) -> Iterator[Evidence]:
        widths = recorded(folder, "widths").get("widths", [])
        chosen = [{"narrowest": widths[0], "widest": widths[-1]}[end] for end in ends] if ends and widths else widths
        for told in chosen:
            gain = told["over_same_batches"].get(method, {}).get(endpoint)
            found, shown, units = _estimate(gain, "nats" if endpoint == PRIMARY else "")
            label = SETTINGS[method].label.removeprefix("deep ensemble, same batches, ")
            where = f"{label}, gain in {_TITLES[endpoint]}, width {told['width']:g}"
            yield _evidence(where, found, shown, region, units, _withheld(told, method, "deep_same_batches"), part)

    return evidence


def all_of(*parts: Reader) -> Reader:
    """The measurements of several readers."""

    def evidence(folder: Path) -> Iterator[Evidence]:
        for part in parts:
            yield from part(folder)

    return evidence


def wider_is_surer(folder: Path) -> Iterator[Evidence]:
    """Mutual information of independent networks, of the widest in the narrowest's."""
    record = recorded(folder, "widths")
    for name in ("test", "ood") if record.get("widths") else ():
        first, told = record["widths"][0], record["widths"][-1]
        found = interval(told["epistemic"][name]["of_narrowest"])
        where = f"mutual information, {name}, width {told['width']:g} of {first['width']:g}"
        why = _withheld(first) or _withheld(told)
        yield _evidence(where, found, percent(found), BELOW_1, record["config"]["pool_size"], why, "")


def alone_and_together(folder: Path) -> Iterator[Evidence]:
    """Where members of TabM's ensemble stand, alone and together: of 32 on each table, of 4 in the zoos."""
    tables = recorded(folder, "tabular")
    found = [(each["dataset"], "tabm_32", each) for each in tables.get("tables", ())]
    found += [(name, "tabm", zoo) for name in ZOOS if "tabm" in (zoo := recorded(folder, name)).get("alone", ())]
    for where, method, told in found:
        units, why = next(iter(told["units"][method].values())), _withheld(told, method)
        alone, together = told["alone"][method], told["methods"].get(method, {}).get(PRIMARY)
        for position, region, part in ((alone, BELOW_0, "alone"), (together, ABOVE_0, "together")):
            at = interval(position)
            shown = percent(at) if at.bounded else "not told"
            yield _evidence(f"{part}, {where}", at, shown, region, units, why, part)


def film(folder: Path) -> Iterator[Evidence]:
    """By how much normalisations of their own are better than fast weights, in a transformer."""
    path = folder / "verdicts_mnist_vit.json"
    if not path.exists():
        return
    judgement = Judgement.load(path)
    film, ours = judgement.method("norm_ensemble"), judgement.method("batch_ensemble")
    if film is None or ours is None:
        return
    result = StudyResult.load(folder / "mnist_vit.json")
    gain = difference(result, "batch_ensemble", "norm_ensemble", *PRIMARY.split(" "))
    found, shown, units = _estimate(gain._asdict(), "nats, over seeds alone")
    why = next(filter(None, (_kept_back(judgement, each) for each in (film, ours))), "")
    yield _evidence("gain in scaled test NLL, a transformer on MNIST", found, shown, ABOVE_0, units, why, "")


def splits_best(folder: Path) -> Iterator[Evidence]:
    """The disentanglement error of other methods less that of deep ensembles.

    Copies of one network have no epistemic uncertainty to split off: a score by which they are no worse tells nothing.
    """
    rows = recorded(folder, "disentanglement").get("methods", ())
    errors = {row["method"]: row["disentanglement_error"] for row in rows}
    if COPIES not in errors or DEEP_ENSEMBLE not in errors:
        return
    control, shown, _ = _estimate(difference_of_means(errors[COPIES], errors[DEEP_ENSEMBLE])._asdict(), "")
    why = "" if control.within(*ABOVE_0) else f"copies of one network split as well: {shown}"
    for name in (name for name in errors if name not in (COPIES, DEEP_ENSEMBLE)):
        further = difference_of_means(errors[name], errors[DEEP_ENSEMBLE])
        found, shown, units = _estimate(further._asdict(), "")
        where = f"disentanglement error of {name_of(name)} less deep ensembles', 4,000 images of MNIST"
        yield _evidence(where, found, shown, ABOVE_0, units, why, "")


def less_batch_ensemble(method: str, words: str) -> Reader:
    """The loss of a method less a BatchEnsemble's, in every zoo that has it."""

    def evidence(folder: Path) -> Iterator[Evidence]:
        for name in ZOOS:
            record = recorded(folder, name)
            if method in record.get("against_batch_ensemble", {}):
                found, shown, units = _estimate(record["against_batch_ensemble"][method], "nats")
                why = _withheld(record, method, "batch_ensemble")
                where = f"scaled test NLL of {words} less BatchEnsemble's, {name}"
                yield _evidence(where, found, shown, BELOW_0, units, why, "")

    return evidence
